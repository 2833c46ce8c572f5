use domain::ids::{EntityName, Home, Millis, RecordId};
use event_log::{
    Outgoing,
    command::Draft,
    memory::MemoryLog,
    reactor::{self, Handled, React, Reaction},
};
use registry::Map;
use tokio::{
    sync::Semaphore,
    time::{advance, sleep},
};

use super::*;
use crate::{Drain, Host, HostParts, Kind as DataKind, VirtualClock};

const MAP: &str = r#"{"code":"25126","name":"Đạ Tẻh","type":"xã","province_code":"68","province":"Lâm Đồng","lat":11.58164,"lon":107.45988,"area_geo_km2":145.75,"neighbours":[]}"#;
const BEGIN: Millis = Millis(1_000_000);

/// A process whose clocks, tokio's and its own, go on together.
struct Process {
    log: Arc<MemoryLog>,
    host: Host,
    clock: VirtualClock,
    written: u32,
}

impl Process {
    async fn begin() -> Self {
        let (log, clock) = (Arc::new(MemoryLog::new()), VirtualClock::at(BEGIN));
        let health = Health::new(&[]);
        let host = Host::start(HostParts {
            log: log.clone(),
            outgoing: Outgoing::default(),
            lanes: 1,
            map: Arc::new(Map::parse(MAP.as_bytes()).unwrap()),
            policies: Arc::default(),
            corridors: registry::corridors::builtin(),
            clock: Arc::new(clock.clone()),
            instance: "one".into(),
            kind: DataKind::Real,
            drain: Drain::new(health.clone()),
            health,
            disk: None,
            local: None,
            erasures: None,
        });
        host.caught_up().await;
        host.watch_followers();
        Self { log, host, clock, written: 0 }
    }

    async fn write(&mut self) {
        self.written += 1;
        let draft = Draft {
            id: RecordId::of_purpose(&format!("{}", self.written)),
            entity: EntityName::map(),
            home: Home::NATION,
            actor: v1::Actor::default(),
            at: self.clock.now(),
            correlation: bytes::Bytes::new(),
            causation: bytes::Bytes::new(),
            valid_until: None,
            sealing: None,
            sealed_fields: vec![],
            body: v1::command::Body::AdoptMap(v1::AdoptMap::default()),
        };
        self.log.append(vec![draft.record()]).await.unwrap();
    }

    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.advance_ms(1_000);
            advance(Duration::from_secs(1)).await;
            // Time is paused: this ends when everybody who was woken has nothing left to do.
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn why(&self) -> Option<String> {
        let readiness = self.host.health.readiness();
        let condition = readiness.conditions.into_iter().find(|one| one.name == CONDITION);
        condition.map(|condition| condition.why)
    }

    async fn end(self) {
        self.host.drain.begin("the test");
        self.host.drain.finished().await;
    }
}

/// Answers one record for each permit.
struct Slow(Arc<Semaphore>);

impl React for Slow {
    fn react(&self, _: Arc<Recorded>) -> BoxFuture<'_, Handled> {
        Box::pin(async {
            self.0.acquire().await.unwrap().forget();
            Handled::Done(vec![])
        })
    }
}

/// Puts every record off, as one of an entity that is held.
struct Never;

impl React for Never {
    fn react(&self, _: Arc<Recorded>) -> BoxFuture<'_, Handled> {
        Box::pin(async { Handled::Later })
    }
}

fn react(process: &Process, lanes: usize, reactor: Arc<dyn React>) {
    let host = process.host.of_service("slow");
    let reaction = Reaction { name: "slow", class: Class::Command, lanes };
    let run = reactor::run(Arc::clone(&host.log), reaction, reactor, host.drain.token());
    host.drain.spawn("slow", run);
}

#[tokio::test(start_paused = true)]
async fn a_reactor_that_does_not_answer_is_named_until_it_does() {
    for lanes in [1, 4] {
        let mut process = Process::begin().await;
        let permits = Arc::new(Semaphore::new(1));
        react(&process, lanes, Arc::new(Slow(Arc::clone(&permits))));
        process.write().await;
        process.pass(30).await;
        assert_eq!(process.why().as_deref(), Some(""), "it is idle");

        process.write().await;
        process.pass(9).await;
        assert_eq!(process.why().as_deref(), Some(""), "not for so long yet");
        process.pass(4).await;
        let why = "slow (command) chậm hơn 10 s / slow (command) is over 10 s behind";
        assert_eq!(process.why().as_deref(), Some(why));
        assert!(!process.host.health.readiness().ready);
        process.pass(10).await;
        let why = "slow (command) chậm hơn 20 s / slow (command) is over 20 s behind";
        assert_eq!(process.why().as_deref(), Some(why));

        permits.add_permits(1);
        process.pass(2).await;
        assert_eq!(process.why().as_deref(), Some(""));
        assert!(process.host.health.readiness().ready);
        process.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_reactor_that_answers_too_slowly_is_named_until_it_has_caught_up() {
    let mut process = Process::begin().await;
    let permits = Arc::new(Semaphore::new(0));
    react(&process, 1, Arc::new(Slow(Arc::clone(&permits))));
    for _ in 0..40 {
        process.write().await;
    }
    for second in 1..=40 {
        permits.add_permits(1);
        process.pass(1).await;
        let behind = process.why().is_some_and(|why| !why.is_empty());
        match second {
            // What it gets is fresh enough at first.
            ..=18 => assert!(!behind, "after {second} s"),
            24..=38 => assert!(behind, "after {second} s"),
            _ => {}
        }
    }
    process.pass(2).await;
    assert_eq!(process.why().as_deref(), Some(""));
    process.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_held_and_comes_again_is_no_lag() {
    let mut process = Process::begin().await;
    react(&process, 1, Arc::new(Never));
    process.write().await;
    process.pass(60).await;
    assert_eq!(process.why().as_deref(), Some(""));
    process.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_projection_is_named_once_it_has_caught_up_and_forgotten_when_it_ends() {
    let mut process = Process::begin().await;
    process.write().await;
    let host = process.host.of_service("late");
    let following = Following { class: Class::Command, role: Role::Projection, from: None };
    let mut late = host.log.follow(following).await.unwrap();
    assert!(matches!(late.next().await, Ok(Step::Record(_))));
    process.pass(30).await;
    assert_eq!(process.why().as_deref(), Some(""), "its own condition says that it reads");
    assert!(matches!(late.next().await, Ok(Step::CaughtUp)));
    process.write().await;
    assert!(matches!(late.next().await, Ok(Step::Record(_))));
    process.pass(15).await;
    assert!(process.why().is_some_and(|why| why.contains("late (command)")), "{:?}", process.why());
    drop(late);
    process.pass(2).await;
    assert_eq!(process.why().as_deref(), Some(""));
    process.end().await;
}
