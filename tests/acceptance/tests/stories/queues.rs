//! What waits for people, at a browser: matches, who has not been corrected, what a poster has in
//! hand; and a picture that comes with a form.

use std::time::Instant;

use acceptance::{
    Timeline,
    asked::with,
    group,
    maps::{HOANG_THINH, TRUNG_LUONG},
    pages::{Browser, Filled, location, plain},
    people::ask,
    posted,
    target::Down,
    timeline::WITHIN,
};
use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use photos::Photos;
use serde_json::{Value, json};
use stand_ins::telegram::{Chat, Telegram};

/// A PNG of one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// The page of what waits, once it has this. Read models follow within a moment.
async fn page_with(day: &Timeline, browser: &Browser, wanted: &str) -> Result<String> {
    let began = Instant::now();
    loop {
        day.settle().await?;
        let page = day.page(browser, "/queues").await?.expect(200)?.text;
        if page.contains(wanted) {
            return Ok(page);
        }
        ensure!(began.elapsed() < WITHIN, "no {wanted}: {page}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_match_is_shown_to_both_communes_until_one_confirms_it() -> Result<()> {
    // Given a child that one commune misses and the next one has found.
    let day = Timeline::on("2024-02-19", TRUNG_LUONG).await?;
    let (here, there) = ("18121", "18253");
    let (an, binh) = (day.officer("an", here).await?, day.officer("binh", there).await?);
    day.at("14:00").await?;
    let child = |kind: &str, commune: &str, seen: &str| -> Result<Value> {
        let alert = with(&day.alert_of(kind, commune, "23:00")?, "/person/age", json!(6));
        let dyke = json!({ "at": day.rfc3339(seen)?, "lat": 18.562, "lon": 105.667_89 });
        Ok(with(&alert, "/last_seen", dyke))
    };
    day.raise(&an, &child("found-child", here, "13:40")?).await?.expect(201)?;
    day.raise(&binh, &child("lost-child", there, "12:30")?).await?.expect(201)?;
    // When one of the two confirms what the pages of both propose.
    let (here, there) = (day.sign_in(&an).await?, day.sign_in(&binh).await?);
    for browser in [&there, &here] {
        let page = page_with(&day, browser, "data-match=").await?;
        assert!(plain(&page).contains("Có thể là người, vật đang tìm"), "{page}");
        assert!(page.contains("cách nhau 70 phút"), "{page}");
    }
    let page = day.page(&here, "/queues").await?.expect(200)?.text;
    let id = page.split("data-match=\"").nth(1).and_then(|it| it.split('"').next());
    let form = Filled::on(&page, &format!("/matches/{}/confirm", id.context("no match")?))?;
    let answer = day.submit(&here, &form.with("note", "Đúng cháu.")).await?.expect(303)?;
    assert_eq!(location(&answer)?, "/queues");
    // Then nothing waits any more, and the alerts say that they are one.
    day.settle().await?;
    let confirmed = day.get(&an, "/v1/matches?state=confirmed").await?.expect(200)?;
    assert_eq!(confirmed.at("/matches").as_array().map(Vec::len), Some(1));
    for browser in [&here, &there] {
        let page = day.page(browser, "/queues").await?.expect(200)?.text;
        assert!(!page.contains("data-match="), "{page}");
    }
    day.ends().await
}

#[tokio::test]
async fn who_was_not_corrected_is_on_the_page_until_somebody_says_how() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let here = "15958";
    let down = Down::new()?;
    day.groups([group("well", here), group("never", here).at(&down.base())]).await?;
    let an = day.officer("an", here).await?;
    let browser = day.sign_in(&an).await?;
    day.at("10:00").await?;
    day.groups([group("late", here)]).await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", here, "20:00")?).await?.expect(201)?;
    let path = format!("/alerts/{}", raised.text_at("/id"));
    day.expect(posted("late", &["issued"])).await?;
    let page = day.page(&browser, &path).await?.expect(200)?.text;
    assert!(!page.contains("id=\"uncorrected\""), "{page}");
    // When it was a mistake, and one group is not reached any more.
    day.sink()?.answer("/g/late", support::Reply::status(404));
    let form = Filled::on(&page, &format!("{path}/cancel"))?;
    day.press(&browser, &form.with("note", "Báo nhầm.")).await?.1.expect(200)?;
    day.expect(posted("late", &["issued", "cancelled"])).await?;
    day.settle().await?;
    // Then the page names it, until somebody says how it was told.
    let page = day.page(&browser, &path).await?.expect(200)?.text;
    assert!(page.contains("id=\"uncorrected\"") && page.contains("cần báo trực tiếp"), "{page}");
    let queue = day.page(&browser, "/queues").await?.expect(200)?.text;
    assert!(queue.contains(&format!("{path}#uncorrected")), "{queue}");
    let form = Filled::on(&page, &format!("{path}/attest"))?;
    assert_eq!(form.says("group"), Some("late"));
    let silent = day.submit(&browser, &form).await?.expect(400)?;
    assert!(plain(&silent.text).contains("bắt buộc phải có"), "{}", silent.text);
    let (_, page) = day.press(&browser, &form.with("note", "Đã gọi trưởng thôn.")).await?;
    assert!(!page.text.contains("id=\"uncorrected\""), "{}", page.text);
    day.ends().await
}

#[tokio::test]
async fn what_a_poster_has_in_hand_is_on_the_page_until_it_is_posted() -> Result<()> {
    // Given a Zalo group, whose poster is told by a bot.
    let (poster, token, here) = (4_242, "77001:a-token-of-the-stand-in", "15958");
    let provider = Telegram::start(token).await?;
    provider.set_chat(poster, Chat::Here);
    let secret = tempfile::NamedTempFile::new()?;
    std::fs::write(secret.path(), token)?;
    let channels = format!(
        "[bot]\ntype = \"telegram\"\nenabled = true\nurl = {:?}\ntoken = {{ file = {:?} }}\n",
        provider.url(),
        secret.path()
    );
    let mut day = Timeline::with_channels(("2025-04-13", HOANG_THINH, &channels)).await?;
    let to = poster.to_string();
    let channel = json!({ "type": "poster", "via": "telegram", "account": "bot", "to": to });
    day.groups([group("zalo", here).channel(channel)]).await?;
    let an = day.officer("an", here).await?;
    day.at("17:30").await?;
    let browser = day.sign_in(&an).await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", here, "23:00")?).await?.expect(201)?;
    day.settle().await?;
    // When the officer says that it was posted.
    let path = format!("/alerts/{}", raised.text_at("/id"));
    let page = day.page(&browser, &path).await?.expect(200)?.text;
    assert!(page.contains("id=\"tasks\""), "{page}");
    let queue = day.page(&browser, "/queues").await?.expect(200)?.text;
    assert!(queue.contains(&format!("{path}#tasks")), "{queue}");
    let form = Filled::on(&page, &format!("{path}/posted"))?;
    let (_, page) = day.press(&browser, &form).await?;
    // Then it waits for nobody.
    assert!(!page.text.contains("id=\"tasks\""), "{}", page.text);
    assert!(page.text.contains("người đăng nói đã đăng"), "{}", page.text);
    day.ends().await
}

#[tokio::test]
async fn a_picture_comes_with_a_form_and_stays_when_the_form_is_wrong() -> Result<()> {
    let day = Timeline::on("2025-04-12", HOANG_THINH).await?;
    let here = "15958";
    let with_store = day.instance("photos");
    let routes = with_store.pages_with_photos(Photos::in_memory())?;
    with_store.has_read(&[]).await?;
    let an = day.officer("an", here).await?;
    let browser = day.sign_in(&an).await?;
    with_store.has_read(&[]).await?;
    day.at("10:00").await?;
    let empty = Filled::new(
        "/alerts/new/check",
        &[
            ("kind", "lost-child"),
            ("status", "exercise"),
            ("commune", here),
            ("expires", "24"),
            ("last_seen.place", "chợ"),
        ],
    );
    let picture = BASE64_STANDARD.decode(PIXEL)?;
    // When the headline is missing, and then no picture is sent again.
    let wrong = ask(&routes, browser.parts(&empty, Some(&picture))?).await?.expect(400)?;
    assert!(wrong.text.contains("id=\"fault-headline\""), "{}", wrong.text);
    let form = Filled::on(&wrong.text, "/alerts/new/check")?.with("headline", "Bé trai 4 tuổi");
    let id = form.says("photos").context("the picture")?.to_owned();
    let check = ask(&routes, browser.parts(&form, Some(b""))?).await?.expect(200)?;
    // Then the alert names it.
    let confirm = Filled::on(&check.text, "/alerts/new")?;
    assert!(confirm.says("alert").is_some_and(|alert| alert.contains(&id)), "{confirm:?}");
    // What is no picture is told beside it, and the rest stays.
    let wrong = ask(&routes, browser.parts(&form, Some(b"GIF89a"))?).await?.expect(400)?;
    assert!(wrong.text.contains("id=\"fault-photo\""), "{}", wrong.text);
    let again = Filled::on(&wrong.text, "/alerts/new/check")?;
    assert_eq!(again.says("headline"), Some("Bé trai 4 tuổi"));
    with_store.ends().await?;
    day.ends().await
}

#[tokio::test]
async fn an_alert_is_shown_to_who_raised_it_while_the_log_cannot_be_read() -> Result<()> {
    let day = Timeline::on("2025-04-12", HOANG_THINH).await?;
    let here = "15958";
    let apart = day.instance("apart");
    let routes = apart.pages_with_photos(Photos::in_memory())?;
    let an = day.officer("an", here).await?;
    day.at("10:00").await?;
    let browser = day.sign_in(&an).await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", here, "20:00")?).await?.expect(201)?;
    let path = format!("/alerts/{}", raised.text_at("/id"));
    day.settle().await?;
    apart.has_read(&[]).await?;
    let page = ask(&routes, browser.ask(&path)?).await?.expect(200)?;
    assert!(!page.text.contains("id=\"partial\""), "{}", page.text);
    // When the line to the log is down, the page says what it lacks.
    apart.link().cut();
    let page = ask(&routes, browser.ask(&path)?).await?.expect(200)?;
    assert!(page.text.contains("id=\"partial\""), "{}", page.text);
    assert!(page.text.contains("Tìm cháu bé 4 tuổi"), "{}", page.text);
    apart.link().mend();
    apart.ends().await?;
    day.ends().await
}
