//! What a signed command asks, read off its body and its words.

use chassis::Problem;
use domain::{
    erasure::{Erasure, ErasureAsk},
    freeze::{Freeze, FreezeAsk, Frozen},
    ids::{AlertId, EntityName},
    matching::decision::{Match, MatchCommand},
};
use wire::{
    Spoken,
    matching::match_sides,
    v1::{self, sealed_content::Content},
};

use crate::{
    erasures, freezing,
    http::invalid,
    match_http::match_id,
    matches::MatchAnswer,
    refused::bad_request,
    request::{self, Attest},
};

/// The alert that everything following belongs to.
pub(super) fn alert_of(command: &v1::Command) -> Result<AlertId, Problem> {
    AlertId::from_slice(&command.correlation).ok_or_else(|| unreadable("open.correlation"))
}

pub(super) fn note_in(content: Option<Content>) -> Result<Option<String>, Problem> {
    match content {
        None => Ok(None),
        Some(Content::Note(v1::NoteText { note })) => {
            request::note_text(&note, false).map_err(|bad| bad_request(&bad))
        }
        Some(_) => Err(unreadable("content")),
    }
}

/// Whom of the list: one channel of a group, or all of it that are there.
pub(super) fn attest_asked(attest: &v1::AttestCorrection, note: String) -> Result<Attest, Problem> {
    let unread = || unreadable("open.body.targets");
    let first = attest.targets.first().ok_or_else(unread)?;
    let group = first.group.parse().map_err(|_| unread())?;
    let channel = match attest.targets.len() {
        1 => Some(first.channel.parse().map_err(|_| unread())?),
        _ => None,
    };
    Ok(Attest { group, channel, note })
}

pub(super) fn match_asked(
    command: &v1::Command,
    note: Option<String>,
) -> Result<(EntityName, MatchAnswer), Problem> {
    let unread = |_| unreadable("open.body");
    let MatchCommand::Answer { side, verdict, .. } = Match::hear(command).map_err(unread)? else {
        return Err(unreadable("open.body"));
    };
    let sides = match_sides(command).map_err(unread)?;
    let of = sides.into_iter().find(|(alert, _)| *alert == side);
    let commune = of.map(|(_, home)| home.commune);
    let id = command.entity.as_ref().and_then(|entity| match_id(&entity.name));
    let id = id.ok_or_else(|| unreadable("open.entity"))?;
    Ok((id, MatchAnswer { verdict, commune, note }))
}

pub(super) fn freeze_asked(
    command: &v1::Command,
    note: Option<String>,
) -> Result<(Frozen, freezing::Wanted), Problem> {
    let asked = Freeze::hear(command).map_err(|_| unreadable("open.body"))?;
    let wanted = match asked.ask {
        FreezeAsk::Freeze { until, .. } => freezing::Wanted::Freeze { until, note },
        FreezeAsk::Confirm { until } => freezing::Wanted::Confirm { until },
        FreezeAsk::Lift { .. } => freezing::Wanted::Lift { note },
        FreezeAsk::End { .. } => return Err(unreadable("open.body")),
    };
    Ok((asked.of, wanted))
}

pub(super) fn erasure_asked(
    command: &v1::Command,
    note: Option<String>,
) -> Result<erasures::Wanted, Problem> {
    let asked = Erasure::hear(command).map_err(|_| unreadable("open.body"))?;
    Ok(match asked.ask {
        ErasureAsk::Ask { basis, .. } => erasures::Wanted::Ask { basis, note },
        ErasureAsk::Confirm { basis } => erasures::Wanted::Confirm { basis },
        ErasureAsk::Hold { .. } => erasures::Wanted::Hold { note },
        ErasureAsk::Lift => erasures::Wanted::Lift { note },
        ErasureAsk::Retire | ErasureAsk::Restore | ErasureAsk::Finish { .. } => {
            return Err(unreadable("open.body"));
        }
    })
}

pub(super) fn alert_text(content: Option<Content>) -> Result<v1::AlertText, Problem> {
    match content {
        Some(Content::Alert(text)) => Ok(text),
        _ => Err(unreadable("content")),
    }
}

pub(super) fn unreadable(field: &str) -> Problem {
    invalid(field, "không đọc được / cannot be read")
}
