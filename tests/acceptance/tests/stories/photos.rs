//! Pictures: an officer sends one, an alert names it, and it is seen by a link, or by whoever may
//! read the alert.

use acceptance::{
    Instance, Person, Timeline,
    maps::HOANG_THINH,
    people::{ask, request},
};
use anyhow::{Result, ensure};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, header},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chassis::links::{photo_url, sign};
use domain::{ids::Millis, rights::Standing};
use photos::{Photos, UPLOAD_BYTES_MAX};
use serde_json::{Value, json};
use support::Answer;
use tower::ServiceExt;

/// Longer than a sweep takes.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(10);
const HERE: &str = "15958";
/// Borders on the former at no place, and is told of nothing.
const FAR_AWAY: &str = "15946";
const BASE: &str = "https://keng.example.vn";
/// A PNG of one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// Another, of two.
const TWO_PIXELS: &str = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAD0lEQVR4nGM4wcXFdYILAAbJAbkUv7uOAAAAAElFTkSuQmCC";

/// A process that has a store of pictures, beside the one that has none.
struct Stage {
    day: Timeline,
    with_store: Instance,
    routes: Router,
}

impl Stage {
    async fn begin() -> Result<Self> {
        let day = Timeline::on("2025-04-12", HOANG_THINH).await?;
        let with_store = day.instance("photos");
        let routes = with_store.intake_with_photos(Photos::in_memory());
        with_store.has_read(&[]).await?;
        Ok(Self { day, with_store, routes })
    }

    async fn upload(&self, person: &Person, picture: &[u8]) -> Result<Answer> {
        let form = [
            b"--x\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.jpg\"\r\n\r\n",
            picture,
            b"\r\n--x--\r\n",
        ];
        let kind = "multipart/form-data; boundary=x";
        let request =
            request(person, Method::POST, "/v1/photos").header(header::CONTENT_TYPE, kind);
        ask(&self.routes, request.body(form.concat().into())?).await
    }

    async fn raise(&self, person: &Person, alert: &Value, key: &str) -> Result<Answer> {
        let request = request(person, Method::POST, "/v1/alerts").header("idempotency-key", key);
        ask(&self.routes, request.body(alert.to_string().into())?).await
    }

    async fn get(&self, person: &Person, path: &str) -> Result<Answer> {
        ask(&self.routes, request(person, Method::GET, path).body(Body::empty())?).await
    }

    /// Without a token, as whoever has the address alone.
    async fn open(&self, url: &str) -> Result<(StatusCode, Vec<u8>)> {
        let path = url.strip_prefix(BASE).unwrap_or(url);
        let request = Request::builder().uri(path).body(Body::empty())?;
        let answer = self.routes.clone().oneshot(request).await?;
        let status = answer.status();
        if status == StatusCode::OK {
            for (name, value) in [
                ("content-type", "image/jpeg"),
                ("cache-control", "private, max-age=300"),
                ("x-content-type-options", "nosniff"),
                ("content-security-policy", "default-src 'none'; sandbox"),
            ] {
                let found = answer.headers().get(name).and_then(|value| value.to_str().ok());
                ensure!(found == Some(value), "{name}: {found:?}");
            }
        }
        Ok((status, to_bytes(answer.into_body(), UPLOAD_BYTES_MAX).await?.to_vec()))
    }

    async fn ends(self) -> Result<()> {
        self.with_store.ends().await?;
        self.day.ends().await
    }
}

fn pixel() -> Result<Vec<u8>> {
    Ok(BASE64_STANDARD.decode(PIXEL)?)
}

/// The answer says what is wrong with this field, and nothing else.
fn is_about(answer: &Answer, field: &str) -> Result<()> {
    let errors = answer.problem()?.errors;
    ensure!(errors.len() == 1 && errors[0].0 == field, "{field}: {errors:?}");
    Ok(())
}

fn alert(photos: &Value) -> Value {
    json!({
        "kind": "lost-child",
        "status": "actual",
        "commune": HERE,
        "headline": "Tìm cháu bé 4 tuổi",
        "last_seen": {"at": "2025-04-12T09:50:00+07:00", "lat": 19.8285, "lon": 105.8392},
        "expires": "2025-04-12T20:00:00+07:00",
        "reach": {"mode": "auto"},
        "photos": photos,
    })
}

#[tokio::test]
async fn a_picture_is_sent_and_an_alert_names_it() -> Result<()> {
    let stage = Stage::begin().await?;
    stage.day.at("10:00").await?;
    let officer = stage.day.officer("an", HERE).await?;
    let taken = stage.upload(&officer, &pixel()?).await?.expect(201)?;
    let id = taken.text_at("/id").to_owned();
    ensure!(id.len() == 64 && (taken.at("/width"), taken.at("/height")) == (&json!(1), &json!(1)));
    ensure!(taken.at("/bytes").as_u64().is_some_and(|bytes| bytes > 100));
    // The same again is the same.
    ensure!(stage.upload(&officer, &pixel()?).await?.expect(201)?.text_at("/id") == id);

    // Only what is stored is named: by a raise, and by a change.
    let unknown = "0".repeat(64);
    for (place, wrong) in
        [(0, json!([{"id": unknown}])), (1, json!([{"id": id}, {"id": "made-up"}]))]
    {
        let refused = stage.raise(&officer, &alert(&wrong), "wrong").await?.expect(400)?;
        is_about(&refused, &format!("photos[{place}].id"))?;
    }
    let raised = stage.raise(&officer, &alert(&json!([{"id": id}])), "good").await?.expect(201)?;
    let path = format!("/v1/alerts/{}/update", raised.text_at("/id"));
    let update = async |key: &str, patch: Value| {
        let request = request(&officer, Method::POST, &path).header("idempotency-key", key);
        ask(&stage.routes, request.body(patch.to_string().into())?).await
    };
    let refused = update("a", json!({"photos": [{"id": id}, {"id": unknown}]})).await?;
    is_about(&refused.expect(400)?, "photos[1].id")?;
    update("b", json!({"headline": "Tìm cháu bé 4 tuổi, áo đỏ"})).await?.expect(200)?;

    // Where there is no store, nobody can say what is in it.
    let elsewhere = stage.day.raise(&officer, &alert(&json!([{"id": "made-up"}]))).await?;
    elsewhere.expect(201)?;
    let none = stage.day.get(&officer, &format!("/v1/photos/{id}")).await?;
    none.expect(404)?;
    stage.ends().await
}

#[tokio::test]
async fn what_is_no_picture_is_refused() -> Result<()> {
    let stage = Stage::begin().await?;
    let officer = stage.day.officer("an", HERE).await?;
    for not in [b"GIF89a".as_slice(), b"<svg/>", b"", &pixel()?[..40]] {
        let refused = stage.upload(&officer, not).await?.expect(400)?;
        is_about(&refused, "photo")?;
    }
    let too_large = stage.upload(&officer, &vec![0; UPLOAD_BYTES_MAX + 1]).await?.expect(413)?;
    ensure!(too_large.problem()?.code == "too-large");
    let far_too_large = stage.upload(&officer, &vec![0; UPLOAD_BYTES_MAX + (1 << 20)]).await?;
    far_too_large.expect(413)?;
    let request = request(&officer, Method::POST, "/v1/photos");
    let no_form = ask(&stage.routes, request.body(pixel()?.into())?).await?.expect(400)?;
    is_about(&no_form, "photo")?;
    // The next good one is taken.
    stage.upload(&officer, &pixel()?).await?.expect(201)?;
    stage.ends().await
}

#[tokio::test]
async fn who_reads_alerts_sends_and_sees_pictures() -> Result<()> {
    let stage = Stage::begin().await?;
    stage.day.at("10:00").await?;
    let officer = stage.day.officer("an", HERE).await?;
    let desk = stage.day.province("desk", "38").await?;
    let id = stage.upload(&officer, &pixel()?).await?.expect(201)?.text_at("/id").to_owned();
    stage.upload(&desk, &pixel()?).await?.expect(201)?;
    let raised = stage.raise(&officer, &alert(&json!([{"id": id}])), "one").await?.expect(201)?;
    let named = raised.text_at("/id").to_owned();
    for (name, standing) in [("auditor", Standing::Auditor), ("admin", Standing::Admin)] {
        let person = stage.day.person(name, standing).await?;
        stage.upload(&person, &pixel()?).await?.expect(403)?;
        stage.get(&person, &format!("/v1/photos/{id}?alert={named}")).await?.expect(403)?;
    }
    let nobody = Person::with_token("nobody's");
    stage.upload(&nobody, &pixel()?).await?.expect(401)?;
    stage.get(&nobody, &format!("/v1/photos/{id}")).await?.expect(401)?;
    ensure!(stage.open(&format!("/v1/photos/{id}")).await?.0 == StatusCode::UNAUTHORIZED);
    let wrong = format!("/v1/photos/{id}?alert={named}&size=huge");
    is_about(&stage.get(&desk, &wrong).await?.expect(400)?, "size")?;
    // What is no id, and what is nobody's, are told alike.
    let none = format!("/v1/photos/{}?alert={named}", "0".repeat(64));
    let none = stage.get(&desk, &none).await?.expect(404)?;
    for id in ["x", "%ff", "..%2f..%2fetc%2fpasswd", &id.to_uppercase()] {
        let other = stage.get(&desk, &format!("/v1/photos/{id}?alert={named}")).await?;
        ensure!(other.expect(404)?.at("/detail") == none.at("/detail"), "{id}");
    }
    stage.ends().await
}

#[tokio::test]
async fn a_picture_is_seen_by_whoever_may_read_an_alert_that_names_it() -> Result<()> {
    let stage = Stage::begin().await?;
    stage.day.at("10:00").await?;
    let officer = stage.day.officer("an", HERE).await?;
    let (second, desk) =
        (stage.day.commander("dung", HERE).await?, stage.day.province("desk", "38").await?);
    let stranger = stage.day.officer("xa", FAR_AWAY).await?;
    let id = stage.upload(&officer, &pixel()?).await?.expect(201)?.text_at("/id").to_owned();
    let without = stage.raise(&officer, &alert(&json!([])), "without").await?.expect(201)?;
    let with = stage.raise(&officer, &alert(&json!([{"id": id}])), "with").await?.expect(201)?;
    let (without, with) = (without.text_at("/id"), with.text_at("/id"));
    let seen = async |person: &Person, behind: &str| -> Result<StatusCode> {
        let path = format!("/v1/photos/{id}{behind}");
        let request = request(person, Method::GET, &path).body(Body::empty())?;
        Ok(stage.routes.clone().oneshot(request).await?.status())
    };
    let named = format!("?alert={with}");
    for person in [&officer, &second, &desk] {
        ensure!(seen(person, &named).await? == StatusCode::OK);
        // An id that somebody has got hold of opens nothing.
        for behind in ["", "?alert=", "?alert=x", &format!("?alert={without}")] {
            ensure!(seen(person, behind).await? == StatusCode::NOT_FOUND, "{behind}");
        }
    }
    ensure!(seen(&stranger, &named).await? == StatusCode::NOT_FOUND);
    stage.ends().await
}

#[tokio::test]
async fn who_sent_a_picture_sees_it_for_an_hour_before_an_alert_names_it() -> Result<()> {
    let stage = Stage::begin().await?;
    stage.day.at("10:00").await?;
    let officer = stage.day.officer("an", HERE).await?;
    stage.with_store.link_key().await?;
    let taken = stage.upload(&officer, &pixel()?).await?.expect(201)?;
    let url = taken.text_at("/url").to_owned();
    stage.day.at("10:59").await?;
    ensure!(stage.open(&url).await?.0 == StatusCode::OK, "{url}");
    stage.day.at("11:00").await?;
    ensure!(stage.open(&url).await?.0 == StatusCode::FORBIDDEN);
    stage.ends().await
}

#[tokio::test]
async fn a_link_opens_one_size_until_it_ends() -> Result<()> {
    let stage = Stage::begin().await?;
    stage.day.at("10:00").await?;
    let officer = stage.day.officer("an", HERE).await?;
    let id = stage.upload(&officer, &pixel()?).await?.expect(201)?.text_at("/id").to_owned();
    let key = stage.with_store.link_key().await?;
    let ends = stage.day.now().plus_ms(60_000);
    let of = |id: &str, size: &str, ends: Millis| photo_url(&key, BASE, (id, size), ends);
    for size in ["full", "medium", "thumb"] {
        let (status, bytes) = stage.open(&of(&id, size, ends)).await?;
        ensure!(status == StatusCode::OK && bytes.starts_with(&[0xff, 0xd8]), "{size}: {status}");
    }
    let good = of(&id, "thumb", ends);
    ensure!(stage.open(&format!("{good}&fbclid=1")).await?.0 == StatusCode::OK);
    let other = sign(&key, &format!("task/{id}/thumb"), ends);
    for bad in [
        good.replace("size=thumb", "size=full"),
        good.replace("size=thumb&", ""),
        format!("{good}A"),
        good[..good.len() - 1].to_owned(),
        format!("/v1/photos/{id}?size=thumb&sig="),
        format!("/v1/photos/{id}?size=thumb&sig={other}"),
        of(&"0".repeat(64), "thumb", ends).replace(&"0".repeat(64), &id),
    ] {
        let (status, body) = stage.open(&bad).await?;
        let body: Value = serde_json::from_slice(&body)?;
        ensure!(status == StatusCode::FORBIDDEN && body["code"] == "link-not-good", "{bad}");
    }
    // A good link to what is not there.
    for none in ["0".repeat(64), "x".to_owned()] {
        ensure!(stage.open(&of(&none, "thumb", ends)).await?.0 == StatusCode::NOT_FOUND);
    }
    stage.day.at("10:01").await?;
    let (status, body) = stage.open(&good).await?;
    let body: Value = serde_json::from_slice(&body)?;
    ensure!(status == StatusCode::FORBIDDEN && body["code"] == "link-expired", "{body}");
    stage.ends().await
}

#[tokio::test]
async fn of_two_processes_that_make_a_key_of_links_one_wins() -> Result<()> {
    let day = Timeline::on("2025-04-12", HOANG_THINH).await?;
    let (one, other) = (day.instance("one"), day.instance("other"));
    let (of_one, of_other) = tokio::try_join!(one.link_key(), other.link_key())?;
    ensure!(of_one == of_other && one.link_key().await? == of_one);
    one.ends().await?;
    other.ends().await?;
    day.ends().await
}

#[tokio::test]
async fn a_picture_that_no_alert_names_is_gone_the_day_after() -> Result<()> {
    let day = Timeline::on("2025-04-12", HOANG_THINH).await?;
    let (with_store, photos) = (day.instance("photos"), Photos::in_memory());
    let routes = with_store.intake_with_photos(photos.clone());
    with_store.has_read(&[]).await?;
    let stage = Stage { day, with_store, routes };
    stage.day.at("10:00").await?;
    let officer = stage.day.officer("an", HERE).await?;
    let named = stage.upload(&officer, &pixel()?).await?.expect(201)?;
    let left = stage.upload(&officer, &BASE64_STANDARD.decode(TWO_PIXELS)?).await?.expect(201)?;
    let (named, left) = (named.text_at("/id").to_owned(), left.text_at("/id").to_owned());
    let shown = json!([{"id": named, "legal_basis": "art-19-1"}]);
    stage.raise(&officer, &alert(&shown), "raise").await?.expect(201)?;
    stage.day.at("2025-04-13 09:55").await?;
    let (named, left) = (named.parse()?, left.parse()?);
    ensure!(photos.has(&left).await?, "it may still be named");
    stage.day.at("2025-04-13 10:20").await?;
    support::eventually(WITHIN, async || {
        ensure!(!photos.has(&left).await?, "nobody has named it for a day");
        Ok(())
    })
    .await?;
    ensure!(photos.has(&named).await?, "an alert shows it");
    stage.ends().await
}
