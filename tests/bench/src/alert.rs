//! The alert that is raised, and the groups that are to be told.

use std::{fs, path::Path, time::Instant};

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::Client;
use uuid::Uuid;

use crate::sink::Sink;

/// Đạ Tẻh and its six neighbours: an alert raised in the first is put to all seven.
pub const COMMUNES: [&str; 7] = ["25126", "25057", "25135", "25138", "25159", "25162", "26119"];

/// No alert of the benchmarks is put to this commune.
const FAR_AWAY: &str = "15961";

/// A lost child, with all that an officer would write.
#[must_use]
pub fn lost_child() -> Value {
    let now = Timestamp::now();
    let before = |minutes| (now - SignedDuration::from_mins(minutes)).to_string();
    json!({
        "kind": "lost-child",
        "status": "actual",
        "commune": COMMUNES[0],
        "headline": "Tìm cháu bé 4 tuổi đi lạc ở thị trấn Đạ Tẻh",
        "description": "Cháu mặc áo đỏ, quần xanh, đi dép; lần cuối ra khỏi nhà theo hướng chợ. \
                        Cháu nói được tên mình và tên bố mẹ, sợ chó, thích xe máy.",
        "instruction": "Nhìn quanh vườn, ao, mương; thấy cháu thì giữ lại và gọi công an xã.",
        "reported_at": before(5),
        "last_seen": {"at": before(20), "lat": 11.5816, "lon": 107.4599, "place": "chợ Đạ Tẻh"},
        "travel": "on-foot",
        "person": {"age": 4, "sex": "male", "name": "Nguyễn Văn Bé", "clothing": "áo đỏ"},
        "expires": (now + SignedDuration::from_hours(24)).to_string(),
        "reach": {"mode": "auto"},
    })
}

/// Raises it, and says when the answer was there. Only 201 counts: accepted, and on disk.
///
/// # Errors
/// It was answered otherwise.
pub async fn raise(client: &Client) -> Result<Instant> {
    let key = Uuid::now_v7().to_string();
    let answer = client.raise(&lost_child(), &key).await.context("raising")?;
    let accepted = Instant::now();
    ensure!(answer.status == 201, "not accepted: {} {}", answer.status, answer.text);
    Ok(accepted)
}

/// Writes so many groups, spread over the seven communes, each with a webhook at the sink.
///
/// # Errors
/// The file cannot be written.
pub fn write_groups(count: usize, sink: &Sink, file: &Path) -> Result<()> {
    let secret = format!("whsec_{}", BASE64_STANDARD.encode([0x6b; 32]));
    let mut text = String::new();
    // An empty file would be refused; what is told to nobody needs a group far away.
    let far_away = (count == 0).then_some((0, &FAR_AWAY));
    for (group, commune) in (0..count).zip(COMMUNES.iter().cycle()).chain(far_away) {
        let channel = json!({"type": "webhook", "url": sink.url(group), "secret": secret});
        let line = json!({
            "id": format!("g-{group}"), "commune": commune, "kind": "hamlet", "members": 120,
            "name": format!("Tổ dân phố {group}"), "channels": [channel],
        });
        text.push_str(&line.to_string());
        text.push('\n');
    }
    fs::write(file, text).context("the groups")
}
