//! Three servers, each stream on all of them, and the leader killed.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_nats::jetstream;
use event_log::record::Class;
use event_log_nats::{NatsLog, NatsOptions, testing::NatsCluster};
use tokio::{sync::watch, task::JoinSet};

use crate::world::{all, assert_is, commit, history, insist, project, soon, take, verified};

const WRITERS: u64 = 4;
const COMMITS: u64 = 25;
/// The kill comes when so many are acknowledged.
const BEFORE_THE_KILL: u64 = 30;

pub(crate) fn options(cluster: &NatsCluster, url: String, data: &tempfile::TempDir) -> NatsOptions {
    let mut options = NatsOptions::new(url, data.path(), "test");
    options.monitor = Some(cluster.monitor_url());
    options.replicas = 3;
    options.retry_every = Duration::from_millis(100);
    options
}

async fn connect(url: &str) -> jetstream::Context {
    let addresses: Vec<async_nats::ServerAddr> =
        url.split(',').map(|url| url.parse().expect("an address")).collect();
    jetstream::new(async_nats::connect(addresses).await.expect("connects"))
}

async fn leader(context: &jetstream::Context, stream: &str) -> String {
    soon(async {
        loop {
            if let Ok(stream) = context.get_stream(stream).await
                && let Some(cluster) = &stream.cached_info().cluster
                && let Some(leader) = &cluster.leader
            {
                return leader.clone();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// Waits until every server has all of the stream.
async fn complete(context: &jetstream::Context, stream: &str) {
    soon(async {
        loop {
            if let Ok(stream) = context.get_stream(stream).await
                && let Some(cluster) = &stream.cached_info().cluster
                && cluster.replicas.len() == 2
                && cluster.replicas.iter().all(|peer| peer.current && !peer.offline)
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_takes_nothing_acknowledged_with_it() {
    let mut cluster = NatsCluster::start().await.expect("three servers");
    let (mine, yours) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    // Whoever comes first creates the streams; only then is it known who leads.
    let first = NatsLog::open(options(&cluster, cluster.url(), &yours)).await.expect("opens");
    verified(&first).await;
    first.close().await;
    let lost = leader(&connect(&cluster.url()).await, "ALERT").await;
    // Beside the leader, so that the connection outlives it.
    let url = cluster.url_without(&lost);
    let context = connect(&url).await;
    let log = NatsLog::open(options(&cluster, url, &mine)).await.expect("opens");
    verified(&log).await;
    let mut seen = project(&log, Class::Alert).await;

    let (progress, mut acknowledged) = watch::channel(0u64);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (log, progress) = (Arc::clone(&log), progress.clone());
        writers.spawn(async move {
            for version in 1..=COMMITS {
                insist(&log, vec![commit(&format!("alert-{writer}"), version)]).await;
                progress.send_modify(|count| *count += 1);
            }
        });
    }
    soon(acknowledged.wait_for(|count| *count >= BEFORE_THE_KILL)).await.expect("is written");
    let server = cluster.server(&lost).expect("is one of three");
    server.kill().expect("is killed");
    // Two of three go on without it.
    soon(writers.join_all()).await;
    assert_eq!(*acknowledged.borrow(), WRITERS * COMMITS, "every writer came to its end");
    assert_ne!(leader(&context, "ALERT").await, lost);
    let many = usize::try_from(WRITERS * COMMITS).expect("fits");
    let followed = take(&mut seen, many).await;
    assert!(followed.windows(2).all(|two| two[0].position < two[1].position));

    let server = cluster.server(&lost).expect("is one of three");
    server.restart().await.expect("starts again");
    complete(&context, "ALERT").await;
    complete(&context, "SEALED").await;
    // Asked of the one that was killed.
    let url = server.url();
    let other = NatsLog::open(options(&cluster, url, &yours)).await.expect("opens");
    verified(&other).await;
    let there = all(&other, Class::Alert).await;
    let ids: BTreeSet<_> = there.iter().map(|recorded| recorded.id).collect();
    assert_eq!((there.len(), ids.len()), (many, many), "nothing is lost or doubled");
    for writer in 0..WRITERS {
        let entity = format!("alert-{writer}");
        let there = history(&other, &entity).await;
        assert_eq!(there.len() as u64, COMMITS);
        for (version, recorded) in (1..).zip(&there) {
            assert_is(recorded, &commit(&entity, version));
        }
    }
    log.close().await;
    other.close().await;
}
