//! What is on disk when an answer comes, after a restart, and where the disk fails.

use std::{fs, os::unix::fs::PermissionsExt};

use merkle::SignedCheckpoint;
use witness::{OpenError, Options, WrongLog, log_keys};

use crate::stage::{NAME, Stage, folder_of, log_key, request};

#[tokio::test]
async fn what_was_answered_is_on_disk_and_holds_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let log = log_key().verifier().clone();
    let file = dir.path().join("logs").join(folder_of(&log)).join("checkpoint");
    for (old, new) in [(0, 4), (4, 9), (9, 9), (9, 300)] {
        let stage = Stage::open(dir.path(), vec![log.clone()]);
        if old > 0 {
            assert_eq!(stage.add(&request(0, new)).await.text, format!("{old}\n"));
        }
        let answer = stage.add(&request(old, new)).await;
        assert_eq!(answer.status, 200);
        let kept = SignedCheckpoint::parse(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(kept.checkpoint().size(), new);
        assert!(kept.to_string().ends_with(&answer.text));
        assert_eq!(stage.last(&log).await, Some(kept));
    }
    let mode = fs::metadata(dir.path().join("key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_log_whose_state_cannot_be_read_is_not_begun_anew_and_others_are_served() {
    let log = log_key().verifier().clone();
    let other = merkle::LogKey::from_seed("keng.other.vn", &[5; 32]).unwrap();
    let bare = SignedCheckpoint::sign(&log_key(), 0, merkle::hash::EMPTY_ROOT).to_string();
    // Damaged; and without the witness's own line, as if somebody had put it there.
    for wrong in ["", "nothing\n", &bare] {
        let dir = tempfile::tempdir().unwrap();
        let logs = vec![log.clone(), other.verifier().clone()];
        let file = dir.path().join("logs").join(folder_of(&log)).join("checkpoint");
        let stage = Stage::open(dir.path(), logs.clone());
        assert_eq!(stage.status(&request(0, 5)).await, 200);
        drop(stage);
        fs::write(&file, wrong).unwrap();
        let stage = Stage::open(dir.path(), logs);
        for body in [request(0, 5), request(5, 6)] {
            let refused = stage.add(&body).await;
            assert_eq!(refused.status, 500);
            assert!(refused.text.contains("state-unreadable"), "{}", refused.text);
        }
        assert!(stage.last(&log).await.is_none());
        assert_eq!(fs::read_to_string(&file).unwrap(), wrong);
        assert_eq!(stage.health.banners().len(), 1);
        let empty = SignedCheckpoint::sign(&other, 0, merkle::hash::EMPTY_ROOT);
        assert_eq!(stage.status(&format!("old 0\n\n{empty}")).await, 200);
    }
}

#[tokio::test]
async fn where_it_cannot_be_kept_nothing_is_cosigned_and_the_process_ends() {
    let dir = tempfile::tempdir().unwrap();
    let log = log_key().verifier().clone();
    let stage = Stage::open(dir.path(), vec![log.clone()]);
    assert_eq!(stage.status(&request(0, 5)).await, 200);
    // A folder where the new file is to be written.
    let new = dir.path().join("logs").join(folder_of(&log)).join("checkpoint.new");
    fs::create_dir(&new).unwrap();
    let refused = stage.add(&request(5, 6)).await;
    assert_eq!(refused.status, 500);
    assert!(refused.text.contains("not-stored") && !refused.text.contains('—'), "{}", refused.text);
    assert!(stage.drain.token().is_cancelled());
    assert_eq!(stage.drain.exit_code(), 1);
    assert_eq!(stage.status(&request(5, 6)).await, 500, "nothing is built on what is not known");
    fs::remove_dir(&new).unwrap();
    let stage = Stage::open(dir.path(), vec![log.clone()]);
    assert_eq!(stage.status(&request(5, 6)).await, 200);
}

#[test]
fn keys_that_are_none_or_another_witness_are_refused() {
    let log = log_key().verifier().to_string();
    assert_eq!(log_keys(&[]), Err(WrongLog::None));
    assert_eq!(log_keys(&[log.clone(), log.clone()]), Err(WrongLog::Twice(log.clone())));
    let witness = merkle::WitnessKey::from_seed("w", &[2; 32]).unwrap();
    for wrong in [witness.verifier().to_string(), format!("{log}x"), String::new()] {
        let refused = log_keys(std::slice::from_ref(&wrong)).unwrap_err();
        assert!(matches!(refused, WrongLog::NotAKey { .. }), "{wrong}");
    }
    let keys = log_keys(&[log]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        let health = chassis::Health::new(&[]);
        witness::Witness::open(Options {
            dir: dir.path().to_owned(),
            name: name.to_owned(),
            logs: keys.clone(),
            clock: std::sync::Arc::new(chassis::SystemClock),
            drain: chassis::Drain::new(health.clone()),
            health,
        })
    };
    assert!(matches!(open("not a name"), Err(OpenError::Key(_))));
    open(NAME).unwrap();
    assert!(matches!(open("other.vn"), Err(OpenError::OtherName { .. })));
}
