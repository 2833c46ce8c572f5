//! Working on a data directory that no server holds: this process holds it for a moment, and
//! serves its owner's routes on its socket, the same ones that a server has.

use std::{path::Path, sync::Arc};

use anyhow::anyhow;
use axum::Router;
use chassis::{
    ConfigError, DataDir, Drain, Health, Host, HostParts, KeyFile, SystemClock, admin,
    attesting::attesting, instance::instance_of, key_file, socket,
};
use event_log::{EventLog, Outgoing, memory::MemoryLog};
use event_log_embedded::{EmbeddedLog, EmbeddedOptions};
use registry::Map;

use crate::{
    Failed,
    server::Records,
    serving::{dressed, serve_local},
};

/// A directory that this process holds.
pub(crate) struct Direct {
    drain: Drain,
    /// `None` where it is at a broker.
    log: Option<Arc<EmbeddedLog>>,
    _data: DataDir,
}

impl Direct {
    /// Holds the directory; `None` where a server does, and is asked instead.
    pub(crate) async fn hold(data: &Path, keys: &KeyFile) -> Result<Option<Self>, Failed> {
        let Some(data) = held(data)? else { return Ok(None) };
        let Some(log) = embedded(&data, keys)? else {
            let why = "dữ liệu nằm ở NATS: cần một máy chủ đang chạy / \
                       its data are at the broker: a running server is needed";
            return Err(Failed::Trouble(anyhow!(why)));
        };
        let instance = instance_of(&data)?.to_string();
        let signed = attesting(Arc::clone(&log) as _, &data, &instance, Arc::new(SystemClock))?;
        let host = host(signed, &data, instance)?;
        host.caught_up().await;
        if !host.map_fits() {
            let why = "bản đồ khác bản đồ có sẵn: cần một máy chủ đang chạy / \
                       its map is not the built-in one: a running server is needed";
            return Err(Failed::Trouble(anyhow!(why)));
        }
        let routes = Router::new()
            .merge(admin::router().with_state(host.clone()))
            .merge(audit::router().with_state(Records::of_log(host.clone())));
        Self::serve(&host, routes, Some(log), data).map(Some)
    }

    /// Holds the directory for who reads its signed log, and nothing else: nothing is signed, no
    /// record and no checkpoint, and no key is made. Where the log is at a broker, no words can be
    /// had.
    pub(crate) async fn hold_signed_log(
        data: &Path,
        keys: &KeyFile,
    ) -> Result<Option<Self>, Failed> {
        let Some(data) = held(data)? else { return Ok(None) };
        let audit = audit::read_only(data.path()).map_err(|why| Failed::Trouble(why.into()))?;
        let log = embedded(&data, keys)?;
        let instance = instance_of(&data)?.to_string();
        let host = match &log {
            Some(log) => host(Arc::clone(log) as _, &data, instance)?,
            None => host(Arc::new(MemoryLog::new()), &data, instance)?,
        };
        host.caught_up().await;
        let routes = audit::router().with_state(Records::of_audit(host.clone(), audit));
        Self::serve(&host, routes, log, data).map(Some)
    }

    fn serve(
        host: &Host,
        routes: Router,
        log: Option<Arc<EmbeddedLog>>,
        data: DataDir,
    ) -> Result<Self, Failed> {
        let (listener, file) = socket::listen(&data)?;
        serve_local((listener, file), dressed(routes, &host.health), &host.drain);
        Ok(Self { drain: host.drain.clone(), log, _data: data })
    }

    /// Lets the directory go; what was written is on disk.
    pub(crate) async fn let_go(self) {
        self.drain.begin("done");
        self.drain.finished().await;
        if let Some(log) = self.log {
            log.close().await;
        }
    }
}

/// Holds the directory; `None` where another process does.
fn held(data: &Path) -> Result<Option<DataDir>, Failed> {
    match DataDir::open_existing(data) {
        Ok(Some(data)) => Ok(Some(data)),
        Ok(None) => {
            let data = data.display();
            Err(Failed::Trouble(anyhow!(
                "không có máy chủ hay dữ liệu ở {data} / there is no server and no data at {data}"
            )))
        }
        Err(ConfigError::InUse { .. }) => Ok(None),
        Err(wrong) => Err(wrong.into()),
    }
}

fn embedded(data: &DataDir, keys: &KeyFile) -> Result<Option<Arc<EmbeddedLog>>, Failed> {
    let events = data.path().join("events");
    if !events.exists() {
        return Ok(None);
    }
    let keyring = key_file::open(data, keys)?;
    let log = EmbeddedLog::open(&events, EmbeddedOptions { keyring, ..Default::default() });
    log.map(Some).map_err(|why| Failed::Trouble(why.into()))
}

fn host(log: Arc<dyn EventLog>, data: &DataDir, instance: String) -> Result<Host, Failed> {
    let map = Map::builtin().map_err(|why| Failed::Usage(why.to_string()))?;
    let health = Health::new(&[]);
    Ok(Host::start(HostParts {
        log,
        outgoing: Outgoing::default(),
        lanes: 1,
        map: Arc::new(map),
        policies: Arc::default(),
        corridors: registry::corridors::builtin(),
        clock: Arc::new(SystemClock),
        instance: instance.into(),
        kind: data.kind(),
        drain: Drain::new(health.clone()),
        health,
        disk: None,
        local: None,
        erasures: None,
    }))
}
