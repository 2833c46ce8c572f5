//! SMS by eSMS.vn: `SendMultipleMessage_V4_post_json` for customer care (SmsType 2), its receipts,
//! and messages to a short number.
//!
//! A RequestId is known again for a day, so that a repeat within it shows nothing twice, and
//! whoever does not know how an attempt ended sends it again. An attempt does not know when the
//! first was: a repeat after that day may show twice. No advertising, no Zalo by it, no polling.
//! Source: `channels.md`, section 6.1 (A); the account's balance by the same documentation (A).

use std::{collections::HashMap, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::hex::hex;
use futures::future::{BoxFuture, FutureExt};
use md5::{Digest, Md5};
use registry::Address;
use reqwest::{Request, Url};
use ring::{digest, hmac};
use serde::Deserialize;
use serde_json::{Value, json};
use toml::Table;

use super::{WayBack, Writing, base_url, by_status, down, gone, health, refused, unlisted, word};
use crate::{
    accounts::{Tools, fields},
    channels::{
        Caps, Channel, Confirms, Health, Inbound, Intent, Level, NotReceived, NotRendered, Outcome,
        RawRequest, Received, Rendered, Repeats, Sent, View,
        http::{Answer, Http},
    },
    secret::Secret,
};

const BASE_URL: &str = "https://rest.esms.vn/MainService.svc/json";
/// 160 bits of a hash, in hex: eSMS takes 50 characters.
const REQUEST_ID_BYTES: usize = 20;
/// We answer nothing to whoever wrote: a reply costs, and belongs to the console.
const NO_REPLY: &str =
    "<ClientResponse><Message></Message><Smsid></Smsid><Receiver></Receiver></ClientResponse>";

/// An account of the type `esms`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Fields {
    api_key: Secret,
    secret_key: Secret,
    brandname: String,
    #[serde(default)]
    unicode: bool,
    segments: Option<u8>,
    /// Nothing arrives and nothing is paid.
    #[serde(default)]
    sandbox: bool,
    base_url: Option<String>,
    /// The beginning of the address at which eSMS reaches fan-out, if that is not the public one.
    callback_url: Option<String>,
    callback_secret: Option<Secret>,
    /// The private key of a short number.
    inbound_key: Option<Secret>,
}

/// The channel. Any number of attempts may be under way at once.
struct Esms {
    http: Http,
    base_url: String,
    api_key: Secret,
    secret_key: Secret,
    brandname: String,
    is_sandbox: bool,
    writing: Writing,
    way_back: Option<WayBack>,
    inbound_key: Option<Secret>,
    caps: Caps,
}

/// Opens an account of the type `esms`; calls nobody.
///
/// # Errors
/// What is wrong, with the field's name.
pub fn open(account: &str, table: Table, tools: &Tools) -> Result<Vec<Arc<dyn Channel>>, String> {
    Ok(vec![Arc::new(Esms::of(account, fields(table)?, tools)?)])
}

impl Esms {
    fn of(account: &str, fields: Fields, tools: &Tools) -> Result<Self, String> {
        let Fields { api_key, secret_key, brandname, unicode, segments, sandbox, .. } = fields;
        if brandname.is_empty() {
            return Err("brandname: trống / is empty".to_owned());
        }
        let base_url = base_url(fields.base_url.as_deref(), BASE_URL)?;
        let way_back = match &fields.callback_secret {
            Some(secret) => {
                let ends = (tools.public_url.as_str(), base_url.as_str());
                Some(WayBack::of(account, secret, fields.callback_url.as_deref(), ends)?)
            }
            None if fields.callback_url.is_some() || fields.inbound_key.is_some() => {
                return Err("callback-secret: thiếu / missing".to_owned());
            }
            None => None,
        };
        let writing = Writing::of(unicode, segments)?;
        let confirms = if way_back.is_some() { Confirms::Delivered } else { Confirms::Accepted };
        Ok(Self {
            http: tools.http.clone(),
            base_url,
            api_key,
            secret_key,
            brandname,
            is_sandbox: sandbox,
            writing,
            way_back,
            inbound_key: fields.inbound_key,
            caps: writing.caps(confirms, Repeats::Harmless),
        })
    }

    fn request(&self, message: &Rendered, to: &Address, delivery: &str) -> Option<Request> {
        let flag = |is_set: bool| if is_set { "1" } else { "0" };
        let mut body = json!({
            "ApiKey": self.api_key.reveal(),
            "SecretKey": self.secret_key.reveal(),
            "Phone": &*to.to,
            "Content": message.as_text(),
            "Brandname": self.brandname,
            "SmsType": "2",
            "IsUnicode": flag(self.writing.is_unicode),
            "RequestId": request_id(delivery),
            "Sandbox": flag(self.is_sandbox),
        });
        if let (Some(way_back), Some(body)) = (&self.way_back, body.as_object_mut()) {
            body.insert("CallbackUrl".to_owned(), way_back.url.clone().into());
        }
        self.post("SendMultipleMessage_V4_post_json/", &body)
    }

    /// `None` where the base URL is none.
    fn post(&self, what: &str, body: &Value) -> Option<Request> {
        self.http.client().post(format!("{}/{what}", self.base_url)).json(body).build().ok()
    }

    fn inbound(&self, query: &HashMap<String, String>) -> Result<Received, NotReceived> {
        let key = self.inbound_key.as_ref().ok_or(NotReceived::Unsupported)?;
        let field = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let signed = [field("cpid"), field("smsid"), field("content"), field("receiverTime")];
        if !is_same(&sign(signed, key.reveal()), field("sign")) {
            return Err(NotReceived::NotSigned);
        }
        let (from, message_id) = (field("sender").to_owned(), field("smsid").to_owned());
        if from.is_empty() || message_id.is_empty() {
            return Err(NotReceived::NotReadable);
        }
        Ok(Received { inbound: vec![Inbound::Tip { from, message_id }], answer: NO_REPLY })
    }
}

impl Channel for Esms {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn render(&self, view: &View<'_>) -> Result<Rendered, NotRendered> {
        self.writing.render(view)
    }

    fn note(&self, text: &str, _: &str) -> Option<Rendered> {
        self.writing.note(text)
    }

    fn send<'a>(
        &'a self,
        message: &'a Rendered,
        to: &'a Address,
        intent: Intent<'a>,
    ) -> BoxFuture<'a, Sent> {
        async move {
            let Some(request) = self.request(message, to, intent.delivery) else {
                return Outcome::Retry { after_s: None, why: "address" }.into();
            };
            let now_s = intent.now.0.div_euclid(1_000);
            match self.http.call(request).await {
                Ok(answer) => of_answer(&answer, &request_id(intent.delivery), now_s),
                Err(no) => Outcome::from(no).into(),
            }
        }
        .boxed()
    }

    fn receive(&self, request: RawRequest<'_>) -> Result<Received, NotReceived> {
        let way_back = self.way_back.as_ref().ok_or(NotReceived::Unsupported)?;
        way_back.verify(request.path)?;
        let query = pairs(request.query)?;
        if request.method != "GET" {
            return Err(NotReceived::NotReadable);
        }
        if query.contains_key("sign") {
            return self.inbound(&query);
        }
        let number = |name: &str| query.get(name).and_then(|text| text.trim().parse::<u32>().ok());
        let status = number("SendStatus").ok_or(NotReceived::NotReadable)?;
        let level = match status {
            5 if number("SendSuccess") > Some(0) => Level::Delivered,
            5 if number("SendFailed") > Some(0) => Level::Failed,
            4 => Level::Failed,
            _ => {
                let event = format!("SendStatus {status}");
                return Ok(Received { inbound: vec![Inbound::Ignored { event }], answer: "" });
            }
        };
        // By our own RequestId, as every attempt was recorded: see `of_answer`.
        let mut names = ["RequestId", "SMSID"].into_iter().filter_map(|name| query.get(name));
        let provider_id = names.find(|name| !name.is_empty()).cloned();
        let provider_id = provider_id.ok_or(NotReceived::NotReadable)?;
        let receipt = Inbound::Receipt { provider_id, level, at: request.now };
        Ok(Received { inbound: vec![receipt], answer: "" })
    }

    fn probe(&self) -> BoxFuture<'_, Health> {
        async move {
            let keys =
                json!({"ApiKey": self.api_key.reveal(), "SecretKey": self.secret_key.reveal()});
            let Some(request) = self.post("GetBalance_json", &keys) else {
                return health(down("base-url"));
            };
            match self.http.call(request).await {
                Ok(answer) => health(of_balance(&answer)),
                Err(no) => health(Outcome::from(no)),
            }
        }
        .boxed()
    }
}

/// The same for a delivery at every attempt.
fn request_id(delivery: &str) -> String {
    let hash = digest::digest(&digest::SHA256, delivery.as_bytes());
    hex(hash.as_ref().get(..REQUEST_ID_BYTES).unwrap_or_default())
}

fn of_answer(answer: &Answer, request_id: &str, now_s: i64) -> Sent {
    let body: Value = answer.json().unwrap_or_default();
    let code = word(&body, "CodeResult");
    if code.is_empty() {
        // Documented with code 99, and given without it.
        let is_refused = word(&body, "error") == "Invalid request";
        let outcome = if is_refused { refused("request") } else { by_status(answer, now_s) };
        return Sent::with(outcome, answer.status.as_u16());
    }
    // Not by the SMSID: "duplicate" does not say it, and a receipt tells both names. One for all is
    // the RequestId, so that each receipt is one, and none is of a message that nobody knows.
    let provider_id = Some(request_id.to_owned());
    let outcome = match code.as_str() {
        "100" => Outcome::Accepted { provider_id },
        // The first of this RequestId was refused, and so is every other: no repeat helps.
        "124" if word(&body, "SendStatus") == "4" => refused("request-refused"),
        "124" => Outcome::Duplicate { provider_id },
        code => of_code(code).unwrap_or_else(|| unlisted(answer, now_s)),
    };
    Sent::with(outcome, code.parse::<u32>().unwrap_or(0))
}

/// What is no success; `None` where the code is not known.
fn of_code(code: &str) -> Option<Outcome> {
    Some(match code {
        "160" => Outcome::Retry { after_s: None, why: "rate" },
        "108" => gone("number"),
        "99" => refused("blocked-number"),
        "118" => refused("type"),
        "146" => refused("template"),
        "177" => refused("carrier"),
        "201" => refused("blocked-word"),
        "107" | "110" | "120" | "163" | "300" | "687" => refused("request"),
        "101" => down("key"),
        "102" => down("price-list"),
        "103" => down("money"),
        "104" => down("brandname"),
        "140" => down("ip"),
        "143" => down("locked"),
        _ => return None,
    })
}

fn of_balance(answer: &Answer) -> Outcome {
    let body: Value = answer.json().unwrap_or_default();
    match word(&body, "CodeResponse").as_str() {
        "" => by_status(answer, 0),
        "100" => match word(&body, "Balance").parse::<f64>() {
            Ok(balance) if balance <= 0.0 => down("money"),
            _ => Outcome::Accepted { provider_id: None },
        },
        code => of_code(code).unwrap_or_else(|| unlisted(answer, 0)),
    }
}

/// The fields of a query, decoded; of several with one name the last.
fn pairs(query: &str) -> Result<HashMap<String, String>, NotReceived> {
    let mut url = Url::parse("http://localhost/").map_err(|_| NotReceived::NotReadable)?;
    url.set_query(Some(query));
    Ok(url.query_pairs().into_owned().collect())
}

/// MD5 is weak: whoever calls has shown the secret in the path first.
fn sign(fields: [&str; 4], key: &str) -> String {
    let mut hash = Md5::new();
    for field in fields.into_iter().chain([key]) {
        hash.update(field.as_bytes());
    }
    BASE64_STANDARD.encode(hash.finalize())
}

/// In constant time: what is compared are MACs.
fn is_same(one: &str, other: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"keng inbound");
    hmac::verify(&key, other.as_bytes(), hmac::sign(&key, one.as_bytes()).as_ref()).is_ok()
}

#[cfg(test)]
#[path = "esms_tests.rs"]
mod tests;
