//! A further process of a story: services of its own over the log, the clock and the map that all
//! share. It can be cut off, stopped, and started again under its name.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, ensure};
use axum::Router;
use chassis::{Host, drain::Drained, problem::with_fallbacks};
use console::{Console, Site, Texts};
use fan_out::FanOutOptions;
use photos::Photos;
use registry::LinkKey;
use tokio::time::timeout;
use wire::actor;

use crate::{
    browser::ORIGIN,
    link::Link,
    timeline::{Timeline, WITHIN, fan_out_options, host},
};

/// One process, as yet without services.
pub struct Instance {
    host: Host,
    link: Arc<Link>,
}

impl Timeline {
    /// A process of this name, with a link of its own. One that is stopped and started again is
    /// another with the same name: it holds the leases that it held before.
    #[must_use]
    pub fn instance(&self, name: &str) -> Instance {
        let link = Arc::new(Link::to(Arc::clone(&self.log)));
        let governed = (Arc::clone(&self.host.map), Arc::clone(&self.host.policies));
        let host = host(link.clone(), &self.clock, governed, name);
        Instance { host, link }
    }
}

impl Instance {
    /// How it reaches the log.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Starts fan-out in it.
    ///
    /// # Errors
    /// It cannot be set up.
    pub fn fan_out(&self) -> Result<()> {
        fan_out::start(&self.host, &fan_out_options())?;
        Ok(())
    }

    /// As [`Self::fan_out`], with a channels file.
    ///
    /// # Errors
    /// An account is wrong.
    pub fn fan_out_with(&self, channels: &Path) -> Result<()> {
        let channels = Some(channels.to_owned());
        fan_out::start(&self.host, &FanOutOptions { channels, ..fan_out_options() })?;
        Ok(())
    }

    /// Starts alerting in it. The story says by [`Timeline::decides`] that somebody decides.
    pub fn alerting(&self) {
        alerting::start(&self.host);
    }

    /// Starts intake in it, and answers with its routes.
    pub fn intake(&self) -> Router {
        with_fallbacks(intake::router(intake::start(&self.host)))
    }

    /// As [`Self::intake`], with pictures in this store.
    pub fn intake_with_photos(&self, photos: Photos) -> Router {
        with_fallbacks(intake::router(intake::start_with_photos(&self.host, photos)))
    }

    /// Starts intake in it, with pictures in this store, and answers with its pages.
    ///
    /// # Errors
    /// The words of the pages cannot be read.
    pub fn pages_with_photos(&self, photos: Photos) -> Result<Router> {
        let intake = intake::start_with_photos(&self.host, photos);
        let site = Site { origin: ORIGIN.to_owned(), takes_tokens: true };
        let console = Console::new(&self.host, Texts::built_in()?, site)?;
        let routes = intake::router(Arc::clone(&intake));
        Ok(with_fallbacks(routes.merge(intake::pages(intake, console))))
    }

    /// The key by which links are signed, made where there is none.
    ///
    /// # Errors
    /// It could not be made.
    pub async fn link_key(&self) -> Result<LinkKey> {
        let by = actor::service("acceptance");
        self.host.clerk.make_link_key(by, self.host.clock.now()).await?;
        self.host.directory.read().link_key().cloned().context("no key of links")
    }

    /// Waits until its read models have read the log; until those of these names have, where
    /// there are names.
    ///
    /// # Errors
    /// They did not in time.
    pub async fn has_read(&self, names: &[&str]) -> Result<()> {
        let read = async {
            match names {
                [] => self.host.caught_up().await,
                names => self.host.caught_up_of(names).await,
            }
        };
        timeout(WITHIN, read).await.with_context(|| format!("still reading: {names:?}"))
    }

    /// Whether its read models of these names have read the log.
    #[must_use]
    pub fn is_caught_up(&self, names: &[&str]) -> bool {
        self.host.is_caught_up(names)
    }

    /// Stops it in order, as SIGTERM does.
    ///
    /// # Errors
    /// Not everything stopped.
    pub async fn ends(self) -> Result<()> {
        self.host.drain.begin("the instance ends");
        let drained = timeout(2 * WITHIN, self.host.drain.finished()).await?;
        ensure!(drained == Drained::Whole, "not everything stopped: {drained:?}");
        Ok(())
    }
}
