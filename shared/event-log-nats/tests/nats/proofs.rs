//! What a process said is kept until the audit's tree covers it, and a proof that does not come
//! finds out what no number of the broker's shows.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use event_log::{
    log::EventLog,
    record::{Class, Record},
};
use event_log_nats::{NatsLog, NatsOptions, Proofs, testing::NatsServer};
use merkle::{Frontier, Hash, LogKey, SignedCheckpoint, TileId, hash::leaf};
use tempfile::TempDir;

use crate::world::{
    all, assert_is, away, command, commit, commit_by, history, insist, options, soon, store,
    verified,
};

/// An audit's tree, as it is shown.
#[derive(Clone)]
struct Audit {
    key: LogKey,
    leaves: Arc<Mutex<Vec<Hash>>>,
}

impl Audit {
    fn new(seed: u8) -> Self {
        let key = LogKey::from_seed("keng.example/audit", &[seed; 32]).expect("a key");
        Self { key, leaves: Arc::default() }
    }

    fn takes(&self, records: &[Record]) {
        self.leaves.lock().unwrap().extend(records.iter().map(|record| leaf(&record.open)));
    }

    fn show(&self, what: &str) -> Option<Bytes> {
        let leaves = self.leaves.lock().unwrap();
        let shown = match what {
            "key" => self.key.verifier().to_string().into_bytes(),
            "checkpoint" => {
                let mut tree = Frontier::default();
                leaves.iter().for_each(|leaf| tree.push(*leaf));
                let signed = SignedCheckpoint::sign(&self.key, tree.size(), tree.root());
                signed.to_string().into_bytes()
            }
            tile => {
                let tile: TileId = tile.parse().ok()?;
                let from = tile.index() as usize * 256;
                let of_tile = leaves.get(from..from + usize::from(tile.width()))?;
                of_tile.iter().flat_map(|leaf| *leaf.as_bytes()).collect()
            }
        };
        Some(shown.into())
    }

    /// Shows it over a log of its own, as the audit's process does.
    async fn on(&self, server: &NatsServer) -> (Arc<NatsLog>, TempDir) {
        let data = tempfile::tempdir().expect("a directory");
        let log = NatsLog::open(options(server, &data)).await.expect("opens");
        verified(&log).await;
        let audit = self.clone();
        log.show_tree(self.key.verifier().clone(), Arc::new(move |what| audit.show(what)));
        (log, data)
    }
}

fn proving(server: &NatsServer, data: &TempDir) -> NatsOptions {
    let mut options = options(server, data);
    options.prove_every = Duration::from_millis(50);
    options.proof_patience = Duration::from_millis(400);
    options
}

async fn open(server: &NatsServer, data: &TempDir) -> Arc<NatsLog> {
    let log = NatsLog::open(proving(server, data)).await.expect("opens");
    verified(&log).await;
    log
}

async fn proofs(log: &NatsLog, expected: impl Fn(&Proofs) -> bool) -> Proofs {
    let mut proofs = log.proofs();
    soon(proofs.wait_for(|now| expected(now))).await.expect("is open").clone()
}

async fn unproven(log: &NatsLog, count: u64) {
    soon(async {
        while log.unproven() != count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn without_words(record: Record) -> Record {
    Record { sealed: None, ..record }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_is_owed_until_the_tree_has_it_also_after_a_restart() {
    let server = NatsServer::start().await.expect("a server");
    let (audit, data) = (Audit::new(1), tempfile::tempdir().expect("a directory"));
    let (shown, _shown) = audit.on(&server).await;
    let said = [commit("alert-a", 1), commit("alert-a", 2), command("a"), command("b")];
    let log = open(&server, &data).await;
    for record in said.clone() {
        store(&log, record).await;
    }
    assert_eq!(log.unproven(), 4);
    // Others said something, too.
    audit.takes(&vec![command("of others"); 700]);
    audit.takes(&[said[2].clone(), said[0].clone()]);
    unproven(&log, 2).await;
    log.close().await;

    let log = open(&server, &data).await;
    assert_eq!(log.unproven(), 2, "what was proven is known");
    audit.takes(&[said[1].clone(), said[3].clone()]);
    unproven(&log, 0).await;
    proofs(&log, |now| *now == Proofs::Current).await;
    log.close().await;
    shown.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_proofs_says_so_and_goes_on() {
    let server = NatsServer::start().await.expect("a server");
    let (audit, data) = (Audit::new(1), tempfile::tempdir().expect("a directory"));
    let log = open(&server, &data).await;
    store(&log, commit("alert-a", 1)).await;
    assert_eq!(proofs(&log, |now| *now != Proofs::Unknown).await, Proofs::Silent(1));

    let (shown, _shown) = audit.on(&server).await;
    audit.takes(&[command("of others")]);
    assert_eq!(proofs(&log, |now| !matches!(now, Proofs::Silent(_))).await, Proofs::Late(1));
    store(&log, commit("alert-a", 2)).await;
    audit.takes(&[commit("alert-a", 1), commit("alert-a", 2)]);
    proofs(&log, |now| *now == Proofs::Current).await;
    assert_eq!(history(&log, "alert-a").await.len(), 2, "nothing was sent again");
    log.close().await;
    shown.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_that_is_not_the_one_that_was_read_proves_nothing() {
    let server = NatsServer::start().await.expect("a server");
    let (audit, data) = (Audit::new(1), tempfile::tempdir().expect("a directory"));
    let (shown, _shown) = audit.on(&server).await;
    let log = open(&server, &data).await;
    store(&log, commit("alert-a", 1)).await;
    audit.takes(&[commit("alert-a", 1), command("of others")]);
    unproven(&log, 0).await;

    // Another history under the same key.
    store(&log, commit("alert-a", 2)).await;
    let honest = audit.leaves.lock().unwrap().clone();
    audit.leaves.lock().unwrap().clear();
    audit.takes(&[command("never said"), command("of others"), commit("alert-a", 2)]);
    let wrong = proofs(&log, |now| matches!(now, Proofs::Wrong(_))).await;
    let Proofs::Wrong(why) = wrong else { panic!("{wrong:?}") };
    assert!(why.contains("do not come to the signed root"), "{why}");
    assert_eq!(log.unproven(), 1);

    // One that was rolled back.
    audit.leaves.lock().unwrap().truncate(1);
    let shorter = |now: &Proofs| matches!(now, Proofs::Wrong(why) if why.contains("of 1 leaves"));
    proofs(&log, shorter).await;
    log.close().await;

    // And one under another key, whom nobody had believed before.
    *audit.leaves.lock().unwrap() = honest;
    shown.close().await;
    let other = Audit::new(2);
    other.takes(&[command("of others")]);
    let (shown, _shown) = other.on(&server).await;
    let log = open(&server, &data).await;
    assert_eq!(proofs(&log, |now| *now != Proofs::Unknown).await, Proofs::Silent(1));
    log.close().await;
    // Whoever means it names the key, and that log is read from its start.
    let log = open_named(&server, &data, &other).await;
    proofs(&log, |now| *now == Proofs::Late(1)).await;
    log.close().await;
    shown.close().await;

    let log = open_named(&server, &data, &audit).await;
    let (shown, _shown) = audit.on(&server).await;
    audit.takes(&[commit("alert-a", 2)]);
    proofs(&log, |now| *now == Proofs::Current).await;
    log.close().await;
    shown.close().await;
}

async fn open_named(server: &NatsServer, data: &TempDir, audit: &Audit) -> Arc<NatsLog> {
    let mut named = proving(server, data);
    named.audit_key = Some(audit.key.verifier().clone());
    NatsLog::open(named).await.expect("opens")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_repeated_is_proven_by_the_leaf_that_was_read_before() {
    let server = NatsServer::start().await.expect("a server");
    let (audit, data) = (Audit::new(1), tempfile::tempdir().expect("a directory"));
    let (shown, _shown) = audit.on(&server).await;
    let log = open(&server, &data).await;
    store(&log, command("a")).await;
    audit.takes(&[command("a")]);
    unproven(&log, 0).await;
    // An officer's phone did not hear the answer, and says it again, to this intake or another.
    let repeated = soon(log.append(vec![command("a")])).await.expect("is known");
    assert_eq!(repeated.repeats.len(), 1);
    proofs(&log, |now| *now == Proofs::Current).await;
    unproven(&log, 0).await;
    log.close().await;
    shown.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_back_as_recovered_is_owed_in_its_new_form_alone() {
    let mut server = NatsServer::start().await.expect("a server");
    let (audit, data) = (Audit::new(1), tempfile::tempdir().expect("a directory"));
    let log = open(&server, &data).await;
    store(&log, without_words(commit("alert-a", 1))).await;
    server.stop().expect("stops");
    let copy = server.copy_store().expect("is copied");
    server.restart().await.expect("starts again");
    verified(&log).await;
    insist(&log, vec![without_words(commit("alert-a", 2))]).await;
    log.close().await;
    server.stop().expect("stops");
    server.put_back(&copy).expect("is put back");
    server.restart().await.expect("starts again");
    // Another process takes the ordinal.
    let other = tempfile::tempdir().expect("a directory");
    let others = open(&server, &other).await;
    store(&others, without_words(commit_by("another", "alert-a", 2))).await;
    others.close().await;

    let log = open(&server, &data).await;
    let loss = soon(log.lost()).await;
    assert_eq!((loss.what.sent, loss.what.recovered, loss.what.gone), (0, 1, 0));
    let (shown, _shown) = audit.on(&server).await;
    let stand = all(&log, Class::Alert).await;
    assert_eq!(stand.len(), 3);
    let leaves = stand.iter().map(|recorded| leaf(&recorded.open));
    audit.leaves.lock().unwrap().extend(leaves);
    proofs(&log, |now| *now == Proofs::Current).await;
    unproven(&log, 0).await;
    log.recorded(&loss);
    log.close().await;

    // After a restart nothing is compared again, and nothing is lost again.
    let log = open(&server, &data).await;
    proofs(&log, |now| *now == Proofs::Current).await;
    let told = tokio::time::timeout(Duration::from_millis(700), log.lost()).await;
    assert!(told.is_err(), "{told:?}");
    assert_eq!((log.unproven(), all(&log, Class::Alert).await.len()), (0, 3));
    log.close().await;
    shown.close().await;
}

/// Yesterday's streams are put back, and what stands behind the lost record comes to its old place
/// again: as many messages as before, none missing between them, and our last where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_that_no_number_shows_is_found_by_the_proof_that_does_not_come() {
    let mut server = NatsServer::start().await.expect("a server");
    let (audit, data) = (Audit::new(1), tempfile::tempdir().expect("a directory"));
    let log = open(&server, &data).await;
    let said: Vec<Record> =
        ["alert-a", "alert-b", "alert-c"].map(|entity| without_words(commit(entity, 1))).into();
    store(&log, said[0].clone()).await;
    server.stop().expect("stops");
    let copy = server.copy_store().expect("is copied");
    server.restart().await.expect("starts again");
    verified(&log).await;
    insist(&log, said[1..].to_vec()).await;
    log.close().await;
    let client = async_nats::connect(server.url()).await.expect("connects");
    let stream = async_nats::jetstream::new(client).get_stream("ALERT").await.expect("is there");
    let third = stream.get_raw_message(3).await.expect("is there");

    server.stop().expect("stops");
    server.put_back(&copy).expect("is put back");
    server.restart().await.expect("starts again");
    let other = tempfile::tempdir().expect("a directory");
    let others = open(&server, &other).await;
    store(&others, without_words(commit("alert-of-others", 1))).await;
    others.close().await;
    let client = async_nats::connect(server.url()).await.expect("connects");
    let mut headers = third.headers.clone();
    let expectations: Vec<_> = headers
        .iter()
        .map(|(name, _)| name.to_string())
        .filter(|name| name.starts_with("Nats-"))
        .collect();
    let mut kept = async_nats::HeaderMap::new();
    for (name, values) in headers.iter() {
        if !expectations.contains(&name.to_string()) {
            values.iter().for_each(|value| kept.append(name.clone(), value.clone()));
        }
    }
    headers = kept;
    let context = async_nats::jetstream::new(client);
    let put = context.publish_with_headers(third.subject, headers, third.payload).await;
    assert_eq!(put.expect("is sent").await.expect("is stored").sequence, 3);

    let log = open(&server, &data).await;
    assert!(history(&log, "alert-b").await.is_empty(), "nobody has noticed");
    let (shown, _shown) = audit.on(&server).await;
    audit.takes(&[said[0].clone(), said[2].clone()]);
    let loss = soon(log.lost()).await;
    assert_eq!((loss.what.sent, &loss.what.streams), (1, &vec!["ALERT".to_owned()]));
    assert_eq!(loss.what.records, [said[1].id]);
    assert_is(&history(&log, "alert-b").await[0], &said[1]);
    audit.takes(&said[1..2]);
    proofs(&log, |now| *now == Proofs::Current).await;
    assert_eq!(all(&log, Class::Alert).await.len(), 4);
    log.close().await;
    shown.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_is_told_until_it_is_recorded() {
    let mut server = NatsServer::start().await.expect("a server");
    let data = tempfile::tempdir().expect("a directory");
    let log = open(&server, &data).await;
    store(&log, command("early")).await;
    server.stop().expect("stops");
    let copy = server.copy_store().expect("is copied");
    server.restart().await.expect("starts again");
    verified(&log).await;
    store(&log, command("late")).await;
    server.kill().expect("is killed");
    server.put_back(&copy).expect("is put back");
    away(&log).await;
    server.restart().await.expect("starts again");
    verified(&log).await;
    let loss = soon(log.lost()).await;
    assert_eq!((loss.what.gone, loss.what.records.first()), (0, Some(&command("late").id)));
    log.close().await;

    let log = open(&server, &data).await;
    assert_eq!(soon(log.lost()).await, loss, "until somebody says otherwise");
    log.recorded(&loss);
    log.close().await;
    let log = open(&server, &data).await;
    let told = tokio::time::timeout(Duration::from_millis(100), log.lost()).await;
    assert!(told.is_err(), "{told:?}");
    log.close().await;
}
