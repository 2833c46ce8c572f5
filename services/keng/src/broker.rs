//! Whether a broker is fit, looked at from this machine without a server: for `keng preflight`.

use std::{path::PathBuf, time::Duration};

use chassis::options::{MonitorUrl, NatsUrl};
use clap::Args;
use event_log_nats::{NatsLog, NatsOptions, OpenError, Trust};
use uuid::Uuid;

use crate::{Failed, open::wrong};

/// How long a broker is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(crate) struct BrokerArgs {
    /// Thử cả máy chủ NATS này từ đây / Try this broker from here too; makes its streams if missing
    #[arg(long, env = "KENG_NATS", value_name = "URL", hide_env_values = true)]
    nats: Option<String>,
    /// Cổng giám sát của NATS / Monitor of the NATS server, as <http://host:8222>
    #[arg(long, env = "KENG_NATS_MONITOR", value_name = "URL")]
    nats_monitor: Option<MonitorUrl>,
    /// Số bản sao của mỗi luồng NATS / Servers that keep each stream
    #[arg(long, env = "KENG_NATS_REPLICAS", value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u8).range(1..=5))]
    nats_replicas: u8,
}

impl BrokerArgs {
    /// Whether a broker is looked at.
    pub(crate) fn is_named(&self) -> bool {
        self.nats.is_some()
    }
}

/// A folder of this process alone, which goes with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the system's own temporary folder is cleared by the system.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What is wrong with the broker, in both languages; nothing where it is fit, or none is named.
pub(crate) async fn unfit(args: &BrokerArgs) -> Result<Option<String>, Failed> {
    let Some(url) = &args.nats else { return Ok(None) };
    // What was given may hold a password, and is not repeated.
    let url: NatsUrl = url.parse().map_err(|why| wrong("--nats", why))?;
    let folder = Folder(std::env::temp_dir().join(format!("keng-preflight-{}", Uuid::now_v7())));
    let mut options = NatsOptions::new(url.reveal(), &folder.0, "preflight");
    options.monitor = args.nats_monitor.as_ref().map(|url| url.as_str().to_owned());
    options.replicas = args.nats_replicas.into();
    let log = NatsLog::open(options).await.map_err(|why| match why {
        OpenError::Address(_) => wrong("--nats", why),
        other => Failed::Trouble(other.into()),
    })?;
    let mut trust = log.trust();
    let known = trust.wait_for(|trust| *trust != Trust::Away);
    let known = tokio::time::timeout(PATIENCE, known).await;
    let found = match known {
        Ok(Ok(trust)) => trust.clone(),
        _ => Trust::Away,
    };
    log.close().await;
    Ok(match found {
        Trust::Verified => None,
        Trust::Unverified { why } | Trust::Accepted { why } => {
            Some(format!("máy chủ NATS không an toàn / the broker is not safe: {why}"))
        }
        Trust::Away => Some("mất kết nối NATS / the broker is away".to_owned()),
    })
}
