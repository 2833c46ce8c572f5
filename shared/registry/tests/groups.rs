//! Groups files: what they give, and each way they can be wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use domain::{directory::ChannelUse, ids::Home, values::GroupKind};
use registry::{
    Fault, GroupEntry, Map,
    groups::{parse_groups, read_groups},
};
use serde_json::{Value, json};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn map() -> Map {
    let map = include_bytes!("../../../tests/acceptance/maps/da-teh-2021.jsonl");
    Map::parse(map).unwrap()
}

fn group() -> Value {
    json!({"id": "g-1", "commune": "25126", "name": "Tổ dân phố 1", "kind": "hamlet",
        "members": 120,
        "channels": [{"type": "webhook", "url": "http://127.0.0.1:9911/g/0", "secret": SECRET}]})
}

fn parse(lines: &[Value]) -> Result<Vec<GroupEntry>, Vec<Fault>> {
    let text: Vec<_> = lines.iter().map(Value::to_string).collect();
    parse_groups(text.join("\n").as_bytes(), &map()).map_err(|faults| faults.as_slice().to_vec())
}

#[test]
fn a_line_is_a_group() {
    let entries = parse(&[group()]).unwrap();
    let [group] = &entries[..] else { panic!("one line, one group") };
    assert_eq!(group.id.as_str(), "g-1");
    assert_eq!(group.home.commune.as_str(), "25126");
    assert_eq!(group.home.province.as_str(), "68");
    assert_eq!((group.kind, group.members, group.exercises), (GroupKind::Hamlet, 120, false));
    assert_eq!(group.channels[0].id.as_str(), "webhook-1");
    assert_eq!(group.channels[0].used, ChannelUse::Always);
    assert_eq!(&*group.channels[0].address.url, "http://127.0.0.1:9911/g/0");
    assert!(!format!("{group:?}").contains("whsec_"), "a secret does not show");
}

#[test]
fn a_group_may_say_more() {
    let mut line = group();
    line["exercises"] = json!(true);
    line.as_object_mut().unwrap().remove("commune");
    line["province"] = json!("68");
    line["name"] = json!("To\u{309} 1");
    line["channels"].as_array_mut().unwrap().extend([
        json!({"id": "siren", "type": "webhook", "url": "https://[::1]:9/a?b#c", "secret": SECRET,
            "use": "fallback", "after_s": 60}),
        json!({"type": "webhook", "url": "https://example.vn", "secret": SECRET, "use": "always"}),
    ]);
    let entry = parse(&[line]).unwrap().remove(0);
    assert_eq!(entry.home, Home::of_province("68".parse().unwrap()));
    assert!(entry.exercises);
    assert_eq!(entry.name, "Tỏ 1", "names are kept in NFC");
    let ids: Vec<_> = entry.channels.iter().map(|channel| channel.id.as_str()).collect();
    assert_eq!(ids, ["webhook-1", "siren", "webhook-3"]);
    assert_eq!(entry.channels[1].used, ChannelUse::Fallback { after_s: 60 });
    let (facts, text) = (entry.facts(), entry.text());
    assert_eq!((facts.commune.as_str(), facts.province.as_str()), ("", "68"));
    assert_eq!((text.name.as_str(), text.channels[1].id.as_str()), ("Tỏ 1", "siren"));
}

/// The only fault of a file whose second line was changed so.
fn fault(change: impl FnOnce(&mut Value)) -> Fault {
    let mut wrong = group();
    wrong["id"] = json!("g-2");
    change(&mut wrong);
    let found = parse(&[group(), wrong.clone()]).expect_err("the file is wrong");
    assert_eq!(found.len(), 1, "{wrong}: {found:?}");
    assert_eq!(found[0].line, 2, "{wrong}");
    assert!(!found[0].reason.contains("MfKQ"), "a reason tells no secret");
    found[0].clone()
}

#[test]
fn a_wrong_field_of_a_group_is_named_with_its_line() {
    for (field, value, named, reason) in [
        ("colour", json!("red"), "colour", "unknown field"),
        ("id", json!("g-1"), "id", "stands in line 1 already"),
        ("id", json!("nhóm 1"), "id", "a group's id"),
        ("id", json!(1), "id", "invalid type"),
        ("commune", json!("99999"), "commune", "99999 is not in the map"),
        ("commune", json!("x"), "commune", "five digits"),
        ("commune", json!(null), "commune", "invalid type"),
        ("province", json!("68"), "province", "to a commune or to a province"),
        ("name", json!(" "), "name", "blank"),
        ("name", json!("a\u{0}b"), "name", "control characters"),
        ("name", json!("x".repeat(161)), "name", "at most 160"),
        ("kind", json!("village"), "kind", "hamlet, household"),
        ("members", json!(-1), "members", "invalid value"),
        ("members", json!(1_000_001), "members", "more than"),
        ("exercises", json!("yes"), "exercises", "invalid type"),
        ("channels", json!([]), "channels", "at least one channel"),
        ("channels", json!({}), "channels", "invalid type"),
        ("channels", json!([["webhook"]]), "channels[0]", "expected an object"),
        ("channels", json!(vec![group()["channels"][0].clone(); 17]), "channels", "more than 16"),
    ] {
        let found = fault(|line| line[field] = value.clone());
        assert_eq!(found.field, named, "{field} = {value}: {found}");
        assert!(found.reason.contains(reason), "{field} = {value}: {found}");
        assert!(found.reason.contains(" / "), "{field} = {value}: {found}");
    }
}

#[test]
fn a_wrong_field_of_a_channel_is_named_with_its_place() {
    let short = "whsec_MfKQ9r8GKYqrTwjUPD8ILA==";
    for (field, value, named, reason) in [
        ("color", json!(1), "channels[0].color", "unknown field"),
        ("type", json!("zalo"), "channels[0].type", "none of webhook"),
        ("id", json!("a b"), "channels[0].id", "a channel's id"),
        ("use", json!("sometimes"), "channels[0].use", "always, fallback"),
        ("use", json!("fallback"), "channels[0].after_s", "missing field"),
        ("after_s", json!(5), "channels[0].after_s", "fallback"),
        ("url", json!("ftp://a"), "channels[0].url", "http://"),
        ("url", json!("http://"), "channels[0].url", "no host"),
        ("url", json!("http://:80/"), "channels[0].url", "no host"),
        ("url", json!("http://a:port/"), "channels[0].url", "port"),
        ("url", json!("http://u:p@a/"), "channels[0].url", "user"),
        ("url", json!("http://a/b c"), "channels[0].url", "printable"),
        ("url", json!(format!("http://a/{}", "x".repeat(2_000))), "channels[0].url", "longer"),
        ("secret", json!("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "channels[0].secret", "whsec_"),
        ("secret", json!("whsec_%%%"), "channels[0].secret", "base64"),
        ("secret", json!(short), "channels[0].secret", "16 bytes"),
    ] {
        let found = fault(|line| line["channels"][0][field] = value.clone());
        assert_eq!(found.field, named, "{field} = {value}: {found}");
        assert!(found.reason.contains(reason), "{field} = {value}: {found}");
        assert!(found.reason.contains(" / "), "{field} = {value}: {found}");
    }
}

#[test]
fn a_missing_field_is_named() {
    for field in ["id", "commune", "name", "kind", "channels"] {
        let found = fault(|line| {
            line.as_object_mut().unwrap().remove(field);
        });
        assert_eq!(found.field, field);
        assert!(found.reason.contains("missing field"), "{found}");
    }
    for field in ["type", "url", "secret"] {
        let found = fault(|line| {
            line["channels"][0].as_object_mut().unwrap().remove(field);
        });
        assert_eq!(found.field, format!("channels[0].{field}"));
        assert!(found.reason.contains("missing field"), "{found}");
    }
}

#[test]
fn channels_are_told_apart_and_one_is_used_at_once() {
    let doubled = fault(|line| {
        let mut second = line["channels"][0].clone();
        second["id"] = json!("webhook-1");
        line["channels"].as_array_mut().unwrap().push(second);
    });
    assert_eq!(doubled.field, "channels[1].id");
    let waiting = fault(|line| {
        line["channels"][0]["use"] = json!("fallback");
        line["channels"][0]["after_s"] = json!(60);
    });
    assert_eq!(waiting.field, "channels");
    let late = fault(|line| {
        line["channels"][0]["use"] = json!("fallback");
        line["channels"][0]["after_s"] = json!(86_401);
    });
    assert_eq!(late.field, "channels[0].after_s");
}

#[test]
fn files_are_read_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("groups.jsonl");
    std::fs::write(&path, format!("{}\n", group())).unwrap();
    assert_eq!(read_groups(&path, &map()).unwrap().len(), 1);
    std::fs::write(&path, "").unwrap();
    let error = read_groups(&path, &map()).unwrap_err().to_string();
    assert!(
        error.ends_with("groups.jsonl:\ndòng 1 (line 1): tệp trống / the file is empty"),
        "{error}"
    );
}
