//! What the issuing commune and a second person ask of an alert in force, and what a commune
//! sees: changes, reach, holds, reviews, sightings.

use std::sync::Arc;

use axum::http::StatusCode;
use chassis::{Problem, auth::forbidden};
use domain::{
    ids::{AlertId, CommuneCode, EntityName, Millis},
    limits,
    reach::ReachRequest,
    rights::Asker,
};
use wire::{
    alert::{facts_said, reach_said, seen_said},
    delivery::target_said,
    spoken::id_bytes,
    v1::{self, ChangeHow, command::Body, sealed_content::Content},
};

use crate::{
    Intake,
    act_words::act_in_words,
    acts::{Act, Command, answering_commune},
    application::{Request, Shown, VALIDITY_MS},
    refused::{bad_request, starting},
    request::{self, Changed, EdgeKnown, Sighting, sealed_fields},
    row::Row,
    uncorrected::Attesting,
};

/// What can be asked of an alert in force.
#[derive(Debug, Clone)]
pub(crate) enum AlertAct {
    Decline { note: Option<String> },
    Review,
    Change { how: ChangeHow, changed: Box<Changed> },
    Widen { reach: ReachRequest },
    Hold,
    Release { words: Option<Box<v1::AlertText>> },
    Reopen { note: Option<String> },
    Sight { commune: Option<CommuneCode>, sighting: Box<Sighting> },
    Attest(Box<Attesting>),
}

impl AlertAct {
    /// A second person's say.
    fn is_of_second_person(&self) -> bool {
        matches!(self, Self::Decline { .. } | Self::Review)
    }

    /// What it is to limits and freezes. A change that only says what was wrong takes back.
    pub(crate) fn kind(&self) -> limits::Act {
        match self {
            Self::Change { how: ChangeHow::Correct, .. }
            | Self::Decline { .. }
            | Self::Hold
            | Self::Attest(_) => limits::Act::TakeBack,
            Self::Review
            | Self::Change { .. }
            | Self::Widen { .. }
            | Self::Release { .. }
            | Self::Reopen { .. } => limits::Act::Extend,
            Self::Sight { .. } => limits::Act::Answer,
        }
    }

    /// What takes effect on people is stale after a while; what corrects, stops or answers never
    /// is.
    fn goes_stale(&self) -> bool {
        matches!(
            self,
            Self::Change { how: ChangeHow::Update, .. }
                | Self::Widen { .. }
                | Self::Release { .. }
                | Self::Reopen { .. }
        )
    }
}

/// The command that an act is; checks the asker's right to it.
pub(crate) fn alert_command(
    asker: &Asker,
    request: Request,
    row: &Row,
    act: AlertAct,
    now: Millis,
) -> Result<Command, Problem> {
    let allowed = match &act {
        // Whoever sees them on the list.
        AlertAct::Sight { .. } | AlertAct::Attest(_) => true,
        act if act.is_of_second_person() => asker.standing.approves_for(row.home),
        _ => asker.standing.acts_for(row.home),
    };
    if !allowed {
        return Err(forbidden());
    }
    let valid_until = act.goes_stale().then(|| now.plus_ms(VALIDITY_MS));
    let note = |note: Option<String>| {
        let fields = note.iter().map(|_| "note".to_owned()).collect();
        (note.map(|note| Content::Note(v1::NoteText { note })), fields)
    };
    let ((content, sealed_fields), body) = match act {
        AlertAct::Decline { note: words } => (note(words), Body::DeclineAlert(v1::DeclineAlert {})),
        AlertAct::Review => (note(None), Body::ReviewAlert(v1::ReviewAlert {})),
        AlertAct::Change { how, changed } => {
            let Changed { draft, set, .. } = *changed;
            let (how, facts) = (i32::from(how), Some(facts_said(&draft.facts)));
            let body = Body::ChangeAlert(v1::ChangeAlert { how, facts, set });
            ((Some(Content::Alert(draft.text)), draft.sealed_fields), body)
        }
        AlertAct::Widen { reach } => {
            let reach = Some(reach_said(&reach));
            (note(None), Body::WidenAlert(v1::WidenAlert { reach }))
        }
        AlertAct::Hold => (note(None), Body::HoldAlert(v1::HoldAlert {})),
        AlertAct::Release { words } => release(row, words.as_deref()),
        AlertAct::Reopen { note: words } => (note(words), Body::ReopenAlert(v1::ReopenAlert {})),
        AlertAct::Sight { commune, sighting } => {
            let commune = sighting_commune(asker, row, commune)?;
            let Sighting { seen, text } = *sighting;
            let seen = Some(seen_said(seen));
            let sealed_fields = sealed_fields(&text);
            let body = Body::SightAlert(v1::SightAlert { seen, commune });
            ((Some(Content::Alert(text)), sealed_fields), body)
        }
        AlertAct::Attest(attesting) => {
            let Attesting { revision, commune, targets, note: how } = *attesting;
            let (commune, targets) = (commune.to_string(), targets.iter().map(target_said));
            let targets = targets.collect();
            let body = v1::AttestCorrection { revision, commune, targets };
            (note(Some(how)), Body::AttestCorrection(body))
        }
    };
    Ok(Command {
        request,
        entity: EntityName::alert(row.id),
        home: row.home,
        correlation: id_bytes(row.id.0),
        valid_until,
        content,
        sealed_fields,
        body,
    })
}

/// What was refused as stale is raised again by one word; everything else goes on where it was
/// held. The words stay where they are.
fn release(row: &Row, words: Option<&v1::AlertText>) -> ((Option<Content>, Vec<String>), Body) {
    let is_stale = row.refusal.as_ref().is_some_and(|refusal| refusal.code == "stale");
    let asked = row.asked.as_ref().filter(|_| is_stale && row.alert.content().is_none());
    let (facts, content) = match asked {
        Some(asked) => (Some(facts_said(&asked.facts)), id_bytes(asked.content.0)),
        None => (None, bytes::Bytes::new()),
    };
    let fields = words.filter(|_| facts.is_some()).map(sealed_fields).unwrap_or_default();
    ((None, fields), Body::ReleaseAlert(v1::ReleaseAlert { facts, content }))
}

/// The commune whose officer has seen something: the issuing one, or one that was told.
fn sighting_commune(
    asker: &Asker,
    row: &Row,
    named: Option<CommuneCode>,
) -> Result<String, Problem> {
    let own = asker.standing.acts_for(row.home);
    if own && named.is_none_or(|named| named == row.home.commune) {
        return Ok(row.home.commune.to_string());
    }
    answering_commune(asker, row, named).map(|home| home.commune.to_string())
}

impl Intake {
    /// The act that a path's last word and a body ask for.
    pub(crate) async fn asked_act(
        &self,
        asker: &Asker,
        alert: AlertId,
        action: &str,
        (body, commune): (&[u8], Option<CommuneCode>),
    ) -> Result<Act, Problem> {
        let known = EdgeKnown { now: self.host.clock.now(), map: self.host.map.as_ref() };
        let bad = |bad| bad_request(&bad);
        if let Some(act) = act_in_words(action, (body, commune), &known).map_err(bad)? {
            return Ok(act);
        }
        Ok(Act::OfAlert(match action {
            "update" => self.change(asker, alert, ChangeHow::Update, body).await?,
            "correct" => self.change(asker, alert, ChangeHow::Correct, body).await?,
            "release" => {
                request::nothing(body).map_err(bad)?;
                let (_, text) = self.words(asker, alert).await?;
                AlertAct::Release { words: text.map(|text| Box::new((*text).clone())) }
            }
            "attest" => {
                let attest = request::attest(body).map_err(bad)?;
                AlertAct::Attest(Box::new(self.attesting(asker, alert, attest).await?))
            }
            _ => return Err(Problem::no_such_path()),
        }))
    }

    /// A request that is not valid now, but was when it was first made, is answered with the
    /// alert as it stands.
    pub(crate) async fn repeated_act(
        &self,
        asker: &Asker,
        request: Request,
        alert: AlertId,
        bad: Problem,
    ) -> Result<Shown, Problem> {
        if bad.status() != StatusCode::BAD_REQUEST {
            return Err(bad);
        }
        match self.get(asker, alert).await {
            Ok(shown) if self.is_repeat(&shown.row, request).await => Ok(shown),
            _ => Err(bad),
        }
    }

    pub(crate) async fn change(
        &self,
        asker: &Asker,
        alert: AlertId,
        how: ChangeHow,
        body: &[u8],
    ) -> Result<AlertAct, Problem> {
        let (row, text) = self.words(asker, alert).await?;
        // Who may not change it is told so first, whatever the body says.
        if !asker.standing.acts_for(row.home) {
            return Err(forbidden());
        }
        let facts = row.facts().ok_or_else(starting)?;
        let text = text.ok_or_else(starting)?;
        let known = EdgeKnown { now: self.host.clock.now(), map: self.host.map.as_ref() };
        let changed = request::change(body, (facts, &text), &known);
        let changed = Box::new(changed.map_err(|bad| bad_request(&bad))?);
        self.photos_are_stored(&changed.draft.text.photos, &text.photos).await?;
        Ok(AlertAct::Change { how, changed })
    }

    async fn words(
        &self,
        asker: &Asker,
        alert: AlertId,
    ) -> Result<(Row, Option<Arc<v1::AlertText>>), Problem> {
        let row = self.readable(asker, alert)?;
        let text = self.text(&row).await;
        Ok((row, text))
    }
}
