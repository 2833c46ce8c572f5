//! The acts that a path's last word and a body ask for, where the alert as it stands says nothing
//! to it: the same for whoever asks here, and for whoever signs elsewhere.

use domain::ids::CommuneCode;

use crate::{
    acts::Act,
    alert_acts::AlertAct,
    request::{self, BadRequest, EdgeKnown},
};

/// The act; `None` where there is none of this word, or more is needed to read the body.
pub(crate) fn act_in_words(
    action: &str,
    (body, commune): (&[u8], Option<CommuneCode>),
    known: &EdgeKnown<'_>,
) -> Result<Option<Act>, BadRequest> {
    let note = || request::note(body, false);
    Ok(Some(match action {
        "approve" => Act::Approve { revision: request::approve(body)? },
        "cancel" => Act::Cancel { note: note()? },
        "resolve" => Act::Resolve { note: note()? },
        "acknowledge" => Act::Acknowledge { commune, note: note()? },
        "refuse" => Act::Refuse { commune, note: note()? },
        "decline" => Act::OfAlert(AlertAct::Decline { note: note()? }),
        "review" => {
            request::nothing(body)?;
            Act::OfAlert(AlertAct::Review)
        }
        "widen" => Act::OfAlert(AlertAct::Widen { reach: request::widen(body, known)? }),
        "hold" => {
            request::nothing(body)?;
            Act::OfAlert(AlertAct::Hold)
        }
        "reopen" => Act::OfAlert(AlertAct::Reopen { note: note()? }),
        "sighting" => {
            let sighting = Box::new(request::sighting(body, known)?);
            Act::OfAlert(AlertAct::Sight { commune, sighting })
        }
        _ => return Ok(None),
    }))
}
