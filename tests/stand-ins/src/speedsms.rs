//! SpeedSMS as its error page and the code that works with it say: it knows no message again, and
//! calls one address of the account back.
//!
//! Source: `channels.md`, section 6.2.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::served::{Served, authorization, call_back, cut, hang};

/// The only token that it knows.
pub const TOKEN: &str = "token-of-a-test";
/// The first transaction has this number.
const FIRST_TRAN_ID: u64 = 7_001;

/// What becomes of a call, instead of the usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// This code, as `300`; nothing is taken.
    Code(&'static str),
    /// This HTTP status with an empty body; nothing is taken.
    Status(u16),
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
    /// Its number here.
    pub tran_id: u64,
    /// To whom.
    pub phone: String,
    /// The text.
    pub content: String,
    /// 0 arrived; -1 while nothing is known.
    pub status: i64,
}

#[derive(Default)]
struct Desk {
    fates: VecDeque<Fate>,
    calls: Vec<Value>,
    messages: Vec<Message>,
    webhook: String,
    is_broke: bool,
}

type Shared = Arc<Mutex<Desk>>;

/// The stand-in; dropping it stops it.
pub struct SpeedSms {
    served: Served,
    desk: Shared,
}

impl SpeedSms {
    /// Starts one.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn start() -> io::Result<Self> {
        let desk = Shared::default();
        let app = Router::new()
            .route("/index.php/sms/send", post(take))
            .route("/index.php/sms/status/{tran_id}", get(status))
            .route("/index.php/user/info", get(info))
            .with_state(Arc::clone(&desk));
        Ok(Self { served: Served::start(app).await?, desk })
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/index.php", self.served.url())
    }

    /// What becomes of the next calls to send, one each.
    pub fn next(&self, fates: impl IntoIterator<Item = Fate>) {
        desk(&self.desk, |desk| desk.fates.extend(fates));
    }

    /// Where the account is called back.
    pub fn calls_back(&self, url: &str) {
        desk(&self.desk, |desk| url.clone_into(&mut desk.webhook));
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

    /// The message comes to this, and the account is called back, at most
    /// [`crate::served::CALLS_MAX`] times. Says how often; 0 where nobody is to be called.
    pub async fn report(&self, tran_id: u64, status: i64) -> usize {
        let told = desk(&self.desk, |desk| {
            let message = desk.messages.iter_mut().find(|message| message.tran_id == tran_id)?;
            message.status = status;
            Some((message.phone.clone(), desk.webhook.clone()))
        });
        let Some((phone, url)) = told.filter(|(_, url)| !url.is_empty()) else { return 0 };
        let body = json!({"type": "report", "tranId": tran_id, "phone": phone, "status": status});
        call_back("POST", &url, &body.to_string()).await
    }
}

fn desk<T>(shared: &Shared, with: impl FnOnce(&mut Desk) -> T) -> T {
    with(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

fn is_let_in(headers: &HeaderMap) -> bool {
    authorization(headers) == format!("Basic {}", BASE64_STANDARD.encode(format!("{TOKEN}:x")))
}

async fn take(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Json(call): Json<Value>,
) -> Response {
    if !is_let_in(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let fate = desk(&shared, |desk| {
        desk.calls.push(call.clone());
        desk.fates.pop_front()
    });
    match fate {
        Some(Fate::Code(code)) => refusal(code).into_response(),
        Some(Fate::Status(status)) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY).into_response()
        }
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
    Json(json!({"status": "error", "code": code, "message": "refused"}))
}

impl Desk {
    fn take(&mut self, call: &Value) -> Json<Value> {
        if self.is_broke {
            return refusal("300");
        }
        let content = call.get("content").and_then(Value::as_str).unwrap_or_default().to_owned();
        let numbers = call.get("to").and_then(Value::as_array).cloned().unwrap_or_default();
        let numbers: Vec<String> =
            numbers.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let tran_id = FIRST_TRAN_ID + self.messages.len() as u64;
        let (valid, invalid): (Vec<String>, Vec<String>) =
            numbers.into_iter().partition(|number| number.starts_with("84"));
        let count = valid.len();
        for phone in valid {
            let content = content.clone();
            self.messages.push(Message { tran_id, phone, content, status: -1 });
        }
        Json(json!({"status": "success", "code": "00", "data": {"tranId": tran_id,
            "totalSMS": count, "totalPrice": 250 * count, "invalidPhone": invalid}}))
    }
}

async fn status(State(shared): State<Shared>, Path(tran_id): Path<u64>) -> Json<Value> {
    let found = desk(&shared, |desk| {
        let of_it = desk.messages.iter().filter(|message| message.tran_id == tran_id);
        of_it.map(|one| json!({"phone": one.phone, "status": one.status})).collect::<Vec<_>>()
    });
    if found.is_empty() {
        return refusal("101");
    }
    Json(json!({"status": "success", "data": found}))
}

async fn info(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if !is_let_in(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let balance = desk(&shared, |desk| if desk.is_broke { 0 } else { 20_000 });
    let data = json!({"email": "a@example.vn", "balance": balance, "currency": "VND"});
    Json(json!({"status": "success", "data": data})).into_response()
}
