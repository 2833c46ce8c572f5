//! The policies file: what each commune gets of it, and what is refused.

#![allow(clippy::unwrap_used, reason = "clippy sees helpers outside of #[test]")]

use domain::{
    ids::{CommuneCode, Home},
    policy::Policy,
    quiet::QuietHours,
    reach::ProvinceLine,
    values::AlertKind,
};
use registry::{Map, Policies};

fn map() -> Map {
    Map::builtin().unwrap()
}

fn commune(code: &str) -> CommuneCode {
    code.parse().unwrap()
}

fn parse(text: &str) -> Result<Policies, String> {
    Policies::parse(text.as_bytes(), &map()).map_err(|faults| faults.to_string())
}

#[test]
fn a_commune_inherits_what_it_does_not_name() {
    let policies = parse(
        r#"
        [installation]
        second-person-for = ["notice"]
        needs-signature = ["suspect"]
        raises-per-minute-max = 10
        reach = { province-line = "stop" }

        [commune."25126"]
        waits = [{ kind = "notice", province = "38" }, { kind = "scam-warning" }]
        quiet-hours = { from = "12:00", until = "13:30" }
        answer-times = { urgent = { second-contact-minutes = 2, province-desk-minutes = 4 } }
        fatigue = { alerts-per-day-max = 5 }
        "#,
    )
    .unwrap();
    let (own, other) = (policies.of(commune("25126")), policies.of(commune("25135")));
    for policy in [&own, &other] {
        assert!(policy.second_person_for.contains(&AlertKind::Notice));
        assert!(policy.needs_signature_for.contains(&AlertKind::Suspect));
        assert_eq!(policy.raises_per_minute_max, 10);
        assert_eq!(policy.reach.province_line, ProvinceLine::Stop);
    }
    let from = |province: &str, commune: &str| Home {
        province: province.parse().unwrap(),
        commune: commune.parse().unwrap(),
    };
    assert!(own.waits_for_answer(AlertKind::Notice, from("38", "15958")));
    assert!(!own.waits_for_answer(AlertKind::Notice, from("68", "25135")));
    assert!(own.waits_for_answer(AlertKind::ScamWarning, from("68", "25135")));
    assert!(!other.waits_for_answer(AlertKind::Notice, from("38", "15958")));
    assert_eq!(own.quiet, QuietHours::of(12 * 60, 13 * 60 + 30).unwrap());
    assert_eq!(own.answer_times.urgent.second_contact_ms, 120_000);
    assert_eq!(own.answer_times.usual, Policy::default().answer_times.usual);
    assert_eq!((own.fatigue.alerts_per_day_max, own.fatigue.alerts_per_week_max), (5, 7));
}

#[test]
fn nothing_said_is_the_default_and_the_example_of_deploy_is_right() {
    assert_eq!(parse("").unwrap(), Policies::default());
    assert_eq!(*Policies::default().of(commune("25126")), Policy::default());
    let example = include_str!("../../../deploy/policy.toml");
    assert_eq!(parse(example).unwrap(), Policies::default(), "as it stands it changes nothing");
    let key = |line: &str| line.contains(" = ") || line.starts_with("# [");
    let all: Vec<&str> = example
        .lines()
        .filter(|line| key(line))
        .map(|line| line.strip_prefix("# ").unwrap_or(line))
        .collect();
    let all = parse(&all.join("\n")).unwrap();
    assert_eq!(*all.of(commune("25135")), Policy::default(), "its values are the defaults");
    assert_ne!(*all.of(commune("25126")), Policy::default());
}

#[test]
fn what_is_wrong_is_named_by_table_and_field() {
    for (text, words) in [
        ("[installation]\ncolour = 1", &["line 2", "installation", "colour"][..]),
        ("[commune.\"25126\"]\nwait = []", &["line 2", "commune.25126", "wait"]),
        ("[commune.\"99999\"]", &["line 1", "commune.99999"]),
        ("[commune.here]", &["line 1", "commune.here"]),
        (
            "[installation]\n[commune.\"25126\"]\nwaits = [{ kind = \"lost-child\" }]",
            &["line 2", "commune.25126.waits", "life-threatening"],
        ),
        (
            "[installation]\nsecond-person-for = [\"lost-child\"]",
            &["installation.second-person-for"],
        ),
        ("[installation]\nwaits = [{ kind = \"rumour\" }]", &["line 2", "installation.waits"]),
        (
            "[installation]\nwaits = [{ kind = \"notice\", province = \"38\", commune = \"1\" }]",
            &["installation.waits"],
        ),
        ("[installation]\nraises-per-minute-max = 0", &["installation.raises-per-minute-max"]),
        (
            "[installation]\nquiet-hours = { from = \"24:00\", until = \"06:00\" }",
            &["installation.quiet-hours.from"],
        ),
        ("[installation]\nreach = { rings-max = 0 }", &["installation.reach.rings-max"]),
        ("[installation]\nfatigue = { alerts-per-day-max = 9 }", &["installation.fatigue"]),
        ("[installation", &["line 1"]),
    ] {
        let fault = parse(text).unwrap_err();
        for word in words {
            assert!(fault.contains(word), "{text}: no `{word}` in: {fault}");
        }
    }
}
