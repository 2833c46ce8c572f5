//! `keng alert …`: what is asked of an alert between its raise and its end.
//!
//! What a commune says to an alert that was relayed to it is in `answer`.

use std::fs;

use anyhow::Context;
use chassis::ExitCode;
use clap::{Args as ClapArgs, Subcommand};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Failed,
    answer::shown,
    args::ServerArgs,
    client::{Client, send},
    deliveries::deliveries,
    feeds::line,
    looks::{ReasonArgs, looks},
    signing::{self, Say, SignArgs},
    uncorrected::uncorrected,
    write::{aside, point, reach, some, text},
};

#[derive(Debug, ClapArgs)]
pub(crate) struct AlertArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Xem tin như đang có / Show it as it stands
    Show(ReadArgs),
    /// Ai đã xem dữ liệu cá nhân / Show who has read its personal data
    Looks(ReadArgs),
    /// Đã báo cho ai, qua kênh nào / Show who was told, and what is known of it
    Deliveries(OneArgs),
    /// Ai chưa được đính chính / Show who has not been corrected yet
    Uncorrected(OneArgs),
    /// Đã báo cách khác / Attest that somebody on that list was told another way
    Attest(AttestArgs),
    /// Duyệt, là người thứ hai / Approve, as a second person, what waits
    Approve(ApproveArgs),
    /// Không duyệt, là người thứ hai / Decline, as a second person, what waits
    Decline(NoteArgs),
    /// Đã xem lại, là người thứ hai / Say, as a second person, that it was reviewed
    Review(ActArgs),
    /// Nói thêm / Update: there is more to say
    Update(ChangeArgs),
    /// Đính chính / Correct: what was said was wrong
    Correct(ChangeArgs),
    /// Mở rộng đến xã khác / Widen it to further, or other, communes
    Widen(WidenArgs),
    /// Tạm giữ: chưa gửi thì ở lại / Hold what has not left, and the reach
    Hold(ActArgs),
    /// Cho đi tiếp / Release what was held, or refused as stale
    Release(ActArgs),
    /// Mở lại: kết thúc nhầm / Reopen: it was resolved by mistake
    Reopen(NoteArgs),
    /// Có người thấy / Report where somebody or something was seen
    Sighting(SightingArgs),
    /// Thu hồi: báo nhầm / Cancel: it was a mistake
    Cancel(NoteArgs),
    /// Kết thúc tốt đẹp / Resolve: it came to a good end
    Resolve(NoteArgs),
}

#[derive(Debug, ClapArgs)]
struct OneArgs {
    /// Mã tin / Id of the alert
    id: String,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, ClapArgs)]
struct ReadArgs {
    #[command(flatten)]
    one: OneArgs,
    #[command(flatten)]
    reason: ReasonArgs,
}

#[derive(Debug, ClapArgs)]
struct ActArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Khóa chống gửi trùng / Idempotency key [default: a new one]
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    sign: SignArgs,
}

#[derive(Debug, ClapArgs)]
struct ApproveArgs {
    #[command(flatten)]
    act: ActArgs,
    /// Bản đang chờ / Exactly the revision that waits
    #[arg(long, value_name = "N")]
    revision: u64,
}

#[derive(Debug, ClapArgs)]
struct NoteArgs {
    #[command(flatten)]
    act: ActArgs,
    /// Ghi chú / Note, at most 1,000 characters
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

#[derive(Debug, ClapArgs)]
struct AttestArgs {
    #[command(flatten)]
    act: ActArgs,
    /// Nhóm / The group
    #[arg(long, value_name = "ID")]
    group: String,
    /// Kênh / One of its channels [default: all on the list]
    #[arg(long, value_name = "ID")]
    channel: Option<String>,
    /// Đã báo thế nào / How they were told, at most 1,000 characters
    #[arg(long, value_name = "TEXT")]
    note: String,
}

#[derive(Debug, ClapArgs)]
struct ChangeArgs {
    #[command(flatten)]
    act: ActArgs,
    /// Những gì thay đổi; null là rút lại / What changes, as JSON (RFC 7396); null takes back
    #[arg(long, value_name = "PATCH|@FILE")]
    json: String,
}

#[derive(Debug, ClapArgs)]
struct WidenArgs {
    #[command(flatten)]
    act: ActArgs,
    /// auto, province, rings:N, or communes with commas between
    #[arg(long, required_unless_present = "json")]
    reach: Option<String>,
    /// Như qua HTTP / The body as over HTTP, instead
    #[arg(long, value_name = "JSON|@FILE", conflicts_with = "reach")]
    json: Option<String>,
}

#[derive(Debug, ClapArgs)]
struct SightingArgs {
    #[command(flatten)]
    act: ActArgs,
    /// Nơi thấy / Place
    #[arg(long, required_unless_present_any = ["at", "json"])]
    place: Option<String>,
    /// Vĩ độ, kinh độ / Latitude,longitude
    #[arg(long, value_name = "LAT,LON")]
    at: Option<String>,
    /// Thấy lúc / When, RFC 3339
    #[arg(long, value_name = "TIME")]
    seen: Option<String>,
    /// Thấy gì / What was seen, at most 1,000 characters
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Như qua HTTP / The body as over HTTP, instead
    #[arg(
        long, value_name = "JSON|@FILE",
        conflicts_with_all = ["place", "at", "seen", "note"],
    )]
    json: Option<String>,
    /// Mã xã / Code of the commune, where the token stands for several
    #[arg(long, value_name = "CODE")]
    commune: Option<String>,
}

/// `keng alert ACTION ID`.
pub(crate) async fn alert(args: AlertArgs) -> Result<u8, Failed> {
    let nothing = || "{}".to_owned();
    let (action, act, body) = match args.action {
        Action::Show(args) => return show(&args).await,
        Action::Looks(args) => {
            return looks(&args.one.id, &args.one.server, &args.reason).await;
        }
        Action::Uncorrected(one) => return uncorrected(&one.id, &one.server).await,
        Action::Deliveries(one) => return deliveries(&one.id, &one.server).await,
        Action::Sighting(args) => return sighting(args).await,
        Action::Approve(args) => {
            ("approve", args.act, json!({ "revision": args.revision }).to_string())
        }
        Action::Attest(args) => {
            let fields = [
                ("group", Some(args.group.into())),
                ("channel", args.channel.map(Value::from)),
                ("note", Some(args.note.into())),
            ];
            ("attest", args.act, some(&fields).to_string())
        }
        Action::Review(act) => ("review", act, nothing()),
        Action::Hold(act) => ("hold", act, nothing()),
        Action::Release(act) => ("release", act, nothing()),
        Action::Update(args) => ("update", args.act, given(&args.json)?),
        Action::Correct(args) => ("correct", args.act, given(&args.json)?),
        Action::Widen(args) => ("widen", args.act, widening(args.reach, args.json)?),
        Action::Decline(args) => ("decline", args.act, noted(args.note)),
        Action::Reopen(args) => ("reopen", args.act, noted(args.note)),
        Action::Cancel(args) => ("cancel", args.act, noted(args.note)),
        Action::Resolve(args) => ("resolve", args.act, noted(args.note)),
    };
    post(&act, action, body, None).await
}

async fn show(ReadArgs { one, reason }: &ReadArgs) -> Result<u8, Failed> {
    let client = Client::of_person(&one.server)?;
    print(reason.said(client.request(Method::GET, &format!("/v1/alerts/{}", one.id)))?).await
}

async fn sighting(args: SightingArgs) -> Result<u8, Failed> {
    let body = match &args.json {
        Some(json) => given(json)?,
        None => {
            let (lat, lon) = args.at.as_deref().map(point).transpose()?.unzip();
            let fields = [
                ("at", text(&args.seen)),
                ("lat", lat.map(Value::from)),
                ("lon", lon.map(Value::from)),
                ("place", text(&args.place)),
                ("note", text(&args.note)),
            ];
            some(&fields).to_string()
        }
    };
    post(&args.act, "sighting", body, args.commune.as_deref()).await
}

/// The JSON itself, or with `@` the file that it is in. The server reads it, and says what is
/// wrong with it.
fn given(json: &str) -> Result<String, Failed> {
    let Some(file) = json.strip_prefix('@') else { return Ok(json.to_owned()) };
    fs::read_to_string(file).map_err(|why| Failed::Usage(format!("--json {file}: {why}")))
}

fn widening(asked: Option<String>, json: Option<String>) -> Result<String, Failed> {
    match (asked, json) {
        (Some(asked), _) => Ok(json!({ "reach": reach(&asked)? }).to_string()),
        (None, json) => given(&json.unwrap_or_default()),
    }
}

fn noted(note: Option<String>) -> String {
    some(&[("note", note.map(Value::from))]).to_string()
}

async fn post(
    act: &ActArgs,
    action: &str,
    body: String,
    commune: Option<&str>,
) -> Result<u8, Failed> {
    let key = act.key.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
    // If the answer is lost, the same command with this key has the effect of one.
    aside(&format!("--key {key}"));
    let path = format!("/v1/alerts/{}/{action}", act.one.id);
    let say = Say { path: &path, commune, body: &body };
    print(signing::request(&act.one.server, &act.sign, say, &key).await?).await
}

async fn print(request: RequestBuilder) -> Result<u8, Failed> {
    let alert: Value = send(request).await?.json().await.context("the answer")?;
    let mut lines = shown(&alert).into_iter();
    lines.next().iter().for_each(|first| line(first));
    life(&alert).iter().for_each(|text| line(text));
    lines.for_each(|text| line(&text));
    Ok(ExitCode::DONE)
}

/// Where it stands between its raise and its end.
fn life(alert: &Value) -> Vec<String> {
    let text = |path: &str| alert.pointer(path).and_then(Value::as_str);
    let number = |path: &str| alert.pointer(path).and_then(Value::as_u64);
    let mut lines = vec![];
    // What a held request asked for is not in the alert yet.
    lines.extend(text("/request").map(str::to_owned));
    lines.extend(text("/headline").map(|headline| format!("  {headline}")));
    let places = alert.pointer("/on_disk").and_then(Value::as_array);
    let places: Vec<&str> = places.into_iter().flatten().filter_map(Value::as_str).collect();
    if places.len() > 1 {
        let places = places.join(", ");
        lines.push(format!("  đã ghi ở hai nơi / on disk in two places: {places}"));
    }
    lines.extend(number("/revision").map(|revision| format!("  bản / revision {revision}")));
    if let Some(code) = text("/refusal/code") {
        lines.push(format!("  bị từ chối / refused: {code}"));
    }
    if let (Some(revision), Some(change)) = (number("/pending/revision"), text("/pending/change")) {
        let by = text("/pending/asked_by").unwrap_or_default();
        lines.push(format!(
            "  chờ người thứ hai duyệt bản {revision} ({change}, {by}) / \
             revision {revision} waits for a second person",
        ));
    }
    let due = text("/review/due").unwrap_or_default();
    match text("/review/state") {
        Some("owed") => {
            lines.push(format!("  cần người thứ hai xem lại trước / a review is owed until {due}"));
        }
        Some("missed") => {
            lines.push(format!("  quá hạn xem lại / the review was missed, due {due}"));
        }
        Some(_) => lines.push("  đã xem lại / reviewed".to_owned()),
        None => {}
    }
    if alert.get("on_hold").is_some_and(|held| held == true) {
        lines.push("  đang tạm giữ / on hold".to_owned());
    }
    if alert.get("expiry_near").is_some_and(|near| near == true) {
        let expires = text("/expires").unwrap_or_default();
        lines.push(format!("  sắp hết hạn, có kéo dài không? / expires soon, prolong? {expires}"));
    }
    if let Some(at) = text("/next_widening/at") {
        let communes = alert.pointer("/next_widening/communes").and_then(Value::as_array);
        let codes = communes.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
        lines.push(format!("  sẽ lan thêm lúc / grows at {at}: {}", codes.join(" ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        alert: AlertArgs,
    }

    #[test]
    fn each_act_takes_what_it_needs_and_nothing_else() {
        let parse = |line: &str| Line::try_parse_from(line.split(' '));
        for good in [
            "k show x",
            "k show x --reason a",
            "k looks x --reason a",
            "k uncorrected x",
            "k deliveries x",
            "k approve x --revision 2",
            "k attest x --group g --note a",
            "k attest x --group g --channel webhook-1 --note a",
            "k decline x --note a",
            "k review x --key k",
            "k update x --json {}",
            "k correct x --json @patch.json",
            "k widen x --reach rings:2",
            "k widen x --json {}",
            "k hold x",
            "k release x",
            "k reopen x",
            "k sighting x --place a --commune 25126",
            "k sighting x --at 11.5,107.4 --seen 2026-11-22T08:00:00Z --note a",
            "k sighting x --json {}",
            "k cancel x --note a",
            "k resolve x",
            "k resolve x --sign-with an.key",
            "k attest x --group g --note a --sign-with an.key",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for wrong in [
            "k approve x",
            "k approve x --revision -1",
            "k attest x --group g",
            // What is not recorded is not taken.
            "k review x --note a",
            "k hold x --note a",
            "k update x",
            "k widen x",
            "k widen x --reach auto --json {}",
            "k sighting x",
            "k sighting x --place a --json {}",
            "k acknowledge x",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_body_is_the_json_or_the_file_that_it_is_in() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("patch.json");
        fs::write(&file, r#"{"person":null}"#).unwrap();
        assert_eq!(given(&format!("@{}", file.display())).unwrap(), r#"{"person":null}"#);
        assert_eq!(given("{}").unwrap(), "{}");
        assert!(matches!(given("@/nowhere/x"), Err(Failed::Usage(_))));
        assert_eq!(noted(None), "{}");
        assert_eq!(noted(Some("Nhầm.".to_owned())), r#"{"note":"Nhầm."}"#);
        let wider = widening(Some("rings:2".to_owned()), None).unwrap();
        let wider: Value = serde_json::from_str(&wider).unwrap();
        assert_eq!(wider, json!({ "reach": { "mode": "rings", "rings": 2 } }));
    }

    #[test]
    fn what_waits_and_what_comes_is_shown() {
        let alert = json!({
            "state": "active", "revision": 2, "headline": "Tìm cháu bé",
            "pending": { "revision": 3, "change": "update", "asked_by": "an" },
            "review": { "state": "owed", "due": "2026-11-22T08:00:00.000Z" },
            "on_hold": true,
            "expiry_near": true, "expires": "2026-11-22T10:00:00.000Z",
            "next_widening": { "at": "2026-11-22T09:00:00.000Z", "communes": ["25135", "25138"] },
        });
        let lines = life(&alert);
        for (line, words) in lines.iter().zip([
            "Tìm cháu bé",
            "revision 2",
            "bản 3 (update, an)",
            "owed until 2026-11-22T08",
            "on hold",
            "prolong? 2026-11-22T10:00:00.000Z",
            "grows at 2026-11-22T09:00:00.000Z: 25135 25138",
        ]) {
            assert!(line.contains(words), "{line}");
        }
        assert_eq!(lines.len(), 7, "{lines:?}");
        assert!(life(&json!({ "state": "active" })).is_empty());
    }
}
