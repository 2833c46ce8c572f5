//! Erasing over a broker: gone from its files and from every outbox, and never sent again.

use std::{fs, path::Path};

use bytes::Bytes;
use domain::ids::{AlertId, EntityName, RecordId};
use event_log::{
    EraseError,
    log::EventLog,
    record::{Class, Record, Seal},
};
use event_log_nats::testing::NatsServer;
use prost::Message as _;
use wire::v1;

use crate::world::{all, away, command, commit, key, open, soon, store, verified};

const CANARY: &str = "Nguyen Van Canary, thon Tay Anh Vinh";

fn alert() -> AlertId {
    AlertId::raised_by(RecordId::of_purpose("raise"))
}

fn secret(name: &str) -> Record {
    let sealed = Some(Bytes::from(format!("{CANARY} {name}")));
    let key = key(Class::Command, EntityName::alert(alert()).as_str());
    Record { key, sealed, ..command(name) }
}

/// What orders the erasure, as services record it.
fn order() -> Record {
    let ordered = v1::EraseOrdered { basis: 5, ..v1::EraseOrdered::default() };
    let event = v1::Event { event: Some(v1::event::Event::EraseOrdered(ordered)) };
    let outcome = v1::commit::Outcome::Events(v1::Events { events: vec![event] });
    let commit_said = v1::Commit { version: 1, outcome: Some(outcome), ..v1::Commit::default() };
    let entity = EntityName::erasure(alert());
    let open = commit_said.encode_to_vec().into();
    Record { open, sealed: None, ..commit(entity.as_str(), 1) }
}

/// The files below that hold the canary.
fn holding(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if let Ok(bytes) = fs::read(&path)
                && bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes())
            {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_erased_is_in_no_file_of_broker_or_outbox_and_nobody_says_it_again() {
    let mut server = NatsServer::start().await.expect("a server");
    let (mine, yours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (me, you) = (open(&server, &mine).await, open(&server, &yours).await);
    verified(&me).await;
    verified(&you).await;
    store(&me, secret("raise")).await;
    store(&you, secret("note")).await;
    store(&me, command("of another alert")).await;
    for dir in [&server.store_dir(), mine.path(), yours.path()] {
        assert!(!holding(dir).is_empty(), "the search finds what is in {}", dir.display());
    }
    // The other process is away while it is erased.
    you.close().await;
    drop(you);
    store(&me, order()).await;
    let entities = [EntityName::alert(alert())];
    assert_eq!(soon(me.erase(alert(), &entities)).await, Ok(2));
    let nowhere: [String; 0] = [];
    assert_eq!(holding(&server.store_dir()), nowhere, "at the broker");
    assert_eq!(holding(mine.path()), nowhere, "in the outbox");
    assert!(!holding(yours.path()).is_empty());

    // Back, it compares its outbox with the stream, and does not say it again.
    let you = open(&server, &yours).await;
    verified(&you).await;
    assert_eq!(holding(&server.store_dir()), nowhere);
    assert_eq!(soon(you.erase(alert(), &[])).await, Ok(1));
    assert_eq!(holding(yours.path()), nowhere);

    // Nor after the broker was restarted, and each has compared anew.
    server.stop().expect("stops");
    away(&me).await;
    let refused = soon(me.erase(alert(), &entities)).await;
    assert!(matches!(refused, Err(EraseError::Unavailable(_))), "{refused:?}");
    server.restart().await.expect("starts again");
    verified(&me).await;
    verified(&you).await;
    assert_eq!(holding(&server.store_dir()), nowhere);
    let there = all(&me, Class::Command).await;
    let seal = |name: &str| {
        let id = RecordId::of_purpose(name);
        there.iter().find(|recorded| recorded.id == id).map(|recorded| recorded.seal.clone())
    };
    assert_eq!((seal("raise"), seal("note")), (Some(Seal::Missing), Some(Seal::Missing)));
    assert!(matches!(seal("of another alert"), Some(Seal::Here(_))));
    me.close().await;
    you.close().await;
}
