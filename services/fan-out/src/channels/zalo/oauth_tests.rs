//! Renewals against the stand-in, and a crash at every point of one.

use std::{fs, os::unix::fs::PermissionsExt};

use futures::future::join_all;
use stand_ins::zalo::{Ending, FIRST_ACCESS, FIRST_REFRESH, Fate, GET_OA, TO_GROUP, TOKEN};

use super::*;
use crate::channels::{
    Health, Outcome, Sent,
    zalo::{
        Account,
        tests::{NOW_S, Rig, to_group},
    },
};

const HOUR_S: i64 = 60 * 60;

async fn send(account: &Arc<Account>, now_s: i64) -> Outcome {
    to_group(account, "g1", now_s).await.outcome
}

fn is_accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { .. })
}

fn file(rig: &Rig) -> std::path::PathBuf {
    rig.folder.path().join("state/zalo-oa.json")
}

fn saved(rig: &Rig) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(file(rig)).unwrap()).unwrap()
}

fn pair(access: &str, refresh: &str) -> Pair {
    Pair {
        access: Secret::new(access),
        refresh: Secret::new(refresh),
        at: None,
        life_s: super::super::api::LIFE_S,
    }
}

/// What stands on disk once a renewal of the first pair has begun.
fn mark(rig: &Rig) {
    let first = pair(FIRST_ACCESS, FIRST_REFRESH);
    let folder = rig.folder.path().join("state");
    fs::create_dir_all(&folder).unwrap();
    let (store, _) = Store::open(folder, "oa", Some(first.clone())).unwrap();
    store.keep(&first, true).unwrap();
}

fn renewals(rig: &Rig) -> usize {
    rig.zalo.calls_to(TOKEN).len()
}

/// The account is down, stays so without asking anybody, and says so to whoever probes.
async fn needs_its_operator(rig: &Rig, account: &Arc<Account>) {
    let down = Outcome::ChannelDown { code: RECONNECT_REQUIRED.into() };
    assert_eq!(send(account, NOW_S).await, down);
    let calls = rig.zalo.calls().len();
    assert_eq!(send(account, NOW_S + 1).await, down);
    assert_eq!(account.probe().await, Health::Down { code: RECONNECT_REQUIRED.into() });
    assert_eq!(rig.zalo.calls().len(), calls);
    assert!(rig.zalo.said("g1").is_empty());
}

#[tokio::test]
async fn a_token_is_renewed_at_twenty_hours_and_saved() {
    let rig = Rig::start().await;
    let account = rig.account();
    assert!(is_accepted(&send(&account, NOW_S).await));
    assert!(is_accepted(&send(&account, NOW_S + 20 * HOUR_S - 1).await));
    assert_eq!(renewals(&rig), 0);
    assert!(is_accepted(&send(&account, NOW_S + 20 * HOUR_S).await));
    let [call] = &rig.zalo.calls_to(TOKEN)[..] else { panic!("not one renewal") };
    assert_eq!(call.header("secret_key"), stand_ins::zalo::APP_SECRET);
    assert_eq!(call.header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(
        call.text(),
        "refresh_token=refresh-0%2B%2F%3D%26&app_id=360846524940903967&grant_type=refresh_token"
    );
    let (access, refresh) = rig.zalo.pair();
    assert_eq!(rig.zalo.calls().last().unwrap().header("access_token"), access);
    let saved = saved(&rig);
    assert_eq!((&saved["access"], &saved["refresh"]), (&access.into(), &refresh.into()));
    assert_eq!((&saved["renewing"], &saved["life_s"]), (&false.into(), &90_000.into()));
    assert_eq!(fs::metadata(file(&rig)).unwrap().permissions().mode() & 0o777, 0o600);
    // The age is the saved pair's, also after a restart.
    let account = rig.account();
    assert!(is_accepted(&send(&account, NOW_S + 39 * HOUR_S).await));
    assert_eq!(renewals(&rig), 1);
    assert!(is_accepted(&send(&account, NOW_S + 40 * HOUR_S).await));
    assert_eq!(renewals(&rig), 2);
}

#[tokio::test]
async fn what_is_refused_is_called_once_more_with_a_new_token() {
    let rig = Rig::start().await;
    let account = rig.account();
    rig.zalo.expire_access();
    assert!(is_accepted(&send(&account, NOW_S).await));
    assert_eq!((renewals(&rig), rig.zalo.calls_to(TO_GROUP).len()), (1, 2));
    rig.zalo.next(TO_GROUP, [Fate::refused(Ending::Error(-216, "invalid"))]);
    assert!(is_accepted(&send(&account, NOW_S).await));
    assert_eq!((renewals(&rig), rig.zalo.said("g1").len()), (2, 2));
    // Once, and no more in one attempt.
    let refused = Fate::refused(Ending::Error(-220, "expired"));
    rig.zalo.next(TO_GROUP, [refused, refused]);
    let down = Outcome::ChannelDown { code: "zalo-220".into() };
    assert_eq!(to_group(&account, "g1", NOW_S).await, Sent::with(down, 220_u32));
    assert_eq!(renewals(&rig), 3);
    rig.zalo.expire_access();
    assert_eq!(account.probe().await, Health::Works);
}

#[tokio::test]
async fn many_at_once_renew_once() {
    let rig = Rig::start().await;
    let account = rig.account();
    rig.zalo.expire_access();
    let all = join_all((0..30).map(|_| send(&account, NOW_S))).await;
    assert!(all.iter().all(is_accepted), "{all:?}");
    assert_eq!((renewals(&rig), rig.zalo.said("g1").len()), (1, 30));
    let late = NOW_S + 30 * HOUR_S;
    let all = join_all((0..30).map(|_| send(&account, late))).await;
    assert!(all.iter().all(is_accepted), "{all:?}");
    assert_eq!((renewals(&rig), rig.zalo.said("g1").len()), (2, 60));
}

#[tokio::test]
async fn a_crash_before_the_mark_changes_nothing() {
    let rig = Rig::start().await;
    assert!(is_accepted(&send(&rig.account(), NOW_S).await));
    assert!(!file(&rig).exists());
    assert!(is_accepted(&send(&rig.account(), NOW_S).await));
    assert_eq!((renewals(&rig), rig.zalo.calls_to(GET_OA).len()), (0, 0));
}

#[tokio::test]
async fn the_mark_is_on_disk_before_the_call() {
    let rig = Rig::start().await;
    let account = rig.hasty_account();
    assert!(is_accepted(&send(&account, NOW_S).await));
    rig.zalo.next(TOKEN, [Fate::refused(Ending::Hang)]);
    // The old token works while the renewal hangs, so nobody waits long.
    assert!(is_accepted(&send(&account, NOW_S + 21 * HOUR_S).await));
    assert_eq!(renewals(&rig), 1);
    let saved = saved(&rig);
    assert_eq!((&saved["renewing"], &saved["access"]), (&true.into(), &FIRST_ACCESS.into()));
}

#[tokio::test]
async fn a_crash_between_the_mark_and_the_call_is_seen_by_asking() {
    let rig = Rig::start().await;
    mark(&rig);
    let account = rig.account();
    assert!(is_accepted(&send(&account, NOW_S).await));
    assert_eq!((renewals(&rig), rig.zalo.calls_to(GET_OA).len()), (0, 1));
    assert_eq!(saved(&rig)["renewing"], false);
    // Where the token ran out meanwhile, the refresh token is still good.
    mark(&rig);
    rig.zalo.expire_access();
    let account = rig.account();
    assert!(is_accepted(&send(&account, NOW_S).await));
    assert_eq!((renewals(&rig), rig.zalo.said("g1").len()), (1, 2));
    assert_eq!(saved(&rig)["access"], rig.zalo.pair().0);
}

#[tokio::test]
async fn a_crash_between_the_answer_and_the_saving_needs_the_operator() {
    let rig = Rig::start().await;
    let account = rig.account();
    rig.zalo.expire_access();
    rig.zalo.next(TOKEN, [Fate::done(Ending::Cut)]);
    let lost = send(&account, NOW_S).await;
    assert_eq!(lost, Outcome::Retry { after_s: None, why: "reset" });
    // After a restart the same as without one.
    for account in [rig.account(), account] {
        let before = renewals(&rig);
        needs_its_operator(&rig, &account).await;
        assert_eq!(renewals(&rig), before + 1);
    }
    // The operator gives what is good now, and it counts.
    let (access, refresh) = rig.zalo.pair();
    rig.give(&access, &refresh);
    let account = rig.account();
    assert!(is_accepted(&send(&account, NOW_S).await));
    rig.zalo.expire_access();
    assert!(is_accepted(&send(&account, NOW_S).await));
    // Once it has been renewed, the saved pair is newer than the given one.
    assert!(is_accepted(&send(&rig.account(), NOW_S).await));
}

#[tokio::test]
async fn a_crash_between_the_two_names_is_finished() {
    let rig = Rig::start().await;
    let account = rig.account();
    rig.zalo.expire_access();
    assert!(is_accepted(&send(&account, NOW_S).await));
    let whole = fs::read_to_string(file(&rig)).unwrap();
    let new = file(&rig).with_extension("json.new");
    // Half of it is no pair, and the pair that had been there counts.
    fs::write(&new, whole.split_at(whole.len() / 2).0).unwrap();
    assert!(is_accepted(&send(&rig.account(), NOW_S).await));
    fs::remove_file(file(&rig)).unwrap();
    mark(&rig);
    fs::write(&new, &whole).unwrap();
    assert!(is_accepted(&send(&rig.account(), NOW_S).await));
    assert_eq!((renewals(&rig), rig.zalo.calls_to(GET_OA).len()), (1, 0));
    assert!(!new.exists());
}

#[tokio::test]
async fn a_crash_after_the_saving_changes_nothing() {
    let rig = Rig::start().await;
    rig.zalo.expire_access();
    assert!(is_accepted(&send(&rig.account(), NOW_S).await));
    assert!(is_accepted(&send(&rig.account(), NOW_S).await));
    assert_eq!((renewals(&rig), rig.zalo.calls_to(GET_OA).len()), (1, 0));
}

#[tokio::test]
async fn a_new_pair_is_not_used_before_it_is_saved() {
    let rig = Rig::start().await;
    let account = rig.account();
    let folder = rig.folder.path().join("state");
    fs::remove_dir_all(&folder).unwrap();
    // Without a mark nothing is renewed: the old token is used as long as it works.
    assert!(is_accepted(&send(&account, NOW_S).await));
    assert!(is_accepted(&send(&account, NOW_S + 21 * HOUR_S).await));
    assert_eq!(renewals(&rig), 0);
    // The answer is here, and the disk is not.
    let by = Instant::now() + Duration::from_secs(10);
    let Renewal::Pair(new) = account.api.renew(&pair(FIRST_ACCESS, FIRST_REFRESH), by).await else {
        panic!("not renewed");
    };
    account.tokens.adopt(new).await;
    for _ in 0..2 {
        let later = Outcome::Retry { after_s: None, why: NOT_SAVED };
        assert_eq!(send(&account, NOW_S).await, later);
    }
    fs::create_dir_all(&folder).unwrap();
    assert!(is_accepted(&send(&account, NOW_S).await));
    assert_eq!(saved(&rig)["access"], rig.zalo.pair().0);
}

#[tokio::test]
async fn a_renewal_that_is_not_done_leaves_the_old_token() {
    let rig = Rig::start().await;
    let account = rig.account();
    assert!(is_accepted(&send(&account, NOW_S).await));
    let mut now_s = NOW_S + 20 * HOUR_S;
    for fate in [
        Ending::Cut,
        Ending::Status(502),
        Ending::NotJson,
        Ending::Error(-32, "limit"),
        Ending::Error(-14_099, "an answer without a token is a failure"),
    ] {
        let before = renewals(&rig);
        rig.zalo.next(TOKEN, [Fate::refused(fate)]);
        assert!(is_accepted(&send(&account, now_s).await), "{fate:?}");
        // Not with every message.
        assert!(is_accepted(&send(&account, now_s + 1).await), "{fate:?}");
        assert_eq!(renewals(&rig), before + 1, "{fate:?}");
        assert_eq!(saved(&rig)["renewing"], false);
        now_s += 11 * 60;
    }
    assert!(is_accepted(&send(&account, now_s).await));
    assert_eq!(saved(&rig)["access"], rig.zalo.pair().0);
}

#[tokio::test]
async fn where_both_are_dead_or_the_app_is_wrong_the_account_is_down() {
    let rig = Rig::start().await;
    rig.zalo.expire_access();
    rig.zalo.next(TOKEN, [Fate::refused(Ending::Error(-14_014, "used"))]);
    needs_its_operator(&rig, &rig.account()).await;
    // A wrong secret is another matter: with the right one the same pair works.
    rig.zalo.next(TOKEN, [Fate::refused(Ending::Error(-14_004, "secret"))]);
    let wrong = Outcome::ChannelDown { code: "oauth-14004".into() };
    assert_eq!(send(&rig.account(), NOW_S).await, wrong);
    assert!(is_accepted(&send(&rig.account(), NOW_S).await));
}

#[tokio::test]
async fn where_nobody_can_tell_nothing_is_sent_yet() {
    let rig = Rig::start().await;
    mark(&rig);
    let account = rig.account();
    let unclear = [Ending::Status(503), Ending::Cut, Ending::Error(-32, "limit")];
    rig.zalo.next(GET_OA, unclear.map(Fate::refused));
    for _ in unclear {
        let later = Outcome::Retry { after_s: None, why: IN_DOUBT };
        assert_eq!(send(&account, NOW_S).await, later);
    }
    assert!(is_accepted(&send(&account, NOW_S).await));
    assert_eq!((renewals(&rig), rig.zalo.said("g1").len()), (0, 1));
}

#[tokio::test]
async fn an_attempt_that_gives_up_does_not_lose_the_answer() {
    let rig = Rig::start().await;
    let account = rig.account();
    rig.zalo.expire_access();
    let by = Instant::now();
    let access = account.tokens.access(None, by).await.unwrap();
    // Gone before anything came back, as is an attempt that is dropped.
    let late = account.tokens.after_refusal(&access, None, by).await;
    assert_eq!(late.err(), Some(NoToken::NotNow(LATE)));
    assert!(is_accepted(&send(&account, NOW_S).await));
    assert_eq!((renewals(&rig), rig.zalo.pair().0), (1, "access-1+/=".to_owned()));
}

#[tokio::test]
async fn a_damaged_file_is_the_operators_and_shows_nothing() {
    let rig = Rig::start().await;
    mark(&rig);
    fs::write(file(&rig), "{\"access\":\"s3cret").unwrap();
    let why = crate::channels::zalo::open("oa", rig.table(""), &rig.tools()).err().unwrap();
    assert!(why.contains("zalo-oa.json") && !why.contains("s3cret"), "{why}");
}

#[tokio::test]
async fn no_token_stands_in_debug_output() {
    let rig = Rig::start().await;
    let account = rig.account();
    let by = Instant::now() + Duration::from_secs(10);
    let access = account.tokens.access(None, by).await.unwrap();
    assert_eq!(format!("{access:?}"), "Access { token: ***, serial: 0 }");
    let down = Sent::from(NoToken::Down(RECONNECT_REQUIRED.into()));
    assert!(!format!("{down:?}").contains("access-"));
}
