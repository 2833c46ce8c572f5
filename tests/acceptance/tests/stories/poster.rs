//! The ordinary Zalo group, which no machine may post into: its admin gets the ready text with one
//! link, posts it by hand, and says so. Here the link comes by a bot, whose provider stands in.

use acceptance::{Group, Person, Timeline, asked::with, group, maps::HOANG_THINH, posted};
use anyhow::{Context, Result, ensure};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use stand_ins::telegram::{Chat, Telegram};
use support::Answer;

const HERE: &str = "15958";
const POSTER: i64 = 4_242;
const TOKEN: &str = "77001:a-token-of-the-stand-in";
const BASE: &str = "https://keng.example.vn";

/// A day with a provider by whom posters are reached.
async fn day() -> Result<(Timeline, Telegram)> {
    let provider = Telegram::start(TOKEN).await?;
    provider.set_chat(POSTER, Chat::Here);
    let secret = tempfile::NamedTempFile::new()?;
    std::fs::write(secret.path(), TOKEN)?;
    let channels = format!(
        "[bot]\ntype = \"telegram\"\nenabled = true\nurl = {:?}\ntoken = {{ file = {:?} }}\n",
        provider.url(),
        secret.path()
    );
    Ok((Timeline::with_channels(("2025-04-13", HOANG_THINH, &channels)).await?, provider))
}

fn zalo_group(id: &str) -> Group {
    let to = POSTER.to_string();
    let poster = json!({ "type": "poster", "via": "telegram", "account": "bot", "to": to });
    group(id, HERE).channel(poster)
}

/// What the poster got, and the path of the link in each.
fn tasks(provider: &Telegram) -> Result<Vec<(String, String)>> {
    let texts = provider.posted().into_iter().map(|posted| posted.text);
    let task = |text: String| {
        let link = text.split_whitespace().next_back().unwrap_or_default();
        let path = link.strip_prefix(BASE).with_context(|| format!("no link: {text}"))?.to_owned();
        ensure!(path.len() <= 90 && path.starts_with("/p/"), "{path}");
        Ok((text, path))
    };
    texts.map(task).collect()
}

/// What somebody without any token does.
async fn browse(day: &Timeline, method: Method, path: &str) -> Result<Answer> {
    day.send(Request::builder().method(method).uri(path).body(Body::empty())?).await
}

/// One delivery, as an officer sees it.
async fn seen(
    day: &Timeline,
    (reader, alert): (&Person, &str),
    (channel, revision): (&str, u64),
) -> Result<Value> {
    let answer = day.get(reader, &format!("/v1/alerts/{alert}/deliveries")).await?.expect(200)?;
    let all = answer.at("/deliveries").as_array().cloned().unwrap_or_default();
    let found = all
        .into_iter()
        .find(|one| one["channel"] == json!(channel) && one["revision"] == json!(revision));
    found.with_context(|| format!("no {channel} {revision}: {}", answer.text))
}

async fn state(day: &Timeline, of: (&Person, &str), which: (&str, u64)) -> Result<String> {
    day.settle().await?;
    Ok(seen(day, of, which).await?["state"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn the_poster_gets_the_text_posts_it_and_says_so() -> Result<()> {
    let (mut day, provider) = day().await?;
    day.groups([zalo_group("zalo")]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("17:30").await?;
    let lost = day.alert_of("lost-child", HERE, "23:00")?;
    let lost = with(&lost, "/description", json!("Áo <script>đỏ</script>, hỏi [@all]."));
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let alert = raised.text_at("/id");
    assert_eq!(state(&day, (&an, alert), ("poster-1", 1)).await?, "handed-over");
    let (text, path) = tasks(&provider)?.pop().context("a task")?;
    assert!(text.starts_with("[TIN THẬT / LIVE] "), "{text}");
    assert!(text.contains("TÌM TRẺ LẠC") && !text.contains("script"), "{text}");

    let page = browse(&day, Method::GET, &path).await?.expect(200)?;
    assert!(page.text.contains(">TIN THẬT<") && page.text.contains("Nhóm zalo"), "{}", page.text);
    assert!(page.text.contains("Áo &#60;script&#62;đỏ&#60;/script&#62;, hỏi [@ all]."));
    let verify = format!("{BASE}/v/{}", raised.text_at("/code"));
    assert!(page.text.contains(&verify), "{}", page.text);
    assert_eq!(page.headers["cache-control"], "no-store");
    // Looking changes nothing.
    assert_eq!(state(&day, (&an, alert), ("poster-1", 1)).await?, "handed-over");

    day.at("17:31:05").await?;
    let back = browse(&day, Method::POST, &path).await?.expect(303)?;
    let location = back.headers[header::LOCATION].to_str()?;
    assert!(path.ends_with(&format!("/{location}")), "{location}");
    let thanks = browse(&day, Method::GET, &path).await?.expect(200)?;
    assert!(thanks.text.contains("17:31 ngày 13/04/2025"), "{}", thanks.text);
    assert!(!thanks.text.contains("<form"), "{}", thanks.text);
    let delivery = seen(&day, (&an, alert), ("poster-1", 1)).await?;
    assert_eq!(delivery["state"], "attested-posted");
    assert_eq!(delivery["handed_over_at"], "2025-04-13T10:30:00.000Z");
    assert_eq!(delivery["posted_at"], "2025-04-13T10:31:05.000Z");
    assert_eq!(delivery["delivered_at"], Value::Null);

    // Pressed again, and by a program: once is enough, and the time stays.
    day.at("17:40").await?;
    browse(&day, Method::POST, &path).await?.expect(303)?;
    let id = delivery["id"].as_str().context("an id")?;
    let by_officer = format!("/v1/deliveries/{id}/posted");
    let again = day.post(&an, &by_officer, &json!({})).await?.expect(200)?;
    assert_eq!(again.text_at("/state"), "attested-posted");
    assert_eq!(again.text_at("/posted_at"), "2025-04-13T10:31:05.000Z");
    assert_eq!(tasks(&provider)?.len(), 1);

    // What sets it right is to be posted behind it, by a link of its own.
    day.act(&an, alert, "resolve", &json!({})).await?.expect(200)?;
    assert_eq!(state(&day, (&an, alert), ("poster-1", 2)).await?, "handed-over");
    let (text, newer) = tasks(&provider)?.pop().context("a task")?;
    assert!(text.contains("[ĐÃ KẾT THÚC / CLOSED]"), "{text}");
    let old = browse(&day, Method::GET, &path).await?.expect(200)?;
    assert!(old.text.contains("Tin này đã được thay; đăng bản mới."), "{}", old.text);
    let (_, newer_token) = newer.rsplit_once('/').context("a token")?;
    assert!(old.text.contains(&format!("href=\"../2/{newer_token}\"")), "{}", old.text);
    let page = browse(&day, Method::GET, &newer).await?.expect(200)?;
    assert!(page.text.contains("phải có bài này tiếp theo"), "{}", page.text);
    let token = json!({ "token": newer_token });
    let of_second = by_officer.replacen(":1:", ":2:", 1);
    let (nobody, body) = (Person::with_token(""), token.to_string().into_bytes());
    day.post_bytes(&nobody, &of_second, body, None).await?.expect(200)?;
    assert_eq!(state(&day, (&an, alert), ("poster-1", 2)).await?, "attested-posted");
    day.ends().await
}

#[tokio::test]
async fn who_does_not_post_is_reminded_and_then_the_group_is_told_another_way() -> Result<()> {
    let (mut day, provider) = day().await?;
    let webhook = json!({ "type": "webhook", "use": "fallback", "after_s": 300 });
    day.groups([zalo_group("zalo").channel(webhook)]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("17:30").await?;
    let lost = day.alert_of("lost-child", HERE, "23:00")?;
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let alert = raised.text_at("/id");

    day.at("17:31:59").await?;
    assert_eq!(tasks(&provider)?.len(), 1);
    assert_eq!(seen(&day, (&an, alert), ("poster-1", 1)).await?["overdue"], false);
    day.at("17:32:01").await?;
    let told = tasks(&provider)?;
    let [(_, path), (again, same_path)] = told.as_slice() else { panic!("{told:?}") };
    assert!(again.contains("NHẮC LẠI.") && path == same_path, "{again}");
    let delivery = seen(&day, (&an, alert), ("poster-1", 1)).await?;
    assert_eq!((&delivery["state"], &delivery["overdue"]), (&json!("handed-over"), &json!(true)));

    day.at("17:34:59").await?;
    day.expect(posted("zalo", &[])).await?;
    day.at("17:35:01").await?;
    day.expect(posted("zalo", &["issued"])).await?;
    assert_eq!(state(&day, (&an, alert), ("webhook-1", 1)).await?, "delivered");
    assert_eq!(state(&day, (&an, alert), ("poster-1", 1)).await?, "handed-over");

    // It was wrong: both are told, since either may have reached somebody.
    let note = json!({ "headline": "Tìm cháu bé 5 tuổi đi lạc" });
    day.act(&an, alert, "correct", &note).await?.expect(200)?;
    day.expect(posted("zalo", &["issued", "corrected"])).await?;
    assert_eq!(state(&day, (&an, alert), ("poster-1", 2)).await?, "handed-over");
    let (text, _) = tasks(&provider)?.pop().context("a task")?;
    assert!(text.contains("[ĐÍNH CHÍNH / CORRECTION]"), "{text}");
    assert_eq!(tasks(&provider)?.len(), 3);
    day.ends().await
}

#[tokio::test]
async fn a_link_opens_one_task_for_a_while_and_nobody_elses() -> Result<()> {
    let (mut day, provider) = day().await?;
    day.groups([zalo_group("zalo"), group("other", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    let foreign = day.officer("binh", "15925").await?;
    day.at("10:00").await?;
    let lost = day.alert_of("lost-child", HERE, "11:00")?;
    let own = json!({ "mode": "communes", "communes": [HERE] });
    let raised = day.raise(&an, &with(&lost, "/reach", own)).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.settle().await?;
    let (_, path) = tasks(&provider)?.pop().context("a task")?;
    let other = seen(&day, (&an, alert), ("webhook-1", 1)).await?;

    let parts: Vec<&str> = path.split('/').collect();
    let [_, _, code, commune, revision, token] = parts.as_slice() else { panic!("{path}") };
    for wrong in [
        format!("/p/{code}/{commune}/2/{token}"),
        format!("/p/{code}/15925/{revision}/{token}"),
        format!("/p/0000000000/{commune}/{revision}/{token}"),
        format!("/p/{code}/{commune}/x/{token}"),
        format!("/p/{code}/{commune}/{revision}/{token}A"),
        format!("/p/{code}/{commune}/{revision}/%FF"),
    ] {
        for method in [Method::GET, Method::POST] {
            let page = browse(&day, method, &wrong).await?.expect(404)?;
            assert!(page.text.contains("Liên kết không đúng."), "{wrong}: {}", page.text);
        }
    }
    // What goes by a machine is attested by nobody; nor does a stranger attest, or know it.
    let poster = seen(&day, (&an, alert), ("poster-1", 1)).await?;
    let posted = |of: &Value| format!("/v1/deliveries/{}/posted", of["id"].as_str().unwrap_or(""));
    day.post(&an, &posted(&other), &json!({})).await?.expect(404)?;
    day.post(&foreign, &posted(&poster), &json!({})).await?.expect(404)?;
    let nobody = Person::with_token("");
    day.post(&nobody, &posted(&poster), &json!({})).await?.expect(401)?;
    let forged = json!({ "token": token.replace('A', "B") + "A" });
    let forged = day.post(&nobody, &posted(&poster), &forged).await?.expect(403)?;
    assert_eq!(forged.problem()?.code, "link-not-good");
    let keyless = day.post_bytes(&an, &posted(&poster), b"{}".to_vec(), None).await?.expect(400)?;
    assert_eq!(keyless.problem()?.code, "idempotency-key");

    day.at("11:00:01").await?;
    let late = browse(&day, Method::POST, &path).await?.expect(410)?;
    assert!(late.text.contains("Liên kết đã hết hạn."), "{}", late.text);
    day.ends().await
}
