//! The keeper: on each connection, and each minute, it looks whether the broker is fit, creates
//! what is missing, compares the outbox with the streams, and only then lets records leave.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::loss::Loss;
use tokio::time::Instant;

use crate::{
    again::Again,
    alarm,
    heal::{self, Healing},
    log::Inner,
    monitor,
    streams::{self, Found},
    subject::Stream,
    suspicion::{self, Shape},
    trust::Trust,
};

/// How soon gaps in a history are looked at again.
const GAP_PAUSE: Duration = Duration::from_millis(500);

/// A commit that was said this long ago, and of which nobody heard, is looked for in the log.
const UNHEARD_AFTER: Duration = Duration::from_secs(30);
/// So many at a time.
const UNHEARD_AT_ONCE: usize = 256;

/// Keeps the connection, for ever.
pub(crate) async fn keep(inner: Arc<Inner>) {
    let mut keeper = Keeper {
        inner,
        shapes: BTreeMap::new(),
        asked: None,
        compared: None,
        gaps_since: None,
        again: Again::default(),
    };
    loop {
        let Some(connection) = keeper.inner.state.connection() else {
            keeper.inner.trust.send_replace(Trust::Away);
            keeper.inner.state.connection_within(Duration::from_secs(3600)).await;
            continue;
        };
        let left = Arc::clone(&keeper.inner);
        let attended = tokio::select! {
            () = left.state.left(connection) => continue,
            attended = keeper.attend(connection) => attended,
        };
        let options = &keeper.inner.options;
        let pause = match attended {
            Ok(()) => options.compare_every,
            Err(Unfit::Gaps(gaps)) => {
                tracing::warn!(gaps, "lost commits wait for lost commits of other processes");
                GAP_PAUSE
            }
            Err(Unfit::Because(why)) => {
                tracing::warn!(why, "the broker is not fit");
                options.retry_every
            }
        };
        tokio::select! {
            () = left.state.left(connection) => {}
            () = left.doubts.told() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct Keeper {
    inner: Arc<Inner>,
    /// The shapes of the streams at the last complete comparison.
    shapes: BTreeMap<Stream, Shape>,
    /// The connection whose monitor was asked, and the doubt about it that was accepted.
    asked: Option<(u64, Option<String>)>,
    /// The connection over which all was compared once.
    compared: Option<u64>,
    /// Since when commits wait for others that are lost.
    gaps_since: Option<Instant>,
    /// Whether what was erased came back.
    again: Again,
}

enum Unfit {
    Because(String),
    Gaps(u64),
}

impl<E: std::error::Error> From<E> for Unfit {
    fn from(error: E) -> Self {
        Self::Because(error.to_string())
    }
}

impl Keeper {
    /// Looks at everything once, and opens.
    async fn attend(&mut self, connection: u64) -> Result<(), Unfit> {
        let fresh = self.compared != Some(connection);
        let anchors = suspicion::anchors(&self.inner.outbox);
        let replicas = self.inner.options.replicas;
        let mut found = streams::look(&self.inner.broker, replicas).await?;
        let doubt = self.judge(connection, &mut found).await?;
        if !found.missing.is_empty() {
            // A stream that was there and is gone: nothing leaves before all is compared.
            self.inner.state.shut();
        }
        for stream in std::mem::take(&mut found.missing) {
            found.infos.push(streams::create(&self.inner.broker, stream, replicas).await?);
        }
        let (broker, infos) = (&self.inner.broker, &found.infos);
        let mut suspects =
            suspicion::suspects(broker, &anchors, infos, &self.shapes, fresh).await?;
        let doubted = self.inner.doubts.streams();
        suspects.retain(|stream| !doubted.contains(stream));
        suspects.extend(doubted);
        if !suspects.is_empty() {
            self.heal(&suspects, connection).await?;
            self.inner.doubts.settle(&suspects);
        }
        self.gaps_since = None;
        for (stream, info) in &found.infos {
            self.shapes.insert(*stream, Shape::of(info));
        }
        self.compared = Some(connection);
        let trust = doubt.map_or(Trust::Verified, |why| Trust::Accepted { why });
        self.inner.state.open(connection);
        self.inner.trust.send_if_modified(|now| {
            let changed = *now != trust;
            *now = trust;
            changed
        });
        if let Some((_, sealed)) = found.infos.iter().find(|(of, _)| *of == Stream::Sealed) {
            self.again.attend(&self.inner, connection, sealed).await;
        }
        let unheard = self.inner.outbox.owed().unheard(UNHEARD_AFTER, UNHEARD_AT_ONCE);
        if let Err(error) = heal::settle_unheard(&self.inner, &unheard).await {
            tracing::warn!(%error, "what became of commits is looked for again");
        }
        Ok(())
    }

    /// Whether records may be published to this broker at all, and what was accepted for that.
    async fn judge(&mut self, connection: u64, found: &mut Found) -> Result<Option<String>, Unfit> {
        let options = &self.inner.options;
        let doubt = match self.asked.take() {
            Some((asked, doubt)) if asked == connection => doubt,
            _ => {
                let server = self.inner.broker.client.server_info();
                let monitors = options.monitor.as_deref();
                monitor::syncs(monitors, &server, options.replicas).await.err()
            }
        };
        let mut doubts = std::mem::take(&mut found.doubts);
        doubts.extend(doubt.clone());
        if found.faults.is_empty() && (doubts.is_empty() || options.accept_unverified_broker) {
            self.asked = Some((connection, doubt));
            return Ok((!doubts.is_empty()).then(|| doubts.join("; ")));
        }
        found.faults.append(&mut doubts);
        let why = found.faults.join("; ");
        self.inner.state.shut();
        self.inner.trust.send_replace(Trust::Unverified { why: why.clone() });
        Err(Unfit::Because(why))
    }

    async fn heal(&mut self, suspects: &[Stream], connection: u64) -> Result<(), Unfit> {
        self.inner.state.shut();
        let names: Vec<&str> = suspects.iter().map(|stream| stream.name()).collect();
        tracing::warn!(streams = ?names, "comparing the outbox with streams that lost something");
        let patience = self.inner.options.gap_patience;
        let through_gaps = self.gaps_since.is_some_and(|since| since.elapsed() >= patience);
        let healing = heal::heal(&self.inner, suspects, connection, through_gaps).await?;
        tracing::warn!(?healing, "compared");
        self.tell(suspects, &healing);
        if healing.gaps > 0 {
            self.gaps_since.get_or_insert_with(Instant::now);
            return Err(Unfit::Gaps(healing.gaps));
        }
        Ok(())
    }

    /// A loss is written down here first, and then told to whoever records it in the log.
    fn tell(&self, suspects: &[Stream], healing: &Healing) {
        let &Healing { sent, recovered, gone, .. } = healing;
        if sent + recovered + gone == 0 {
            return;
        }
        let streams = suspects.iter().map(|stream| stream.name().to_owned()).collect();
        let records = healing.records.clone();
        let noticed_at = alarm::now();
        let loss = Loss { noticed_at, streams, sent, recovered, gone, records };
        metrics::counter!("keng_outbox_losses_total").increment(1);
        match self.inner.outbox.lost(loss) {
            Ok(loss) => self.inner.losses.send_modify(|losses| losses.push_back(loss)),
            Err(error) => tracing::error!(%error, "a loss was not written down"),
        }
    }
}
