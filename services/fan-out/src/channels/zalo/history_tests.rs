//! What a conversation says of an attempt whose end is unknown.

use std::sync::Arc;

use stand_ins::zalo::{Ending, Fate, IN_GROUP, NOW_MS, TO_GROUP, TO_USER, WITH_USER};

use super::*;
use crate::channels::{
    Channel, Outcome,
    testing::{intent, to},
    zalo::{
        Account, Gmf, Oa,
        tests::{NOW_S, Rig},
    },
};

fn told(words: &str) -> Rendered {
    let code = intent("a:1:g:c", NOW_S).alert.code();
    Rendered::text(format!("{words}\nKiểm tra {code}: https://keng.example.vn/v1/verify/{code}"))
}

fn of_revision(revision: u64) -> Intent<'static> {
    Intent { revision, ..intent("a:1:g:c", NOW_S) }
}

async fn in_group(account: &Arc<Account>, message: &Rendered, intent: Intent<'_>) -> Reconciled {
    Gmf(Arc::clone(account)).reconcile(message, &to("g1"), intent).await
}

/// A message whose end nobody knows.
async fn lose(rig: &Rig, account: &Arc<Account>, message: &Rendered, fate: Fate) {
    rig.zalo.next(TO_GROUP, [fate]);
    let sent = Gmf(Arc::clone(account)).send(message, &to("g1"), of_revision(1)).await;
    assert!(matches!(sent.outcome, Outcome::Unknown { .. }), "{sent:?}");
}

#[tokio::test]
async fn what_stands_in_the_group_has_arrived() {
    let rig = Rig::start().await;
    let account = rig.account();
    let message = told("Tìm cháu bé");
    lose(&rig, &account, &message, Fate::done(Ending::Cut)).await;
    rig.zalo.somebody_writes("g1", "cảm ơn");
    let arrived = Reconciled::Arrived { provider_id: Some("96d3cdf3af150400001".to_owned()) };
    assert_eq!(in_group(&account, &message, of_revision(1)).await, arrived);
    let call = &rig.zalo.calls_to(IN_GROUP)[0];
    assert_eq!(call.query, "group_id=g1&offset=0&count=10");
}

#[tokio::test]
async fn what_does_not_stand_there_has_not() {
    let rig = Rig::start().await;
    let account = rig.account();
    let message = told("Tìm cháu bé");
    lose(&rig, &account, &message, Fate::refused(Ending::Cut)).await;
    assert_eq!(in_group(&account, &message, of_revision(1)).await, Reconciled::NotArrived);
    // A member's copy is not ours.
    rig.zalo.somebody_writes("g1", message.as_text());
    assert_eq!(in_group(&account, &message, of_revision(1)).await, Reconciled::NotArrived);
}

#[tokio::test]
async fn one_revision_is_not_another() {
    let rig = Rig::start().await;
    let account = rig.account();
    let (first, second) = (told("Tìm cháu bé"), told("[ĐÃ THU HỒI / WITHDRAWN] Tìm cháu bé"));
    let to = to("g1");
    rig.zalo.set_clock(NOW_MS - 60 * 60 * 1_000);
    Gmf(Arc::clone(&account)).send(&first, &to, of_revision(1)).await;
    assert_eq!(in_group(&account, &second, of_revision(2)).await, Reconciled::NotArrived);
    // What was told only now may be the one that is looked for, as Zalo shows it.
    rig.zalo.set_clock(NOW_MS);
    Gmf(Arc::clone(&account)).send(&first, &to, of_revision(1)).await;
    assert_eq!(in_group(&account, &second, of_revision(2)).await, Reconciled::CannotTell);
    Gmf(Arc::clone(&account)).send(&second, &to, of_revision(2)).await;
    let arrived = in_group(&account, &second, of_revision(2)).await;
    assert!(matches!(arrived, Reconciled::Arrived { .. }));
}

#[tokio::test]
async fn another_alert_that_quotes_the_code_is_not_it() {
    let rig = Rig::start().await;
    let account = rig.account();
    let message = told("Tìm cháu bé");
    let code = intent("a:1:g:c", NOW_S).alert.code();
    for quoted in [
        format!("Cảnh báo lừa đảo\nTin giả mang mã {code}"),
        format!("Cảnh báo lừa đảo\n{}\nKiểm tra 0: https://keng.example.vn/0", message.as_text()),
    ] {
        Gmf(Arc::clone(&account)).send(&Rendered::text(quoted), &to("g1"), of_revision(1)).await;
        let seen = in_group(&account, &message, of_revision(1)).await;
        assert_eq!(seen, Reconciled::CannotTell);
    }
    Gmf(Arc::clone(&account)).send(&message, &to("g1"), of_revision(1)).await;
    let seen = in_group(&account, &message, of_revision(1)).await;
    assert!(matches!(seen, Reconciled::Arrived { .. }), "{seen:?}");
}

#[tokio::test]
async fn a_long_conversation_is_read_to_before_the_attempt_and_no_further() {
    let rig = Rig::start().await;
    let account = rig.account();
    let message = told("Tìm cháu bé");
    rig.zalo.set_clock(NOW_MS - 60 * 60 * 1_000);
    for _ in 0..200 {
        rig.zalo.somebody_writes("g1", "hôm nay");
    }
    rig.zalo.set_clock(NOW_MS);
    for _ in 0..25 {
        rig.zalo.somebody_writes("g1", "ai thấy cháu?");
    }
    assert_eq!(in_group(&account, &message, of_revision(1)).await, Reconciled::NotArrived);
    assert_eq!(rig.zalo.calls_to(IN_GROUP).len(), 3);
    for _ in 0..50 {
        rig.zalo.somebody_writes("g1", "ở chợ");
    }
    assert_eq!(in_group(&account, &message, of_revision(1)).await, Reconciled::CannotTell);
}

#[tokio::test]
async fn what_cannot_be_read_cannot_tell() {
    let rig = Rig::start().await;
    let account = rig.account();
    let message = told("Tìm cháu bé");
    for ending in [
        Ending::Error(-237, "disabled"),
        Ending::Error(0, "without data"),
        Ending::NotJson,
        Ending::Status(500),
        Ending::Cut,
    ] {
        rig.zalo.next(IN_GROUP, [Fate::refused(ending)]);
        let told = in_group(&account, &message, of_revision(1)).await;
        assert_eq!(told, Reconciled::CannotTell, "{ending:?}");
    }
}

#[tokio::test]
async fn a_followers_conversation_is_asked_in_its_own_way() {
    let rig = Rig::start().await;
    let follower = Oa(rig.account());
    let message = told("Tìm cháu bé");
    rig.zalo.next(TO_USER, [Fate::done(Ending::Status(502))]);
    follower.send(&message, &to("u1"), of_revision(1)).await;
    let arrived = follower.reconcile(&message, &to("u1"), of_revision(1)).await;
    assert!(matches!(arrived, Reconciled::Arrived { .. }));
    let call = &rig.zalo.calls_to(WITH_USER)[0];
    assert_eq!(call.form()["data"], r#"{"user_id":"u1","offset":0,"count":10}"#);
}

#[test]
fn whose_a_message_is_may_be_open() {
    let wanted = Wanted {
        oa_id: "7",
        code: "ABC".to_owned(),
        text: "x z ABC".to_owned(),
        first_line: "x z".to_owned(),
        verify_line: "ABC".to_owned(),
        is_first: true,
        since: Millis(1_000),
    };
    let compare = |one: serde_json::Value| match wanted.compare(&one) {
        Seen::It(id) => format!("it {}", id.unwrap_or_default()),
        Seen::Unclear => "unclear".to_owned(),
        Seen::Before => "before".to_owned(),
        Seen::Other => "other".to_owned(),
    };
    for (one, expected) in [
        (serde_json::json!({ "message": "x\nz ABC", "from_id": 7, "message_id": 9 }), "it 9"),
        // Changed on its way, and the same by its beginning and its end.
        (serde_json::json!({ "message": "x z\ny\nABC", "src": 0, "message_id": 9 }), "it 9"),
        (serde_json::json!({ "message": "y x z ABC", "src": 0, "time": 2_000 }), "unclear"),
        (serde_json::json!({ "message": "x zy ABC", "src": 0, "time": 2_000 }), "unclear"),
        (serde_json::json!({ "message": "x z …", "src": 0, "time": 2_000 }), "unclear"),
        (serde_json::json!({ "message": "x zy", "src": 0, "time": 2_000 }), "other"),
        (serde_json::json!({ "message": "x ABC", "from_id": "8", "time": 2_000 }), "other"),
        (serde_json::json!({ "message": "x ABC", "time": 2_000 }), "unclear"),
        (serde_json::json!({ "message": "y", "time": "2000" }), "other"),
        (serde_json::json!({ "message": "y", "time": "999" }), "before"),
        (serde_json::json!({ "message": { "deep": 1 } }), "unclear"),
        (serde_json::json!("ABC"), "unclear"),
    ] {
        assert_eq!(compare(one.clone()), expected, "{one}");
    }
}
