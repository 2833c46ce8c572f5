//! The contract suite on the log in memory, and what its marks of durability mean.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::ids::{Home, RecordId};
use event_log::{
    Class, Durable, EventLog, Key, Kind, Record,
    contract::{Ending, Subject},
    memory::MemoryLog,
};
use futures::future::BoxFuture;

struct InMemory(Arc<MemoryLog>);

impl Subject for InMemory {
    fn open(&mut self) -> BoxFuture<'_, Arc<dyn EventLog>> {
        let log: Arc<dyn EventLog> = self.0.clone();
        Box::pin(async move { log })
    }

    fn restart(&mut self, ending: Ending) -> BoxFuture<'_, ()> {
        self.0 = Arc::new(match ending {
            Ending::Closed => self.0.after_close(),
            Ending::Killed => self.0.after_power_cut(),
        });
        Box::pin(async {})
    }
}

async fn in_memory() -> InMemory {
    InMemory(Arc::new(MemoryLog::new()))
}

event_log::contract_tests!(in_memory);

#[tokio::test(start_paused = true)]
async fn what_is_held_is_not_durable_and_lost_in_a_power_cut() {
    let log = MemoryLog::new();
    log.hold_durability();
    let key = Key { class: Class::Alert, home: Home::NATION, entity: "alert-a".parse().unwrap() };
    let mut places = Vec::new();
    for version in 1..=2 {
        let record = Record {
            id: RecordId::of_purpose(&version.to_string()),
            key: key.clone(),
            kind: Kind::Commit { version },
            open: Bytes::from_static(b"open"),
            sealed: None,
            signature: None,
        };
        places.push(log.append(vec![record]).await.unwrap().at);
    }
    let patience = Duration::from_secs(1);
    assert_eq!(log.durable(places[0], patience).await, Durable::Unknown);
    log.make_durable_up_to(places[0].position);
    assert_eq!(log.durable(places[0], patience).await, Durable::Stored);
    assert_eq!(log.durable(places[1], patience).await, Durable::Unknown);
    assert_eq!(log.load(&key, None).await.unwrap().len(), 2, "decisions run ahead");
    let survivor = log.after_power_cut();
    assert_eq!(survivor.load(&key, None).await.unwrap().len(), 1);
    log.release_durability();
    assert_eq!(log.durable(places[1], patience).await, Durable::Stored);
}
