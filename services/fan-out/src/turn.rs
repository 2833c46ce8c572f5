//! Whose turn it is: what is relayed to a commune whose policy waits for its acknowledgement is
//! planned when it has acknowledged, as the alert stands then; what takes it back before that is
//! told to nobody there. A life-threatening kind never waits.
//!
//! An acknowledgement and the alert's own records may be answered at the same time. Where they
//! stand in their class says which came first: the plan for the later one knows the earlier.

use domain::{
    alert::Alert,
    delivery::{Audience, Delivery},
    ids::{AlertId, EntityName, Home, Millis},
    reach::CommuneReached,
    relay::{Answer, Relay},
    values::News,
};
use event_log::{At, Class, Key, Recorded};
use prost::Message;
use wire::{
    Spoken,
    commit::events_of,
    v1::{self, event::Event},
};

use crate::plan::{LOST, Planning, Telling};

/// Whether a commune's groups are told some news.
pub(crate) enum Turn {
    /// As everybody.
    Now,
    /// They hear of the alert for the first time: it was not in force when the commune
    /// acknowledged.
    First,
    /// Not before the commune has acknowledged.
    NotYet,
    /// After what its acknowledgement brings, which is being planned.
    Later(String),
}

impl Telling<'_> {
    /// The same for groups that were never told of the alert.
    pub(crate) fn first(&self) -> Self {
        Self { news: News::Issued, audience: Audience::Named, ..self.clone() }
    }
}

impl Planning {
    /// Whose turn it is.
    pub(crate) async fn turn(
        &self,
        telling: &Telling<'_>,
        commune: &CommuneReached,
    ) -> Result<Turn, String> {
        let (alert, home) = (telling.alert, commune.home);
        let policy = self.host.policies.of(home.commune);
        let waits = policy.waits_for_answer(telling.facts.kind, telling.alert_home);
        if !waits || home.commune == telling.alert_home.commune {
            return Ok(Turn::Now);
        }
        let delivery = self.delivery(alert, home).await?;
        let had_its_turn = delivery.revision > 0;
        let none_told = delivery.targets.is_empty() && telling.in_force;
        if had_its_turn && !none_told {
            return Ok(Turn::Now);
        }
        if !self.acknowledged_before(alert, home, telling.cause.1).await? {
            return Ok(if had_its_turn { Turn::Now } else { Turn::NotYet });
        }
        Ok(match had_its_turn {
            true => Turn::First,
            false => Turn::Later(format!("{alert}: {} has yet to be told", home.commune)),
        })
    }

    /// Whether anything was planned for a commune, be it for nobody.
    pub(crate) async fn had_its_turn(&self, alert: AlertId, home: Home) -> Result<bool, String> {
        Ok(self.delivery(alert, home).await?.revision > 0)
    }

    /// A commune for which nothing was planned has acknowledged the alert, at home in
    /// `alert_home`. Where it is not in force, an empty plan keeps later news in order.
    pub(crate) async fn acknowledged(
        &self,
        (alert, alert_home): (AlertId, Home),
        recorded: &Recorded,
        at: Millis,
    ) -> Result<Vec<At>, String> {
        let history = self.history(alert, alert_home).await?;
        let live = history.issued().ok_or(LOST)?;
        let named = live.communes.iter().find(|reached| reached.home == recorded.key.home);
        let Some(commune) = named else { return Ok(vec![]) };
        let told = Telling {
            alert,
            alert_home,
            revision: live.content.revision,
            news: News::Issued,
            audience: Audience::Named,
            cause: (recorded.id, recorded.position),
            at,
            in_force: matches!(history.alert, Alert::Active { .. }) && !live.on_hold,
            facts: &live.content.facts,
            communes: std::slice::from_ref(commune),
        };
        let ask = self.ask(&told, commune, self.targets(&told, commune), self.host.clock.now());
        self.append(vec![ask]).await
    }

    async fn delivery(&self, alert: AlertId, home: Home) -> Result<Delivery, String> {
        let entity = EntityName::delivery(alert, home.commune);
        let key = Key { class: Class::Delivery, home, entity };
        let folded = self.shell.state(&key).await.map_err(|why| why.to_string())?;
        Ok(folded.state)
    }

    async fn acknowledged_before(
        &self,
        alert: AlertId,
        home: Home,
        position: u64,
    ) -> Result<bool, String> {
        let entity = EntityName::relay(alert, home.commune);
        let key = Key { class: Class::Alert, home, entity };
        let records = self.host.log.load(&key, None).await.map_err(|why| why.to_string())?;
        for recorded in records.iter().filter(|recorded| recorded.position < position) {
            let commit = v1::Commit::decode(recorded.open.clone());
            let commit = commit.map_err(|why| why.to_string())?;
            let events = events_of(commit).map_err(|why| why.to_string())?;
            if events.iter().filter_map(answer_of).any(|answer| answer == Answer::Acknowledge) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What a commune answered by this event of its relay.
pub(crate) fn answer_of(event: &Event) -> Option<Answer> {
    Relay::recall(event).ok().map(|answered| answered.answer)
}
