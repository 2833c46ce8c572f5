//! A slow disk: the real services over a real journal each of whose syncs takes long.
//!
//! No timeline: what is asked is how soon something comes, in real time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use axum::{Router, body::Body, http::Method};
use chassis::{Clock, Host, VirtualClock, drain::Drained};
use domain::{ids::CommuneCode, rights::Standing};
use event_log_embedded::{EmbeddedLog, EmbeddedOptions};
use registry::{Map, groups::parse_groups};
use serde_json::Value;
use support::Answer;
use tokio::time::timeout;
use wire::actor;

use crate::{
    folder::Folder,
    people::{Person, ask, person_at, request},
    timeline::{WITHIN, fan_out_options, host},
};

/// Noon of 13 April 2025 in Việt Nam, in Unix milliseconds: the services' time stands still.
const NOON_MS: i64 = 1_744_520_400_000;

/// Intake, alerting and fan-out on such a disk.
pub struct SlowDisk {
    host: Host,
    routes: Router,
    log: Arc<EmbeddedLog>,
    count: AtomicU64,
    folder: Folder,
}

impl SlowDisk {
    /// Starts them with these groups, as a file has them.
    ///
    /// # Errors
    /// A service did not start.
    pub async fn start(map: &str, groups: &str, sync: Duration) -> Result<Self> {
        let folder = Folder::new()?;
        let options = EmbeddedOptions::default().with_sync_delay(sync);
        let log = EmbeddedLog::open(&folder.path()?.join("events"), options)?;
        let clock = VirtualClock::at(domain::ids::Millis(NOON_MS));
        let map = Arc::new(Map::parse(map.as_bytes())?);
        let governed = (map, Arc::default());
        let host = host(log.clone(), &clock, governed, "slow-disk");
        let routes = intake::router(intake::start(&host));
        alerting::start(&host);
        fan_out::start(&host, &fan_out_options())?;
        timeout(WITHIN, host.caught_up()).await.context("the read models")?;
        let by = actor::service("acceptance");
        host.clerk.adopt_map(by.clone(), &host.map, clock.now()).await?;
        let groups = parse_groups(groups.as_bytes(), &host.map)?;
        host.clerk.import_groups(by, groups, clock.now()).await?;
        Ok(Self { host, routes, log, count: AtomicU64::new(1), folder })
    }

    /// An officer of a commune.
    ///
    /// # Errors
    /// The token could not be made.
    pub async fn officer(&self, officer: &str, commune: &str) -> Result<Person> {
        let commune: CommuneCode = commune.parse()?;
        let home = self.host.map.home(commune).context("not on the map")?;
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        person_at(&self.host, n, officer, Standing::Officer(home)).await
    }

    /// `POST`, under a key of its own.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn post(&self, person: &Person, path: &str, body: &Value) -> Result<Answer> {
        let key = format!("key-{}", self.count.fetch_add(1, Ordering::Relaxed));
        let request = request(person, Method::POST, path).header("idempotency-key", key);
        ask(&self.routes, request.body(Body::from(body.to_string()))?).await
    }

    /// Stops them in order.
    ///
    /// # Errors
    /// Not everything stopped.
    pub async fn ends(mut self) -> Result<()> {
        self.host.drain.begin("the story ends");
        let drained = timeout(2 * WITHIN, self.host.drain.finished()).await?;
        self.log.close().await;
        ensure!(drained == Drained::Whole, "not everything stopped: {drained:?}");
        self.folder.remove();
        Ok(())
    }
}
