//! Falling back: where none of a group's channels has done what can be known to be done in time,
//! the group's other channels are used too. A poster who has not posted counts as silence. Where a
//! life may hang on it nobody waits for an account that does not work.

use std::collections::BTreeMap;

use domain::{
    delivery::{Delivery, DeliveryCommand, DeliveryKnown, StopReason, Target},
    directory::ChannelUse,
    ids::{GroupId, Home, Millis, RecordId},
    lane::{LaneDelivery, Progress},
};
use registry::Group;

use crate::{
    book::{Book, BookId},
    plan::{observation, target_of},
    send::Desk,
};

/// What could not be planned now is looked at again after this.
const AGAIN_MS: i64 = 1_000;
/// An account that has not worked for so long is waited for no more where a life may hang on it.
/// Source: `channels.md`, section 11.
pub(crate) const DOWN_MS: i64 = 60_000;

/// How a group stands with the newest revision.
struct Standing {
    /// Since when its first channels are tried.
    since: Millis,
    /// Whether one of its channels has done what can be known to be done.
    succeeded: bool,
    /// Whether nothing is tried any more.
    over: bool,
    /// Whether somebody stopped it on purpose: then it is told no other way.
    stopped: bool,
    /// Since when none of the accounts that it is told by has worked; `None` where one may.
    down_since: Option<Millis>,
}

impl Standing {
    /// When its other channels are used, where they are after so many seconds of silence.
    fn due(&self, after_s: u32, life_threatening: bool, now: Millis) -> Millis {
        if self.over {
            return now;
        }
        let usual = self.since.plus_ms(i64::from(after_s) * 1_000);
        let earlier = self.down_since.filter(|_| life_threatening);
        earlier.map_or(usual, |since| usual.min(since.plus_ms(DOWN_MS)))
    }
}

impl Desk {
    /// Plans the other channels of each group that was silent for as long as it says, and looks
    /// again when the next group will have been.
    pub(crate) async fn fall_back(&self, id: BookId) {
        if !self.host.directory.read().has_fallbacks() {
            return;
        }
        let now = self.host.clock.now();
        let Some((home, plan, revision, standings)) = self.standings(id, now) else { return };
        let is_down = standings.values().any(|standing| standing.down_since.is_some());
        let life_threatening = is_down && self.is_life_threatening(id).await;
        let (mut targets, mut next): (Vec<Target>, Option<Millis>) = (vec![], None);
        for (group, standing) in standings.into_iter().filter(|(_, s)| !s.succeeded && !s.stopped) {
            let Some(group) = self.host.directory.read().group(&group).cloned() else { continue };
            for (target, after_s) in others(&group) {
                let due = standing.due(after_s, life_threatening, now);
                if due <= now {
                    targets.push(target);
                } else if !self.is_planned(id, &target, revision) {
                    next = Some(next.map_or(due, |next| next.min(due)));
                }
            }
        }
        if let Some(at) = next {
            self.look_again(id, at);
        }
        targets.retain(|target| !self.is_planned(id, target, revision));
        if !targets.is_empty() {
            self.plan_others(id, (home, plan, revision), targets).await;
        }
    }

    async fn plan_others(
        &self,
        id: BookId,
        (home, plan, revision): (Home, RecordId, u64),
        targets: Vec<Target>,
    ) {
        tracing::warn!(alert = %id.0, commune = %id.1, targets = targets.len(), "falling back");
        let instance = self.host.instance.to_string();
        let command = DeliveryCommand::FallBack { instance, revision, targets };
        let ask = observation(id.0, home, plan, command, self.host.clock.now(), false);
        let known = |_: &Delivery, _: &_| DeliveryKnown::at(self.host.clock.now());
        // What is planned comes with the log.
        if let Err(why) = self.deliveries.execute(ask, known).await {
            tracing::warn!(%why, "other channels cannot be used yet");
            self.look_again_in(id, AGAIN_MS);
        }
    }

    /// What cannot be rendered now waits for as long as its groups say.
    async fn is_life_threatening(&self, id: BookId) -> bool {
        let told = {
            let books = self.books.lock();
            books.get(&id).and_then(|book| {
                let (_, newest) = book.lanes.iter().max_by_key(|(_, it)| it.revision)?;
                Some((book.alert_home, (newest.revision, newest.news)))
            })
        };
        let Some((home, told)) = told else { return false };
        let ready = self.sheets.ready((id.0, home), told, id.1).await;
        ready.is_ok_and(|ready| ready.kind.life_threatening())
    }

    /// An account has not worked for [`DOWN_MS`]: whoever waits for it is looked at again.
    pub(crate) fn look_at_all_open(&self) {
        let open: Vec<BookId> = {
            let books = self.books.lock();
            let open = books.iter().filter(|(_, book)| book.lanes.open().next().is_some());
            open.map(|(id, _)| *id).collect()
        };
        open.into_iter().for_each(|id| self.look_again(id, Millis(0)));
    }

    fn is_planned(&self, id: BookId, target: &Target, revision: u64) -> bool {
        let books = self.books.lock();
        books.get(&id).is_some_and(|book| book.lanes.get(target, revision).is_some())
    }

    /// How the groups of a book stand with what is newest.
    fn standings(
        &self,
        id: BookId,
        now: Millis,
    ) -> Option<(Home, RecordId, u64, BTreeMap<GroupId, Standing>)> {
        let down = self.outlets.down();
        let down_since = |target: &Target| match down.is_empty() {
            true => None,
            false => down.get(&self.account_of(target)).copied(),
        };
        let books = self.books.lock();
        let book = books.get(&id).filter(|book| !book.held)?;
        let revision = newest(book)?;
        let mut standings: BTreeMap<GroupId, Standing> = BTreeMap::new();
        // What would be given up at once is told no other way.
        let of_newest = book
            .lanes
            .iter()
            .filter(|(_, delivery)| delivery.revision == revision && delivery.give_up_at > now);
        for (target, delivery) in of_newest {
            let standing = standings.entry(target.group.clone()).or_insert(Standing {
                since: begins_at(delivery),
                succeeded: false,
                over: true,
                stopped: false,
                down_since: down_since(target),
            });
            // From when on nothing worked any more.
            standing.down_since =
                standing.down_since.zip(down_since(target)).map(|(a, b)| a.max(b));
            standing.since = standing.since.min(begins_at(delivery));
            standing.succeeded |= delivery.has_succeeded();
            standing.over &= is_over(delivery);
            standing.stopped |= is_stopped(delivery);
        }
        Some((book.home, book.plan, revision, standings))
    }
}

fn newest(book: &Book) -> Option<u64> {
    book.lanes.iter().map(|(_, delivery)| delivery.revision).max()
}

/// What waits for the morning begins then.
fn begins_at(delivery: &LaneDelivery) -> Millis {
    match delivery.progress {
        Progress::Waiting(at) if delivery.attempts == 0 => at,
        _ => delivery.planned_at,
    }
}

/// It came to nothing, and nobody has to decide. What a person decides may have arrived.
fn is_over(delivery: &LaneDelivery) -> bool {
    matches!(delivery.progress, Progress::Failed | Progress::Stopped(StopReason::NoSuchTarget))
}

fn is_stopped(delivery: &LaneDelivery) -> bool {
    matches!(delivery.progress, Progress::Stopped(_)) && !is_over(delivery)
}

/// The channels that a group is reached by where the others were silent, and after how long.
fn others(group: &Group) -> impl Iterator<Item = (Target, u32)> {
    let id = group.facts.id.clone();
    group.facts.channels.iter().filter_map(move |facts| match facts.used {
        ChannelUse::Fallback { after_s } => Some((target_of(&id, facts), after_s)),
        ChannelUse::Always => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_a_life_may_hang_on_it_a_dead_account_brings_the_other_way_forward() {
        let now = Millis(500_000);
        let silent = |down_since| Standing {
            since: Millis(0),
            succeeded: false,
            over: false,
            stopped: false,
            down_since,
        };
        let usual = Millis(1_800_000);
        assert_eq!(silent(Some(Millis(10_000))).due(1_800, true, now), Millis(70_000));
        assert_eq!(silent(Some(Millis(10_000))).due(1_800, false, now), usual);
        assert_eq!(silent(None).due(1_800, true, now), usual);
        assert_eq!(silent(Some(Millis(10_000))).due(30, true, now), Millis(30_000));
        let over = Standing { over: true, ..silent(None) };
        assert_eq!(over.due(1_800, false, now), now);
    }
}
