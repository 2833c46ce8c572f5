//! What a commune adds to an alert that was relayed to it, and the command that each is.

use chassis::Problem;
use domain::{
    ids::{CommuneCode, EntityName, Millis},
    rights::Asker,
};
use wire::{
    spoken::{home_said, id_bytes},
    v1::{self, command::Body, sealed_content::Content},
};

use crate::{
    acts::{Command, answering_commune},
    application::{Request, VALIDITY_MS},
    row::Row,
};

/// What a commune can add.
#[derive(Debug, Clone)]
pub(crate) enum RelayAct {
    /// Instructions for its own groups.
    Instruct { commune: Option<CommuneCode>, instruction: String },
    /// Further communes.
    Onward { commune: Option<CommuneCode>, to: Vec<CommuneCode>, note: Option<String> },
}

/// The command that it is; checks the asker's right to it. People are told because of it, so that
/// it is stale after a while.
pub(crate) fn relay_command(
    asker: &Asker,
    request: Request,
    row: &Row,
    act: RelayAct,
    now: Millis,
) -> Result<Command, Problem> {
    let alert = id_bytes(row.id.0);
    let alert_home = Some(home_said(row.home));
    let (commune, content, sealed, body) = match act {
        RelayAct::Instruct { commune, instruction } => (
            commune,
            Some(Content::Instruction(v1::InstructionText { instruction })),
            "instruction",
            Body::InstructRelay(v1::InstructRelay { alert, alert_home }),
        ),
        RelayAct::Onward { commune, to, note } => {
            let communes = to.iter().map(ToString::to_string).collect();
            let content = note.map(|note| Content::Note(v1::NoteText { note }));
            let body = v1::RelayOnward { alert, alert_home, communes };
            (commune, content, "note", Body::RelayOnward(body))
        }
    };
    let home = answering_commune(asker, row, commune)?;
    Ok(Command {
        request,
        entity: EntityName::relay(row.id, home.commune),
        home,
        correlation: id_bytes(row.id.0),
        valid_until: Some(now.plus_ms(VALIDITY_MS)),
        sealed_fields: content.iter().map(|_| sealed.to_owned()).collect(),
        content,
        body,
    })
}
