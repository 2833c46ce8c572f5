//! What people see of measured exercises, as JSON.

use domain::drill::{ChannelReach, ChannelStand, DrillResult, GroupStand};
use registry::drills::LastDrill;
use serde_json::{Map, Value, json};

use crate::{measuring::Measured, view::time};

/// What was measured of one commune.
pub(crate) fn result(result: &DrillResult) -> Value {
    Value::Object(figures(result))
}

fn figures(result: &DrillResult) -> Map<String, Value> {
    let channel = |channel: &ChannelReach| {
        json!({
            "type": &*channel.channel_type,
            "groups": channel.groups,
            "delivered": channel.delivered,
            "accepted": channel.accepted,
            "handed_over": channel.handed_over,
            "not_reached": channel.not_reached,
            "median_ms": channel.median_ms,
            "slowest_ms": channel.slowest_ms,
        })
    };
    let channels: Vec<Value> = result.channels.iter().map(channel).collect();
    let fields = [
        ("commune", json!(result.commune.to_string())),
        ("alert", json!(result.alert.to_string())),
        ("raised_at", json!(time(result.raised_at))),
        ("groups", json!(result.groups)),
        ("reached", json!(result.groups_reached())),
        ("not_reached", json!(result.groups_not_reached)),
        ("not_taking_part", json!(result.groups_apart)),
        ("channels", json!(channels)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What was measured last in a commune.
pub(crate) fn last(last: &LastDrill) -> Value {
    let mut view = figures(&last.result);
    view.insert("measured_at".into(), json!(time(last.measured_at)));
    view.insert("measured_by".into(), json!(last.by.as_ref().map(ToString::to_string)));
    Value::Object(view)
}

/// How an exercise stands in a commune, with each of its groups.
pub(crate) fn measured(measured: &Measured) -> Value {
    let mut view = figures(&measured.result);
    let told: Vec<Value> =
        measured.stands.iter().map(|stand| group(stand, measured.is_planned)).collect();
    view.insert("done".into(), json!(measured.is_over));
    view.insert("told".into(), json!(told));
    Value::Object(view)
}

fn group(stand: &GroupStand, is_planned: bool) -> Value {
    let channel = |channel: &ChannelStand| {
        json!({
            "channel": channel.channel.to_string(),
            "type": &*channel.channel_type,
            "reach": channel.reach.as_str(),
            "ms": channel.ms,
            "state": channel.state,
            "trouble": Some(&*channel.trouble).filter(|trouble| !trouble.is_empty()),
        })
    };
    let channels: Vec<Value> = stand.channels.iter().map(channel).collect();
    let why = match (channels.is_empty(), is_planned) {
        (true, true) => Some("no-channel"),
        (true, false) => Some("not-planned"),
        (false, _) => None,
    };
    json!({
        "group": stand.group.to_string(),
        "reach": stand.reach().as_str(),
        "ms": stand.best().and_then(|best| best.ms),
        "trouble": why,
        "channels": channels,
    })
}
