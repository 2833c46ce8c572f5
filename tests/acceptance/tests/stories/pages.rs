//! The officers' pages: what can be asked of programs' routes, asked in forms without any script.

use acceptance::{
    Person, Timeline,
    asked::with,
    group,
    maps::TRUNG_LUONG,
    pages::{Browser, Filled, location, plain},
    posted,
};
use anyhow::{Context, Result, ensure};
use axum::http::header;
use domain::rights::Standing;
use serde_json::{Value, json};

const HERE: &str = "18121";
const NEIGHBOUR: &str = "18124";
const FOREIGN: &str = "18127";
/// Text that would be more than text, where a page let it.
const HOSTILE: &str = "\"'><img src=x onerror=alert(1)><script>alert(1)</script>{{7*7}}&lt;";
/// What a first load may have.
const FIRST_LOAD_BYTES_MAX: usize = 60 << 10;

async fn afternoon() -> Result<Timeline> {
    let mut day = Timeline::on("2024-02-19", TRUNG_LUONG).await?;
    day.groups([group("g-1", HERE).exercises(true), group("g-2", NEIGHBOUR).exercises(true)])
        .await?;
    day.at("14:00").await?;
    Ok(day)
}

/// The form of a kind, filled in with what it cannot go without.
async fn form_of(day: &Timeline, browser: &Browser, kind: &str) -> Result<Filled> {
    let page = day.page(browser, &format!("/alerts/new?kind={kind}")).await?.expect(200)?;
    let form = Filled::on(&page.text, "/alerts/new/check")?;
    Ok(form.with("status", "exercise").with("headline", "Bé gái 5 tuổi, áo vàng"))
}

/// Raises an alert in a form, as people do; answers with its id.
async fn raise(day: &Timeline, browser: &Browser, form: &Filled) -> Result<String> {
    let check = day.submit_parts(browser, form).await?.expect(200)?;
    let confirm = Filled::on(&check.text, "/alerts/new")?;
    let (path, page) = day.press(browser, &confirm).await?;
    page.expect(200)?;
    let id = path.strip_prefix("/alerts/").and_then(|path| path.split('?').next());
    Ok(id.context("no alert")?.to_owned())
}

#[tokio::test]
async fn a_form_raises_what_a_program_would() -> Result<()> {
    // Given an officer at a phone, and the group of the own commune.
    let day = afternoon().await?;
    let an = day.officer("an", HERE).await?;
    let phone = day.sign_in(&an).await?;
    // When the kind is chosen, the form filled in, and looked at.
    let kinds = day.page(&phone, "/alerts/new").await?.expect(200)?;
    assert!(kinds.text.contains("href=\"/alerts/new?kind=lost-child\""), "{}", kinds.text);
    let form = form_of(&day, &phone, "lost-child").await?;
    let form = form.with("last_seen.place", "chợ Hạ").with("ago", "30").with("person.age", "5");
    let check = day.submit_parts(&phone, &form).await?.expect(200)?;
    // Then the page says what will happen, and nothing has.
    let page = plain(&check.text);
    for said in ["DIỄN TẬP", "Trẻ lạc", "Bé gái 5 tuổi, áo vàng", "nhóm", "giáp ranh"]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert_eq!(day.get(&an, "/v1/alerts").await?.expect(200)?.at("/alerts"), &json!([]));
    // When it is confirmed, and the button is pressed twice.
    let confirm = Filled::on(&check.text, "/alerts/new")?;
    let first = location(&day.submit(&phone, &confirm).await?.expect(303)?)?;
    let again = location(&day.submit(&phone, &confirm).await?.expect(303)?)?;
    assert_eq!(first, again);
    // Then it is one alert, as a program would have raised it, and each group is told once.
    let listed = day.get(&an, "/v1/alerts").await?.expect(200)?;
    assert_eq!(listed.at("/alerts").as_array().map(Vec::len), Some(1));
    assert_eq!(listed.text_at("/alerts/0/status"), "exercise");
    assert_eq!(listed.text_at("/alerts/0/last_seen/at"), "2024-02-19T13:30:00+07:00");
    assert_eq!(listed.at("/alerts/0/person/age"), &json!(5));
    day.expect(posted("g-1", &["issued"])).await?;
    day.expect(posted("g-2", &["issued"])).await?;
    let seen = day.page(&phone, &first).await?.expect(200)?;
    assert!(seen.text.contains("Bé gái 5 tuổi, áo vàng"), "{}", seen.text);
    day.ends().await
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost() -> Result<()> {
    let day = afternoon().await?;
    let phone = day.sign_in(&day.officer("an", HERE).await?).await?;
    let form = form_of(&day, &phone, "lost-child").await?;
    let typed = form.with("person.age", "năm").with("description", "Đi dép đỏ.");
    // When what was typed cannot be taken, one fault at a time or several.
    let page = day.submit_parts(&phone, &typed).await?.expect(400)?;
    assert!(page.text.contains("id=\"fault-person.age\""), "{}", page.text);
    let again = Filled::on(&page.text, "/alerts/new/check")?;
    assert_eq!(again.says("person.age"), Some("năm"));
    assert_eq!(again.says("description"), Some("Đi dép đỏ."));
    let several = again.with("person.age", "200").with("headline", "XEM http://a.vn");
    let page = day.submit_parts(&phone, &several).await?.expect(400)?;
    for field in ["person.age", "headline", "last_seen.place"] {
        assert!(page.text.contains(&format!("id=\"fault-{field}\"")), "{field}: {}", page.text);
    }
    // A commune that nobody knows, or that is not named well enough, is told, too.
    let good =
        several.with("person.age", "5").with("headline", "Bé gái").with("last_seen.place", "chợ");
    let far = good.clone().with("reach.mode", "communes").with("others", "Không Có Xã Này");
    let page = day.submit_parts(&phone, &far).await?.expect(400)?;
    assert!(page.text.contains("id=\"fault-reach.communes\""), "{}", page.text);
    let map = day.page(&phone, "/alerts/new?kind=hazard").await?.expect(200)?.text;
    let mut names = map.split("<option value=\"").filter_map(|it| it.split('"').next());
    let named = names.find(|it| it.ends_with(&format!("({NEIGHBOUR})"))).context("by name")?;
    let page = day.submit_parts(&phone, &far.with("others", &plain(named))).await?.expect(200)?;
    assert!(page.text.contains(&format!("data-commune=\"{NEIGHBOUR}\"")), "{}", page.text);
    // What was confirmed and cannot be taken any more comes back as a form.
    let confirm = Filled::on(&page.text, "/alerts/new")?;
    let back = Filled::on(&page.text, "/alerts/new/edit")?;
    let edit = day.submit(&phone, &back).await?.expect(200)?;
    assert_eq!(
        Filled::on(&edit.text, "/alerts/new/check")?.says("description"),
        Some("Đi dép đỏ.")
    );
    let torn = confirm.with("key", "");
    let page = day.submit(&phone, &torn).await?.expect(400)?;
    assert_eq!(Filled::on(&page.text, "/alerts/new/check")?.says("person.age"), Some("5"));
    day.ends().await
}

#[tokio::test]
async fn every_act_of_an_alert_has_its_form() -> Result<()> {
    let day = afternoon().await?;
    let here = day.sign_in(&day.officer("an", HERE).await?).await?;
    let near = day.sign_in(&day.officer("cuong", NEIGHBOUR).await?).await?;
    let form = form_of(&day, &here, "lost-child").await?.with("last_seen.place", "chợ Hạ");
    let alert = raise(&day, &here, &form).await?;
    let path = |action: &str| format!("/alerts/{alert}/{action}");
    let act = async |browser: &Browser, action: &str, fields: &[(&str, &str)]| -> Result<String> {
        let page = day.page(browser, &format!("/alerts/{alert}")).await?.expect(200)?;
        let form = Filled::on(&page.text, &path(action))?;
        let form = fields.iter().fold(form, |form, (name, value)| form.with(name, value));
        let (_, page) = day.press(browser, &form).await?;
        ensure!(page.status == 200, "{action}: {} {}", page.status, plain(&page.text));
        Ok(plain(&page.text))
    };
    // A neighbour answers, instructs its groups, sees something, and relays it onward.
    let page = act(&near, "acknowledge", &[]).await?;
    assert!(page.contains("đã nhận"), "{page}");
    let page = act(&near, "instructions", &[("instruction", "Chốt ở cầu số 2.")]).await?;
    assert!(page.contains("Chốt ở cầu số 2."), "{page}");
    act(&near, "sighting", &[("place", "bến đò"), ("at", "2024-02-19T13:50")]).await?;
    let page = act(&near, "relay", &[("communes", FOREIGN), ("note", "Gần sông.")]).await?;
    assert!(page.contains(&format!("data-commune=\"{FOREIGN}\"")), "{page}");
    // The own commune holds it, lets it leave, changes words, corrects, widens, ends, reopens.
    let page = act(&here, "hold", &[]).await?;
    assert!(page.contains("id=\"on-hold\""), "{page}");
    let page = act(&here, "release", &[]).await?;
    assert!(!page.contains("id=\"on-hold\""), "{page}");
    let page = act(&here, "update", &[("description", "Đi về phía chợ.")]).await?;
    assert!(page.contains("Đi về phía chợ."), "{page}");
    let page = act(&here, "correct", &[("headline", "Bé gái 6 tuổi, áo vàng")]).await?;
    assert!(page.contains("Bé gái 6 tuổi, áo vàng"), "{page}");
    act(&here, "widen", &[("reach.mode", "rings"), ("reach.rings", "2")]).await?;
    day.settle().await?;
    act(&here, "drill", &[]).await?;
    let page = act(&here, "resolve", &[("note", "Đã về nhà.")]).await?;
    assert!(page.contains("đã kết thúc"), "{page}");
    act(&here, "reopen", &[("note", "Không phải cháu.")]).await?;
    act(&here, "cancel", &[]).await?;
    // The result of the exercise stands among what waits and what was measured.
    let queues = day.page(&here, "/queues").await?.expect(200)?;
    assert!(queues.text.contains("<caption>"), "{}", queues.text);
    day.ends().await
}

#[tokio::test]
async fn a_form_of_an_alert_that_is_not_taken_says_why() -> Result<()> {
    let day = afternoon().await?;
    let here = day.sign_in(&day.officer("an", HERE).await?).await?;
    let form = form_of(&day, &here, "lost-child").await?.with("last_seen.place", "chợ Hạ");
    let alert = raise(&day, &here, &form).await?;
    let page = day.page(&here, &format!("/alerts/{alert}")).await?.expect(200)?.text;
    for (action, field, value, typed) in [
        ("sighting", "lat", "99", "lat"),
        ("update", "headline", "http://a.vn", "headline"),
        ("widen", "reach.rings", "many", "reach.rings"),
        ("resolve", "note", "\u{1}", "note"),
    ] {
        let path = format!("/alerts/{alert}/{action}");
        let form = Filled::on(&page, &path)?.with(field, value);
        let refused = day.submit(&here, &form).await?.expect(400)?;
        assert!(refused.text.contains("id=\"faults\""), "{action}: {}", refused.text);
        let again = Filled::on(&refused.text, &path)?;
        assert_eq!(again.says(typed), Some(value), "{action}");
    }
    day.ends().await
}

#[tokio::test]
async fn a_second_person_finds_what_waits_and_decides() -> Result<()> {
    // Given a suspect, which a second person has to approve.
    let day = afternoon().await?;
    let here = day.sign_in(&day.officer("an", HERE).await?).await?;
    let second = day.sign_in(&day.commander("binh", HERE).await?).await?;
    let form = form_of(&day, &here, "suspect").await?;
    let form = form.with("legal_basis", "nguoi-ra-lenh-1").with("status", "actual");
    let check = day.submit_parts(&here, &form).await?.expect(200)?;
    assert!(plain(&check.text).contains("phải duyệt trước"), "{}", check.text);
    let alert = raise(&day, &here, &form).await?;
    // Who asked is told that somebody else has to; that one finds it, with what is needed.
    let approve = format!("/alerts/{alert}/approve");
    let own = day.page(&here, "/queues").await?.expect(200)?.text;
    assert!(own.contains("id=\"asked\"") && !own.contains(&approve), "{own}");
    let queue = day.page(&second, "/queues").await?.expect(200)?.text;
    assert!(queue.contains("Bé gái 5 tuổi") && queue.contains("nhóm"), "{queue}");
    // Who approves has read it: the queue leads there, and has no button of its own.
    assert!(queue.contains(&format!("/alerts/{alert}#act-approve")), "{queue}");
    let words = day.page(&second, &format!("/alerts/{alert}")).await?.expect(200)?.text;
    let (_, page) = day.press(&second, &Filled::on(&words, &approve)?).await?;
    assert!(page.text.contains("data-stands=\"active-2-false\""), "{}", page.text);
    // Another one is declined.
    let other = raise(&day, &here, &form).await?;
    let page = day.page(&second, &format!("/alerts/{other}")).await?.expect(200)?.text;
    let decline = format!("/alerts/{other}/decline");
    let form = Filled::on(&page, &decline)?;
    let (_, page) = day.press(&second, &form.with("note", "Chưa đủ căn cứ.")).await?;
    assert!(page.text.contains("data-stands=\"declined-"), "{}", page.text);
    day.ends().await
}

/// What a form can ask of an alert.
const ACTS: [&str; 19] = [
    "approve",
    "decline",
    "review",
    "update",
    "correct",
    "widen",
    "hold",
    "release",
    "reopen",
    "sighting",
    "attest",
    "instructions",
    "relay",
    "posted",
    "drill",
    "acknowledge",
    "refuse",
    "resolve",
    "cancel",
];

/// A form of an alert with all that any act needs.
fn filled_in(alert: &str, action: &str) -> Filled {
    let fields = [
        ("key", "k"),
        ("revision", "1"),
        ("note", "x"),
        ("instruction", "x"),
        ("communes", NEIGHBOUR),
        ("group", "g-1"),
        ("place", "x"),
        ("headline", "x"),
        ("reach.mode", "province"),
        ("delivery", &format!("{alert}:1:g-1:c")),
    ];
    Filled::new(&format!("/alerts/{alert}/{action}"), &fields)
}

/// The pages and forms of an alert are there for somebody exactly where the route of programs is.
async fn is_as_for_programs(day: &Timeline, person: &Person, alert: &str) -> Result<()> {
    let browser = day.sign_in(person).await?;
    let wanted = day.alert(person, alert).await?.status;
    let pages = ["/alerts/{}", "/alerts/{}/now", "/board/{}"];
    for path in pages.map(|path| path.replace("{}", alert)) {
        day.page(&browser, &path).await?.expect(wanted).context(path)?;
    }
    for action in ACTS.into_iter().filter(|_| wanted != 200) {
        let answer = day.submit(&browser, &filled_in(alert, action)).await?;
        let answer = answer.expect(wanted).with_context(|| format!("{action} {person:?}"))?;
        ensure!(!answer.text.contains("Tìm cháu bé"), "{action}: {}", answer.text);
    }
    let reads = day.get(person, "/v1/alerts").await?.status;
    for path in ["/board", "/alerts/new", "/alerts/new?kind=hazard", "/queues"] {
        day.page(&browser, path).await?.expect(reads).context(path)?;
    }
    Ok(())
}

/// Generated: each alert, for each role and commune.
#[tokio::test]
async fn another_communes_alert_is_on_no_page() -> Result<()> {
    let day = afternoon().await?;
    let an = day.officer("an", HERE).await?;
    let raised = day.raise(&an, &day.alert_of("found-child", HERE, "23:00")?).await?.expect(201)?;
    let waiting = day.raise(&an, &day.alert_of("suspect", HERE, "23:00")?).await?.expect(202)?;
    let nothing = "01890a5d-ac96-874a-bf5c-6f2e1f0f1e2d";
    let people = [
        day.officer("cuong", NEIGHBOUR).await?,
        day.officer("dung", FOREIGN).await?,
        day.province("giang", "42").await?,
        day.province("hoa", "40").await?,
        day.person("khanh", Standing::Auditor).await?,
        day.person("linh", Standing::Admin).await?,
    ];
    for person in &people {
        for alert in [raised.text_at("/id"), waiting.text_at("/id"), nothing] {
            is_as_for_programs(&day, person, alert).await?;
        }
    }
    day.ends().await
}

#[tokio::test]
async fn who_has_not_signed_in_is_sent_to_and_other_pages_do_nothing_here() -> Result<()> {
    let day = afternoon().await?;
    let an = day.officer("an", HERE).await?;
    let browser = day.sign_in(&an).await?;
    for path in ["/alerts/new", "/alerts/new/check", "/alerts/new/edit", "/alerts/x/cancel"] {
        let form = Filled::new(path, &[]);
        assert_eq!(day.send(browser.led_from_elsewhere(&form)?).await?.status, 403, "{path}");
    }
    for path in ["/board", "/queues", "/alerts/new", "/alerts/new?kind=hazard", "/alerts/x"] {
        let request = axum::http::Request::get(path).body(axum::body::Body::empty())?;
        assert!(location(&day.send(request).await?.expect(303)?)?.starts_with("/sign-in?next="));
    }
    day.ends().await
}

#[tokio::test]
async fn hostile_text_in_every_field_is_text() -> Result<()> {
    let day = afternoon().await?;
    let an = day.officer("an", HERE).await?;
    let alert = day.alert_of("found-child", HERE, "23:00")?;
    let alert = ["/description", "/instruction", "/last_seen/place", "/legal_basis"]
        .into_iter()
        .chain(["/person/name", "/person/clothing", "/person/description"])
        .fold(alert, |alert, field| with(&alert, field, Value::from(HOSTILE)));
    // A headline takes no markup; quotes and ampersands it takes.
    let alert = with(&alert, "/headline", json!("Tìm \"cháu\" & 'mẹ' onload=alert(1)"));
    let raised = day.raise(&an, &alert).await?.expect(201)?;
    let id = raised.text_at("/id");
    let cuong = day.officer("cuong", NEIGHBOUR).await?;
    let noted = json!({ "instruction": HOSTILE });
    day.act(&cuong, id, "instructions", &noted).await?.expect(200)?;
    let people =
        [an, day.commander("binh", HERE).await?, cuong, day.province("giang", "42").await?];
    for person in &people {
        let browser = day.sign_in(person).await?;
        for path in [
            "/board".to_owned(),
            format!("/board/{id}"),
            format!("/alerts/{id}"),
            format!("/alerts/{id}/now"),
            format!("/alerts/{id}?said=%3Cscript%3E"),
            "/queues".to_owned(),
            "/alerts/new?kind=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        ] {
            let page = day.page(&browser, &path).await?.expect(200)?;
            is_text(&page.text).with_context(|| path)?;
        }
        // A form shows again what was typed.
        let form = form_of(&day, &browser, "lost-child").await?;
        let texts = ["headline", "description", "instruction", "last_seen.place", "person.name"];
        let numbers = ["person.age", "last_seen.lat", "reach.rings", "others", "expires", "status"];
        let form = texts.iter().chain(&numbers).fold(form, |it, name| it.with(name, HOSTILE));
        let page = day.submit_parts(&browser, &form).await?.expect(400)?;
        is_text(&page.text)?;
        assert_eq!(Filled::on(&page.text, "/alerts/new/check")?.says("description"), Some(HOSTILE));
        let path = format!("/alerts/{id}/update");
        let form = Filled::new(&path, &[("key", "k"), ("headline", HOSTILE), ("note", HOSTILE)]);
        is_text(&day.submit(&browser, &form).await?.text)?;
        let form =
            Filled::new("/alerts/new/edit", &[("alert", &json!({ "kind": HOSTILE }).to_string())]);
        is_text(&day.submit(&browser, &form).await?.expect(200)?.text)?;
    }
    day.ends().await
}

/// Nothing in a page runs, and nothing comes from elsewhere.
fn is_text(page: &str) -> Result<()> {
    ensure!(page.starts_with("<!doctype html>") || !page.contains("<html"), "{page}");
    for wrong in ["<img src=x", "<script>", "onerror=alert(1)>", " style=", "javascript:"] {
        ensure!(!page.contains(wrong), "{wrong}: {page}");
    }
    Ok(())
}

#[tokio::test]
async fn a_first_load_is_small_and_loads_nothing_from_elsewhere() -> Result<()> {
    let day = afternoon().await?;
    let an = day.officer("an", HERE).await?;
    let phone = day.sign_in(&an).await?;
    let form = form_of(&day, &phone, "lost-child").await?.with("last_seen.place", "chợ Hạ");
    let alert = raise(&day, &phone, &form).await?;
    for path in [
        "/board",
        "/queues",
        "/alerts/new",
        "/alerts/new?kind=lost-child",
        "/offline",
        &format!("/alerts/{alert}"),
    ] {
        let page = day.page(&phone, path).await?.expect(200)?;
        let policy = page.headers.get(header::CONTENT_SECURITY_POLICY).context("no policy")?;
        assert!(policy.to_str()?.contains("default-src 'none'"), "{path}");
        let mut bytes = page.text.len();
        let mut loaded: Vec<String> = assets(&page.text, "/assets/");
        while let Some(asset) = loaded.pop() {
            let answer = day.page(&phone, &asset).await?.expect(200)?;
            bytes += answer.text.len();
            let folder = asset.rsplit_once('/').map_or("", |(folder, _)| folder);
            let imports = assets(&answer.text, "./");
            loaded.extend(
                imports.iter().map(|it| format!("{folder}/{}", it.trim_start_matches("./"))),
            );
        }
        assert!(bytes <= FIRST_LOAD_BYTES_MAX, "{path}: {bytes}");
        assert!(!page.text.contains("=\"http"), "{path}: {}", page.text);
    }
    // A phone can install it, and its worker holds what cannot be sent.
    let manifest = day.page(&phone, "/manifest.webmanifest").await?.expect(200)?;
    let icon = manifest.text_at("/icons/0/src").to_owned();
    day.page(&phone, &icon).await?.expect(200)?;
    let worker = day.page(&phone, "/sw.js").await?.expect(200)?.text;
    for kept in assets(&worker, "/assets/") {
        day.page(&phone, &kept).await?.expect(200)?;
    }
    assert!(worker.starts_with("const VERSION = \""), "{worker}");
    day.ends().await
}

/// Each quoted path in a text that begins so, once.
fn assets(text: &str, begins: &str) -> Vec<String> {
    let mut found: Vec<String> =
        text.split('"').filter(|it| it.starts_with(begins)).map(str::to_owned).collect();
    found.sort_unstable();
    found.dedup();
    found
}
