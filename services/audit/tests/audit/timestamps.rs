//! Time stamps by an authority that openssl is.

use std::{fs, sync::Arc, time::Duration};

use audit::Anchors;
use chassis::VirtualClock;
use domain::ids::Millis;
use event_log::{Class, memory::MemoryLog};
use merkle::SignedCheckpoint;
use stand_ins::timestamps::Authority;
use wire::v1::{AlertResolved, event::Event};

use crate::{
    stage::{Stage, append, case, commit_of, name},
    tree::{folder, signed},
};

const PATIENCE: Duration = Duration::from_secs(30);
const MINUTE_MS: u64 = 60_000;

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let looking = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looking).await.is_ok(), "{what}");
}

#[tokio::test]
async fn a_checkpoint_is_stamped_hourly_and_when_an_alert_was_closed() {
    let Some(authority) = Authority::start().await.unwrap() else {
        println!("skipped: openssl is not installed");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let stamps = dir.path().join("timestamps");
    let log = Arc::new(MemoryLog::new());
    let clock = VirtualClock::at(Millis(1_800_000_000_000));
    let anchors = Anchors::read(None, Some(&authority.url())).unwrap();
    append(&*log, &case("a", 100)).await;
    let begin =
        || Stage::begin_with(log.clone(), dir.path(), &anchors, Arc::new(clock.clone())).unwrap();
    let stage = begin();
    let stamped = |size: u64| stamps.join(format!("{size}.tsr")).exists();
    until("the first checkpoint is stamped", || stamped(4)).await;
    let (data, stamp) = (stamps.join("4.checkpoint"), stamps.join("4.tsr"));
    authority.verify(&data, &stamp).unwrap();
    let note = SignedCheckpoint::parse(&fs::read(&data).unwrap()).unwrap();
    assert_eq!(note.checkpoint(), signed(&stage, 4).await.checkpoint());
    assert!(authority.verify(&folder(dir.path()).path().join("tile/0/000.p/4"), &stamp).is_err());

    // More has come, and no alert is at its end: that can wait for the hour.
    clock.advance_ms(2 * MINUTE_MS);
    append(&*log, &case("b", 200)).await;
    signed(&stage, 8).await;
    let resolved = Event::AlertResolved(AlertResolved::default());
    append(&*log, &[commit_of(Class::Alert, &name("a"), 2, "a", 300, vec![resolved])]).await;
    until("the end of an alert is stamped", || stamped(9)).await;
    assert!(!stamped(8));
    authority.verify(&stamps.join("9.checkpoint"), &stamps.join("9.tsr")).unwrap();

    // An answer to another question is not taken.
    authority.repeat();
    let asked = authority.asked();
    clock.advance_ms(60 * MINUTE_MS);
    append(&*log, &case("c", 400)).await;
    until("it is asked again", || authority.asked() > asked).await;
    signed(&stage, 13).await;
    stage.end().await;
    assert_eq!(fs::read_dir(&stamps).unwrap().count(), 4);
}
