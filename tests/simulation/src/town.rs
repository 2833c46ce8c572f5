//! The town: machines with the real services on them, groups, and people with tokens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, header},
};
use chassis::{Drain, Health, Host, HostParts, Kind, problem::with_fallbacks};
use domain::{
    directory::{TokenFacts, TokenPurpose},
    ids::{CommuneCode, Home, RecordId},
    rights::Standing,
};
use event_log::{Class, EventLog};
use fan_out::FanOutOptions;
use registry::{Map, groups::parse_groups};
use serde_json::{Value, json};
use tower::ServiceExt;
use wire::actor;

use crate::{
    broker::Broker,
    chance::Chance,
    faults::{Faults, Mutation, Setting},
    machine::Machine,
    nasty::NastyLog,
    script::{COMMUNES, PROVINCE, officer_of},
    target::Targets,
    time::Walls,
};

const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Records that a reactor over a broker answers at once.
const LANES: usize = 4;

/// A group: id, commune, kind, whether it takes part in exercises.
const GROUPS: [(&str, &str, &str, bool); 6] = [
    ("g-1", "50001", "hamlet", false),
    ("g-2", "50002", "hamlet", false),
    ("g-2-officers", "50002", "officers", false),
    ("g-3", "50003", "hamlet", true),
    ("g-3-down", "50003", "school", false),
    ("g-4", "50004", "hamlet", false),
];

/// Whether an exercise may be told to this group.
#[must_use]
pub fn takes_exercises(group: &str) -> bool {
    let group = GROUPS.iter().find(|(id, ..)| *id == group);
    group.is_some_and(|(_, _, kind, exercises)| *kind == "officers" || *exercises)
}

/// All groups.
pub fn groups() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().map(|(id, ..)| *id)
}

/// The groups of a commune.
pub fn groups_of(commune: &str) -> impl Iterator<Item = &'static str> {
    GROUPS.iter().filter(move |(_, of, ..)| *of == commune).map(|(id, ..)| *id)
}

/// One process with all services but the audit.
pub struct Running {
    /// What it works with.
    pub host: Host,
    log: NastyLog,
}

/// The routes of people at each machine that runs. Cloning shares them.
#[derive(Clone, Default)]
pub struct Routers(Arc<Mutex<Vec<Option<Router>>>>);

impl Routers {
    /// The routes at a machine; at the next one where that does not run.
    #[must_use]
    pub fn at(&self, number: usize) -> Option<Router> {
        let routers = self.lock();
        let many = routers.len().max(1);
        (0..many).find_map(|n| routers.get((number + n) % many)?.clone())
    }

    fn set(&self, number: usize, router: Option<Router>) {
        let mut routers = self.lock();
        while routers.len() <= number {
            routers.push(None);
        }
        if let Some(place) = routers.get_mut(number) {
            *place = router;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Router>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module.
pub struct Town {
    /// The log's records.
    pub broker: Arc<Broker>,
    /// The machines.
    pub machines: Vec<Arc<Machine>>,
    /// What runs on each.
    pub running: Vec<Option<Running>>,
    /// The routes of people.
    pub routers: Routers,
    /// The clocks.
    pub walls: Walls,
    map: Arc<Map>,
    seed: u64,
    faults: Faults,
    mutation: Option<Mutation>,
    starts: u64,
}

/// An answer, as far as it matters.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Town {
    /// Machines, groups, people; all machines run, and know them.
    ///
    /// # Errors
    /// Something did not start, though nothing has gone wrong yet.
    pub async fn build(
        seed: u64,
        broker: &Arc<Broker>,
        (faults, mutation): (&Faults, Option<Mutation>),
        targets: &Targets,
    ) -> Result<Self> {
        let machines = if faults.setting == Setting::Broker { 2 } else { 1 };
        let mut town = Self {
            broker: Arc::clone(broker),
            machines: (0..machines).map(Machine::new).collect(),
            running: (0..machines).map(|_| None).collect(),
            routers: Routers::default(),
            walls: Walls::new(),
            map: Arc::new(Map::parse(map().as_bytes())?),
            seed,
            faults: faults.clone(),
            mutation,
            starts: 0,
        };
        for machine in 0..machines {
            town.start(machine)?;
        }
        town.people_and_groups(targets).await?;
        let head = broker.lock().head(Class::Alert);
        for running in town.running.iter().flatten() {
            running.host.caught_up().await;
            running.host.directory_seen.clone().wait_for(|seen| *seen >= head).await?;
        }
        Ok(town)
    }

    async fn people_and_groups(&self, targets: &Targets) -> Result<()> {
        let host = &self.running.iter().flatten().next().context("a machine")?.host;
        let (by, now) = (|| actor::service("simulation"), host.clock.now());
        host.clerk.adopt_map(by(), &host.map, now).await?;
        let lines: Vec<String> = GROUPS.iter().map(|group| line_of(group, targets)).collect();
        let entries = parse_groups(lines.concat().as_bytes(), &host.map)?;
        host.clerk.import_groups(by(), entries, now).await?;
        for (officer, standing) in self.people()? {
            let token = token_of(&officer);
            let facts = TokenFacts {
                id: chassis::admin::public_id(&token),
                hash: chassis::admin::hash_of(&token),
                officer: officer.parse()?,
                standing,
                expires_at: None,
                purpose: TokenPurpose::Access,
            };
            let id = RecordId::of_purpose(&format!("token of {officer}"));
            host.clerk.make_token(id, by(), facts, now).await?;
        }
        Ok(())
    }

    fn people(&self) -> Result<Vec<(String, Standing)>> {
        let mut people = vec![(PROVINCE.to_owned(), Standing::Province("99".parse()?))];
        for commune in COMMUNES {
            let home = self.home(commune)?;
            people.push((officer_of(commune), Standing::Officer(home)));
        }
        Ok(people)
    }

    fn home(&self, commune: &str) -> Result<Home> {
        let code: CommuneCode = commune.parse()?;
        self.map.home(code).context("a commune of the map")
    }

    /// Starts a machine that does not run.
    ///
    /// # Errors
    /// Its services do not start.
    pub fn start(&mut self, number: usize) -> Result<()> {
        let Some(machine) = self.machines.get(number).cloned() else { return Ok(()) };
        if self.running.get(number).is_none_or(Option::is_some) {
            return Ok(());
        }
        let (host, log) = self.host(&machine);
        let intake = intake::start(&host);
        alerting::start(&host);
        let options = FanOutOptions {
            allow_private_targets: true,
            public_url: "https://keng.example.vn".to_owned(),
            channels: None,
            photos: None,
            folder: std::env::temp_dir(),
            in_flight_max: FanOutOptions::IN_FLIGHT_MAX,
        };
        fan_out::start(&host, &options)?;
        self.routers.set(number, Some(with_fallbacks(intake::router(intake))));
        if let Some(place) = self.running.get_mut(number) {
            *place = Some(Running { host, log });
        }
        Ok(())
    }

    /// The routes of a process that has read the log from its start, with no state of its own.
    pub async fn newcomer(&mut self) -> Router {
        let (host, _) = self.host(&Machine::new(self.machines.len()));
        let intake = intake::start(&host);
        host.caught_up().await;
        with_fallbacks(intake::router(intake))
    }

    /// The log as somebody sees it who only reads.
    pub fn reader(&mut self) -> NastyLog {
        self.log(&Machine::new(self.machines.len()))
    }

    fn log(&mut self, machine: &Arc<Machine>) -> NastyLog {
        self.starts += 1;
        let chance = Chance::of(self.seed, &format!("log of start {}", self.starts));
        NastyLog::open(&self.broker, machine, (&self.faults, chance), self.mutation)
    }

    fn host(&mut self, machine: &Arc<Machine>) -> (Host, NastyLog) {
        let log = self.log(machine);
        let health = Health::new(&[]);
        let host = Host::start(HostParts {
            outgoing: log.outgoing(),
            log: Arc::new(log.clone()) as Arc<dyn EventLog>,
            lanes: if self.faults.setting == Setting::Broker { LANES } else { 1 },
            map: Arc::clone(&self.map),
            policies: Arc::default(),
            corridors: registry::corridors::builtin(),
            clock: Arc::new(self.walls.of(machine.number)),
            instance: format!("machine-{}", machine.number).into(),
            kind: Kind::Real,
            drain: Drain::new(health.clone()),
            health,
            disk: None,
            local: None,
            erasures: None,
        });
        (host, log)
    }

    /// Kills a machine: nothing that it still does reaches the log, and it calls nobody any more.
    /// Where it is the only one, what was not on its disk is gone.
    pub fn kill(&mut self, number: usize) {
        let Some(running) = self.running.get_mut(number).and_then(Option::take) else { return };
        self.routers.set(number, None);
        running.log.kill();
        running.host.drain.begin("killed");
        running.host.drain.begin("at once");
        if self.faults.setting == Setting::OneMachine {
            self.broker.power_cut();
        }
        self.broker.stir_all();
    }

    /// A machine cannot reach the broker, or can again.
    pub fn away(&self, number: usize, away: bool) {
        if let Some(machine) = self.machines.get(number) {
            machine.away.send_replace(away);
            self.broker.stir_all();
        }
    }
}

/// Asks over HTTP.
///
/// # Errors
/// The answer cannot be read.
pub async fn ask(
    router: Router,
    (officer, method): (&str, Method),
    path: &str,
    (key, body): (&str, Option<&Value>),
) -> Result<Answered> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {}", token_of(officer)))
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", key);
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let Ok(response) = router.oneshot(request.body(body)?).await;
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await?;
    Ok(Answered { status, body: serde_json::from_slice(&bytes).unwrap_or_default() })
}

/// The same in every history.
fn token_of(officer: &str) -> String {
    let mut secret = [7; 32];
    secret.iter_mut().zip(officer.bytes()).for_each(|(to, from)| *to = from);
    // Two officers differ in their last letters, too.
    secret.iter_mut().rev().zip(officer.bytes().rev()).for_each(|(to, from)| *to ^= from);
    chassis::admin::token_of(&secret)
}

fn line_of((id, commune, kind, exercises): &(&str, &str, &str, bool), targets: &Targets) -> String {
    let url = if id.ends_with("down") { targets.down_url(id) } else { targets.url(id) };
    let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let group = json!({
        "id": id,
        "commune": commune,
        "name": format!("Nhóm {id}"),
        "kind": kind,
        "members": 100,
        "exercises": exercises,
        "channels": [{ "type": "webhook", "url": url, "secret": secret }],
    });
    format!("{group}\n")
}

/// A chain of communes in one province.
fn map() -> String {
    let line = |n: usize| {
        let before = n.checked_sub(1).and_then(|n| COMMUNES.get(n));
        let neighbours: Vec<&&str> = before.into_iter().chain(COMMUNES.get(n + 1)).collect();
        let commune = json!({
            "code": COMMUNES.get(n),
            "name": format!("Xã {n}"),
            "type": "xã",
            "province_code": "99",
            "province": "Tỉnh Dài",
            "lat": 10.0 + n as f64 / 100.0,
            "lon": 107.0,
            "area_geo_km2": 10.0,
            "neighbours": neighbours,
        });
        format!("{commune}\n")
    };
    (0..COMMUNES.len()).map(line).collect()
}
