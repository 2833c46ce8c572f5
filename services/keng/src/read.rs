//! Commands that read from a server: watch, replay.

use std::time::Duration;

use anyhow::Context;
use chassis::ExitCode;
use futures::StreamExt;
use reqwest::{Method, Response};
use serde_json::Value;

use crate::{
    Failed,
    args::{Format, ReplayArgs, WatchArgs},
    client::{Client, send},
    feeds::line,
    known,
    matches::lines_of,
    write::let_go,
};

const RECONNECT: Duration = Duration::from_secs(1);

/// `keng watch --commune CODE`: goes on for ever, also after the line was cut.
pub(crate) async fn watch(args: WatchArgs) -> Result<u8, Failed> {
    let client = Client::of_person(&args.server)?;
    let path = format!("/v1/stream?commune={}", args.commune);
    let mut last: Option<String> = None;
    loop {
        let mut request = client.request(Method::GET, &path);
        if let Some(last) = &last {
            request = request.header("last-event-id", last);
        }
        match send(request).await {
            Ok(stream) => show(stream, &mut last).await,
            Err(Failed::Trouble(why)) => tracing_line(&format!("{why:#}")),
            Err(refused) => return Err(refused),
        }
        tokio::select! {
            () = tokio::time::sleep(RECONNECT) => {}
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::DONE),
        }
    }
}

#[allow(clippy::print_stderr, reason = "trouble on the way does not belong into the answer")]
fn tracing_line(why: &str) {
    eprintln!("keng: {why}; thử lại / trying again");
}

/// Shows events until the line is cut.
async fn show(stream: Response, last: &mut Option<String>) {
    let mut bytes = stream.bytes_stream();
    let mut text: Vec<u8> = Vec::new();
    while let Some(Ok(chunk)) = bytes.next().await {
        text.extend_from_slice(&chunk);
        while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            show_one(&String::from_utf8_lossy(&event), last);
        }
    }
}

fn show_one(event: &str, last: &mut Option<String>) {
    let field = |name: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        lines.map(str::trim_start).collect::<Vec<_>>().join("\n")
    };
    let (kind, id) = (field("event"), field("id"));
    if !id.is_empty() {
        *last = Some(id);
    }
    let Ok(data) = serde_json::from_str::<Value>(&field("data")) else { return };
    let text = |path: &str| data.pointer(path).and_then(Value::as_str).unwrap_or("-").to_owned();
    match kind.as_str() {
        "alert" => line(&format!(
            "{}  {}  {}  {}  {}",
            text("/code"),
            text("/status").to_uppercase(),
            text("/state"),
            text("/kind"),
            text("/headline"),
        )),
        "answer" => line(&format!(
            "{}  xã / commune {}: {}",
            text("/alert"),
            text("/commune/code"),
            text("/commune/answer"),
        )),
        "banner" => {
            let banners = data.get("banners").and_then(Value::as_array);
            let texts = banners.into_iter().flatten().filter_map(Value::as_str);
            texts.for_each(|text| line(&format!("!  {text}")));
        }
        "match" => lines_of(&data).iter().for_each(|text| line(text)),
        "delivery" => line(&format!(
            "{}  nhóm / group {}: {}",
            text("/alert"),
            text("/group"),
            text("/state"),
        )),
        _ => {}
    }
}

/// `keng replay …`.
pub(crate) async fn replay(args: ReplayArgs) -> Result<u8, Failed> {
    if args.check {
        return known::check(&args).await;
    }
    if let Some(at) = &args.as_known_at {
        return known::as_known(at, &args).await;
    }
    let (client, direct) = Client::new(&args.server).await?;
    let shown = show_records(&client, &args).await;
    let_go(direct).await;
    shown.map(|()| ExitCode::DONE)
}

async fn show_records(client: &Client, args: &ReplayArgs) -> Result<(), Failed> {
    let filters = [
        ("alert", &args.alert),
        ("commune", &args.commune),
        ("from", &args.from),
        ("to", &args.to),
    ];
    let query: Vec<(&str, &String)> =
        filters.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect();
    let request = client
        .request(Method::GET, "/v1/audit/records")
        .query(&query)
        .header("accept", "application/x-ndjson");
    let mut bytes = send(request).await?.bytes_stream();
    let mut text: Vec<u8> = Vec::new();
    while let Some(chunk) = bytes.next().await {
        text.extend_from_slice(&chunk.context("the answer was cut")?);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let record: Vec<u8> = text.drain(..=end).collect();
            print(String::from_utf8_lossy(&record).trim_end(), args.format)?;
        }
    }
    Ok(())
}

fn print(record: &str, format: Format) -> Result<(), Failed> {
    match format {
        Format::Json => line(record),
        Format::Text => {
            let record = serde_json::from_str(record).context("a record")?;
            line(&history::replay_text(&record));
        }
    }
    Ok(())
}
