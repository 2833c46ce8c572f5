//! The live stream: what concerns a commune, as it happens, resuming where it broke off.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use chassis::auth::Credential;
use domain::{
    ids::{CommuneCode, EntityName, Home, ProvinceCode},
    rights::Asker,
};
use event_log::{At, Durable};
use futures::{Stream, stream};
use serde_json::{Value, json};
use tokio::sync::{broadcast::error::RecvError, watch};
use wire::v1::AlertText;

use crate::{
    Intake,
    deliveries::Deliveries,
    match_view,
    notices::{Notice, Seen, Since, What},
    row::Row,
    view,
};

const HEARTBEAT: Duration = Duration::from_secs(15);
const DOOR_PATIENCE: Duration = Duration::from_secs(10);
const LOG_PATIENCE: Duration = Duration::from_secs(1);
/// How often, and at what intervals, the board is looked at for an alert that it has not read yet.
const BOARD_LOOKS_MAX: u32 = 250;
const BOARD_PATIENCE: Duration = Duration::from_millis(20);

/// One event of the stream.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// Opaque; valid at every intake, and after a restart.
    pub(crate) id: String,
    pub(crate) event: &'static str,
    pub(crate) data: Value,
}

/// Whose stream it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    Commune(CommuneCode),
    Province(ProvinceCode),
}

impl Scope {
    pub(crate) fn holds(self, home: Home) -> bool {
        match self {
            Self::Commune(commune) => home.commune == commune,
            Self::Province(province) => home.province == province,
        }
    }
}

struct Stream_ {
    intake: Arc<Intake>,
    asker: Asker,
    scope: Scope,
    seen: Seen,
    missed: VecDeque<Arc<Notice>>,
    since: Since,
    ready: VecDeque<Told>,
    heartbeat: tokio::time::Interval,
    credential: Option<Credential>,
    freezes: watch::Receiver<u64>,
    /// The banners that were told last.
    banners: Vec<String>,
}

/// What concerns `scope` from `seen` on; from now on where that is `None`. Ends when the token
/// is no longer good, or the process drains.
pub(crate) fn watch(
    intake: Arc<Intake>,
    asker: Asker,
    credential: Option<Credential>,
    scope: Scope,
    seen: Option<Seen>,
) -> impl Stream<Item = Told> + Send {
    let mut since = intake.notices.since(seen);
    let missed = since.missed.take();
    let first = tokio::time::Instant::now() + HEARTBEAT;
    let mut freezes = intake.guard.freezes.subscribe();
    // Those in force are told first.
    freezes.mark_changed();
    let mut stream = Stream_ {
        heartbeat: tokio::time::interval_at(first, HEARTBEAT),
        seen: seen.unwrap_or(since.now),
        intake,
        asker,
        scope,
        ready: VecDeque::new(),
        missed: VecDeque::new(),
        since,
        credential,
        freezes,
        banners: vec![],
    };
    match missed {
        Some(missed) => stream.missed = missed.into(),
        None => stream.begin_anew(),
    }
    stream::unfold(stream, |mut stream| async move {
        let told = stream.next().await?;
        Some((told, stream))
    })
}

impl Stream_ {
    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return Some(told);
            }
            if let Some(told) = self.banner().await? {
                return Some(told);
            }
            let stop = self.intake.host.drain.token();
            let notice = match self.missed.pop_front() {
                Some(notice) => notice,
                None => tokio::select! {
                    live = self.since.live.recv() => match live {
                        Ok(notice) => notice,
                        // Closed: the log has lost its tail, and begins anew.
                        Err(RecvError::Lagged(_) | RecvError::Closed) => {
                            self.catch_up();
                            continue;
                        }
                    },
                    _ = self.heartbeat.tick() => {
                        if !self.still_allowed() {
                            return None;
                        }
                        return Some(self.told("heartbeat", json!({})));
                    }
                    changed = self.freezes.changed() => {
                        changed.ok()?;
                        self.freezes.mark_changed();
                        continue;
                    }
                    () = stop.cancelled() => return None,
                },
            };
            if self.seen.has(notice.at) {
                continue;
            }
            let before = self.seen;
            self.seen.take(notice.at);
            let Some(row) = self.row_concerned(&notice).await else { continue };
            // The row may be ahead of the notice; it is shown as it stands, once that is durable.
            let shown = row.shown_after.values().chain(&row.related_after).copied();
            for at in shown.chain([notice.at]) {
                self.stored(at).await?;
            }
            if !self.still_allowed() {
                return None;
            }
            self.tell(&notice, &row).await?;
            // Who breaks off in the middle of a notice gets the whole of it again.
            let last = self.ready.len().saturating_sub(1);
            self.ready.iter_mut().take(last).for_each(|told| told.id = before.to_string());
        }
    }

    /// The banners that concern the scope, where they are others than those told; `None` where the
    /// stream is to end.
    async fn banner(&mut self) -> Option<Option<Told>> {
        if !self.freezes.has_changed().ok()? {
            return Some(None);
        }
        self.freezes.mark_unchanged();
        let (banners, ats): (Vec<String>, Vec<At>) =
            self.intake.banners(self.scope).into_iter().unzip();
        if banners == self.banners {
            return Some(None);
        }
        for at in ats {
            self.stored(at).await?;
        }
        if !self.still_allowed() {
            return None;
        }
        self.banners.clone_from(&banners);
        Some(Some(self.told("banner", json!({ "banners": banners }))))
    }

    /// The alert of a notice, where it concerns this stream; most concern others. A delivery may
    /// be read before its alert, since classes have no order between them.
    async fn row_concerned(&self, notice: &Notice) -> Option<Row> {
        for _ in 0..BOARD_LOOKS_MAX {
            if let Some(row) = self.intake.board.lock().get(notice.alert) {
                let commune = notice.what.commune();
                let concerns = |home: Home| {
                    self.scope.holds(home) && commune.is_none_or(|named| named == home.commune)
                };
                let mine = match &notice.what {
                    What::Match(_, homes) => homes.iter().any(|home| self.scope.holds(*home)),
                    _ => self.scope.holds(row.home) || row.communes().any(concerns),
                };
                return mine.then(|| row.clone());
            }
            tokio::time::sleep(BOARD_PATIENCE).await;
        }
        None
    }

    /// Too far behind for the live notices: go on from what is kept.
    fn catch_up(&mut self) {
        let mut since = self.intake.notices.since(Some(self.seen));
        let missed = since.missed.take();
        self.since = since;
        match missed {
            Some(missed) => self.missed = missed.into(),
            None => self.begin_anew(),
        }
    }

    /// Too much was missed: every alert and proposal that concerns the scope is shown as it stands.
    fn begin_anew(&mut self) {
        let rows = self.intake.board.lock();
        let all = rows.order.iter().filter_map(|id| rows.get(*id));
        let mine = all.filter(|row| row.communes().any(|home| self.scope.holds(home)));
        let notices = mine.filter_map(|row| {
            let at = *row.shown_after.get(&event_log::Class::Alert)?;
            Some(Arc::new(Notice { at, alert: row.id, what: What::Alert }))
        });
        let proposals = rows.matches.order.iter().filter_map(|id| rows.matches.get(id));
        let matches = proposals.filter(|row| row.concerns(|home| self.scope.holds(home)));
        let notices = notices.chain(matches.map(|row| {
            let ([alert, _], homes) = (row.proposed.pair.alerts(), row.proposed.homes);
            let what = What::Match(row.id.clone(), homes);
            Arc::new(Notice { at: row.at, alert, what })
        }));
        let mut notices: Vec<_> = notices.collect();
        notices.sort_by_key(|notice| notice.at.position);
        drop(rows);
        self.missed = notices.into();
        // Positions before these are covered by what is shown now.
        self.seen = Seen { alert: 0, ..self.since.now };
    }

    fn still_allowed(&self) -> bool {
        let Some(credential) = &self.credential else { return true };
        credential.holder(&self.intake.host).as_ref() == Some(&self.asker)
    }

    /// `None` where the process drains before it could be told.
    async fn tell(&mut self, notice: &Notice, row: &Row) -> Option<()> {
        match &notice.what {
            What::Alert => {
                let text = self.words_told(row).await?;
                let told = self.told("alert", view::alert(row, text.as_deref(), false));
                self.ready.push_back(told);
            }
            What::Answer(home) => {
                let told = self.told("answer", view::answer(row, home.commune));
                self.ready.push_back(told);
            }
            What::Delivery(home) => self.tell_deliveries(row, *home, notice.at).await?,
            What::Match(id, _) => self.tell_match(id).await?,
        }
        Some(())
    }

    /// The proposal as it stands; waits for what it shows to be durable.
    async fn tell_match(&mut self, id: &EntityName) -> Option<()> {
        loop {
            let row = self.intake.board.lock().matches.get(id).cloned();
            // Gone where the log has lost its tail: then the stream ends soon.
            let Some(row) = row else { return Some(()) };
            if let Ok(shown) = self.intake.match_shown(&self.asker, row).await {
                let told = self.told("match", match_view::json_of(&shown));
                self.ready.push_back(told);
                return Some(());
            }
            self.waits().await?;
        }
    }

    /// The alert's words, once it is on disk that they were read.
    async fn words_told(&self, row: &Row) -> Option<Option<Arc<AlertText>>> {
        loop {
            if let Ok(text) = self.intake.read_words((&self.asker).into(), row).await {
                return Some(text);
            }
            self.waits().await?;
        }
    }

    /// For a moment, for a log that cannot take or show something; `None` where the process drains.
    async fn waits(&self) -> Option<()> {
        let stop = self.intake.host.drain.token();
        tokio::select! {
            () = tokio::time::sleep(LOG_PATIENCE) => Some(()),
            () = stop.cancelled() => None,
        }
    }

    async fn tell_deliveries(&mut self, row: &Row, home: Home, at: At) -> Option<()> {
        let deliveries = self.deliveries(row, home, at).await?;
        for newest in deliveries.newest.values() {
            self.stored(*newest).await?;
        }
        let now = self.intake.host.clock.now();
        for (target, revision) in deliveries.changed_by(at).unwrap_or_default() {
            let Some(delivery) = deliveries.lanes.get(target, *revision) else { continue };
            let commune = home.commune;
            let seen = view::DeliverySeen { row, commune, target, delivery, now };
            let told = self.told("delivery", seen.json());
            self.ready.push_back(told);
        }
        Some(())
    }

    /// The deliveries as they stood after a record, or later; waits for a log that cannot be
    /// read now.
    async fn deliveries(&self, row: &Row, home: Home, at: At) -> Option<Arc<Deliveries>> {
        loop {
            let read = self.intake.streamed.after(&self.intake.host, (row.id, home), at).await;
            match read {
                Ok(deliveries) => return Some(deliveries),
                Err(why) => tracing::warn!(%why, "a stream waits for the log"),
            }
            self.waits().await?;
        }
    }

    /// Waits until a record is durable; `None` where the process drains before.
    async fn stored(&self, at: At) -> Option<()> {
        while self.intake.host.log.durable(at, DOOR_PATIENCE).await != Durable::Stored {
            if self.intake.host.drain.token().is_cancelled() {
                return None;
            }
        }
        Some(())
    }

    fn told(&self, event: &'static str, data: Value) -> Told {
        Told { id: self.seen.to_string(), event, data }
    }
}
