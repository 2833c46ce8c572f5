//! What auditors get over HTTP and gRPC, and others do not.

use std::sync::Arc;

use audit::{Grpc, Replayer};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::FromRef,
    http::{Request, Response, StatusCode},
};
use chassis::host::Host;
use domain::{
    directory::{TokenFacts, TokenPurpose},
    ids::{Home, Millis, RecordId},
    rights::Standing,
};
use event_log::{Class, EventLog, memory::MemoryLog};
use futures::StreamExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use wire::v1::{AlertExpired, ReplayRequest, audit_service_server::AuditService, event::Event};

use crate::stage::{Stage, alert, append, case, command, commit_of, name};

#[derive(Clone)]
struct Process {
    host: Host,
    replayer: Replayer,
}

impl FromRef<Process> for Host {
    fn from_ref(process: &Process) -> Self {
        process.host.clone()
    }
}

impl FromRef<Process> for Replayer {
    fn from_ref(process: &Process) -> Self {
        process.replayer.clone()
    }
}

/// A process with one token for each role; the token is the role's word.
pub(crate) async fn stage(log: Arc<MemoryLog>, dir: &std::path::Path) -> Stage {
    let stage = Stage::begin(log, dir);
    stage.caught_up().await;
    for (token, standing) in
        [("auditor", Standing::Auditor), ("officer", Standing::Officer(Home::NATION))]
    {
        let facts = TokenFacts {
            id: token.to_owned(),
            hash: Sha256::digest(token).into(),
            officer: format!("the-{token}").parse().unwrap(),
            standing,
            expires_at: None,
            purpose: TokenPurpose::Access,
        };
        let id = RecordId::of_purpose(token);
        let actor = wire::actor::service("test");
        stage.host.clerk.make_token(id, actor, facts, Millis(0)).await.unwrap();
    }
    // An officer and a token each, commands and commits.
    stage.holds(8).await;
    stage
}

pub(crate) fn router(stage: &Stage, replayer: Replayer) -> Router {
    audit::router().with_state(Process { host: stage.host.clone(), replayer })
}

async fn get(router: &Router, token: &str, path: &str, accept: &str) -> Response<Body> {
    let request = Request::builder()
        .uri(format!("/v1/audit/records{path}"))
        .header("authorization", format!("Bearer {token}"))
        .header("accept", accept)
        .body(Body::empty());
    router.clone().oneshot(request.unwrap()).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = to_bytes(response.into_body(), 1 << 24).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn json(response: Response<Body>) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

#[tokio::test]
async fn auditors_read_the_records_and_others_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    let stage = stage(log.clone(), dir.path()).await;
    append(&*log, &case("a", 100)).await;
    stage.holds(12).await;
    let router = router(&stage, Replayer::Audit(stage.audit.clone()));

    for (token, path, status) in [
        ("nobody", "", StatusCode::UNAUTHORIZED),
        ("officer", "", StatusCode::FORBIDDEN),
        ("auditor", "?from=yesterday", StatusCode::BAD_REQUEST),
        ("auditor", "", StatusCode::OK),
    ] {
        assert_eq!(get(&router, token, path, "*/*").await.status(), status, "{token} {path}");
    }
    let wrong = json(get(&router, "auditor", "?from=yesterday", "*/*").await).await;
    assert_eq!(wrong["errors"][0]["field"], "from");

    let page = json(get(&router, "auditor", &format!("?alert={}", alert("a")), "*/*").await).await;
    let kinds: Vec<_> = page["records"].as_array().unwrap().iter().map(|r| &r["type"]).collect();
    assert_eq!(kinds, ["RaiseAlert", "AlertIssued", "DeliveriesPlanned", "ReceiptsRecorded"]);
    assert_eq!((&page["next"], &page["records"][0]["position"]), (&Value::Null, &9.into()));
    let first = &page["records"][0];
    assert_eq!((&first["at"], &first["version"]), (&"1970-01-01T00:00:00.100Z".into(), &0.into()));

    let response = get(&router, "auditor", "?commune=25126", "application/x-ndjson").await;
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let lines = text(response).await;
    assert_eq!(lines.lines().count(), 4, "tokens are at home in no commune");
    assert!(lines.lines().all(|line| serde_json::from_str::<history::Line>(line).is_ok()));
    // The tokens' own hashes are facts; the tokens are nowhere.
    let everything = text(get(&router, "auditor", "", "application/x-ndjson").await).await;
    assert_eq!(everything.lines().count(), 12);
    stage.end().await;
}

#[tokio::test]
async fn pages_follow_each_other_and_keep_a_record_whole() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    let stage = stage(log.clone(), dir.path()).await;
    // 999 lines, and then a commit of three events, which does not fit on the page any more.
    append(&*log, &[command("c0", 1)]).await;
    for n in 1..=990_u64 {
        append(&*log, &[command(&format!("c{n}"), 1)]).await;
    }
    let events = vec![Event::AlertExpired(AlertExpired { revision: 1 }); 3];
    append(&*log, &[commit_of(Class::Alert, &name("c0"), 1, "c0", 2, events)]).await;
    stage.holds(1_000).await;
    let router = router(&stage, Replayer::Audit(stage.audit.clone()));
    let first = json(get(&router, "auditor", "", "*/*").await).await;
    assert_eq!((first["records"].as_array().unwrap().len(), &first["next"]), (999, &999.into()));
    let second = json(get(&router, "auditor", "?after=999", "*/*").await).await;
    let versions: Vec<_> = second["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (&r["position"], &r["type"]))
        .collect();
    assert_eq!(versions, [(&1_000.into(), &"AlertExpired".into()); 3]);
    assert_eq!(second["next"], Value::Null);
    stage.end().await;
}

#[tokio::test]
async fn a_process_without_an_audit_replays_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    let stage = stage(log.clone(), dir.path()).await;
    append(&*log, &case("a", i64::MAX / 2)).await;
    stage.holds(12).await;
    let of_log = router(&stage, Replayer::Log(Arc::clone(&log) as Arc<dyn EventLog>));
    let of_audit = router(&stage, Replayer::Audit(stage.audit.clone()));
    let path = format!("?alert={}&after=9", alert("a"));
    let shown = async |router| json(get(router, "auditor", &path, "*/*").await).await;
    let records = shown(&of_log).await;
    assert_eq!(records["records"].as_array().unwrap().len(), 3);
    assert_eq!(records, shown(&of_audit).await);
    stage.end().await;
}

#[tokio::test]
async fn grpc_replays_for_auditors_only() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    let stage = stage(log.clone(), dir.path()).await;
    append(&*log, &case("a", 100)).await;
    stage.holds(12).await;
    let replayer = Replayer::Audit(stage.audit.clone());
    let service = Grpc::new(&stage.host, replayer);
    let ask = async |token: &str, alert: &str| {
        let message = ReplayRequest { alert: alert.to_owned(), from_ms: 101, ..Default::default() };
        let mut request = tonic::Request::new(message);
        let token = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", token);
        service.replay(request).await
    };
    let refused = async |token, alert| ask(token, alert).await.err().unwrap().code();
    assert_eq!(refused("nobody", "").await, tonic::Code::Unauthenticated);
    assert_eq!(refused("officer", "").await, tonic::Code::PermissionDenied);
    assert_eq!(refused("auditor", "x").await, tonic::Code::InvalidArgument);
    let lines = ask("auditor", &alert("a").to_string()).await.unwrap().into_inner();
    let lines: Vec<_> = lines.map(|line| line.unwrap()).collect().await;
    assert_eq!((lines.len(), lines[0].r#type.as_str()), (3, "AlertIssued"));
    assert_eq!((lines[0].at_ms, lines[0].data_json.as_str()), (101, "{}"));
    stage.end().await;
}
