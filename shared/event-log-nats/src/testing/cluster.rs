//! Three nats-servers that keep each stream together, as `deploy/nats/cluster` has them.

use std::{io, net::TcpListener, time::Duration};

use super::{NatsServer, READY_MAX, ServerError};
use crate::monitor;

const SERVERS: usize = 3;
/// Ports are chosen before the servers take them: somebody else may have been faster.
const STARTS_MAX: usize = 3;

/// A server's place in a cluster.
#[derive(Debug, Clone)]
pub(super) struct Place {
    name: String,
    /// Where it listens for the others.
    port: u16,
    /// Where all listen.
    ports: [u16; SERVERS],
}

impl Place {
    pub(super) fn config(&self) -> String {
        let routes = self.ports.map(|port| format!("nats://127.0.0.1:{port}")).join(", ");
        format!(
            "server_name: {}\ncluster {{\n name: keng\n listen: \"127.0.0.1:{}\"\n \
             no_advertise: true\n routes: [{routes}]\n}}\n",
            self.name, self.port,
        )
    }
}

/// Three servers, each of which may be killed and started again. Dropping them kills them.
#[derive(Debug)]
pub struct NatsCluster {
    servers: Vec<NatsServer>,
}

impl NatsCluster {
    /// Starts three servers that sync before they acknowledge, and waits until each says that it
    /// is healthy: then they have found each other, and a leader.
    pub async fn start() -> Result<Self, ServerError> {
        let mut starts = 1;
        loop {
            match Self::try_start().await {
                Err(ServerError::NotReady(_)) if starts < STARTS_MAX => starts += 1,
                ended => return ended,
            }
        }
    }

    async fn try_start() -> Result<Self, ServerError> {
        let ports = free_ports()?;
        let mut servers = Vec::with_capacity(SERVERS);
        for (number, port) in (1..).zip(ports) {
            let place = Place { name: format!("n{number}"), port, ports };
            let mut server = NatsServer::stopped(true, Some(place))?;
            server.restart().await?;
            servers.push(server);
        }
        for server in &servers {
            let healthy = tokio::time::timeout(READY_MAX, healthy(&server.monitor_url())).await;
            healthy.map_err(|_elapsed| ServerError::NotReady("it is not healthy".to_owned()))?;
        }
        Ok(Self { servers })
    }

    /// The addresses of all, for `--nats`.
    #[must_use]
    pub fn url(&self) -> String {
        self.joined(NatsServer::url)
    }

    /// The monitors of all, for `--nats-monitor`.
    #[must_use]
    pub fn monitor_url(&self) -> String {
        self.joined(NatsServer::monitor_url)
    }

    fn joined(&self, part: impl Fn(&NatsServer) -> String) -> String {
        self.servers.iter().map(part).collect::<Vec<_>>().join(",")
    }

    /// The server of this name, as `n1`.
    pub fn server(&mut self, name: &str) -> Option<&mut NatsServer> {
        let named = |server: &&mut NatsServer| {
            server.place.as_ref().is_some_and(|place| place.name == name)
        };
        self.servers.iter_mut().find(named)
    }

    /// The addresses of all but the server of this name.
    #[must_use]
    pub fn url_without(&self, name: &str) -> String {
        let others = self
            .servers
            .iter()
            .filter(|server| server.place.as_ref().is_some_and(|place| place.name != name));
        others.map(NatsServer::url).collect::<Vec<_>>().join(",")
    }
}

async fn healthy(monitor: &str) {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    loop {
        looks.tick().await;
        if monitor::get(monitor, "/healthz").await.is_ok() {
            return;
        }
    }
}

fn free_ports() -> Result<[u16; SERVERS], io::Error> {
    // All are held until each is known, so that they differ.
    let mut held = Vec::with_capacity(SERVERS);
    let mut ports = [0; SERVERS];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}
