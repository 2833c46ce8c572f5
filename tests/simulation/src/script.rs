//! The script: what people ask and what goes wrong, and when. All of it is drawn before the
//! history begins, so that no answer changes what is asked next.

use domain::ids::{AlertId, OfficerId, RecordId};
use event_log::Class;
use serde_json::{Value, json};

use crate::{
    chance::Chance,
    faults::{Fault, Faults, Setting},
};

/// The communes of the map: a chain, each bordering on the next.
pub const COMMUNES: [&str; 4] = ["50001", "50002", "50003", "50004"];
/// How long people ask and things go wrong, in milliseconds of virtual time.
pub const SCRIPT_MS: u64 = 45_000;

const KINDS: [&str; 5] = ["lost-child", "hazard", "notice", "suspect", "scam-warning"];

/// Something that happens at a time.
#[derive(Debug, Clone)]
pub enum Doing {
    /// Somebody asks.
    Ask(Asked),
    /// A machine's clock is wrong by so many milliseconds from now on.
    Jump(usize, i64),
    /// A machine is killed.
    Kill(usize),
    /// A machine is started, if it does not run.
    Start(usize),
    /// A machine cannot reach the broker, or can again.
    Away(usize, bool),
    /// The broker loses so many of a class' last records.
    Lose(Class, usize),
    /// So many milliseconds pass on all clocks at once.
    Pass(i64),
}

/// A request, with all that is repeated of it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whose token.
    pub officer: String,
    /// The route.
    pub path: String,
    /// The key.
    pub key: String,
    /// The body.
    pub body: Value,
    /// The alert that it is about.
    pub alert: AlertId,
    /// Whether it raises the alert.
    pub raises: bool,
    /// The same key with other bytes: 409 wherever the first has been.
    pub other_bytes: bool,
    /// Chance for what this request does on its way.
    pub luck: u64,
}

/// The whole script.
#[derive(Debug, Clone)]
pub struct Script {
    /// What happens, by time in milliseconds.
    pub doings: Vec<(u64, Doing)>,
    /// The alerts that are raised.
    pub alerts: Vec<Raised>,
}

/// An alert that somebody raises.
#[derive(Debug, Clone)]
pub struct Raised {
    /// Its id.
    pub id: AlertId,
    /// The command that raises it.
    pub command: RecordId,
    /// Whether it is an exercise or a test.
    pub exercise: bool,
}

/// The officer of a commune. Everybody else who acts is the province, which also approves.
pub fn officer_of(commune: &str) -> String {
    format!("officer-{commune}")
}

/// The province's desk.
pub const PROVINCE: &str = "province";

struct Writing<'a> {
    chance: &'a Chance,
    faults: &'a Faults,
    script: Script,
    now_ms: i64,
    keys: u64,
}

impl Script {
    /// The script of a seed; `now_ms` is the wall clock at its beginning.
    #[must_use]
    pub fn of(seed: u64, faults: &Faults, machines: usize, now_ms: i64) -> Self {
        let chance = Chance::of(seed, "script");
        let script = Self { doings: vec![], alerts: vec![] };
        let mut writing = Writing { chance: &chance, faults, script, now_ms, keys: 0 };
        for _ in 0..chance.between(1, 2) {
            writing.alert();
        }
        writing.trouble(machines);
        let mut script = writing.script;
        script.doings.sort_by_key(|(at, _)| *at);
        script
    }
}

impl Writing<'_> {
    fn add(&mut self, at_ms: u64, doing: Doing) {
        self.script.doings.push((at_ms.min(SCRIPT_MS), doing));
    }

    fn ask(&mut self, at_ms: u64, officer: &str, path: String, body: Value) -> RecordId {
        self.keys += 1;
        let key = format!("key-{}", self.keys);
        let command = command_of(officer, &path, &key);
        let alert = path.split('/').nth(3).and_then(|id| id.parse().ok());
        let asked = Asked {
            officer: officer.to_owned(),
            raises: alert.is_none(),
            alert: alert.unwrap_or_else(|| AlertId::raised_by(command)),
            path,
            key,
            body,
            other_bytes: false,
            luck: self.chance.draw(),
        };
        if self.faults.ever(Fault::OtherBytes) && self.chance.once_in(3) {
            let mut other = asked.clone();
            if let Some(body) = other.body.as_object_mut() {
                let field = if asked.raises { "headline" } else { "note" };
                body.insert(field.to_owned(), json!("Chữ khác."));
            }
            other.other_bytes = true;
            let later = at_ms + self.chance.between(0, 4_000);
            self.add(later, Doing::Ask(other));
        }
        // An impatient client asks again, with the same bytes.
        if self.chance.once_in(4) {
            let later = at_ms + self.chance.between(0, 3_000);
            self.add(later, Doing::Ask(asked.clone()));
        }
        self.add(at_ms, Doing::Ask(asked));
        command
    }

    fn alert(&mut self) {
        let chance = self.chance;
        let commune = chance.one_of(&COMMUNES).unwrap_or("50001");
        let kind = chance.one_of(&KINDS).unwrap_or("hazard");
        let exercise = chance.once_in(4);
        let expires_ms =
            self.now_ms + 1_000 * i64::try_from(chance.between(30, 2_400)).unwrap_or(60);
        let reach = match chance.below(4) {
            0 => json!({ "mode": "rings", "rings": 0 }),
            1 => json!({ "mode": "rings", "rings": 2 }),
            _ => json!({ "mode": "auto" }),
        };
        let status = if exercise { chance.one_of(&["exercise", "test"]) } else { Some("actual") };
        let mut body = json!({
            "kind": kind,
            "status": status,
            "commune": commune,
            "headline": "Tìm cháu bé 4 tuổi đi lạc",
            "last_seen": { "place": "chợ" },
            "expires": rfc3339(expires_ms),
            "reach": reach,
        });
        if let (Some(body), "suspect") = (body.as_object_mut(), kind) {
            body.insert("legal_basis".to_owned(), json!("btths-2015-d113"));
        }
        let at = chance.between(0, 15_000);
        let officer = officer_of(commune);
        let command = self.ask(at, &officer, "/v1/alerts".to_owned(), body);
        let id = AlertId::raised_by(command);
        self.script.alerts.push(Raised { id, command, exercise });
        self.what_follows(id, commune, kind, at);
    }

    fn what_follows(&mut self, id: AlertId, commune: &str, kind: &str, at: u64) {
        let chance = self.chance;
        let path = |act: &str| format!("/v1/alerts/{id}/{act}");
        // Officers act on what they see: soon, and now and then within the same moment.
        let later = |most: u64| at + 1 + chance.below(if chance.once_in(3) { 600 } else { most });
        if kind == "suspect" && !chance.once_in(5) {
            let when = later(10_000);
            self.ask(when, PROVINCE, path("approve"), json!({ "revision": 1 }));
        }
        for neighbour in COMMUNES {
            if neighbour != commune && chance.once_in(3) {
                let act = if chance.once_in(2) { "refuse" } else { "acknowledge" };
                let when = later(20_000);
                self.ask(when, &officer_of(neighbour), path(act), json!({}));
            }
        }
        if !chance.once_in(3) {
            let act = if chance.once_in(3) { "resolve" } else { "cancel" };
            let when = later(25_000);
            let who = if chance.once_in(4) { PROVINCE.to_owned() } else { officer_of(commune) };
            self.ask(when, &who, path(act), json!({ "note": "Báo nhầm." }));
        }
    }

    fn trouble(&mut self, machines: usize) {
        let chance = self.chance;
        let machine = || usize::try_from(chance.below(machines as u64)).unwrap_or(0);
        for _ in 0..chance.below(3) {
            let pass = i64::try_from(chance.between(1_000, 900_000)).unwrap_or(1_000);
            self.add(chance.between(0, SCRIPT_MS), Doing::Pass(pass));
        }
        if self.faults.ever(Fault::Jumps) {
            for _ in 0..chance.between(1, 4) {
                let (at, which) = (chance.between(0, SCRIPT_MS), machine());
                let most = chance.one_of(&[2_000, 60_000, 3_600_000]).unwrap_or(2_000);
                let wrong = i64::try_from(chance.below(2 * most)).unwrap_or(0)
                    - i64::try_from(most).unwrap_or(0);
                self.add(at, Doing::Jump(which, wrong));
                self.add(at + chance.between(100, 20_000), Doing::Jump(which, 0));
            }
        }
        if self.faults.ever(Fault::Crashes) {
            for _ in 0..chance.between(1, 3) {
                let (at, which) = (chance.between(500, SCRIPT_MS), machine());
                self.add(at, Doing::Kill(which));
                self.add(at + chance.between(200, 15_000), Doing::Start(which));
            }
        }
        if self.faults.setting == Setting::Broker && self.faults.ever(Fault::Away) {
            for _ in 0..chance.between(1, 2) {
                let (at, which) = (chance.between(0, SCRIPT_MS), machine());
                self.add(at, Doing::Away(which, true));
                self.add(at + chance.between(500, 20_000), Doing::Away(which, false));
            }
        }
        if self.faults.ever(Fault::LostTail) {
            let classes = [Class::Command, Class::Alert, Class::Delivery, Class::Receipt];
            for _ in 0..chance.between(1, 3) {
                let class = chance.one_of(&classes).unwrap_or(Class::Alert);
                let many = usize::try_from(chance.between(1, 4)).unwrap_or(1);
                self.add(chance.between(1_000, SCRIPT_MS), Doing::Lose(class, many));
            }
        }
    }
}

/// The id of the command that this request writes down.
fn command_of(officer: &str, path: &str, key: &str) -> RecordId {
    let id: Option<OfficerId> = officer.parse().ok();
    RecordId::of_command(id.as_ref().map_or(officer, OfficerId::as_str), path, key)
}

/// As RFC 3339 writes it, in UTC, to the second.
fn rfc3339(ms: i64) -> String {
    let (days, seconds) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000) / 1_000);
    // Days since 1970 to the civil date: Howard Hinnant's `civil_from_days`.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (seconds / 3_600, seconds % 3_600 / 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_is_one_script() {
        let written = |seed| format!("{:?}", Script::of(seed, &Faults::of(seed), 2, 0));
        assert_eq!(written(5), written(5));
        assert_ne!(written(5), written(6));
    }

    #[test]
    fn times_are_written_as_people_write_them() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_795_257_000_000), "2026-11-21T10:30:00Z");
        assert_eq!(rfc3339(951_782_399_999), "2000-02-28T23:59:59Z");
    }
}
