use domain::{
    directory::TokenFacts,
    ids::{EntityName, Home, Millis, OfficerId, RecordId},
    rights::Standing,
};
use event_log::{
    At,
    command::Draft,
    memory::MemoryLog,
    record::{Record, Seal},
};
use wire::actor;

use super::*;
use crate::{
    VirtualClock,
    admin::{hash_of, public_id, token_of},
    auth::token_holder,
};

const MAP: &str = r#"{"code":"25126","name":"Đạ Tẻh","type":"xã","province_code":"68","province":"Lâm Đồng","lat":11.58164,"lon":107.45988,"area_geo_km2":145.75,"neighbours":[]}"#;

fn host(log: &Arc<MemoryLog>, outgoing: &Outgoing) -> Host {
    let health = Health::new(&[]);
    Host::start(HostParts {
        log: log.clone(),
        outgoing: outgoing.clone(),
        lanes: 1,
        map: Arc::new(Map::parse(MAP.as_bytes()).unwrap()),
        policies: Arc::default(),
        corridors: registry::corridors::builtin(),
        clock: Arc::new(VirtualClock::at(Millis(1_000))),
        instance: "one".into(),
        kind: Kind::Real,
        drain: Drain::new(health.clone()),
        health,
        disk: None,
        local: None,
    })
}

async fn make_token(host: &Host, secret: u8) -> String {
    let token = token_of(&[secret; 32]);
    let facts = TokenFacts {
        id: public_id(&token),
        hash: hash_of(&token),
        officer: "an".parse::<OfficerId>().unwrap(),
        standing: Standing::Admin,
        expires_at: None,
    };
    let id = RecordId::of_purpose(&token);
    host.clerk.make_token(id, actor::service("test"), facts, Millis(1_000)).await.unwrap();
    token
}

/// A command that lies in the outbox only.
fn held(entity: EntityName, body: Body) -> Arc<Recorded> {
    let draft = Draft {
        id: RecordId::of_purpose(entity.as_str()),
        entity,
        home: Home::NATION,
        actor: actor::service("test"),
        at: Millis(1_000),
        correlation: bytes::Bytes::new(),
        causation: bytes::Bytes::new(),
        valid_until: None,
        sealing: None,
        sealed_fields: vec![],
        body,
    };
    let Record { id, key, kind, open, .. } = draft.record();
    Arc::new(Recorded { position: At::UNPLACED, id, key, kind, open, seal: Seal::None })
}

#[tokio::test]
async fn a_revocation_that_still_lies_in_the_outbox_holds_from_the_start() {
    let (log, outgoing) = (Arc::new(MemoryLog::new()), Outgoing::default());
    let before = host(&log, &outgoing);
    let (revoked, other) = (make_token(&before, 1).await, make_token(&before, 2).await);
    assert!(token_holder(&before, &revoked).is_some());
    before.drain.begin("killed");
    before.drain.finished().await;

    let id = public_id(&revoked);
    let body = Body::RevokeToken(v1::RevokeToken { id: id.clone() });
    outgoing.hold(held(EntityName::token(&id), body));
    outgoing.hold(held(EntityName::map(), Body::AdoptMap(v1::AdoptMap::default())));
    let after = host(&log, &outgoing);
    after.caught_up().await;
    assert!(token_holder(&after, &revoked).is_none());
    assert!(token_holder(&after, &other).is_some());
    let listed = after.directory.read().tokens().filter(|token| token.revoked).count();
    assert_eq!(listed, 1);
    after.drain.begin("the end");
    after.drain.finished().await;
}

#[tokio::test]
async fn a_service_has_the_host_under_its_own_name() {
    let host = host(&Arc::new(MemoryLog::new()), &Outgoing::default());
    let service = host.of_service("intake");
    assert!(Arc::ptr_eq(&host.map, &service.map) && Arc::ptr_eq(&host.clerk, &service.clerk));
    let token = make_token(&service, 1).await;
    assert!(token_holder(&host, &token).is_some());
    host.drain.begin("the end");
    host.drain.finished().await;
}
