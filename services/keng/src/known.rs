//! `keng replay --as-known-at T`: what a commune saw at a moment; `keng timeline ID`: the times of
//! an alert that matter; `keng replay --check`: whether the live services hold what the log says.

use anyhow::Context;
use chassis::ExitCode;
use history::{AsKnown, StateCheck, Timeline, check_text, known_text, timeline_text};
use reqwest::Method;

use crate::{
    Failed,
    args::{Format, ReplayArgs, TimelineArgs},
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
    let answer = ask(&client, "/v1/audit/as-known", &filters).await;
    let_go(direct).await;
    let answer = answer?;
    let known: AsKnown = serde_json::from_str(&answer).context("the answer")?;
    shown(&answer, args.format, &known_text(&known));
    Ok(ExitCode::DONE)
}

/// `keng timeline ID`.
pub(crate) async fn timeline(args: TimelineArgs) -> Result<u8, Failed> {
    let (client, direct) = Client::new(&args.server).await?;
    let filters = [("alert", Some(args.id.as_str()))];
    let answer = ask(&client, "/v1/audit/timeline", &filters).await;
    let_go(direct).await;
    let answer = answer?;
    let timeline: Timeline = serde_json::from_str(&answer).context("the answer")?;
    shown(&answer, args.format, &timeline_text(&timeline));
    Ok(ExitCode::DONE)
}

/// `keng replay --check`: 1 where something that is held is not as the log says.
pub(crate) async fn check(args: &ReplayArgs) -> Result<u8, Failed> {
    let (client, direct) = Client::new(&args.server).await?;
    let answer = ask(&client, "/v1/audit/state", &[]).await;
    let_go(direct).await;
    let answer = answer?;
    let check: StateCheck = serde_json::from_str(&answer).context("the answer")?;
    shown(&answer, args.format, &check_text(&check));
    Ok(if check.same { ExitCode::DONE } else { ExitCode::FAILED })
}

async fn ask(
    client: &Client,
    path: &str,
    filters: &[(&str, Option<&str>)],
) -> Result<String, Failed> {
    let query: Vec<(&str, &str)> =
        filters.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
    let answer = send(client.request(Method::GET, path).query(&query)).await?;
    Ok(answer.text().await.context("the answer was cut")?)
}

/// For machines it is printed as it came.
fn shown(answer: &str, format: Format, lines: &[String]) {
    match format {
        Format::Json => line(answer),
        Format::Text => lines.iter().for_each(|text| line(text)),
    }
}
