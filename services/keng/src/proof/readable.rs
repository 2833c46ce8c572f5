//! What people read of an alert's export, `lines.jsonl` and the page: both are made again from the
//! records and the keys, and no byte may differ. Another version of Kẻng may word them otherwise.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use anyhow::Context;
use bytes::Bytes;
use domain::ids::{AlertId, EntityName, RecordId};
use event_log::{Class, Key, Kind, Recorded, Seal};
use history::{Leaf, beside, lines_of};

use super::{
    KEYS, LINES, PAGE,
    court::page,
    court_check::{read, wrong},
};

const OTHER: &str = "không khớp với bản ghi, hay do phiên bản khác viết / not what the records \
                     say, or another version wrote it";

/// What stands in the files that people read.
#[derive(Debug, Default)]
pub(super) struct Readable {
    lines: Vec<u8>,
    /// Of these the page may be.
    alerts: BTreeSet<AlertId>,
    /// What the page says of sealed parts.
    words: String,
}

impl Readable {
    /// Makes it from the records; with what lies beside each, nothing where nobody signed.
    ///
    /// # Errors
    /// The first record that cannot be shown, and why.
    pub(super) fn of(
        records: &BTreeMap<u64, (Bytes, Vec<u8>)>,
        words: &str,
    ) -> Result<Self, (u64, anyhow::Error)> {
        let mut readable = Self { words: words.to_owned(), ..Self::default() };
        for (index, (record, signature)) in records {
            let recorded = recorded(*index, record, signature).map_err(|why| (*index, why))?;
            readable.alerts.extend(recorded.key.entity.alert_id());
            for line in lines_of(recorded.position, &recorded) {
                let line = serde_json::to_vec(&line).map_err(|why| (*index, why.into()))?;
                readable.lines.extend([&line[..], b"\n"].concat());
            }
        }
        Ok(readable)
    }

    /// The files are these to the byte.
    ///
    /// # Errors
    /// The first that is not.
    pub(super) fn check(&self, folder: &Path) -> Result<(), String> {
        let there = read(folder, LINES)?;
        if there != self.lines {
            let pairs = there.split(is_end).zip(self.lines.split(is_end));
            let same = pairs.take_while(|(there, made)| there == made).count();
            return Err(wrong(LINES, &format!("dòng / line {}: {OTHER}", same + 1)));
        }
        let (there, keys) = (read(folder, PAGE)?, read(folder, KEYS)?);
        let keys = String::from_utf8_lossy(&keys);
        let of = |alert: &AlertId| page(&alert.to_string(), &keys, &self.words);
        match self.alerts.iter().any(|alert| of(alert).as_bytes() == there) {
            true => Ok(()),
            false => Err(wrong(PAGE, &OTHER)),
        }
    }
}

fn is_end(byte: &u8) -> bool {
    *byte == b'\n'
}

/// A record as a server shows it. Of its class and its sealed part no line says anything.
fn recorded(index: u64, record: &Bytes, signature: &[u8]) -> anyhow::Result<Recorded> {
    let leaf = Leaf::read(record)?;
    // What is no signature is said where signatures are checked.
    let signature = beside::recalled(signature).ok().flatten();
    let (entity, class, kind) = match &leaf {
        Leaf::Command(command) => (&command.entity, Class::Command, Kind::Command),
        Leaf::Commit(commit) => {
            (&commit.entity, Class::Alert, Kind::Commit { version: commit.version })
        }
    };
    let entity = entity.as_ref().context("an entity")?;
    let home = wire::spoken::home_recalled(&entity.province, &entity.commune)?;
    let entity: EntityName = entity.name.parse().context("an entity's name")?;
    Ok(Recorded {
        position: index + 1,
        id: RecordId::from_slice(leaf.id()).context("a record's id")?,
        key: Key { class, home, entity },
        kind,
        open: record.clone(),
        seal: Seal::None,
        signature: signature.map(|(_, signature)| Arc::new(signature)),
    })
}
