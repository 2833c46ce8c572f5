//! The words of an alert, beside its records: salt and content of each sealed part, by which
//! anybody computes what stands in the record, or the order by which it was erased.
//!
//! A commitment is SHA-256("keng.v1.sealed" NUL salt content); a file here is salt and content.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use domain::{
    hex::hex,
    ids::{AlertId, EntityName, RecordId},
};
use event_log::erasing::alerts_of;
use history::{Leaf, json};
use reqwest::Method;
use wire::{
    commit::events_of,
    seal::{SALT_BYTES, commit},
    v1::event::Event,
};

use super::{
    ERASED, WORDS,
    court::Case,
    court_check::{read, wrong},
    export::put,
};
use crate::{Failed, client::send_unless_gone};

/// How the page computes the commitments itself.
const TEXT: &str = include_str!("words.html");

/// How many sealed parts are there.
pub(super) struct Words {
    /// Which are what was committed to.
    pub(super) matching: u64,
    /// Which were erased by an order that is there too.
    pub(super) erased: u64,
    /// What the page says of them.
    pub(super) page: String,
}

/// Whose words a record keeps beside the log; nobody's where it keeps none.
fn alerts_with_words(leaf: &Leaf) -> Vec<AlertId> {
    let entity: Result<EntityName, _> = leaf.entity().parse();
    match entity {
        Ok(entity) if !leaf.commitment().is_empty() => alerts_of(&entity),
        _ => Vec::new(),
    }
}

/// Whether this orders the erasure of one of these alerts.
fn orders(leaf: &Leaf, alerts: &[AlertId]) -> bool {
    let Leaf::Commit(commit) = leaf else { return false };
    let entity: Result<EntityName, _> = leaf.entity().parse();
    let is_of = entity.ok().and_then(|entity| entity.erasure_of());
    is_of.is_some_and(|alert| alerts.contains(&alert))
        && events_of((**commit).clone())
            .is_ok_and(|events| events.iter().any(|event| matches!(event, Event::EraseOrdered(_))))
}

/// Writes the words of what was taken; answers with them for the page.
pub(super) async fn export(case: &mut Case<'_>, reason: &str) -> Result<String, Failed> {
    let mut said: BTreeMap<u64, String> = BTreeMap::new();
    // An order of erasure may have to be taken besides, of the other alert of a match.
    while let Some((index, leaf)) = case
        .records
        .iter()
        .find(|(index, leaf)| !said.contains_key(*index) && !alerts_with_words(leaf).is_empty())
    {
        let (index, leaf) = (*index, leaf.clone());
        match fetched(case, &leaf, reason).await? {
            Some(part) => {
                put(case.out, &format!("{WORDS}/{index}"), &part)?;
                said.insert(index, shown(index, &leaf, &part)?);
            }
            None => {
                let order = order_of(case, &alerts_with_words(&leaf)).await?;
                put(case.out, &format!("{WORDS}/{index}{ERASED}"), format!("{order}\n"))?;
                said.insert(index, erased(index, order));
            }
        }
    }
    Ok(page(&said))
}

/// What the page says of all of them, in the order of the log.
fn page(said: &BTreeMap<u64, String>) -> String {
    TEXT.replace("{parts}", &said.values().map(String::as_str).collect::<String>())
}

/// Salt and content; `None` where they were erased.
async fn fetched(case: &Case<'_>, leaf: &Leaf, reason: &str) -> Result<Option<Bytes>, Failed> {
    let id = RecordId::from_slice(leaf.id()).context("a record's id")?;
    let path = format!("/v1/audit/words/{id}");
    let request = case.client.request(Method::GET, &path).query(&[("reason", reason)]);
    match send_unless_gone(request).await? {
        None => Ok(None),
        Some(answer) => Ok(Some(answer.bytes().await.context("the answer was cut")?)),
    }
}

/// The record that orders the erasure of one of these alerts.
async fn order_of(case: &mut Case<'_>, alerts: &[AlertId]) -> Result<u64, Failed> {
    for alert in alerts {
        case.take(("alert", &alert.to_string())).await?;
    }
    let order = case.records.iter().find(|(_, leaf)| orders(leaf, alerts));
    let why = "lệnh xóa chưa được ký vào nhật ký: hãy thử lại khi máy chủ chạy / \
               the order of erasure is not signed for yet: try again while the server runs";
    order.map(|(index, _)| *index).ok_or_else(|| Failed::Trouble(anyhow!(why)))
}

fn erased(index: u64, order: u64) -> String {
    format!(
        "<h3>Bản ghi {index}</h3>\n<p><strong>Đã xóa theo lệnh</strong> ở bản ghi {order} / erased \
         by order.</p>\n"
    )
}

fn shown(index: u64, leaf: &Leaf, part: &Bytes) -> anyhow::Result<String> {
    let content = part.slice(SALT_BYTES.min(part.len())..);
    let content = json::decode("SealedContent", &content).context("a sealed part")?;
    let text = serde_json::to_string_pretty(&json::json(&content)).context("a sealed part")?;
    let (part, commitment) = (hex(part), hex(leaf.commitment()));
    Ok(format!(
        "<h3>Bản ghi {index}</h3>\n<pre>{}</pre>\n\
         <p data-part=\"{part}\" data-commitment=\"{commitment}\">Muối / salt \
         <code>{}</code><br>Cam kết / commitment <code>{commitment}</code>: <output></output></p>\n",
        escaped(&text),
        part.get(..2 * SALT_BYTES).unwrap_or_default(),
    ))
}

/// What somebody wrote is shown, and does nothing.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Checks that every sealed part of these records is there, or was erased by an order among them.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn check(
    folder: &Path,
    records: &BTreeMap<u64, Bytes>,
    others: &mut BTreeSet<String>,
) -> Result<Words, String> {
    let (mut matching, mut gone, mut said) = (0, 0, BTreeMap::new());
    let leaves: BTreeMap<u64, Leaf> = records
        .iter()
        .filter_map(|(index, record)| Some((*index, Leaf::read(record).ok()?)))
        .collect();
    for (index, leaf) in &leaves {
        let alerts = alerts_with_words(leaf);
        if alerts.is_empty() {
            continue;
        }
        let path = format!("{WORDS}/{index}");
        let no_more = format!("{path}{ERASED}");
        if others.remove(&path) {
            let part = Bytes::from(read(folder, &path)?);
            let is_so = part
                .split_at_checked(SALT_BYTES)
                .is_some_and(|(salt, content)| commit(salt, content) == leaf.commitment());
            if !is_so {
                return Err(wrong(&path, &"không khớp cam kết / not what was committed to"));
            }
            said.insert(*index, shown(*index, leaf, &part).map_err(|why| wrong(&path, &why))?);
            matching += 1;
        } else if others.remove(&no_more) {
            let text = String::from_utf8(read(folder, &no_more)?).unwrap_or_default();
            let order = leaves.iter().find(|(index, _)| text == format!("{index}\n"));
            let Some((order, _)) = order.filter(|(_, leaf)| orders(leaf, &alerts)) else {
                let why = "không có lệnh xóa ở đó / there is no order of erasure there";
                return Err(wrong(&no_more, &why));
            };
            said.insert(*index, erased(*index, *order));
            gone += 1;
        } else {
            return Err(wrong(&path, &"thiếu / it is missing"));
        }
    }
    Ok(Words { matching, erased: gone, page: page(&said) })
}
