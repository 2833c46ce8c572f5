//! Four processes over one broker, as `deploy/` has them, on free ports.

use anyhow::{Context, Result};
use event_log_nats::testing::NatsServer;
use support::{Client, Keng};
use tokio::sync::watch;

use crate::town::{HOME, Town};

/// What can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// `keng intake`.
    Intake,
    /// `keng alerting`.
    Alerting,
    /// `keng fan-out`.
    FanOut,
    /// `keng audit`.
    Audit,
    /// The NATS server.
    Broker,
}

impl Member {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Intake, Self::Alerting, Self::FanOut, Self::Audit, Self::Broker];
}

/// The broker and the four.
pub struct Cluster {
    /// The broker.
    pub nats: NatsServer,
    /// `keng intake`.
    pub intake: Keng,
    /// `keng alerting`.
    pub alerting: Keng,
    /// `keng fan-out`.
    pub fan_out: Keng,
    /// `keng audit`.
    pub audit: Keng,
    token: String,
    /// A client of intake wherever it is now.
    officer: watch::Sender<Client>,
}

impl Cluster {
    /// A broker that keeps its word, and the four.
    ///
    /// # Errors
    /// One was not ready in time.
    pub async fn start(town: &Town) -> Result<Self> {
        Self::start_on(NatsServer::start().await?, town, &[]).await
    }

    /// The four on this broker, each with these options too.
    ///
    /// # Errors
    /// One was not ready in time.
    pub async fn start_on(nats: NatsServer, town: &Town, more: &[&str]) -> Result<Self> {
        let (url, monitor) = (nats.url(), nats.monitor_url());
        let options = [&["--nats", &url, "--nats-monitor", &monitor], more].concat();
        let server = async |command: &str| town.server(command, command, &options).await;
        let (intake, alerting, fan_out, audit) = tokio::try_join!(
            server("intake"),
            server("alerting"),
            server("fan-out"),
            server("audit"),
        )?;
        let token = intake.token("an", "officer", Some(HOME)).await?;
        let officer = watch::Sender::new(Client::new(intake.http())?.with_token(&token));
        Ok(Self { nats, intake, alerting, fan_out, audit, token, officer })
    }

    /// The officer `an` of Đạ Tẻh, at intake as it is now.
    #[must_use]
    pub fn officer(&self) -> Client {
        self.officer.borrow().clone()
    }

    /// The token of that officer.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Follows where the officer finds intake, for who raises while it is killed.
    #[must_use]
    pub fn follow_officer(&self) -> watch::Receiver<Client> {
        self.officer.subscribe()
    }

    /// SIGKILL, and starts it again on the same data.
    ///
    /// # Errors
    /// It was not ready in time.
    pub async fn kill_and_restart(&mut self, member: Member) -> Result<()> {
        match member {
            Member::Broker => {
                self.nats.kill()?;
                self.nats.restart().await?;
            }
            Member::Intake => self.restart_intake().await?,
            Member::Alerting => self.alerting.restart().await?,
            Member::FanOut => self.fan_out.restart().await?,
            Member::Audit => self.audit.restart().await?,
        }
        Ok(())
    }

    /// SIGKILL to intake, and starts it again; the officer follows it to its new port.
    ///
    /// # Errors
    /// It was not ready in time.
    pub async fn restart_intake(&mut self) -> Result<()> {
        self.intake.restart().await.context("intake")?;
        self.officer.send_replace(Client::new(self.intake.http())?.with_token(&self.token));
        Ok(())
    }

    /// Puts another intake in the place of the one that has ended.
    ///
    /// # Errors
    /// There is no client.
    pub fn replace_intake(&mut self, intake: Keng) -> Result<()> {
        self.officer.send_replace(Client::new(intake.http())?.with_token(&self.token));
        self.intake = intake;
        Ok(())
    }
}
