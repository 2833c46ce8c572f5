//! Who has not been corrected yet: the list that the officer sees until it is empty.
//!
//! Folded from the log when somebody looks, as `deliveries` is; nothing of it is kept, and nobody
//! is told by it.

use std::collections::BTreeSet;

use chassis::{Problem, auth::forbidden};
use domain::{
    corrections::{Correction, Remaining, Stands, Uncorrected},
    delivery::Target,
    ids::{AlertId, CommuneCode, GroupId, Millis},
    rights::Asker,
};
use serde_json::{Value, json};
use wire::v1;

use crate::{Intake, application::AlertDeliveries, http::invalid, request::Attest, view::time};

/// Those of the list of whom somebody attests that they were told another way.
#[derive(Debug, Clone)]
pub(crate) struct Attesting {
    /// The revision that corrects.
    pub(crate) revision: u64,
    pub(crate) commune: CommuneCode,
    pub(crate) targets: Vec<Target>,
    /// How they were told.
    pub(crate) note: String,
}

/// The list, as it stands now.
pub(crate) struct Outstanding {
    alert: AlertId,
    correction: Option<Correction>,
    remaining: Remaining,
}

impl Intake {
    /// Who may have been told what was wrong, and has not confirmed the newest correction; of one
    /// group, where one is named, which its own commune may ask, too.
    ///
    /// # Errors
    /// `forbidden` for a commune that the alert was only relayed to: its officers see their own
    /// deliveries, and who issued it answers for the correction.
    pub(crate) async fn uncorrected(
        &self,
        asker: &Asker,
        alert: AlertId,
        group: Option<&GroupId>,
    ) -> Result<Outstanding, Problem> {
        let may_see = asker.standing.acts_for(self.readable(asker, alert)?.home);
        if !may_see && group.is_none() {
            return Err(forbidden());
        }
        let mut outstanding = self.outstanding(asker, alert).await?;
        if let Some(group) = group {
            outstanding.keep(group);
        }
        Ok(outstanding)
    }

    /// Who of the list was told another way. The commune of the group may say so, too.
    ///
    /// # Errors
    /// `invalid-fields`: nobody on the list is meant.
    pub(crate) async fn attesting(
        &self,
        asker: &Asker,
        alert: AlertId,
        attest: Attest,
    ) -> Result<Attesting, Problem> {
        let outstanding = self.outstanding(asker, alert).await?;
        let Attest { group, channel, note } = attest;
        let is_meant = |one: &Uncorrected| {
            let target = &one.target;
            target.group == group && channel.as_ref().is_none_or(|it| *it == target.channel)
        };
        let meant = outstanding.all().filter(|(_, one)| is_meant(one));
        let meant: Vec<(CommuneCode, Target)> =
            meant.map(|(commune, one)| (commune, one.target.clone())).collect();
        match (outstanding.correction, meant.first()) {
            (Some(Correction { revision, .. }), Some((commune, _))) => {
                let commune = *commune;
                let targets = meant.into_iter().map(|(_, target)| target).collect();
                Ok(Attesting { revision, commune, targets, note })
            }
            _ => Err(invalid("group", "không có trong danh sách / is not on the list")),
        }
    }

    /// As much of the list as the asker may see.
    async fn outstanding(&self, asker: &Asker, alert: AlertId) -> Result<Outstanding, Problem> {
        Ok(self.outstanding_of(&self.deliveries(asker, alert).await?))
    }

    /// The list that these deliveries make.
    pub(crate) fn outstanding_of(&self, told: &AlertDeliveries) -> Outstanding {
        let AlertDeliveries { row, deliveries } = told;
        let correction = row.correction;
        let remaining = correction.map(|correction| {
            let lanes = deliveries.iter().map(|(commune, read)| (*commune, &read.lanes));
            let now = self.host.clock.now();
            let attested = row.alert.live().map(|live| &live.attested).into_iter().flatten();
            let attested: BTreeSet<Target> = attested
                .filter(|(_, revision)| **revision >= correction.revision)
                .map(|(target, _)| target.clone())
                .collect();
            Remaining::of(lanes, correction.revision, &attested, now)
        });
        Outstanding { alert: row.id, correction, remaining: remaining.unwrap_or_default() }
    }
}

impl Outstanding {
    fn keep(&mut self, group: &GroupId) {
        self.remaining.communes.retain(|_, open| {
            open.retain(|one| one.target.group == *group);
            !open.is_empty()
        });
    }

    /// Each on the list, with its commune.
    pub(crate) fn all(&self) -> impl Iterator<Item = (CommuneCode, &Uncorrected)> {
        let communes = self.remaining.communes.iter();
        communes.flat_map(|(commune, open)| open.iter().map(|one| (*commune, one)))
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        let uncorrected: Vec<Value> = self.all().map(one_json).collect();
        json!({
            "alert": self.alert.to_string(),
            "revision": self.correction.map(|correction| correction.revision),
            "news": self.correction.map(|correction| correction.news.as_str()),
            "need_a_person": self.remaining.need_a_person().count(),
            "uncorrected": uncorrected,
        })
    }

    /// Over gRPC.
    pub(crate) fn message(&self) -> v1::ListUncorrectedResponse {
        let news = self.correction.map(|correction| correction.news.as_str());
        v1::ListUncorrectedResponse {
            revision: self.correction.map_or(0, |correction| correction.revision),
            news: news.unwrap_or_default().to_owned(),
            uncorrected: self.all().map(one_message).collect(),
        }
    }
}

fn next_attempt_at(one: &Uncorrected) -> Option<Millis> {
    match one.stands {
        Stands::Waiting(at) => Some(at),
        _ => None,
    }
}

fn one_json((commune, one): (CommuneCode, &Uncorrected)) -> Value {
    json!({
        "commune": commune.to_string(),
        "group": one.target.group.to_string(),
        "channel": one.target.channel.to_string(),
        "type": &*one.target.channel_type,
        "heard": one.heard,
        "stands": one.stands.as_str(),
        "next_attempt_at": next_attempt_at(one).map(time),
        "needs_a_person": one.stands.needs_a_person(),
        "group_told": one.group_told,
    })
}

fn one_message((commune, one): (CommuneCode, &Uncorrected)) -> v1::UncorrectedView {
    v1::UncorrectedView {
        commune: commune.to_string(),
        group: one.target.group.to_string(),
        channel: one.target.channel.to_string(),
        channel_type: one.target.channel_type.to_string(),
        heard: one.heard,
        stands: one.stands.as_str().to_owned(),
        next_attempt_at: next_attempt_at(one).map(time).unwrap_or_default(),
        needs_a_person: one.stands.needs_a_person(),
        group_told: one.group_told,
    }
}
