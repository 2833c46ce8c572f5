//! Orders: commands that the process which takes them also decides, so that whoever asked is
//! answered by what was decided. Were it killed in between, alerting, which follows every command,
//! would decide it; two that decide the same find it decided.

use std::{sync::Arc, time::Duration};

use domain::ids::Millis;
use prost::Message;
use wire::{Spoken, v1};

use crate::{
    AppendError, At, Class, Durable, EventLog, Key, Record, Recorded,
    shell::{Answers, Ask, Decided, ExecuteError, Shell},
};

const PATIENCE: Duration = Duration::from_secs(5);

/// Why an order was not carried out. Ask again, unless it is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCarriedOut {
    /// The rule that forbids it.
    #[error("refused: {} {}", .0.code, .0.field)]
    Refused(v1::Refused),
    /// Not known to be written.
    #[error("not stored: {0}")]
    Unavailable(String),
    /// On this machine's disk, not yet sent to the broker.
    #[error("held here, not yet sent")]
    Held,
}

impl From<AppendError> for NotCarriedOut {
    fn from(error: AppendError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<ExecuteError> for NotCarriedOut {
    fn from(error: ExecuteError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// What came of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedOut<E> {
    /// What was decided, one for each order; all of it is durable.
    pub decided: Vec<Decided<E>>,
    /// For each order that stood in the log already: the first record under its id.
    pub repeats: Vec<Arc<Recorded>>,
    /// The newest record of the decisions, where there is one.
    pub at: Option<At>,
}

/// Writes commands down, decides them on entities of `class`, and waits until both are durable.
/// `sealings`: whether the commit carries the command's sealed part too.
///
/// # Errors
/// [`NotCarriedOut`]; a refusal stands in the log by then.
pub async fn carry_out<D>(
    (log, shell): (&Arc<dyn EventLog>, &Shell<D>),
    (class, sealings): (Class, bool),
    records: Vec<Record>,
    now: Millis,
    facts: impl Fn(&D, &Ask<D::Command>) -> D::Facts + Send + Sync,
) -> Result<CarriedOut<D::Event>, NotCarriedOut>
where
    D: Spoken + Clone + Send,
    D::Command: Send + Sync,
    D::Event: Send + Sync,
    D::Facts: Send + Sync,
{
    let appended = log.append(records.clone()).await?;
    // Over a broker that is away a command is held, and nobody waits for that.
    stored(log.durable(appended.at, PATIENCE).await)?;
    let mut asks = Vec::with_capacity(records.len());
    for record in &records {
        // A repeat is decided as the first record under its id says.
        let first = appended.repeats.iter().find(|first| first.id == record.id);
        let (open, sealed) = match first {
            Some(first) => (&first.open, first.seal.bytes()),
            None => (&record.open, record.sealed.as_ref()),
        };
        let command = v1::Command::decode(open.clone())
            .map_err(|why| NotCarriedOut::Unavailable(why.to_string()))?;
        let sealing = sealed.filter(|_| sealings).map(|sealed| wire::seal::Sealing {
            sealed: sealed.clone(),
            commitment: command.commitment.clone(),
        });
        asks.push(Ask {
            key: Key { class, ..record.key.clone() },
            cause: record.id,
            correlation: command.correlation.clone(),
            actor: command.actor.clone().unwrap_or_default(),
            command: D::hear(&command)
                .map_err(|why| NotCarriedOut::Unavailable(why.to_string()))?,
            now,
            map: bytes::Bytes::new(),
            sealing,
            answers: Answers::Command,
            fresh: false,
        });
    }
    let decided = shell.execute_all(asks, facts).await?;
    if let Some(refusal) = decided.iter().find_map(|decided| decided.refusal.clone()) {
        return Err(NotCarriedOut::Refused(refusal));
    }
    let at = decided.iter().filter_map(|decided| decided.at).max_by_key(|at| at.position);
    if let Some(at) = at {
        stored(log.durable(at, PATIENCE).await)?;
    }
    Ok(CarriedOut { decided, repeats: appended.repeats, at })
}

fn stored(durable: Durable) -> Result<(), NotCarriedOut> {
    match durable {
        Durable::Stored => Ok(()),
        Durable::HeldHere => Err(NotCarriedOut::Held),
        Durable::Unknown => Err(NotCarriedOut::Unavailable("the log does not store".to_owned())),
    }
}
