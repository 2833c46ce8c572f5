//! The tree over the journal: whole after each restart, made again where a file is gone, and no
//! longer signed where what was signed is no longer here.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc, time::Duration};

use event_log::{Record, memory::MemoryLog};
use merkle::{SignedCheckpoint, VerifierKey, hash::leaf, proof, verification};
use tlog::{
    Folder,
    check::{Beside, Keys, Whole, Wrong, whole},
};

use crate::stage::{Stage, append, case};

const PATIENCE: Duration = Duration::from_secs(30);

/// So many alerts from their commands to their receipts, four records each.
pub(crate) fn cases(numbers: std::ops::Range<i64>) -> Vec<Record> {
    numbers.flat_map(|n| case(&format!("alert {n}"), n * 10)).collect()
}

pub(crate) async fn signed(stage: &Stage, size: u64) -> Arc<SignedCheckpoint> {
    let mut signed = stage.audit.subscribe_signed().unwrap();
    let is_so_large = |checkpoint: &Option<Arc<SignedCheckpoint>>| {
        checkpoint.as_ref().is_some_and(|it| it.checkpoint().size() >= size)
    };
    let found = tokio::time::timeout(PATIENCE, signed.wait_for(is_so_large)).await;
    found.unwrap().unwrap().clone().unwrap()
}

pub(crate) fn folder(dir: &Path) -> Folder {
    Folder::at(&dir.join("tlog"))
}

fn key(dir: &Path) -> VerifierKey {
    let text = fs::read_to_string(dir.join("audit-signed/key")).unwrap();
    merkle::LogKey::from_secret_text(text.trim()).unwrap().verifier().clone()
}

/// Checks the log as an auditor would: narrow files of older checkpoints may stand there.
fn checked(dir: &Path, records: &[Record]) -> Result<Whole, Wrong> {
    let (folder, key) = (folder(dir), key(dir));
    let narrow = folder.files().unwrap().into_iter().filter(|path| path.contains(".p/"));
    let narrow: BTreeSet<String> = narrow.collect();
    let keys = Keys { log: &key, witnesses: &[] };
    let mut opens = records.iter().map(|record| record.open.clone());
    let beside = Beside { signatures: false, files: narrow };
    whole(&folder, keys, &beside, |_, entry| match opens.next() {
        Some(open) if open == entry.open => Ok(()),
        _ => Err("another record".to_owned()),
    })
}

#[tokio::test]
async fn every_record_is_a_leaf_in_order_and_the_log_only_grows() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    let records = cases(0..150);
    append(&*log, &records[..280]).await;
    let stage = Stage::begin(log.clone(), dir.path());
    let first = signed(&stage, 280).await;
    assert_eq!(checked(dir.path(), &records).unwrap().checkpoint, *first);
    stage.end().await;

    append(&*log, &records[280..]).await;
    let stage = Stage::begin(log.clone(), dir.path());
    let second = signed(&stage, 600).await;
    let log_now = checked(dir.path(), &records).unwrap();
    assert_eq!(log_now.signers, ["keng.example.vn"]);
    let tile = |id| folder(dir.path()).tile(id);
    let (first, second) = (first.checkpoint(), second.checkpoint());
    let grown = proof::consistency(280, 600, tile).unwrap();
    verification::verify_consistency(280, first.root(), 600, second.root(), &grown).unwrap();
    let shown = proof::inclusion(271, 600, tile).unwrap();
    verification::verify_inclusion(leaf(&records[271].open), 271, 600, &shown, second.root())
        .unwrap();
    // Narrow files that are full by now are gone.
    assert!(!dir.path().join("tlog/tile/0/001.p/24").exists());
    assert!(dir.path().join("tlog/tile/entries/001").exists());
    stage.end().await;
}

#[tokio::test]
async fn what_a_power_cut_took_from_the_tiles_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    let records = cases(0..70);
    append(&*log, &records).await;
    let stage = Stage::begin(log.clone(), dir.path());
    let before = signed(&stage, 280).await;
    stage.end().await;
    for lost in ["tile/0/001.p/24", "tile/1/000.p/1", "checkpoint"] {
        fs::remove_file(dir.path().join("tlog").join(lost)).unwrap();
        let stage = Stage::begin(log.clone(), dir.path());
        assert_eq!(signed(&stage, 280).await, before);
        stage.end().await;
        checked(dir.path(), &records).unwrap();
    }
    // A tile that was altered is not believed.
    let tile = dir.path().join("tlog/tile/0/001.p/24");
    let mut altered = fs::read(&tile).unwrap();
    altered[5] ^= 1;
    fs::write(&tile, altered).unwrap();
    let stage = Stage::begin(log.clone(), dir.path());
    assert_eq!(signed(&stage, 280).await, before);
    stage.end().await;
    checked(dir.path(), &records).unwrap();
}

#[tokio::test]
async fn where_yesterdays_copy_was_restored_nothing_more_is_signed_and_the_journal_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    let records = cases(0..3);
    append(&*log, &records).await;
    let stage = Stage::begin(log.clone(), dir.path());
    signed(&stage, 12).await;
    stage.end().await;
    let signed_before = fs::read(dir.path().join("audit-signed/checkpoint")).unwrap();

    // The journal and the tiles are put back; what was signed is not.
    fs::remove_dir_all(dir.path().join("audit")).unwrap();
    fs::remove_dir_all(dir.path().join("tlog")).unwrap();
    let restored = Arc::new(MemoryLog::new());
    append(&*restored, &records[..8]).await;
    let stage = Stage::begin(restored, dir.path());
    stage.holds(8).await;
    assert!(stage.audit.subscribe_signed().is_none());
    assert!(stage.host.health.banners().iter().any(|banner| banner.contains("no longer signed")));
    stage.end().await;
    assert_eq!(fs::read(dir.path().join("audit-signed/checkpoint")).unwrap(), signed_before);
}

#[tokio::test]
async fn a_history_that_was_changed_is_not_signed_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    append(&*log, &cases(0..3)).await;
    let stage = Stage::begin(log, dir.path());
    signed(&stage, 12).await;
    stage.end().await;
    fs::remove_dir_all(dir.path().join("audit")).unwrap();
    let other = Arc::new(MemoryLog::new());
    append(&*other, &cases(7..12)).await;
    let stage = Stage::begin(other, dir.path());
    stage.holds(20).await;
    assert!(stage.audit.subscribe_signed().is_none());
    stage.end().await;
}

#[tokio::test]
async fn what_is_published_without_having_been_signed_stops_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    append(&*log, &cases(0..3)).await;
    let stage = Stage::begin(log.clone(), dir.path());
    signed(&stage, 12).await;
    stage.end().await;
    // What was signed is yesterday's.
    let checkpoint = dir.path().join("audit-signed/checkpoint");
    let yesterday = {
        let text = fs::read_to_string(dir.path().join("audit-signed/key")).unwrap();
        let key = merkle::LogKey::from_secret_text(text.trim()).unwrap();
        let leaves = cases(0..2);
        let mut tree = merkle::Frontier::default();
        leaves.iter().for_each(|record| tree.push(leaf(&record.open)));
        SignedCheckpoint::sign(&key, tree.size(), tree.root())
    };
    fs::write(&checkpoint, yesterday.to_string()).unwrap();
    let stage = Stage::begin(log, dir.path());
    stage.caught_up().await;
    assert!(stage.audit.subscribe_signed().is_none());
    stage.end().await;
}
