//! Who looked: the neighbour reads, the auditor sees it; and nobody reads without a trace, by
//! whichever route.

use acceptance::{
    Instance, Person, Timeline,
    asked::{NAME, with},
    group,
    maps::HOANG_THINH,
    people::{ask, open_stream, request},
    timeline::WITHIN,
};
use anyhow::{Context, Result, bail, ensure};
use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::rights::Standing;
use photos::Photos;
use prost::Message as _;
use serde_json::{Value, json};
use stand_ins::telegram::{Chat, Telegram};
use support::Answer;
use tower::ServiceExt;
use wire::v1::{Command, Looked, command::Body as Asked};

const HERE: &str = "15958";
const BESIDE: &str = "15925";
const FAR: &str = "15949";
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const OPENAPI: &str = include_str!("../../../../services/keng/openapi.json");
const TOKEN: &str = "77001:a-token-of-the-stand-in";
const POSTER: i64 = 4_242;

/// Routes, by their beginning, whose answers show nothing sealed of an alert; each with the reason.
const OPEN: [(&str, &str); 32] = [
    ("/v1/alerts post", "the raiser's own words"),
    ("/v1/alerts/{id}/deliveries", "targets, times and codes"),
    ("/v1/alerts/{id}/uncorrected", "targets, times and codes"),
    ("/v1/alerts/{id}/preflight", "reach and figures"),
    ("/v1/alerts/{id}/erase/confirm", "what officers said of it goes with it"),
    ("/v1/preflight", "the asker's own words"),
    ("/v1/deliveries/", "a state and a time"),
    ("/p/{code}/{commune}/{revision}/{token} post", "leads back to the page"),
    ("/v1/photos post", "the sender's own picture"),
    ("/v1/verify/", "what is open"),
    ("/v1/drills", "figures"),
    ("/v1/freezes", "of officers, not of an alert's persons"),
    ("/v1/audit/records", "open parts"),
    ("/v1/audit/as-known", "open parts"),
    ("/v1/audit/timeline", "open parts"),
    ("/v1/audit/state", "hashes"),
    ("/v1/audit/proof/", "hashes"),
    ("/v1/audit/key", "the log's own key"),
    ("/v1/audit/timestamps", "hashes, and who stamped them"),
    ("/v1/audit/words/", "recorded by the audit: see its tests"),
    ("/tile/", "open parts"),
    ("/checkpoint", "hashes"),
    ("/v1/tokens", "the directory"),
    ("/v1/keys", "the directory"),
    ("/v1/groups", "the directory"),
    ("/v1/officers", "the directory"),
    ("/v1/channels", "of channels"),
    ("/v1/dead-letters", "targets, times and codes"),
    ("/healthz", "of the process"),
    ("/readyz", "of the process"),
    ("/metrics", "of the process"),
    ("/openapi.json", "of the interface"),
];

struct Stage {
    day: Timeline,
    with_store: Instance,
    routes: Router,
    an: Person,
    chief: Person,
    count: std::cell::Cell<u32>,
    provider: Telegram,
}

impl Stage {
    async fn begin() -> Result<Self> {
        let provider = Telegram::start(TOKEN).await?;
        provider.set_chat(POSTER, Chat::Here);
        let secret = tempfile::NamedTempFile::new()?;
        std::fs::write(secret.path(), TOKEN)?;
        let channels = format!(
            "[bot]\ntype = \"telegram\"\nenabled = true\nurl = {:?}\ntoken = {{ file = {:?} }}\n",
            provider.url(),
            secret.path()
        );
        let mut day = Timeline::with_channels(("2025-04-13", HOANG_THINH, &channels)).await?;
        let poster = json!({
            "type": "poster", "via": "telegram", "account": "bot", "to": POSTER.to_string(),
        });
        day.groups([group("g-1", HERE), group("zalo", HERE).channel(poster)]).await?;
        day.at("10:05").await?;
        let with_store = day.instance("photos");
        let routes = with_store.intake_with_photos(Photos::in_memory());
        with_store.has_read(&[]).await?;
        let (an, chief) = (day.officer("an", HERE).await?, day.commander("chief", HERE).await?);
        Ok(Self { day, with_store, routes, an, chief, count: 0.into(), provider })
    }

    fn next(&self) -> u32 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    async fn get(&self, by: &Person, path: &str) -> Result<Answer> {
        ask(&self.routes, request(by, Method::GET, path).body(Body::empty())?).await
    }

    async fn post(&self, by: &Person, path: &str, body: Value) -> Result<Answer> {
        let key = format!("look-{}", self.next());
        let request = request(by, Method::POST, path).header("idempotency-key", key);
        ask(&self.routes, request.body(body.to_string().into())?).await
    }

    async fn browse(&self, path: &str) -> Result<Answer> {
        ask(&self.routes, Request::builder().uri(path).body(Body::empty())?).await
    }

    /// A picture, which is no text.
    async fn sees(&self, request: axum::http::request::Builder) -> Result<()> {
        let Ok(answer) = self.routes.clone().oneshot(request.body(Body::empty())?).await;
        ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
        Ok(())
    }

    /// Somebody who has looked at nothing yet.
    async fn somebody(&self, commune: &str) -> Result<(String, Person)> {
        let name = format!("reader-{}", self.next());
        let person = match commune {
            HERE => self.day.commander(&name, commune).await?,
            _ => self.day.officer(&name, commune).await?,
        };
        Ok((name, person))
    }

    /// An alert of An's, in force here and beside; what it waits for has been reviewed.
    async fn lost(&self) -> Result<String> {
        let lost = self.day.alert_of("lost-child", HERE, "23:00")?;
        let lost = with(&lost, "/reach", json!({ "mode": "rings", "rings": 1 }));
        let seen = json!({ "at": self.day.rfc3339("10:00")?, "lat": 19.8285, "lon": 105.8392 });
        let raised = self.post(&self.an, "/v1/alerts", with(&lost, "/last_seen", seen)).await?;
        let id = raised.expect(201)?.text_at("/id").to_owned();
        self.act(&self.chief, (&id, "review"), json!({})).await?;
        Ok(id)
    }

    async fn act(&self, by: &Person, of: (&str, &str), body: Value) -> Result<Answer> {
        self.post(by, &format!("/v1/alerts/{}/{}", of.0, of.1), body).await?.expect(200)
    }

    async fn upload(&self) -> Result<Answer> {
        let head = b"--x\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a\"\r\n\r\n";
        let form = [&head[..], &BASE64_STANDARD.decode(PIXEL)?, b"\r\n--x--\r\n"].concat();
        let sent = request(&self.an, Method::POST, "/v1/photos")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
        ask(&self.routes, sent.body(form.into())?).await
    }

    /// What this reader has looked at, as the log has it.
    fn looks_of(&self, reader: &str) -> Vec<Looked> {
        let records = self.day.log().records();
        let commands = records.iter().filter_map(|one| Command::decode(one.open.clone()).ok());
        let of_reader = commands.filter(|command| {
            command.actor.as_ref().is_some_and(|actor| actor.officer.starts_with(reader))
        });
        let looks = of_reader.filter_map(|command| match command.body {
            Some(Asked::RecordLook(look)) => Looked::try_from(look.looked).ok(),
            _ => None,
        });
        looks.collect()
    }

    async fn ends(self) -> Result<()> {
        self.with_store.ends().await?;
        self.day.ends().await
    }
}

#[tokio::test]
async fn the_neighbour_reads_and_the_auditor_sees_who_looked() -> Result<()> {
    let stage = Stage::begin().await?;
    let (day, lost) = (&stage.day, stage.lost().await?);
    let binh = day.officer("binh", BESIDE).await?;
    let auditor = day.person("khanh", Standing::Auditor).await?;
    let one = format!("/v1/alerts/{lost}");
    let looks = format!("{one}/looks");
    // Who wrote the words reads nothing new, however often.
    stage.get(&stage.an, &one).await?.expect(200)?;
    assert_eq!(stage.looks_of("an"), []);
    // A live board asks again and again: once an hour, whichever process is asked.
    for _ in 0..3 {
        let seen = stage.get(&binh, &one).await?.expect(200)?;
        assert_eq!(seen.text_at("/person/name"), NAME);
        stage.get(&binh, "/v1/alerts").await?.expect(200)?;
        day.get(&binh, &one).await?.expect(200)?;
    }
    assert_eq!(stage.looks_of("binh"), [Looked::Words]);
    let reason = "Gia đình bé hỏi tin.";
    let why = request(&binh, Method::GET, &one).header("keng-reason", reason.as_bytes());
    ask(&stage.routes, why.body(Body::empty())?).await?.expect(200)?;
    day.at("11:00").await?;
    stage.get(&binh, &one).await?.expect(200)?;
    assert_eq!(stage.looks_of("binh").len(), 3, "why is one of its own, and so is another hour");

    day.settle().await?;
    let seen = stage.get(&auditor, &looks).await?.expect(200)?;
    let of_binh = |seen: &Answer| -> Vec<Value> {
        let all = seen.at("/looks").as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|look| look["reader"] == "binh").collect()
    };
    let reasons: Vec<Value> = of_binh(&seen).iter().map(|look| look["reason"].clone()).collect();
    assert_eq!(reasons, [Value::Null, json!(reason), Value::Null]);
    let first = of_binh(&seen).pop().context("a look")?;
    let wanted = json!({
        "at": "2025-04-13T03:05:00.000Z", "reader": "binh", "commune": BESIDE,
        "what": "words", "duty": "relayed", "reason": null,
    });
    assert_eq!(first, wanted);
    // Who reads reasons is seen too; officers of the neighbour are not told who looked.
    assert_eq!(stage.looks_of("khanh"), [Looked::Notes]);
    stage.get(&stage.chief, &looks).await?.expect(200)?;
    for other in [&binh, &stage.an] {
        stage.get(other, &looks).await?.expect(403)?;
    }

    let lines = day.records(&auditor, &format!("?alert={lost}")).await?;
    let read = lines.iter().filter(|line| line.kind == "PersonalDataRead");
    ensure!(read.filter(|line| line.data["reader"] == "binh").count() == 3);
    ensure!(!format!("{lines:?}").contains("Gia đình"), "a reason stands in no open part");
    let times =
        day.get(&auditor, &format!("/v1/audit/timeline?alert={lost}")).await?.expect(200)?;
    let looked = times.at("/looks").as_array().context("looks")?;
    ensure!(looked.iter().any(|look| look["reader"] == "binh" && look["duty"] == "relayed"));

    // An erasure destroys the reasons, and who looked stays.
    stage.act(&stage.an, (&lost, "resolve"), json!({})).await?;
    let basis = json!({ "basis": "subject-request" });
    stage.act(&stage.an, (&lost, "erase"), basis.clone()).await?;
    stage.act(&stage.chief, (&lost, "erase/confirm"), basis).await?;
    day.settle().await?;
    let erased = stage.get(&auditor, &looks).await?.expect(200)?;
    let reasons: Vec<Value> = of_binh(&erased).iter().map(|look| look["reason"].clone()).collect();
    assert_eq!(reasons, [Value::Null, Value::Null, Value::Null]);
    stage.ends().await
}

/// Looks by this route as somebody who has looked at nothing yet; who that was, and at what.
/// `None` where the route shows nothing sealed.
async fn look(
    stage: &Stage,
    known: &Known,
    (path, method): (&str, &str),
) -> Result<Option<(String, Looked)>> {
    let both = format!("{path} {method}");
    if OPEN.iter().any(|(open, _)| both.starts_with(open)) {
        return Ok(None);
    }
    let (name, here) = stage.somebody(HERE).await?;
    let (neighbour, beside) = stage.somebody(BESIDE).await?;
    let lost = known.lost.as_str();
    let words = |name: String| Ok(Some((name, Looked::Words)));
    if let Some(action) = path.strip_prefix("/v1/alerts/{id}/").filter(|_| method == "post") {
        let (by, body) = act(stage, action).await?;
        return match by {
            By::Neighbour => {
                stage.act(&beside, (&stage.lost().await?, action), body).await?;
                words(neighbour)
            }
            By::Here(alert) => {
                stage.act(&here, (&alert, action), body).await?;
                let is_note = action.starts_with("erase") || action.starts_with("legal-hold");
                let what = if is_note { Looked::Notes } else { Looked::Words };
                Ok(Some((name, what)))
            }
        };
    }
    let plain = match (path, method) {
        ("/v1/alerts" | "/v1/matches", "get") => Some(path.to_owned()),
        ("/v1/alerts/{id}", "get") => Some(format!("/v1/alerts/{lost}")),
        ("/v1/matches/{id}", "get") => Some(format!("/v1/matches/{}", known.proposal)),
        _ => None,
    };
    if let Some(plain) = plain {
        stage.get(&here, &plain).await?.expect(200)?;
        return words(name);
    }
    match (path, method) {
        ("/v1/alerts/{id}/instructions", "get") => {
            let said = stage.get(&beside, &format!("/v1/alerts/{lost}/instructions")).await?;
            ensure!(!said.expect(200)?.at("/instructions/0").is_null());
            words(neighbour)
        }
        ("/v1/matches/{id}/confirm" | "/v1/matches/{id}/dismiss", "post") => {
            let path = path.replace("{id}", &known.proposal);
            stage.post(&here, &path, json!({})).await?.expect(200)?;
            words(name)
        }
        ("/v1/recalls", "post") => {
            let since = json!({ "officer": "an", "since": stage.day.rfc3339("09:00")? });
            stage.post(&here, "/v1/recalls", since).await?.expect(200)?;
            words(name)
        }
        ("/v1/stream", "get") => {
            let mut stream = open_stream(&stage.routes, &beside, BESIDE, Some("0-0-0")).await?;
            stream.wait_for(WITHIN, |event| event.kind == "alert").await?;
            words(neighbour)
        }
        ("/v1/commands", "post") => {
            let phone = stage.day.phone(&name, stage.standing_here()?, 77).await?;
            stage.day.asks_for_key(&phone).await?.expect(202)?;
            stage.day.confirms_key(&stage.chief, &phone).await?.expect(200)?;
            let alert = stage.lost().await?;
            let cancel = phone.acts(&stage.day, (&alert, "cancel"), &json!({}), "k").await?;
            stage.day.gives(&cancel).await?.expect(200)?;
            words(name)
        }
        _ => look_otherwise(stage, known, (path, method), (name, here)).await.map(Some),
    }
}

/// The same of what shows something else than an alert's words.
async fn look_otherwise(
    stage: &Stage,
    known: &Known,
    (path, method): (&str, &str),
    (name, here): (String, Person),
) -> Result<(String, Looked)> {
    let lost = known.lost.as_str();
    match (path, method) {
        ("/v1/alerts/{id}/erasure", "get") => {
            stage.get(&here, &format!("/v1/alerts/{}/erasure", known.asked)).await?.expect(200)?;
            Ok((name, Looked::Notes))
        }
        ("/v1/alerts/{id}/looks", "get") => {
            let why = request(&stage.chief, Method::GET, &format!("/v1/alerts/{lost}"));
            let why = why.header("keng-reason", "Hỏi lại.").body(Body::empty())?;
            ask(&stage.routes, why).await?.expect(200)?;
            stage.day.settle().await?;
            stage.get(&here, &format!("/v1/alerts/{lost}/looks")).await?.expect(200)?;
            Ok((name, Looked::Notes))
        }
        ("/v1/photos/{id}", "get") => {
            let path = format!("/v1/photos/{}?alert={}", known.photo, known.pictured);
            stage.sees(request(&here, Method::GET, &path)).await?;
            stage.sees(Request::builder().uri(&known.photo_link)).await?;
            ensure!(stage.looks_of("link:").contains(&Looked::Photo), "by a link too");
            Ok((name, Looked::Photo))
        }
        ("/p/{code}/{commune}/{revision}/{token}", "get") => {
            let text = stage.provider.posted().pop().context("a task")?.text;
            let link = text.split_whitespace().next_back().context("a link")?.to_owned();
            let path = link.find("/p/").and_then(|at| link.get(at..)).context("a path")?;
            stage.browse(path).await?.expect(200)?;
            Ok(("link:".to_owned(), Looked::Poster))
        }
        _ => bail!("{path} {method}: does it show personal data? Classify it."),
    }
}

enum By {
    Neighbour,
    Here(String),
}

/// What brings an act about whose answer shows the alert to somebody else than its raiser.
async fn act(stage: &Stage, action: &str) -> Result<(By, Value)> {
    let here = |alert, body| Ok((By::Here(alert), body));
    let neighbour = |body| Ok((By::Neighbour, body));
    let suspect = async || -> Result<String> {
        let suspect = stage.day.alert_of("suspect", HERE, "23:00")?;
        let suspect = with(&suspect, "/person", json!({ "age": 30, "sex": "male" }));
        let raised = stage.post(&stage.an, "/v1/alerts", suspect).await?.expect(202)?;
        Ok(raised.text_at("/id").to_owned())
    };
    let over = async || -> Result<String> {
        let lost = stage.lost().await?;
        stage.act(&stage.an, (&lost, "resolve"), json!({})).await?;
        Ok(lost)
    };
    let note = json!({ "note": "Theo đơn." });
    match action {
        "approve" => here(suspect().await?, json!({ "revision": 1 })),
        "decline" => here(suspect().await?, json!({})),
        "review" => {
            let lost = stage.day.alert_of("lost-child", HERE, "23:00")?;
            let raised = stage.post(&stage.an, "/v1/alerts", lost).await?.expect(201)?;
            here(raised.text_at("/id").to_owned(), json!({}))
        }
        // By another than who writes the new words: those are the reader's own.
        "update" | "correct" => here(stage.lost().await?, json!({ "description": "Áo đỏ." })),
        "widen" => here(stage.lost().await?, json!({ "reach": { "mode": "rings", "rings": 2 } })),
        "cancel" | "resolve" | "hold" => here(stage.lost().await?, json!({})),
        "release" => {
            let lost = stage.lost().await?;
            stage.act(&stage.an, (&lost, "hold"), json!({})).await?;
            here(lost, json!({}))
        }
        "reopen" => here(over().await?, json!({})),
        "attest" => {
            let lost = stage.lost().await?;
            stage.day.settle().await?;
            stage.day.sink()?.answer("/g/g-1", support::Reply::status(410));
            stage.act(&stage.an, (&lost, "cancel"), json!({})).await?;
            stage.day.settle().await?;
            stage.day.sink()?.answer("/g/g-1", support::Reply::status(200));
            here(lost, json!({ "group": "g-1", "note": "Đã gọi." }))
        }
        "sighting" => neighbour(json!({ "place": "cầu" })),
        "acknowledge" | "refuse" => neighbour(json!({})),
        "instructions" => neighbour(json!({ "instruction": "Ra bờ sông." })),
        "relay" => neighbour(json!({ "communes": [FAR] })),
        "erase" => here(over().await?, json!({ "basis": "authority", "note": "Theo đơn." })),
        "legal-hold" => here(over().await?, note),
        "legal-hold/lift" => {
            let over = over().await?;
            let desk = stage.day.province("giang", "38").await?;
            for person in [&stage.chief, &desk] {
                stage.act(person, (&over, "legal-hold"), note.clone()).await?;
            }
            here(over, json!({}))
        }
        other => bail!("{other}: does it show personal data? Classify it."),
    }
}

/// What is there to be looked at.
struct Known {
    /// With instructions of the neighbour.
    lost: String,
    /// An erasure was asked for, and why.
    asked: String,
    proposal: String,
    photo: String,
    photo_link: String,
    /// The alert that names the picture.
    pictured: String,
}

impl Stage {
    fn standing_here(&self) -> Result<Standing> {
        let home = domain::ids::Home { province: "38".parse()?, commune: HERE.parse()? };
        Ok(Standing::Officer(home))
    }

    async fn known(&self) -> Result<Known> {
        let lost = self.lost().await?;
        let binh = self.day.officer("binh", BESIDE).await?;
        let said = json!({ "instruction": "Ra bờ sông." });
        self.act(&binh, (&lost, "instructions"), said).await?;
        let asked = self.lost().await?;
        self.act(&self.an, (&asked, "resolve"), json!({})).await?;
        let why = json!({ "basis": "authority", "note": "Theo đơn." });
        self.act(&self.an, (&asked, "erase"), why).await?;
        let uploaded = self.upload().await?.expect(201)?;
        let photo = uploaded.text_at("/id").to_owned();
        let link = uploaded.text_at("/url").to_owned();
        let photo_link = link.get(link.find("/v1/").context("a link")?..).unwrap_or_default();
        // Who has sent it sees it, and no alert shows it yet.
        self.sees(Request::builder().uri(photo_link)).await?;
        ensure!(self.looks_of("link:").is_empty());
        let alert = self.day.alert_of("lost-child", HERE, "23:00")?;
        let named = json!([{ "id": photo, "legal_basis": "art-19-1" }]);
        let raised = self.post(&self.an, "/v1/alerts", with(&alert, "/photos", named)).await?;
        let pictured = raised.expect(201)?.text_at("/id").to_owned();
        let found = self.day.alert_of("found-child", BESIDE, "23:00")?;
        let seen = json!({ "at": self.day.rfc3339("10:04")?, "lat": 19.8285, "lon": 105.8392 });
        let found = with(&with(&found, "/last_seen", seen), "/reach", json!({ "mode": "rings" }));
        let found = with(&found, "/reach/rings", json!(0));
        self.post(&binh, "/v1/alerts", found).await?.expect(201)?;
        self.day.settle().await?;
        let proposal = loop {
            let page = self.get(&binh, "/v1/matches").await?.expect(200)?;
            match page.text_at("/matches/0/id") {
                "" => tokio::task::yield_now().await,
                id => break id.to_owned(),
            }
        };
        let photo_link = photo_link.to_owned();
        Ok(Known { lost, asked, proposal, photo, photo_link, pictured })
    }
}

#[tokio::test]
async fn nobody_reads_without_a_trace_by_whichever_route() -> Result<()> {
    let stage = Stage::begin().await?;
    let known = stage.known().await?;
    let document: Value = serde_json::from_str(OPENAPI)?;
    let paths = document["paths"].as_object().context("paths")?;
    let routes = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flat_map(|item| item.keys());
        let methods =
            methods.filter(|method| ["get", "post", "put", "delete"].contains(&&***method));
        methods.map(move |method| (path.as_str(), method.as_str()))
    });
    // A recall ends everything, and so comes last.
    let (last, first): (Vec<_>, Vec<_>) = routes.partition(|(path, _)| *path == "/v1/recalls");
    let mut looked = 0;
    for (path, method) in first.into_iter().chain(last) {
        let seen = look(&stage, &known, (path, method)).await.with_context(|| path.to_owned())?;
        let Some((reader, what)) = seen else { continue };
        let looks = stage.looks_of(&reader);
        ensure!(looks.contains(&what), "{method} {path} left no record: {looks:?}");
        looked += 1;
    }
    assert!(looked >= 30, "{looked}");
    stage.ends().await
}

#[tokio::test]
async fn a_head_request_a_repeat_and_a_forged_link_hide_nobody() -> Result<()> {
    let stage = Stage::begin().await?;
    let lost = stage.lost().await?;
    let (head, person) = stage.somebody(BESIDE).await?;
    let asked = request(&person, Method::HEAD, &format!("/v1/alerts/{lost}"));
    let answer = ask(&stage.routes, asked.body(Body::empty())?).await?.expect(200)?;
    assert_eq!(answer.text, "");
    assert_eq!(stage.looks_of(&head), [Looked::Words], "its length says something, too");

    // The stored answer of a repeat is read like the first; in another hour that is another look.
    let (again, person) = stage.somebody(BESIDE).await?;
    let path = format!("/v1/alerts/{lost}/acknowledge");
    let yes = || request(&person, Method::POST, &path).header("idempotency-key", "same");
    ask(&stage.routes, yes().body("{}".into())?).await?.expect(200)?;
    stage.day.at("11:10").await?;
    ask(&stage.routes, yes().body("{}".into())?).await?.expect(200)?;
    assert_eq!(stage.looks_of(&again), [Looked::Words, Looked::Words]);

    // Whom it does not concern reads nothing, and so has looked at nothing.
    let (far, person) = stage.somebody("14797").await?;
    stage.get(&person, &format!("/v1/alerts/{lost}")).await?.expect(404)?;
    assert_eq!(stage.looks_of(&far), []);
    // Where nothing can be written down nothing is shown, not even what is at hand.
    let (cut, person) = stage.somebody(BESIDE).await?;
    stage.with_store.link().cut();
    stage.get(&person, &format!("/v1/alerts/{lost}")).await?.expect(503)?;
    stage.with_store.link().mend();
    stage.get(&person, &format!("/v1/alerts/{lost}")).await?.expect(200)?;
    assert_eq!(stage.looks_of(&cut), [Looked::Words]);
    let long = "x".repeat(1_001);
    let (_, person) = stage.somebody(BESIDE).await?;
    let asked = request(&person, Method::GET, &format!("/v1/alerts/{lost}"));
    let asked = asked.header("keng-reason", long).body(Body::empty())?;
    let wrong = ask(&stage.routes, asked).await?.expect(400)?;
    assert_eq!(wrong.problem()?.errors[0].0, "keng-reason");
    stage.ends().await
}
