//! What a decision about a relay knows: how its alert stands, and whom an escalation asks.

use std::sync::Arc;

use domain::{
    alert::Alert,
    ids::{AlertId, CommuneCode, EntityName, Home, Millis},
    reach::ReachReason,
    relay::{
        RelayKnown,
        protocol::{ProtocolKnown, RelayAsk, RelayProtocol},
    },
};
use event_log::{
    Class, Key,
    shell::{ExecuteError, Shell},
};

use crate::{contacts::asked, decide::Deciding};

/// The relay that is decided about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) alert: AlertId,
    /// Where the alert is at home.
    pub(crate) home: Home,
    pub(crate) commune: CommuneCode,
}

impl Subject {
    /// The alert's entity.
    pub(crate) fn alert_key(self) -> Key {
        let entity = EntityName::alert(self.alert);
        Key { class: Class::Alert, home: self.home, entity }
    }
}

impl Deciding {
    /// The ask, with those in it whom an escalation asks.
    pub(crate) fn with_asked(&self, ask: RelayAsk, commune: Home, now: Millis) -> RelayAsk {
        match ask {
            RelayAsk::Escalate { step, .. } => {
                RelayAsk::Escalate { step, to: asked(&self.host, step, commune, now) }
            }
            ask => ask,
        }
    }

    /// What is known of the alert now; loads other relays only where it is relayed onward.
    pub(crate) async fn relay_known(
        &self,
        subject: Subject,
        alert: &Alert,
        ask: &RelayAsk,
        now: Millis,
    ) -> Result<ProtocolKnown, ExecuteError> {
        let live = alert.live();
        let to_follow = live.map(|live| live.to_follow.as_slice()).unwrap_or_default();
        let named = alert.communes().iter().chain(to_follow).map(|reached| reached.home.commune);
        let hops = match ask {
            RelayAsk::RelayOnward { .. } => hops(&self.relays, subject, alert).await?,
            _ => 0,
        };
        Ok(ProtocolKnown {
            relay: RelayKnown {
                now,
                named: alert.named(subject.commune).is_some(),
                closed: matches!(alert, Alert::Closed { .. }),
            },
            hops,
            named: named.collect(),
            held: live.is_some_and(|live| live.on_hold || live.review.is_owed()),
            map: Arc::clone(&self.host.map) as _,
        })
    }
}

/// How often the alert was relayed onward to come to this commune: whoever relayed it there has
/// recorded it.
async fn hops(
    relays: &Shell<RelayProtocol>,
    subject: Subject,
    alert: &Alert,
) -> Result<u32, ExecuteError> {
    let here = alert.named(subject.commune);
    if here.is_none_or(|reached| reached.reason != ReachReason::Onward) {
        return Ok(0);
    }
    let mut fewest = None;
    for reached in alert.communes() {
        let entity = EntityName::relay(subject.alert, reached.home.commune);
        let key = Key { class: Class::Alert, home: reached.home, entity };
        let hops = relays.state(&key).await?.state.onward.get(&subject.commune).copied();
        fewest = match (fewest, hops) {
            (Some(before), Some(hops)) => Some(hops.min(before)),
            (before, hops) => hops.or(before),
        };
    }
    Ok(fewest.unwrap_or_default())
}
