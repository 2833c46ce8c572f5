//! What an auditor takes to a court: who signed each record, the words of an alert with a reason,
//! and all of it from a directory whose server is stopped.

use std::{path::Path, sync::Arc, time::Duration};

use audit::{OpenError, Replayer};
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{Request, StatusCode},
};
use domain::ids::{EntityName, KeyId, RecordId};
use event_log::{Class, Record, Signature, memory::MemoryLog};
use history::beside_of;
use merkle::BundleId;
use tower::ServiceExt;
use wire::{
    seal::{SALT_BYTES, commit as commitment, seal},
    v1::{self, event::Event},
};

use crate::{
    routes::{router, stage},
    stage::{Stage, alert, append, case, command, commit_of},
    tree::{cases, signed},
};

const PATIENCE: Duration = Duration::from_secs(30);

async fn get(router: &Router, token: &str, path: &str) -> (StatusCode, Bytes) {
    let request = Request::builder().uri(path).header("authorization", format!("Bearer {token}"));
    let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status();
    (status, to_bytes(answer.into_body(), 1 << 24).await.unwrap())
}

/// Signed by a key that nobody has to know here.
fn by(key: u8, record: Record) -> Record {
    let value = Bytes::from(vec![key; 64]);
    let signature = Signature { key: KeyId::of(&[key; 32]), value, received: None };
    Record { signature: Some(Arc::new(signature)), ..record }
}

#[tokio::test]
async fn who_signed_lies_beside_the_entries_for_auditors() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    let stage = stage(Arc::clone(&log), dir.path()).await;
    let router = router(&stage, Replayer::Audit(stage.audit.clone()));
    append(&*log, &[by(7, command("a", 10))]).await;
    append(&*log, &case("b", 20)).await;
    signed(&stage, 13).await;
    let place = "/tile/signatures/000.p/13";
    let (status, bytes) = get(&router, "auditor", place).await;
    assert_eq!(status, StatusCode::OK);
    let id = BundleId::of_signatures(&place[1..]).unwrap();
    let items = id.entries(&bytes).unwrap();
    let said: Vec<usize> = items.iter().map(|item| item.len()).collect();
    assert_eq!(said, [0, 0, 0, 0, 0, 0, 0, 0, 81, 0, 0, 0, 0]);
    let recorded = log.records().iter().find(|it| it.signature.is_some()).cloned().unwrap();
    assert_eq!(items[8], beside_of(&recorded));
    let narrow = BundleId::within(0, 9).unwrap();
    let (_, narrow_bytes) = get(&router, "auditor", &format!("/{}", narrow.signatures())).await;
    assert_eq!(narrow_bytes, narrow.of_wider(&bytes).unwrap());
    for (token, path, status) in [
        ("officer", place, StatusCode::FORBIDDEN),
        ("nobody", place, StatusCode::UNAUTHORIZED),
        ("auditor", "/tile/signatures/000", StatusCode::NOT_FOUND),
        ("auditor", "/tile/signatures/0", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(get(&router, token, path).await.0, status, "{token} {path}");
    }
    stage.end().await;
}

/// A raise with words, and what stands for them.
fn raise_with_words() -> (Record, Vec<u8>, Bytes) {
    let text = v1::AlertText { headline: "Tìm cháu bé".to_owned(), ..v1::AlertText::default() };
    let content = v1::SealedContent {
        content: Some(v1::sealed_content::Content::Alert(text)),
        ..v1::SealedContent::default()
    };
    let sealing = seal(&content, [5; SALT_BYTES]);
    let plain = command("a", 10);
    let mut said: v1::Command = prost::Message::decode(plain.open.clone()).unwrap();
    said.commitment = sealing.commitment.clone();
    let record = Record {
        open: prost::Message::encode_to_vec(&said).into(),
        sealed: Some(sealing.sealed),
        ..plain
    };
    let part = [vec![5; SALT_BYTES], prost::Message::encode_to_vec(&content)].concat();
    (record, part, sealing.commitment)
}

#[tokio::test]
async fn words_are_read_with_a_reason_until_they_are_erased() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    let stage = stage(Arc::clone(&log), dir.path()).await;
    let router = router(&stage, Replayer::Audit(stage.audit.clone()));
    let (record, part, stands) = raise_with_words();
    let path = format!("/v1/audit/words/{}", record.id);
    append(&*log, &[record, command("b", 11)]).await;
    stage.holds(10).await;
    let because = format!("{path}?reason=theo%20y%C3%AAu%20c%E1%BA%A7u");
    let (status, bytes) = get(&router, "auditor", &because).await;
    assert_eq!((status, &bytes[..]), (StatusCode::OK, &part[..]));
    assert_eq!(commitment(&bytes[..SALT_BYTES], &bytes[SALT_BYTES..]), stands);
    // Who looked is in the log before the words leave, once however often, and the reason is not.
    assert_eq!(get(&router, "auditor", &because).await.0, StatusCode::OK);
    let looks: Vec<_> = log
        .records()
        .into_iter()
        .filter(|found| found.key.entity == EntityName::looks(alert("a")))
        .collect();
    let [look] = looks.as_slice() else { panic!("{looks:?}") };
    let said: v1::Command = prost::Message::decode(look.open.clone()).unwrap();
    let Some(v1::command::Body::RecordLook(body)) = said.body else { panic!("{said:?}") };
    assert_eq!((body.looked(), body.duty()), (v1::Looked::Words, v1::Duty::Audit));
    assert!(!look.open.windows(4).any(|some| some == b"theo"), "free text stands sealed");
    assert!(look.seal.bytes().is_some_and(|part| part.windows(4).any(|some| some == b"theo")));

    let no_words = format!("/v1/audit/words/{}?reason=x", RecordId::of_purpose("b"));
    let unknown = format!("/v1/audit/words/{}?reason=x", RecordId::of_purpose("z"));
    let long = format!("{path}?reason={}", "x".repeat(501));
    for (token, path, status) in [
        ("officer", &because, StatusCode::FORBIDDEN),
        ("auditor", &path, StatusCode::BAD_REQUEST),
        ("auditor", &format!("{path}?reason=%20"), StatusCode::BAD_REQUEST),
        ("auditor", &long, StatusCode::BAD_REQUEST),
        ("auditor", &format!("{path}?reason=x&other=y"), StatusCode::BAD_REQUEST),
        ("auditor", &no_words, StatusCode::NOT_FOUND),
        ("auditor", &unknown, StatusCode::NOT_FOUND),
    ] {
        assert_eq!(get(&router, token, path).await.0, status, "{token} {path}");
    }
    let (_, named) = get(&router, "auditor", &path).await;
    assert!(String::from_utf8(named.to_vec()).unwrap().contains("\"reason\""));

    let entity = EntityName::erasure(alert("a"));
    let basis = v1::EraseBasis::Retention.into();
    let ordered = Event::EraseOrdered(v1::EraseOrdered { basis, ..Default::default() });
    append(&*log, &[commit_of(Class::Alert, &entity, 1, "e", 30, vec![ordered])]).await;
    let mut seen = stage.host.directory_seen.clone();
    let is_read = seen.wait_for(|_| stage.host.erasing.is_ordered(alert("a")));
    tokio::time::timeout(PATIENCE, is_read).await.unwrap().unwrap();
    assert_eq!(get(&router, "auditor", &because).await.0, StatusCode::GONE);
    stage.end().await;
}

/// Every file below, but for locks, with its bytes.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = tlog::Folder::at(dir).files().unwrap();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(dir.join(&path)).unwrap())).collect()
}

#[tokio::test]
async fn a_stopped_servers_log_is_read_and_nothing_of_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    append(&*log, &cases(0..70)).await;
    let running = Stage::begin(log.clone(), dir.path());
    let checkpoint = signed(&running, 280).await;
    running.end().await;
    // The log has gone on since, and nothing of that is signed.
    append(&*log, &cases(70..80)).await;
    let before = files(dir.path());
    let read = audit::read_only(dir.path()).unwrap();
    assert_eq!(**read.subscribe_signed().unwrap().borrow().as_ref().unwrap(), *checkpoint);
    drop(read);
    assert_eq!(files(dir.path()), before);

    // What somebody else published is not taken for what was signed here.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Stage::begin(log, elsewhere.path());
    signed(&other, 320).await;
    other.end().await;
    std::fs::copy(elsewhere.path().join("tlog/checkpoint"), dir.path().join("tlog/checkpoint"))
        .unwrap();
    assert!(matches!(audit::read_only(dir.path()), Err(OpenError::Unsigned(_))));
    let never = tempfile::tempdir().unwrap();
    assert!(matches!(audit::read_only(never.path()), Err(OpenError::Unsigned(_))));
}
