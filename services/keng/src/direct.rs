//! Working on a data directory that no server holds: this process holds it for a moment, and
//! serves its owner's routes on its socket, the same ones that a server has.

use std::{path::Path, sync::Arc};

use anyhow::anyhow;
use axum::Router;
use chassis::{
    ConfigError, DataDir, Drain, Health, Host, HostParts, KeyFile, SystemClock, admin,
    attesting::attesting, instance::instance_of, key_file, socket,
};
use event_log::Outgoing;
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
    log: Arc<EmbeddedLog>,
    _data: DataDir,
}

impl Direct {
    /// Holds the directory; `None` where a server does, and is asked instead.
    pub(crate) async fn hold(data: &Path, keys: &KeyFile) -> Result<Option<Self>, Failed> {
        let missing = || {
            let data = data.display();
            Failed::Trouble(anyhow!(
                "không có máy chủ hay dữ liệu ở {data} / there is no server and no data at {data}"
            ))
        };
        let data = match DataDir::open_existing(data) {
            Ok(Some(data)) => data,
            Ok(None) => return Err(missing()),
            Err(ConfigError::InUse { .. }) => return Ok(None),
            Err(wrong) => return Err(wrong.into()),
        };
        let events = data.path().join("events");
        if !events.exists() {
            let why = "dữ liệu nằm ở NATS: cần một máy chủ đang chạy / \
                       its data are at the broker: a running server is needed";
            return Err(Failed::Trouble(anyhow!(why)));
        }
        let keyring = key_file::open(&data, keys)?;
        let log = EmbeddedLog::open(&events, EmbeddedOptions { keyring, ..Default::default() })
            .map_err(|why| Failed::Trouble(why.into()))?;
        let map = Map::builtin().map_err(|why| Failed::Usage(why.to_string()))?;
        let health = Health::new(&[]);
        let drain = Drain::new(health.clone());
        let instance: Arc<str> = instance_of(&data)?.to_string().into();
        let clock = Arc::new(SystemClock);
        let host = Host::start(HostParts {
            log: attesting(Arc::clone(&log) as _, &data, &instance, clock)?,
            outgoing: Outgoing::default(),
            lanes: 1,
            map: Arc::new(map),
            policies: Arc::default(),
            corridors: registry::corridors::builtin(),
            clock: Arc::new(SystemClock),
            instance,
            kind: data.kind(),
            health: health.clone(),
            drain: drain.clone(),
            disk: None,
            local: None,
            erasures: None,
        });
        host.caught_up().await;
        if !host.map_fits() {
            let why = "bản đồ khác bản đồ có sẵn: cần một máy chủ đang chạy / \
                       its map is not the built-in one: a running server is needed";
            return Err(Failed::Trouble(anyhow!(why)));
        }
        let routes = Router::new()
            .merge(admin::router().with_state(host.clone()))
            .merge(audit::router().with_state(Records::of_log(host)));
        let (listener, file) = socket::listen(&data)?;
        serve_local((listener, file), dressed(routes, &health), &drain);
        Ok(Some(Self { drain, log, _data: data }))
    }

    /// Lets the directory go; what was written is on disk.
    pub(crate) async fn let_go(self) {
        self.drain.begin("done");
        self.drain.finished().await;
        self.log.close().await;
    }
}
