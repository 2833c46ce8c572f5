//! What is asked of a freeze: the same over HTTP and gRPC.
//!
//! Decided here, where it is asked, as the clerk decides about tokens: a freeze stops a flood,
//! and must not wait for its turn behind that flood. It works at this process when the answer
//! comes, elsewhere as the log is read. Were the process killed in between, alerting, which
//! follows every command, would decide it.

use axum::http::StatusCode;
use bytes::Bytes;
use chassis::{Problem, auth::forbidden, problem::HELD_HERE};
use domain::{
    freeze::{Freeze, FreezeKnown, Frozen},
    ids::{EntityName, Home, Millis},
    reach::Borders,
    rights::{Asker, Standing},
};
use event_log::{
    At, Class, Durable, Key, Record, Recorded,
    shell::{Answers, Ask, ExecuteError},
};
use prost::Message;
use serde_json::{Value, json};
use tokio::time::timeout;
use wire::{
    Spoken,
    freeze::frozen_said,
    spoken::id_bytes,
    v1::{self, command::Body, commit::Outcome, sealed_content::Content},
};

use crate::{
    Intake,
    acts::Command,
    application::{Request, STORE_PATIENCE, unsealed},
    freezes::{Kept, Places, may_ask_there},
    guard::frozen,
    http::invalid,
    refused::not_stored,
    row::Refused,
    view::time,
    writing::By,
};

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Freeze { until: Millis, note: Option<String> },
    Confirm { until: Millis },
    Lift { note: Option<String> },
}

/// A freeze to be shown.
pub(crate) struct FreezeSeen {
    of: Frozen,
    state: Freeze,
    /// Why it was asked for, where that was said and is here.
    note: Option<String>,
    /// The request lies in this machine's outbox: on disk here, not yet sent.
    pub(crate) held: bool,
}

impl Intake {
    /// Asks for a freeze, agrees to one, or lifts one.
    pub(crate) async fn freeze(
        &self,
        by: impl Into<By<'_>>,
        request: Request,
        of: Frozen,
        wanted: Wanted,
    ) -> Result<FreezeSeen, Problem> {
        let by = by.into();
        let asker = by.asker;
        if !may_ask_there(asker, &Places::of(&of, &self.host), self.host.map.as_ref()) {
            return Err(forbidden());
        }
        let home = self.home_of(&of)?;
        let now = self.host.clock.now();
        let key = Key { class: Class::Alert, home, entity: EntityName::freeze(&of) };
        // Who is frozen is not the person that another one needs.
        if let Some(until) = self.guard.frozen(asker, now)
            && !self.stands_in_log(&key, request.command).await?
        {
            return Err(frozen(until));
        }
        let command = freeze_command(request, (&of, home), wanted);
        let record = by.record(command, now)?;
        let Some(first) = self.write_freeze(by, request, record).await? else {
            let state = self.guard.freezes.get(&of).map(|kept| kept.state).unwrap_or_default();
            let seen = FreezeSeen { of, state, note: None, held: true };
            return Ok(seen);
        };
        self.decide_freeze(request, &key, &first, now).await?;
        let kept = self.guard.freezes.get(&of).ok_or_else(not_stored)?;
        Ok(self.freeze_seen(kept).await)
    }

    /// The freezes that the asker may ask about, and that stand.
    pub(crate) async fn freezes(&self, asker: &Asker) -> Result<Vec<FreezeSeen>, Problem> {
        if matches!(asker.standing, Standing::Auditor) {
            return Err(forbidden());
        }
        self.board_is_read().await?;
        let mut seen = Vec::new();
        for kept in self.guard.freezes.standing(self.host.clock.now()) {
            let places = Places::of(&kept.of, &self.host);
            if may_ask_there(asker, &places, self.host.map.as_ref()) {
                self.stored([kept.at].iter()).await?;
                seen.push(self.freeze_seen(kept).await);
            }
        }
        Ok(seen)
    }

    /// Where a freeze is at home. One of nobody is refused before it is written.
    fn home_of(&self, of: &Frozen) -> Result<Home, Problem> {
        if let Frozen::Officer(officer) = of
            && !self.host.directory.read().officer_known(officer)
        {
            return Err(invalid("officer", "không có cán bộ này / is not known"));
        }
        home_of(of, self.host.map.as_ref())
            .ok_or_else(|| invalid("commune", "không có trên bản đồ / not on the map"))
    }

    /// Writes the command down; the command as the log has it, `None` where it is held here.
    async fn write_freeze(
        &self,
        by: By<'_>,
        request: Request,
        record: Record,
    ) -> Result<Option<Recorded>, Problem> {
        let appended = timeout(STORE_PATIENCE, self.host.log.append(vec![record.clone()])).await;
        let appended = match appended {
            Ok(Ok(appended)) => appended,
            Ok(Err(why)) => {
                tracing::warn!(%why, "a freeze could not be stored");
                return Err(not_stored());
            }
            Err(_) => return Err(not_stored()),
        };
        let first = appended.repeats.first();
        by.is_repeated_by(first.map(AsRef::as_ref), request)?;
        match self.host.log.durable(appended.at, STORE_PATIENCE).await {
            Durable::Stored => {}
            Durable::HeldHere => return Ok(None),
            Durable::Unknown => return Err(not_stored()),
        }
        // A repeat is decided as the first record under its id says.
        Ok(Some(match first {
            Some(first) => Recorded::clone(first),
            None => Recorded {
                position: appended.at.position,
                id: record.id,
                key: record.key,
                kind: record.kind,
                open: record.open,
                seal: event_log::Seal::None,
                signature: record.signature,
            },
        }))
    }

    /// Decides a command, if nobody has, and waits until the decision is durable.
    async fn decide_freeze(
        &self,
        request: Request,
        key: &Key,
        written: &Recorded,
        now: Millis,
    ) -> Result<(), Problem> {
        let command = v1::Command::decode(written.open.clone()).map_err(|_| not_stored())?;
        let ask = Ask {
            key: key.clone(),
            cause: request.command,
            correlation: command.correlation.clone(),
            actor: command.actor.clone().unwrap_or_default(),
            command: Freeze::hear(&command).map_err(|_| not_stored())?,
            now,
            map: Bytes::copy_from_slice(&self.host.map_sha256),
            sealing: None,
            answers: Answers::Command,
            fresh: false,
        };
        let known = FreezeKnown { now };
        let unread = |why: ExecuteError| {
            tracing::warn!(%why, "a freeze could not be decided");
            not_stored()
        };
        self.guard.deciding.execute(ask, |_, _| known).await.map_err(unread)?;
        // The history says what was decided, also where another process did.
        let history = self.host.log.load(key, None).await.map_err(|why| unread(why.into()))?;
        self.guard.freezes.take_all(&history);
        let refusal = outcome_of(&history, request).ok_or_else(not_stored)?;
        let last = history.iter().map(|recorded| At {
            class: recorded.key.class,
            position: recorded.position,
            id: recorded.id,
        });
        self.stored(last.collect::<Vec<_>>().iter()).await?;
        refusal.map_or(Ok(()), |refusal| Err(not_frozen(&refusal)))
    }

    async fn freeze_seen(&self, kept: Kept) -> FreezeSeen {
        let note = match kept.state.wish() {
            Some(wish) => {
                let entity = EntityName::freeze(&kept.of);
                let key = Key { class: Class::Command, home: kept.home, entity };
                let found = self.host.log.load(&key, Some(wish.note)).await.unwrap_or_default();
                match found.first().and_then(|found| unsealed(found)?.content) {
                    Some(Content::Note(note)) => Some(note.note),
                    _ => None,
                }
            }
            None => None,
        };
        let now = self.host.clock.now();
        // Time ends it, whether or not that was recorded yet.
        let is_over = kept.state.ends_at().is_none_or(|at| at <= now);
        let state = if is_over { Freeze::Free } else { kept.state };
        FreezeSeen { of: kept.of, state, note, held: false }
    }
}

/// What became of the request: the refusal, or none; `None` where nothing is decided.
fn outcome_of(history: &[std::sync::Arc<Recorded>], request: Request) -> Option<Option<Refused>> {
    history.iter().find_map(|recorded| {
        let commit = v1::Commit::decode(recorded.open.clone()).ok()?;
        if commit.causation != id_bytes(request.command.0) {
            return None;
        }
        Some(match commit.outcome? {
            Outcome::Refused(refused) => Some(Refused { code: refused.code, field: refused.field }),
            Outcome::Events(_) | Outcome::AlreadyTrue(_) => None,
        })
    })
}

/// The command that it is.
pub(crate) fn freeze_command(
    request: Request,
    (of, home): (&Frozen, Home),
    wanted: Wanted,
) -> Command {
    let frozen = Some(frozen_said(of));
    let (body, note) = match wanted {
        Wanted::Freeze { until, note } => {
            (Body::AskFreeze(v1::AskFreeze { of: frozen, until_ms: until.0 }), note)
        }
        Wanted::Confirm { until } => {
            (Body::ConfirmFreeze(v1::ConfirmFreeze { of: frozen, until_ms: until.0 }), None)
        }
        Wanted::Lift { note } => (Body::LiftFreeze(v1::LiftFreeze { of: frozen }), note),
    };
    Command {
        request,
        entity: EntityName::freeze(of),
        home,
        correlation: id_bytes(request.command.0),
        valid_until: None,
        sealed_fields: note.iter().map(|_| "note".to_owned()).collect(),
        content: note.map(|note| Content::Note(v1::NoteText { note })),
        body,
    }
}

/// Where a freeze is at home; `None` of a commune that is not on the map.
pub(crate) fn home_of(of: &Frozen, map: &dyn Borders) -> Option<Home> {
    match of {
        Frozen::Commune(commune) => map.home(*commune),
        Frozen::Officer(_) => Some(Home::NATION),
    }
}

/// What the decider refused, as people are told.
fn not_frozen(refused: &Refused) -> Problem {
    let (status, detail) = match refused.code.as_str() {
        "same-person" => {
            (StatusCode::FORBIDDEN, "Cần một người khác đồng ý. / Another person must agree.")
        }
        "role-missing" => (
            StatusCode::FORBIDDEN,
            "Vai trò này không được khóa hay mở khóa. / This role neither freezes nor lifts.",
        ),
        "concerned" => (
            StatusCode::FORBIDDEN,
            "Người bị khóa không tự mở khóa được. / Who is frozen cannot lift it.",
        ),
        "until-passed" => {
            (StatusCode::BAD_REQUEST, "Thời hạn khóa đã qua. / The end of the freeze has passed.")
        }
        "over-limit" => (
            StatusCode::BAD_REQUEST,
            "Chỉ được khóa tối đa 24 giờ. / A freeze lasts 24 hours at most.",
        ),
        "already-frozen" => (StatusCode::CONFLICT, "Đang bị khóa rồi. / It is in force already."),
        "not-asked" => (
            StatusCode::CONFLICT,
            "Không ai xin khóa đến giờ đó. / Nobody asked for a freeze with that end.",
        ),
        _ => (StatusCode::CONFLICT, "Không có khóa nào đang áp dụng. / Nothing is frozen."),
    };
    let problem = Problem::new(status, refused.code.clone(), detail);
    if refused.field.is_empty() {
        return problem;
    }
    problem.with_field(refused.field.clone(), refused.code.clone())
}

/// There is no such freeze, or its name is none.
pub(crate) fn no_such_freeze() -> Problem {
    let detail = "Không có lệnh khóa này. / There is no such freeze.";
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}

impl FreezeSeen {
    fn state(&self) -> &'static str {
        match self.state {
            Freeze::Free => "over",
            Freeze::Asked(_) => "asked",
            Freeze::InForce { .. } => "in-force",
        }
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        let seen = self.message();
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let mut json = json!({
            "id": seen.id,
            "state": seen.state,
            "until": some(seen.until),
            "asked_by": some(seen.asked_by),
            "confirmed_by": some(seen.confirmed_by),
            "lift_asked_by": some(seen.lift_asked_by),
            "note": some(seen.note),
        });
        if let Some(json) = json.as_object_mut() {
            match &self.of {
                Frozen::Officer(officer) => json.insert("officer".into(), officer.as_str().into()),
                Frozen::Commune(commune) => json.insert("commune".into(), commune.as_str().into()),
            };
            if self.held {
                json.insert("request".into(), HELD_HERE.into());
            }
        }
        json
    }

    /// Over gRPC.
    pub(crate) fn message(&self) -> v1::FreezeView {
        let wish = self.state.wish();
        let (confirmed_by, lift_asked_by) = match &self.state {
            Freeze::InForce { confirmed_by, lift_asked_by, .. } => {
                (confirmed_by.to_string(), lift_asked_by.as_ref().map(ToString::to_string))
            }
            Freeze::Free | Freeze::Asked(_) => (String::new(), None),
        };
        let (officer, commune) = match &self.of {
            Frozen::Officer(officer) => (officer.to_string(), String::new()),
            Frozen::Commune(commune) => (String::new(), commune.to_string()),
        };
        v1::FreezeView {
            id: self.of.name(),
            officer,
            commune,
            state: self.state().to_owned(),
            until: wish.map(|wish| time(wish.until)).unwrap_or_default(),
            asked_by: wish.map(|wish| wish.by.to_string()).unwrap_or_default(),
            confirmed_by,
            lift_asked_by: lift_asked_by.unwrap_or_default(),
            note: self.note.clone().unwrap_or_default(),
        }
    }
}
