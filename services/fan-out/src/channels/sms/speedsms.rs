//! SMS by SpeedSMS: one number a call, and the status that it calls back with.
//!
//! It knows no key of ours: a repeat shows twice, and nobody can ask what became of an attempt
//! whose answer was lost, since only the answer names it. No polling of what was named.
//! Source: `channels.md`, section 6.2 (B: the error page, and code that works with it).

use std::sync::Arc;

use domain::hex::hex;
use futures::future::{BoxFuture, FutureExt};
use registry::Address;
use reqwest::Request;
use ring::digest;
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

const BASE_URL: &str = "https://api.speedsms.vn/index.php";
/// By a brandname of the operator's own.
const OF_A_BRAND: u8 = 3;
/// 2 any number, 3 brandname, 4 the provider's brandname, 5 a telephone, 6 to 8 fixed numbers; 1 is
/// advertising.
const SMS_TYPES: std::ops::RangeInclusive<u8> = 2..=8;

/// An account of the type `speedsms`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Fields {
    token: Secret,
    #[serde(default)]
    sender: String,
    sms_type: Option<u8>,
    #[serde(default)]
    unicode: bool,
    segments: Option<u8>,
    base_url: Option<String>,
    /// The beginning of the address at which the provider reaches fan-out, if that is not the
    /// public one.
    callback_url: Option<String>,
    callback_secret: Option<Secret>,
}

/// The channel. Any number of attempts may be under way at once.
struct SpeedSms {
    http: Http,
    base_url: String,
    token: Secret,
    sender: String,
    sms_type: u8,
    writing: Writing,
    way_back: Option<WayBack>,
    caps: Caps,
}

/// Opens an account of the type `speedsms`; calls nobody. Its address for callbacks is entered at
/// the provider's own pages: `<callback-url>/v1/channels/<account>/callback/<callback-secret>`.
///
/// # Errors
/// What is wrong, with the field's name.
pub fn open(account: &str, table: Table, tools: &Tools) -> Result<Vec<Arc<dyn Channel>>, String> {
    Ok(vec![Arc::new(SpeedSms::of(account, fields(table)?, tools)?)])
}

impl SpeedSms {
    fn of(account: &str, fields: Fields, tools: &Tools) -> Result<Self, String> {
        let sms_type = fields.sms_type.unwrap_or(OF_A_BRAND);
        if !SMS_TYPES.contains(&sms_type) {
            return Err("sms-type: phải từ 2 đến 8 / is not 2 to 8".to_owned());
        }
        if sms_type == OF_A_BRAND && fields.sender.is_empty() {
            return Err("sender: thiếu / missing".to_owned());
        }
        let base_url = base_url(fields.base_url.as_deref(), BASE_URL)?;
        let way_back = match (&fields.callback_secret, fields.callback_url.as_deref()) {
            (Some(secret), own) => {
                let ends = (tools.public_url.as_str(), base_url.as_str());
                Some(WayBack::of(account, secret, own, ends)?)
            }
            (None, Some(_)) => return Err("callback-secret: thiếu / missing".to_owned()),
            (None, None) => None,
        };
        let writing = Writing::of(fields.unicode, fields.segments)?;
        let confirms = if way_back.is_some() { Confirms::Delivered } else { Confirms::Accepted };
        Ok(Self {
            http: tools.http.clone(),
            base_url,
            token: fields.token,
            sender: fields.sender,
            sms_type,
            writing,
            way_back,
            caps: writing.caps(confirms, Repeats::ShownTwice),
        })
    }

    /// `None` where the base URL is none.
    fn request(&self, message: &Rendered, to: &Address) -> Option<Request> {
        let body = json!({
            "to": [&*to.to],
            "content": message.as_text(),
            "sms_type": self.sms_type,
            "sender": self.sender,
        });
        let post = self.http.client().post(format!("{}/sms/send", self.base_url));
        post.basic_auth(self.token.reveal(), Some("x")).json(&body).build().ok()
    }
}

impl Channel for SpeedSms {
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
            let Some(request) = self.request(message, to) else {
                return Outcome::Retry { after_s: None, why: "address" }.into();
            };
            let now_s = intent.now.0.div_euclid(1_000);
            match self.http.call(request).await {
                Ok(answer) => of_answer(&answer, now_s),
                Err(no) => Outcome::from(no).into(),
            }
        }
        .boxed()
    }

    fn receive(&self, request: RawRequest<'_>) -> Result<Received, NotReceived> {
        let way_back = self.way_back.as_ref().ok_or(NotReceived::Unsupported)?;
        way_back.verify(request.path)?;
        let body: Value =
            serde_json::from_slice(request.body).map_err(|_| NotReceived::NotReadable)?;
        let inbound = match (word(&body, "tranId"), word(&body, "status").as_str()) {
            (provider_id, "0") if !provider_id.is_empty() => {
                Inbound::Receipt { provider_id, level: Level::Delivered, at: request.now }
            }
            // Which of the others are the last word is not documented well enough (C).
            (provider_id, status) if !provider_id.is_empty() => Inbound::Ignored {
                event: format!("status {}", status.parse::<i64>().unwrap_or(-1)),
            },
            _ => {
                let from = word(&body, "phone");
                if from.is_empty() || body.get("content").is_none() {
                    let event = "unknown".to_owned();
                    return Ok(Received { inbound: vec![Inbound::Ignored { event }], answer: "" });
                }
                // It has no name of the provider's: the same bytes again are the same message.
                let hash = digest::digest(&digest::SHA256, request.body);
                Inbound::Tip { from, message_id: hex(hash.as_ref()) }
            }
        };
        Ok(Received { inbound: vec![inbound], answer: "" })
    }

    fn probe(&self) -> BoxFuture<'_, Health> {
        async move {
            let get = self.http.client().get(format!("{}/user/info", self.base_url));
            let Ok(request) = get.basic_auth(self.token.reveal(), Some("x")).build() else {
                return health(down("base-url"));
            };
            match self.http.call(request).await {
                Ok(answer) => health(of_info(&answer)),
                Err(no) => health(Outcome::from(no)),
            }
        }
        .boxed()
    }
}

fn of_answer(answer: &Answer, now_s: i64) -> Sent {
    let body: Value = answer.json().unwrap_or_default();
    let code = word(&body, "code");
    let is_success = word(&body, "status") == "success";
    let outcome = match code.as_str() {
        "00" if is_success => of_data(body.get("data").unwrap_or(&Value::Null)),
        "" => by_status(answer, now_s),
        code => of_code(code).unwrap_or_else(|| unlisted(answer, now_s)),
    };
    let status = code.parse::<u32>().ok().filter(|code| *code > 0);
    Sent::with(outcome, status.unwrap_or(answer.status.as_u16().into()))
}

/// One number was given: where it is no number, nobody was told.
fn of_data(data: &Value) -> Outcome {
    let invalid = data.get("invalidPhone").and_then(Value::as_array);
    if invalid.is_some_and(|numbers| !numbers.is_empty()) {
        return gone("number");
    }
    let provider_id = Some(word(data, "tranId")).filter(|id| !id.is_empty());
    Outcome::Accepted { provider_id }
}

/// What is no success; `None` where the code is not known. 500 asks for another try, and does not
/// say that this one did nothing.
fn of_code(code: &str) -> Option<Outcome> {
    Some(match code {
        "007" => down("ip"),
        "008" => down("locked"),
        "009" => down("not-allowed"),
        "101" => refused("request"),
        "105" => gone("number"),
        "110" => refused("encoding"),
        "113" => refused("too-long"),
        "300" => down("money"),
        "500" => Outcome::Unknown { after_s: None, why: "status" },
        _ => return None,
    })
}

fn of_info(answer: &Answer) -> Outcome {
    let body: Value = answer.json().unwrap_or_default();
    if word(&body, "status") != "success" {
        return match word(&body, "code").as_str() {
            "" => by_status(answer, 0),
            code => of_code(code).unwrap_or_else(|| unlisted(answer, 0)),
        };
    }
    let balance = body.get("data").map(|data| word(data, "balance")).unwrap_or_default();
    match balance.parse::<f64>() {
        Ok(balance) if balance <= 0.0 => down("money"),
        _ => Outcome::Accepted { provider_id: None },
    }
}

#[cfg(test)]
#[path = "speedsms_tests.rs"]
mod tests;
