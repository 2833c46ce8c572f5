//! The child is home, and the family asks that its data go: two persons erase the words and the
//! picture; a legal hold stops it; the record of what was done stays, without them.

use acceptance::{
    Instance, Person, Started, Timeline,
    maps::HOANG_THINH,
    people::{ask, request},
};
use anyhow::{Context, Result, ensure};
use axum::{
    Router,
    body::Body,
    http::{Method, header},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::ids::AlertId;
use event_log::Seal;
use photos::Photos;
use serde_json::{Value, json};
use support::Answer;

const HERE: &str = "15958";
const NEIGHBOUR: &str = "15925";
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const CANARIES: [&str; 4] =
    ["Tìm cháu Canary", "Nguyễn Văn Canary", "Đã về nhà Canary", "Gọi 113 Canary"];

struct Stage {
    day: Timeline,
    with_store: Instance,
    routes: Router,
    photos: Photos,
    an: Person,
    binh: Person,
    chi: Person,
}

impl Stage {
    async fn begin() -> Result<Self> {
        Self::on(Timeline::on("2025-04-14", HOANG_THINH).await?).await
    }

    async fn on(day: Timeline) -> Result<Self> {
        let (with_store, photos) = (day.instance("photos"), Photos::in_memory());
        let routes = with_store.intake_with_photos(photos.clone());
        with_store.has_read(&[]).await?;
        let an = day.officer("an", HERE).await?;
        let binh = day.commander("binh", HERE).await?;
        let chi = day.commander("chi", HERE).await?;
        day.at("10:00").await?;
        Ok(Self { day, with_store, routes, photos, an, binh, chi })
    }

    async fn post(&self, by: &Person, path: &str, key: &str, body: &Value) -> Result<Answer> {
        let request = request(by, Method::POST, path).header("idempotency-key", key);
        ask(&self.routes, request.body(body.to_string().into())?).await
    }

    async fn get(&self, by: &Person, path: &str) -> Result<Answer> {
        ask(&self.routes, request(by, Method::GET, path).body(Body::empty())?).await
    }

    async fn upload(&self) -> Result<String> {
        let head = b"--x\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a\"\r\n\r\n";
        let picture = BASE64_STANDARD.decode(PIXEL)?;
        let form = [head.as_slice(), &picture, b"\r\n--x--\r\n"].concat();
        let sent = request(&self.an, Method::POST, "/v1/photos")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
        let answer = ask(&self.routes, sent.body(form.into())?).await?;
        Ok(answer.text_at("/id").to_owned())
    }

    fn lost(&self, photo: &str) -> Value {
        json!({
            "kind": "lost-child", "status": "actual", "commune": HERE,
            "headline": CANARIES[0],
            "last_seen": {"at": "2025-04-14T09:50:00+07:00", "lat": 19.8285, "lon": 105.8392},
            "person": {"age": 4, "sex": "male", "name": CANARIES[1]},
            "expires": "2025-04-14T20:00:00+07:00",
            "reach": {"mode": "rings", "rings": 1},
            "photos": [{"id": photo, "legal_basis": "art-19-1"}],
        })
    }

    /// The alert, raised, acknowledged with a note, instructed on, and resolved with a note.
    async fn lost_and_found(&self, photo: &str) -> Result<String> {
        let raised = self.post(&self.an, "/v1/alerts", "raise", &self.lost(photo)).await?;
        let alert = raised.expect(201)?.text_at("/id").to_owned();
        let path = |action: &str| format!("/v1/alerts/{alert}/{action}");
        let neighbour = self.day.officer("dung", NEIGHBOUR).await?;
        let words = json!({ "instruction": CANARIES[3] });
        self.post(&neighbour, &path("instructions"), "i", &words).await?.expect(200)?;
        let note = json!({ "note": CANARIES[2] });
        self.post(&self.an, &path("resolve"), "r", &note).await?.expect(200)?;
        self.day.settle().await?;
        Ok(alert)
    }

    /// How many sealed parts in the log hold a canary.
    fn canaries(&self) -> usize {
        let records = self.day.log().records();
        let parts = records.iter().filter_map(|recorded| recorded.seal.bytes());
        parts.filter(|part| CANARIES.iter().any(|canary| holds(part, canary))).count()
    }

    async fn state(&self, alert: &str) -> Result<Answer> {
        self.get(&self.binh, &format!("/v1/alerts/{alert}/erasure")).await?.expect(200)
    }

    async fn ends(self) -> Result<()> {
        self.with_store.ends().await?;
        self.day.ends().await
    }
}

fn holds(bytes: &[u8], canary: &str) -> bool {
    bytes.windows(canary.len()).any(|part| part == canary.as_bytes())
}

#[tokio::test]
async fn two_persons_erase_what_an_alert_said_and_the_record_stays() -> Result<()> {
    let stage = Stage::begin().await?;
    let photo = stage.upload().await?;
    let alert = stage.lost_and_found(&photo).await?;
    let id = photo.parse()?;
    ensure!(stage.canaries() >= 3, "the search finds what is there: {}", stage.canaries());
    ensure!(stage.photos.has(&id).await?);
    let opens: Vec<_> = stage.day.log().records().iter().map(|one| one.open.clone()).collect();
    let path = |action: &str| format!("/v1/alerts/{alert}/{action}");
    let basis = json!({ "basis": "subject-request" });

    let asked = stage.post(&stage.an, &path("erase"), "e", &basis).await?.expect(200)?;
    ensure!(asked.text_at("/state") == "asked" && asked.text_at("/asked_by") == "an", "{asked:?}");
    let alone = stage.post(&stage.an, &path("erase/confirm"), "c", &basis).await?;
    ensure!(alone.expect(403)?.problem()?.code == "role-missing");
    ensure!(stage.canaries() >= 3, "nothing is erased yet");
    stage.post(&stage.binh, &path("erase/confirm"), "c", &basis).await?.expect(200)?;
    stage.day.settle().await?;

    let erased = stage.state(&alert).await?;
    ensure!(erased.text_at("/state") == "erased", "{erased:?}");
    ensure!(erased.text_at("/asked_by") == "an" && erased.text_at("/confirmed_by") == "binh");
    ensure!(stage.canaries() == 0, "{} parts are left", stage.canaries());
    ensure!(!stage.photos.has(&id).await?, "the picture is gone");
    let of: AlertId = alert.parse()?;
    let records = stage.day.log().records();
    let kept = records.iter().filter(|one| one.key.entity.is_of(of));
    ensure!(kept.clone().all(|one| !matches!(one.seal, Seal::Here(_))), "salt and words");
    ensure!(records.iter().map(|one| one.open.clone()).collect::<Vec<_>>().starts_with(&opens));

    let seen = stage.get(&stage.an, &format!("/v1/alerts/{alert}")).await?.expect(200)?;
    ensure!(seen.text_at("/sealed") == "erased" && seen.text_at("/state") == "resolved");
    ensure!(seen.text_at("/erased/basis") == "subject-request", "{seen:?}");
    let all = seen.at("").to_string();
    ensure!(CANARIES.iter().all(|canary| !all.contains(canary)), "{all}");
    stage.ends().await
}

#[tokio::test]
async fn what_is_erased_is_answered_as_it_stands_and_takes_nothing_more() -> Result<()> {
    let stage = Stage::begin().await?;
    let photo = stage.upload().await?;
    let alert = stage.lost_and_found(&photo).await?;
    let path = |action: &str| format!("/v1/alerts/{alert}/{action}");
    let basis = json!({ "basis": "authority" });
    stage.post(&stage.binh, &path("erase"), "e", &basis).await?.expect(200)?;
    let own = stage.post(&stage.binh, &path("erase/confirm"), "c", &basis).await?;
    ensure!(own.expect(403)?.problem()?.code == "same-person");
    let other = json!({ "basis": "purpose-ended" });
    let wrong = stage.post(&stage.chi, &path("erase/confirm"), "w", &other).await?;
    ensure!(wrong.expect(409)?.problem()?.code == "not-asked");
    stage.post(&stage.chi, &path("erase/confirm"), "c", &basis).await?.expect(200)?;
    stage.day.settle().await?;
    // The same requests again: the alert as it stands, without the words that it was asked with.
    let again = stage.post(&stage.an, "/v1/alerts", "raise", &stage.lost(&photo)).await?;
    ensure!(again.expect(201)?.text_at("/sealed") == "erased");
    let note = json!({ "note": CANARIES[2] });
    stage.post(&stage.an, &path("resolve"), "r", &note).await?.expect(200)?;
    // Nothing new is taken, so that no words come again.
    let reopened = stage.post(&stage.an, &path("reopen"), "o", &json!({})).await?;
    ensure!(reopened.expect(409)?.problem()?.code == "erased");
    let held = stage.post(&stage.an, &path("legal-hold"), "h", &json!({})).await?;
    ensure!(held.expect(409)?.problem()?.code == "erased");
    ensure!(stage.canaries() == 0);
    stage.ends().await
}

#[tokio::test]
async fn a_legal_hold_of_two_persons_stops_it() -> Result<()> {
    let stage = Stage::begin().await?;
    let photo = stage.upload().await?;
    let alert = stage.lost_and_found(&photo).await?;
    let path = |action: &str| format!("/v1/alerts/{alert}/{action}");
    let (basis, why) = (json!({ "basis": "purpose-ended" }), json!({ "note": "QĐ 12/2025" }));
    stage.post(&stage.an, &path("erase"), "e", &basis).await?.expect(200)?;
    stage.post(&stage.an, &path("legal-hold"), "h", &why).await?.expect(200)?;
    stage.post(&stage.binh, &path("legal-hold"), "h", &json!({})).await?.expect(200)?;
    let held = stage.state(&alert).await?;
    ensure!(held.text_at("/legal_hold/state") == "in-force", "{held:?}");
    ensure!(held.text_at("/legal_hold/note") == "QĐ 12/2025", "{held:?}");
    let stopped = stage.post(&stage.binh, &path("erase/confirm"), "c", &basis).await?;
    ensure!(stopped.expect(409)?.problem()?.code == "legal-hold");
    for by in [&stage.binh, &stage.chi] {
        stage.post(by, &path("legal-hold/lift"), "l", &json!({})).await?.expect(200)?;
    }
    ensure!(stage.canaries() >= 3);
    stage.post(&stage.binh, &path("erase/confirm"), "d", &basis).await?.expect(200)?;
    stage.day.settle().await?;
    ensure!(stage.canaries() == 0);
    stage.ends().await
}

#[tokio::test]
async fn only_what_is_over_and_own_is_erased() -> Result<()> {
    let stage = Stage::begin().await?;
    let photo = stage.upload().await?;
    let raised = stage.post(&stage.an, "/v1/alerts", "raise", &stage.lost(&photo)).await?;
    let alert = raised.expect(201)?.text_at("/id").to_owned();
    let path = format!("/v1/alerts/{alert}/erase");
    let basis = json!({ "basis": "subject-request" });
    let early = stage.post(&stage.an, &path, "e", &basis).await?.expect(409)?;
    ensure!(early.problem()?.code == "still-active");
    let neighbour = stage.day.commander("dung", NEIGHBOUR).await?;
    stage.post(&neighbour, &path, "e", &basis).await?.expect(403)?;
    let bad = stage.post(&stage.an, &path, "b", &json!({ "basis": "retention" })).await?;
    let bad = bad.expect(400)?.problem()?;
    let (field, _) = bad.errors.first().context("a field")?;
    ensure!(field == "basis", "{bad:?}");
    stage.ends().await
}

/// The policy's term runs from the end; who holds it stops it, and lifting lets it run again.
#[tokio::test]
async fn the_term_of_the_policy_erases_by_itself() -> Result<()> {
    let terms = "[installation]\nretention-days = { lost-child = 2, hazard = 1 }\n";
    let day = ("2025-04-14", HOANG_THINH, terms);
    let day = Timeline::governed(day, Started::All).await?;
    let stage = Stage::on(day).await?;
    let photo = stage.upload().await?;
    let alert = stage.lost_and_found(&photo).await?;
    let path = |action: &str| format!("/v1/alerts/{alert}/{action}");
    for by in [&stage.an, &stage.binh] {
        stage.post(by, &path("legal-hold"), "h", &json!({})).await?.expect(200)?;
    }
    stage.day.at("2025-04-16 11:00").await?;
    ensure!(stage.canaries() >= 3, "it is held");
    for by in [&stage.binh, &stage.chi] {
        stage.post(by, &path("legal-hold/lift"), "l", &json!({})).await?.expect(200)?;
    }
    stage.day.settle().await?;
    let erased = stage.state(&alert).await?;
    ensure!(erased.text_at("/state") == "erased", "{erased:?}");
    ensure!(erased.text_at("/basis") == "retention" && erased.at("/asked_by").is_null());
    ensure!(stage.canaries() == 0 && !stage.photos.has(&photo.parse()?).await?);
    stage.ends().await
}
