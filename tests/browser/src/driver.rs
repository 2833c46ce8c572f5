//! The few commands of WebDriver (W3C) that the stories need, as JSON over HTTP.
//!
//! Not a crate: thirtyfour would have serde_json keep the order of keys in every crate that is
//! built beside it, and fantoccini brings a second copy of half of the web.

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// How WebDriver names a reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A session of a browser.
#[derive(Debug, Clone)]
pub struct Driver {
    http: Client,
    /// `http://127.0.0.1:PORT/session/ID`.
    session: String,
}

/// An element of the page as it was when it was found.
#[derive(Debug, Clone)]
pub struct Element {
    driver: Driver,
    /// `element/ID`.
    path: String,
}

impl Driver {
    /// Begins a session of Chromium with these arguments.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn begin(url: &str, arguments: &[String]) -> Result<Self> {
        // Who has installed one already has the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let wanted = json!({ "goog:chromeOptions": { "args": arguments } });
        let body = json!({ "capabilities": { "alwaysMatch": wanted } });
        let http = Client::builder().no_proxy().build()?;
        let begun = call(&http, Method::POST, &format!("{url}/session"), Some(&body)).await?;
        let id = begun.get("sessionId").and_then(Value::as_str).context("no session")?;
        Ok(Self { http, session: format!("{url}/session/{id}") })
    }

    /// Goes to an address.
    ///
    /// # Errors
    /// The page does not load.
    pub async fn goto(&self, url: &str) -> Result<()> {
        self.post("url", &json!({ "url": url })).await.map(drop)
    }

    /// The first element that a CSS selector fits.
    ///
    /// # Errors
    /// There is none.
    pub async fn find(&self, css: &str) -> Result<Element> {
        let body = json!({ "using": "css selector", "value": css });
        let found = self.post("element", &body).await?;
        let id = found.get(ELEMENT).and_then(Value::as_str).context("no element")?;
        Ok(Element { driver: self.clone(), path: format!("element/{id}") })
    }

    /// Runs a script that calls its last argument with what it comes to.
    ///
    /// # Errors
    /// It throws, or does not end.
    pub async fn execute(&self, script: &str) -> Result<Value> {
        self.post("execute/async", &json!({ "script": script, "args": [] })).await
    }

    /// A command of the Chrome DevTools Protocol.
    ///
    /// # Errors
    /// Chromium refuses it.
    pub async fn devtools(&self, method: &str, params: Value) -> Result<Value> {
        let body = json!({ "cmd": method, "params": params });
        self.post("goog/cdp/execute", &body).await.with_context(|| method.to_owned())
    }

    /// Gives the browser a device that keeps passkeys, and whose person always says yes.
    ///
    /// # Errors
    /// The driver knows no such devices.
    pub async fn authenticator(&self) -> Result<()> {
        let device = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true,
        });
        self.post("webauthn/authenticator", &device).await.map(drop)
    }

    /// Ends the session, and the browser with it.
    ///
    /// # Errors
    /// It is gone already.
    pub async fn quit(self) -> Result<()> {
        call(&self.http, Method::DELETE, &self.session, None).await.map(drop)
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        call(&self.http, Method::POST, &format!("{}/{path}", self.session), Some(body)).await
    }

    async fn get(&self, path: &str) -> Result<Value> {
        call(&self.http, Method::GET, &format!("{}/{path}", self.session), None).await
    }
}

impl Element {
    /// Whether somebody who looks at the page sees it.
    ///
    /// # Errors
    /// It is no longer on the page.
    pub async fn is_displayed(&self) -> Result<bool> {
        let shown = self.driver.get(&format!("{}/displayed", self.path)).await?;
        shown.as_bool().context("no answer")
    }

    /// Its words, as somebody reads them.
    ///
    /// # Errors
    /// It is no longer on the page.
    pub async fn text(&self) -> Result<String> {
        let text = self.driver.get(&format!("{}/text", self.path)).await?;
        text.as_str().map(str::to_owned).context("no text")
    }

    /// Presses it, after scrolling to it.
    ///
    /// # Errors
    /// Something lies over it, or it is gone.
    pub async fn click(&self) -> Result<()> {
        self.driver.post(&format!("{}/click", self.path), &json!({})).await.map(drop)
    }

    /// Empties a field.
    ///
    /// # Errors
    /// It is no field.
    pub async fn clear(&self) -> Result<()> {
        self.driver.post(&format!("{}/clear", self.path), &json!({})).await.map(drop)
    }

    /// Types into it.
    ///
    /// # Errors
    /// It takes no keys.
    pub async fn send_keys(&self, text: &str) -> Result<()> {
        let body = json!({ "text": text });
        self.driver.post(&format!("{}/value", self.path), &body).await.map(drop)
    }
}

/// One call; what it comes to, or what the driver says went wrong.
async fn call(http: &Client, method: Method, url: &str, body: Option<&Value>) -> Result<Value> {
    let request = http.request(method, url);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let answer = request.send().await?;
    let is_good = answer.status().is_success();
    let mut answer: Value = answer.json().await?;
    let value = answer.get_mut("value").map(Value::take).unwrap_or_default();
    ensure!(is_good, "the driver says: {value}");
    Ok(value)
}
