//! The requests to Zalo's OpenAPI and OAuth v4, and what their answers say. Source: `channels.md`,
//! 2.1 to 2.4. One try a call; no token is kept here, and none is shown.

use std::sync::Arc;

use bytes::Bytes;
use domain::hex::hex;
use reqwest::{
    Method, Request, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderValue},
};
use ring::{digest, hmac};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use super::{errors::Class, minute::Left, saved::Pair};
use crate::{
    channels::{
        Outcome, Sent,
        http::{Answer, Http, NoAnswer},
    },
    secret::Secret,
};

/// An access token lives 25 hours where the answer does not say otherwise.
pub(super) const LIFE_S: u32 = 90_000;

/// The app, the account, and where they are reached.
pub(super) struct App {
    pub(super) app_id: String,
    pub(super) app_secret: Secret,
    pub(super) oa_id: String,
    /// Whether each call proves that it knows the app's secret.
    pub(super) has_proof: bool,
    /// Without a slash at the end, as `https://openapi.zalo.me`.
    pub(super) openapi: String,
    /// Without a slash at the end, as `https://oauth.zaloapp.com`.
    pub(super) oauth: String,
}

/// Calls for one account. Cloning shares connections.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) http: Http,
    pub(super) app: Arc<App>,
}

/// Who is written to.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Recipient<'a> {
    UserId(&'a str),
    GroupId(&'a str),
}

/// A message as it is put on the wire, in this order.
#[derive(Serialize)]
pub(super) struct Outgoing<'a> {
    recipient: Recipient<'a>,
    message: Message<'a>,
}

#[derive(Serialize)]
struct Message<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<Attachment<'a>>,
}

#[derive(Serialize)]
struct Attachment<'a> {
    r#type: &'static str,
    payload: Payload<'a>,
}

#[derive(Serialize)]
struct Payload<'a> {
    template_type: &'static str,
    elements: [Element<'a>; 1],
}

/// By its id: one source saw pictures by `url` refused in groups (C).
#[derive(Serialize)]
struct Element<'a> {
    media_type: &'static str,
    attachment_id: &'a str,
}

impl<'a> Outgoing<'a> {
    /// A text, and a picture that was uploaded before.
    pub(super) fn new(
        recipient: Recipient<'a>,
        text: &'a str,
        attachment_id: Option<&'a str>,
    ) -> Self {
        let attachment = attachment_id.map(|attachment_id| Attachment {
            r#type: "template",
            payload: Payload {
                template_type: "media",
                elements: [Element { media_type: "image", attachment_id }],
            },
        });
        Self { recipient, message: Message { text, attachment } }
    }
}

/// What is asked for with an access token.
#[derive(Clone, Copy)]
pub(super) enum Ask<'a> {
    /// Who the account is.
    GetOa,
    /// A message goes out.
    Send(&'a Outgoing<'a>),
    /// A picture, as JPEG, is put there.
    Upload(&'a Bytes),
    /// A page of what was said, the newest first.
    Said { whom: Recipient<'a>, offset: usize, count: usize },
}

/// What Zalo says.
pub(super) struct Reply {
    /// 0 where it did what was asked for.
    pub(super) error: i64,
    /// Its words about the error. They may be shown only by `errors::shown`.
    pub(super) message: String,
    /// What was asked for.
    pub(super) data: Value,
    /// What is left of the minute, where it says so.
    pub(super) left: Option<Left>,
}

/// Zalo says nothing that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoReply {
    /// Nothing was written.
    NotSent(&'static str),
    /// What was asked for may be done.
    MayBeSent { why: &'static str, status: u16, after_s: Option<u32> },
}

impl From<NoReply> for Sent {
    fn from(no: NoReply) -> Self {
        match no {
            NoReply::NotSent(why) => Outcome::Retry { after_s: None, why }.into(),
            NoReply::MayBeSent { why, status, after_s } => {
                Self::with(Outcome::Unknown { after_s, why }, status)
            }
        }
    }
}

impl From<NoAnswer> for NoReply {
    fn from(no: NoAnswer) -> Self {
        match no {
            NoAnswer::NotSent(why) => Self::NotSent(why),
            NoAnswer::MayBeSent(why) => Self::MayBeSent { why, status: 0, after_s: None },
        }
    }
}

/// What became of a renewal.
pub(super) enum Renewal {
    /// This pair, and no other, works from now on.
    Pair(Pair),
    /// It was certainly not begun; says why.
    NotNow(&'static str),
    /// It may have been done; says why.
    InDoubt(&'static str),
    /// It is refused, with Zalo's code; 0 where there is none.
    Refused(i64),
}

/// Whether an access token still works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alive {
    Works,
    Refused,
    CannotTell,
}

impl Api {
    /// One call with an access token, over `by` then.
    pub(super) async fn call(
        &self,
        ask: Ask<'_>,
        access: &Secret,
        by: Instant,
    ) -> Result<Reply, NoReply> {
        let mut request = self.request(ask, access).ok_or(NoReply::NotSent("address"))?;
        *request.timeout_mut() = Some(by.saturating_duration_since(Instant::now()));
        reply(&self.http.call(request).await?)
    }

    /// Asks, without doing anything, whether a token still works.
    pub(super) async fn is_alive(&self, access: &Secret, by: Instant) -> Alive {
        let Ok(reply) = self.call(Ask::GetOa, access, by).await else { return Alive::CannotTell };
        match Class::of(reply.error) {
            Some(Class::Token) => Alive::Refused,
            Some(Class::NextMinute | Class::FewTimes) => Alive::CannotTell,
            // Whatever else is wrong, it knows whose token it is.
            _ => Alive::Works,
        }
    }

    /// One renewal. Whatever is in doubt is so for the pair that was given.
    pub(super) async fn renew(&self, pair: &Pair, by: Instant) -> Renewal {
        let Some(mut request) = self.renewing(&pair.refresh) else {
            return Renewal::NotNow("address");
        };
        *request.timeout_mut() = Some(by.saturating_duration_since(Instant::now()));
        match self.http.call(request).await {
            Ok(answer) => renewal(&answer, pair),
            Err(NoAnswer::NotSent(why)) => Renewal::NotNow(why),
            Err(NoAnswer::MayBeSent(why)) => Renewal::InDoubt(why),
        }
    }

    fn request(&self, ask: Ask<'_>, access: &Secret) -> Option<Request> {
        let path = match ask {
            Ask::GetOa => "/v2.0/oa/getoa",
            Ask::Send(Outgoing { recipient: Recipient::UserId(_), .. }) => "/v3.0/oa/message/cs",
            Ask::Send(_) => "/v3.0/oa/group/message",
            Ask::Upload(_) => "/v2.0/oa/upload/image",
            Ask::Said { whom: Recipient::UserId(_), .. } => "/v2.0/oa/conversation",
            Ask::Said { .. } => "/v3.0/oa/group/conversation",
        };
        let mut url = Url::parse(&format!("{}{path}", self.app.openapi)).ok()?;
        let mut request = match ask {
            Ask::GetOa => Request::new(Method::GET, url),
            Ask::Said { whom, offset, count } => {
                query(&mut url, whom, offset, count)?;
                Request::new(Method::GET, url)
            }
            Ask::Send(message) => {
                let body = serde_json::to_vec(message).ok()?;
                post(url, HeaderValue::from_static("application/json"), body)
            }
            Ask::Upload(jpeg) => {
                let (content_type, body) = multipart(jpeg)?;
                post(url, content_type, body)
            }
        };
        request.headers_mut().insert("access_token", sealed(access.reveal())?);
        if self.app.has_proof {
            let key = hmac::Key::new(hmac::HMAC_SHA256, self.app.app_secret.reveal().as_bytes());
            let proof = hex(hmac::sign(&key, access.reveal().as_bytes()).as_ref());
            request.headers_mut().insert("appsecret_proof", sealed(&proof)?);
        }
        Some(request)
    }

    fn renewing(&self, refresh: &Secret) -> Option<Request> {
        let url = Url::parse(&format!("{}/v4/oa/access_token", self.app.oauth)).ok()?;
        // A form is written as a query is.
        let mut form = url.clone();
        form.set_query(None);
        form.query_pairs_mut()
            .append_pair("refresh_token", refresh.reveal())
            .append_pair("app_id", &self.app.app_id)
            .append_pair("grant_type", "refresh_token");
        let body = form.query()?.as_bytes().to_vec();
        let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let mut request = post(url, content_type, body);
        request.headers_mut().insert("secret_key", sealed(self.app.app_secret.reveal())?);
        Some(request)
    }
}

fn post(url: Url, content_type: HeaderValue, body: Vec<u8>) -> Request {
    let mut request = Request::new(Method::POST, url);
    request.headers_mut().insert(CONTENT_TYPE, content_type);
    *request.body_mut() = Some(body.into());
    request
}

/// Groups take plain parameters (B), followers one JSON in `data` (A).
fn query(url: &mut Url, whom: Recipient<'_>, offset: usize, count: usize) -> Option<()> {
    #[derive(Serialize)]
    struct Data<'a> {
        user_id: &'a str,
        offset: usize,
        count: usize,
    }
    match whom {
        Recipient::GroupId(group) => {
            url.query_pairs_mut()
                .append_pair("group_id", group)
                .append_pair("offset", &offset.to_string())
                .append_pair("count", &count.to_string());
        }
        Recipient::UserId(user_id) => {
            let data = serde_json::to_string(&Data { user_id, offset, count }).ok()?;
            url.query_pairs_mut().append_pair("data", &data);
        }
    }
    Some(())
}

fn sealed(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// One file in the field `file` (B). The boundary is made of the bytes, so that they cannot have it
/// in them but by a miracle, and the same picture gives the same request.
fn multipart(jpeg: &Bytes) -> Option<(HeaderValue, Vec<u8>)> {
    let digest = hex(digest::digest(&digest::SHA256, jpeg).as_ref());
    let boundary = format!("keng-{}", digest.get(..32)?);
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"photo.jpg\"\r\n\
         Content-Type: image/jpeg\r\n\r\n"
    );
    let body = [head.as_bytes(), jpeg, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
    let content_type = format!("multipart/form-data; boundary={boundary}");
    Some((HeaderValue::try_from(content_type).ok()?, body))
}

/// An error comes with HTTP 200; what cannot be read may hide that it was done.
fn reply(answer: &Answer) -> Result<Reply, NoReply> {
    let status = answer.status;
    // Seconds only: Zalo documents no such header at all, so no clock is asked for a date.
    let after_s = answer.retry_after_s(i64::MAX);
    let unclear = |why: &'static str| NoReply::MayBeSent { why, status: status.as_u16(), after_s };
    if status.is_server_error() {
        return Err(unclear("status"));
    }
    let why = if status.is_success() { "not-json" } else { "status" };
    let Some(Value::Object(mut fields)) = answer.json::<Value>() else { return Err(unclear(why)) };
    let Some(error) = fields.get("error").and_then(number) else { return Err(unclear(why)) };
    let message = fields.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    let data = fields.remove("data").unwrap_or_default();
    Ok(Reply { error, message, data, left: left(answer) })
}

fn left(answer: &Answer) -> Option<Left> {
    let figure = |name: &str| answer.headers.get(name)?.to_str().ok()?.trim().parse().ok();
    Some(Left { limit: figure("x-ratelimit-limit")?, remain: figure("x-ratelimit-remain")? })
}

/// Any answer without an access token is a failure, whatever else it says. Which code a used
/// refresh token gets is not documented (C).
fn renewal(answer: &Answer, old: &Pair) -> Renewal {
    if answer.status.is_server_error() {
        return Renewal::InDoubt("status");
    }
    let Some(Value::Object(fields)) = answer.json::<Value>() else {
        return Renewal::InDoubt("not-json");
    };
    let token = |name: &str| {
        let text = fields.get(name).and_then(Value::as_str).map(str::trim);
        text.filter(|text| !text.is_empty()).map(Secret::new)
    };
    if let Some(access) = token("access_token") {
        let life_s = fields.get("expires_in").and_then(number).and_then(|s| u32::try_from(s).ok());
        return Renewal::Pair(Pair {
            access,
            refresh: token("refresh_token").unwrap_or_else(|| old.refresh.clone()),
            at: None,
            life_s: life_s.filter(|s| *s > 0).unwrap_or(LIFE_S),
        });
    }
    let error = fields.get("error").and_then(number).unwrap_or_default();
    if answer.status == StatusCode::TOO_MANY_REQUESTS || Class::of(error) == Some(Class::NextMinute)
    {
        return Renewal::NotNow("rate");
    }
    Renewal::Refused(error)
}

/// A number, or a text of one: beyond 2^53 and elsewhere Zalo writes texts.
pub(super) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// An id, whichever way it is written.
pub(super) fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
