//! The contract suite of the event log, on JetStream: each case has a nats-server of its own, each
//! log a directory and a connection of its own, as two processes would.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use std::sync::Arc;

use event_log::{
    contract::{Ending, Subject},
    log::EventLog,
};
use event_log_nats::{NatsLog, NatsOptions, testing::NatsServer};
use futures::future::BoxFuture;
use tempfile::TempDir;

struct Nats {
    server: NatsServer,
    dirs: Vec<TempDir>,
    logs: Vec<Arc<NatsLog>>,
}

impl Subject for Nats {
    fn open(&mut self) -> BoxFuture<'_, Arc<dyn EventLog>> {
        Box::pin(async move {
            let dir = tempfile::tempdir().expect("a directory");
            let mut options = NatsOptions::new(self.server.url(), dir.path(), "contract");
            options.monitor = Some(self.server.monitor_url());
            let log = NatsLog::open(options).await.expect("opens");
            self.dirs.push(dir);
            self.logs.push(Arc::clone(&log));
            log as Arc<dyn EventLog>
        })
    }

    fn restart(&mut self, ending: Ending) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let logs = std::mem::take(&mut self.logs);
            match ending {
                Ending::Closed => {
                    for log in &logs {
                        log.close().await;
                    }
                    self.server.stop().expect("stops");
                }
                Ending::Killed => self.server.kill().expect("is killed"),
            }
            drop(logs);
            self.server.restart().await.expect("starts again");
        })
    }
}

async fn nats() -> impl Subject {
    let server = NatsServer::start().await.expect("a server");
    Nats { server, dirs: Vec::new(), logs: Vec::new() }
}

event_log::contract_tests!(nats);
