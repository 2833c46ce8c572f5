//! Whether this installation is fit for a real alert: every commune that has groups is looked at
//! as if all were told now, and the process as `/readyz` sees it. Nothing is written.

use std::collections::BTreeSet;

use chassis::{
    Problem,
    auth::forbidden,
    health::{Readiness, UNVERIFIED_BROKER},
};
use domain::{
    hex::hex,
    ids::{Home, Millis},
    maps::{MapFacts, Maps},
    preflight::{Counts, Found, Severity},
    rights::Asker,
    sentence::Sentence,
    values::AlertStatus,
};
use registry::{
    drills::LastDrill,
    outlook::{Look, Looked, look},
};
use serde_json::{Value, json};

use crate::{application::Intake, drill_view, preflight_view, view::time};

/// A token that ends within this is told of.
const TOKENS_MS_MAX: u64 = 7 * 86_400_000;
/// The most findings that one answer names; the counts are of all.
const FINDINGS_MAX: usize = 1_000;

/// What was seen.
pub(crate) struct Installation {
    readiness: Readiness,
    looked: Looked,
    /// What stands against a real alert beside the findings.
    against: Vec<(&'static str, Sentence)>,
    tokens: Vec<Ending>,
    directory: Option<(u32, Option<Millis>)>,
    map: MapFacts,
    maps_before: Vec<MapFacts>,
    /// What was measured last in those communes, by code.
    drills: Vec<LastDrill>,
}

/// A token that ends soon.
struct Ending {
    id: String,
    officer: String,
    at: Millis,
}

impl Intake {
    /// Looks at the installation; for administrators, and the owner of the machine.
    pub(crate) fn installation(&self, asker: &Asker) -> Result<Installation, Problem> {
        if !asker.standing.administers() {
            return Err(forbidden());
        }
        let now = self.host.clock.now();
        let gone = self.gone.channels();
        let directory = self.host.directory.read();
        let communes: BTreeSet<Home> = directory
            .groups()
            .filter(|group| group.commune().is_some())
            .map(|group| group.facts.home)
            .filter(|home| self.host.map.commune(home.commune).is_some())
            .collect();
        let communes: Vec<Home> = communes.into_iter().collect();
        let looked = look(
            &directory,
            &self.host.map,
            &Look {
                now,
                status: AlertStatus::Actual,
                communes: &communes,
                province_groups_with: None,
                sender: None,
                gone: &gone,
                drills: true,
            },
        );
        let good = directory.tokens().filter(|token| token.is_good(now));
        let mut tokens: Vec<Ending> = good
            .filter_map(|token| {
                let at = token.facts.expires_at?;
                let (id, officer) = (token.facts.id.clone(), token.facts.officer.to_string());
                (at.since_ms(now) <= TOKENS_MS_MAX).then_some(Ending { id, officer, at })
            })
            .collect();
        tokens.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let version = directory.staff().versions().at(now);
        let version = version.map(|version| (version.number, version.valid.from()));
        let maps = directory.maps().clone();
        let last = |home: &Home| directory.drills().last(home.commune).cloned();
        let drills = communes.iter().filter_map(last).collect();
        drop(directory);
        let readiness = self.host.health.readiness();
        let mut against = against(&readiness, looked.preflight.counts, maps.last().is_some());
        if self.host.map.not_in_force(now).is_some() {
            let ended = Sentence::of(
                "Bản đồ không còn hiệu lực: máy chủ sẽ không khởi động lại được với bản đồ này.",
                "The map is no longer in force: no server starts with it again.",
            );
            against.push(("map-not-in-force", ended));
        }
        let (map, maps_before) = shown(&maps, self.host.map.facts(now));
        Ok(Installation {
            readiness,
            looked,
            against,
            tokens,
            directory: version,
            map,
            maps_before,
            drills,
        })
    }
}

/// This process' map as it was adopted, or as its file has it where another one is in force or
/// none was adopted; and those before it.
fn shown(maps: &Maps, own: MapFacts) -> (MapFacts, Vec<MapFacts>) {
    let adopted = maps.last().filter(|adopted| adopted.sha256 == own.sha256).cloned();
    (adopted.unwrap_or(own), maps.before().to_vec())
}

fn map_json(map: &MapFacts) -> Value {
    json!({
        "version": &*map.name(),
        "sha256": hex(&map.sha256),
        "communes": map.communes,
        "valid_from": map.valid.from().map(time),
        "valid_to": map.valid.to().map(time),
    })
}

/// What no count of findings shows.
fn against(
    readiness: &Readiness,
    counts: Counts,
    is_map_adopted: bool,
) -> Vec<(&'static str, Sentence)> {
    let mut against = Vec::new();
    for condition in readiness.conditions.iter().filter(|condition| !condition.ok) {
        let name = condition.name;
        let (vi, en) = condition.why.split_once(" / ").unwrap_or((&condition.why, &condition.why));
        against.push(("not-ready", Sentence::of(format!("{name}: {vi}"), en)));
    }
    for banner in readiness.banners.iter().filter(|banner| banner.contains(UNVERIFIED_BROKER)) {
        let (vi, en) = banner.split_once(" / ").unwrap_or((banner, banner));
        against.push(("unverified-broker", Sentence::of(vi, en)));
    }
    if counts.communes == 0 {
        let none = Sentence::of("Chưa có nhóm nào.", "There are no groups yet.");
        against.push(("no-groups", none));
    }
    if !is_map_adopted {
        let none = Sentence::of("Chưa ghi nhận bản đồ nào.", "No map has been adopted yet.");
        against.push(("no-map", none));
    }
    against
}

impl Installation {
    /// Fit for a real alert: nothing stands against it, and no finding is an alarm.
    pub(crate) fn is_fit(&self) -> bool {
        let is_alarm = |found: &Found| found.finding.severity() == Severity::Alarm;
        self.against.is_empty() && !self.looked.preflight.found.iter().any(is_alarm)
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        let preflight = &self.looked.preflight;
        let named = preflight.found.get(..FINDINGS_MAX).unwrap_or(&preflight.found);
        let against = self
            .against
            .iter()
            .map(|(code, sentence)| json!({ "code": code, "detail": sentence.to_string() }));
        let tokens = self.tokens.iter().map(
            |token| json!({ "id": token.id, "officer": token.officer, "expires": time(token.at) }),
        );
        json!({
            "fit": self.is_fit(),
            "against": against.collect::<Vec<_>>(),
            "counts": preflight_view::counts(preflight.counts),
            "conditions": self.readiness.conditions,
            "banners": self.readiness.banners,
            "map": map_json(&self.map),
            "maps_before": self.maps_before.iter().map(map_json).collect::<Vec<_>>(),
            "directory": self.directory.map(|(number, from)| {
                json!({ "version": number, "valid_from": from.map(time) })
            }),
            "tokens_ending": tokens.collect::<Vec<_>>(),
            "drills": self.drills.iter().map(drill_view::last).collect::<Vec<_>>(),
            "findings_count": preflight.found.len(),
            "findings": preflight_view::findings(named),
        })
    }
}

#[cfg(test)]
mod tests {
    use chassis::health::Condition;

    use super::*;

    #[test]
    fn what_is_not_ready_or_not_verified_stands_against_a_real_alert() {
        let condition = |ok, why: &str| Condition { name: "disk", ok, why: why.to_owned() };
        let readiness = |ok, banner: &str| Readiness {
            ready: ok,
            conditions: vec![condition(ok, "đầy / full")],
            banners: vec![banner.to_owned()],
        };
        let counts = Counts { communes: 1, ..Counts::default() };
        let codes = |readiness, counts, is_map_adopted| -> Vec<&str> {
            against(&readiness, counts, is_map_adopted).iter().map(|(code, _)| *code).collect()
        };
        assert!(codes(readiness(true, "đóng băng / frozen"), counts, true).is_empty());
        assert_eq!(codes(readiness(false, ""), counts, true), ["not-ready"]);
        let unverified = format!("máy chủ / {UNVERIFIED_BROKER}: why");
        assert_eq!(codes(readiness(true, &unverified), counts, true), ["unverified-broker"]);
        assert_eq!(codes(readiness(true, ""), Counts::default(), false), ["no-groups", "no-map"]);
        let told = &against(&readiness(false, ""), counts, true)[0].1;
        assert_eq!(told.to_string(), "disk: đầy / full");
    }
}
