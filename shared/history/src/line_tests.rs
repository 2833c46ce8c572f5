//! How records look as lines: the JSON and the text, byte for byte.

use std::sync::Arc;

use bytes::Bytes;
use domain::ids::{EntityName, KeyId, RecordId};
use event_log::{Class, Record, Signature};
use prost::Message;
use wire::{
    spoken::id_bytes,
    v1::{self, command::Body, commit::Outcome, event::Event},
};

use crate::{
    filter::Filter,
    json,
    line::{Line, lines_of},
    testing::{alert, at, command, commit, events},
    text::{self, replay_text},
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
        ..v1::AlertIssued::default()
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
         \"status\":\"ALERT_STATUS_EXERCISE\"}}}},\"id\":\"{id}\",\
         \"attested\":\"token\",\"key\":\"\"}}"
    );
    assert_eq!(json, wanted);
    assert_eq!(serde_json::from_str::<Line>(&json).unwrap(), lines[0]);
    assert_eq!(
        texts(&lines),
        [format!(
            "    18  2021-12-14 17:30:02.114  RaiseAlert          {entity}  do an (mã / token)  \
             xin phát báo động / asks for an alert: lost-child (exercise)"
        )]
    );
}

#[test]
fn who_signed_a_command_is_shown() {
    let entity = EntityName::alert(alert("raise"));
    let actor = Some(v1::Actor { attested: "key".to_owned(), ..v1::Actor::default() });
    let open = v1::Command { actor, ..v1::Command::default() }.encode_to_vec().into();
    let key = KeyId::of(&[7; 32]);
    let signature = Some(Arc::new(Signature { key, value: vec![0; 64].into(), received: None }));
    let asked = command("cancel", &entity, AT, crate::testing::cancel());
    let line = &lines(Record { open, signature, ..asked })[0];
    assert_eq!((line.attested.as_str(), &line.key), ("key", &key.to_string()));
    assert!(replay_text(line).contains(&format!("do ? (khóa / key {})", &line.key[..8])));
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
    let old = v1::MapAdopted { sha256, communes: 3, ..v1::MapAdopted::default() };
    let adopted = Event::MapAdopted(old);
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
fn a_map_is_shown_with_its_version_and_dates() {
    let entity = EntityName::map();
    let shown = |adopted: v1::MapAdopted| {
        let outcome = events([Event::MapAdopted(adopted)]);
        texts(&lines(commit(Class::Alert, &entity, 1, "adopt", AT, outcome))).pop().unwrap()
    };
    let old = v1::MapAdopted {
        sha256: Bytes::from_static(&[0xab; 32]),
        communes: 3,
        ..v1::MapAdopted::default()
    };
    let text = shown(old.clone());
    assert!(text.ends_with(": abababababab, 3 xã / communes"), "{text}");
    let dated = v1::MapAdopted {
        version: "2027-01-01".to_owned(),
        valid_from_ms: Some(1_798_736_400_000),
        valid_to_ms: Some(1_830_272_400_000),
        ends: "2025-07-01".to_owned(),
        ..old
    };
    let text = shown(dated);
    let wanted = ": 2027-01-01, 3 xã / communes, từ / from 00:00 01/01/2027, đến / until 00:00 \
                  01/01/2028, thay / in place of 2025-07-01";
    assert!(text.ends_with(wanted), "{text}");
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
        ..Filter::default()
    };
    assert!(wants(time(AT, AT)));
    assert!(!wants(time(AT + 1, AT + 9)) && !wants(time(AT - 9, AT - 1)));
    assert!(!wants(Filter { alert: Some(alert("b")), ..Filter::default() }));
}

#[test]
fn a_relay_says_whom_it_asked_and_where_it_went() {
    let entity = EntityName::relay(alert("raise"), "25135".parse().unwrap());
    let escalated = |step: v1::EscalationStep, officers: &[&str]| {
        let officers = officers.iter().map(ToString::to_string).collect();
        Event::RelayEscalated(v1::RelayEscalated { step: step.into(), officers })
    };
    let home = v1::Home { province: "68".to_owned(), commune: "25138".to_owned() };
    let outcome = events([
        escalated(v1::EscalationStep::SecondContact, &["chi", "em"]),
        escalated(v1::EscalationStep::ProvinceDesk, &[]),
        Event::RelayedOnward(v1::RelayedOnward {
            officer: "binh".to_owned(),
            note: id_bytes(RecordId::of_purpose("note").0),
            communes: vec![home],
            hops: 1,
        }),
    ]);
    let texts = texts(&lines(commit(Class::Alert, &entity, 1, "c", AT, outcome)));
    for (text, end) in texts.iter().zip([
        "somebody else was asked: second-contact → chi em",
        "somebody else was asked: province-desk → không có ai / nobody",
        "relayed onward: → 1 xã / communes: 25138",
    ]) {
        assert!(text.ends_with(end), "{text}");
    }
}

/// The text of what an event says of an alert, without where it stands.
fn said(event: Event) -> String {
    let entity = EntityName::alert(alert("raise"));
    let line = lines(commit(Class::Alert, &entity, 2, "c", AT, events([event]))).pop().unwrap();
    let text = replay_text(&line);
    text.split_once("do service:alerting  ").unwrap().1.to_owned()
}

#[test]
fn what_a_second_person_is_asked_is_told() {
    let content = |how: v1::ChangeHow| v1::AlertContent {
        how: how.into(),
        facts: Some(facts()),
        content: id_bytes(RecordId::of_purpose("update").0),
    };
    let reach = |mode: v1::ReachMode, rings| v1::ReachRequest {
        mode: mode.into(),
        rings,
        communes: vec![],
    };
    let asked = |change| v1::AlertChangeAsked {
        revision: 3,
        asked_by: "an".to_owned(),
        change: Some(change),
    };
    for (event, words) in [
        (
            Event::AlertReviewOwed(v1::AlertReviewOwed {
                due_ms: AT + 900_000,
                sent_by: "an".to_owned(),
            }),
            "cần người thứ hai xem lại / a review is owed: \
             đến / until 17:45 14/12/2021, do / by an",
        ),
        (Event::AlertReviewed(v1::AlertReviewed::default()), "đã xem lại / reviewed"),
        (
            Event::AlertChangeAsked(asked(v1::alert_change_asked::Change::Content(content(
                v1::ChangeHow::Update,
            )))),
            "thay đổi chờ người thứ hai / a change waits for a second person: \
             bản / revision 3 update, do / by an",
        ),
        (
            Event::AlertChangeAsked(asked(v1::alert_change_asked::Change::Widen(reach(
                v1::ReachMode::Rings,
                2,
            )))),
            "thay đổi chờ người thứ hai / a change waits for a second person: \
             bản / revision 3 widen rings 2, do / by an",
        ),
        (
            Event::AlertChanged(v1::AlertChanged {
                revision: 4,
                content: Some(content(v1::ChangeHow::Correct)),
                officer: "an".to_owned(),
            }),
            "đã sửa nội dung / changed: bản / revision 4 correct",
        ),
    ] {
        assert_eq!(said(event), words);
    }
}

#[test]
fn what_happens_between_raise_and_end_is_told() {
    let reached = |commune: &str| v1::CommuneReached {
        commune: commune.to_owned(),
        ..v1::CommuneReached::default()
    };
    let widened = v1::AlertWidened {
        step: 1,
        by: "reach/v1".to_owned(),
        reach: Some(v1::ReachRequest { mode: v1::ReachMode::Auto.into(), ..Default::default() }),
        communes: vec![reached("25135"), reached("25138")],
        to_follow: vec![],
        next: Some(v1::NextReach {
            assumed: Some(v1::Assumed { reach_m: 3_400, ..v1::Assumed::default() }),
            at_ms: AT + 1_800_000,
            communes: vec!["25057".to_owned()],
        }),
    };
    let sight = v1::AlertSighted { commune: "25135".to_owned(), ..v1::AlertSighted::default() };
    for (event, words) in [
        (
            Event::AlertWidened(widened),
            "đã mở rộng / widened: reach/v1: auto → 2 xã / communes: 25135 25138, 3400 m, \
             bước sau / next 18:00 14/12/2021",
        ),
        (Event::AlertSighted(sight), "đã có người thấy / sighted: xã / commune 25135"),
        (
            Event::AlertExpiryNear(v1::AlertExpiryNear { expires_at_ms: AT + 1_800_000 }),
            "sắp hết hạn, hỏi cán bộ / expires soon, the officer is asked: \
             đến / until 18:00 14/12/2021",
        ),
        (Event::AlertHeld(v1::AlertHeld::default()), "đã tạm giữ / held"),
        (
            Event::AlertInstructed(v1::AlertInstructed {
                commune: "25135".to_owned(),
                ..v1::AlertInstructed::default()
            }),
            "nhóm của xã nhận hướng dẫn / the commune's groups are instructed: xã / commune 25135",
        ),
        (
            Event::AlertBudgetExceeded(v1::AlertBudgetExceeded {
                figures: Some(v1::BudgetFigures {
                    groups: 41,
                    groups_over: 3,
                    alerts_in_day: 4,
                    alerts_in_week: 6,
                    ..v1::BudgetFigures::default()
                }),
            }),
            "vượt ngân sách tin của nhóm / over the budget of groups: 3/41 nhóm / groups, \
             tin thứ 4 trong 24 giờ, 6 trong tuần / in 24 h and in a week",
        ),
        (
            Event::AlertCorrectionAttested(v1::AlertCorrectionAttested {
                revision: 3,
                targets: vec![v1::Target { group: "g-1".to_owned(), ..v1::Target::default() }],
                ..v1::AlertCorrectionAttested::default()
            }),
            "đã báo cách khác / told another way, attested: bản / revision 3: g-1",
        ),
        (
            Event::AlertReopened(v1::AlertReopened { revision: 5, ..Default::default() }),
            "đã mở lại / reopened: bản / revision 5",
        ),
    ] {
        assert_eq!(said(event), words);
    }
}

#[test]
fn what_people_do_about_deliveries_is_told() {
    for (event, words) in [
        (
            Event::PostAttested(v1::PostAttested {
                target: Some(v1::Target {
                    group: "g-1".to_owned(),
                    channel: "zalo".to_owned(),
                    ..v1::Target::default()
                }),
                revision: 3,
            }),
            "đã đăng tay / posted by hand: g-1 zalo, bản / revision 3",
        ),
        (
            Event::ChannelSwitched(v1::ChannelSwitched {
                channel: "sms".to_owned(),
                stopped: true,
            }),
            "đã bật tắt kênh gửi / switched a channel: sms: dừng / stopped",
        ),
    ] {
        assert_eq!(said(event), words);
    }
}

#[test]
fn a_measured_drill_says_how_many_were_reached_over_what() {
    let channel = v1::DrillChannel {
        channel_type: "webhook".to_owned(),
        groups: 4,
        not_reached: 1,
        median_ms: Some(0),
        ..v1::DrillChannel::default()
    };
    let result = v1::DrillResult {
        commune: "25126".to_owned(),
        groups: 5,
        groups_not_reached: 1,
        channels: vec![channel],
        ..v1::DrillResult::default()
    };
    assert_eq!(
        said(Event::DrillMeasured(v1::DrillMeasured { result: Some(result) })),
        "đã đo diễn tập / a drill was measured: xã / commune 25126: 4/5 nhóm / groups; webhook 3/4"
    );
}

#[test]
fn every_command_and_every_event_of_an_alert_and_its_deliveries_has_words() {
    for (message, oneof) in [("Command", "body"), ("Event", "event")] {
        let names = json::names_in(message, oneof);
        let kinds = ["Alert", "Deliver", "Attempts", "Post", "LinkKey", "Channel"];
        let of_alert = names.iter().filter(|name| kinds.iter().any(|kind| name.contains(kind)));
        let without: Vec<_> = of_alert.filter(|name| !text::has_words(name)).collect();
        assert_eq!(without, Vec::<&String>::new());
        assert!(names.len() > 10, "{names:?}");
    }
}
