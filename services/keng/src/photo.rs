//! `keng photo FILE`: sends a picture, and prints the id by which an alert names it; on standard
//! error a link by which it is seen for an hour.

use std::path::PathBuf;

use anyhow::Context;
use chassis::ExitCode;
use clap::Args;
use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Failed,
    args::ServerArgs,
    client::{Client, send},
    feeds::line,
    write::aside,
};

#[derive(Debug, Args)]
pub(crate) struct PhotoArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Tệp ảnh / The picture: JPEG, PNG or WebP, at most 10 MiB
    file: PathBuf,
}

/// `keng photo FILE`. No key: the same picture again has the same id.
pub(crate) async fn photo(args: PhotoArgs) -> Result<u8, Failed> {
    let unreadable = |why: String| Failed::Usage(format!("{}: {why}", args.file.display()));
    let picture = std::fs::read(&args.file).map_err(|why| unreadable(why.to_string()))?;
    if picture.len() > photos::UPLOAD_BYTES_MAX {
        return Err(unreadable(photos::NotAPicture::TooManyBytes.to_string()));
    }
    let client = Client::of_person(&args.server)?;
    // Nobody's picture holds it: it is new each time.
    let boundary = Uuid::now_v7().simple().to_string();
    let kind = format!("multipart/form-data; boundary={boundary}");
    let request = client.request(Method::POST, "/v1/photos").header(CONTENT_TYPE, kind);
    let sent = send(request.body(form(&boundary, &picture))).await?;
    let taken: Value = sent.json().await.context("the answer")?;
    line(taken.get("id").and_then(Value::as_str).unwrap_or_default());
    if let Some(url) = taken.get("url").and_then(Value::as_str) {
        aside(url);
    }
    Ok(ExitCode::DONE)
}

/// The name of the file stays here: it may be a person's.
fn form(boundary: &str, picture: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"photo\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    [head.as_bytes(), picture, format!("\r\n--{boundary}--\r\n").as_bytes()].concat()
}
