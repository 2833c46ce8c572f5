//! One stream loses its tail: the read models of that class alone begin anew, and the outboxes
//! fill the stream again.

use std::sync::Arc;

use domain::ids::RecordId;
use event_log::{
    follower::Cursor,
    log::EventLog,
    projection::{self, Project},
    record::{Class, Record, Recorded},
};
use event_log_nats::testing::NatsServer;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::world::{away, command, commit, commit_by, insist, key, open, soon, store, verified};

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Known {
    /// What it has read since it began (anew).
    ids: Vec<RecordId>,
    begun_anew: u32,
}

struct Model {
    cursor: Option<Cursor>,
    known: watch::Sender<Known>,
}

impl Project for Model {
    fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    fn apply(&mut self, recorded: &Arc<Recorded>) {
        self.cursor = Some(Cursor::on(recorded));
        self.known.send_modify(|known| known.ids.push(recorded.id));
    }

    fn begin_anew(&mut self) {
        self.cursor = None;
        self.known.send_modify(|known| {
            *known = Known { ids: Vec::new(), begun_anew: known.begun_anew + 1 };
        });
    }

    fn caught_up(&mut self) {}
}

fn delivery(version: u64) -> Record {
    Record { key: key(Class::Delivery, "delivery-a"), ..commit("delivery-a", version) }
}

fn ids(records: &[Record]) -> Vec<RecordId> {
    records.iter().map(|record| record.id).collect()
}

async fn comes_to(model: &mut watch::Receiver<Known>, begun_anew: u32, records: &[Record]) {
    let known = Known { ids: ids(records), begun_anew };
    if let Err(_gone) = soon(model.wait_for(|now| *now == known)).await {
        panic!("the model is gone");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_class_that_lost_something_begins_anew() {
    let mut server = NatsServer::start().await.expect("a server");
    let (mine, yours) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let log = open(&server, &mine).await;
    verified(&log).await;
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    let mut model = |class| {
        let (known, seen) = watch::channel(Known::default());
        let project = Model { cursor: None, known };
        let log = Arc::clone(&log) as Arc<dyn EventLog>;
        running.spawn(projection::run(log, class, project, stop.clone()));
        seen
    };
    let mut alerts = model(Class::Alert);
    let mut commands = model(Class::Command);
    let mut deliveries = model(Class::Delivery);
    let first = commit("alert-a", 1);
    store(&log, first.clone()).await;
    store(&log, command("early")).await;
    store(&log, delivery(1)).await;
    server.stop().expect("stops");
    away(&log).await;
    let copy = server.copy_store().expect("is copied");
    server.restart().await.expect("starts again");
    verified(&log).await;

    // What is lost was said by two; who comes back first says it first, in another order.
    let (theirs, ours) = (commit_by("you", "alert-b", 1), commit("alert-c", 1));
    let other = open(&server, &yours).await;
    verified(&other).await;
    store(&other, theirs.clone()).await;
    other.close().await;
    insist(&log, vec![ours.clone()]).await;
    insist(&log, vec![command("late")]).await;
    insist(&log, vec![delivery(2)]).await;
    let before = [first.clone(), theirs.clone(), ours.clone()];
    comes_to(&mut alerts, 0, &before).await;
    comes_to(&mut commands, 0, &[command("early"), command("late")]).await;
    comes_to(&mut deliveries, 0, &[delivery(1), delivery(2)]).await;

    server.kill().expect("is killed");
    away(&log).await;
    server.put_back_stream(&copy, "ALERT").expect("is put back");
    server.restart().await.expect("starts again");
    verified(&log).await;
    comes_to(&mut alerts, 1, &[first.clone(), ours.clone()]).await;
    let other = open(&server, &yours).await;
    verified(&other).await;
    comes_to(&mut alerts, 1, &[first.clone(), ours.clone(), theirs.clone()]).await;

    // The others have kept what they knew, and go on from there.
    insist(&log, vec![command("after")]).await;
    insist(&log, vec![delivery(3)]).await;
    insist(&log, vec![commit("alert-c", 2)]).await;
    comes_to(&mut commands, 0, &["early", "late", "after"].map(command)).await;
    comes_to(&mut deliveries, 0, &[delivery(1), delivery(2), delivery(3)]).await;
    comes_to(&mut alerts, 1, &[first, ours, theirs, commit("alert-c", 2)]).await;
    stop.cancel();
    soon(running.join_all()).await;
    log.close().await;
    other.close().await;
}
