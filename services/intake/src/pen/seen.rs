//! What a device reads off the answers that it was shown, to sign what follows from them.

use std::sync::Arc;

use chassis::Problem;
use domain::{
    delivery::Target,
    drill::{ChannelReach, DrillResult},
    ids::{AlertId, EntityName, Home, Millis},
    matching::{
        ProposalKind,
        decision::{Pair, Proposed},
    },
    reach::{CommuneReached, ReachReason},
};
use serde_json::Value;

use super::said::not_shown;
use crate::{
    request::{self, Attest, EdgeKnown},
    row::{Asked, Refused, Row},
    uncorrected::Attesting,
};

/// Where an alert that is shown is at home.
pub(super) fn home(shown: &Value, known: &EdgeKnown<'_>) -> Result<Home, Problem> {
    on_map(text(shown, "commune"), known).ok_or_else(|| not_shown("commune"))
}

fn on_map(commune: &str, known: &EdgeKnown<'_>) -> Option<Home> {
    commune.parse().ok().and_then(|commune| known.map.home(commune))
}

/// As much of an alert's row as a command is made of.
pub(super) fn row(alert: AlertId, home: Home, shown: &Value, known: &EdgeKnown<'_>) -> Row {
    let mut row = Row::new(alert, home);
    let communes = list(shown, "communes").filter_map(|put| on_map(text(put, "code"), known));
    for home in communes {
        // Why, and over how many borders, is no part of any command.
        row.put_to(CommuneReached { home, reason: ReachReason::Named, ring: 0 });
    }
    let refused_stale = shown.pointer("/refusal/code").and_then(Value::as_str) == Some("stale");
    let content = shown.pointer("/refusal/command").and_then(Value::as_str);
    let content = content.and_then(|id| id.parse().ok()).filter(|_| refused_stale);
    if let (Some(content), Ok(draft)) = (content, request::standing(shown, known)) {
        row.refusal = Some(Refused { code: "stale".to_owned(), field: String::new() });
        row.asked = Some(Asked {
            facts: draft.facts,
            content,
            by: String::new(),
            by_commune: None,
            attested: String::new(),
            at: Millis(0),
            last_drill: None,
        });
    }
    row
}

/// Whom of the list of those to be corrected an officer attests to have told.
pub(super) fn attesting(list_seen: &Value, attest: Attest) -> Result<Attesting, Problem> {
    let Attest { group, channel, note } = attest;
    let meant = list(list_seen, "uncorrected").filter(|one| {
        text(one, "group") == group.as_str()
            && channel.as_ref().is_none_or(|channel| text(one, "channel") == channel.as_str())
    });
    let meant: Vec<&Value> = meant.collect();
    let commune = meant.first().and_then(|one| text(one, "commune").parse().ok());
    let targets = meant.iter().map(|one| target(one)).collect::<Option<Vec<_>>>();
    let revision = list_seen.get("revision").and_then(Value::as_u64);
    match (commune, targets, revision) {
        (Some(commune), Some(targets), Some(revision)) => {
            Ok(Attesting { revision, commune, targets, note })
        }
        _ => Err(not_shown("group")),
    }
}

fn target(shown: &Value) -> Option<Target> {
    Some(Target {
        group: text(shown, "group").parse().ok()?,
        channel: text(shown, "channel").parse().ok()?,
        channel_type: text(shown, "type").into(),
    })
}

/// What was proposed, as far as an answer repeats it.
pub(super) fn proposed(
    id: &EntityName,
    shown: &Value,
    known: &EdgeKnown<'_>,
) -> Result<Proposed, Problem> {
    let home_of = |alert: AlertId| {
        let side = list(shown, "sides").find(|side| {
            side.pointer("/alert/id").and_then(Value::as_str) == Some(&alert.to_string())
        });
        side.and_then(|side| on_map(text(side, "commune"), known))
    };
    let pair = id.matched().and_then(|[one, other]| Pair::of(one, other));
    let proposed = pair.and_then(|pair| {
        let [one, other] = pair.alerts();
        let homes = [home_of(one)?, home_of(other)?];
        // Why they may be the same is no part of the answer.
        let (kind, reasons) = (ProposalKind::Match, vec![]);
        Some(Proposed { pair, homes, kind, score_per_mille: 0, reasons })
    });
    proposed.ok_or_else(|| not_shown("sides"))
}

/// What was measured in the commune that raised the exercise.
pub(super) fn drill(shown: &Value, home: Home) -> Result<DrillResult, Problem> {
    let own = list(shown, "communes").find(|of| text(of, "commune") == home.commune.as_str());
    let own = own.ok_or_else(|| not_shown("communes"))?;
    let count = |of: &Value, name: &str| {
        let count = of.get(name).and_then(Value::as_u64).unwrap_or_default();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let channel = |of: &Value| ChannelReach {
        channel_type: Arc::from(text(of, "type")),
        groups: count(of, "groups"),
        delivered: count(of, "delivered"),
        accepted: count(of, "accepted"),
        handed_over: count(of, "handed_over"),
        not_reached: count(of, "not_reached"),
        median_ms: of.get("median_ms").and_then(Value::as_u64),
        slowest_ms: of.get("slowest_ms").and_then(Value::as_u64),
    };
    let alert = text(own, "alert").parse().map_err(|_| not_shown("alert"))?;
    let raised_at = request::until_text(text(own, "raised_at"));
    Ok(DrillResult {
        alert,
        commune: home.commune,
        raised_at: raised_at.map_err(|_| not_shown("raised_at"))?,
        groups: count(own, "groups"),
        groups_not_reached: count(own, "not_reached"),
        groups_apart: count(own, "not_taking_part"),
        channels: list(own, "channels").map(channel).collect(),
    })
}

/// A delivery of the list: where, to whom, and of which revision.
pub(super) fn delivery(
    shown: &Value,
    id: &str,
    known: &EdgeKnown<'_>,
) -> Result<(Home, Target, u64), Problem> {
    let one = list(shown, "deliveries").find(|one| text(one, "id") == id);
    let found = one.and_then(|one| {
        let revision = one.get("revision").and_then(Value::as_u64)?;
        Some((on_map(text(one, "commune"), known)?, target(one)?, revision))
    });
    found.ok_or_else(|| not_shown("id"))
}

fn text<'a>(shown: &'a Value, name: &str) -> &'a str {
    shown.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(shown: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    shown.get(name).and_then(Value::as_array).into_iter().flatten()
}
