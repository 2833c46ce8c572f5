//! `keng drill`: an exercise through the real services, measured, kept and ended.
//!
//! The figures are the server's own; here they are waited for and printed.

use std::time::Duration;

use anyhow::Context;
use chassis::ExitCode;
use clap::Args as ClapArgs;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;

use crate::{
    Failed,
    args::{Format, ServerArgs},
    client::{Client, send},
    drill_lines,
    feeds::line,
    signing::{self, Say, SignArgs},
    write::{aside, some},
};

/// How often it is looked how far the exercise has come.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long it may take to measure, once nothing more is waited for, and to end it.
const END_WITHIN: Duration = Duration::from_secs(30);
/// Were it not ended here, the exercise would end by itself so long after the wait.
const EXPIRES_AFTER_S: i64 = 15 * 60;
const WAIT_S_MAX: u64 = 3_600;

#[derive(Debug, ClapArgs)]
pub(crate) struct DrillArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Mã xã / Code of the own commune
    #[arg(long, value_name = "CODE")]
    commune: String,
    /// Thêm mấy vòng xã giáp ranh / Rings of neighbours that take part too
    #[arg(
        long, value_name = "N", default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(0..=5),
    )]
    rings: u32,
    /// Chờ tối đa chừng này giây / Seconds to wait at most
    #[arg(
        long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=WAIT_S_MAX),
    )]
    wait: u64,
    /// Nói thêm với các nhóm / What the groups are told beside
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    sign: SignArgs,
}

/// What an exercise came to.
pub(crate) struct Drilled {
    pub(crate) code: String,
    pub(crate) alert: String,
    /// How it stood in the end, as the server measured it.
    pub(crate) seen: Value,
    /// Why the result was not kept, where it was not.
    pub(crate) not_kept: Option<String>,
    /// Why the exercise was not ended, where it was not.
    pub(crate) not_ended: Option<String>,
}

/// `keng drill --commune CODE`: 0 where every group was reached, otherwise 1.
pub(crate) async fn drill(args: DrillArgs) -> Result<u8, Failed> {
    let client = Client::of_person(&args.server)?;
    let key = Uuid::now_v7().to_string();
    let expires = Timestamp::now() + expires_after(args.wait);
    let deadline = Instant::now() + Duration::from_secs(args.wait);
    let raised = say(&args, ("/v1/alerts", "raise"), &body(&args, expires), &key).await?;
    let text = |name: &str| raised.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("state") == "refused" {
        let code = raised.pointer("/refusal/code").and_then(Value::as_str).unwrap_or_default();
        return Err(Failed::Refused(format!("bị từ chối / refused: {code}")));
    }
    let (alert, code) = (text("id").to_owned(), text("code").to_owned());
    aside(&format!("diễn tập / drill {code}  {alert}  {}", text("state")));
    let seen = wait_until_over(&client, &alert, deadline).await;
    let meant = json!({ "alert": alert });
    let kept = in_time(say(&args, ("/v1/drills", "keep"), &meant, &key)).await;
    let resolve = format!("/v1/alerts/{alert}/resolve");
    let ended = in_time(say(&args, (&resolve, "end"), &json!({}), &key)).await;
    if ended.is_err() {
        aside(&format!("chưa kết thúc / not ended: keng alert resolve {alert}"));
    }
    let drilled = Drilled {
        code,
        alert,
        seen: seen?,
        not_kept: kept.err().map(|why| why_of(&why)),
        not_ended: ended.err().map(|why| why_of(&why)),
    };
    match args.format {
        Format::Json => line(&drill_lines::json(&drilled).to_string()),
        Format::Text => drill_lines::text(&drilled).iter().for_each(|text| line(text)),
    }
    Ok(exit_code(&drilled))
}

fn expires_after(wait_s: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(wait_s).unwrap_or_default() + EXPIRES_AFTER_S)
}

/// What is raised: everybody who reads it must see what it is for.
fn body(args: &DrillArgs, expires: Timestamp) -> Value {
    some(&[
        ("kind", Some(json!("lost-child"))),
        ("status", Some(json!("exercise"))),
        ("commune", Some(json!(args.commune))),
        ("headline", Some(json!("Diễn tập: kiểm tra đường báo tin đến các nhóm"))),
        ("description", args.note.clone().map(Value::from)),
        ("instruction", Some(json!("Đây là diễn tập. Không cần làm gì."))),
        ("last_seen", Some(json!({ "place": "diễn tập" }))),
        ("expires", Some(json!(expires.to_string()))),
        ("reach", Some(json!({ "mode": "rings", "rings": args.rings }))),
    ])
}

/// Looks until every delivery has ended or is in a person's hand, the time is up, or somebody
/// interrupts; how it stood then. What cannot be answered for a moment is asked again.
async fn wait_until_over(client: &Client, alert: &str, until: Instant) -> Result<Value, Failed> {
    let path = format!("/v1/drills/{alert}");
    loop {
        let seen = within(client.request(Method::GET, &path)).await;
        let is_over = match &seen {
            Ok(seen) => seen.get("done").and_then(Value::as_bool).unwrap_or_default(),
            Err(Failed::Trouble(_)) => false,
            Err(_) => true,
        };
        let now = Instant::now();
        if is_over || now >= until {
            return seen;
        }
        tokio::select! {
            () = sleep_until(until.min(now + LOOK_EVERY)) => {}
            // What was raised is measured and ended all the same.
            _ = tokio::signal::ctrl_c() => return within(client.request(Method::GET, &path)).await,
        }
    }
}

/// Asks for one step, signed where a key's file is given: each under a key of its own.
async fn say(
    args: &DrillArgs,
    (path, step): (&str, &str),
    body: &Value,
    key: &str,
) -> Result<Value, Failed> {
    let say = Say { path, commune: None, body: &body.to_string() };
    json_of(signing::request(&args.server, &args.sign, say, &format!("{key}-{step}")).await?).await
}

async fn json_of(request: RequestBuilder) -> Result<Value, Failed> {
    Ok(send(request).await?.json().await.context("the answer")?)
}

async fn within(request: RequestBuilder) -> Result<Value, Failed> {
    in_time(json_of(request)).await
}

async fn in_time(answer: impl Future<Output = Result<Value, Failed>>) -> Result<Value, Failed> {
    let answer = timeout_at(Instant::now() + END_WITHIN, answer).await;
    answer.unwrap_or_else(|_| Err(Failed::Trouble(anyhow::anyhow!("no answer in time"))))
}

fn why_of(failed: &Failed) -> String {
    match failed {
        Failed::Refused(why) | Failed::Usage(why) => why.clone(),
        Failed::Trouble(why) => format!("{why:#}"),
    }
}

/// Done where there were groups, every one of them was reached as far as can be known on its
/// channels, the result is kept and the exercise is over.
fn exit_code(drilled: &Drilled) -> u8 {
    let communes = drilled.seen.get("communes").and_then(Value::as_array);
    let sum = |name: &str| -> u64 {
        let counts = communes.into_iter().flatten().filter_map(|of| of.get(name)?.as_u64());
        counts.sum()
    };
    let is_whole = sum("groups") > 0 && sum("not_reached") == 0;
    let is_clean = drilled.not_kept.is_none() && drilled.not_ended.is_none();
    if is_whole && is_clean { ExitCode::DONE } else { ExitCode::FAILED }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        drill: DrillArgs,
    }

    #[test]
    fn a_drill_is_of_a_commune_and_says_what_it_is() {
        let parse = |line: &str| Line::try_parse_from(line.split(' '));
        for wrong in ["k", "k --commune 25126 --rings 6", "k --commune 25126 --wait 0"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let args = parse("k --commune 25126 --note Chào").unwrap().drill;
        assert_eq!((args.rings, args.wait), (0, 60));
        let body = body(&args, Timestamp::UNIX_EPOCH);
        assert_eq!(body["status"], "exercise");
        assert_eq!(body["reach"], json!({ "mode": "rings", "rings": 0 }));
        assert_eq!(body["description"], "Chào");
    }

    fn drilled(communes: Value) -> Drilled {
        Drilled {
            code: "0123456789".to_owned(),
            alert: "x".to_owned(),
            seen: json!({ "done": true, "communes": communes }),
            not_kept: None,
            not_ended: None,
        }
    }

    #[test]
    fn it_is_done_where_every_group_was_reached_and_there_was_one() {
        let of =
            |groups: u64, not_reached: u64| json!({ "groups": groups, "not_reached": not_reached });
        for (communes, code) in [
            (json!([of(3, 0)]), ExitCode::DONE),
            (json!([of(3, 0), of(0, 0)]), ExitCode::DONE),
            (json!([of(3, 1)]), ExitCode::FAILED),
            (json!([of(3, 0), of(1, 1)]), ExitCode::FAILED),
            (json!([of(0, 0)]), ExitCode::FAILED),
            (json!([]), ExitCode::FAILED),
        ] {
            assert_eq!(exit_code(&drilled(communes.clone())), code, "{communes}");
        }
        let whole = || drilled(json!([of(3, 0)]));
        let not_kept = Drilled { not_kept: Some("409".to_owned()), ..whole() };
        let not_ended = Drilled { not_ended: Some("503".to_owned()), ..whole() };
        assert_eq!([exit_code(&not_kept), exit_code(&not_ended)], [ExitCode::FAILED; 2]);
    }
}
