//! Calls of the stand-in and of the reference, signed, unsigned, forged, repeated.

use reqwest::header::HeaderMap;
use serde_json::json;
use stand_ins::zalo::{APP_ID, Callback, OA_ID, OA_SECRET_KEY, Zalo};

use super::*;
use crate::channels::{
    Channel, Rendered,
    testing::{intent, to},
    zalo::{
        Gmf,
        tests::{NOW_S, Rig},
    },
};

/// The vector of the reference.
const BODY: &str = concat!(
    r#"{"app_id":"360846524940903967","sender":{"id":"246845883529197922"},"#,
    r#""user_id_by_app":"552177279717587730","recipient":{"id":"388613280878808645"},"#,
    r#""event_name":"user_send_text","message":{"text":"Tôi thấy cháu bé ở chợ","#,
    r#""msg_id":"96d3cdf3af150460909"},"timestamp":"1764000000000"}"#
);
const MAC: &str = "09ad9ec9d9042dce9115c95311d99fa151d60720c6a17e5506a22ba72e39df87";

fn callbacks(signed_by_oa_id: bool) -> Callbacks {
    Callbacks {
        app_id: APP_ID.to_owned(),
        oa_id: OA_ID.to_owned(),
        key: Secret::new(OA_SECRET_KEY),
        signed_by_oa_id,
    }
}

fn request<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> RawRequest<'a> {
    RawRequest { method: "POST", path: "", query: "", headers, body, now: Millis(0) }
}

fn taken(call: &Callback) -> Result<Vec<Inbound>, NotReceived> {
    let received = callbacks(false).receive(request(&call.headers, &call.body));
    received.map(|received| received.inbound)
}

fn with_mac(mac: &str, body: &str) -> Result<Received, NotReceived> {
    let mut headers = HeaderMap::new();
    headers.insert("x-zevent-signature", mac.parse().unwrap());
    callbacks(false).receive(request(&headers, body.as_bytes()))
}

/// What an event says, signed as it should be.
fn says(mut event: Value) -> Vec<Inbound> {
    event["app_id"] = APP_ID.into();
    event["timestamp"] = "1764000000000".into();
    taken(&Callback::signed(&event)).unwrap()
}

fn ignored(event: &str) -> Vec<Inbound> {
    vec![Inbound::Ignored { event: event.to_owned() }]
}

#[test]
fn the_vector_of_the_reference_is_verified() {
    let tip = Inbound::Tip {
        from: "246845883529197922".to_owned(),
        message_id: "96d3cdf3af150460909".to_owned(),
    };
    for mac in [
        format!("mac={MAC}"),
        MAC.to_owned(),
        format!("MAC={}", MAC.to_uppercase()),
        format!(" mac={MAC} "),
    ] {
        assert_eq!(with_mac(&mac, BODY).unwrap().inbound, std::slice::from_ref(&tip), "{mac}");
    }
}

#[test]
fn whatever_is_changed_is_not_signed() {
    let spaced = BODY.replace("\"app_id\":", "\"app_id\": ");
    let other_text = BODY.replace("chợ", "nhà");
    let other_time = BODY.replace("1764000000000", "1764000000001");
    for body in [&*spaced, &*other_text, &*other_time, "{}x", "", "null", "[]", " {}"] {
        assert_eq!(with_mac(&format!("mac={MAC}"), body), Err(NotReceived::NotSigned), "{body}");
    }
    let short = MAC.get(2..).unwrap();
    let zeros = "0".repeat(64);
    let not_hex = format!("{short}zz");
    for mac in ["", "mac=", short, &zeros, &not_hex, "mac=mac=", "đđđđ"] {
        let Ok(value) = reqwest::header::HeaderValue::from_bytes(mac.as_bytes()) else { continue };
        let mut headers = HeaderMap::new();
        headers.insert("x-zevent-signature", value);
        let taken = callbacks(false).receive(request(&headers, BODY.as_bytes()));
        assert_eq!(taken, Err(NotReceived::NotSigned), "{mac}");
    }
    let unsigned = HeaderMap::new();
    let taken = callbacks(false).receive(request(&unsigned, BODY.as_bytes()));
    assert_eq!(taken, Err(NotReceived::NotSigned));
    assert_eq!(self::taken(&Zalo::user_wrote("u", "x", "m").forged()), Err(NotReceived::NotSigned));
}

#[test]
fn what_is_posted_when_the_address_is_saved_does_nothing() {
    assert_eq!(taken(&Callback::of_saving()), Ok(vec![]));
}

#[test]
fn the_other_candidates_are_taken_as_they_are_set() {
    // The time of a header, where the body has another or none.
    let event = json!({ "event_name": "follow", "follower": { "id": "u" } }).to_string();
    let mut call = Callback::signed_by(APP_ID, "1764000000007", event.clone());
    assert_eq!(taken(&call), Err(NotReceived::NotSigned));
    call.headers.insert("x-zevent-timestamp", "1764000000007".parse().unwrap());
    assert_eq!(taken(&call), Ok(vec![Inbound::Joined { target: "u".to_owned() }]));
    // The time as a number.
    let event = json!({ "event_name": "x", "timestamp": 1_764_000_000_000_i64 }).to_string();
    let call = Callback::signed_by(APP_ID, "1764000000000", event.clone());
    assert_eq!(taken(&call), Ok(ignored("x")));
    // The account's id in the app's place.
    let call = Callback::signed_by(OA_ID, "1764000000000", event);
    assert_eq!(taken(&call), Err(NotReceived::NotSigned));
    let taken = callbacks(true).receive(request(&call.headers, &call.body));
    assert_eq!(taken.unwrap().inbound, ignored("x"));
}

#[test]
fn a_repeat_is_the_same_again() {
    let first = Zalo::user_wrote("u", "tôi thấy", "m1");
    let again = first.again(1);
    assert_eq!(again.headers["num_retry"], "1");
    assert_eq!(taken(&first), taken(&again));
}

#[test]
fn a_receipt_says_what_and_when() {
    let receipt = |id: &str, level, at| Inbound::Receipt {
        provider_id: id.to_owned(),
        level,
        at: Millis(at),
    };
    let late = Zalo::received("u", "m1", 1_764_000_099_000);
    assert_eq!(taken(&late), Ok(vec![receipt("m1", Level::Delivered, 1_764_000_099_000)]));
    let seen = Zalo::seen("u", &["m1", "m2"]);
    let at = 1_764_000_000_000;
    let read = [receipt("m1", Level::Read, at), receipt("m2", Level::Read, at)];
    assert_eq!(taken(&seen).unwrap(), read);
}

#[tokio::test]
async fn an_echo_names_what_was_sent() {
    let rig = Rig::start().await;
    let group = Gmf(rig.account());
    let message = Rendered::text("Tìm cháu bé");
    let sent = group.send(&message, &to("g1"), intent("a:1:g:c", NOW_S)).await;
    let crate::channels::Outcome::Accepted { provider_id: Some(provider_id) } = sent.outcome else {
        panic!("{sent:?}");
    };
    let echo = rig.zalo.echo("g1", true).unwrap();
    let received = group.receive(request(&echo.headers, &echo.body)).unwrap();
    assert_eq!(received.inbound, [Inbound::Echo { provider_id, target: "g1".to_owned() }]);
    assert_eq!(received.answer, "");
}

#[test]
fn an_event_says_what_concerns_us() {
    let target = || "t".to_owned();
    let message = json!({ "msg_id": "m" });
    let from_oa = json!({ "id": OA_ID });
    for (event, expected) in [
        (
            json!({ "event_name": "follow", "follower": { "id": "t" } }),
            vec![Inbound::Joined { target: target() }],
        ),
        (
            json!({ "event_name": "unfollow", "oa_id": OA_ID, "follower": { "id": "t" } }),
            vec![Inbound::Left { target: target() }],
        ),
        (
            json!({ "event_name": "create_group", "group_id": "t" }),
            vec![Inbound::Joined { target: target() }],
        ),
        (
            json!({ "event_name": "disperse_group", "recipient": { "id": "t" } }),
            vec![Inbound::Left { target: target() }],
        ),
        (
            json!({ "event_name": "user_out_group", "sender": from_oa, "group_id": "t" }),
            vec![Inbound::Left { target: target() }],
        ),
        (
            json!({ "event_name": "user_send_image", "sender": { "id": "t" },
            "recipient": { "id": OA_ID }, "message": message }),
            vec![Inbound::Tip { from: target(), message_id: "m".to_owned() }],
        ),
        (
            json!({ "event_name": "user_send_group_text", "sender": { "id": "u" },
            "recipient": { "group_id": "t", "id": "x" }, "message": message }),
            vec![Inbound::Tip { from: target(), message_id: "m".to_owned() }],
        ),
        (
            json!({ "event_name": "oa_send_image", "sender": from_oa, "recipient": { "id": "t" },
            "message": message }),
            vec![Inbound::Echo { provider_id: "m".to_owned(), target: target() }],
        ),
        (
            json!({ "event_name": "change_oa_daily_quota", "oaId": OA_ID, "quota": {} }),
            vec![Inbound::Account { code: "daily-quota".into() }],
        ),
    ] {
        assert_eq!(says(event.clone()), expected, "{event}");
    }
}

#[test]
fn what_does_not_is_counted_by_its_name_alone() {
    let message = json!({ "msg_id": "m" });
    for event in [
        // A person wrote in the account's chat.
        json!({ "event_name": "oa_send_text", "sender": { "id": OA_ID, "admin_id": "9" },
            "recipient": { "id": "t" }, "message": message }),
        // One of a group's members goes.
        json!({ "event_name": "user_leave_group", "sender": { "id": "u" }, "group_id": "g" }),
        // Another account of the same app.
        json!({ "event_name": "follow", "oa_id": "1", "follower": { "id": "t" } }),
        json!({ "event_name": "user_send_text", "sender": { "id": "u" },
            "recipient": { "id": "1" }, "message": message }),
        json!({ "event_name": "user_send_text", "message": "not an object" }),
        json!({ "event_name": "user_received_message", "message": {} }),
        json!({ "event_name": "update_group_info" }),
        json!({ "event_name": "never_heard_of" }),
    ] {
        let name = event["event_name"].as_str().unwrap().to_owned();
        assert_eq!(says(event), ignored(&name));
    }
    assert_eq!(says(json!({ "event_name": "gọi 113\n" })), ignored("unnamed"));
    let nameless = Callback::signed(&json!({ "timestamp": "1" }));
    assert_eq!(taken(&nameless), Err(NotReceived::NotReadable));
}

#[tokio::test]
async fn without_a_key_nobody_may_call() {
    let rig = Rig::start().await;
    let mut table = rig.table("");
    table.remove("oa-secret-key");
    let channels = crate::channels::zalo::open("oa", table, &rig.tools()).unwrap();
    let call = Zalo::user_wrote("u", "x", "m");
    for channel in channels {
        let taken = channel.receive(request(&call.headers, &call.body));
        assert_eq!(taken, Err(NotReceived::Unsupported));
    }
}
