//! The clerk beside alerting, which follows every command and may decide it first.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use domain::{
    ids::{KeyId, Millis, RecordId},
    rights::{Asker, Standing},
};
use event_log::memory::MemoryLog;
use registry::{Clerk, ClerkError, SharedDirectory};
use tokio::sync::watch;
use wire::actor::person;

/// The clerk of a process of its own, whose directory has read everything.
fn clerk(log: &Arc<MemoryLog>) -> Clerk {
    let (_, seen) = watch::channel(u64::MAX);
    Clerk::new(Arc::clone(log) as _, SharedDirectory::default(), seen)
}

#[tokio::test]
async fn what_somebody_else_has_refused_first_is_a_refusal_here_too() {
    let log = Arc::new(MemoryLog::new());
    let asker = Asker { officer: "an".parse().unwrap(), standing: Standing::Admin };
    let (command, key) = (RecordId::of_purpose("revoke"), KeyId::of(&[7; 32]));
    let refused = ClerkError::Refused { code: "not-found".to_owned(), field: "id".to_owned() };
    // The first as alerting decides it; the others find it decided: a process that has it folded,
    // and one that reads it from the log.
    let first = clerk(&log);
    for clerk in [&first, &first, &clerk(&log)] {
        let revoked = clerk.revoke_key(command, person(&asker), key, Millis(5)).await;
        assert_eq!(revoked, Err(refused.clone()));
    }
    assert_eq!(log.records().len(), 2, "one command and one commit");
}
