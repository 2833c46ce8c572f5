//! Recalls: everything that one officer or one commune raised since a time is cancelled at once.
//!
//! Each cancel is a command of its own, whose id derives from the request and the alert, so that
//! a repeat has the effect of one, and each is decided as any other.

use chassis::{Problem, auth::forbidden};
use domain::{
    alert::{Alert, Closing},
    freeze::Frozen,
    ids::{AlertId, RecordId},
    recall::{Raised, recall},
    rights::{Asker, Standing},
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    Intake,
    acts::{Act, command_of},
    application::{Filter, Request, Shown},
    request::About,
    row::Row,
};

/// Alerts that one request recalls; the newest come first, and the answer says how many are left.
const RECALLED_MAX: usize = 1_000;
/// Cancels on their way at once.
const AT_ONCE: usize = 64;

/// What was recalled.
pub(crate) struct Recalled {
    /// The newest first.
    pub(crate) alerts: Vec<Shown>,
    pub(crate) remaining: usize,
}

impl Intake {
    /// Cancels what was raised, as far as the asker approves for its communes.
    pub(crate) async fn recall(
        &self,
        asker: &Asker,
        request: Request,
        about: &About,
    ) -> Result<Recalled, Problem> {
        if !matches!(asker.standing, Standing::Commander(_) | Standing::Province(_)) {
            return Err(forbidden());
        }
        self.board_is_read().await?;
        let rows = self.rows_raised_by(asker, &about.of);
        let raised = rows.iter().filter_map(|row| self.raised(row, request));
        let meant = recall(raised, &about.of, about.time);
        let remaining = meant.len().saturating_sub(RECALLED_MAX);
        let now = self.host.clock.now();
        let cancels = meant.iter().take(RECALLED_MAX).filter_map(|alert| {
            let row = rows.iter().find(|row| row.id == *alert)?;
            let command = cancel_id(request, *alert);
            let one = Request { command, sha256: request.sha256 };
            let act = Act::Cancel { note: about.note.clone() };
            Some((*alert, command_of(asker, one, row, act, now)))
        });
        let cancels: Vec<_> = cancels.collect();
        let cancelled = cancels.into_iter().map(|(alert, command)| async move {
            let written = self.write(asker, command?, now).await?;
            self.shown(asker, alert, &written).await
        });
        let alerts = stream::iter(cancelled).buffered(AT_ONCE).try_collect().await?;
        metrics::counter!("keng_recalls_total").increment(1);
        Ok(Recalled { alerts, remaining })
    }

    /// Every alert, held ones too, that may be meant, and that the asker may take back.
    fn rows_raised_by(&self, asker: &Asker, of: &Frozen) -> Vec<Row> {
        let meant = |row: &Row| {
            let is_of = match of {
                Frozen::Officer(officer) => {
                    row.asked.as_ref().is_some_and(|asked| asked.by == officer.as_str())
                }
                Frozen::Commune(commune) => row.home.commune == *commune,
            };
            is_of && row.state() != "refused" && asker.standing.approves_for(row.home)
        };
        let mut rows: Vec<Row> = {
            let rows = self.board.lock();
            let all = rows.order.iter().filter_map(|id| rows.get(*id));
            all.filter(|row| meant(row)).cloned().collect()
        };
        let held = self.held_rows(asker, &Filter::default());
        rows.extend(held.into_iter().filter(meant));
        rows
    }

    /// The alert as recalling knows it. What this very request has cancelled counts as open, so
    /// that its repeat gives the same answer.
    fn raised<'a>(&self, row: &'a Row, request: Request) -> Option<Raised<'a>> {
        let asked = row.asked.as_ref()?;
        let is_ours = self.board.decided(cancel_id(request, row.id)).is_some();
        Some(Raised {
            alert: row.id,
            by: &asked.by,
            home: row.home,
            raised_at: asked.at,
            closed: closing(&row.alert).filter(|_| !is_ours),
        })
    }
}

fn closing(alert: &Alert) -> Option<Closing> {
    match alert {
        Alert::Closed { how, .. } => Some(*how),
        _ => None,
    }
}

fn cancel_id(request: Request, alert: AlertId) -> RecordId {
    RecordId::of_purpose(&format!("recall/{}/{alert}", request.command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_is_of_its_request_and_its_alert() {
        let request = |name: &str| Request { command: RecordId::of_purpose(name), sha256: [0; 32] };
        let alert = |name: &str| AlertId::raised_by(RecordId::of_purpose(name));
        let id = cancel_id(request("r"), alert("a"));
        assert_eq!(id, cancel_id(request("r"), alert("a")));
        assert_ne!(id, cancel_id(request("r"), alert("b")));
        assert_ne!(id, cancel_id(request("s"), alert("a")));
    }
}
