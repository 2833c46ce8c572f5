//! What is looked at before anybody is told: `keng preflight`, `keng raise --dry-run`; and the
//! staff that answers: `keng officers import`.

use std::path::PathBuf;

use anyhow::Context;
use chassis::ExitCode;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Failed,
    args::ServerArgs,
    broker::{BrokerArgs, unfit},
    client::{Client, send},
    drill_lines,
    feeds::line,
    local_time::zoned,
    write::{json_of, let_go},
};

/// Findings that a terminal shows; the answer has more.
const FINDINGS_SHOWN_MAX: usize = 200;
/// Communes whose last drill a terminal shows; the answer has all.
const DRILLS_SHOWN_MAX: usize = 50;

/// No port of a broker tells (2.15.1: neither `/varz`, nor `/jsz`, nor the info of a stream).
const BROKER_AT_REST: &str = " ! không rõ máy chủ NATS có mã hóa trên đĩa không, nhật ký của nó \
                              có dòng Encryption / whether the broker encrypts at rest is not \
                              known: look for Encryption in its log";

#[derive(Debug, Args)]
pub(crate) struct PreflightArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    broker: BrokerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OfficersArgs {
    #[command(subcommand)]
    command: OfficersCommand,
}

#[derive(Debug, Subcommand)]
enum OfficersCommand {
    /// Nạp cán bộ, đầu mối, lịch trực / Import officers, contacts and duty rosters
    Import {
        #[command(flatten)]
        server: ServerArgs,
        /// Tệp JSON Lines / The file
        file: PathBuf,
    },
}

/// `keng officers import FILE`.
pub(crate) async fn officers(args: OfficersArgs) -> Result<u8, Failed> {
    let OfficersCommand::Import { server, file } = args.command;
    let unreadable = |why| Failed::Usage(format!("{}: {why}", file.display()));
    let bytes = std::fs::read(&file).map_err(unreadable)?;
    let key = Uuid::now_v7().to_string();
    let (client, direct) = Client::new(&server).await?;
    let path = chassis::officers::OFFICERS_PATH;
    let answer = json_of(client.post(path, &key).body(bytes)).await;
    let_go(direct).await;
    let recorded = answer?.get("recorded").and_then(Value::as_u64).unwrap_or_default();
    line(&format!("đã ghi / recorded {recorded}"));
    Ok(ExitCode::DONE)
}

/// `keng preflight`: 0 where the installation is fit for a real alert, otherwise 1.
pub(crate) async fn installation(args: PreflightArgs) -> Result<u8, Failed> {
    let unfit = unfit(&args.broker).await?;
    if let Some(why) = &unfit {
        line(&format!("KHÔNG SẴN SÀNG / NOT FIT: {why}"));
    }
    if args.broker.is_named() {
        line(BROKER_AT_REST);
    }
    let (client, direct) = Client::new(&args.server).await?;
    if direct.is_some() {
        let_go(direct).await;
        line("KHÔNG SẴN SÀNG: không có máy chủ nào đang chạy / NOT FIT: no server is running");
        return Ok(ExitCode::FAILED);
    }
    let sent = send(client.request(Method::GET, "/v1/preflight")).await?;
    let seen: Value = sent.json().await.context("the answer")?;
    let is_fit = seen.get("fit").and_then(Value::as_bool).unwrap_or_default() && unfit.is_none();
    installation_lines(&seen, is_fit).iter().for_each(|text| line(text));
    Ok(if is_fit { ExitCode::DONE } else { ExitCode::FAILED })
}

/// `keng raise … --dry-run`.
pub(crate) async fn of_raise(client: &Client, body: &Value) -> Result<u8, Failed> {
    let seen = json_of(client.request(Method::POST, "/v1/preflight").json(body)).await?;
    raise_lines(&seen).iter().for_each(|text| line(text));
    line("XEM TRƯỚC: chưa gửi gì / DRY RUN: nothing was sent");
    Ok(ExitCode::DONE)
}

fn text<'a>(of: &'a Value, pointer: &str) -> &'a str {
    of.pointer(pointer).and_then(Value::as_str).unwrap_or("-")
}

fn number(of: &Value, pointer: &str) -> u64 {
    of.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

fn list<'a>(of: &'a Value, pointer: &str) -> &'a [Value] {
    of.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Việt Nam's time; what is no time stays as it is.
pub(crate) fn at(of: &Value, pointer: &str) -> String {
    let text = text(of, pointer);
    text.parse::<Timestamp>().map_or_else(|_| text.to_owned(), zoned)
}

fn findings(seen: &Value, all: usize) -> Vec<String> {
    let found = list(seen, "/findings");
    let shown = found.iter().take(FINDINGS_SHOWN_MAX);
    let mut lines: Vec<String> = shown
        .map(|found| {
            let mark = match text(found, "/severity") {
                "alarm" => "!!",
                "warning" => " !",
                _ => "  ",
            };
            format!("{mark} {}", text(found, "/detail"))
        })
        .collect();
    if all > lines.len() {
        lines.push(format!("   … {} nữa / more", all - lines.len()));
    }
    lines
}

fn installation_lines(seen: &Value, is_fit: bool) -> Vec<String> {
    let mut lines = vec![match is_fit {
        true => "SẴN SÀNG cho tin thật / FIT for a real alert".to_owned(),
        false => "KHÔNG SẴN SÀNG cho tin thật / NOT FIT for a real alert".to_owned(),
    }];
    lines.push(format!(
        "   {} xã có nhóm, {} xã có người trực, {} nhóm, khoảng {} người / communes with groups, \
         with somebody on duty, groups, people",
        number(seen, "/counts/communes"),
        number(seen, "/counts/communes_on_duty"),
        number(seen, "/counts/groups"),
        number(seen, "/counts/people"),
    ));
    let sha256: String = text(seen, "/map/sha256").chars().take(12).collect();
    let until = match seen.pointer("/map/valid_to").is_some_and(Value::is_string) {
        true => format!(", đến / until {}", at(seen, "/map/valid_to")),
        false => String::new(),
    };
    lines.push(format!(
        "   bản đồ / map {} ({} xã / communes, từ / from {}{until}, sha256 {sha256}…), danh bạ / \
         directory v{}",
        text(seen, "/map/version"),
        number(seen, "/map/communes"),
        at(seen, "/map/valid_from"),
        number(seen, "/directory/version"),
    ));
    lines.extend(list(seen, "/against").iter().map(|it| format!("!! {}", text(it, "/detail"))));
    lines.extend(
        list(seen, "/banners")
            .iter()
            .filter_map(Value::as_str)
            .map(|banner| format!(" ! {banner}")),
    );
    lines.extend(list(seen, "/tokens_ending").iter().map(|token| {
        format!(
            " ! mã truy cập {} của {} hết hạn {} / token ends",
            text(token, "/id"),
            text(token, "/officer"),
            at(token, "/expires")
        )
    }));
    let drills = list(seen, "/drills");
    lines.extend(drills.iter().take(DRILLS_SHOWN_MAX).map(drill_lines::last));
    if drills.len() > DRILLS_SHOWN_MAX {
        let more = drills.len() - DRILLS_SHOWN_MAX;
        lines.push(format!("   … {more} xã nữa / more communes: GET /v1/drills"));
    }
    let all = usize::try_from(number(seen, "/findings_count")).unwrap_or(usize::MAX);
    lines.extend(findings(seen, all));
    lines
}

fn raise_lines(seen: &Value) -> Vec<String> {
    let mut lines = vec![text(seen, "/summary").to_owned()];
    let commune = |commune: &Value| {
        let duty = match commune.get("on_duty").and_then(Value::as_bool) {
            Some(true) => ", có trực / on duty",
            _ => "",
        };
        format!(
            "  → {} {} ({}): {} nhóm / groups, {} người / people{duty}",
            text(commune, "/code"),
            text(commune, "/name"),
            text(commune, "/reason"),
            number(commune, "/groups"),
            number(commune, "/people"),
        )
    };
    lines.extend(list(seen, "/communes").iter().map(commune));
    if seen.get("next").is_some_and(Value::is_object) {
        let names: Vec<&str> =
            list(seen, "/next/communes").iter().map(|it| text(it, "/name")).collect();
        lines.push(format!(
            "mở rộng tiếp lúc / widens next at {}: {}",
            at(seen, "/next/at"),
            names.join(", ")
        ));
    }
    let second = match text(seen, "/second_person") {
        "approves" => "người thứ hai phải duyệt trước / a second person must approve first",
        "reviews" => {
            "gửi ngay; người thứ hai phải xem lại trong 15 phút / \
             sent at once; a second person must review within 15 minutes"
        }
        _ => "không cần người thứ hai / no second person is needed",
    };
    lines.push(second.to_owned());
    let missing: Vec<&str> =
        list(seen, "/checklist/missing").iter().filter_map(Value::as_str).collect();
    let percent = number(seen, "/checklist/completeness_percent");
    let missing = match missing.is_empty() {
        true => String::new(),
        false => format!("; còn thiếu / missing: {}", missing.join(", ")),
    };
    lines.push(format!("đầy đủ / complete {percent} %{missing}"));
    lines.push(text(seen, "/fatigue/detail").to_owned());
    if seen.get("quiet_until").is_some_and(Value::is_string) {
        let until = at(seen, "/quiet_until");
        lines.push(format!("giờ yên tĩnh, chờ đến / quiet hours, waits until {until}"));
    }
    lines.extend(findings(seen, list(seen, "/findings").len()));
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_officer_reads_before_sending() {
        let seen = json!({
            "summary": "Sẽ báo 1 xã / 1 commune",
            "communes": [{"code": "25126", "name": "Đạ Tẻh", "reason": "own", "groups": 2,
                          "people": 240, "on_duty": true}],
            "next": {"at": "2026-01-01T12:00:00Z", "communes": [{"name": "Đạ Huoai"}]},
            "second_person": "reviews",
            "checklist": {"completeness_percent": 40, "missing": ["seen-when"]},
            "fatigue": {"detail": "2 nhóm / 2 groups"},
            "quiet_until": null,
            "findings": [{"severity": "alarm", "detail": "không có người trực / nobody"}],
        });
        let lines = raise_lines(&seen);
        for wanted in [
            "  → 25126 Đạ Tẻh (own): 2 nhóm / groups, 240 người / people, có trực / on duty",
            "mở rộng tiếp lúc / widens next at 2026-01-01 19:00: Đạ Huoai",
            "đầy đủ / complete 40 %; còn thiếu / missing: seen-when",
            "!! không có người trực / nobody",
        ] {
            assert!(lines.iter().any(|line| line == wanted), "{wanted}: {lines:#?}");
        }
    }

    #[test]
    fn the_map_has_its_version_and_dates() {
        let mut seen = json!({
            "map": {"sha256": "91cbf88f293eb7ed", "communes": 3321, "version": "2025-07-01",
                    "valid_from": "2025-06-30T17:00:00Z", "valid_to": null},
            "directory": {"version": 2},
        });
        let line = |seen: &Value| installation_lines(seen, true)[2].clone();
        assert_eq!(
            line(&seen),
            "   bản đồ / map 2025-07-01 (3321 xã / communes, từ / from 2025-07-01 00:00, sha256 \
             91cbf88f293e…), danh bạ / directory v2"
        );
        seen["map"]["valid_to"] = json!("2026-12-31T17:00:00Z");
        assert!(line(&seen).contains("00:00, đến / until 2027-01-01 00:00, sha256"));
    }

    #[test]
    fn the_last_drill_of_each_commune_has_a_line() {
        let drill = json!({
            "commune": "25126", "raised_at": "2026-11-22T01:00:00Z", "groups": 4, "reached": 3,
            "channels": [{"type": "webhook", "groups": 4, "not_reached": 1}],
        });
        let seen = json!({ "drills": vec![drill; 60] });
        let lines = installation_lines(&seen, true);
        let shown = lines.iter().filter(|line| line.contains("3/4 nhóm / groups; webhook 3/4"));
        assert_eq!(shown.count(), DRILLS_SHOWN_MAX);
        assert_eq!(
            lines.last().map(String::as_str),
            Some("   … 10 xã nữa / more communes: GET /v1/drills")
        );
    }

    #[test]
    fn findings_beyond_what_is_shown_are_counted() {
        let found = json!({"severity": "note", "detail": "x"});
        let seen = json!({ "findings": vec![found; 250], "findings_count": 300 });
        let lines = installation_lines(&seen, false);
        assert!(lines.first().is_some_and(|line| line.starts_with("KHÔNG SẴN SÀNG")));
        assert_eq!(lines.last().map(String::as_str), Some("   … 100 nữa / more"));
    }
}
