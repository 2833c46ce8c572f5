//! The first start: a link in the terminal, by which one person becomes the admin; and TLS.

#![allow(clippy::indexing_slicing, reason = "what is not in a JSON object is null")]

use std::fs;

use anyhow::{Context, Result, ensure};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use reqwest::{Certificate, Client, ClientBuilder, StatusCode};
use serde_json::{Value, json};
use stand_ins::{
    authenticator::{Asserted, Authenticator, Gesture},
    certificate::localhost,
};
use support::{Keng, child::run, eventually};
use system::{
    SOON,
    people::{but, lost_child},
    town::{HOME, Town},
};

use crate::{
    embedded_court::checked,
    embedded_proof::{all_signed, says},
};

/// The link in the terminal of this start.
async fn link(keng: &Keng) -> Result<String> {
    let is_link = |line: &String| line.starts_with("admin: ");
    let line = keng.lines().wait_for_one(SOON, is_link).await?;
    Ok(line.trim_start_matches("admin: ").to_owned())
}

fn encoded(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn told(asserted: &Asserted) -> Value {
    json!({
        "authenticator_data": encoded(&asserted.authenticator_data),
        "client_data": encoded(&asserted.client_data),
        "signature": encoded(&asserted.signature),
    })
}

/// A client of HTTP, before it is told whom to trust.
pub(crate) fn client() -> ClientBuilder {
    // The first in the process wins, and every one of ours is ring's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy()
}

/// A field of bytes of a protobuf message, as `sign.js` writes it.
fn field_of(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = match u8::try_from(bytes.len()) {
        Ok(short @ ..128) => vec![short],
        _ => vec![(bytes.len() & 127) as u8 | 128, (bytes.len() >> 7) as u8],
    };
    [&[number << 3 | 2], length.as_slice(), bytes].concat()
}

/// Where a browser on this machine finds the pages of a server.
pub(crate) fn origin_of(keng: &Keng) -> Result<String> {
    let port = keng.http().rsplit(':').next().context("port")?;
    Ok(format!("http://localhost:{port}"))
}

/// A browser at one origin.
pub(crate) struct Browser {
    http: Client,
    origin: String,
    phone: Authenticator,
}

impl Browser {
    pub(crate) fn at(origin: &str, http: Client) -> Self {
        Self { http, origin: origin.to_owned(), phone: Authenticator::of_seed(7) }
    }

    fn asserts(&self, challenge: &Value) -> Result<Asserted> {
        let challenge = challenge.as_str().context("a challenge")?;
        let challenge = BASE64_URL_SAFE_NO_PAD.decode(challenge)?;
        Ok(self.phone.asserts(&challenge, &Gesture::at(&self.origin)))
    }

    async fn posts(&self, path: &str, body: &Value) -> Result<reqwest::Response> {
        let request = self.http.post(format!("{}{path}", self.origin)).json(body);
        Ok(request.header("sec-fetch-site", "same-origin").send().await?)
    }

    /// Makes a passkey by a link.
    pub(crate) async fn enrols(&self, link: &str) -> Result<StatusCode> {
        let token = link.split_once('#').context("a link")?.1;
        let data = encoded(&self.phone.made(&Gesture::at(&self.origin)));
        let made = json!({ "token": token, "authenticator_data": data });
        let made = self.posts("/enrol/made", &made).await?;
        if !made.status().is_success() {
            return Ok(made.status());
        }
        let proof = told(&self.asserts(&made.json::<Value>().await?["challenge"])?);
        let all = json!({ "token": token, "authenticator_data": data, "proof": proof });
        Ok(self.posts("/enrol/finish", &all).await?.status())
    }

    /// Signs in: the cookie.
    pub(crate) async fn signs_in(&self) -> Result<String> {
        let challenge = self.http.get(format!("{}/sign-in/challenge", self.origin));
        let challenge = challenge.send().await?.json::<Value>().await?["challenge"].clone();
        let mut body = told(&self.asserts(&challenge)?);
        body["challenge"] = challenge;
        body["credential"] = encoded(&self.phone.credential).into();
        let answer = self.posts("/sign-in/passkey", &body).await?.error_for_status()?;
        let cookie = answer.headers().get("set-cookie").context("a cookie")?.to_str()?;
        Ok(cookie.split(';').next().unwrap_or_default().to_owned())
    }

    /// Raises an alert, signed: its id.
    async fn raises(&self, cookie: &str, alert: &Value) -> Result<String> {
        let asked = json!({ "path": "/v1/alerts", "body": alert, "key": "raise" });
        let request = self.http.post(format!("{}/sign/prepare", self.origin)).json(&asked);
        let request = request.header("sec-fetch-site", "same-origin").header("cookie", cookie);
        let prepared: Value = request.send().await?.error_for_status()?.json().await?;
        let Asserted { authenticator_data, client_data, signature } =
            self.asserts(&prepared["challenge"])?;
        let fields = [authenticator_data, client_data, signature];
        let fields = (1..).zip(fields).flat_map(|(number, field)| field_of(number, &field));
        let mut envelope = prepared["envelope"].clone();
        envelope["signature"] = BASE64_STANDARD.encode(fields.collect::<Vec<_>>()).into();
        let given = self.http.post(format!("{}/v1/commands", self.origin)).json(&envelope);
        let given = given.header("idempotency-key", "raise").send().await?;
        let given: Value = given.error_for_status()?.json().await?;
        Ok(given["id"].as_str().context("an id")?.to_owned())
    }
}

#[tokio::test]
async fn the_first_admin_reads_a_link_in_the_terminal() -> Result<()> {
    let mut keng = Keng::start("up", &[]).await?;
    let first = link(&keng).await?;
    ensure!(first.starts_with("http://localhost:"), "{first}");
    // Nobody used it: the next start has another one.
    keng.restart().await?;
    let second = link(&keng).await?;
    ensure!(first != second);
    let origin = second.split_once("/enrol").context("an origin")?.0;
    let browser = Browser::at(origin, client().build()?);
    ensure!(browser.enrols(&first).await? == StatusCode::FORBIDDEN);
    ensure!(browser.enrols(&second).await? == StatusCode::CREATED);
    let cookie = browser.signs_in().await?;
    let keys = browser.http.get(format!("{origin}/v1/keys")).header("cookie", &cookie);
    let keys: Value = keys.send().await?.error_for_status()?.json().await?;
    let mut keys = keys["keys"].as_array().context("keys")?.iter();
    ensure!(keys.any(|key| key["officer"] == "admin" && key["kind"] == "passkey"));
    // Now there is an admin: who reads the terminal becomes nobody, and the session lives on.
    keng.restart().await?;
    keng.run(&["token", "list"]).await?;
    ensure!(!keng.lines().all().iter().any(|line| line.starts_with("admin: ")));
    let origin = origin_of(&keng)?;
    let list = browser.http.get(format!("{origin}/v1/tokens")).header("cookie", &cookie);
    list.send().await?.error_for_status()?;
    // The admin's own machine gives somebody else a link.
    let asked = ["token", "--enrol", "--officer", "an", "--role", "officer", "--commune", "25126"];
    let made = keng.run(&asked).await?;
    let path = String::from_utf8(made.stdout)?;
    let path = path.lines().last().context("a path")?;
    ensure!(path.starts_with("/enrol#keng_"), "{path}");
    let an = Browser { phone: Authenticator::of_seed(8), ..Browser::at(&origin, browser.http) };
    ensure!(an.enrols(path).await? == StatusCode::CREATED);
    an.signs_in().await?;
    Ok(())
}

/// What a person says at a browser is in the log with the person's own signature, and whoever gets
/// the alert's export finds it good, with `keng verify` and without a line of our code.
#[tokio::test]
async fn an_alert_signed_at_a_browser_stands_in_court() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let keng = town.up(&[]).await?;
    let asked = ["token", "--enrol", "--officer", "an", "--role", "officer", "--commune", HOME];
    let path = String::from_utf8(keng.run(&asked).await?.stdout)?;
    let origin = origin_of(&keng)?;
    let browser = Browser::at(&origin, client().build()?);
    ensure!(browser.enrols(path.trim_end()).await? == StatusCode::CREATED);
    let cookie = browser.signs_in().await?;
    let id = browser.raises(&cookie, &but(lost_child("x"), &json!({}))).await?;
    town.told(&id, "alert.issued", SOON).await?;
    all_signed(&keng, &id, "ReceiptsRecorded").await?;
    let token = keng.token("khanh", "auditor", None).await?;
    let out = crate::embedded_proof::path(town.folder.path(), "out")?;
    let at = ["export", "--server", keng.http(), "--bearer", &token, "--alert", &id];
    says(&[&at[..], &["--out", &out]].concat(), 0).await?;
    let said = checked(&out, 0).await?;
    ensure!(said.contains("1 của cán bộ") && said.contains("an ký bằng khóa"), "{said}");
    // One bit of what the authenticator signed.
    for entry in fs::read_dir(format!("{out}/signatures"))? {
        let file = entry?.path();
        let mut bytes = fs::read(&file)?;
        if bytes.first() == Some(&2) {
            *bytes.last_mut().context("a byte")? ^= 1;
            fs::write(file, bytes)?;
        }
    }
    ensure!(checked(&out, 1).await?.contains("chữ ký không đúng"));
    Ok(())
}

#[tokio::test]
async fn tls_is_spoken_and_plain_http_stays_on_this_machine() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let made = localhost().context("a certificate")?;
    fs::write(&cert, &made.pem)?;
    fs::write(&key, &made.private_pem)?;
    let (cert_path, key_path) = (cert.to_str().context("a path")?, key.to_str().context("a path")?);
    let keng = Keng::start("up", &["--tls-cert", cert_path, "--tls-key", key_path]).await?;
    let link = link(&keng).await?;
    ensure!(link.starts_with("https://localhost:"), "{link}");
    let origin = link.split_once("/enrol").context("an origin")?.0.to_owned();
    let trusting = |pem: &str| -> Result<Client> {
        let root = Certificate::from_pem(pem.as_bytes())?;
        Ok(client().tls_certs_only([root]).build()?)
    };
    let browser = Browser::at(&origin, trusting(&made.pem)?);
    ensure!(browser.enrols(&link).await? == StatusCode::CREATED);
    browser.signs_in().await?;
    // Another certificate is shown when the files change, without a restart.
    let other = localhost().context("a certificate")?;
    fs::write(&cert, &other.pem)?;
    fs::write(&key, &other.private_pem)?;
    rustix::process::kill_process(keng.pid().context("a process")?, rustix::process::Signal::HUP)?;
    let client = trusting(&other.pem)?;
    let page = format!("{origin}/sign-in");
    let is_shown = async || Ok(client.get(&page).send().await.map(drop)?);
    eventually(SOON, is_shown).await?;
    // A token is taken at a page on this machine alone.
    let page = client.get(&page).send().await?.text().await?;
    ensure!(page.contains("passkey-sign-in") && !page.contains("name=\"token\""));

    let data = dir.path().join("data");
    let asked = ["up", "--http", "0.0.0.0:18219", "--data", data.to_str().context("a path")?];
    let refused = run(&asked).await?;
    let said = String::from_utf8(refused.stderr)?;
    ensure!(refused.status.code() == Some(64) && said.contains("--behind-proxy"), "{said}");
    Ok(())
}
