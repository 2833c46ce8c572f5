//! Zalo for Official Accounts: one account, and two channels over it, `zalo-oa` for a follower and
//! `zalo-gmf` for a group of the account's own. Source: `channels.md`, 2, 9, 11.
//!
//! No template messages (ZBS), no broadcast, no groups that people made: those have a poster.
//! Zalo knows no idempotency key: what is unclear is said to be.

mod api;
mod callback;
mod errors;
mod gmf;
mod history;
mod minute;
mod oa;
mod oauth;
mod photos;
mod saved;

use std::{borrow::Cow, fs, sync::Arc, time::Duration};

use domain::{ids::Millis, schedule::ATTEMPT_MS_MAX};
use rendering::Unit;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use toml::Table;

use self::{
    api::{Api, App, Ask, NoReply, Outgoing, Recipient, Reply},
    callback::Callbacks,
    errors::{Class, ErrorText},
    gmf::Gmf,
    minute::Minute,
    oa::Oa,
    oauth::{Access, NoToken, Tokens},
    photos::{PHOTO_BYTES_MAX, Photos, State},
    saved::{Pair, Store},
};
use crate::{
    accounts::{Tools, fields},
    channels::{
        Channel, Health, Intent, NotReceived, NotRendered, Outcome, Photo, RawRequest, Received,
        Reconciled, Rendered, Sent, View, address::base,
    },
    secret::Secret,
};

/// Zalo's own limit (A).
const TEXT_CHARS_MAX: usize = 2_000;
/// To begin with; the package of the account says how many there really are (B/C).
const PER_MINUTE: u32 = 90;
/// What comes before the message, as a renewal or an upload, leaves it this much of the attempt.
const SENDING_MS_MIN: u64 = 3_000;
/// After so many attempts a message goes without a picture that cannot be uploaded.
const PHOTO_TRIES_MAX: u32 = 3;

/// How an account stands in the channels file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    app_id: String,
    app_secret: Secret,
    oa_id: String,
    /// Signs callbacks, and is not the app's secret; without it no callback is taken.
    oa_secret_key: Option<Secret>,
    /// The first pair, and another one where both of the saved pair are dead.
    tokens: Option<GivenTokens>,
    /// Whether the app has the switch "appsecret_proof" on (B).
    #[serde(default)]
    appsecret_proof: bool,
    /// Whether callbacks may be signed with the account's id in the app's place (C).
    #[serde(default)]
    signed_by_oa_id: bool,
    /// What overloaded codes mean by their texts, before our own table.
    #[serde(default)]
    error_texts: Vec<ErrorText>,
    #[serde(default = "openapi")]
    openapi_url: String,
    #[serde(default = "oauth")]
    oauth_url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct GivenTokens {
    access: Secret,
    refresh: Secret,
}

fn openapi() -> String {
    "https://openapi.zalo.me".to_owned()
}

fn oauth() -> String {
    "https://oauth.zaloapp.com".to_owned()
}

/// Opens the account: both channels over one pair of tokens.
///
/// # Errors
/// What is wrong in the table, with the field's name; or there is no pair of tokens to begin with.
pub fn open(account: &str, table: Table, tools: &Tools) -> Result<Vec<Arc<dyn Channel>>, String> {
    let account = Arc::new(Account::open(account, table, tools)?);
    Ok(vec![Arc::new(Oa(Arc::clone(&account))), Arc::new(Gmf(account))])
}

/// One Official Account, whatever is sent through it.
struct Account {
    name: String,
    api: Api,
    tokens: Arc<Tokens>,
    photos: Photos,
    minute: Minute,
    callbacks: Option<Callbacks>,
    error_texts: Vec<ErrorText>,
    /// One attempt may take this long, in milliseconds.
    attempt_ms: u64,
    /// See [`SENDING_MS_MIN`].
    sending_ms_min: u64,
}

impl Account {
    fn open(name: &str, table: Table, tools: &Tools) -> Result<Self, String> {
        let settings: Settings = fields(table)?;
        // It becomes the name of a file.
        let is_name = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err("tên chỉ gồm A-Z a-z 0-9 - _ / the name is not of A-Z a-z 0-9 - _".into());
        }
        for (field, id) in [("app-id", &settings.app_id), ("oa-id", &settings.oa_id)] {
            if id.is_empty() || !id.bytes().all(|c| c.is_ascii_digit()) {
                return Err(format!("{field}: phải là số / must be a number"));
            }
        }
        let callbacks = settings.oa_secret_key.map(|key| Callbacks {
            app_id: settings.app_id.clone(),
            oa_id: settings.oa_id.clone(),
            key,
            signed_by_oa_id: settings.signed_by_oa_id,
        });
        let app = App {
            app_id: settings.app_id,
            app_secret: settings.app_secret,
            oa_id: settings.oa_id,
            has_proof: settings.appsecret_proof,
            openapi: base("openapi-url", &settings.openapi_url)?,
            oauth: base("oauth-url", &settings.oauth_url)?,
        };
        let given = settings.tokens.map(|given| Pair {
            access: given.access,
            refresh: given.refresh,
            at: None,
            life_s: api::LIFE_S,
        });
        let api = Api { http: tools.http.clone(), app: Arc::new(app) };
        fs::create_dir_all(&tools.folder)
            .map_err(|cause| format!("{}: {cause}", tools.folder.display()))?;
        let (store, found) =
            Store::open(tools.folder.clone(), name, given).map_err(|no| no.to_string())?;
        Ok(Self {
            name: name.to_owned(),
            tokens: Tokens::new(api.clone(), name, store, found),
            api,
            photos: Photos::default(),
            minute: Minute::default(),
            callbacks,
            error_texts: settings.error_texts,
            attempt_ms: ATTEMPT_MS_MAX,
            sending_ms_min: SENDING_MS_MIN,
        })
    }

    fn class(&self, reply: &Reply) -> Option<Class> {
        if errors::is_overloaded(reply.error) {
            let (code, text) = (reply.error, errors::shown(&reply.message));
            tracing::warn!(account = %self.name, code, text, "an error of Zalo's with a text");
        }
        let class = Class::of_both(reply.error, &reply.message, &self.error_texts);
        if class.is_none() {
            let code = reply.error;
            tracing::error!(account = %self.name, code, "an error of Zalo's that is not listed");
        }
        class
    }

    async fn send(&self, recipient: Recipient<'_>, message: &Rendered, intent: Intent<'_>) -> Sent {
        let kept_until = self.minute.kept_until(intent.now).filter(|_| !intent.is_urgent);
        if let Some(until) = kept_until {
            return Outcome::Defer { until, why: "rate" }.into();
        }
        match Attempt::begin(self, Some(intent.now)).await {
            Ok(mut attempt) => match attempt.message(recipient, message, &intent).await {
                Ok(sent) | Err(sent) => sent,
            },
            Err(no_token) => no_token.into(),
        }
    }

    async fn reconcile(
        &self,
        whom: Recipient<'_>,
        message: &Rendered,
        intent: Intent<'_>,
    ) -> Reconciled {
        let Ok(mut attempt) = Attempt::begin(self, Some(intent.now)).await else {
            return Reconciled::CannotTell;
        };
        history::look(&mut attempt, whom, message, &intent).await
    }

    fn receive(&self, request: RawRequest<'_>) -> Result<Received, NotReceived> {
        self.callbacks.as_ref().ok_or(NotReceived::Unsupported)?.receive(request)
    }

    async fn probe(&self) -> Health {
        let mut attempt = match Attempt::begin(self, None).await {
            Ok(attempt) => attempt,
            Err(no_token) => return no_token.into(),
        };
        let by = attempt.end;
        let reply = match attempt.call(Ask::GetOa, by).await {
            Ok(reply) => reply,
            Err(Stop::NoToken(no_token)) => return no_token.into(),
            Err(Stop::NoReply(NoReply::NotSent(why) | NoReply::MayBeSent { why, .. })) => {
                return Health::NotKnown { why: Cow::Borrowed(why) };
            }
        };
        if reply.error != 0 {
            let code = Cow::Owned(format!("zalo{}", reply.error));
            return match self.class(&reply) {
                Some(Class::Token | Class::Account) => Health::Down { code },
                _ => Health::NotKnown { why: code },
            };
        }
        // Tokens of another account would speak with another name.
        let names = ["oa_id", "oaid"].iter().filter_map(|name| reply.data.get(name));
        match names.filter_map(api::id).next() {
            Some(oa_id) if oa_id != self.api.app.oa_id => {
                Health::Down { code: Cow::Borrowed("another-oa") }
            }
            _ => Health::Works,
        }
    }
}

/// Why a call has no reply.
enum Stop {
    NoToken(NoToken),
    NoReply(NoReply),
}

impl From<NoToken> for Sent {
    fn from(no: NoToken) -> Self {
        match no {
            NoToken::NotNow(why) => Outcome::Retry { after_s: None, why }.into(),
            NoToken::Down(code) => Outcome::ChannelDown { code }.into(),
        }
    }
}

impl From<NoToken> for Health {
    fn from(no: NoToken) -> Self {
        match no {
            NoToken::NotNow(why) => Self::NotKnown { why: Cow::Borrowed(why) },
            NoToken::Down(code) => Self::Down { code },
        }
    }
}

impl From<Stop> for Sent {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::NoToken(no) => no.into(),
            Stop::NoReply(no) => no.into(),
        }
    }
}

/// One attempt: a token that is renewed at most once, and the time that is left.
struct Attempt<'a> {
    account: &'a Account,
    access: Access,
    may_renew: bool,
    now: Option<Millis>,
    /// When it must be over.
    end: Instant,
    /// When the message itself must begin.
    ready_by: Instant,
}

impl<'a> Attempt<'a> {
    async fn begin(account: &'a Account, now: Option<Millis>) -> Result<Self, NoToken> {
        let begun = Instant::now();
        let end = begun + Duration::from_millis(account.attempt_ms);
        let before_ms = account.attempt_ms.saturating_sub(account.sending_ms_min);
        let ready_by = begun + Duration::from_millis(before_ms);
        let access = account.tokens.access(now, ready_by).await?;
        Ok(Self { account, access, may_renew: true, now, end, ready_by })
    }

    /// One call, and once more with another token where this one was refused.
    async fn call(&mut self, ask: Ask<'_>, by: Instant) -> Result<Reply, Stop> {
        let Account { api, tokens, minute, .. } = self.account;
        let reply = api.call(ask, &self.access.token, by).await.map_err(Stop::NoReply)?;
        if let Some((left, now)) = reply.left.zip(self.now) {
            minute.saw(left, now);
        }
        if !self.may_renew || Class::of(reply.error) != Some(Class::Token) {
            return Ok(reply);
        }
        self.may_renew = false;
        let renewed = tokens.after_refusal(&self.access, self.now, self.ready_by).await;
        self.access = renewed.map_err(Stop::NoToken)?;
        api.call(ask, &self.access.token, by).await.map_err(Stop::NoReply)
    }

    /// Sends; and once more with a new upload where the old one is gone.
    async fn message(
        &mut self,
        recipient: Recipient<'_>,
        message: &Rendered,
        intent: &Intent<'_>,
    ) -> Result<Sent, Sent> {
        let mut may_upload_again = true;
        loop {
            let attachment = match &message.photo {
                Some(photo) => self.picture(photo, intent).await?,
                None => None,
            };
            let outgoing = Outgoing::new(recipient, message.as_text(), attachment.as_deref());
            let end = self.end;
            let reply = self.call(Ask::Send(&outgoing), end).await?;
            if reply.error == 0 {
                let provider_id = reply.data.get("message_id").and_then(api::id);
                return Ok(Sent::with(Outcome::Accepted { provider_id }, 200_u32));
            }
            let class = self.account.class(&reply);
            let gone = message.photo.as_ref().zip(attachment);
            if let (Some(Class::Upload), Some((photo, id)), true) = (class, gone, may_upload_again)
            {
                may_upload_again = false;
                self.forget(photo, &id).await?;
                continue;
            }
            let status = u32::try_from(reply.error.unsigned_abs()).unwrap_or_default();
            return Ok(Sent::with(errors::outcome(reply.error, class, intent), status));
        }
    }

    /// The picture's id at Zalo, uploaded where it is not there; `None` where it goes without.
    async fn picture(
        &mut self,
        photo: &Photo,
        intent: &Intent<'_>,
    ) -> Result<Option<String>, Sent> {
        let later = Outcome::Retry { after_s: None, why: "upload" };
        let slot = self.account.photos.slot(&photo.id);
        let Ok(mut state) = timeout_at(self.ready_by, slot.lock()).await else {
            return Err(later.into());
        };
        if let Some(known) = state.known(intent.now) {
            return Ok(known);
        }
        let by = self.ready_by;
        let reply = match self.call(Ask::Upload(&photo.jpeg), by).await {
            Ok(reply) => reply,
            Err(stop @ Stop::NoToken(_)) => return Err(stop.into()),
            // Nobody sees an upload: whether it was done makes no difference.
            Err(Stop::NoReply(_)) if intent.attempt < PHOTO_TRIES_MAX => return Err(later.into()),
            Err(Stop::NoReply(_)) => return Ok(None),
        };
        let id = reply.data.get("attachment_id").and_then(api::id);
        if let (0, Some(id)) = (reply.error, id) {
            *state = State::There(id.clone(), intent.now);
            return Ok(Some(id));
        }
        match self.account.class(&reply) {
            class @ Some(Class::Token | Class::NextMinute) => {
                Err(errors::outcome(reply.error, class, intent).into())
            }
            Some(Class::FewTimes | Class::Upload) if intent.attempt < PHOTO_TRIES_MAX => {
                Err(later.into())
            }
            // The words matter more than the picture, which is seen where the alert is verified.
            class => {
                tracing::warn!(account = %self.account.name, ?class, "a picture is not taken");
                *state = State::Refused;
                Ok(None)
            }
        }
    }

    /// Zalo has forgotten an upload.
    async fn forget(&self, photo: &Photo, id: &str) -> Result<(), Sent> {
        let slot = self.account.photos.slot(&photo.id);
        let Ok(mut state) = timeout_at(self.ready_by, slot.lock()).await else {
            return Err(Outcome::Retry { after_s: None, why: "upload" }.into());
        };
        // Another attempt may have uploaded it again meanwhile.
        if matches!(&*state, State::There(known, _) if known == id) {
            *state = State::Absent;
        }
        Ok(())
    }
}

/// What both channels say: one text, and the picture where it is small enough.
fn render(view: &View<'_>) -> Result<Rendered, NotRendered> {
    let fitted = view.told.fit(TEXT_CHARS_MAX, Unit::Chars).ok_or(NotRendered("too-long"))?;
    let mut rendered = Rendered::text(calling_nobody(&fitted.text));
    if fitted.is_cut {
        rendered.warnings.push("cut");
    }
    match view.photo {
        Some(photo) if photo.jpeg.len() > PHOTO_BYTES_MAX => {
            rendered.warnings.push("photo-too-large");
        }
        photo => rendered.photo = photo.cloned(),
    }
    Ok(rendered)
}

/// A few words to one follower, none of which is cut.
fn note(text: &str) -> Option<Rendered> {
    let fits = Unit::Chars.len(text) <= TEXT_CHARS_MAX;
    fits.then(|| Rendered::text(calling_nobody(text)))
}

/// `[@id]` calls somebody, or all. No word of ours has it, and no citizen's keeps it: the text has
/// been made harmless before, and this holds even where that should miss one.
fn calling_nobody(text: &str) -> String {
    text.replace("[@", "(@")
}

#[cfg(test)]
#[path = "zalo_tests.rs"]
mod tests;
