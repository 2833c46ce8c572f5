//! Fan-out takes each alert's news to the groups of each commune it was relayed to.
//!
//! It records each intent before it acts, and never claims more than it knows. It decides
//! nothing about alerts.

mod begin;
mod behind;
mod book;
mod breaker;
mod erased;
mod fallback;
mod http;
mod inbound;
mod lease;
mod leave;
mod outlets;
mod pictures;
mod plan;
mod pool;
mod post;
mod rates;
mod receive;
mod send;
mod settle;
mod turn;

pub mod accounts;
pub mod channels;
pub mod secret;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

pub use http::FanOut;

use accounts::{Accounts, BadAccounts, Tools};
use channels::{address::Guard, http::Http, webhook::WebhookOptions};
use chassis::Host;
use event_log::{Class, projection, reactor};
use photos::Photos;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// What an account's own connection brought: the account, and what was said.
type Heard = (Arc<str>, channels::Inbound);

/// What must have been read before anything is planned or sent. The audit is not among them.
const READ: [&str; 3] = ["directory", "plans", "receipts"];

/// Receipts that accounts have taken and nobody has looked at yet. An account waits beyond that.
const RECEIPTS_MAX: usize = 8_192;

/// How this service is set.
#[derive(Debug, Clone)]
pub struct FanOutOptions {
    /// Whether webhooks may lead to loopback and private addresses.
    pub allow_private_targets: bool,
    /// Where people reach intake, without a slash at the end.
    pub public_url: String,
    /// The channels file; `None` where nothing but webhooks is set up.
    pub channels: Option<PathBuf>,
    /// Where pictures lie; `None` where nothing reads them.
    pub photos: Option<Photos>,
    /// A folder of this process for what accounts must remember.
    pub folder: PathBuf,
    /// Deliveries under way at once, slow ones apart.
    pub in_flight_max: usize,
}

impl FanOutOptions {
    /// 32 in flight were best on two cores: `cargo xtask bench` tries others.
    pub const IN_FLIGHT_MAX: usize = 32;

    fn accounts(&self, receipts: mpsc::Sender<Heard>) -> Result<Accounts, BadAccounts> {
        let tools = Tools {
            http: Http::new()?,
            guard: Guard::new(self.allow_private_targets),
            folder: self.folder.clone(),
            public_url: self.public_url.clone(),
            receipts,
        };
        let webhooks = WebhookOptions {
            allow_private_targets: self.allow_private_targets,
            ..WebhookOptions::default()
        };
        Accounts::open(self.channels.as_deref(), &webhooks, &tools)
    }
}

/// Starts the service in this process.
///
/// # Errors
/// The channels file, or this machine, is wrong.
pub fn start(host: &Host, options: &FanOutOptions) -> Result<FanOut, BadAccounts> {
    let (heard, hearing) = mpsc::channel(RECEIPTS_MAX);
    let accounts = options.accounts(heard)?;
    let stop = host.drain.token();
    let books = book::Books::default();
    let names = Arc::new(Mutex::new(inbound::Names::default()));
    let attempts = TaskTracker::new();
    let (receipts, batching) = receive::batching(host, &attempts);
    let (beginning, begins) = begin::begins(host);
    let inbox = inbound::Inbox::new(host, &books, &names, receipts.clone());
    host.drain.spawn("fan-out-heard", inbox.clone().hear(hearing));
    let ways_out = (receipts, beginning, attempts);
    let desk = send::Desk::new(host, &books, &accounts, ways_out, options);
    let desk = Arc::new(desk);
    host.erasing.add(Arc::new(erased::Kept(Arc::downgrade(&desk))));

    for class in [Class::Delivery, Class::Receipt] {
        let following = book::Following::new(host, (&books, &names), &desk, class);
        let run = projection::run(Arc::clone(&host.log), class, following, stop.clone());
        host.drain.spawn("fan-out-books", run);
    }
    host.drain.spawn("fan-out-receipts", batching.run());
    host.drain.spawn("fan-out-begins", begins.run());
    host.drain.spawn("fan-out-retries", Arc::clone(&desk).run());

    let planning = Arc::new(plan::Planning::new(host, &books));
    let (plans, lanes) = (Arc::downgrade(&planning), books.clone());
    let held = move || plans.upgrade().map(|it| it.shell.held()).unwrap_or_default();
    host.holdings.add("fan-out", held);
    host.holdings.add("fan-out-books", move || lanes.held());
    let reaction = reactor::Reaction { name: "fan-out", class: Class::Alert, lanes: host.lanes };
    let host_ = host.clone();
    let log = Arc::clone(&host.log);
    host.drain.spawn("fan-out", async move {
        // A plan made before the books are read would tell more people than it must.
        tokio::select! { () = host_.caught_up_of(&READ) => {}, () = stop.cancelled() => return }
        reactor::run(log, reaction, planning, stop).await;
    });
    Ok(FanOut::new(host, &desk, inbox))
}
