//! The routes of whoever keeps the channels working: accounts, dead letters, and providers' calls.
//!
//! Nothing here shows an address, a secret, or a word of an alert.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRef, Path, Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use bytes::Bytes as Raw;
use chassis::{
    Host, Problem,
    admin::command_id,
    auth::{Caller, forbidden},
    problem::HELD_HERE,
    switches::{switch_channel, switch_path},
};
use domain::{
    channel::ChannelType,
    delivery::{Delivery, DeliveryKnown, Target, delivery_id},
    hex::hex,
    ids::{AlertId, CommuneCode, EntityName, Home, Millis},
    lane::LaneDelivery,
    rights::Asker,
};
use event_log::{
    Class,
    command::Draft,
    order::{NotCarriedOut, carry_out},
};
use registry::Directory;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wire::{
    actor::person,
    delivery::target_said,
    v1::{RequeueDelivery, command::Body},
};

use crate::{
    book::BookId,
    breaker::Gate,
    channels::{NotReceived, RawRequest},
    inbound::Inbox,
    outlets::Outlet,
    send::Desk,
};

/// Dead letters that one answer shows; the oldest are left out.
const DEAD_MAX: usize = 500;
/// How long what is over without success is shown.
const DEAD_SHOWN_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// What a provider may send.
const CALL_BYTES_MAX: usize = 256 * 1024;

/// What the routes work with.
#[derive(Clone)]
pub struct FanOut {
    host: Host,
    desk: Arc<Desk>,
    inbox: Inbox,
}

impl FromRef<FanOut> for Host {
    fn from_ref(fan_out: &FanOut) -> Self {
        fan_out.host.clone()
    }
}

impl FanOut {
    pub(crate) fn new(host: &Host, desk: &Arc<Desk>, inbox: Inbox) -> Self {
        Self { host: host.clone(), desk: Arc::clone(desk), inbox }
    }

    /// Whether anything here, or any group's channel, goes by this switch: at three in the morning
    /// a name that was mistyped must not look like one that was stopped.
    fn is_known(&self, name: &str) -> bool {
        let account = name.strip_prefix("account:");
        let Some(account) = account else { return true };
        let directory = self.host.directory.read();
        let named = directory.groups().flat_map(|group| &group.facts.channels);
        let mut named = named.map(|facts| facts.account.as_str());
        self.desk.outlets.iter().any(|outlet| *outlet.way.account == *account)
            || named.any(|named| named == account)
    }

    /// The routes.
    pub fn router(self) -> Router {
        let call = any(call).layer(DefaultBodyLimit::max(CALL_BYTES_MAX));
        Router::new()
            .route("/v1/channels", get(channels))
            .route("/v1/channels/{account}/callback", call.clone())
            .route("/v1/channels/{account}/callback/{*path}", call)
            .route("/v1/channels/{name}/stop", post(stop))
            .route("/v1/channels/{name}/start", post(go_on))
            .route("/v1/dead-letters", get(dead_letters))
            .route("/v1/deliveries/{id}/requeue", post(requeue))
            .with_state(self)
    }
}

async fn channels(
    State(fan_out): State<FanOut>,
    Caller(asker): Caller,
) -> Result<Response, Problem> {
    if !asker.standing.administers() && !asker.standing.reads_alerts() {
        return Err(forbidden());
    }
    let outlets = fan_out.desk.outlets.iter();
    let mut shown: Vec<(String, Value)> =
        outlets.map(|one| outlet(one, &fan_out.host.directory.read())).collect();
    shown.sort_by(|one, other| one.0.cmp(&other.0));
    let channels: Vec<Value> = shown.into_iter().map(|(_, shown)| shown).collect();
    Ok(Json(json!({ "channels": channels })).into_response())
}

fn outlet(outlet: &Arc<Outlet>, directory: &Directory) -> (String, Value) {
    let caps = outlet.way.channel.caps();
    let (account, channel_type) = (&*outlet.way.account, caps.channel_type.as_str());
    let (state, since, why) = match outlet.account.breaker.gate() {
        _ if directory.is_stopped(channel_type, account) => ("stopped", None, None),
        Gate::Closed => ("works", None, None),
        Gate::Open { since, why } => ("down", Some(since), Some(why)),
        Gate::HalfOpen { since, why } => ("asking", Some(since), Some(why)),
    };
    let shown = json!({
        "account": account,
        "type": channel_type,
        "via": outlet.way.via.map(ChannelType::as_str),
        "state": state,
        "since": since.map(time),
        "why": why,
        "waiting": outlet.waiting(),
        "per_minute": outlet.way.terms.per_minute.or(caps.per_minute),
    });
    let via = outlet.way.via.map_or("", ChannelType::as_str);
    (format!("{account}/{channel_type}/{via}"), shown)
}

/// Nothing leaves on this type of channel, or by this account, until it is started again.
async fn stop(
    State(fan_out): State<FanOut>,
    Caller(asker): Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    switch(&fan_out, &asker, &name, &headers, true).await
}

/// What waits leaves again.
async fn go_on(
    State(fan_out): State<FanOut>,
    Caller(asker): Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    switch(&fan_out, &asker, &name, &headers, false).await
}

async fn switch(
    fan_out: &FanOut,
    asker: &Asker,
    name: &str,
    headers: &HeaderMap,
    stopped: bool,
) -> Result<Response, Problem> {
    if !asker.standing.administers() {
        return Err(forbidden());
    }
    let id = command_id(asker, &switch_path(name, stopped), headers)?;
    switch_channel(&fan_out.host, asker, id, (name, stopped)).await?;
    let known = fan_out.is_known(name);
    let told = json!({ "channel": name, "stopped": stopped, "known": known });
    Ok(Json(told).into_response())
}

#[derive(Deserialize)]
struct Dead {
    commune: Option<String>,
}

/// What is over without success: newest first.
async fn dead_letters(
    State(fan_out): State<FanOut>,
    Caller(asker): Caller,
    Query(asked): Query<Dead>,
) -> Result<Response, Problem> {
    let commune = asked.commune.as_deref().map(|code| {
        code.parse::<CommuneCode>().map_err(|_| {
            invalid().with_field("commune", "phải là mã xã / must be the code of a commune")
        })
    });
    let commune = commune.transpose()?;
    let since = fan_out.host.clock.now().plus_ms(-DEAD_SHOWN_MS);
    let mut dead: Vec<(Millis, BookId, Target, LaneDelivery)> = Vec::new();
    {
        let books = fan_out.desk.books.lock();
        let shown = books.iter().filter(|((_, of), book)| {
            commune.is_none_or(|wanted| wanted == *of) && may_look(&asker, book.home)
        });
        for (id, book) in shown {
            let newest = book.lanes.newest();
            for (target, delivery) in book.lanes.iter() {
                let at = delivery.last_attempt_at.unwrap_or(delivery.planned_at);
                if delivery.revision == newest && delivery.is_dead() && at >= since {
                    dead.push((at, *id, target.clone(), delivery.clone()));
                }
            }
        }
    }
    dead.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    let more = dead.len() > DEAD_MAX;
    let shown = dead.iter().take(DEAD_MAX);
    let letters: Vec<Value> =
        shown.map(|(_, id, target, delivery)| letter(*id, target, delivery)).collect();
    Ok(Json(json!({ "dead_letters": letters, "more": more })).into_response())
}

/// Who keeps the installation sees all, an officer what is the own commune's.
fn may_look(asker: &Asker, home: Home) -> bool {
    asker.standing.administers() || asker.standing.acts_for(home)
}

fn letter((alert, commune): BookId, target: &Target, delivery: &LaneDelivery) -> Value {
    json!({
        "id": delivery_id(alert, delivery.revision, target),
        "alert": alert.to_string(),
        "commune": commune.to_string(),
        "group": target.group.to_string(),
        "channel": target.channel.to_string(),
        "type": &*target.channel_type,
        "revision": delivery.revision,
        "news": delivery.news.as_str(),
        "state": delivery.state(),
        "attempts": delivery.attempts,
        "trouble": &*delivery.trouble,
        "last_attempt_at": delivery.last_attempt_at.map(time),
        "may_have_arrived": delivery.maybe_arrived,
    })
}

/// Has a dead letter tried again.
async fn requeue(
    State(fan_out): State<FanOut>,
    Caller(asker): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = fan_out.desk.delivery_of(&id).filter(|found| may_look(&asker, found.home));
    let Some(Found { book: (alert, commune), home, target, revision, is_dead }) = found else {
        return Err(no_such_delivery());
    };
    let command = command_id(&asker, &format!("/v1/deliveries/{id}/requeue"), &headers)?;
    if !is_dead {
        return Ok(Json(json!({ "id": id, "requeued": false })).into_response());
    }
    let now = fan_out.host.clock.now();
    let draft = Draft {
        id: command,
        entity: EntityName::delivery(alert, commune),
        home,
        actor: person(&asker),
        at: now,
        correlation: Raw::copy_from_slice(alert.0.as_bytes()),
        causation: Raw::new(),
        valid_until: None,
        sealing: None,
        sealed_fields: vec![],
        body: Body::RequeueDelivery(RequeueDelivery {
            target: Some(target_said(&target)),
            revision,
        }),
    };
    let (log, shell) = (&fan_out.host.log, &fan_out.desk.deliveries);
    let known = |_: &Delivery, _: &_| DeliveryKnown::at(now);
    match carry_out((log, shell), (Class::Delivery, false), vec![draft.record()], now, known).await
    {
        Ok(_) => Ok(Json(json!({ "id": id, "requeued": true })).into_response()),
        Err(why) => Err(not_carried_out(&why)),
    }
}

fn not_carried_out(why: &NotCarriedOut) -> Problem {
    let code =
        |status, code: &'static str, detail: &'static str| Problem::new(status, code, detail);
    match why {
        NotCarriedOut::Refused(refusal) => {
            let detail = "Không làm được. / It was refused.";
            Problem::new(StatusCode::CONFLICT, refusal.code.clone(), detail)
        }
        NotCarriedOut::Held => code(StatusCode::SERVICE_UNAVAILABLE, "held", HELD_HERE),
        NotCarriedOut::Unavailable(cause) => {
            tracing::warn!(cause, "an order was not carried out");
            let detail = "Chưa ghi được; hãy thử lại. / Not stored; try again.";
            code(StatusCode::SERVICE_UNAVAILABLE, "not-stored", detail)
        }
    }
}

/// A call from a provider: its channel verifies the bytes before anything is read.
async fn call(
    State(fan_out): State<FanOut>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let path = uri.path().strip_prefix("/v1/channels/").unwrap_or_default();
    let (account, behind) = path.split_once('/').unwrap_or_default();
    let path = behind.strip_prefix("callback").unwrap_or_default().trim_start_matches('/');
    let request = RawRequest {
        method: method.as_str(),
        path,
        query: uri.query().unwrap_or_default(),
        headers: &headers,
        body: &body,
        now: fan_out.host.clock.now(),
    };
    // An account may serve several channels: whichever takes the call.
    let mut refused = NotReceived::Unsupported;
    for outlet in fan_out.desk.outlets.iter().filter(|o| *o.way.account == *account) {
        match outlet.way.channel.receive(request) {
            Ok(received) => {
                let digest: [u8; 32] = Sha256::digest(&body).into();
                let what = hex(&digest);
                let answer = received.answer;
                return match fan_out.inbox.take(account, received.inbound).await {
                    Ok(()) => Ok((StatusCode::OK, answer).into_response()),
                    // Not taken: the provider comes again.
                    Err(()) => {
                        tracing::warn!(account, what, "a provider's call could not be taken in");
                        Err(Problem::new(
                            StatusCode::SERVICE_UNAVAILABLE,
                            "not-stored",
                            "Chưa ghi được; hãy thử lại. / Not stored; try again.",
                        ))
                    }
                };
            }
            Err(NotReceived::Unsupported) => {}
            Err(why) => refused = why,
        }
    }
    // The name is the caller's: only those that are ours make a series of their own.
    let known = fan_out.desk.outlets.iter().any(|outlet| *outlet.way.account == *account);
    let account = if known { account.to_owned() } else { "unknown".to_owned() };
    metrics::counter!("keng_calls_refused_total", "account" => account).increment(1);
    Err(match refused {
        NotReceived::Unsupported => Problem::no_such_path(),
        NotReceived::NotSigned => Problem::new(
            StatusCode::UNAUTHORIZED,
            "not-signed",
            "Chữ ký không đúng. / The signature does not fit.",
        ),
        NotReceived::NotReadable => invalid(),
    })
}

fn invalid() -> Problem {
    let detail = "Yêu cầu không hợp lệ. / The request is not valid.";
    Problem::new(StatusCode::BAD_REQUEST, "invalid-fields", detail)
}

fn no_such_delivery() -> Problem {
    let detail = "Không có lượt gửi này. / There is no such delivery.";
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}

fn time(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_string()).unwrap_or_default()
}

/// A delivery, by its id.
pub(crate) struct Found {
    book: BookId,
    home: Home,
    target: Target,
    revision: u64,
    is_dead: bool,
}

impl Desk {
    /// The delivery of this id. Ids of groups and channels may have colons, so that the id is
    /// compared and not taken apart.
    fn delivery_of(&self, id: &str) -> Option<Found> {
        let mut parts = id.splitn(3, ':');
        let alert: AlertId = parts.next()?.parse().ok()?;
        let revision: u64 = parts.next()?.parse().ok()?;
        let books = self.books.lock();
        for (book, known) in books.of_alert(alert) {
            let mut of_revision =
                known.lanes.iter().filter(|(_, delivery)| delivery.revision == revision);
            let found = of_revision.find(|(target, _)| delivery_id(alert, revision, target) == id);
            if let Some((target, delivery)) = found {
                return Some(Found {
                    book,
                    home: known.home,
                    target: target.clone(),
                    revision,
                    is_dead: delivery.is_dead(),
                });
            }
        }
        None
    }
}
