//! The server of the benchmarks, in a child process: all services on the embedded log, put
//! together as `keng up` does, but for gRPC and the Unix socket.
//!
//! Only here can a sync be delayed.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use chassis::{
    DataDir, Drain, Health, Host, HostParts, Kind, SystemClock,
    admin::{hash_of, public_id, token_of},
    disk::Disk,
    instance::instance_of,
    operators,
    problem::with_fallbacks,
    telemetry,
};
use domain::{
    directory::{TokenFacts, TokenPurpose},
    ids::{CommuneCode, RecordId},
    policy::Policy,
    quiet::QuietHours,
    rights::Standing,
};
use event_log::Outgoing;
use event_log_embedded::{EmbeddedLog, EmbeddedOptions};
use fan_out::FanOutOptions;
use keyring::Keyring;
use local_state::LocalState;
use registry::{Map, groups::read_groups, policies::Policies};
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;
use wire::actor;

use crate::{
    floors::Floors,
    orders::{answer, obey},
};

/// The reserve of free disk that `keng up` keeps by default.
const DISK_RESERVE_BYTES: u64 = 1 << 30;

/// How the child is started.
#[derive(Debug, Clone)]
pub struct Serving<'a> {
    /// Everything is below it.
    pub dir: &'a Path,
    /// Each sync of a journal takes so much longer.
    pub sync_delay: Duration,
    /// The groups, as JSON Lines.
    pub groups: &'a Path,
    /// Deliveries in flight.
    pub in_flight: usize,
    /// The communes of the officers who raise.
    pub communes: &'a [String],
    /// The channels file.
    pub channels: Option<&'a Path>,
}

/// Serves until standard input ends.
///
/// # Errors
/// It cannot start.
pub async fn serve(serving: &Serving<'_>) -> Result<()> {
    let metrics = telemetry::start()?;
    let map = Arc::new(Map::builtin()?);
    let groups = read_groups(serving.groups, &map)?;
    let data = DataDir::open(&serving.dir.join("data"), Kind::Real)?;
    let (local, _) = LocalState::open(&data.path().join("local-state"))?;
    let health = Health::new(&["log"]);
    let drain = Drain::new(health.clone());
    metrics.keep_up(&drain);
    let options = EmbeddedOptions { keyring: Keyring::fresh()?, ..EmbeddedOptions::default() };
    let options = options.with_sync_delay(serving.sync_delay);
    let log = EmbeddedLog::open(&data.path().join("events"), options)?;
    health.set("log", Ok(()));
    let disk = data.path().to_owned();
    let disk = Disk::watch(disk, DISK_RESERVE_BYTES, health.clone(), &drain).await;
    let host = Host::start(HostParts {
        log: Arc::clone(&log) as _,
        outgoing: Outgoing::default(),
        lanes: 1,
        map,
        // One officer raises thousands here.
        policies: Arc::new(Policies::from(Policy {
            raises_per_minute_max: u32::MAX,
            // Whoever measures at night measures the same.
            quiet: QuietHours::NONE,
            ..Policy::default()
        })),
        corridors: registry::corridors::builtin(),
        clock: Arc::new(SystemClock),
        instance: instance_of(&data)?.to_string().into(),
        kind: Kind::Real,
        health: health.clone(),
        drain: drain.clone(),
        disk: Some(disk),
        local: Some(local),
        erasures: None,
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let http = format!("http://{}", listener.local_addr()?);
    let intake = intake::start(&host);
    alerting::start(&host);
    fan_out::start(&host, &fan_out_options(serving, &http))?;
    let _audit = audit::start(&host, data.path(), "keng.example.vn")?;
    let router = operators::router(health, metrics).merge(intake::router(intake));
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    let stop = drain.token();
    drain.spawn("http", async move {
        let serve = axum::serve(listener, with_fallbacks(router));
        // That the port cannot be served shows as a raise without an answer.
        let _ = serve.with_graceful_shutdown(stop.cancelled_owned()).await;
    });

    host.caught_up().await;
    let now = host.clock.now();
    host.clerk.adopt_map(actor::service("bench"), &host.map, now).await?;
    host.clerk.import_groups(actor::service("bench"), groups, now).await?;
    let tokens = tokens(&host, serving.communes).await?;
    let floors = Floors::open(&serving.dir.join("floor"), serving.sync_delay)?;
    answer(&json!({ "http": http, "tokens": tokens }))?;
    let obeyed = obey(floors).await;
    drain.begin("the benchmark is over");
    drain.finished().await;
    log.close().await;
    obeyed
}

fn fan_out_options(serving: &Serving<'_>, http: &str) -> FanOutOptions {
    FanOutOptions {
        allow_private_targets: true,
        public_url: http.to_owned(),
        channels: serving.channels.map(Path::to_owned),
        photos: None,
        folder: std::env::temp_dir(),
        in_flight_max: serving.in_flight,
    }
}

/// Floors alone, for a benchmark whose servers are other processes.
///
/// # Errors
/// It cannot start.
pub async fn floors_only(dir: &Path) -> Result<()> {
    let floors = Floors::open(&dir.join("floor"), Duration::ZERO)?;
    answer(&json!({ "http": "", "tokens": [] }))?;
    obey(floors).await
}

/// The tokens of a commander of each commune.
async fn tokens(host: &Host, communes: &[String]) -> Result<Vec<String>> {
    let mut tokens = Vec::new();
    for (officer, commune) in (0..).zip(communes) {
        tokens.push(token(host, officer, commune).await?);
    }
    Ok(tokens)
}

/// The token of a commander of this commune, one of several.
async fn token(host: &Host, officer: u8, commune: &str) -> Result<String> {
    let commune: CommuneCode = commune.parse()?;
    let home = host.map.home(commune).context("the commune is not on the map")?;
    // It guards nothing but this run.
    let token = token_of(&[0x6b_u8.wrapping_add(officer); 32]);
    let facts = TokenFacts {
        id: public_id(&token),
        hash: hash_of(&token),
        officer: format!("can-bo-{officer}").parse()?,
        standing: Standing::Commander(home),
        expires_at: None,
        purpose: TokenPurpose::Access,
    };
    let id = RecordId(Uuid::now_v7());
    host.clerk.make_token(id, actor::service("bench"), facts, host.clock.now()).await?;
    Ok(token)
}
