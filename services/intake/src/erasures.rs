//! Erasures and legal holds as people ask for them and see them; and what intake itself keeps of
//! an alert's words and pictures, destroyed when the log says so.

use std::{sync::Weak, time::Duration};

use axum::http::StatusCode;
use chassis::{Host, Problem, auth::forbidden, erasing::Copies, problem::HELD_HERE};
use domain::{
    erasure::{Basis, Course, Hold},
    ids::{AlertId, EntityName, Home, OfficerId, RecordId},
    looks::What,
};
use event_log::{Class, Key, Recorded};
use futures::future::BoxFuture;
use photos::{PhotoId, Photos};
use serde_json::{Value, json};
use tokio::{sync::mpsc::UnboundedReceiver, time::sleep};
use wire::{
    erasure::basis_said,
    spoken::id_bytes,
    v1::{self, command::Body, sealed_content::Content},
};

use crate::{
    Intake,
    acts::Command,
    application::{READ, Request, Written, unsealed},
    looks::Reader,
    row::{Refused, Row},
    view::time,
    writing::By,
};

/// So often it is looked for pictures that nobody has named.
const SWEPT_EVERY_MS: i64 = 10 * 60 * 1_000;
/// A store of pictures that does not answer is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Ask { basis: Basis, note: Option<String> },
    Confirm { basis: Basis },
    Hold { note: Option<String> },
    Lift { note: Option<String> },
}

/// How it stands with an alert's personal data.
pub(crate) struct ErasureSeen {
    row: Row,
    /// Why it was asked for, and why it is held, where that was said and is here.
    notes: (Option<String>, Option<String>),
    /// The request is still being decided, or held here.
    pub(crate) pending: bool,
    held: bool,
}

impl Intake {
    /// Asks for an erasure or a legal hold, or agrees to one.
    pub(crate) async fn ask_erasure(
        &self,
        by: impl Into<By<'_>>,
        request: Request,
        alert: AlertId,
        wanted: Wanted,
    ) -> Result<ErasureSeen, Problem> {
        let by = by.into();
        let asker = by.asker;
        let row = self.readable(asker, alert)?;
        if !asker.standing.acts_for(row.home) {
            return Err(forbidden());
        }
        let command = erasure_command(request, (alert, row.home), wanted);
        let now = self.host.clock.now();
        match self.write(by, command, now).await? {
            Written::Decided(Some(refusal)) => Err(not_erased(&refusal)),
            written => {
                let seen = self.erasure(asker, alert).await?;
                let held = matches!(written, Written::Held);
                let pending = !matches!(written, Written::Decided(_));
                Ok(ErasureSeen { pending, held, ..seen })
            }
        }
    }

    /// How it stands, for whoever acts for the issuing commune.
    pub(crate) async fn erasure(
        &self,
        reader: impl Into<Reader<'_>>,
        alert: AlertId,
    ) -> Result<ErasureSeen, Problem> {
        let reader = reader.into();
        let asker = reader.asker;
        let row = self.readable(asker, alert)?;
        if !asker.standing.acts_for(row.home) {
            return Err(forbidden());
        }
        self.door(&row).await?;
        let asked = match &row.erasure.course {
            Course::Asked(wish) => Some(wish.note),
            _ => None,
        };
        let held = match &row.erasure.hold {
            Hold::Asked { note, .. } | Hold::InForce { note, .. } => Some(*note),
            Hold::Free => None,
        };
        let notes = (
            self.erasure_note(alert, row.home, asked).await,
            self.erasure_note(alert, row.home, held).await,
        );
        if notes.0.is_some() || notes.1.is_some() {
            self.look(reader, &[(&row, What::Notes)]).await?;
        }
        Ok(ErasureSeen { row, notes, pending: false, held: false })
    }

    async fn erasure_note(
        &self,
        alert: AlertId,
        home: Home,
        note: Option<RecordId>,
    ) -> Option<String> {
        let key = Key { class: Class::Command, home, entity: EntityName::erasure(alert) };
        let found = self.host.log.load(&key, Some(note?)).await.ok()?;
        match unsealed(found.first()?)?.content {
            Some(Content::Note(note)) => Some(note.note),
            _ => None,
        }
    }
}

/// The command that it is.
pub(crate) fn erasure_command(
    request: Request,
    (of, home): (AlertId, Home),
    wanted: Wanted,
) -> Command {
    let alert = id_bytes(of.0);
    let (body, note): (Body, Option<String>) = match wanted {
        Wanted::Ask { basis, note } => {
            let basis = basis_said(basis);
            (Body::AskErasure(v1::AskErasure { alert, basis }), note)
        }
        Wanted::Confirm { basis } => {
            let basis = basis_said(basis);
            (Body::ConfirmErasure(v1::ConfirmErasure { alert, basis }), None)
        }
        Wanted::Hold { note } => (Body::SetLegalHold(v1::SetLegalHold { alert }), note),
        Wanted::Lift { note } => (Body::LiftLegalHold(v1::LiftLegalHold { alert }), note),
    };
    Command {
        request,
        entity: EntityName::erasure(of),
        home,
        correlation: id_bytes(of.0),
        valid_until: None,
        sealed_fields: note.iter().map(|_| "note".to_owned()).collect(),
        content: note.map(|note| Content::Note(v1::NoteText { note })),
        body,
    }
}

/// What the decider refused, as people are told.
fn not_erased(refused: &Refused) -> Problem {
    let (status, detail) = match refused.code.as_str() {
        "same-person" => {
            (StatusCode::FORBIDDEN, "Cần một người khác đồng ý. / Another person must agree.")
        }
        "role-missing" => (
            StatusCode::FORBIDDEN,
            "Vai trò này không làm được việc này. / This role does not do this.",
        ),
        "still-active" => (
            StatusCode::CONFLICT,
            "Tin còn hiệu lực: hãy hủy hoặc kết thúc trước. / \
             The alert is still in force: cancel or resolve it first.",
        ),
        "legal-hold" => (
            StatusCode::CONFLICT,
            "Đang giữ lại theo pháp luật: không được xoá. / A legal hold keeps it.",
        ),
        "not-asked" => (
            StatusCode::CONFLICT,
            "Không ai xin xoá với căn cứ này. / Nobody asked for an erasure on this basis.",
        ),
        "erased" => (StatusCode::CONFLICT, "Đã xoá. / It is erased."),
        _ => (StatusCode::CONFLICT, "Không có gì đang được giữ lại. / Nothing is held."),
    };
    let problem = Problem::new(status, refused.code.clone(), detail);
    if refused.field.is_empty() {
        return problem;
    }
    problem.with_field(refused.field.clone(), refused.code.clone())
}

/// Nothing is done any more with an alert whose words are gone.
pub(crate) fn erased() -> Problem {
    let detail = "Dữ liệu của tin này đã xoá. / What the alert said is erased.";
    Problem::new(StatusCode::CONFLICT, "erased", detail)
}

impl ErasureSeen {
    /// As a message: empty is absent.
    pub(crate) fn message(&self) -> v1::ErasureView {
        let erasure = &self.row.erasure;
        let (state, wish) = match &erasure.course {
            Course::Kept => ("kept", None),
            Course::Asked(wish) => ("asked", Some(wish)),
            Course::Ordered(_) => ("ordered", None),
            Course::Erased(_) => ("erased", None),
        };
        let order = erasure.order();
        let officers = order.and_then(|order| order.officers.as_ref());
        let basis = order.map(|order| order.basis).or(wish.map(|wish| wish.basis));
        let asked_by = officers.map(|(asked, _)| asked).or(wish.map(|wish| &wish.by));
        v1::ErasureView {
            alert: self.row.id.to_string(),
            state: state.to_owned(),
            basis: basis.map(Basis::as_str).unwrap_or_default().to_owned(),
            asked_by: said(asked_by),
            confirmed_by: said(officers.map(|(_, agreed)| agreed)),
            until: wish.map(|wish| time(wish.until)).unwrap_or_default(),
            note: self.notes.0.clone().unwrap_or_default(),
            legal_hold: Some(hold_message(&erasure.hold, self.notes.1.as_deref())),
            request: if self.held { HELD_HERE.to_owned() } else { String::new() },
        }
    }

    /// As JSON: null is absent.
    pub(crate) fn json(&self) -> Value {
        let seen = self.message();
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let mut json = json!({
            "alert": seen.alert,
            "state": seen.state,
            "basis": given(&seen.basis),
            "asked_by": given(&seen.asked_by),
            "confirmed_by": given(&seen.confirmed_by),
            "until": given(&seen.until),
            "note": self.notes.0,
            "legal_hold": hold_json(&self.row.erasure.hold, self.notes.1.as_deref()),
        });
        if let Some(json) = json.as_object_mut().filter(|_| self.held) {
            json.insert("request".into(), HELD_HERE.into());
        }
        json
    }
}

/// An officer; empty where there is none.
fn said(officer: Option<&OfficerId>) -> String {
    officer.map(ToString::to_string).unwrap_or_default()
}

fn hold_message(hold: &Hold, note: Option<&str>) -> v1::LegalHoldView {
    let none = v1::LegalHoldView { state: "none".to_owned(), ..Default::default() };
    let note = note.unwrap_or_default().to_owned();
    match hold {
        Hold::Free => none,
        Hold::Asked { by, .. } => {
            v1::LegalHoldView { state: "asked".to_owned(), asked_by: by.to_string(), note, ..none }
        }
        Hold::InForce { by: (asked, agreed), lift_asked_by, .. } => v1::LegalHoldView {
            state: if lift_asked_by.is_some() { "lift-asked" } else { "in-force" }.to_owned(),
            asked_by: asked.to_string(),
            confirmed_by: agreed.to_string(),
            lift_asked_by: said(lift_asked_by.as_ref()),
            note,
        },
    }
}

fn hold_json(hold: &Hold, note: Option<&str>) -> Value {
    let seen = hold_message(hold, note);
    match hold {
        Hold::Free => json!({ "state": seen.state }),
        Hold::Asked { .. } => {
            json!({ "state": seen.state, "asked_by": seen.asked_by, "note": note })
        }
        Hold::InForce { lift_asked_by, .. } => json!({
            "state": seen.state,
            "asked_by": seen.asked_by,
            "confirmed_by": seen.confirmed_by,
            "lift_asked_by": lift_asked_by.as_ref().map(ToString::to_string),
            "note": note,
        }),
    }
}

/// What this intake keeps of alerts. It lives no longer than the intake.
pub(crate) struct Kept(pub(crate) Weak<Intake>);

impl Copies for Kept {
    fn forget<'a>(&'a self, alerts: &'a [AlertId]) -> BoxFuture<'a, Result<u64, String>> {
        Box::pin(async move {
            let Some(intake) = self.0.upgrade() else { return Ok(0) };
            intake.forget_texts();
            intake.tasks.forget(alerts);
            match &intake.pictures {
                Some(pictures) => {
                    pictures.store.forget(alerts).await.map_err(|why| why.to_string())
                }
                None => Ok(0),
            }
        })
    }

    fn finishes(&self) -> bool {
        true
    }
}

/// Pictures that an alert shows, as its commands come.
pub(crate) type Claim = (AlertId, Vec<PhotoId>);

/// Notes which alerts show which pictures, so that an erasure finds them; and, when all is noted,
/// has those removed that nobody has named in time.
pub(crate) async fn keep_claims(host: Host, photos: Photos, mut claims: UnboundedReceiver<Claim>) {
    let stop = host.drain.token();
    let mut look_at = host.clock.now().plus_ms(SWEPT_EVERY_MS);
    loop {
        let claim = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            claim = claims.recv() => claim,
            () = host.clock.sleep_until(look_at) => {
                look_at = host.clock.now().plus_ms(SWEPT_EVERY_MS);
                sweep(&host, &photos).await;
                continue;
            }
        };
        let Some((alert, shown)) = claim else { return };
        while !host.erasing.is_ordered(alert) && photos.claim(alert, &shown).await.is_err() {
            tokio::select! { () = sleep(RETRY) => {}, () = stop.cancelled() => return }
        }
    }
}

/// What is not in the log yet may name a picture too: then nothing is removed.
async fn sweep(host: &Host, photos: &Photos) {
    if !host.is_caught_up(&READ) || !host.outgoing.now().is_empty() {
        return;
    }
    match photos.sweep(host.clock.now()).await {
        Ok(0) => {}
        Ok(pictures) => tracing::info!(pictures, "pictures that no alert named were removed"),
        Err(why) => tracing::warn!(%why, "pictures that no alert named were not removed yet"),
    }
}

/// The pictures that a command's words name.
pub(crate) fn claimed(command: &v1::Command, recorded: &Recorded) -> Option<Claim> {
    let alert = recorded.key.entity.alert_id()?;
    command.sealed_fields.iter().find(|field| *field == "photos")?;
    let Some(Content::Alert(text)) = unsealed(recorded)?.content else { return None };
    let shown = text.photos.iter().filter_map(|photo| photo.id.parse().ok());
    Some((alert, shown.collect()))
}
