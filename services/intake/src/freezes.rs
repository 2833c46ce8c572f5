//! The freezes as they stand, folded from the log: who is kept from raising, until when, and who
//! is shown a banner. A read model; what is asked of a freeze is in `freezing`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chassis::{Host, Problem};
use domain::{
    decider::Decider,
    freeze::{Freeze, Frozen, banner},
    ids::{CommuneCode, EntityName, Home, Millis, ProvinceCode},
    reach::Borders,
    rights::{Asker, Standing},
    state_hash::StateHash,
};
use event_log::{At, Held, Recorded};
use jiff::tz::Offset;
use prost::Message;
use tokio::sync::watch;
use wire::{Spoken, commit::events_of, v1};

use crate::{Intake, http::scope_of, stream::Scope};

/// Việt Nam's civil time, the whole year.
const HANOI: Offset = Offset::constant(7);
/// The name of the banner in `/readyz`.
const BANNER: &str = "freezes";

/// One freeze.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) of: Frozen,
    pub(crate) home: Home,
    pub(crate) state: Freeze,
    version: u64,
    /// The record that made it so; shown only once that is durable.
    pub(crate) at: At,
}

/// Every freeze of which there are records.
pub(crate) struct Freezes {
    kept: Mutex<BTreeMap<EntityName, Kept>>,
    /// Rises with every change, also of time.
    changes: watch::Sender<u64>,
}

impl Default for Freezes {
    fn default() -> Self {
        Self { kept: Mutex::default(), changes: watch::Sender::new(0) }
    }
}

impl Freezes {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<EntityName, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every freeze, as far as it is folded.
    pub(crate) fn held(&self) -> Vec<Held> {
        let kept = self.lock();
        let one = |(name, kept): (&EntityName, &Kept)| {
            Held::at(name, kept.version, StateHash::of(&kept.state))
        };
        kept.iter().map(one).collect()
    }

    /// Follows what changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Takes a record of a freeze in; answers whether it is one.
    pub(crate) fn take_in(&self, recorded: &Recorded, at: At) -> bool {
        let name = recorded.key.entity.as_str();
        let Some(of) = name.strip_prefix("freeze-").and_then(Frozen::of_name) else { return false };
        let commit = v1::Commit::decode(recorded.open.clone());
        let Ok(commit) = commit.inspect_err(|why| unreadable(recorded, &why.to_string())) else {
            return true;
        };
        let version = commit.version;
        let mut kept = self.lock();
        let before = kept.get(&recorded.key.entity);
        // What was decided here is known already.
        if before.is_some_and(|before| before.version >= version) {
            return true;
        }
        let state = before.map(|before| before.state.clone()).unwrap_or_default();
        let state = events_of(commit).and_then(|events| {
            events.iter().try_fold(state, |state, event| Ok(state.evolve(&Freeze::recall(event)?)))
        });
        match state {
            Ok(state) => {
                let now = Kept { of, home: recorded.key.home, state, version, at };
                kept.insert(recorded.key.entity.clone(), now);
            }
            Err(why) => unreadable(recorded, &why.to_string()),
        }
        drop(kept);
        self.changed();
        true
    }

    /// Takes a whole history in, where it is newer than what is known.
    pub(crate) fn take_all(&self, history: &[Arc<Recorded>]) {
        for recorded in history {
            let at = At { class: recorded.key.class, position: recorded.position, id: recorded.id };
            self.take_in(recorded, at);
        }
    }

    /// Forgets all: the log turned out to be another one, or to have lost its tail.
    pub(crate) fn clear(&self) {
        self.lock().clear();
        self.changed();
    }

    /// One freeze as it stands.
    pub(crate) fn get(&self, of: &Frozen) -> Option<Kept> {
        self.lock().get(&EntityName::freeze(of)).cloned()
    }

    /// Every freeze that is in force or wished for now.
    pub(crate) fn standing(&self, now: Millis) -> Vec<Kept> {
        let kept = self.lock();
        let standing = kept.values().filter(|kept| kept.state.ends_at().is_some_and(|at| now < at));
        standing.cloned().collect()
    }

    /// Until when an officer whose token is of that commune is kept from raising and extending.
    pub(crate) fn until(&self, asker: (&str, Option<CommuneCode>), now: Millis) -> Option<Millis> {
        let (officer, commune) = asker;
        let officer = officer.parse().ok().map(Frozen::Officer);
        let both = [officer, commune.map(Frozen::Commune)];
        let kept = self.lock();
        let untils = both.iter().flatten().filter_map(|of| {
            kept.get(&EntityName::freeze(of)).and_then(|kept| kept.state.in_force_until(now))
        });
        untils.max()
    }
}

fn unreadable(recorded: &Recorded, why: &str) {
    tracing::error!(entity = %recorded.key.entity, why, "a freeze cannot be read");
    metrics::counter!("keng_records_held_total", "class" => "alert").increment(1);
}

/// An instant as people in Việt Nam read it.
pub(crate) fn read_time(at: Millis) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    HANOI.to_datetime(at).strftime("%H:%M %d/%m/%Y").to_string()
}

/// Where somebody who is frozen, or is to be, acts.
pub(crate) struct Places {
    communes: Vec<Home>,
    /// As a province's desk.
    provinces: Vec<ProvinceCode>,
}

impl Places {
    /// Of an officer by all tokens that were ever made: who was robbed of one is of that place.
    pub(crate) fn of(of: &Frozen, host: &Host) -> Self {
        let mut places = Self { communes: vec![], provinces: vec![] };
        match of {
            Frozen::Commune(commune) => places.communes.extend(host.map.home(*commune)),
            Frozen::Officer(officer) => {
                let directory = host.directory.read();
                let own = directory.tokens().filter(|token| token.facts.officer == *officer);
                for token in own {
                    match token.facts.standing {
                        Standing::Officer(home) | Standing::Commander(home) => {
                            places.communes.push(home);
                        }
                        Standing::Province(province) => places.provinces.push(province),
                        Standing::Auditor | Standing::Admin | Standing::Local => {}
                    }
                }
            }
        }
        places
    }

    /// Whether a commune, or a province, is of these places or borders on them.
    pub(crate) fn concern(&self, scope: Scope, map: &dyn Borders) -> bool {
        let near = |home: &Home| {
            let neighbours = map.neighbours(home.commune).iter().filter_map(|code| map.home(*code));
            neighbours.chain([*home]).any(|home| scope.holds(home))
        };
        let in_province = |province: &ProvinceCode| match scope {
            Scope::Commune(commune) => {
                map.home(commune).is_some_and(|home| home.province == *province)
            }
            Scope::Province(own) => own == *province,
        };
        self.communes.iter().any(near) || self.provinces.iter().any(in_province)
    }

    /// Whether they lie in that province.
    fn are_in(&self, province: ProvinceCode) -> bool {
        self.communes.iter().any(|home| home.province == province)
            || self.provinces.contains(&province)
    }
}

/// Whether the asker may ask, agree and lift there: the own province and the neighbours; admins
/// everywhere. Which role does what of it is the decider's.
pub(crate) fn may_ask_there(asker: &Asker, places: &Places, map: &dyn Borders) -> bool {
    match asker.standing {
        Standing::Officer(home) | Standing::Commander(home) => {
            places.are_in(home.province) || places.concern(Scope::Commune(home.commune), map)
        }
        Standing::Province(province) => places.concern(Scope::Province(province), map),
        Standing::Admin | Standing::Local => true,
        Standing::Auditor => false,
    }
}

impl Intake {
    /// The banners that concern a scope now, and the records that they show.
    pub(crate) fn banners(&self, scope: Scope) -> Vec<(String, At)> {
        let now = self.host.clock.now();
        let mut banners = Vec::new();
        for kept in self.guard.freezes.standing(now) {
            let Some(until) = kept.state.in_force_until(now) else { continue };
            if Places::of(&kept.of, &self.host).concern(scope, self.host.map.as_ref()) {
                let text = banner(&kept.of, &read_time(until)).to_string();
                banners.push((text, kept.at));
            }
        }
        banners
    }

    /// The banners that concern the asker, once they may be shown.
    pub(crate) async fn banners_for(&self, asker: &Asker) -> Result<Vec<String>, Problem> {
        let Ok(scope) = scope_of(self, asker, None) else { return Ok(vec![]) };
        let (banners, ats): (Vec<String>, Vec<At>) = self.banners(scope).into_iter().unzip();
        self.stored(ats.iter()).await?;
        Ok(banners)
    }

    /// What everybody is shown: no officer's name.
    fn open_banner(&self) -> Option<String> {
        let now = self.host.clock.now();
        let mut officers = 0;
        let mut texts = Vec::new();
        for kept in self.guard.freezes.standing(now) {
            match (kept.state.in_force_until(now), &kept.of) {
                (None, _) => {}
                (Some(_), Frozen::Officer(_)) => officers += 1,
                (Some(until), of) => texts.push(banner(of, &read_time(until)).to_string()),
            }
        }
        if officers > 0 {
            texts.push(format!(
                "{officers} tài khoản cán bộ đang bị khóa phát tin / \
                 {officers} officers' accounts are frozen"
            ));
        }
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    /// Keeps the banner of `/readyz`, and tells the streams when time ends a freeze. Runs until
    /// the process drains.
    pub(crate) async fn keep_banners(self: Arc<Self>) {
        let stop = self.host.drain.token();
        let mut changes = self.guard.freezes.subscribe();
        loop {
            let now = self.host.clock.now();
            self.host.health.banner(BANNER, self.open_banner());
            let standing = self.guard.freezes.standing(now);
            let next = standing.iter().filter_map(|kept| kept.state.in_force_until(now)).min();
            let ends = async {
                match next {
                    Some(at) => self.host.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = ends => self.guard.freezes.changed(),
                changed = changes.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{freeze::Wish, ids::RecordId};
    use event_log::Class;

    use super::*;

    #[test]
    fn who_is_frozen_is_so_by_id_or_by_commune_and_by_time_alone_no_longer() {
        let freezes = Freezes::default();
        let put = |of: Frozen, until: i64| {
            let note = RecordId::of_purpose("note");
            let wish =
                Wish { of: of.clone(), by: "an".parse().unwrap(), until: Millis(until), note };
            let confirmed_by = "binh".parse().unwrap();
            let state = Freeze::InForce { wish, confirmed_by, lift_asked_by: None };
            let at = At { class: Class::Alert, position: 1, id: note };
            let kept = Kept { of: of.clone(), home: Home::NATION, state, version: 2, at };
            freezes.lock().insert(EntityName::freeze(&of), kept);
        };
        let commune: CommuneCode = "25126".parse().unwrap();
        put(Frozen::Officer("x".parse().unwrap()), 10);
        put(Frozen::Commune(commune), 20);
        for (asker, now, until) in [
            (("x", None), 0, Some(10)),
            (("x", Some(commune)), 0, Some(20)),
            (("y", Some(commune)), 19, Some(20)),
            (("y", None), 0, None),
            (("x", None), 10, None),
            (("y", Some(commune)), 20, None),
        ] {
            assert_eq!(freezes.until(asker, Millis(now)), until.map(Millis), "{asker:?} at {now}");
        }
        assert_eq!(freezes.standing(Millis(10)).len(), 1);
    }

    #[test]
    fn a_time_is_read_as_in_viet_nam() {
        assert_eq!(read_time(Millis(1_795_257_900_000)), "17:45 21/11/2026");
    }
}
