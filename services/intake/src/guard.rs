//! What guards the system itself before anything is written: how much somebody raises, and
//! whether somebody is frozen. Nothing here ever holds up what takes back or answers, nor the
//! repeat of what was accepted.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use axum::http::StatusCode;
use chassis::{Host, Problem};
use domain::{
    alert::AlertFacts,
    freeze::Freeze,
    ids::{Home, Millis, RecordId},
    limits::{Act, RateLimit, TooMany},
    policy::Policy,
    rights::Asker,
};
use event_log::{Class, Key, shell::Shell};
use tokio::time::timeout;

use crate::{
    Intake,
    application::STORE_PATIENCE,
    freezes::{Freezes, read_time},
    refused::starting,
    row::Asked,
    writing::By,
};

/// Requests remembered so that a repeat does not count again.
const COUNTED_MAX: usize = 20_000;
const WINDOW_MS: u64 = 60_000;

/// The guards of this process.
pub(crate) struct Guard {
    limit: Mutex<Limit>,
    pub(crate) freezes: Freezes,
    /// Freezes are decided where they are asked; see `freezing`.
    pub(crate) deciding: Shell<Freeze>,
}

#[derive(Default)]
struct Limit {
    raises: RateLimit,
    /// Requests that count already, and since when.
    counted: HashMap<RecordId, Millis>,
}

impl Guard {
    pub(crate) fn new(host: &Host) -> Self {
        Self {
            limit: Mutex::default(),
            freezes: Freezes::default(),
            deciding: Shell::new(std::sync::Arc::clone(&host.log)),
        }
    }

    /// Counts a raise, once however often it is repeated.
    fn count(
        &self,
        asker: &Asker,
        (home, policy): (Home, &Policy),
        raise: RecordId,
        now: Millis,
    ) -> Option<TooMany> {
        let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        let Limit { raises, counted } = &mut *limit;
        if counted.contains_key(&raise) {
            return None;
        }
        raises.limit_to(policy.raises_per_minute_max);
        let many = raises.take(Act::Raise, &asker.officer, home.commune, now).err();
        if many.is_none() {
            if counted.len() >= COUNTED_MAX {
                counted.retain(|_, at| now.since_ms(*at) < WINDOW_MS && *at <= now);
            }
            if counted.len() < COUNTED_MAX {
                counted.insert(raise, now);
            }
        }
        many
    }

    /// Until when the asker is frozen.
    pub(crate) fn frozen(&self, asker: &Asker, now: Millis) -> Option<Millis> {
        self.freezes.until((asker.officer.as_str(), asker.standing.commune()), now)
    }
}

impl Intake {
    /// Whether a new alert may be raised; `key` and `raise` say which it would be.
    ///
    /// # Errors
    /// `frozen` or `too-many`, but never for the repeat of what the log has.
    pub(crate) async fn admit(
        &self,
        asker: &Asker,
        key: &Key,
        raise: RecordId,
        now: Millis,
    ) -> Result<(), Problem> {
        let problem = match self.guard.frozen(asker, now) {
            Some(until) => Some(frozen(until)),
            None => {
                let policy = self.host.policies.of(key.home.commune);
                self.guard.count(asker, (key.home, &policy), raise, now).map(too_many)
            }
        };
        match problem {
            Some(problem) if !self.stands_in_log(key, raise).await? => Err(problem),
            _ => Ok(()),
        }
    }

    /// Whether this may be asked by token alone, where the policy of the alert's commune wants a
    /// person's own signature for alerts of its kind, or the person has a passkey at hand and the
    /// alert is real: an unlocked browser is nobody's word. Only what tells people, or more people,
    /// asks here: a correction never waits for a key.
    ///
    /// # Errors
    /// `needs-signature`, `needs-passkey`, but never for the repeat of what the log has.
    pub(crate) async fn admit_unsigned(
        &self,
        by: By<'_>,
        facts: &AlertFacts,
        (key, command): (&Key, RecordId),
    ) -> Result<(), Problem> {
        let policy = self.host.policies.of(facts.home.commune);
        let needed = if by.signed.is_some() {
            None
        } else if by.has_passkey && facts.status.is_actual() {
            Some(needs_passkey())
        } else {
            policy.needs_signature(facts.kind, facts.status).then(needs_signature)
        };
        match needed {
            Some(problem) if !self.stands_in_log(key, command).await? => Err(problem),
            _ => Ok(()),
        }
    }

    /// Whether an act may be done while freezes are in force: neither who asks nor who raised the
    /// alert is frozen, where the act tells more, or tells others.
    ///
    /// # Errors
    /// `frozen`, but never for the repeat of what the log has.
    pub(crate) async fn admit_act(
        &self,
        asker: &Asker,
        (act, asked): (Act, Option<&Asked>),
        (key, command): (&Key, RecordId),
        now: Millis,
    ) -> Result<(), Problem> {
        if !act.stops_when_frozen() {
            return Ok(());
        }
        let raiser = asked
            .and_then(|asked| self.guard.freezes.until((asked.by.as_str(), asked.by_commune), now));
        match self.guard.frozen(asker, now).max(raiser) {
            Some(until) if !self.stands_in_log(key, command).await? => Err(frozen(until)),
            _ => Ok(()),
        }
    }

    /// Waits until the board has been read: what it does not show before may be there.
    pub(crate) async fn board_is_read(&self) -> Result<(), Problem> {
        let read = self.host.caught_up_of(&["board-commands", "board-alerts"]);
        timeout(STORE_PATIENCE, read).await.map_err(|_| starting())
    }

    /// Whether the log, or this machine's outbox, has this command. Asked only where it would be
    /// refused otherwise: a lost answer is never turned into a refusal.
    pub(crate) async fn stands_in_log(
        &self,
        key: &Key,
        command: RecordId,
    ) -> Result<bool, Problem> {
        if self.host.outgoing.contains(command) {
            return Ok(true);
        }
        let key = Key { class: Class::Command, ..key.clone() };
        match self.host.log.load(&key, Some(command)).await {
            Ok(found) => Ok(!found.is_empty()),
            Err(why) => {
                tracing::warn!(%why, "whether a request is a repeat cannot be known");
                Err(starting())
            }
        }
    }
}

/// Who asks, or who raised it, is frozen.
pub(crate) fn frozen(until: Millis) -> Problem {
    let until = read_time(until);
    let detail = format!(
        "Đang bị khóa phát tin đến {until}; đính chính, hủy và trả lời tin vẫn được nhận. / \
         Frozen until {until}; corrections, cancels and answers are still taken."
    );
    Problem::new(StatusCode::FORBIDDEN, "frozen", detail)
}

fn needs_passkey() -> Problem {
    let detail = "Tin thật phải được ký bằng khóa của bạn: hãy dùng trang có JavaScript, hoặc đăng                   nhập lại. / A live alert needs your passkey's signature: use the page with                   JavaScript, or sign in again.";
    Problem::new(StatusCode::FORBIDDEN, "needs-passkey", detail)
}

fn needs_signature() -> Problem {
    let detail = "Loại tin này phải được cán bộ ký bằng khóa của mình (POST /v1/commands); \
                  đính chính và hủy thì không cần. / This kind needs the officer's own signature \
                  (POST /v1/commands); corrections and cancels do not.";
    Problem::new(StatusCode::FORBIDDEN, "needs-signature", detail)
}

fn too_many(many: TooMany) -> Problem {
    let seconds = many.retry_after_ms.div_ceil(1_000);
    let (vi, en) = match many.is_of_officer {
        true => ("Cán bộ này", "This officer"),
        false => ("Xã này", "This commune"),
    };
    let detail = format!(
        "{vi} báo quá nhiều tin trong một phút; hãy thử lại sau {seconds} giây. / \
         {en} raises too many alerts a minute; try again in {seconds} s."
    );
    metrics::counter!("keng_too_many_total").increment(1);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail).with_retry_after(seconds)
}
