//! Measuring exercises: how far one reached its groups, folded from the log when somebody looks,
//! and kept where it is asked for. The figures are always this process' own.
//!
//! Decided here, so that whoever asked sees what was kept; alerting decides what a killed process
//! left.

use axum::http::StatusCode;
use chassis::{Problem, auth::forbidden};
use domain::{
    delivery::may_be_told,
    drill::{self, Drill, DrillEvent, DrillResult, GroupStand},
    ids::{AlertId, CommuneCode, EntityName, GroupId, Home, Millis},
    rights::{Asker, Standing},
    values::AlertStatus,
};
use event_log::{
    At, Class, Key,
    order::{NotCarriedOut, carry_out},
};
use prost::Message;
use registry::drills::LastDrill;
use wire::{
    Spoken,
    commit::events_of,
    drill::result_said,
    spoken::id_bytes,
    v1::{self, command::Body},
};

use crate::{
    Intake,
    acts::Command,
    application::{AlertDeliveries, Request, STORE_PATIENCE},
    deliveries::Deliveries,
    refused::{disk_low, not_stored, refused},
    row::{Refused, Row},
    writing::By,
};

/// How an exercise stands in one commune.
pub(crate) struct Measured {
    /// Whether nothing more is to be waited for.
    pub(crate) is_over: bool,
    /// Whether its groups were planned for.
    pub(crate) is_planned: bool,
    pub(crate) stands: Vec<GroupStand>,
    pub(crate) result: DrillResult,
}

/// What was kept.
pub(crate) struct Kept {
    pub(crate) result: DrillResult,
    /// The request lies in this machine's outbox: on disk here, not yet sent.
    pub(crate) held: bool,
}

/// An exercise, as far as it is measured.
struct Exercise {
    alert: AlertId,
    status: AlertStatus,
    raised_at: Millis,
}

impl Intake {
    /// How an exercise stands in each commune that the asker may see.
    ///
    /// # Errors
    /// There is no such alert, it is no exercise, or the log cannot be read now.
    pub(crate) async fn measure(
        &self,
        asker: &Asker,
        alert: AlertId,
    ) -> Result<Vec<Measured>, Problem> {
        let AlertDeliveries { row, deliveries } = self.deliveries(asker, alert).await?;
        let exercise = exercise_of(&row)?;
        let measured = deliveries.iter().map(|(commune, read)| {
            let home = row.communes().find(|home| home.commune == *commune).unwrap_or(row.home);
            self.measured(&exercise, home, read)
        });
        Ok(measured.collect())
    }

    fn measured(&self, exercise: &Exercise, home: Home, read: &Deliveries) -> Measured {
        let directory = self.host.directory.read();
        let (taking_part, apart): (Vec<_>, Vec<_>) =
            directory.groups_of(home.commune).iter().partition(|group| {
                may_be_told(exercise.status, group.facts.kind, group.facts.exercises)
            });
        let taking_part = taking_part.iter().map(|group| group.facts.id.clone());
        let stands = drill::stands(&read.lanes, exercise.raised_at, taking_part);
        // Who left the drills meanwhile was told all the same.
        let was_told = |id: &GroupId| stands.iter().any(|stand| stand.group == *id);
        let apart = apart.iter().filter(|group| !was_told(&group.facts.id)).count();
        let of = (exercise.alert, home.commune, exercise.raised_at);
        Measured {
            is_over: drill::is_over(&read.lanes),
            is_planned: read.lanes.newest() > 0,
            result: DrillResult::of(of, &stands, apart),
            stands,
        }
    }

    /// Measures an exercise in the commune that raised it, and keeps the result.
    ///
    /// # Errors
    /// Not the asker's to keep, no exercise, nobody told yet or at all, or not stored.
    pub(crate) async fn keep_drill(
        &self,
        by: impl Into<By<'_>>,
        request: Request,
        alert: AlertId,
    ) -> Result<Kept, Problem> {
        let by = by.into();
        let asker = by.asker;
        let row = self.readable(asker, alert)?;
        if !asker.standing.acts_for(row.home) {
            return Err(forbidden());
        }
        exercise_of(&row)?;
        let key = Key {
            class: Class::Alert,
            home: row.home,
            entity: EntityName::drill(row.home.commune),
        };
        let measured = self.measure(asker, alert).await?;
        let own = measured.into_iter().find(|it| it.result.commune == row.home.commune);
        let own = own.filter(|own| own.is_planned).ok_or_else(nothing_told)?;
        if !self.host.raising_allowed() {
            return Err(disk_low());
        }
        let now = self.host.clock.now();
        let record = by.record(drill_command(request, row.home, &own.result), now)?;
        let order = (Class::Alert, false);
        let at = (&self.host.log, &self.drilling);
        let carried_out = carry_out(at, order, vec![record], now, |_: &Drill, _| ()).await;
        match carried_out {
            Ok(done) if done.repeats.is_empty() => {
                self.directory_has_seen(done.at).await;
                Ok(Kept { result: own.result, held: false })
            }
            // The first record under this key wins, and says what was measured then.
            Ok(done) => {
                by.is_repeated_by(done.repeats.first().map(AsRef::as_ref), request)?;
                let result = self.kept_by(&key, request).await?.unwrap_or(own.result);
                Ok(Kept { result, held: false })
            }
            Err(NotCarriedOut::Held) => Ok(Kept { result: own.result, held: true }),
            Err(NotCarriedOut::Refused(refusal)) => Err(not_kept(refusal)),
            Err(NotCarriedOut::Unavailable(why)) => {
                tracing::warn!(why, "the result of a drill could not be kept");
                Err(not_stored())
            }
        }
    }

    /// So that whoever looks next sees what was kept. It is kept also where that takes too long.
    async fn directory_has_seen(&self, at: Option<At>) {
        let Some(at) = at else { return };
        let mut seen = self.host.directory_seen.clone();
        let seen = seen.wait_for(|position| *position >= at.position);
        let _ = tokio::time::timeout(STORE_PATIENCE, seen).await;
    }

    /// What was kept of an exercise for a request that stands in the log.
    pub(crate) async fn drill_kept(
        &self,
        asker: &Asker,
        request: Request,
        alert: AlertId,
    ) -> Result<Option<Kept>, Problem> {
        let home = self.readable(asker, alert)?.home;
        let key = Key { class: Class::Alert, home, entity: EntityName::drill(home.commune) };
        let result = self.kept_by(&key, request).await?;
        Ok(result.map(|result| Kept { result, held: false }))
    }

    /// What was kept for this request; `None` where it changed nothing.
    async fn kept_by(&self, key: &Key, request: Request) -> Result<Option<DrillResult>, Problem> {
        let history = self.host.log.load(key, None).await.map_err(|_| not_stored())?;
        let events = history.iter().filter_map(|recorded| {
            let commit = v1::Commit::decode(recorded.open.clone()).ok()?;
            let is_meant = commit.causation == id_bytes(request.command.0);
            is_meant.then(|| events_of(commit).unwrap_or_default())
        });
        let mut kept = events.flatten().filter_map(|event| Drill::recall(&event).ok());
        Ok(kept.next().map(|DrillEvent::Measured(result)| result))
    }

    /// What was measured last in each commune that the asker keeps or acts for; in one of them,
    /// where one is named.
    pub(crate) fn last_drills(
        &self,
        asker: &Asker,
        commune: Option<CommuneCode>,
    ) -> Result<Vec<LastDrill>, Problem> {
        if matches!(asker.standing, Standing::Auditor) {
            return Err(forbidden());
        }
        let may_see = |commune: CommuneCode| {
            let home = self.host.map.home(commune);
            asker.standing.administers() || home.is_some_and(|home| asker.standing.acts_for(home))
        };
        if commune.is_some_and(|commune| !may_see(commune)) {
            return Err(forbidden());
        }
        let directory = self.host.directory.read();
        let is_meant = |last: &&LastDrill| {
            let of = last.result.commune;
            commune.is_none_or(|commune| commune == of) && may_see(of)
        };
        Ok(directory.drills().measured().filter(is_meant).cloned().collect())
    }
}

fn exercise_of(row: &Row) -> Result<Exercise, Problem> {
    let facts = row.facts().ok_or_else(nothing_told)?;
    if facts.status.is_actual() {
        let detail = "Đây không phải diễn tập. / This is no exercise.";
        return Err(Problem::new(StatusCode::CONFLICT, "not-an-exercise", detail));
    }
    let raised_at = row.asked.as_ref().map(|asked| asked.at).or(row.sent);
    let raised_at = raised_at.ok_or_else(nothing_told)?;
    Ok(Exercise { alert: row.id, status: facts.status, raised_at })
}

/// The command that keeps what was measured in the commune that raised the exercise.
pub(crate) fn drill_command(request: Request, home: Home, result: &DrillResult) -> Command {
    Command {
        request,
        entity: EntityName::drill(home.commune),
        home,
        correlation: id_bytes(result.alert.0),
        valid_until: None,
        content: None,
        sealed_fields: vec![],
        body: Body::RecordDrillResult(v1::RecordDrillResult { result: Some(result_said(result)) }),
    }
}

fn nothing_told() -> Problem {
    let detail = "Chưa báo cho nhóm nào. / No group has been told yet.";
    Problem::new(StatusCode::CONFLICT, "nothing-told", detail)
}

fn not_kept(refusal: v1::Refused) -> Problem {
    let v1::Refused { code, field } = refusal;
    let detail = match code.as_str() {
        "nobody-took-part" => {
            "Không nhóm nào của xã tham gia diễn tập. / No group of the commune takes part."
        }
        "later-drill" => "Đã đo một lần diễn tập sau đó. / A later drill was measured already.",
        _ => return refused(&Refused { code, field }),
    };
    Problem::new(StatusCode::CONFLICT, code, detail)
}
