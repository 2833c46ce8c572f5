//! eSMS.vn as its documentation says: it queues, knows a RequestId again, tells how a message is,
//! and calls back. A day never ends here, and nothing is charged.
//!
//! Source: `channels.md`, section 6.1.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use crate::served::{Served, call_back, cut, hang};

/// The only keys that it knows.
pub const API_KEY: &str = "api-key-of-a-test";
/// See [`API_KEY`].
pub const SECRET_KEY: &str = "secret-key-of-a-test";
/// The only brandname that it knows.
pub const BRANDNAME: &str = "KENG";

/// What becomes of a call, instead of the usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// This code, as `103`; nothing is taken.
    Code(&'static str),
    /// This HTTP status with an empty body; nothing is taken.
    Status(u16),
    /// `{"error":"Invalid request"}`; nothing is taken.
    Invalid,
    /// Nothing is taken, and the answer breaks off.
    Cut,
    /// It is taken, and the answer breaks off.
    CutWhenTaken,
    /// It is taken, and no answer comes.
    HangWhenTaken,
}

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its name here.
    pub sms_id: String,
    /// The sender's own.
    pub request_id: String,
    /// To whom.
    pub phone: String,
    /// The text.
    pub content: String,
    /// Where receipts go; empty where nowhere.
    pub callback_url: String,
    /// 1, 2, 4, 5 or 7, as the documentation counts.
    pub status: u8,
    /// How many arrived.
    pub success: u8,
}

#[derive(Default)]
struct Desk {
    fates: VecDeque<Fate>,
    calls: Vec<Value>,
    messages: Vec<Message>,
    is_broke: bool,
}

type Shared = Arc<Mutex<Desk>>;

/// The stand-in; dropping it stops it.
pub struct Esms {
    served: Served,
    desk: Shared,
}

impl Esms {
    /// Starts one.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn start() -> io::Result<Self> {
        let desk = Shared::default();
        let app = Router::new()
            .route("/json/SendMultipleMessage_V4_post_json/", post(take))
            .route("/json/GetBalance_json", post(balance))
            .route("/json/GetSendStatus", get(status))
            .with_state(Arc::clone(&desk));
        Ok(Self { served: Served::start(app).await?, desk })
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/json", self.served.url())
    }

    /// What becomes of the next calls to send, one each.
    pub fn next(&self, fates: impl IntoIterator<Item = Fate>) {
        desk(&self.desk, |desk| desk.fates.extend(fates));
    }

    /// From now on there is no money on the account.
    pub fn is_broke(&self) {
        desk(&self.desk, |desk| desk.is_broke = true);
    }

    /// Every call to send, as it came.
    #[must_use]
    pub fn calls(&self) -> Vec<Value> {
        desk(&self.desk, |desk| desk.calls.clone())
    }

    /// What was taken.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        desk(&self.desk, |desk| desk.messages.clone())
    }

    /// The message comes to this, and its sender is called back, at most
    /// [`crate::served::CALLS_MAX`] times. Says how often; 0 where nobody is to be called.
    pub async fn report(&self, sms_id: &str, status: u8, success: u8) -> usize {
        let told = desk(&self.desk, |desk| {
            let message = desk.messages.iter_mut().find(|message| message.sms_id == sms_id)?;
            (message.status, message.success) = (status, success);
            Some(message.clone())
        });
        let Some(message) = told.filter(|message| !message.callback_url.is_empty()) else {
            return 0;
        };
        let failed = u8::from(status == 5 && success == 0);
        let url = format!(
            "{}?SMSID={sms_id}&SendFailed={failed}&SendStatus={status}&SendSuccess={success}\
             &TotalPrice=0.0000&TotalReceiver=1&TotalSent=1&RequestId={}&TypeId=2&telcoid=1\
             &phonenumber={}&switchsmsid=",
            message.callback_url, message.request_id, message.phone
        );
        call_back("GET", &url, "").await
    }
}

fn desk<T>(shared: &Shared, with: impl FnOnce(&mut Desk) -> T) -> T {
    with(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn take(State(shared): State<Shared>, Json(call): Json<Value>) -> Response {
    let fate = desk(&shared, |desk| {
        desk.calls.push(call.clone());
        desk.fates.pop_front()
    });
    match fate {
        Some(Fate::Code(code)) => refusal(code).into_response(),
        Some(Fate::Status(status)) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY).into_response()
        }
        Some(Fate::Invalid) => Json(json!({"error": "Invalid request"})).into_response(),
        Some(Fate::Cut) => cut(),
        Some(Fate::CutWhenTaken) => {
            let _lost = desk(&shared, |desk| desk.take(&call));
            cut()
        }
        Some(Fate::HangWhenTaken) => {
            let _lost = desk(&shared, |desk| desk.take(&call));
            hang().await
        }
        None => desk(&shared, |desk| desk.take(&call)).into_response(),
    }
}

fn refusal(code: &str) -> Json<Value> {
    Json(json!({"CodeResult": code, "CountRegenerate": 0, "ErrorMessage": "refused"}))
}

fn field(call: &Value, name: &str) -> String {
    call.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn has_keys(call: &Value) -> bool {
    field(call, "ApiKey") == API_KEY && field(call, "SecretKey") == SECRET_KEY
}

impl Desk {
    fn take(&mut self, call: &Value) -> Json<Value> {
        let (phone, request_id) = (field(call, "Phone"), field(call, "RequestId"));
        if !has_keys(call) {
            return refusal("101");
        }
        if field(call, "Brandname") != BRANDNAME {
            return refusal("104");
        }
        if self.is_broke {
            return refusal("103");
        }
        if phone.len() < 10 || !phone.bytes().all(|digit| digit.is_ascii_digit()) {
            return refusal("108");
        }
        let is_known =
            |message: &&Message| !request_id.is_empty() && message.request_id == request_id;
        if let Some(first) = self.messages.iter().find(is_known) {
            let status = first.status.to_string();
            return Json(json!({"CodeResult": "124", "CountRegenerate": 0,
                "ErrorMessage": "Request exist 1", "SendStatus": status}));
        }
        let sms_id = format!("sms-{}", self.messages.len() + 1);
        self.messages.push(Message {
            sms_id: sms_id.clone(),
            request_id,
            phone,
            content: field(call, "Content"),
            callback_url: field(call, "CallbackUrl"),
            status: 2,
            success: 0,
        });
        Json(json!({"CodeResult": "100", "CountRegenerate": 0, "SMSID": sms_id}))
    }
}

async fn balance(State(shared): State<Shared>, Json(call): Json<Value>) -> Json<Value> {
    if !has_keys(&call) {
        let error = "Authorize Failed";
        return Json(json!({"Balance": 0, "CodeResponse": "101", "ErrorMessage": error}));
    }
    let balance = desk(&shared, |desk| if desk.is_broke { 0 } else { 36_693 });
    Json(json!({"Balance": balance, "CodeResponse": "100", "UserID": 9_999}))
}

async fn status(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let asked = query.get("RefId").cloned().unwrap_or_default();
    let found =
        desk(&shared, |desk| desk.messages.iter().find(|message| message.sms_id == asked).cloned());
    let Some(message) = found else {
        return Json(json!({"CodeResponse": "105", "ErrorMessage": "SMSID not found"}));
    };
    let failed = u8::from(message.status == 5 && message.success == 0);
    Json(json!({"CodeResponse": "100", "SMSID": message.sms_id, "SendStatus": message.status,
        "SendSuccess": message.success, "SendFailed": failed}))
}
