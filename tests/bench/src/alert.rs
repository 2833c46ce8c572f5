//! The alerts that are raised, and the groups that are to be told.

use std::{fs, ops::Range, path::Path, time::Instant};

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::Client;
use uuid::Uuid;

use crate::sink::Sink;

/// Đạ Tẻh and its six neighbours: an alert raised in the first is put to all seven.
pub const COMMUNES: [&str; 7] = ["25126", "25057", "25135", "25138", "25159", "25162", "26119"];

/// No alert that is raised in the communes above is put to this one.
pub const FAR_AWAY: &str = "15961";

/// A group, and where it is called.
pub struct Called {
    /// Its number, which makes its id.
    pub group: usize,
    /// Its commune.
    pub commune: &'static str,
    /// Its webhook.
    pub url: String,
}

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

/// What nobody misses for an hour, told in the far commune alone.
#[must_use]
pub fn notice() -> Value {
    let expires = Timestamp::now() + SignedDuration::from_hours(24);
    json!({
        "kind": "notice",
        "status": "actual",
        "commune": FAR_AWAY,
        "headline": "Lịch cắt điện tuần này",
        "description": "Điện lực cắt điện để sửa đường dây từ 8 giờ đến 11 giờ sáng thứ Năm, \
                        ở các thôn ven đường liên xã.",
        "instruction": "Bà con chủ động bơm nước và sạc đèn từ tối hôm trước.",
        "expires": expires.to_string(),
        "reach": {"mode": "rings", "rings": 0},
    })
}

/// Raises a lost child, and says when the answer was there.
///
/// # Errors
/// See [`put`].
pub async fn raise(client: &Client) -> Result<Instant> {
    put(client, &lost_child()).await
}

/// Raises an alert, and says when the answer was there. Only 201 counts: accepted, and on disk.
///
/// # Errors
/// It was answered otherwise.
pub async fn put(client: &Client, alert: &Value) -> Result<Instant> {
    let key = Uuid::now_v7().to_string();
    let answer = client.raise(alert, &key).await.context("raising")?;
    let accepted = Instant::now();
    ensure!(answer.status == 201, "not accepted: {} {}", answer.status, answer.text);
    Ok(accepted)
}

/// Writes so many groups, spread over the seven communes, each with a webhook at the sink.
///
/// # Errors
/// The file cannot be written.
pub fn write_groups(count: usize, sink: &Sink, file: &Path) -> Result<()> {
    // An empty file would be refused; what is told to nobody needs a group far away.
    let far_away = (count == 0).then_some((0, FAR_AWAY));
    let called = near(0..count).chain(far_away);
    write(called.map(|(group, commune)| Called { group, commune, url: sink.url(group) }), file)
}

/// So many numbers, spread over the seven communes.
pub fn near(groups: Range<usize>) -> impl Iterator<Item = (usize, &'static str)> {
    groups.zip(COMMUNES.into_iter().cycle())
}

/// Writes these groups, each with its webhook.
///
/// # Errors
/// The file cannot be written.
pub fn write(groups: impl Iterator<Item = Called>, file: &Path) -> Result<()> {
    let secret = format!("whsec_{}", BASE64_STANDARD.encode([0x6b; 32]));
    let mut text = String::new();
    for Called { group, commune, url } in groups {
        let channel = json!({"type": "webhook", "url": url, "secret": secret});
        let line = json!({
            "id": format!("g-{group}"), "commune": commune, "kind": "hamlet", "members": 120,
            "name": format!("Tổ dân phố {group}"), "channels": [channel],
        });
        text.push_str(&line.to_string());
        text.push('\n');
    }
    fs::write(file, text).context("the groups")
}
