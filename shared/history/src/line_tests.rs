//! How records look as lines: the JSON and the text, byte for byte.

use bytes::Bytes;
use domain::ids::{EntityName, RecordId};
use event_log::{Class, Record};
use wire::{
    spoken::id_bytes,
    v1::{self, command::Body, commit::Outcome, event::Event},
};

use crate::{
    filter::Filter,
    line::{Line, lines_of},
    testing::{alert, at, command, commit, events},
    text::replay_text,
};

/// 2021-12-14 17:30:02.114 in Viet Nam.
const AT: i64 = 1_639_477_802_114;

fn facts() -> v1::AlertFacts {
    v1::AlertFacts {
        kind: v1::AlertKind::LostChild.into(),
        status: v1::AlertStatus::Exercise.into(),
        commune: "25126".to_owned(),
        province: "68".to_owned(),
        expires_at_ms: AT + 3_600_000,
        last_seen: Some(v1::LastSeen {
            at_ms: Some(AT),
            lat_millideg: Some(11_582),
            lon_millideg: Some(0),
        }),
        ..v1::AlertFacts::default()
    }
}

fn issued() -> Event {
    let reached = |commune: &str, reason: v1::ReachReason, ring| v1::CommuneReached {
        commune: commune.to_owned(),
        province: "68".to_owned(),
        reason: reason.into(),
        ring,
    };
    Event::AlertIssued(v1::AlertIssued {
        revision: 1,
        facts: Some(facts()),
        code: "0123456789".to_owned(),
        content: id_bytes(RecordId::of_purpose("raise").0),
        communes: vec![
            reached("25126", v1::ReachReason::Own, 0),
            reached("25135", v1::ReachReason::Border, 1),
        ],
        to_follow: vec![],
        raised_by: "an".to_owned(),
    })
}

fn lines(record: Record) -> Vec<Line> {
    lines_of(18, &at(3, record))
}

fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(replay_text).collect()
}

#[test]
fn a_command_is_one_line() {
    let entity = EntityName::alert(alert("raise"));
    let raise = Body::RaiseAlert(v1::RaiseAlert { facts: Some(facts()) });
    let lines = lines(command("raise", &entity, AT, raise));
    let json = serde_json::to_string(&lines[0]).unwrap();
    let (entity, id) = (entity.to_string(), RecordId::of_purpose("raise"));
    let wanted = format!(
        "{{\"position\":18,\"at\":\"2021-12-14T10:30:02.114Z\",\"entity\":\"{entity}\",\
         \"version\":0,\"type\":\"RaiseAlert\",\"actor\":\"an\",\"causation\":\"\",\
         \"data\":{{\"facts\":{{\"commune\":\"25126\",\"expires_at_ms\":1639481402114,\
         \"kind\":\"ALERT_KIND_LOST_CHILD\",\"last_seen\":{{\"at_ms\":1639477802114,\
         \"lat_millideg\":11582,\"lon_millideg\":0}},\"province\":\"68\",\
         \"status\":\"ALERT_STATUS_EXERCISE\"}}}},\"id\":\"{id}\"}}"
    );
    assert_eq!(json, wanted);
    assert_eq!(serde_json::from_str::<Line>(&json).unwrap(), lines[0]);
    assert_eq!(
        texts(&lines),
        [format!(
            "    18  2021-12-14 17:30:02.114  RaiseAlert          {entity}  do an  \
             xin phát báo động / asks for an alert: lost-child (exercise)"
        )]
    );
}

#[test]
fn a_commit_is_a_line_for_each_event() {
    let entity = EntityName::alert(alert("raise"));
    let approved = Event::AlertApproved(v1::AlertApproved {
        approved_revision: 1,
        officer: "binh".to_owned(),
    });
    let outcome = events([approved, issued()]);
    let lines = lines(commit(Class::Alert, &entity, 2, "approve", AT, outcome));
    let kinds: Vec<_> = lines.iter().map(|line| (line.kind.as_str(), line.version)).collect();
    assert_eq!(kinds, [("AlertApproved", 2), ("AlertIssued", 2)]);
    assert_eq!((lines[0].position, lines[1].position), (18, 18));
    assert_eq!(lines[1].causation, RecordId::of_purpose("approve").to_string());
    assert_eq!(lines[1].actor, "service:alerting");
    // An id is a UUID, so that it can be looked for.
    assert_eq!(lines[1].data["content"], RecordId::of_purpose("raise").to_string());
    assert_eq!(lines[1].data["communes"][1]["reason"], "REACH_REASON_BORDER");
    let text = texts(&lines).pop().unwrap();
    assert!(text.ends_with("lost-child (exercise) → 2 xã / communes: 25126 25135"), "{text}");
}

#[test]
fn a_commit_without_events_is_a_line_too() {
    let entity = EntityName::alert(alert("a"));
    let of = |outcome| lines(commit(Class::Alert, &entity, 1, "c", AT, outcome)).pop().unwrap();
    let already = of(Outcome::AlreadyTrue(v1::AlreadyTrue {}));
    assert_eq!((already.kind.as_str(), already.data.to_string()), ("AlreadyTrue", "{}".into()));
    let (code, field) = ("stale".to_owned(), String::new());
    let refused = of(Outcome::Refused(v1::Refused { code, field }));
    assert_eq!(refused.kind, "Refused");
    assert_eq!(refused.data.to_string(), r#"{"code":"stale"}"#);
    assert!(replay_text(&refused).ends_with("bị từ chối / refused: stale"));
}

#[test]
fn hashes_are_hex_and_a_recovered_commit_is_shown() {
    let entity = EntityName::map();
    let sha256 = Bytes::from_static(&[0xab; 32]);
    let adopted = Event::MapAdopted(v1::MapAdopted { sha256, communes: 3 });
    let lost = commit(Class::Alert, &entity, 1, "adopt", AT, events([adopted]));
    let shown = &lines(lost.clone())[0];
    assert_eq!(shown.data["sha256"], "ab".repeat(32));
    let recovered = Event::Recovered(v1::Recovered { original: lost.open });
    let outcome = events([recovered]);
    let line = lines(commit(Class::Alert, &entity, 2, "lost", AT, outcome)).pop().unwrap();
    assert_eq!(line.kind, "Recovered");
    let event = &line.data["original"]["events"]["events"][0];
    assert_eq!(event["map_adopted"]["communes"], 3);
}

#[test]
fn what_cannot_be_read_is_shown_as_such() {
    let entity = EntityName::alert(alert("a"));
    let broken = Record {
        open: Bytes::from_static(&[0xff; 5]),
        ..commit(Class::Alert, &entity, 7, "c", AT, events([]))
    };
    let line = &lines(broken.clone())[0];
    assert_eq!(
        (line.kind.as_str(), line.version, &line.data["bytes"]),
        ("Unreadable", 7, &5.into())
    );
    // No filter by time hides it.
    let filter = Filter { from: Some(domain::ids::Millis(AT)), ..Filter::default() };
    assert_eq!(filter.lines(1, &at(1, broken)).len(), 1);
    // An event of a newer program.
    let newer = v1::Event { event: None };
    let outcome = Outcome::Events(v1::Events { events: vec![newer] });
    let line = &lines(commit(Class::Alert, &entity, 1, "c", AT, outcome))[0];
    assert_eq!((line.kind.as_str(), line.at.0), ("Unreadable", AT));
}

#[test]
fn a_filter_finds_what_names_a_commune() {
    let entity = EntityName::alert(alert("a"));
    let record = at(1, commit(Class::Alert, &entity, 1, "c", AT, events([issued()])));
    let wants = |commune: &str| {
        let commune = Some(commune.parse().unwrap());
        !Filter { commune, ..Filter::default() }.lines(1, &record).is_empty()
    };
    assert!(wants("25126") && wants("25135"));
    // These digits stand in the record, as a code that people type, but name no commune.
    assert!(!wants("12345"));
    let relay = EntityName::relay(alert("a"), "25999".parse().unwrap());
    let refused = Outcome::Refused(v1::Refused::default());
    let answer = at(1, commit(Class::Alert, &relay, 1, "c", AT, refused));
    let filter = Filter { commune: Some("25999".parse().unwrap()), ..Filter::default() };
    assert_eq!(filter.lines(1, &answer).len(), 1);
}

#[test]
fn a_filter_by_alert_and_time_takes_both_ends() {
    let told = EntityName::delivery(alert("a"), "25135".parse().unwrap());
    let outcome = Outcome::AlreadyTrue(v1::AlreadyTrue {});
    let record = at(1, commit(Class::Delivery, &told, 1, "c", AT, outcome));
    let wants = |filter: Filter| !filter.lines(1, &record).is_empty();
    let time = |from, to| Filter {
        from: Some(domain::ids::Millis(from)),
        to: Some(domain::ids::Millis(to)),
        alert: Some(alert("a")),
        commune: None,
    };
    assert!(wants(time(AT, AT)));
    assert!(!wants(time(AT + 1, AT + 9)) && !wants(time(AT - 9, AT - 1)));
    assert!(!wants(Filter { alert: Some(alert("b")), ..Filter::default() }));
}
