//! Measured drills on the wire.

use domain::{
    drill::{ChannelReach, Drill, DrillCommand, DrillEvent, DrillResult},
    ids::Millis,
};

use crate::{
    NotDecodable, Spoken,
    actor::role_of,
    spoken::{alert_id, id_bytes},
    v1::{self, command::Body, event::Event},
};

/// What was measured, on the wire.
#[must_use]
pub fn result_said(result: &DrillResult) -> v1::DrillResult {
    let channel = |channel: &ChannelReach| v1::DrillChannel {
        channel_type: channel.channel_type.to_string(),
        groups: channel.groups,
        delivered: channel.delivered,
        accepted: channel.accepted,
        handed_over: channel.handed_over,
        not_reached: channel.not_reached,
        median_ms: channel.median_ms,
        slowest_ms: channel.slowest_ms,
    };
    v1::DrillResult {
        alert: id_bytes(result.alert.0),
        commune: result.commune.to_string(),
        raised_at_ms: result.raised_at.0,
        groups: result.groups,
        groups_not_reached: result.groups_not_reached,
        groups_apart: result.groups_apart,
        channels: result.channels.iter().map(channel).collect(),
    }
}

fn result_recalled(result: Option<&v1::DrillResult>) -> Result<DrillResult, NotDecodable> {
    let result = result.ok_or(NotDecodable("the result of a drill"))?;
    let channel = |channel: &v1::DrillChannel| ChannelReach {
        channel_type: channel.channel_type.as_str().into(),
        groups: channel.groups,
        delivered: channel.delivered,
        accepted: channel.accepted,
        handed_over: channel.handed_over,
        not_reached: channel.not_reached,
        median_ms: channel.median_ms,
        slowest_ms: channel.slowest_ms,
    };
    Ok(DrillResult {
        alert: alert_id(&result.alert)?,
        commune: result.commune.parse().map_err(|_| NotDecodable("a commune"))?,
        raised_at: Millis(result.raised_at_ms),
        groups: result.groups,
        groups_not_reached: result.groups_not_reached,
        groups_apart: result.groups_apart,
        channels: result.channels.iter().map(channel).collect(),
    })
}

impl Spoken for Drill {
    fn hear(command: &v1::Command) -> Result<DrillCommand, NotDecodable> {
        let Some(Body::RecordDrillResult(record)) = command.body.as_ref() else {
            return Err(NotDecodable("a command to a commune's drills"));
        };
        let role = role_of(command.actor.as_ref());
        Ok(DrillCommand { role, result: result_recalled(record.result.as_ref())? })
    }

    fn say(event: &DrillEvent) -> Event {
        let DrillEvent::Measured(result) = event;
        Event::DrillMeasured(v1::DrillMeasured { result: Some(result_said(result)) })
    }

    fn recall(event: &Event) -> Result<DrillEvent, NotDecodable> {
        match event {
            Event::DrillMeasured(measured) => {
                result_recalled(measured.result.as_ref()).map(DrillEvent::Measured)
            }
            _ => Err(NotDecodable("an event of a commune's drills")),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        ids::{AlertId, RecordId},
        values::Role,
    };

    use super::*;

    #[test]
    fn what_is_said_of_a_drill_is_recalled() {
        let channel = ChannelReach {
            channel_type: "web-push".into(),
            groups: 7,
            delivered: 1,
            accepted: 2,
            handed_over: 3,
            not_reached: 1,
            // Nothing took no time, and that is not the same as that nothing was reached.
            median_ms: Some(0),
            slowest_ms: None,
        };
        let result = DrillResult {
            alert: AlertId::raised_by(RecordId::of_purpose("drill")),
            commune: "25126".parse().unwrap(),
            raised_at: Millis(7),
            groups: 9,
            groups_not_reached: 2,
            groups_apart: 4,
            channels: vec![channel],
        };
        let event = DrillEvent::Measured(result.clone());
        assert_eq!(Drill::recall(&Drill::say(&event)), Ok(event));
        let mut command = v1::Command {
            actor: Some(v1::Actor { role: i32::from(v1::Role::Officer), ..v1::Actor::default() }),
            body: Some(Body::RecordDrillResult(v1::RecordDrillResult {
                result: Some(result_said(&result)),
            })),
            ..v1::Command::default()
        };
        let heard = DrillCommand { role: Some(Role::Officer), result };
        assert_eq!(Drill::hear(&command), Ok(heard));
        command.body = Some(Body::RecordDrillResult(v1::RecordDrillResult { result: None }));
        assert!(Drill::hear(&command).is_err());
        assert!(Drill::recall(&Event::AlertExpired(v1::AlertExpired::default())).is_err());
    }
}
