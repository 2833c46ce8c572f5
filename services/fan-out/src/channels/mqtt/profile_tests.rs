//! What a device is told, and what is believed of what it says.

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::Value;

use super::*;
use crate::channels::testing;

const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const NOW_S: i64 = 1_795_257_600;

fn profile() -> Profile {
    Profile::new(SEED, "vn").unwrap()
}

fn told(status: AlertStatus, news: News, device: Device) -> Said {
    let mut sheet = testing::sheet();
    sheet.facts.status = status;
    let body = testing::body(&sheet);
    said(&testing::view(&sheet, &body, news), device).unwrap()
}

fn command(device: Device) -> Message {
    let said = told(AlertStatus::Actual, News::Issued, device);
    let intent = testing::intent("a:1:g:c", NOW_S);
    profile().command(&said, device, &testing::to("loa-1"), &intent).unwrap()
}

/// Head line and payload.
fn parts(message: &Message) -> (&str, &str) {
    std::str::from_utf8(&message.payload).unwrap().split_once('\n').unwrap()
}

#[test]
fn the_vector_of_rfc_8032_has_its_public_key() {
    let profile = profile();
    assert_eq!(profile.public_key(), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    assert_eq!(profile.key_id(), "21fe31dfa154a261");
}

#[test]
fn a_seed_that_is_none_is_not_repeated() {
    for seed in ["", "secret-secret", "AAAA", &SEED[1..]] {
        let why = Profile::new(seed, "vn").err().unwrap();
        assert!(seed.is_empty() || !why.contains(seed));
    }
}

#[test]
fn who_speaks_and_who_shows_is_told_what_to_do() {
    use Device::{Board, Loudspeaker};
    use Operation::{Clear, Play, Show};
    for (news, device, op, repeat) in [
        (News::Issued, Loudspeaker, Play, 3),
        (News::Updated, Loudspeaker, Play, 3),
        (News::Corrected, Loudspeaker, Play, 3),
        (News::Cancelled, Loudspeaker, Play, 1),
        (News::Resolved, Loudspeaker, Play, 1),
        (News::Expired, Loudspeaker, Clear, 0),
        (News::Issued, Board, Show, 0),
        (News::Updated, Board, Show, 0),
        (News::Corrected, Board, Show, 0),
        (News::Cancelled, Board, Clear, 0),
        (News::Resolved, Board, Clear, 0),
        (News::Expired, Board, Clear, 0),
    ] {
        let said = told(AlertStatus::Actual, news, device);
        assert_eq!((said.op, said.repeat), (op, repeat), "{news:?} {device:?}");
        assert_eq!(said.text.is_empty(), op == Clear);
        assert_eq!(said.volume > 0, op == Play);
    }
    let closing = told(AlertStatus::Actual, News::Cancelled, Loudspeaker).text;
    assert!(closing.contains("ĐÃ THU HỒI"), "{closing}");
}

#[test]
fn an_exercise_says_so_in_its_first_words() {
    for status in [AlertStatus::Exercise, AlertStatus::Test] {
        for device in [Device::Loudspeaker, Device::Board] {
            for news in [News::Issued, News::Corrected, News::Cancelled] {
                let said = told(status, news, device);
                let first =
                    if status == AlertStatus::Test { "THỬ KỸ THUẬT" } else { "DIỄN TẬP" };
                let is_marked = said.text.starts_with(first) || said.op == Operation::Clear;
                assert!(said.exercise && is_marked, "{}", said.text);
            }
        }
    }
    let said = told(AlertStatus::Actual, News::Issued, Device::Board);
    assert!(!said.exercise && said.text.starts_with("TÌM TRẺ LẠC: Tìm cháu bé 4 tuổi đi lạc • "));
}

#[test]
fn no_name_of_a_person_and_no_link_is_said() {
    for device in [Device::Loudspeaker, Device::Board] {
        let text = told(AlertStatus::Actual, News::Issued, device).text;
        assert!(!text.contains("Nguyễn Văn Ân") && !text.contains("http"), "{text}");
        assert!(!text.contains("[@"), "{text}");
    }
}

#[test]
fn a_long_text_is_cut_and_says_who_and_that_it_is_no_real_event() {
    let mut sheet = testing::sheet();
    sheet.facts.status = AlertStatus::Exercise;
    sheet.text.description = "ậ".repeat(4_000);
    sheet.text.headline = "ệ".repeat(160);
    sheet.text.instruction = "ộ".repeat(500);
    let body = testing::body(&sheet);
    let view = testing::view(&sheet, &body, News::Corrected);
    let spoken = said(&view, Device::Loudspeaker).unwrap().text;
    assert!(spoken.chars().count() <= 1_200 && spoken.contains("Tin của xã Hoằng Thịnh"));
    assert!(spoken.ends_with("DIỄN TẬP – KHÔNG PHẢI SỰ VIỆC THẬT."), "{spoken}");
    let shown = said(&view, Device::Board).unwrap().text;
    assert!(shown.chars().count() <= BOARD_CHARS_MAX);
    let first = "DIỄN TẬP – KHÔNG PHẢI SỰ VIỆC THẬT. ĐÍNH CHÍNH. TÌM TRẺ LẠC: ệệ";
    assert!(shown.starts_with(first), "{shown}");
    assert!(shown.contains("Tin trước có chỗ sai."), "{shown}");
    assert!(shown.ends_with("xã Hoằng Thịnh, tỉnh Thanh Hoá – mã kiểm tra 0123456789"), "{shown}");
    assert!(!spoken.contains("EXERCISE") && !shown.contains("EXERCISE"));
}

#[test]
fn a_command_is_signed_over_the_bytes_of_its_payload() {
    let message = command(Device::Loudspeaker);
    assert_eq!(message.topic, "vn/15961/loa-1/cmd");
    assert_eq!((message.is_kept, message.expiry_s), (false, 3_600));
    let (head, payload) = parts(&message);
    let words: Vec<&str> = head.split(' ').collect();
    assert_eq!(words[..2], ["keng-mqtt-1", profile().key_id()]);
    let key = BASE64_STANDARD.decode(profile().public_key()).unwrap();
    let signature = BASE64_STANDARD.decode(words[2]).unwrap();
    UnparsedPublicKey::new(&ED25519, key).verify(payload.as_bytes(), &signature).unwrap();

    let said: Value = serde_json::from_str(payload).unwrap();
    for (name, expected) in [
        ("v", Value::from(1)),
        ("to", "vn/15961/loa-1".into()),
        ("delivery", "a:1:g:c".into()),
        ("valid_to", (NOW_S + 3_600).into()),
        ("valid_from", 1_795_257_601.into()),
        ("commune", "15961".into()),
        ("code", "0123456789".into()),
        ("revision", 1.into()),
        ("op", "play".into()),
        ("kind", "lost-child".into()),
        ("status", "actual".into()),
        ("exercise", false.into()),
        ("repeat", 3.into()),
        ("volume", 100.into()),
    ] {
        assert_eq!(said[name], expected, "{name}");
    }
}

#[test]
fn an_attempt_after_another_is_the_same_to_the_byte() {
    assert_eq!(command(Device::Board), command(Device::Board));
}

#[test]
fn a_board_has_a_topic_for_each_alert() {
    let message = command(Device::Board);
    let alert = testing::sheet().alert;
    assert_eq!(message.topic, format!("vn/15961/loa-1/list/{alert}"));
    assert!(message.is_kept);
}

#[test]
fn a_name_that_leads_elsewhere_and_a_past_end_are_refused() {
    let said = told(AlertStatus::Actual, News::Issued, Device::Loudspeaker);
    let intent = testing::intent("a:1:g:c", NOW_S);
    for name in ["", "+", "#", "a/b", "a#", "loa 1", "loa\u{0}", "lọa"] {
        let refused = profile().command(&said, Device::Loudspeaker, &testing::to(name), &intent);
        assert_eq!(refused.unwrap_err(), "address", "{name}");
    }
    let intent = Intent { expires_at: intent.now, ..intent };
    let refused = profile().command(&said, Device::Loudspeaker, &testing::to("loa-1"), &intent);
    assert_eq!(refused.unwrap_err(), "expired");
}

#[test]
fn a_device_is_believed_about_what_it_was_sent() {
    let message = command(Device::Loudspeaker);
    let payload: Value = serde_json::from_str(parts(&message).1).unwrap();
    let proof = payload["proof"].as_str().unwrap();
    let ignored = Inbound::Ignored { event: "ack".to_owned() };
    let heard = |topic: &str, payload: &str| {
        profile().heard(topic.as_bytes(), payload.as_bytes(), Millis(7))
    };
    let answer = |state: &str| {
        format!(r#"{{"delivery":"a:1:g:c","proof":"{proof}","state":"{state}","more":[1]}}"#)
    };
    for (state, level) in [
        ("received", Level::Delivered),
        ("playing", Level::Delivered),
        ("done", Level::Delivered),
        ("failed", Level::Failed),
    ] {
        let receipt = Inbound::Receipt { provider_id: "a:1:g:c".to_owned(), level, at: Millis(7) };
        assert_eq!(heard("vn/15961/loa-1/ack", &answer(state)), receipt);
        // The same words from another device, or in another commune.
        assert_eq!(heard("vn/15961/loa-2/ack", &answer(state)), ignored);
        assert_eq!(heard("vn/15962/loa-1/ack", &answer(state)), ignored);
    }
    let other = answer("done").replace("a:1:g:c", "a:2:g:c");
    for payload in [
        answer("sung").as_str(),
        other.as_str(),
        r#"{"delivery":"a:1:g:c","state":"done"}"#,
        r#"{"delivery":"a:1:g:c","proof":"","state":"done"}"#,
        r#"{"delivery":7}"#,
        "",
        "\u{0}",
    ] {
        assert_eq!(heard("vn/15961/loa-1/ack", payload), ignored, "{payload}");
    }
    assert_eq!(heard("vn/15961/loa-1/status", &answer("done")), ignored);
    assert_eq!(profile().heard(&[0xff], b"{}", Millis(7)), ignored);
}
