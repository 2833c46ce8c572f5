//! The timeline: the services, the clock that it moves, and waiting until all is quiet.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use audit::{Audit, Replayer};
use axum::{Router, extract::FromRef};
use chassis::{
    Clock, Drain, Health, Host, HostParts, Kind, VirtualClock, admin, drain::Drained,
    holdings::Holdings, problem::with_fallbacks,
};
use console::{Console, Site, Texts};
use domain::ids::Millis;
use event_log::{
    Class, EventLog, Outgoing, Recorded,
    follower::Cursor,
    memory::MemoryLog,
    projection::{self, Project},
};
use fan_out::{FanOut, FanOutOptions};
use intake::IntakeOptions;
use jiff::{civil, tz};
use registry::{Map, Policies, groups::parse_groups};
use support::{Call, Sink};
use tokio::{sync::watch, time::timeout};
use wire::actor;

use crate::{
    browser,
    folder::Folder,
    group::{Group, path_of},
    ledger::{Known, Ledger},
    target::{Down, Holding},
};

/// The bound around every wait; real time.
pub const WITHIN: Duration = Duration::from_secs(10);

/// Which services a timeline begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// All of them.
    All,
    /// All but alerting, which a story starts later.
    WithoutAlerting,
    /// All but fan-out, which runs in instances of the story's own.
    WithoutFanOut,
}

/// One story's world. Times of day are Việt Nam's.
pub struct Timeline {
    pub(crate) host: Host,
    pub(crate) router: Router,
    /// The pages.
    pub console: Console,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) audit: Audit,
    /// What makes tokens and keys differ.
    pub(crate) count: AtomicU64,
    pub(crate) clock: VirtualClock,
    day: civil::Date,
    /// Rises with every record.
    told: watch::Sender<u64>,
    alerting: AtomicBool,
    sinks: Vec<Sink>,
    holdings: BTreeMap<String, Holding>,
    /// Groups of which nothing is waited for, for now.
    left_out: Mutex<BTreeSet<String>>,
    folder: Folder,
}

#[derive(Clone)]
struct App {
    host: Host,
    replayer: Replayer,
}

impl FromRef<App> for Host {
    fn from_ref(app: &App) -> Self {
        app.host.clone()
    }
}

impl FromRef<App> for Replayer {
    fn from_ref(app: &App) -> Self {
        app.replayer.clone()
    }
}

impl Timeline {
    /// Midnight of a day, as `2025-04-13`, with this map.
    ///
    /// # Errors
    /// A service did not start.
    pub async fn on(day: &str, map: &str) -> Result<Self> {
        Self::begin(day, map, Started::All).await
    }

    /// As [`Self::on`], with these services.
    ///
    /// # Errors
    /// A service did not start.
    pub async fn begin(day: &str, map: &str, started: Started) -> Result<Self> {
        Self::governed((day, map, ""), started).await
    }

    /// As [`Self::on`], with a channels file: accounts with the stand-ins of providers. Secrets
    /// stand in files of their own.
    ///
    /// # Errors
    /// An account is wrong, or a service did not start.
    pub async fn with_channels((day, map, channels): (&str, &str, &str)) -> Result<Self> {
        Self::set_up((day, map, ""), Some(channels), Started::All).await
    }

    /// As [`Self::begin`], with policies, as their file has them.
    ///
    /// # Errors
    /// The policies are wrong, or a service did not start.
    pub async fn governed(
        (day, map, policies): (&str, &str, &str),
        started: Started,
    ) -> Result<Self> {
        Self::set_up((day, map, policies), None, started).await
    }

    async fn set_up(
        (day, map, policies): (&str, &str, &str),
        channels: Option<&str>,
        started: Started,
    ) -> Result<Self> {
        let day: civil::Date = day.parse()?;
        let clock = VirtualClock::at(instant(day.at(0, 0, 0, 0))?);
        let log = Arc::new(MemoryLog::new());
        let map = Arc::new(Map::parse(map.as_bytes())?);
        let policies = Arc::new(Policies::parse(policies.as_bytes(), &map)?);
        let host = host(log.clone(), &clock, (map, policies), "acceptance");
        let told = watch::Sender::new(0);
        for class in Class::ALL {
            let watching = Watching { told: told.clone(), cursor: None };
            let run = projection::run(log.clone(), class, watching, host.drain.token());
            host.drain.spawn("timeline", run);
        }
        let folder = Folder::new()?;
        let channels = channels.map(|text| folder.write("channels.toml", text)).transpose()?;
        let intake = intake::start_with(&host, intake_options());
        let site = Site { origin: browser::ORIGIN.to_owned(), takes_tokens: true };
        let console = Console::new(&host, Texts::built_in()?, site)?;
        let pages = console::router(console.clone());
        let pages = pages.merge(intake::pages(Arc::clone(&intake), console.clone()));
        if started != Started::WithoutAlerting {
            alerting::start(&host);
        }
        let fan_out = match started {
            Started::WithoutFanOut => None,
            _ => Some(fan_out::start(&host, &FanOutOptions { channels, ..fan_out_options() })?),
        };
        let audit = audit::start(&host, folder.path()?, "keng.example.vn")?;
        let app = App { host: host.clone(), replayer: Replayer::Audit(audit.clone()) };
        let others = audit::router::<App>().merge(admin::router()).with_state(app);
        timeout(WITHIN, host.caught_up()).await.context("the read models")?;
        host.clerk.adopt_map(actor::service("acceptance"), &host.map, clock.now()).await?;
        host.clerk.make_link_key(actor::service("acceptance"), clock.now()).await?;
        let routes = fan_out.map(FanOut::router).into_iter();
        let routes = routes.fold(intake::router(intake).merge(others).merge(pages), Router::merge);
        Ok(Self {
            router: with_fallbacks(routes),
            ledger: Mutex::new(Ledger::of(&host)),
            host,
            console,
            log,
            groups: BTreeMap::new(),
            audit,
            count: AtomicU64::new(1),
            clock,
            day,
            told,
            alerting: AtomicBool::new(started != Started::WithoutAlerting),
            sinks: vec![Sink::start().await?],
            holdings: BTreeMap::new(),
            left_out: Mutex::default(),
            folder,
        })
    }

    /// Starts alerting, where the timeline began without it.
    ///
    /// # Errors
    /// It has not read the log in time.
    pub async fn start_alerting(&self) -> Result<()> {
        alerting::start(&self.host);
        timeout(WITHIN, self.host.caught_up()).await.context("alerting")?;
        self.decides(true);
        Ok(())
    }

    /// Whether anybody decides from now on, where alerting runs in instances of the story's own.
    pub fn decides(&self, whether: bool) {
        self.alerting.store(whether, Ordering::Relaxed);
    }

    /// Groups as a file has them: new ones, or those there are with what has changed.
    ///
    /// # Errors
    /// They are no groups.
    pub async fn groups(&mut self, groups: impl IntoIterator<Item = Group>) -> Result<()> {
        let base = self.sink()?.url("");
        let mut lines = String::new();
        for group in groups {
            lines.push_str(&format!("{}\n", group.to_json(&base)));
            self.groups.insert(group.id.clone(), group);
        }
        let entries = parse_groups(lines.as_bytes(), &self.host.map)?;
        let (by, now) = (actor::service("acceptance"), self.now());
        self.host.clerk.import_groups(by, entries, now).await?;
        Ok(())
    }

    /// A target for this group that takes calls and answers none before it is released. Until
    /// then nothing of it is waited for.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn hold(&mut self, group: Group) -> Result<Group> {
        let holding = Holding::start().await?;
        let group = group.at(&holding.base());
        self.holdings.insert(group.id.clone(), holding);
        Ok(group)
    }

    /// The target that holds this group's calls.
    ///
    /// # Errors
    /// There is none.
    pub fn holding(&self, group: &str) -> Result<&Holding> {
        self.holdings.get(group).with_context(|| format!("nobody holds {group}"))
    }

    /// From now on nothing of this group is waited for: nobody can call it, as the story knows.
    pub fn leave_out(&self, group: &str) {
        self.left_out().insert(group.to_owned());
    }

    /// Ends what [`Self::leave_out`] began.
    pub fn count_in(&self, group: &str) {
        self.left_out().remove(group);
    }

    /// What was down comes up, and takes calls from now on.
    ///
    /// # Errors
    /// The port was lost.
    pub async fn comes_up(&mut self, down: Down) -> Result<()> {
        self.sinks.push(Sink::start_at(down.address()).await?);
        Ok(())
    }

    /// The sink where groups are called unless a story says otherwise, to be scripted.
    ///
    /// # Errors
    /// Never: there is one from the start.
    pub fn sink(&self) -> Result<&Sink> {
        self.sinks.first().context("a sink")
    }

    /// Every call that anybody took, in the order in which they came.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        let mut calls: Vec<Call> = self.sinks.iter().flat_map(Sink::calls).collect();
        calls.extend(self.holdings.values().flat_map(|holding| holding.seen().all()));
        calls.sort_by_key(|call| call.at);
        calls
    }

    /// The calls to one group.
    #[must_use]
    pub fn calls_to(&self, group: &str) -> Vec<Call> {
        let path = path_of(group);
        self.calls().into_iter().filter(|call| call.path == path).collect()
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// A time of the timeline's day, as `17:30` or `17:30:05`, or of another, as
    /// `2025-04-14 06:00`.
    ///
    /// # Errors
    /// It is no time.
    pub fn time(&self, text: &str) -> Result<Millis> {
        let at = match text.split_once(' ') {
            Some((day, time)) => day.parse::<civil::Date>()?.to_datetime(time.parse()?),
            None => self.day.to_datetime(text.parse()?),
        };
        instant(at)
    }

    /// The same as RFC 3339 writes it.
    ///
    /// # Errors
    /// It is no time.
    pub fn rfc3339(&self, text: &str) -> Result<String> {
        let at = jiff::Timestamp::from_millisecond(self.time(text)?.0)?;
        Ok(at.display_with_offset(tz::offset(7)).to_string())
    }

    /// Moves the clock to this time, from one thing that is due to the next, each done before
    /// the clock goes on.
    ///
    /// # Errors
    /// Something that was due did not happen, or the time lies behind.
    pub async fn at(&self, time: &str) -> Result<&Self> {
        let until = self.time(time)?;
        ensure!(self.now() <= until, "{time} lies behind");
        self.settle().await?;
        while self.now() < until {
            let due = self.read()?.next_due(self.known(&self.held()));
            // A service may not have asked the clock yet for what the log says is due.
            self.clock.step(due.unwrap_or(until).min(until));
            self.settle().await?;
        }
        Ok(self)
    }

    /// Waits until all that is due has been done.
    ///
    /// # Errors
    /// Something was not.
    pub async fn settle(&self) -> Result<()> {
        let mut told = self.told.subscribe();
        let quiet = async {
            loop {
                told.borrow_and_update();
                if self.unsettled()?.is_none() {
                    return Ok(());
                }
                told.changed().await?;
            }
        };
        match timeout(WITHIN, quiet).await {
            Ok(done) => done,
            Err(_) => bail!("at {}: still to come: {:?}", self.now().0, self.unsettled()?),
        }
    }

    /// Ends the story: what must hold in every one is checked, and everything stops in order.
    ///
    /// # Errors
    /// Something does not hold, or did not stop.
    pub async fn ends(mut self) -> Result<()> {
        self.holdings.values().for_each(Holding::release);
        self.settle().await?;
        crate::invariants::check(&self)?;
        let compared = audit::compared(&self.host).await?;
        ensure!(compared.same, "live state is not what the log says: {:?}", compared.differences);
        self.host.drain.begin("the story ends");
        let drained = timeout(2 * WITHIN, self.host.drain.finished()).await?;
        ensure!(drained == Drained::Whole, "not everything stopped: {drained:?}");
        self.folder.remove();
        Ok(())
    }

    /// Reads the log to its end.
    pub(crate) fn read(&self) -> Result<MutexGuard<'_, Ledger>> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.read(&self.log)?;
        Ok(ledger)
    }

    /// Waits until the log says this; it need not be quiet.
    ///
    /// # Errors
    /// It does not, in time.
    pub async fn until(&self, what: &str, says: impl Fn(&Ledger) -> bool) -> Result<()> {
        let mut told = self.told.subscribe();
        let said = async {
            loop {
                told.borrow_and_update();
                if says(&*self.read()?) {
                    return Ok(());
                }
                told.changed().await?;
            }
        };
        timeout(WITHIN, said).await.with_context(|| format!("it did not come: {what}"))?
    }

    /// Who holds what folded, to be compared with the log.
    #[must_use]
    pub fn live_state(&self) -> &Holdings {
        &self.host.holdings
    }

    /// The log, whose disk a story may hold up.
    #[must_use]
    pub fn log(&self) -> &MemoryLog {
        &self.log
    }

    fn left_out(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unsettled(&self) -> Result<Option<String>> {
        Ok(self.read()?.unsettled(self.known(&self.held())))
    }

    fn held(&self) -> BTreeSet<String> {
        let holding = self.holdings.iter().filter(|(_, holding)| !holding.is_released());
        holding.map(|(group, _)| group.clone()).chain(self.left_out().iter().cloned()).collect()
    }

    fn known<'a>(&'a self, held: &'a BTreeSet<String>) -> Known<'a> {
        Known { now: self.now(), alerting: self.alerting.load(Ordering::Relaxed), held }
    }
}

/// The host of one process of a story.
pub(crate) fn host(
    log: Arc<dyn EventLog>,
    clock: &VirtualClock,
    (map, policies): (Arc<Map>, Arc<Policies>),
    instance: &str,
) -> Host {
    let health = Health::new(&[]);
    Host::start(HostParts {
        log,
        outgoing: Outgoing::default(),
        lanes: 1,
        map,
        policies,
        corridors: registry::corridors::builtin(),
        clock: Arc::new(clock.clone()),
        instance: instance.into(),
        kind: Kind::Real,
        drain: Drain::new(health.clone()),
        health,
        disk: None,
        local: None,
        erasures: None,
    })
}

/// Where people reach intake in every story, as they are told.
pub const PUBLIC_URL: &str = "https://keng.example.vn";

/// How intake is set in every story.
pub(crate) fn intake_options() -> IntakeOptions {
    IntakeOptions { public_url: PUBLIC_URL.to_owned(), photos: None }
}

/// How fan-out is set in every story that has no channels file.
pub(crate) fn fan_out_options() -> FanOutOptions {
    FanOutOptions {
        allow_private_targets: true,
        public_url: PUBLIC_URL.to_owned(),
        channels: None,
        photos: None,
        folder: std::env::temp_dir(),
        in_flight_max: FanOutOptions::IN_FLIGHT_MAX,
    }
}

/// Việt Nam's civil time, the whole year.
fn instant(at: civil::DateTime) -> Result<Millis> {
    let at = tz::offset(7).to_timestamp(at)?;
    Ok(Millis(at.as_millisecond()))
}

/// Says that there is a new record, and nothing else.
struct Watching {
    told: watch::Sender<u64>,
    cursor: Option<Cursor>,
}

impl Project for Watching {
    fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    fn apply(&mut self, recorded: &Arc<Recorded>) {
        self.cursor = Some(Cursor::on(recorded));
        self.told.send_modify(|count| *count += 1);
    }

    fn begin_anew(&mut self) {
        self.cursor = None;
    }

    fn caught_up(&mut self) {}
}
