//! What communes relayed onward, until it is in the alert's own reach: the alert is asked to take
//! it in, once, whichever instance asks.

use std::collections::BTreeMap;

use domain::{
    ids::{AlertId, CommuneCode, EntityName, Home, Millis, RecordId},
    relay::protocol::RelayedOnward,
};
use event_log::command::Draft;
use wire::{
    spoken::home_said,
    v1::{self, command::Body},
};

use crate::asking::draft;

/// What is not taken in yet: by alert, and by the command that asks for it.
#[derive(Default)]
pub(crate) struct Onward {
    pending: BTreeMap<(AlertId, RecordId), Vec<Home>>,
}

impl Onward {
    /// A commune has relayed the alert onward, which is put to `named`.
    pub(crate) fn relayed(
        &mut self,
        alert: AlertId,
        by: CommuneCode,
        onward: &RelayedOnward,
        named: &[Home],
    ) {
        if !onward.to.iter().all(|home| named.contains(home)) {
            let id = RecordId::of_purpose(&format!("onward/{alert}/{by}/{}", onward.note));
            self.pending.insert((alert, id), onward.to.clone());
        }
    }

    /// The alert has decided on `cause`, and is put to `named` now.
    pub(crate) fn decided(&mut self, alert: AlertId, cause: RecordId, named: &[Home]) {
        let all_named = |to: &[Home]| to.iter().all(|home| named.contains(home));
        self.pending.retain(|(of, id), to| *of != alert || (*id != cause && !all_named(to)));
    }

    /// The commands to ask with, for alerts whose home is known.
    pub(crate) fn commands(
        &self,
        home_of: impl Fn(AlertId) -> Option<Home>,
        now: Millis,
    ) -> impl Iterator<Item = Draft> {
        self.pending.iter().filter_map(move |((alert, id), to)| {
            let body = v1::TakeAlertOnward { to: to.iter().copied().map(home_said).collect() };
            let of = (EntityName::alert(*alert), home_of(*alert)?);
            Some(draft(*id, of, alert.0.as_bytes(), now, Body::TakeAlertOnward(body)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(commune: &str) -> Home {
        Home { province: "38".parse().unwrap(), commune: commune.parse().unwrap() }
    }

    fn alert() -> AlertId {
        AlertId::raised_by(RecordId::of_purpose("a"))
    }

    fn relayed(to: &[&str], named: &[&str]) -> Onward {
        let homes = |codes: &[&str]| codes.iter().map(|code| home(code)).collect::<Vec<_>>();
        let note = RecordId::of_purpose("note");
        let event = RelayedOnward { by: "binh".into(), note, to: homes(to), hops: 1 };
        let mut onward = Onward::default();
        onward.relayed(alert(), home("15925").commune, &event, &homes(named));
        onward
    }

    fn asked(onward: &Onward) -> Vec<RecordId> {
        let commands = onward.commands(|_| Some(home("15958")), Millis(0));
        commands.map(|draft| draft.id).collect()
    }

    #[test]
    fn it_is_asked_for_until_it_was_decided_upon_or_is_so() {
        let fresh = relayed(&["15946", "15949"], &["15958"]);
        let ids = asked(&fresh);
        assert_eq!(ids.len(), 1);
        assert_eq!(
            asked(&relayed(&["15946", "15949"], &["15958"])),
            ids,
            "the same from everybody"
        );
        assert_eq!(asked(&relayed(&["15946"], &["15946"])), []);

        let other = RecordId::of_purpose("other");
        let mut onward = relayed(&["15946", "15949"], &["15958"]);
        onward.decided(alert(), other, &[home("15946")]);
        assert_eq!(asked(&onward), ids);
        onward.decided(alert(), other, &[home("15946"), home("15949")]);
        assert_eq!(asked(&onward), []);
        let mut onward = fresh;
        onward.decided(AlertId::raised_by(other), ids[0], &[]);
        assert_eq!(asked(&onward), ids, "another alert's");
        onward.decided(alert(), ids[0], &[]);
        assert_eq!(asked(&onward), []);
    }
}
