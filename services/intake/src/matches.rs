//! Matches, as people ask for them: what waits for an answer, and the answers themselves.
//!
//! Officers of either commune see both alerts: the own or relayed one whole, the other as anyone
//! may see it. They answer for their own side, and nothing else follows.

use std::sync::Arc;

use axum::http::StatusCode;
use chassis::{Problem, auth::forbidden};
use domain::{
    alert::{Alert, Closing},
    ids::{AlertId, CommuneCode, EntityName, Home},
    looks::What,
    matching::decision::{Outcome, Proposed, Verdict},
    rights::Asker,
};
use event_log::{Class, Key};
use wire::{
    matching::answer_said,
    spoken::id_bytes,
    v1::{self, AlertText, sealed_content::Content},
};

use crate::{
    Intake,
    acts::Command,
    application::{Request, Written, unsealed},
    looks::Reader,
    match_board::MatchRow,
    refused::{disk_low, not_found, refused, starting},
    row::{Refused, Row},
    stream::Scope,
    writing::By,
};

/// Proposals in one page of a list.
const PAGE_MAX: usize = 100;
/// What must have been read before it can be said that a proposal is not there.
const READ: [&str; 2] = ["board-commands", "board-alerts"];

/// A proposal to be shown.
pub(crate) struct MatchShown {
    pub(crate) row: MatchRow,
    pub(crate) sides: [SideShown; 2],
}

/// One of its alerts, as the asker may see it.
pub(crate) struct SideShown {
    pub(crate) row: Row,
    pub(crate) text: Option<Arc<AlertText>>,
    /// Whether the asker may read the alert; otherwise it is seen as anyone sees it.
    pub(crate) is_full: bool,
    /// What was added to the side's answer.
    pub(crate) note: Option<String>,
}

/// A page of proposals, and where the next one begins.
pub(crate) type MatchPage = (Vec<MatchShown>, Option<EntityName>);

/// What an officer says.
#[derive(Debug, Clone)]
pub(crate) struct MatchAnswer {
    pub(crate) verdict: Verdict,
    /// For which commune; needed where the asker stands for both.
    pub(crate) commune: Option<CommuneCode>,
    pub(crate) note: Option<String>,
}

/// A proposal after an answer.
pub(crate) struct Answered {
    pub(crate) shown: MatchShown,
    /// Whether the answer is still being decided, or held.
    pub(crate) pending: bool,
    /// Whether the answer lies in this machine's outbox.
    pub(crate) held: bool,
}

impl Intake {
    /// Proposals that concern the scope, the newest first. Without a state those that wait for
    /// people: open or disputed, of alerts of which one at least is not over and none was wrong.
    pub(crate) async fn matches(
        &self,
        reader: impl Into<Reader<'_>>,
        scope: Scope,
        state: Option<Outcome>,
        after: Option<&EntityName>,
    ) -> Result<MatchPage, Problem> {
        let reader = reader.into();
        let (rows, next) = self.matches_of(scope, state, after);
        let mut shown = Vec::with_capacity(rows.len());
        for row in rows {
            shown.push(self.match_shown(reader, row).await?);
        }
        Ok((shown, next))
    }

    fn matches_of(
        &self,
        scope: Scope,
        state: Option<Outcome>,
        after: Option<&EntityName>,
    ) -> (Vec<MatchRow>, Option<EntityName>) {
        let rows = self.board.lock();
        let waits = |row: &MatchRow| {
            let alerts = row.proposed.pair.alerts().map(|alert| rows.get(alert));
            let wrong =
                |row: &&Row| matches!(row.alert, Alert::Closed { how: Closing::Cancelled, .. });
            let over = |row: &&Row| matches!(row.alert, Alert::Closed { .. });
            let mut known = alerts.iter().flatten();
            matches!(row.outcome(), Outcome::Open | Outcome::Disputed)
                && !known.clone().any(wrong)
                && !known.all(over)
        };
        let fits = |row: &&MatchRow| {
            row.concerns(|home| scope.holds(home))
                && state.map_or_else(|| waits(row), |state| state == row.outcome())
        };
        let newest_first = rows.matches.order.iter().rev();
        let skip = after.is_some();
        let behind = newest_first.skip_while(|id| skip && Some(*id) != after);
        let mut found: Vec<MatchRow> = Vec::new();
        for row in behind.skip(usize::from(skip)).filter_map(|id| rows.matches.get(id)).filter(fits)
        {
            if found.len() == PAGE_MAX {
                let next = found.last().map(|row| row.id.clone());
                return (found, next);
            }
            found.push(row.clone());
        }
        (found, None)
    }

    /// One proposal, for whoever may read it.
    pub(crate) async fn one_match(
        &self,
        reader: impl Into<Reader<'_>>,
        id: &EntityName,
    ) -> Result<MatchShown, Problem> {
        let reader = reader.into();
        let row = self.readable_match(reader.asker, id)?;
        self.match_shown(reader, row).await
    }

    /// One proposal with both alerts, once all that is shown of them is durable.
    pub(crate) async fn match_shown(
        &self,
        reader: impl Into<Reader<'_>>,
        row: MatchRow,
    ) -> Result<MatchShown, Problem> {
        let reader = reader.into();
        self.stored([&row.at].into_iter()).await?;
        let [one, other] = row.proposed.pair.alerts();
        let [here, there] = row.proposed.homes;
        let sides = [
            self.side_shown(reader, &row, (one, here)).await?,
            self.side_shown(reader, &row, (other, there)).await?,
        ];
        Ok(MatchShown { row, sides })
    }

    async fn side_shown(
        &self,
        reader: Reader<'_>,
        of: &MatchRow,
        (alert, home): (AlertId, Home),
    ) -> Result<SideShown, Problem> {
        let row = self.board.row(alert).unwrap_or_else(|| Row::new(alert, home));
        self.door(&row).await?;
        let text = self.read_words(reader, &row).await?;
        let is_full = row.communes().any(|home| reader.asker.standing.acts_for(home));
        let note = self.note_of(of, alert).await;
        if note.is_some() {
            self.look(reader, &[(&row, What::Notes)]).await?;
        }
        Ok(SideShown { row, text, is_full, note })
    }

    /// The note of a side's answer; `None` where there is none, or it is erased or not here.
    async fn note_of(&self, row: &MatchRow, side: AlertId) -> Option<String> {
        let note = row.state.answers.get(&side)?.note;
        let key = Key { class: Class::Command, home: row.home, entity: row.id.clone() };
        let found = self.host.log.load(&key, Some(note)).await.ok()?;
        match unsealed(found.first()?)?.content {
            Some(Content::Note(note)) => Some(note.note),
            _ => None,
        }
    }

    /// An officer answers for the own side.
    pub(crate) async fn answer_match(
        &self,
        by: impl Into<By<'_>>,
        request: Request,
        id: &EntityName,
        answer: MatchAnswer,
    ) -> Result<Answered, Problem> {
        let by = by.into();
        let asker = by.asker;
        let row = self.readable_match(asker, id)?;
        let command = match_command(asker, request, (id, &row.proposed), answer)?;
        if !self.host.raising_allowed() {
            return Err(disk_low());
        }
        let written = self.write(by, command, self.host.clock.now()).await?;
        if let Written::Decided(Some(refusal)) = &written {
            return Err(not_matched(refusal));
        }
        let row = self.readable_match(asker, id)?;
        let shown = self.match_shown(asker, row).await?;
        let pending = !matches!(written, Written::Decided(_));
        Ok(Answered { shown, pending, held: matches!(written, Written::Held) })
    }

    /// The proposal, if the asker stands for one of its communes. A foreign one does not exist.
    fn readable_match(&self, asker: &Asker, id: &EntityName) -> Result<MatchRow, Problem> {
        if !asker.standing.reads_alerts() {
            return Err(forbidden());
        }
        let row = self.board.lock().matches.get(id).cloned();
        let row = row.filter(|row| row.concerns(|home| asker.standing.acts_for(home)));
        row.ok_or_else(|| match self.host.is_caught_up(&READ) {
            true => no_such_match(),
            false => starting(),
        })
    }
}

/// The command that answers a proposal; checks the asker's right to it.
pub(crate) fn match_command(
    asker: &Asker,
    request: Request,
    (id, proposed): (&EntityName, &Proposed),
    MatchAnswer { verdict, commune, note }: MatchAnswer,
) -> Result<Command, Problem> {
    let side = answering_side(asker, proposed, commune)?;
    let [alert, _] = proposed.pair.alerts();
    let [home, _] = proposed.homes;
    Ok(Command {
        request,
        entity: id.clone(),
        home,
        correlation: id_bytes(alert.0),
        valid_until: None,
        sealed_fields: note.iter().map(|_| "note".to_owned()).collect(),
        content: note.map(|note| Content::Note(v1::NoteText { note })),
        body: answer_said(proposed, side, verdict),
    })
}

/// The side that the asker answers for: the own one, or that of the commune named. Where both
/// alerts are one commune's, its answer stands for both, and is given for the first.
fn answering_side(
    asker: &Asker,
    proposed: &Proposed,
    named: Option<CommuneCode>,
) -> Result<AlertId, Problem> {
    let [first, second] = proposed.pair.alerts();
    let [here, there] = proposed.homes;
    let own = |home: Home| {
        asker.standing.acts_for(home) && named.is_none_or(|named| named == home.commune)
    };
    match (own(here), own(there)) {
        (true, true) if here.commune != there.commune => {
            let detail = "Hãy chọn xã trả lời. / Name the commune that answers.";
            let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid-fields", detail);
            Err(problem.with_field("commune", "bắt buộc phải có / is required"))
        }
        (true, _) => Ok(first),
        (false, true) => Ok(second),
        (false, false) => Err(no_such_match()),
    }
}

/// There is no such proposal, or not for the asker.
pub(crate) fn no_such_match() -> Problem {
    let detail = "Không có đề xuất này. / There is no such proposal.";
    Problem::new(StatusCode::NOT_FOUND, not_found().code().to_owned(), detail)
}

/// What the decider refused.
fn not_matched(refusal: &Refused) -> Problem {
    let (status, detail) = match refusal.code.as_str() {
        "not-found" => return no_such_match(),
        "same-person" => (
            StatusCode::FORBIDDEN,
            "Hai bên phải do hai người xác nhận. / Two persons must confirm, one for each side.",
        ),
        "closed" => (
            StatusCode::CONFLICT,
            "Một trong hai tin đã bị thu hồi. / One of the alerts was cancelled.",
        ),
        "already-merged" => (
            StatusCode::CONFLICT,
            "Hai bên đã xác nhận gộp. / Both sides have confirmed the merge.",
        ),
        _ => return refused(refusal),
    };
    Problem::new(status, refusal.code.clone(), detail)
}

#[cfg(test)]
mod tests {
    use domain::{
        ids::RecordId,
        matching::{ProposalKind, decision::Pair},
        rights::Standing,
    };

    use super::*;

    fn home(commune: &str) -> Home {
        Home { province: "42".parse().unwrap(), commune: commune.parse().unwrap() }
    }

    fn proposed(here: &str, there: &str) -> Proposed {
        let alert = |name: &str| AlertId::raised_by(RecordId::of_purpose(name));
        Proposed {
            pair: Pair::of(alert("a"), alert("b")).unwrap(),
            homes: [home(here), home(there)],
            kind: ProposalKind::Match,
            score_per_mille: 700,
            reasons: vec![],
        }
    }

    #[test]
    fn each_commune_answers_for_its_own_side() {
        let between = proposed("18121", "18124");
        let [first, second] = between.pair.alerts();
        let asker = |standing| Asker { officer: "an".parse().unwrap(), standing };
        let officer = |commune| asker(Standing::Officer(home(commune)));
        let desk = asker(Standing::Province("42".parse().unwrap()));
        let side = |asker: &Asker, proposed: &Proposed, named: Option<&str>| {
            let named = named.map(|named| named.parse().unwrap());
            answering_side(asker, proposed, named).map_err(|why| why.status().as_u16())
        };
        assert_eq!(side(&officer("18121"), &between, None), Ok(first));
        assert_eq!(side(&officer("18124"), &between, None), Ok(second));
        assert_eq!(side(&officer("18124"), &between, Some("18121")), Err(404));
        assert_eq!(side(&officer("18127"), &between, None), Err(404));
        assert_eq!(side(&desk, &between, None), Err(400));
        assert_eq!(side(&desk, &between, Some("18124")), Ok(second));
        let within = proposed("18121", "18121");
        assert_eq!(side(&officer("18121"), &within, None), Ok(first));
    }
}
