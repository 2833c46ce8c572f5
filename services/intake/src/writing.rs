//! Writing a command down, and waiting a bounded time for its decision.
//!
//! Whoever asks by token alone has the command made here; whoever signs has made it, and what is
//! made here must be the same, byte for byte.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chassis::{Problem, session::HasPasskey};
use domain::{
    ids::{Millis, RecordId},
    rights::Asker,
};
use event_log::{AppendError, At, Durable, Record, Recorded, Signature};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use wire::{
    actor::{person, signer},
    seal::{SALT_BYTES, salt},
};

use crate::{
    Intake,
    acts::{Command, Made},
    application::{Request, STORE_PATIENCE, Written, unsealed},
    board::{Board, Decision},
    refused::{not_stored, other_bytes},
    signed::not_as_made,
};

/// How long an answer waits for the decision.
const DECISION_PATIENCE: Duration = Duration::from_secs(1);

/// Who asks, and how that is known.
#[derive(Clone, Copy)]
pub(crate) struct By<'a> {
    pub(crate) asker: &'a Asker,
    /// The command as the person made and signed it; `None` by token alone.
    pub(crate) signed: Option<&'a Signed>,
    /// Whether the person has signed in by a passkey, and so could have signed.
    pub(crate) has_passkey: bool,
}

/// A command as a person made and signed it.
pub(crate) struct Signed {
    /// The bytes of the open part.
    pub(crate) open: Bytes,
    pub(crate) salt: [u8; SALT_BYTES],
    /// When the person says that it was made: limits of time count from here.
    pub(crate) at: Millis,
    pub(crate) signature: Arc<Signature>,
}

impl<'a> From<&'a Asker> for By<'a> {
    fn from(asker: &'a Asker) -> Self {
        Self { asker, signed: None, has_passkey: false }
    }
}

impl<'a> From<(&'a Asker, HasPasskey)> for By<'a> {
    fn from((asker, HasPasskey(has_passkey)): (&'a Asker, HasPasskey)) -> Self {
        Self { asker, signed: None, has_passkey }
    }
}

impl By<'_> {
    /// When the command was made.
    pub(crate) fn made_at(&self, now: Millis) -> Millis {
        self.signed.map_or(now, |signed| signed.at)
    }

    /// The record of a command: made here, or as it was signed.
    pub(crate) fn record(&self, command: Command, now: Millis) -> Result<Record, Problem> {
        let Some(signed) = self.signed else {
            let salt = salt().map_err(|why| {
                tracing::error!(%why, "no randomness");
                not_stored()
            })?;
            let request_sha256 = Bytes::copy_from_slice(&command.request.sha256);
            let made = Made { actor: person(self.asker), at: now, salt, request_sha256 };
            return Ok(command.draft(made).record());
        };
        let record = command.draft(Made::signed(self.asker, signed.at, signed.salt)).record();
        if record.open != signed.open {
            return Err(not_as_made(&record.open, &signed.open));
        }
        Ok(Record { signature: Some(Arc::clone(&signed.signature)), ..record })
    }

    /// The first record under the id of this request, where there is one, must be of the same.
    pub(crate) fn is_repeated_by(
        &self,
        first: Option<&Recorded>,
        request: Request,
    ) -> Result<(), Problem> {
        let Some(first) = first else { return Ok(()) };
        // After an erasure there is nothing left to compare with.
        let before = unsealed(first).map(|content| content.request_sha256);
        let is_other = match self.signed {
            Some(signed) => first.open != signed.open,
            None => before.is_some_and(|before| before != request.sha256.as_slice()),
        };
        if is_other { Err(other_bytes()) } else { Ok(()) }
    }
}

impl Made {
    /// What a person signs: no hash of a request, since the open part itself is compared.
    pub(crate) fn signed(asker: &Asker, at: Millis, salt: [u8; SALT_BYTES]) -> Self {
        Self { actor: signer(asker), at, salt, request_sha256: Bytes::new() }
    }
}

impl Intake {
    /// Writes a command down, and waits a bounded time for its decision.
    pub(crate) async fn write(
        &self,
        by: impl Into<By<'_>>,
        command: Command,
        now: Millis,
    ) -> Result<Written, Problem> {
        let (by, started) = (by.into(), Instant::now());
        let request = command.request;
        let record = by.record(command, now)?;
        let mut decision = self.board.wait_for(request.command);
        let _waiting = Waiting { board: &self.board, command: request.command };
        let appended =
            tokio::time::timeout(STORE_PATIENCE, self.host.log.append(vec![record])).await;
        let appended = match appended {
            Ok(Ok(appended)) => appended,
            Ok(Err(AppendError::Unavailable(why))) => {
                tracing::warn!(why, "a command could not be stored");
                return Err(not_stored());
            }
            Ok(Err(why)) => {
                tracing::error!(%why, "a command was not taken by the log");
                return Err(not_stored());
            }
            Err(_) => return Err(not_stored()),
        };
        by.is_repeated_by(appended.repeats.first().map(AsRef::as_ref), request)?;
        let written = self.decision(&mut decision, request, appended.at, started).await?;
        metrics::histogram!("keng_stage_seconds", "stage" => "accepted").record(started.elapsed());
        Ok(written)
    }

    /// The decision is shown, so it must be durable, and so must the command.
    async fn decided(&self, decided: Decision, command: At) -> Result<Written, Problem> {
        for at in [decided.at, command] {
            if self.host.log.durable(at, STORE_PATIENCE).await != Durable::Stored {
                return Err(not_stored());
            }
        }
        Ok(Written::Decided(decided.refusal))
    }

    async fn decision(
        &self,
        decision: &mut oneshot::Receiver<Decision>,
        request: Request,
        at: At,
        started: Instant,
    ) -> Result<Written, Problem> {
        if let Some(decided) = self.board.decided(request.command) {
            return self.decided(decided, at).await;
        }
        if at.position == At::UNPLACED {
            return match self.host.log.durable(at, Duration::ZERO).await {
                // The broker came back in this moment.
                Durable::Stored => Ok(Written::Deciding),
                Durable::HeldHere => Ok(Written::Held),
                Durable::Unknown => Err(not_stored()),
            };
        }
        match timeout_at(started + DECISION_PATIENCE, decision).await {
            Ok(Ok(decided)) => self.decided(decided, at).await,
            _ => {
                let left = STORE_PATIENCE.saturating_sub(started.elapsed());
                match self.host.log.durable(at, left).await {
                    Durable::Stored => Ok(Written::Deciding),
                    Durable::HeldHere => Ok(Written::Held),
                    Durable::Unknown => Err(not_stored()),
                }
            }
        }
    }
}

/// Somebody waits for a decision; when this goes, nobody does any more.
struct Waiting<'a> {
    board: &'a Board,
    command: RecordId,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.board.give_up(self.command);
    }
}
