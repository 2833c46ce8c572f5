use std::{sync::Arc, time::Duration};

use chassis::{
    Drain, HostParts, Kind, VirtualClock,
    admin::{hash_of, public_id, token_of},
};
use domain::{
    directory::{TokenFacts, TokenPurpose},
    ids::{Millis, RecordId},
    rights::Standing,
};
use event_log::{Outgoing, memory::MemoryLog};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use registry::Map;
use tonic::{Code, Request, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::{
    v1::server_reflection_client::ServerReflectionClient,
    v1alpha::server_reflection_client::ServerReflectionClient as OldReflectionClient,
};
use wire::{
    actor,
    v1::{self, intake_service_client::IntakeServiceClient},
};

use super::*;

#[path = "alert_grpc_tests.rs"]
mod alert;

#[path = "command_grpc_tests.rs"]
mod command;

#[path = "correction_grpc_tests.rs"]
mod correction;

#[path = "freeze_grpc_tests.rs"]
mod freeze;

#[path = "erase_grpc_tests.rs"]
mod erasures;

#[path = "grpc_match_tests.rs"]
mod matching;

#[path = "look_grpc_tests.rs"]
mod look;

#[path = "preflight_grpc_tests.rs"]
mod preflight;

#[path = "relay_grpc_tests.rs"]
mod relay;

const MAP: &str = r#"{"code":"25126","name":"Đạ Tẻh","type":"xã","province_code":"68","province":"Lâm Đồng","lat":11.58164,"lon":107.45988,"area_geo_km2":145.75,"neighbours":[]}"#;
const INTAKE: &str = "keng.v1.IntakeService";
const WITHIN: Duration = Duration::from_secs(20);

/// A server without ports: intake and alerting over a log in memory.
struct Server {
    host: Host,
    clock: VirtualClock,
    routes: Routes,
    token: String,
}

fn now() -> Millis {
    Millis("2026-11-21T10:00:00Z".parse::<Timestamp>().unwrap().as_millisecond())
}

impl Server {
    async fn begin() -> Self {
        Self::on(MAP).await
    }

    async fn on(map: &str) -> Self {
        let (health, clock) = (Health::new(&["log"]), VirtualClock::at(now()));
        let host = Host::start(HostParts {
            log: Arc::new(MemoryLog::new()),
            outgoing: Outgoing::default(),
            lanes: 1,
            map: Arc::new(Map::parse(map.as_bytes()).unwrap()),
            policies: Arc::default(),
            corridors: registry::corridors::builtin(),
            clock: Arc::new(clock.clone()),
            instance: "one".into(),
            kind: Kind::Real,
            drain: Drain::new(health.clone()),
            health,
            disk: None,
            local: None,
            erasures: None,
        });
        let intake = intake::start(&host.of_service("intake"));
        alerting::start(&host.of_service("alerting"));
        host.caught_up().await;
        let token = token(&host).await;
        let mut served = Served::begin().unwrap();
        served.add_intake(intake);
        let routes = served.routes(&host).await;
        Self { host, clock, routes, token }
    }

    async fn health(&self, service: &str) -> Result<i32, Status> {
        let mut client = HealthClient::new(self.routes.clone());
        let answer = client.check(HealthCheckRequest { service: service.to_owned() }).await;
        answer.map(|answer| answer.into_inner().status)
    }

    async fn raise(&self, alert: &v1::AlertFields, key: &str) -> Result<v1::AlertView, Status> {
        let alert = Some(alert.clone());
        let request = asked(&self.token, key, v1::RaiseAlertRequest { alert });
        let mut client = IntakeServiceClient::new(self.routes.clone());
        Ok(client.raise_alert(request).await?.into_inner().alert.unwrap())
    }

    async fn end(self) {
        self.host.drain.begin("the test");
        self.host.drain.finished().await;
    }
}

async fn token(host: &Host) -> String {
    let home = host.map.home("25126".parse().unwrap()).unwrap();
    token_as(host, "an", Standing::Officer(home), 7).await
}

/// The token of a commander, who can be the second person.
async fn commander(host: &Host) -> String {
    let home = host.map.home("25126".parse().unwrap()).unwrap();
    token_as(host, "binh", Standing::Commander(home), 8).await
}

async fn token_as(host: &Host, officer: &str, standing: Standing, secret: u8) -> String {
    let token = token_of(&[secret; 32]);
    let facts = TokenFacts {
        id: public_id(&token),
        hash: hash_of(&token),
        officer: officer.parse().unwrap(),
        standing,
        expires_at: None,
        purpose: TokenPurpose::Access,
    };
    let id = RecordId::of_purpose(&format!("token/{officer}"));
    host.clerk.make_token(id, actor::service("test"), facts, now()).await.unwrap();
    token
}

/// A request of who has this token, under this key.
fn asked<T>(token: &str, key: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("authorization", format!("Bearer {token}").parse().unwrap());
    metadata.insert("idempotency-key", key.parse().unwrap());
    request
}

fn hours(hours: i64) -> String {
    Timestamp::from_millisecond(now().0 + hours * 3_600_000).unwrap().to_string()
}

/// An exercise's notice, for so many hours.
fn notice(for_hours: i64) -> v1::AlertFields {
    v1::AlertFields {
        kind: "notice".to_owned(),
        status: "exercise".to_owned(),
        commune: "25126".to_owned(),
        headline: "Diễn tập mất điện".to_owned(),
        expires: hours(for_hours),
        reach: Some(v1::ReachFields { mode: "auto".to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

#[tokio::test]
async fn health_answers_for_each_service_that_is_served_and_for_no_other() {
    let server = Server::begin().await;
    let (serving, not_serving) = (ServingStatus::Serving as i32, ServingStatus::NotServing as i32);
    let named = [
        "",
        INTAKE,
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ];
    for (holds, told) in [(None, not_serving), (Some(Ok(())), serving)] {
        if let Some(holds) = holds {
            server.host.health.set("log", holds);
        }
        for name in named {
            let mut client = HealthClient::new(server.routes.clone());
            let request = HealthCheckRequest { service: name.to_owned() };
            let mut changes = client.watch(request).await.unwrap().into_inner();
            let is_told =
                async { while changes.message().await.unwrap().unwrap().status != told {} };
            tokio::time::timeout(WITHIN, is_told).await.unwrap();
            assert_eq!(server.health(name).await.unwrap(), told, "{name}");
        }
    }
    // The audit is not served here.
    for other in ["keng.v1.AuditService", "keng.v1", "intake"] {
        assert_eq!(server.health(other).await.unwrap_err().code(), Code::NotFound, "{other}");
    }
    server.end().await;
}

#[tokio::test]
async fn reflection_speaks_both_versions() {
    use tonic_reflection::pb::{
        v1::{
            ServerReflectionRequest, server_reflection_request::MessageRequest,
            server_reflection_response::MessageResponse,
        },
        v1alpha::{
            ServerReflectionRequest as OldRequest,
            server_reflection_request::MessageRequest as OldMessageRequest,
            server_reflection_response::MessageResponse as OldMessageResponse,
        },
    };
    let server = Server::begin().await;
    let list = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..ServerReflectionRequest::default()
    };
    let mut client = ServerReflectionClient::new(server.routes.clone());
    let answers = client.server_reflection_info(stream::iter([list])).await.unwrap();
    let answer = answers.into_inner().next().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(listed)) = answer else { panic!("{answer:?}") };
    assert!(listed.service.iter().any(|service| service.name == INTAKE), "{listed:?}");

    let symbol = OldRequest {
        message_request: Some(OldMessageRequest::FileContainingSymbol(INTAKE.to_owned())),
        ..OldRequest::default()
    };
    let mut client = OldReflectionClient::new(server.routes.clone());
    let answers = client.server_reflection_info(stream::iter([symbol])).await.unwrap();
    let answer = answers.into_inner().next().await.unwrap().unwrap().message_response;
    assert!(matches!(answer, Some(OldMessageResponse::FileDescriptorResponse(_))), "{answer:?}");
    server.end().await;
}

#[tokio::test]
async fn a_raise_repeated_after_its_expiry_is_answered_as_it_stands() {
    let server = Server::begin().await;
    let expires = Timestamp::from_millisecond(now().0 + 3_600_000).unwrap();
    let alert = v1::AlertFields {
        kind: "notice".to_owned(),
        status: "actual".to_owned(),
        commune: "25126".to_owned(),
        headline: "Mất điện".to_owned(),
        expires: expires.to_string(),
        reach: Some(v1::ReachFields { mode: "auto".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let others = v1::AlertFields { headline: "Có điện".to_owned(), ..alert.clone() };
    let first = server.raise(&alert, "k").await.unwrap();
    assert_eq!(first.state, "active");

    server.clock.advance_ms(7_200_000);
    let expired = async {
        while server.raise(&alert, "k").await.unwrap().state != "expired" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WITHIN, expired).await.unwrap();
    let again = server.raise(&alert, "k").await.unwrap();
    assert_eq!((&again.id, &again.fields), (&first.id, &first.fields));
    // Nor do other bytes pass under the old key; as a new request it is refused.
    let conflict = server.raise(&others, "k").await.unwrap_err();
    assert_eq!(conflict.code(), Code::FailedPrecondition, "{conflict:?}");
    assert!(conflict.message().starts_with("idempotency-conflict"), "{conflict:?}");
    let fresh = server.raise(&alert, "other").await.unwrap_err();
    assert_eq!(fresh.code(), Code::InvalidArgument, "{fresh:?}");
    assert!(fresh.message().contains("expires"), "{fresh:?}");
    server.end().await;
}
