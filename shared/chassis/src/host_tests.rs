use domain::{
    directory::{TokenFacts, TokenPurpose},
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
    host_with(MAP, log, outgoing)
}

fn host_with(map: &str, log: &Arc<MemoryLog>, outgoing: &Outgoing) -> Host {
    let health = Health::new(&[]);
    Host::start(HostParts {
        log: log.clone(),
        outgoing: outgoing.clone(),
        lanes: 1,
        map: Arc::new(Map::parse(map.as_bytes()).unwrap()),
        policies: Arc::default(),
        corridors: registry::corridors::builtin(),
        clock: Arc::new(VirtualClock::at(Millis(1_000))),
        instance: "one".into(),
        kind: Kind::Real,
        drain: Drain::new(health.clone()),
        health,
        disk: None,
        local: None,
        erasures: None,
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
        purpose: TokenPurpose::Access,
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
    let Record { id, key, kind, open, signature, .. } = draft.record();
    Arc::new(Recorded { position: At::UNPLACED, id, key, kind, open, seal: Seal::None, signature })
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

/// The same commune under a changed name, with a header.
fn map_of(version: &str, from: &str) -> String {
    let header = format!(r#"{{"map":{{"version":"{version}","valid_from":"{from}"}}}}"#);
    format!("{header}\n{}", MAP.replace("Đạ Tẻh", version))
}

#[tokio::test]
async fn a_map_that_is_dated_later_takes_the_place_of_the_one_in_force() {
    let (log, outgoing) = (Arc::new(MemoryLog::new()), Outgoing::default());
    let start = async |map: &str| {
        let host = host_with(map, &log, &outgoing);
        host.caught_up().await;
        host
    };
    let adopt = async |host: &Host| {
        host.clerk.adopt_map(actor::service("test"), &host.map, Millis(1_000)).await
    };
    let old = start(&map_of("a", "2025-07-01")).await;
    adopt(&old).await.unwrap();
    adopt(&old).await.unwrap();
    assert!(old.map_fits() && !old.map_follows());

    // What says no dates, or earlier ones, is another map, and stays so.
    let other = Err(registry::ClerkError::Refused {
        code: "other-map".to_owned(),
        field: "sha256".to_owned(),
    });
    for map in [MAP.to_owned(), map_of("b", "2025-06-30")] {
        let wrong = start(&map).await;
        assert!(!wrong.map_fits() && !wrong.map_follows());
        assert_eq!(adopt(&wrong).await, other);
    }

    let new = start(&map_of("b", "2027-01-01")).await;
    assert!(!new.map_fits() && new.map_follows(), "nothing is decided before it is adopted");
    assert!(!new.health.readiness().ready);
    adopt(&new).await.unwrap();
    for (host, fits) in [(&new, true), (&old, false)] {
        let of_map = |it: &crate::health::Condition| it.name == MAP_CONDITION && it.ok == fits;
        let told = async {
            while !host.health.readiness().conditions.iter().any(of_map) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), told).await.unwrap();
        assert_eq!(host.map_fits(), fits);
    }
    let directory = new.directory.read();
    let versions = |maps: &[domain::maps::MapFacts]| -> Vec<_> {
        maps.iter().map(|map| (map.name().to_string(), map.valid.to())).collect()
    };
    let begins = directory.adopted_map().and_then(|map| map.valid.from());
    assert_eq!(versions(directory.maps().before()), [("a".to_owned(), begins)]);
    assert_eq!(directory.version(&EntityName::map()), 4, "one a command, refusals among them");
}
