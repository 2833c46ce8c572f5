//! Running a server: all services in one process, or one.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use audit::{Audit, Replayer};
use axum::{Router, extract::FromRef};
use chassis::{
    Drain, Health, Host, HostParts, KeyFile, Kind, ServerOptions, Service, Settings, SystemClock,
    admin, disk::Disk, operators, telemetry,
};
use console::{Console, Site, Texts};
use fan_out::{FanOut, FanOutOptions};
use intake::{Intake, IntakeOptions};
use registry::{ClerkError, GroupEntry};
use tonic::service::Routes;
use wire::actor;

use crate::{
    Failed,
    args::UpArgs,
    demo, feeds,
    grpc::Served,
    log::{Log, open_log},
    open::{self, Opened},
    proofs, restored, serving,
    tls::Tls,
};

const RETRY: Duration = Duration::from_secs(1);
/// So long a store of pictures that does not answer keeps a server from serving.
const ERASED_WITHIN: Duration = Duration::from_secs(5);

/// A server, running.
pub(crate) struct Running {
    pub(crate) host: Host,
    pub(crate) http: std::net::SocketAddr,
    pub(crate) audit: Option<Audit>,
    pub(crate) data: std::path::PathBuf,
}

/// `keng up`.
pub(crate) async fn up(args: UpArgs) -> Result<u8, Failed> {
    let kind = if args.demo { Kind::Demo } else { Kind::Real };
    run(Service::Up, args.options, kind).await
}

/// `keng intake`, `keng alerting`, `keng fan-out`, `keng audit`.
pub(crate) async fn one(service: Service, options: ServerOptions) -> Result<u8, Failed> {
    run(service, options, Kind::Real).await
}

async fn run(service: Service, options: ServerOptions, kind: Kind) -> Result<u8, Failed> {
    let settings = options.resolve(service, kind)?;
    let texts = texts(&settings)?;
    let metrics = telemetry::start()?;
    let opened = open::open(&settings)?;
    let health = Health::new(&["log"]);
    say_unencrypted(&settings, &health);
    let drain = Drain::new(health.clone());
    metrics.keep_up(&drain);
    drain.listen().map_err(|error| Failed::Trouble(error.into()))?;
    let log = open_log(&settings, &opened, service.as_str(), &health, &drain).await?;
    health.set("log", Ok(()));
    let host = host_of(&settings, &opened, &log, (&health, &drain)).await?;
    // Another map than the one in force is a wrong configuration: no port is bound then.
    let stop = drain.token();
    tokio::select! {
        () = host.caught_up() => {}
        () = log.unreadable() => {}
        () = stop.cancelled() => {}
    }
    // One that is dated later takes its place, as soon as the directory can be written.
    if !host.map_fits() && !host.map_follows() {
        drain.begin("another map is in force");
        drain.finished().await;
        log.close().await;
        let why = "bản đồ khác với bản đồ đang dùng / the map differs from the one in force";
        return Err(open::wrong("--registry", why));
    }
    let tls = settings.tls.as_ref().map(Tls::open).transpose()?;
    let bound = serving::bind(settings.http, settings.grpc).await?;
    let (http, grpc) = (bound.http_addr, bound.grpc_addr);
    let services = start(service, &settings, &host, &opened, http).await?;
    proofs::attend(log.nats.as_ref(), &host, services.audit.as_ref());
    destroyed(&host).await;
    let everywhere = operators::router(health.clone(), metrics)
        .merge(feeds::open_api())
        .merge(admin::router().with_state(host.clone()));
    let console = Console::new(&host, texts, site(&settings, http)).context("no randomness")?;
    let people = everywhere.clone().merge(console::router(console.clone()));
    let people = people.merge(services.people()).merge(services.pages(&console));
    let local = everywhere.merge(services.local());
    let routes = services.grpc().await?;
    serving::serve((bound, tls), people, local, routes, (&opened.data, &health, &drain))?;

    tokio::select! {
        () = host.caught_up() => {}
        () = log.unreadable() => {}
        () = stop.cancelled() => {}
    }
    write_directory(&host, opened.groups).await?;
    if !stop.is_cancelled() {
        let scheme = scheme(&settings);
        feeds::line(&format!("ready http={scheme}://{http} grpc=http://{grpc}"));
        if service == Service::Up
            && let Some(link) = console.invite_first_admin()
        {
            feeds::line(&format!("admin: {link}"));
        }
    }
    if kind == Kind::Demo {
        let (audit, data) = (services.audit.clone(), settings.data.clone());
        let running = Running { host: host.clone(), http, audit, data };
        let story = demo::run(running);
        drain.spawn("demo", story);
    }
    drain.finished().await;
    log.close().await;
    Ok(drain.exit_code())
}

/// What the operator has chosen, and people must know.
fn say_unencrypted(settings: &Settings, health: &Health) {
    if settings.key_file == KeyFile::None && settings.kind == Kind::Real {
        let why = "dữ liệu không được mã hóa trên đĩa / what is sealed is not encrypted at rest";
        health.banner("key-file", Some(why.to_owned()));
    }
}

/// The host of this process' services. What an older copy does not know to be erased is ordered
/// anew first, so that everybody who reads the log destroys it.
async fn host_of(
    settings: &Settings,
    opened: &Opened,
    log: &Log,
    (health, drain): (&Health, &Drain),
) -> Result<Host, Failed> {
    let data = opened.data.path().to_owned();
    let disk = Disk::watch(data, settings.disk_reserve_bytes, health.clone(), drain).await;
    if let Some(erasures) = &opened.erasures {
        restored::order_anew(erasures, &log.log).await?;
    }
    Ok(Host::start(HostParts {
        log: Arc::clone(&log.log),
        outgoing: log.outgoing.clone(),
        lanes: log.lanes,
        map: Arc::clone(&opened.map),
        policies: Arc::clone(&opened.policies),
        corridors: Arc::clone(&opened.corridors),
        clock: Arc::new(SystemClock),
        instance: Arc::clone(&opened.instance),
        kind: settings.kind,
        health: health.clone(),
        drain: drain.clone(),
        disk: Some(disk),
        local: opened.local.clone(),
        erasures: opened.erasures.clone(),
    }))
}

/// Waits until what was erased is gone: before anybody is answered. Alerts wait for no store of
/// pictures.
async fn destroyed(host: &Host) {
    if tokio::time::timeout(ERASED_WITHIN, host.erasing.settled()).await.is_err() {
        tracing::error!("not everything that was erased is destroyed yet, it is tried again");
    }
}

/// Where people reach intake: as configured, or as this machine has it by default.
fn public_url(service: Service, settings: &Settings, http: std::net::SocketAddr) -> String {
    match (&settings.public_url, service) {
        (Some(url), _) => url.as_str().to_owned(),
        (None, Service::Up) => format!("{}://{http}", scheme(settings)),
        (None, _) => "http://127.0.0.1:8080".to_owned(),
    }
}

fn scheme(settings: &Settings) -> &'static str {
    if settings.tls.is_some() { "https" } else { "http" }
}

/// Where people find the pages. No passkey is for an address, so this machine has its name. What
/// has no TLS, no proxy and no public address is reached from this machine alone.
fn site(settings: &Settings, http: std::net::SocketAddr) -> Site {
    let origin = match &settings.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("{}://localhost:{}", scheme(settings), http.port()),
    };
    let is_only_here = http.ip().is_loopback() && settings.public_url.is_none();
    let takes_tokens = is_only_here && settings.tls.is_none() && !settings.behind_proxy;
    Site { origin, takes_tokens }
}

/// The words of the pages: built in, and of further languages.
fn texts(settings: &Settings) -> Result<Texts, Failed> {
    let texts = Texts::built_in().context("the words of the pages")?;
    match &settings.texts {
        Some(folder) => texts.with_folder(folder).map_err(|why| open::wrong("--texts", why)),
        None => Ok(texts),
    }
}

/// How the audit log is called in its checkpoints, from its first start on: by where people reach
/// this installation, or by a name that no other one has.
fn log_name(settings: &Settings, host: &Host) -> String {
    let public = settings.public_url.as_ref().map(|url| url.as_str());
    let place = public.and_then(|url| url.split_once("://")).map(|(_, place)| place);
    match place.map(|place| place.trim_end_matches('/')).filter(|place| !place.is_empty()) {
        Some(place) => place.to_owned(),
        None => format!("keng.local/{}", host.instance),
    }
}

/// The services of a process.
struct Services {
    intake: Option<Arc<Intake>>,
    fan_out: Option<FanOut>,
    audit: Option<Audit>,
    host: Host,
}

/// What the audit's routes read: its own journal, or the log where this process has no audit.
#[derive(Clone)]
pub(crate) struct Records {
    host: Host,
    replayer: Replayer,
}

impl Records {
    /// The log's own records.
    pub(crate) fn of_log(host: Host) -> Self {
        Self { replayer: Replayer::Log(Arc::clone(&host.log)), host }
    }

    /// The audit's journal, where nothing else runs.
    pub(crate) fn of_audit(host: Host, audit: Audit) -> Self {
        Self { host, replayer: Replayer::Audit(audit) }
    }
}

impl FromRef<Records> for Host {
    fn from_ref(records: &Records) -> Self {
        records.host.clone()
    }
}

impl FromRef<Records> for Replayer {
    fn from_ref(records: &Records) -> Self {
        records.replayer.clone()
    }
}

async fn start(
    service: Service,
    settings: &Settings,
    host: &Host,
    opened: &Opened,
    http: std::net::SocketAddr,
) -> Result<Services, Failed> {
    let runs = |one: Service| service == Service::Up || service == one;
    let of = |one: Service| host.of_service(one.as_str());
    let photos = match runs(Service::Intake) || runs(Service::FanOut) {
        true => Some(open::photos(settings, opened, runs(Service::Intake)).await?),
        false => None,
    };
    let intake = runs(Service::Intake).then(|| {
        let public_url = public_url(service, settings, http);
        let options = IntakeOptions { public_url, photos: photos.clone() };
        intake::start_with(&of(Service::Intake), options)
    });
    if runs(Service::Alerting) {
        alerting::start(&of(Service::Alerting));
    }
    let mut fan_out = None;
    if runs(Service::FanOut) {
        let options = FanOutOptions {
            // The demo's own sink is on loopback.
            allow_private_targets: settings.allow_private_targets || settings.kind == Kind::Demo,
            public_url: public_url(service, settings, http),
            channels: settings.channels.clone(),
            photos,
            folder: open::accounts(&opened.data)?,
            in_flight_max: FanOutOptions::IN_FLIGHT_MAX,
        };
        let started = fan_out::start(&of(Service::FanOut), &options)
            .map_err(|why| open::wrong("--channels", why.to_string()))?;
        fan_out = Some(started);
    }
    let name = log_name(settings, host);
    let start_audit =
        || audit::start_with(&of(Service::Audit), opened.data.path(), &name, &opened.anchors);
    let audit = match runs(Service::Audit).then(start_audit) {
        Some(Ok(audit)) => Some(audit),
        // An incident in the audit never stops raising, relaying, correcting.
        Some(Err(why)) if service == Service::Up => {
            audit::say_stopped(host, &why);
            None
        }
        Some(Err(why)) => return Err(Failed::Trouble(why.into())),
        None => None,
    };
    host.watch_followers();
    Ok(Services { intake, fan_out, audit, host: host.clone() })
}

impl Services {
    fn people(&self) -> Router {
        let intake = self.intake.clone().map(intake::router);
        let fan_out = self.fan_out.clone().map(FanOut::router);
        let audit = self.audit.is_some().then(|| self.records());
        intake.into_iter().chain(fan_out).chain(audit).fold(Router::new(), Router::merge)
    }

    /// The pages of people.
    fn pages(&self, console: &Console) -> Router {
        let intake = self.intake.clone().map(|intake| intake::pages(intake, console.clone()));
        let audit = self
            .audit
            .is_some()
            .then(|| audit::pages(self.host.clone(), self.replayer(), console.clone()));
        intake.into_iter().chain(audit).fold(Router::new(), Router::merge)
    }

    /// What the owner of the machine is served, at any server.
    fn local(&self) -> Router {
        let intake = self.intake.clone().map(intake::local_router);
        let fan_out = self.fan_out.clone().map(FanOut::router);
        intake.into_iter().chain(fan_out).fold(self.records(), Router::merge)
    }

    fn records(&self) -> Router {
        let records = Records { host: self.host.clone(), replayer: self.replayer() };
        audit::router().with_state(records)
    }

    fn replayer(&self) -> Replayer {
        match &self.audit {
            Some(audit) => Replayer::Audit(audit.clone()),
            None => Replayer::Log(Arc::clone(&self.host.log)),
        }
    }

    async fn grpc(&self) -> Result<Routes, Failed> {
        let mut served = Served::begin()?;
        if let Some(intake) = self.intake.clone() {
            served.add_intake(intake);
        }
        if self.audit.is_some() {
            served.add(audit::grpc(&self.host, self.replayer()));
        }
        Ok(served.routes(&self.host).await)
    }
}

/// Writes down which map is in force, and the groups of `--groups`. While the log cannot be
/// written (a broker that is away), it is done later.
async fn write_directory(host: &Host, groups: Vec<GroupEntry>) -> Result<(), Failed> {
    let now = match host.is_caught_up(&[]) {
        true => try_directory(host, groups.clone()).await,
        // What is there already is not known yet.
        false => Err(ClerkError::Unavailable("the log cannot be read".to_owned())),
    };
    match now {
        Ok(()) => Ok(()),
        Err(ClerkError::Refused { code, .. }) => Err(open::wrong("--registry", code)),
        Err(why @ (ClerkError::Unavailable(_) | ClerkError::Held)) => {
            let why = why.to_string();
            tracing::warn!(why, "the directory is written when the log can be");
            let later = host.clone();
            host.drain.spawn("directory-later", async move {
                let stop = later.drain.token();
                tokio::select! {
                    () = later.caught_up() => {}
                    () = stop.cancelled() => return,
                }
                while try_directory(&later, groups.clone()).await.is_err() {
                    tokio::select! {
                        () = tokio::time::sleep(RETRY) => {}
                        () = stop.cancelled() => return,
                    }
                }
            });
            Ok(())
        }
    }
}

async fn try_directory(host: &Host, groups: Vec<GroupEntry>) -> Result<(), ClerkError> {
    let actor = actor::service("keng");
    let now = host.clock.now();
    host.clerk.adopt_map(actor.clone(), &host.map, now).await?;
    // Two processes may start at once: one makes it.
    host.clerk.make_link_key(actor.clone(), now).await?;
    let recorded = host.clerk.import_groups(actor, groups, now).await?;
    if recorded > 0 {
        tracing::info!(recorded, "groups recorded");
    }
    Ok(())
}
