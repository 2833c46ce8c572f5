//! Commands that persons have made and signed themselves.
//!
//! Nothing in an envelope is believed: from its body and words the act is read as it would be at
//! the edge, the same rules make the command anew, and it must be the one that was signed, byte
//! for byte. So there is no second book of rules.

mod asked;

use std::sync::Arc;

use axum::http::StatusCode;
use chassis::Problem;
use domain::{
    delivery::{Delivery, DeliveryCommand, delivery_id},
    ids::{AlertId, CommuneCode, RecordId},
    key::Holder,
    rights::Asker,
};
use event_log::{Class, Key, Received, Signature};
use prost::Message;
use registry::KeyState;
use wire::{
    Spoken,
    actor::signer,
    alert::{facts_recalled, reach_recalled, seen_recalled},
    seal::commit,
    signing::is_signed_by,
    v1::{self, ChangeHow, command::Body, sealed_content::Content},
};

use self::asked::{
    alert_of, alert_text, attest_asked, erasure_asked, freeze_asked, match_asked, note_in,
    unreadable,
};
use crate::{
    Intake,
    acts::Act,
    alert_acts::AlertAct,
    application::{Request, Shown},
    freezing,
    http::invalid,
    idempotency::IdempotencyKey,
    posters::{Task, no_such_delivery},
    refused::{bad_request, other_bytes, starting},
    relay_acts::RelayAct,
    request::{self, EdgeKnown, Envelope, FUTURE_TOLERANCE_MS_MAX},
    signable::{Answered, Door},
    writing::{By, Signed},
};

/// The path of the route: a command's id derives from it, the officer and the `Idempotency-Key`.
pub(crate) const PATH: &str = "/v1/commands";

impl Intake {
    /// Takes a signed command, as if the person had asked here with a token.
    pub(crate) async fn take_signed(
        &self,
        key: &IdempotencyKey,
        envelope: Envelope,
    ) -> Result<Answered, Problem> {
        let (asker, key_version) = self.signer_of(&envelope)?;
        let (command, content) = read(&envelope, &asker, key)?;
        let now = self.host.clock.now();
        let at = domain::ids::Millis(command.written_at_ms);
        if at > now.plus_ms(FUTURE_TOLERANCE_MS_MAX) {
            let reason = "ở tương lai: hãy xem lại đồng hồ của máy / \
                          is in the future: check the clock of the device";
            return Err(invalid("open.written_at_ms", reason));
        }
        let received = Some(Received { at: now, key_version });
        let signature = Signature { key: envelope.key, value: envelope.signature, received };
        let signed =
            Signed { open: envelope.open, salt: envelope.salt, at, signature: Arc::new(signature) };
        let by = By { asker: &asker, signed: Some(&signed), has_passkey: false };
        let request = Request { command: envelope.id, sha256: [0; 32] };
        let door = command.body.as_ref().and_then(Door::of);
        let door =
            door.ok_or_else(|| invalid("open.body", "không nhận ở đây / is not taken here"))?;
        match self.give(door, by, request, (&command, content)).await {
            // What does not follow now may have followed when it first came.
            Err(bad) if bad.status() == StatusCode::BAD_REQUEST => {
                self.stood(door, &asker, &command, &signed, bad).await
            }
            done => done,
        }
    }

    /// Through the door of its kind.
    async fn give(
        &self,
        door: Door,
        by: By<'_>,
        request: Request,
        (command, content): (&v1::Command, Option<Content>),
    ) -> Result<Answered, Problem> {
        Ok(match door {
            Door::Raise => {
                let shown = Box::new(self.raise_signed(by, request, command, content).await?);
                Answered::Alert { shown, is_raise: true }
            }
            Door::Act => {
                let shown = Box::new(self.act_signed(by, request, command, content).await?);
                Answered::Alert { shown, is_raise: false }
            }
            Door::Match => {
                let (id, answer) = match_asked(command, note_in(content)?)?;
                Answered::Match(Box::new(self.answer_match(by, request, &id, answer).await?))
            }
            Door::Freeze => {
                let (of, wanted) = freeze_asked(command, note_in(content)?)?;
                let is_new = matches!(wanted, freezing::Wanted::Freeze { .. });
                Answered::Freeze { seen: self.freeze(by, request, of, wanted).await?, is_new }
            }
            Door::Drill => Answered::Drill(self.keep_drill(by, request, alert_of(command)?).await?),
            Door::Posted => {
                let (delivery, task) = self.task_asked(by.asker, command)?;
                let attested = self.posted_by(by, &task, request).await?;
                Answered::Posted { delivery, attested }
            }
            Door::Erasure => {
                let wanted = erasure_asked(command, note_in(content)?)?;
                let alert = alert_of(command)?;
                Answered::Erasure(Box::new(self.ask_erasure(by, request, alert, wanted).await?))
            }
        })
    }

    /// Whose key it is, and by which of its records it is known; checks the signature.
    fn signer_of(&self, envelope: &Envelope) -> Result<(Asker, u64), Problem> {
        let key = {
            let directory = self.host.directory.read();
            directory.signing_key(envelope.key).cloned()
        };
        let Some(key) = key else {
            let is_known = self.host.is_caught_up(&["directory"]);
            return Err(if is_known { not_signed(NotSigned::UnknownKey) } else { starting() });
        };
        let Holder::Officer(asker) = key.facts.holder else {
            return Err(not_signed(NotSigned::UnknownKey));
        };
        match key.state {
            KeyState::Asked => Err(not_signed(NotSigned::NotConfirmed)),
            KeyState::Revoked => Err(not_signed(NotSigned::Revoked)),
            KeyState::Registered => {
                match is_signed_by(&key.facts.public, &envelope.open, &envelope.signature) {
                    true => Ok((asker, key.version)),
                    false => Err(not_signed(NotSigned::BadSignature)),
                }
            }
        }
    }

    async fn raise_signed(
        &self,
        by: By<'_>,
        request: Request,
        command: &v1::Command,
        content: Option<Content>,
    ) -> Result<Shown, Problem> {
        let Some(Body::RaiseAlert(v1::RaiseAlert { facts: Some(facts) })) = &command.body else {
            return Err(unreadable("open.body"));
        };
        let facts = facts_recalled(facts).map_err(|_| unreadable("open.body"))?;
        let text = alert_text(content)?;
        let fields = request::alert_fields(&facts, &text);
        let draft = request::raise_fields(fields, &self.edge());
        self.raise(by, request, draft.map_err(|bad| bad_request(&bad))?).await
    }

    async fn act_signed(
        &self,
        by: By<'_>,
        request: Request,
        command: &v1::Command,
        content: Option<Content>,
    ) -> Result<Shown, Problem> {
        let alert = alert_of(command)?;
        let act = match command.body.as_ref() {
            Some(Body::ChangeAlert(change)) => {
                Act::OfAlert(self.change_signed(by.asker, alert, change, content).await?)
            }
            Some(Body::ReleaseAlert(_)) => {
                self.asked_act(by.asker, alert, "release", (b"", None)).await?
            }
            Some(Body::AttestCorrection(attest)) => {
                let note = note_in(content)?.ok_or_else(|| unreadable("content"))?;
                let attest = attest_asked(attest, note)?;
                let attesting = self.attesting(by.asker, alert, attest).await?;
                Act::OfAlert(AlertAct::Attest(Box::new(attesting)))
            }
            _ => self.simple_act(command, content)?,
        };
        self.act(by, request, alert, act).await
    }

    /// The same patch from what stands to what is wanted.
    async fn change_signed(
        &self,
        asker: &Asker,
        alert: AlertId,
        change: &v1::ChangeAlert,
        content: Option<Content>,
    ) -> Result<AlertAct, Problem> {
        let how = ChangeHow::try_from(change.how).map_err(|_| unreadable("open.body.how"))?;
        let facts = change.facts.as_ref().and_then(|facts| facts_recalled(facts).ok());
        let facts = facts.ok_or_else(|| unreadable("open.body.facts"))?;
        let text = alert_text(content)?;
        let row = self.readable(asker, alert)?;
        let stands = row.facts().ok_or_else(starting)?;
        let words = self.text(&row).await.ok_or_else(starting)?;
        let patch = request::patch((stands, &words), (&facts, &text));
        self.change(asker, alert, how, &patch).await
    }

    /// An act to which the alert as it stands says nothing.
    fn simple_act(&self, command: &v1::Command, content: Option<Content>) -> Result<Act, Problem> {
        let bad = |bad| bad_request(&bad);
        let commune: Option<CommuneCode> =
            command.entity.as_ref().and_then(|entity| entity.commune.parse().ok());
        let body = command.body.as_ref().ok_or_else(|| unreadable("open.body"))?;
        let act = match body {
            Body::SightAlert(sight) => {
                let seen = sight.seen.as_ref().map(seen_recalled);
                let seen = seen.ok_or_else(|| unreadable("open.body.seen"))?;
                let text = alert_text(content)?;
                let fields = request::seen_fields(seen, &text);
                let sighting = request::sighting_fields(fields, &text.description, &self.edge());
                let commune = sight.commune.parse().ok();
                let sighting = Box::new(sighting.map_err(bad)?);
                return Ok(Act::OfAlert(AlertAct::Sight { commune, sighting }));
            }
            Body::InstructRelay(_) => {
                let Some(Content::Instruction(text)) = content else {
                    return Err(unreadable("content"));
                };
                let instruction = request::instruction_text(&text.instruction).map_err(bad)?;
                return Ok(Act::OfRelay(RelayAct::Instruct { commune, instruction }));
            }
            Body::WidenAlert(widen) => {
                let reach = widen.reach.as_ref().and_then(|reach| reach_recalled(reach).ok());
                let reach = reach.ok_or_else(|| unreadable("open.body.reach"))?;
                let fields = Some(request::reach_fields(&reach));
                let reach = request::widen_fields(fields, &self.edge()).map_err(bad)?;
                return Ok(Act::OfAlert(AlertAct::Widen { reach }));
            }
            body => body,
        };
        let note = note_in(content)?;
        Ok(match act {
            Body::ApproveAlert(approve) => {
                Act::Approve { revision: request::revision(approve.revision).map_err(bad)? }
            }
            Body::CancelAlert(_) => Act::Cancel { note },
            Body::ResolveAlert(_) => Act::Resolve { note },
            Body::AcknowledgeRelay(_) => Act::Acknowledge { commune, note },
            Body::RefuseRelay(_) => Act::Refuse { commune, note },
            Body::DeclineAlert(_) => Act::OfAlert(AlertAct::Decline { note }),
            Body::ReviewAlert(_) => Act::OfAlert(AlertAct::Review),
            Body::HoldAlert(_) => Act::OfAlert(AlertAct::Hold),
            Body::ReopenAlert(_) => Act::OfAlert(AlertAct::Reopen { note }),
            Body::RelayOnward(onward) => {
                let note = note.unwrap_or_default();
                let map = self.host.map.as_ref();
                let onward = request::onward_fields(&onward.communes, &note, map).map_err(bad)?;
                Act::OfRelay(RelayAct::Onward { commune, to: onward.to, note: onward.note })
            }
            _ => return Err(invalid("open.body", "không nhận ở đây / is not taken here")),
        })
    }

    /// A command that stands in the log as it was signed is answered with the alert as it stands.
    async fn stood(
        &self,
        door: Door,
        asker: &Asker,
        command: &v1::Command,
        signed: &Signed,
        bad: Problem,
    ) -> Result<Answered, Problem> {
        let (Some(key), Some(id)) = (key_of(command), RecordId::from_slice(&command.id)) else {
            return Err(bad);
        };
        if !matches!(door, Door::Raise | Door::Act | Door::Drill) {
            return Err(bad);
        }
        let found = match self.host.outgoing.now().get(&id).cloned() {
            Some(held) => Some(held),
            None => {
                let found = self.host.log.load(&key, Some(id)).await.map_err(|_| starting())?;
                found.first().cloned()
            }
        };
        let Some(first) = found else { return Err(bad) };
        if first.open != signed.open {
            return Err(other_bytes());
        }
        let Some(alert) = AlertId::from_slice(&command.correlation) else { return Err(bad) };
        if door == Door::Drill {
            let request = Request { command: id, sha256: [0; 32] };
            let kept = self.drill_kept(asker, request, alert).await?;
            return kept.map(Answered::Drill).ok_or(bad);
        }
        let is_raise = door == Door::Raise;
        let alert = if is_raise { AlertId::raised_by(id) } else { alert };
        let shown = Box::new(self.get(asker, alert).await?);
        Ok(Answered::Alert { shown, is_raise })
    }

    /// The task of a poster that a command says to be done. A foreign one does not exist.
    fn task_asked(&self, asker: &Asker, command: &v1::Command) -> Result<(String, Task), Problem> {
        let unread = |_| unreadable("open.body");
        let DeliveryCommand::AttestPosted { target, revision } =
            Delivery::hear(command).map_err(unread)?
        else {
            return Err(unreadable("open.body"));
        };
        let alert = alert_of(command)?;
        let id = delivery_id(alert, revision, &target);
        let row = self.readable(asker, alert)?;
        let task = self.task_of_delivery(&row, &id, |home| asker.standing.acts_for(home));
        Ok((id, task.ok_or_else(no_such_delivery)?))
    }

    fn edge(&self) -> EdgeKnown<'_> {
        EdgeKnown { now: self.host.clock.now(), map: self.host.map.as_ref() }
    }
}

fn key_of(command: &v1::Command) -> Option<Key> {
    let entity = command.entity.as_ref()?;
    let home = wire::spoken::home_recalled(&entity.province, &entity.commune).ok()?;
    Some(Key { class: Class::Command, home, entity: entity.name.parse().ok()? })
}

/// What an envelope asks and seals; that it is of this signer, and of this request.
fn read(
    envelope: &Envelope,
    asker: &Asker,
    key: &IdempotencyKey,
) -> Result<(v1::Command, Option<Content>), Problem> {
    let command = v1::Command::decode(envelope.open.clone()).map_err(|_| unreadable("open"))?;
    if command.actor.as_ref() != Some(&signer(asker)) {
        return Err(not_signed(NotSigned::OtherActor));
    }
    if RecordId::from_slice(&command.id) != Some(envelope.id) {
        return Err(invalid("id", "khác với open.id / is not open.id"));
    }
    if key.command_id(&asker.officer, PATH) != envelope.id {
        let reason = "phải là mã suy từ cán bộ, đường dẫn và Idempotency-Key / \
                      must derive from officer, path and Idempotency-Key";
        return Err(invalid("id", reason));
    }
    if command.commitment != envelope.commitment {
        return Err(invalid("commitment", "khác với open.commitment / is not open.commitment"));
    }
    if commit(&envelope.salt, &envelope.content) != envelope.commitment {
        let reason = "không mở được bằng salt và content / does not open with salt and content";
        return Err(invalid("commitment", reason));
    }
    let content = v1::SealedContent::decode(envelope.content.clone());
    let content = content.map_err(|_| unreadable("content"))?;
    Ok((command, content.content))
}

/// Why nobody has signed.
#[derive(Debug, Clone, Copy)]
enum NotSigned {
    UnknownKey,
    NotConfirmed,
    Revoked,
    BadSignature,
    OtherActor,
}

fn not_signed(not: NotSigned) -> Problem {
    let (code, detail, field) = match not {
        NotSigned::UnknownKey => {
            ("key-unknown", "Chưa ai xin dùng khóa này. / Nobody has registered this key.", "key")
        }
        NotSigned::NotConfirmed => (
            "key-not-confirmed",
            "Khóa này chưa có người thứ hai xác nhận. / No second person has confirmed this key.",
            "key",
        ),
        NotSigned::Revoked => {
            ("key-revoked", "Khóa này đã bị thu hồi. / This key was revoked.", "key")
        }
        NotSigned::BadSignature => (
            "bad-signature",
            "Chữ ký không đúng với nội dung. / The signature is not of these bytes.",
            "signature",
        ),
        NotSigned::OtherActor => (
            "other-signer",
            "Lệnh ghi tên người khác với người ký. / The command names somebody else than signs.",
            "open.actor",
        ),
    };
    Problem::new(StatusCode::FORBIDDEN, code, detail).with_field(field, code)
}

/// The command is not what the same rules make of it: which fields are other ones.
pub(crate) fn not_as_made(made: &[u8], signed: &[u8]) -> Problem {
    let (made, signed) = (v1::Command::decode(made), v1::Command::decode(signed));
    let (made, signed) = (made.unwrap_or_default(), signed.unwrap_or_default());
    let fields = [
        ("entity", made.entity != signed.entity),
        ("correlation", made.correlation != signed.correlation),
        ("causation", made.causation != signed.causation),
        ("commitment", made.commitment != signed.commitment),
        ("sealed_fields", made.sealed_fields != signed.sealed_fields),
        ("valid_until_ms", made.valid_until_ms != signed.valid_until_ms),
        ("body", made.body != signed.body),
    ];
    let detail = "Lệnh đã ký khác với lệnh mà máy chủ tính lại. / \
                  The signed command is not the one that follows from what it asks.";
    let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid-fields", detail);
    let reason = "khác với điều tính lại được / is not what follows";
    let mut wrong = fields.iter().filter(|(_, differs)| *differs).peekable();
    if wrong.peek().is_none() {
        let reason = "không phải mã hóa chuẩn / is not encoded as it has to be";
        return problem.with_field("open", reason);
    }
    wrong.fold(problem, |problem, (field, _)| problem.with_field(format!("open.{field}"), reason))
}
