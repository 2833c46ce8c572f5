//! Acts: what can be asked of an alert that is there, and the command that each is.

use bytes::Bytes;
use chassis::{Problem, auth::forbidden};
use domain::{
    ids::{AlertId, CommuneCode, EntityName, Home, Millis},
    limits,
    relay::Answer,
    rights::Asker,
};
use event_log::command::Draft;
use wire::{
    alert::facts_said,
    seal::{SALT_BYTES, seal},
    spoken::{home_said, id_bytes},
    v1::{self, command::Body, sealed_content::Content},
};

use crate::{
    alert_acts::{AlertAct, alert_command},
    application::{Request, VALIDITY_MS},
    refused::not_found,
    relay_acts::{RelayAct, relay_command},
    request,
    row::Row,
};

/// What can be asked of an alert that is there.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Approve { revision: u64 },
    Cancel { note: Option<String> },
    Resolve { note: Option<String> },
    Acknowledge { commune: Option<CommuneCode>, note: Option<String> },
    Refuse { commune: Option<CommuneCode>, note: Option<String> },
    OfAlert(AlertAct),
    OfRelay(RelayAct),
}

/// What an act asks to be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    State(&'static str),
    Answer(Answer),
}

impl Act {
    /// What it is to limits and freezes.
    pub(crate) fn kind(&self) -> limits::Act {
        match self {
            Self::Approve { .. } | Self::OfRelay(RelayAct::Onward { .. }) => limits::Act::Extend,
            Self::OfAlert(act) => act.kind(),
            Self::Cancel { .. } | Self::Resolve { .. } => limits::Act::TakeBack,
            Self::Acknowledge { .. } | Self::Refuse { .. } | Self::OfRelay(_) => {
                limits::Act::Answer
            }
        }
    }

    /// Whether the alert says so already.
    pub(crate) fn changes_nothing(&self) -> bool {
        matches!(self, Self::OfAlert(AlertAct::Change { changed, .. }) if changed.is_same)
    }

    /// What it asks to be so; others ask for more than a state.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        match self {
            Self::Approve { .. } | Self::OfAlert(_) | Self::OfRelay(_) => None,
            Self::Cancel { .. } => Some(Wanted::State("cancelled")),
            Self::Resolve { .. } => Some(Wanted::State("resolved")),
            Self::Acknowledge { .. } => Some(Wanted::Answer(Answer::Acknowledge)),
            Self::Refuse { .. } => Some(Wanted::Answer(Answer::Refuse)),
        }
    }
}

/// Whether it is so already, as far as the board knows.
pub(crate) fn is_so(row: &Row, wanted: Wanted, home: Home) -> bool {
    match wanted {
        Wanted::State(state) => row.state() == state,
        Wanted::Answer(wanted) => {
            let relay = row.relays.get(&home.commune);
            relay.and_then(|relay| relay.story.answer()).is_some_and(|(answer, _)| answer == wanted)
        }
    }
}

/// A command on its way into the log.
pub(crate) struct Command {
    pub(crate) request: Request,
    pub(crate) entity: EntityName,
    pub(crate) home: Home,
    /// What everything that follows belongs to: the alert's id, or the command's own.
    pub(crate) correlation: Bytes,
    pub(crate) valid_until: Option<Millis>,
    pub(crate) content: Option<Content>,
    pub(crate) sealed_fields: Vec<String>,
    pub(crate) body: Body,
}

/// How a command's record is made.
pub(crate) struct Made {
    pub(crate) actor: v1::Actor,
    pub(crate) at: Millis,
    pub(crate) salt: [u8; SALT_BYTES],
    /// By which the repeat of a request is known.
    pub(crate) request_sha256: Bytes,
}

impl Command {
    /// Its record, about to be written.
    pub(crate) fn draft(self, made: Made) -> Draft {
        let Made { actor, at, salt, request_sha256 } = made;
        let content = v1::SealedContent { request_sha256, content: self.content };
        Draft {
            id: self.request.command,
            entity: self.entity,
            home: self.home,
            actor,
            at,
            correlation: self.correlation,
            causation: Bytes::new(),
            valid_until: self.valid_until,
            sealing: Some(seal(&content, salt)),
            sealed_fields: self.sealed_fields,
            body: self.body,
        }
    }
}

/// The command that raises an alert.
pub(crate) fn raising(request: Request, draft: request::Draft, made_at: Millis) -> Command {
    let alert = AlertId::raised_by(request.command);
    let facts = Some(facts_said(&draft.facts));
    Command {
        request,
        entity: EntityName::alert(alert),
        home: draft.facts.home,
        correlation: id_bytes(alert.0),
        valid_until: Some(made_at.plus_ms(VALIDITY_MS)),
        content: Some(Content::Alert(draft.text)),
        sealed_fields: draft.sealed_fields,
        body: Body::RaiseAlert(v1::RaiseAlert { facts }),
    }
}

/// The command that an act is; checks the asker's right to it.
pub(crate) fn command_of(
    asker: &Asker,
    request: Request,
    row: &Row,
    act: Act,
    now: Millis,
) -> Result<Command, Problem> {
    let alert = row.id;
    let own = || -> Result<(EntityName, Home), Problem> {
        if !asker.standing.acts_for(row.home) {
            return Err(forbidden());
        }
        Ok((EntityName::alert(alert), row.home))
    };
    let answering = |commune: Option<CommuneCode>| -> Result<(EntityName, Home), Problem> {
        let home = answering_commune(asker, row, commune)?;
        Ok((EntityName::relay(alert, home.commune), home))
    };
    let alert_bytes = id_bytes(alert.0);
    let alert_home = Some(home_said(row.home));
    let ((entity, home), note, body) = match act {
        Act::Approve { revision } => {
            if !asker.standing.approves_for(row.home) {
                return Err(forbidden());
            }
            (own()?, None, Body::ApproveAlert(v1::ApproveAlert { revision }))
        }
        Act::Cancel { note } => (own()?, note, Body::CancelAlert(v1::CancelAlert {})),
        Act::Resolve { note } => (own()?, note, Body::ResolveAlert(v1::ResolveAlert {})),
        Act::Acknowledge { commune, note } => {
            let body = v1::AcknowledgeRelay { alert: alert_bytes, alert_home };
            (answering(commune)?, note, Body::AcknowledgeRelay(body))
        }
        Act::Refuse { commune, note } => {
            let body = v1::RefuseRelay { alert: alert_bytes, alert_home };
            (answering(commune)?, note, Body::RefuseRelay(body))
        }
        Act::OfAlert(act) => return alert_command(asker, request, row, act, now),
        Act::OfRelay(act) => return relay_command(asker, request, row, act, now),
    };
    // An approval puts an alert in force, so it is stale after a while; an end never is.
    let approves = matches!(body, Body::ApproveAlert(_));
    Ok(Command {
        request,
        entity,
        home,
        correlation: id_bytes(alert.0),
        valid_until: approves.then(|| now.plus_ms(VALIDITY_MS)),
        sealed_fields: note.iter().map(|_| "note".to_owned()).collect(),
        content: note.map(|note| Content::Note(v1::NoteText { note })),
        body,
    })
}

/// The commune that the asker answers for: the own one, or for a province the one named.
pub(crate) fn answering_commune(
    asker: &Asker,
    row: &Row,
    named: Option<CommuneCode>,
) -> Result<Home, Problem> {
    let wanted = named.or(asker.standing.commune());
    let mut own: Vec<Home> = row
        .relays
        .values()
        .map(|relay| relay.reached.home)
        .filter(|home| asker.standing.acts_for(*home))
        .filter(|home| wanted.is_none_or(|wanted| wanted == home.commune))
        .collect();
    match (own.pop(), own.is_empty()) {
        (Some(home), true) => Ok(home),
        (Some(_), false) => {
            let detail = "Hãy chọn xã trả lời. / Name the commune that answers.";
            let status = axum::http::StatusCode::BAD_REQUEST;
            Err(Problem::new(status, "invalid-fields", detail).with_field("commune", "is required"))
        }
        (None, _) => Err(not_found()),
    }
}
