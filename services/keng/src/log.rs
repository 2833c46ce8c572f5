//! The log of a server: embedded on one machine, JetStream between machines.

use std::sync::Arc;

use chassis::{
    Drain, Health, Settings, SystemClock, attesting::attesting, health::UNVERIFIED_BROKER,
};
use event_log::{EventLog, Outgoing};
use event_log_embedded::{EmbeddedLog, EmbeddedOptions};
use event_log_nats::{NatsLog, NatsOptions, Trust};
use futures::future::BoxFuture;

use crate::{
    Failed,
    open::{Opened, subdirectory, wrong},
};

/// Records that a reactor answers at once where an append waits for a broker.
const LANES: usize = 64;

/// A log, and how to end it.
pub(crate) struct Log {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) outgoing: Outgoing,
    pub(crate) lanes: usize,
    /// Where it is a broker's.
    pub(crate) nats: Option<Arc<NatsLog>>,
    close: Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>,
}

impl Log {
    /// Waits until the log cannot be read: the broker is away, or not to be trusted. Services
    /// come up then with what they know. An embedded log is always there.
    pub(crate) async fn unreadable(&self) {
        let Some(log) = &self.nats else { return std::future::pending().await };
        // The log lives as long as `self`, so that the wait cannot end early.
        let _ = log.trust().wait_for(|trust| !trust.publishes()).await;
    }

    /// Ends it: what was appended is made durable.
    pub(crate) async fn close(self) {
        (self.close)().await;
    }
}

/// Opens the log that the settings name; what this process asks for there bears its own signature.
pub(crate) async fn open_log(
    settings: &Settings,
    opened: &Opened,
    service: &'static str,
    health: &Health,
    drain: &Drain,
) -> Result<Log, Failed> {
    let opening = match &settings.nats {
        None => embedded(opened)?,
        Some(url) => {
            let mut options = NatsOptions::new(url.reveal(), opened.data.path(), service);
            options.monitor = settings.nats_monitor.as_ref().map(|url| url.as_str().to_owned());
            options.accept_unverified_broker = settings.accept_unverified_broker;
            options.replicas = settings.nats_replicas.into();
            options.reserve.clone_from(&opened.reserve);
            options.keyring = opened.keyring.clone();
            let audit_key = settings.audit_key.as_deref().map(str::parse).transpose();
            options.audit_key = audit_key.map_err(|why| wrong("--audit-key", why))?;
            let log = NatsLog::open(options).await.map_err(|why| match why {
                event_log_nats::OpenError::Address(_) => wrong("--nats", why),
                other => Failed::Trouble(other.into()),
            })?;
            show_trust(&log, health, drain);
            let outgoing = log.outgoing();
            let closing = Arc::clone(&log);
            Log {
                log: Arc::clone(&log) as Arc<dyn EventLog>,
                outgoing,
                lanes: LANES,
                nats: Some(log),
                close: Box::new(move || Box::pin(async move { closing.close().await })),
            }
        }
    };
    let log = attesting(opening.log, &opened.data, &opened.instance, Arc::new(SystemClock))?;
    Ok(Log { log, ..opening })
}

fn embedded(opened: &Opened) -> Result<Log, Failed> {
    let (reserve, keyring) = (opened.reserve.clone(), opened.keyring.clone());
    let options = EmbeddedOptions { reserve, keyring, ..EmbeddedOptions::default() };
    let log = EmbeddedLog::open(&subdirectory(&opened.data, "events"), options)
        .map_err(|why| Failed::Trouble(why.into()))?;
    let closing = Arc::clone(&log);
    Ok(Log {
        log,
        outgoing: Outgoing::default(),
        lanes: 1,
        nats: None,
        close: Box::new(move || Box::pin(async move { closing.close().await })),
    })
}

/// Shows in `/readyz`, and in every answer, how far the broker is trusted.
fn show_trust(log: &Arc<NatsLog>, health: &Health, drain: &Drain) {
    let mut trust = log.trust();
    let (health, stop) = (health.clone(), drain.token());
    health.set("broker", Err("chưa kết nối / not connected yet".to_owned()));
    drain.spawn("broker", async move {
        loop {
            let now = trust.borrow_and_update().clone();
            let (holds, banner) = match now {
                Trust::Verified => (Ok(()), None),
                Trust::Accepted { why } => (
                    Ok(()),
                    Some(format!("máy chủ NATS chưa kiểm chứng được / {UNVERIFIED_BROKER}: {why}")),
                ),
                Trust::Unverified { why } => (
                    Err(format!("máy chủ NATS không an toàn / the broker is not safe: {why}")),
                    None,
                ),
                Trust::Away => (Err("mất kết nối NATS / the broker is away".to_owned()), None),
            };
            health.set("broker", holds);
            health.banner("broker", banner);
            tokio::select! {
                changed = trust.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
        }
    });
}
