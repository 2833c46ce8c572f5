//! One broker that is killed, restored, away, unsafe, or set otherwise.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::ids::Home;
use event_log::{
    follower::{Following, Role, hash_of},
    log::{AppendError, At, Durable, EventLog},
    record::{Class, Kind, Record, Recorded, Seal},
};
use event_log_nats::{NatsLog, NatsOptions, Trust, testing::NatsServer};
use prost::Message as _;

use crate::world::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_while_appending_loses_and_doubles_nothing() {
    const WRITERS: u64 = 6;
    const COMMITS: u64 = 60;
    let mut server = NatsServer::start().await.expect("a server");
    let data = tempfile::tempdir().expect("a directory");
    let log = open(&server, &data).await;
    verified(&log).await;
    let mut seen = project(&log, Class::Alert).await;
    let mut writers = tokio::task::JoinSet::new();
    let (progress, mut appended) = tokio::sync::watch::channel(0u64);
    for writer in 0..WRITERS {
        let (log, progress) = (Arc::clone(&log), progress.clone());
        writers.spawn(async move {
            let entity = format!("alert-{writer}");
            for version in 1..=COMMITS {
                insist(&log, vec![commit(&entity, version)]).await;
                insist(&log, vec![command(&format!("{entity}/{version}"))]).await;
                progress.send_modify(|appended| *appended += 1);
            }
        });
    }
    for kill in 1..=3 {
        let mark = kill * WRITERS * COMMITS / 5;
        soon(appended.wait_for(|appended| *appended >= mark)).await.expect("is written");
        server.kill().expect("is killed");
        server.restart().await.expect("starts again");
    }
    soon(async { while writers.join_next().await.is_some_and(|ended| ended.is_ok()) {} }).await;
    assert_eq!(*appended.borrow(), WRITERS * COMMITS, "every writer came to its end");
    let mut outgoing = log.outgoing().subscribe();
    soon(outgoing.wait_for(|held| held.is_empty())).await.expect("is open");

    for writer in 0..WRITERS {
        let entity = format!("alert-{writer}");
        let there = history(&log, &entity).await;
        assert_eq!(there.len() as u64, COMMITS);
        for (version, recorded) in (1..).zip(&there) {
            assert_is(recorded, &commit(&entity, version));
        }
    }
    assert_eq!(all(&log, Class::Alert).await.len() as u64, WRITERS * COMMITS);
    let commands = all(&log, Class::Command).await;
    let mut ids: Vec<_> = commands.iter().map(|command| command.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), commands.len(), "no command is doubled");
    assert_eq!(ids.len() as u64, WRITERS * COMMITS, "no command is lost");
    // The follower that lived through all of it saw each record once, in order.
    let followed = take(&mut seen, usize::try_from(WRITERS * COMMITS).expect("fits")).await;
    assert!(followed.windows(2).all(|two| two[0].position < two[1].position));
    log.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_held_without_a_broker_and_goes_out_once() {
    let mut server = NatsServer::start().await.expect("a server");
    let data = tempfile::tempdir().expect("a directory");
    let log = open(&server, &data).await;
    verified(&log).await;
    server.stop().expect("stops");
    away(&log).await;

    let asked = [command("one"), command("two"), command("three")];
    for command in &asked {
        let appended = soon(log.append(vec![command.clone()])).await.expect("is held");
        assert_eq!(appended.at.position, At::UNPLACED);
        let held = log.durable(appended.at, Duration::from_millis(10)).await;
        assert_eq!(held, Durable::HeldHere);
        assert!(log.outgoing().contains(command.id));
    }
    let again = soon(log.append(vec![asked[0].clone()])).await.expect("is known");
    assert_eq!(again.repeats.len(), 1);
    assert_eq!(again.repeats[0].open, asked[0].open);
    let refused = soon(log.append(vec![commit("alert-a", 1)])).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    // Comes up without a broker, and still has what it promised.
    log.close().await;
    let log = open(&server, &data).await;
    assert_eq!(log.outgoing().now().len(), 3);
    let mut follower = project(&log, Class::Command).await;

    let at = At { class: Class::Command, position: At::UNPLACED, id: asked[2].id };
    server.restart().await.expect("starts again");
    assert_eq!(log.durable(at, WAIT).await, Durable::Stored);
    for (recorded, command) in take(&mut follower, 3).await.iter().zip(&asked) {
        assert_is(recorded, command);
    }
    assert!(log.outgoing().now().is_empty());
    let after = soon(log.append(vec![asked[1].clone()])).await.expect("is known");
    assert_eq!(after.repeats.len(), 1);
    assert_eq!(all(&log, Class::Command).await.len(), 3);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_tail_is_noticed_and_sent_again() {
    let mut server = NatsServer::start().await.expect("a server");
    let data = tempfile::tempdir().expect("a directory");
    let log = open(&server, &data).await;
    verified(&log).await;
    for version in 1..=3 {
        store(&log, commit("alert-a", version)).await;
    }
    store(&log, command("early")).await;
    server.stop().expect("stops");
    let copy = server.copy_store().expect("is copied");
    server.restart().await.expect("starts again");
    verified(&log).await;
    for version in 4..=9 {
        insist(&log, vec![commit("alert-a", version)]).await;
    }
    insist(&log, vec![commit("alert-b", 1), commit("alert-b", 2)]).await;
    store(&log, command("late")).await;

    server.kill().expect("is killed");
    server.put_back(&copy).expect("is put back");
    away(&log).await;
    server.restart().await.expect("starts again");
    verified(&log).await;
    let there = history(&log, "alert-a").await;
    assert_eq!(there.len(), 9);
    for (version, recorded) in (1..).zip(&there) {
        assert_is(recorded, &commit("alert-a", version));
    }
    assert_eq!(history(&log, "alert-b").await.len(), 2);
    let late = command("late");
    let there = soon(log.load(&late.key, Some(late.id))).await.expect("is loaded");
    assert_is(&there[0], &late);
    // Work goes on, and nothing is sent a second time after the next restart.
    store(&log, commit("alert-a", 10)).await;
    log.close().await;
    let log = open(&server, &data).await;
    verified(&log).await;
    let (alerts, commands) = (all(&log, Class::Alert).await, all(&log, Class::Command).await);
    assert_eq!((alerts.len(), commands.len()), (12, 2));
    // Read by a process that has none of them in memory.
    let missing = |recorded: &&Arc<Recorded>| !matches!(recorded.seal, Seal::Here(_));
    assert_eq!(alerts.iter().chain(&commands).filter(missing).count(), 0);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_noticed_and_what_it_took_is_sent_again() {
    damaged(|block| {
        let middle = block.len() / 2;
        block[middle] ^= 1;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_block_is_noticed_and_what_it_took_is_sent_again() {
    damaged(|block| block.truncate(block.len() / 3)).await;
}

/// Forty commands, whose block is damaged while the broker is stopped.
async fn damaged(damage: impl FnOnce(&mut Vec<u8>)) {
    let mut server = NatsServer::start().await.expect("a server");
    let data = tempfile::tempdir().expect("a directory");
    let log = open(&server, &data).await;
    verified(&log).await;
    for number in 1..=40 {
        store(&log, command(&format!("command {number}"))).await;
    }
    log.close().await;
    server.stop().expect("stops");
    damage_block(&server, "CMD", damage);
    server.restart().await.expect("starts again");
    let client = async_nats::connect(server.url()).await.expect("connects");
    let stream = async_nats::jetstream::new(client).get_stream("CMD").await.expect("is there");
    assert!(stream.cached_info().state.messages < 40, "the broker has lost some");
    let log = open(&server, &data).await;
    verified(&log).await;
    for number in 1..=40 {
        let command = command(&format!("command {number}"));
        let there = soon(log.load(&command.key, Some(command.id))).await.expect("is loaded");
        assert_is(&there[0], &command);
    }
    assert_eq!(all(&log, Class::Command).await.len(), 40);
    log.close().await;
}

/// Damages the newest block of a stream, as a bad disk would.
fn damage_block(server: &NatsServer, stream: &str, damage: impl FnOnce(&mut Vec<u8>)) {
    let blocks = server.store_dir().join(format!("jetstream/$G/streams/{stream}/msgs"));
    let block = std::fs::read_dir(&blocks)
        .expect("is there")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|ending| ending == "blk"))
        .expect("a block");
    let mut bytes = std::fs::read(&block).expect("is read");
    damage(&mut bytes);
    std::fs::write(&block, bytes).expect("is written");
    let _ = std::fs::remove_file(blocks.join("index.db"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_gone_is_made_again_and_filled() {
    let server = NatsServer::start().await.expect("a server");
    let data = tempfile::tempdir().expect("a directory");
    let log = open(&server, &data).await;
    verified(&log).await;
    for version in 1..=5 {
        store(&log, commit("alert-a", version)).await;
    }
    let client = async_nats::connect(server.url()).await.expect("connects");
    let context = async_nats::jetstream::new(client);
    context.delete_stream("ALERT").await.expect("is deleted");
    context.delete_stream("SEALED").await.expect("is deleted");
    soon(async {
        while context.get_stream("ALERT").await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    insist(&log, vec![commit("alert-a", 6)]).await;
    verified(&log).await;
    log.close().await;
    let log = open(&server, &data).await;
    verified(&log).await;
    let there = history(&log, "alert-a").await;
    assert_eq!(there.len(), 6);
    for (version, recorded) in (1..).zip(&there) {
        assert_is(recorded, &commit("alert-a", version));
    }
    log.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_commit_whose_ordinal_was_taken_is_recovered() {
    let mut server = NatsServer::start().await.expect("a server");
    let (mine, yours) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let log = open(&server, &mine).await;
    verified(&log).await;
    store(&log, commit("alert-a", 1)).await;
    server.stop().expect("stops");
    let copy = server.copy_store().expect("is copied");
    server.restart().await.expect("starts again");
    verified(&log).await;
    let lost = commit("alert-a", 2);
    insist(&log, vec![lost.clone()]).await;
    log.close().await;
    server.kill().expect("is killed");
    server.put_back(&copy).expect("is put back");
    server.restart().await.expect("starts again");

    let other = open(&server, &yours).await;
    verified(&other).await;
    let taker = commit_by("another", "alert-a", 2);
    store(&other, taker.clone()).await;
    let log = open(&server, &mine).await;
    verified(&log).await;
    for round in 1..=2 {
        let there = history(&log, "alert-a").await;
        assert_eq!(there.len(), 3);
        assert_is(&there[1], &taker);
        assert_eq!(there[2].kind, Kind::Commit { version: 3 });
        let recovered = wire::v1::Commit::decode(there[2].open.clone()).expect("is a commit");
        assert_eq!(recovered.causation, lost.id.0.as_bytes().as_slice());
        assert_eq!(recovered.id, there[2].id.0.as_bytes().as_slice());
        let Some(wire::v1::commit::Outcome::Events(events)) = recovered.outcome else {
            panic!("has events")
        };
        let Some(wire::v1::event::Event::Recovered(fact)) = &events.events[0].event else {
            panic!("is recovered")
        };
        assert_eq!(hash_of(&fact.original), hash_of(&lost.open));
        store(&log, commit_by("another", "alert-b", round)).await;
    }
    log.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_commits_of_two_processes_come_back_in_their_order() {
    let mut server = NatsServer::start().await.expect("a server");
    let (mine, yours) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let (one, two) = (open(&server, &mine).await, open(&server, &yours).await);
    verified(&one).await;
    verified(&two).await;
    store(&one, commit("alert-a", 1)).await;
    server.stop().expect("stops");
    let copy = server.copy_store().expect("is copied");
    server.restart().await.expect("starts again");
    for version in 2..=7 {
        let log = if version % 2 == 0 { &two } else { &one };
        insist(log, vec![commit("alert-a", version)]).await;
    }
    server.kill().expect("is killed");
    server.put_back(&copy).expect("is put back");
    away(&one).await;
    away(&two).await;
    server.restart().await.expect("starts again");
    verified(&one).await;
    verified(&two).await;
    let there = history(&one, "alert-a").await;
    assert_eq!(there.len(), 7);
    for (version, recorded) in (1..).zip(&there) {
        assert_is(recorded, &commit("alert-a", version));
    }
    one.close().await;
    two.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unverified_broker_gets_nothing_unless_accepted() {
    let lazy = NatsServer::start_with(false).await.expect("a server");
    let strict = NatsServer::start().await.expect("another");
    let data = tempfile::tempdir().expect("a directory");
    let client = async_nats::connect(lazy.url()).await.expect("connects");
    let context = async_nats::jetstream::new(client);
    // Lazy by its own word; not asked; and vouched for by a server that it is not.
    for monitor in [Some(lazy.monitor_url()), None, Some(strict.monitor_url())] {
        let options = NatsOptions { monitor, ..options(&lazy, &data) };
        let log = NatsLog::open(options.clone()).await.expect("opens");
        let mut trust = log.trust();
        soon(trust.wait_for(|trust| matches!(trust, Trust::Unverified { .. })))
            .await
            .expect("open");
        let held = soon(log.append(vec![command("asked")])).await.expect("is held");
        assert_eq!(held.at.position, At::UNPLACED);
        if options.monitor.is_none() {
            let refused = soon(log.append(vec![commit("alert-a", 1)])).await;
            assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
        }
        log.close().await;
        assert!(context.get_stream("CMD").await.is_err(), "not even a stream");
    }
    let accepting = NatsOptions { accept_unverified_broker: true, ..options(&lazy, &data) };
    let log = NatsLog::open(accepting).await.expect("opens");
    let mut trust = log.trust();
    soon(trust.wait_for(|trust| matches!(trust, Trust::Accepted { .. }))).await.expect("is open");
    let at = At { class: Class::Command, position: At::UNPLACED, id: command("asked").id };
    assert_eq!(log.durable(at, WAIT).await, Durable::Stored);
    store(&log, commit("alert-a", 1)).await;
    assert_eq!(all(&log, Class::Command).await.len(), 1);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_set_otherwise_is_refused() {
    let server = NatsServer::start().await.expect("a server");
    let data = tempfile::tempdir().expect("a directory");
    let client = async_nats::connect(server.url()).await.expect("connects");
    let context = async_nats::jetstream::new(client);
    let foreign = async_nats::jetstream::stream::Config {
        name: "ALERT".to_owned(),
        subjects: vec!["keng.v1.*.alert.>".to_owned()],
        storage: async_nats::jetstream::stream::StorageType::Memory,
        ..Default::default()
    };
    context.create_stream(foreign).await.expect("is created");
    let options = NatsOptions { accept_unverified_broker: true, ..options(&server, &data) };
    let log = NatsLog::open(options).await.expect("opens");
    let mut trust = log.trust();
    let unverified = soon(trust.wait_for(|trust| *trust != Trust::Away)).await.expect("is open");
    match &*unverified {
        Trust::Unverified { why } => assert!(why.contains("ALERT is not on disk"), "{why}"),
        other => panic!("{other:?}"),
    }
    drop(unverified);
    context.delete_stream("ALERT").await.expect("is deleted");
    verified(&log).await;
    store(&log, commit("alert-a", 1)).await;
    log.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_bytes_under_one_id_are_not_taken_for_the_same() {
    let server = NatsServer::start().await.expect("a server");
    let data = tempfile::tempdir().expect("a directory");
    let log = open(&server, &data).await;
    verified(&log).await;
    store(&log, commit("alert-a", 1)).await;
    let other = Record { open: Bytes::from_static(b"otherwise"), ..commit("alert-a", 1) };
    let refused = soon(log.append(vec![other])).await;
    assert!(matches!(refused, Err(AppendError::Refused(_))), "{refused:?}");

    store(&log, command("asked")).await;
    let other = Record {
        open: Bytes::from_static(b"asked otherwise"),
        sealed: Some(Bytes::from_static(b"sealed otherwise")),
        ..command("asked")
    };
    let appended = soon(log.append(vec![other])).await.expect("is a repeat");
    assert_is(&appended.repeats[0], &command("asked"));
    assert_is(&all(&log, Class::Command).await[0], &command("asked"));

    // The id is the command's wherever a repeat puts it, alone or among others.
    let home =
        Home { province: "68".parse().expect("two"), commune: "25126".parse().expect("five") };
    let mut elsewhere = command("asked");
    elsewhere.key.home = home;
    let appended = soon(log.append(vec![elsewhere.clone()])).await.expect("is a repeat");
    assert_is(&appended.repeats[0], &command("asked"));
    let appended = soon(log.append(vec![elsewhere, command("fresh")])).await.expect("is taken");
    assert_eq!(appended.repeats.len(), 1);
    assert_eq!(all(&log, Class::Command).await.len(), 2);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reactor_lives_through_restarts_of_the_broker() {
    let mut server = NatsServer::start().await.expect("a server");
    let data = tempfile::tempdir().expect("a directory");
    let log = open(&server, &data).await;
    verified(&log).await;
    let following = Following { class: Class::Alert, role: Role::Reactor("live"), from: None };
    let mut reactor = soon(log.follow(following)).await.expect("follows");
    for version in 1..=6 {
        insist(&log, vec![commit("alert-a", version)]).await;
        // What was acknowledged just before a kill may come again, and nothing is left out.
        loop {
            let recorded = next(&mut reactor).await;
            reactor.acknowledge(recorded.position);
            if recorded.kind == (Kind::Commit { version }) {
                assert_is(&recorded, &commit("alert-a", version));
                break;
            }
            assert!(matches!(recorded.kind, Kind::Commit { version: before } if before < version));
        }
        if version % 2 == 0 {
            if version % 4 == 0 { server.kill() } else { server.stop() }.expect("ends");
            away(&log).await;
            server.restart().await.expect("starts again");
        }
    }
    log.close().await;
}
