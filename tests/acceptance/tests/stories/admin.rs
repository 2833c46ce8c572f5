//! Who keeps the directory, at a browser without any script: what is asked is recorded as the
//! routes of programs do, and what is wrong is named beside what was typed.

use acceptance::{
    Timeline,
    browser::Browser as Device,
    maps::HOANG_THINH,
    pages::{Browser, Filled, plain},
};
use anyhow::{Context, Result, ensure};
use domain::rights::Standing;
use serde_json::json;
use wire::signing::Signer;

const HERE: &str = "15958";
/// Text that would be more than text, where a page let it.
const HOSTILE: &str = "\"'><img src=x onerror=alert(1)><script>alert(1)</script>";
const PAGES: [&str; 5] =
    ["/admin", "/admin/tokens", "/admin/groups", "/admin/officers", "/admin/registry"];

async fn morning() -> Result<(Timeline, Browser)> {
    let day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.at("10:00").await?;
    let admin = day.person("chi", Standing::Admin).await?;
    let browser = day.sign_in(&admin).await?;
    Ok((day, browser))
}

async fn form_on(day: &Timeline, browser: &Browser, page: &str, action: &str) -> Result<Filled> {
    Filled::on(&day.page(browser, page).await?.expect(200)?.text, action)
}

/// The id that a page shows in the path of the one form that ends in this word.
fn id_in(page: &str, before: &str, word: &str) -> Result<String> {
    let ids = page.split(before).skip(1).filter_map(|rest| rest.split('"').next());
    let mut ids = ids.filter_map(|rest| rest.strip_suffix(word));
    Ok(ids.next().with_context(|| format!("no {before}…{word}: {page}"))?.to_owned())
}

fn line(id: &str, name: &str) -> String {
    let hook = json!({
        "type": "webhook",
        "url": "https://nhom.example.vn/hook",
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    });
    json!({ "id": id, "commune": HERE, "name": name, "kind": "hamlet", "channels": [hook] })
        .to_string()
}

#[tokio::test]
async fn an_officer_is_invited_by_a_link_that_is_shown_once() -> Result<()> {
    let (day, admin) = morning().await?;
    // When a field is wrong, it is named, and what was typed stays.
    let form = form_on(&day, &admin, "/admin/tokens", "/admin/tokens").await?;
    ensure!(form.says("purpose") == Some("enrolment"));
    let typed = form.with("officer", "an").with("role", "officer").with("commune", "99999");
    let wrong = day.submit(&admin, &typed).await?.expect(400)?;
    ensure!(wrong.text.contains("id=\"fault-enrolment-commune\""), "{}", wrong.text);
    let again = Filled::on(&wrong.text, "/admin/tokens")?;
    assert_eq!((again.says("officer"), again.says("commune")), (Some("an"), Some("99999")));
    assert_eq!(again.says("role"), Some("officer"));
    let oneself = again.clone().with("officer", "chi").with("commune", HERE);
    let oneself = day.submit(&admin, &oneself).await?.expect(400)?;
    ensure!(oneself.text.contains("id=\"fault-enrolment-officer\""), "{}", oneself.text);
    // When it is right, the page shows the link and its picture, and nobody keeps the page.
    let good = again.with("commune", HERE);
    let made = day.submit(&admin, &good).await?.expect(201)?;
    assert_eq!(made.headers.get("cache-control").context("cache")?, "no-store");
    ensure!(made.text.contains("<svg") && made.text.contains("<path d=\"M"), "{}", made.text);
    let link = made.text.split("href=\"https://keng.example.vn").nth(1);
    let link = link.and_then(|it| it.split('"').next()).context("no link")?;
    // Then the same form shows nothing again, the list has no secret, and the link works once.
    let twice = day.submit(&admin, &good).await?.expect(409)?;
    ensure!(!twice.text.contains(link) && plain(&twice.text).contains("chỉ hiện một lần"));
    let listed = day.page(&admin, "/admin/tokens?officer=an").await?.expect(200)?;
    let secret = link.trim_start_matches("/enrol#");
    ensure!(listed.text.contains("liên kết mời") && !listed.text.contains(secret));
    let mut phone = Device::of_seed(7);
    day.enrols(&phone, link).await?.expect(201)?;
    day.enrols(&Device::of_seed(8), link).await?.expect(403)?;
    day.signs_in(&mut phone).await?.expect(200)?;
    // The passkey can be ended here, and with it all that it has signed in.
    let keys = day.page(&admin, "/admin").await?.expect(200)?.text;
    let id = id_in(&keys, "/admin/keys/", "/revoke")?;
    let revoke = Filled::on(&keys, &format!("/admin/keys/{id}/revoke"))?;
    let (path, _) = day.press(&admin, &revoke).await?;
    assert_eq!(path, "/admin?said=revoked");
    assert_eq!(day.browses(&phone, "/board").await?.status, 303);
    day.ends().await
}

#[tokio::test]
async fn a_session_that_is_revoked_ends_at_once() -> Result<()> {
    let (day, admin) = morning().await?;
    let an = day.sign_in(&day.officer("an", HERE).await?).await?;
    day.page(&an, "/board").await?.expect(200)?;
    // When the admin finds the session among what An has, and ends it.
    let page = day.page(&admin, "/admin/tokens?officer=an").await?.expect(200)?.text;
    let of_session = page.split("<li>").find(|it| it.contains("phiên đăng nhập"));
    let id = id_in(of_session.context("no session")?, "/admin/tokens/", "/revoke")?;
    let revoke = Filled::on(&page, &format!("/admin/tokens/{id}/revoke"))?;
    let keyless = day.submit(&admin, &revoke.clone().with("key", "")).await?.expect(400)?;
    ensure!(plain(&keyless.text).contains("Idempotency-Key"), "{}", keyless.text);
    day.page(&an, "/board").await?.expect(200)?;
    let (path, page) = day.press(&admin, &revoke).await?;
    assert_eq!(path, "/admin/tokens?said=revoked");
    ensure!(page.text.contains("id=\"said\""), "{}", page.text);
    // Then An is signed out, the list says so, and the audit knows who did it.
    assert_eq!(day.page(&an, "/board").await?.status, 303);
    let ended = day.page(&admin, "/admin/tokens?officer=an&state=revoked").await?.expect(200)?;
    ensure!(ended.text.contains(&id), "{}", ended.text);
    let auditor = day.person("kiem", Standing::Auditor).await?;
    let lines = day.records(&auditor, "").await?;
    let by_chi = |kind: &str| lines.iter().any(|it| it.kind == kind && it.actor.contains("chi"));
    ensure!(by_chi("RevokeToken"), "{lines:?}");
    day.submit(&admin, &Filled::new("/admin/tokens/nobody/revoke", &[("key", "k")]))
        .await?
        .expect(404)?;
    day.ends().await
}

#[tokio::test]
async fn groups_with_a_fault_are_named_and_none_is_lost() -> Result<()> {
    let (day, admin) = morning().await?;
    let path = "/admin/groups";
    let form = form_on(&day, &admin, path, path).await?;
    let lines = [line("g-1", "Thôn Đông"), line("g-2", "x").replace("hamlet", "castle")];
    // When one line of two is wrong.
    let wrong = day.submit(&admin, &form.with("lines", &lines.join("\n"))).await?.expect(400)?;
    let told = plain(&wrong.text);
    ensure!(told.contains("Dòng 2 · kind: "), "{told}");
    let again = Filled::on(&wrong.text, path)?;
    assert_eq!(again.says("lines"), Some(lines.join("\n").as_str()));
    // Then none is recorded, until all are right; a second time nothing is new.
    let none = day.page(&admin, &format!("{path}?commune={HERE}")).await?.expect(200)?.text;
    ensure!(!none.contains("id=\"group-g-1\""), "{none}");
    let good = again.with("lines", &[line("g-1", "Thôn Đông"), line("g-2", HOSTILE)].join("\n"));
    let (seen, _) = day.press(&admin, &good).await?;
    assert_eq!(seen, "/admin/groups?said=recorded&count=2");
    let (seen, _) = day.press(&admin, &good).await?;
    assert_eq!(seen, "/admin/groups?said=nothing-new");
    // The page shows the groups of the commune: as text, and without address and secret.
    let page = day.page(&admin, &format!("{path}?commune={HERE}")).await?.expect(200)?.text;
    ensure!(page.contains("Thôn Đông") && page.contains("webhook · luôn gửi"), "{page}");
    ensure!(!page.contains("<img src=x") && plain(&page).contains(HOSTILE), "{page}");
    ensure!(!page.contains("nhom.example.vn") && !page.contains("whsec_"), "{page}");
    let typed = "%22%3E%3Cscript%3E";
    let wrong = day.page(&admin, &format!("{path}?commune={typed}")).await?.expect(400)?.text;
    ensure!(wrong.contains("id=\"fault-commune\"") && !wrong.contains("\"><script>"), "{wrong}");
    day.ends().await
}

#[tokio::test]
async fn a_key_waits_for_a_second_person_and_a_channel_for_being_started() -> Result<()> {
    let (day, admin) = morning().await?;
    let an = day.officer("an", HERE).await?;
    let signer = Signer::of_secret(&[7; 32]);
    let asked = chassis::keys::registration(&signer, "an");
    day.post(&an, "/v1/keys", &asked).await?.expect(202)?;
    // When the admin finds who asked, for which place and when, and confirms.
    let page = day.page(&admin, "/admin").await?.expect(200)?.text;
    ensure!(page.contains("10:00 ngày 13/04/2025") && page.contains("(15958)"), "{page}");
    let id = id_in(&page, "/admin/keys/", "/confirm")?;
    let form = Filled::on(&page, &format!("/admin/keys/{id}/confirm"))?;
    let (path, page) = day.press(&admin, &form).await?;
    assert_eq!(path, "/admin?said=confirmed");
    ensure!(!page.text.contains(&format!("/admin/keys/{id}/confirm")), "{}", page.text);
    let keys = day.get(&an, "/v1/keys").await?.expect(200)?;
    assert_eq!(keys.text_at("/keys/0/state"), "registered");
    // What is not known, or no verdict, is told on the page.
    for path in ["/admin/keys/nobody/confirm".to_owned(), format!("/admin/keys/{id}/praise")] {
        day.submit(&admin, &Filled::new(&path, &[("key", "k")])).await?.expect(404)?;
    }

    // The map in force stands there; a channel is stopped, and goes on.
    let page = day.page(&admin, "/admin/registry").await?.expect(200)?.text;
    let map = domain::hex::hex(&registry::Map::parse(HOANG_THINH.as_bytes())?.sha256());
    ensure!(page.contains(&map) && page.contains("Toàn hệ thống"), "{page}");
    let stop = Filled::on(&page, "/admin/channels/stop")?.with("name", "sms");
    let (_, page) = day.press(&admin, &stop).await?;
    let start = Filled::on(&page.text, "/admin/channels/start")?;
    assert_eq!(start.says("name"), Some("sms"));
    let (_, page) = day.press(&admin, &start).await?;
    ensure!(!page.text.contains("/admin/channels/start"), "{}", page.text);
    let unknown = day.submit(&admin, &stop.with("name", "smoke")).await?.expect(400)?;
    ensure!(plain(&unknown.text).contains("name: phải là loại kênh"), "{}", unknown.text);
    day.ends().await
}

#[tokio::test]
async fn officers_are_imported_and_shown_without_names() -> Result<()> {
    let (day, admin) = morning().await?;
    let path = "/admin/officers";
    let form = form_on(&day, &admin, path, path).await?;
    let contact = json!({ "officer": "an", "name": "Nguyễn Văn An", "phone": "+84912345678" });
    let listed = json!({ "contact": "an", "commune": HERE, "role": "commander", "order": 1 });
    let good = format!("{contact}\n{listed}");
    let wrong = good.replace("commander", "king");
    let refused = day.submit(&admin, &form.with("lines", &wrong)).await?.expect(400)?;
    ensure!(plain(&refused.text).contains("Dòng 2 · "), "{}", refused.text);
    let again = Filled::on(&refused.text, path)?;
    assert_eq!(again.says("lines"), Some(wrong.as_str()));
    let (seen, page) = day.press(&admin, &again.with("lines", &good)).await?;
    ensure!(seen.starts_with("/admin/officers?said=recorded&count="), "{seen} {}", page.text);
    ensure!(page.text.contains("(15958): chỉ huy xã"), "{}", page.text);
    ensure!(!page.text.contains("Nguyễn Văn") && !page.text.contains("9123"), "{}", page.text);
    day.ends().await
}

#[tokio::test]
async fn nobody_else_administers() -> Result<()> {
    let (day, admin) = morning().await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.commander("binh", HERE).await?;
    let tinh = day.province("tinh", "38").await?;
    let kiem = day.person("kiem", Standing::Auditor).await?;
    let (token, key) = (chassis::admin::public_id("x"), "00".repeat(32));
    let posts = [
        "/admin/tokens".to_owned(),
        "/admin/groups".to_owned(),
        "/admin/officers".to_owned(),
        "/admin/channels/stop".to_owned(),
        "/admin/channels/start".to_owned(),
        format!("/admin/tokens/{token}/revoke"),
        format!("/admin/keys/{key}/confirm"),
        format!("/admin/keys/{key}/revoke"),
    ];
    let fields = [("key", "k"), ("name", "sms"), ("lines", ""), ("officer", "x")];
    for person in [&an, &binh, &tinh, &kiem] {
        let browser = day.sign_in(person).await?;
        for path in PAGES {
            let page = day.page(&browser, path).await?.expect(403).context(path)?;
            ensure!(!page.text.contains("id=\"h-"), "{path}: {}", page.text);
        }
        for path in &posts {
            day.submit(&browser, &Filled::new(path, &fields))
                .await?
                .expect(403)
                .context(path.clone())?;
        }
    }
    // A page of somebody else does nothing in the admin's name, and a stranger is sent to sign in.
    for path in &posts {
        let form = Filled::new(path, &fields);
        day.send(admin.led_from_elsewhere(&form)?).await?.expect(403)?;
    }
    for path in PAGES {
        let page = day.page(&admin, path).await?.expect(200).context(path)?;
        ensure!(!page.text.contains("/admin/channels/start"), "{path}: {}", page.text);
        let stranger = axum::http::Request::builder().uri(path).body(axum::body::Body::empty())?;
        day.send(stranger).await?.expect(303)?;
    }
    day.ends().await
}
