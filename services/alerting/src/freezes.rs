//! Freezes: deciding what intake did not come to decide, and ending them when their time has
//! passed.
//!
//! Intake decides a freeze where it is asked, so that it does not wait behind the flood that it
//! is to stop; see `intake::freezes`. What intake wrote down and could not decide, because it was
//! killed in between or the broker was away, is decided here. Time ends a freeze whether or not
//! that is recorded; the record is for who reads history.

use std::collections::BTreeMap;

use domain::{
    decider::Decider,
    freeze::{Freeze, Frozen},
    ids::{EntityName, Home, Millis, RecordId},
};
use event_log::command::Draft;
use wire::{
    Spoken,
    freeze::frozen_said,
    v1::{self, command::Body},
};

use crate::asking::{COMMANDS_MAX, Commit, Due, draft};

/// The freezes that are asked for or in force.
#[derive(Default)]
pub(crate) struct Freezes(BTreeMap<EntityName, (Home, Freeze)>);

impl Freezes {
    fn ends(&self) -> impl Iterator<Item = (&EntityName, Home, &Frozen, Millis)> {
        self.0.iter().filter_map(|(entity, (home, freeze))| {
            let wish = freeze.wish()?;
            Some((entity, *home, &wish.of, wish.until))
        })
    }
}

impl Due for Freezes {
    const TASK: &'static str = "alerting-freezes";
    const LATE: &'static str = "a freeze's end cannot be recorded yet; it has ended all the same";

    fn take_in(&mut self, commit: &Commit<'_>) {
        if !commit.entity.as_str().starts_with("freeze-") {
            return;
        }
        let before = self.0.remove(commit.entity).map(|(_, freeze)| freeze).unwrap_or_default();
        let events = commit.events.iter().filter_map(|event| Freeze::recall(event).ok());
        let now = events.fold(before, |freeze, event| freeze.evolve(&event));
        if now != Freeze::Free {
            self.0.insert(commit.entity.clone(), (commit.home, now));
        }
    }

    fn begin_anew(&mut self) {
        self.0.clear();
    }

    fn next(&self) -> Option<Millis> {
        self.ends().map(|(.., until)| until).min()
    }

    fn commands(&mut self, now: Millis) -> Vec<Draft> {
        let over = self.ends().filter(|(.., until)| *until <= now).take(COMMANDS_MAX);
        let ended = over.map(|(entity, home, of, until)| {
            let id = RecordId::of_purpose(&format!("end-freeze/{}/{}", of.name(), until.0));
            let end = v1::EndFreeze { of: Some(frozen_said(of)), until_ms: until.0 };
            draft(id, (entity.clone(), home), id.0.as_bytes(), now, Body::EndFreeze(end))
        });
        ended.collect()
    }
}

#[cfg(test)]
mod tests {
    use domain::freeze::Wish;

    use super::*;
    use crate::asking::Watched;

    #[test]
    fn what_has_passed_is_ended_once_history_is_read() {
        let of = Frozen::Officer("x".parse().unwrap());
        let wish = Wish {
            of: of.clone(),
            by: "an".parse().unwrap(),
            until: Millis(8),
            note: RecordId::of_purpose("note"),
        };
        let entity = EntityName::freeze(&of);
        let freezes = BTreeMap::from([(entity.clone(), (Home::NATION, Freeze::Asked(wish)))]);
        let mut standing = Watched { due: Freezes(freezes), live: false };
        assert!(standing.commands(Millis(9)).is_empty() && standing.next().is_none());
        standing.live = true;
        assert_eq!(standing.next(), Some(Millis(8)));
        assert!(standing.commands(Millis(7)).is_empty());
        let commands = standing.commands(Millis(9));
        let [command] = commands.as_slice() else { panic!("{commands:?}") };
        assert_eq!(command.entity, entity);
        assert_eq!(command.id, RecordId::of_purpose("end-freeze/officer-x/8"));
    }
}
