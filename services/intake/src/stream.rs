//! The live stream: what concerns a commune, as it happens, resuming where it broke off.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use domain::{
    ids::{CommuneCode, Home, ProvinceCode},
    rights::Asker,
};
use event_log::Durable;
use futures::{Stream, stream};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    Intake,
    notices::{Notice, Seen, Since, What},
    row::Row,
    view,
};

const HEARTBEAT: Duration = Duration::from_secs(15);
const DOOR_PATIENCE: Duration = Duration::from_secs(10);

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
    fn holds(self, home: Home) -> bool {
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
    token_check: Option<String>,
}

/// What concerns `scope` from `seen` on; from now on where that is `None`. Ends when the token
/// is no longer good, or the process drains.
pub(crate) fn watch(
    intake: Arc<Intake>,
    asker: Asker,
    token: Option<String>,
    scope: Scope,
    seen: Option<Seen>,
) -> impl Stream<Item = Told> + Send {
    let mut since = intake.notices.since(seen);
    let missed = since.missed.take();
    let first = tokio::time::Instant::now() + HEARTBEAT;
    let mut stream = Stream_ {
        heartbeat: tokio::time::interval_at(first, HEARTBEAT),
        seen: seen.unwrap_or(since.now),
        intake,
        asker,
        scope,
        ready: VecDeque::new(),
        missed: VecDeque::new(),
        since,
        token_check: token,
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
            let stop = self.intake.host.drain.token();
            let notice = match self.missed.pop_front() {
                Some(notice) => notice,
                None => tokio::select! {
                    live = self.since.live.recv() => match live {
                        Ok(notice) => notice,
                        Err(RecvError::Lagged(_)) => {
                            self.catch_up();
                            continue;
                        }
                        Err(RecvError::Closed) => return None,
                    },
                    _ = self.heartbeat.tick() => {
                        if !self.still_allowed() {
                            return None;
                        }
                        return Some(self.told("heartbeat", json!({})));
                    }
                    () = stop.cancelled() => return None,
                },
            };
            if self.seen.has(notice.at) {
                continue;
            }
            let before = self.seen;
            self.seen.take(notice.at);
            let Some(row) = self.row_concerned(&notice) else { continue };
            // The row may be ahead of the notice; it is shown as it stands, once that is durable.
            for at in row.shown_after.values().copied().chain([notice.at]) {
                while self.intake.host.log.durable(at, DOOR_PATIENCE).await != Durable::Stored {
                    if stop.is_cancelled() {
                        return None;
                    }
                }
            }
            if !self.still_allowed() {
                return None;
            }
            self.tell(&notice, &row).await;
            // Who breaks off in the middle of a notice gets the whole of it again.
            let last = self.ready.len().saturating_sub(1);
            self.ready.iter_mut().take(last).for_each(|told| told.id = before.to_string());
        }
    }

    /// The alert of a notice, where it concerns this stream; most concern others.
    fn row_concerned(&self, notice: &Notice) -> Option<Row> {
        let rows = self.intake.board.lock();
        let row = rows.get(notice.alert)?;
        let own = self.scope.holds(notice.home);
        match notice.what.commune() {
            None => (own || row.communes().any(|home| self.scope.holds(home)))
                .then(|| row.without_lanes()),
            Some(commune) => {
                let mut communes = row.communes();
                let theirs = |home: Home| home.commune == commune && self.scope.holds(home);
                (own || communes.any(theirs)).then(|| row.with_lanes_of(commune))
            }
        }
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

    /// Too much was missed: every alert that concerns the scope is shown as it stands.
    fn begin_anew(&mut self) {
        let rows = self.intake.board.lock();
        let all = rows.order.iter().filter_map(|id| rows.get(*id));
        let mine = all.filter(|row| row.communes().any(|home| self.scope.holds(home)));
        let notices = mine.filter_map(|row| {
            let at = *row.shown_after.get(&event_log::Class::Alert)?;
            Some(Arc::new(Notice { at, alert: row.id, home: row.home, what: What::Alert }))
        });
        let mut notices: Vec<_> = notices.collect();
        notices.sort_by_key(|notice| notice.at.position);
        drop(rows);
        self.missed = notices.into();
        // Positions before these are covered by what is shown now.
        self.seen = Seen { alert: 0, ..self.since.now };
    }

    fn still_allowed(&self) -> bool {
        let Some(token) = &self.token_check else { return true };
        chassis::auth::token_holder(&self.intake.host, token).as_ref() == Some(&self.asker)
    }

    async fn tell(&mut self, notice: &Notice, row: &Row) {
        match &notice.what {
            What::Alert => {
                let text = self.intake.text(row).await;
                let told = self.told("alert", view::alert(row, text.as_deref(), false));
                self.ready.push_back(told);
            }
            What::Answer(home) => {
                let told = self.told("answer", view::answer(row, home.commune));
                self.ready.push_back(told);
            }
            What::Delivery(home, targets) => self.tell_deliveries(row, home.commune, targets),
        }
    }

    fn tell_deliveries(
        &mut self,
        row: &Row,
        commune: CommuneCode,
        targets: &[(domain::delivery::Target, u64)],
    ) {
        let Some(lanes) = row.lanes.get(&commune) else { return };
        for (target, revision) in targets {
            let Some(delivery) = lanes.get(target, *revision) else { continue };
            let seen = view::DeliverySeen { row, commune, target, delivery };
            let told = self.told("delivery", seen.json());
            self.ready.push_back(told);
        }
    }

    fn told(&self, event: &'static str, data: Value) -> Told {
        Told { id: self.seen.to_string(), event, data }
    }
}
