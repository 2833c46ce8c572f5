//! `keng replay --as-known-at T`: what a commune saw at a moment.

use anyhow::Context;
use chassis::ExitCode;
use history::{AsKnown, known_text};
use reqwest::Method;
use serde::de::DeserializeOwned;

use crate::{
    Failed,
    args::{Format, ReplayArgs},
    client::{Client, send},
    feeds::line,
    write::let_go,
};

/// Shows what was known.
pub(crate) async fn as_known(at: &str, args: &ReplayArgs) -> Result<u8, Failed> {
    if args.commune.is_none() && args.alert.is_none() {
        let why = "--as-known-at cần / needs --commune CODE, --alert ID, hoặc cả hai / or both";
        return Err(Failed::Usage(why.to_owned()));
    }
    let (client, direct) = Client::new(&args.server).await?;
    let filters =
        [("at", Some(at)), ("commune", args.commune.as_deref()), ("alert", args.alert.as_deref())];
    let answer = ask::<AsKnown>(&client, "/v1/audit/as-known", &filters, args.format).await;
    let_go(direct).await;
    if let Some(known) = answer? {
        known_text(&known).iter().for_each(|text| line(text));
    }
    Ok(ExitCode::DONE)
}

/// Asks; `None` where the answer was printed as it came, for machines.
async fn ask<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    filters: &[(&str, Option<&str>)],
    format: Format,
) -> Result<Option<T>, Failed> {
    let query: Vec<(&str, &str)> =
        filters.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
    let answer = send(client.request(Method::GET, path).query(&query)).await?;
    let text = answer.text().await.context("the answer was cut")?;
    match format {
        Format::Json => {
            line(&text);
            Ok(None)
        }
        Format::Text => Ok(Some(serde_json::from_str(&text).context("the answer")?)),
    }
}
