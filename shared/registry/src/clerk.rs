//! The clerk writes the directory: tokens, officers, rosters, groups, and which map is in force.
//!
//! The process that takes such a command also decides it, so that it works at once there. Were
//! it killed in between, alerting, which follows every command, would decide it.

mod keys;
mod links;
mod officers;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    dated::Versions,
    directory::{Entry, TokenFacts},
    hex::hex,
    ids::{EntityName, Home, Millis, OfficerId, RecordId},
};
use event_log::{
    AppendError, At, Durable, EventLog, Held, LoadError, Recorded,
    command::Draft,
    record::{BATCH_RECORDS_MAX, Class, Key, Record},
    shell::{Answers, Ask, Decided, ExecuteError, Shell},
};
use prost::Message;
use tokio::sync::watch;
use uuid::Uuid;
use wire::{
    Spoken,
    directory::{map_said, token_said},
    seal::{salt, seal},
    v1::{self, command::Body},
};

use crate::{GroupEntry, Map, SharedDirectory, plan_groups};

const PATIENCE: Duration = Duration::from_secs(5);
/// Records of one append of an import: well below what a log takes, and their sealed parts too.
const IMPORT_RECORDS_MAX: usize = BATCH_RECORDS_MAX / 2;

/// Why the directory was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClerkError {
    /// The rule that forbids it.
    #[error("refused: {code} {field}")]
    Refused {
        /// A stable machine code.
        code: String,
        /// The field at fault.
        field: String,
    },
    /// Not known to be written: ask again.
    #[error("not stored: {0}")]
    Unavailable(String),
    /// On this machine's disk, not yet sent to the broker.
    #[error("held here, not yet sent")]
    Held,
}

impl From<ExecuteError> for ClerkError {
    fn from(error: ExecuteError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<AppendError> for ClerkError {
    fn from(error: AppendError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<LoadError> for ClerkError {
    fn from(error: LoadError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Writes the directory. Cheap to share.
pub struct Clerk {
    log: Arc<dyn EventLog>,
    shell: Shell<Entry>,
    versions: Shell<Versions>,
    directory: SharedDirectory,
    /// The last position of class `Alert` that the directory has seen.
    seen: watch::Receiver<u64>,
}

impl Clerk {
    /// What it holds folded of what it has decided.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        self.shell.held().into_iter().chain(self.versions.held()).collect()
    }

    /// A clerk over this log; `seen` follows what the process' directory has taken in.
    #[must_use]
    pub fn new(
        log: Arc<dyn EventLog>,
        directory: SharedDirectory,
        seen: watch::Receiver<u64>,
    ) -> Self {
        let (shell, versions) = (Shell::new(Arc::clone(&log)), Shell::new(Arc::clone(&log)));
        Self { shell, versions, log, directory, seen }
    }

    /// Makes a token, and its officer where the officer is unknown. It works when this returns.
    ///
    /// # Errors
    /// [`ClerkError`]; `already-made` where the command `id` is in the log: the token that it
    /// made cannot be shown again.
    pub async fn make_token(
        &self,
        id: RecordId,
        actor: v1::Actor,
        facts: TokenFacts,
        now: Millis,
    ) -> Result<(), ClerkError> {
        let officer = facts.officer.clone();
        let mut drafts = Vec::new();
        if !self.directory.read().officer_known(&officer) {
            drafts.push(officer_draft(&officer, &actor, now));
        }
        let entity = EntityName::token(&facts.id);
        let body = Body::MakeToken(v1::MakeToken { facts: Some(token_said(&facts)) });
        drafts.push(draft(id, entity, Home::NATION, &actor, now, body));
        if self.write(drafts, now).await?.contains(&id) {
            let (code, field) = ("already-made".to_owned(), String::new());
            return Err(ClerkError::Refused { code, field });
        }
        Ok(())
    }

    /// Ends a token. It is refused everywhere that has seen this, here when this returns.
    ///
    /// # Errors
    /// [`ClerkError`]; `not-found` where there is no such token.
    pub async fn revoke_token(
        &self,
        actor: v1::Actor,
        id: &str,
        now: Millis,
    ) -> Result<(), ClerkError> {
        let body = Body::RevokeToken(v1::RevokeToken { id: id.to_owned() });
        let entity = EntityName::token(id);
        let draft = draft(RecordId(Uuid::now_v7()), entity, Home::NATION, &actor, now, body);
        match self.write(vec![draft], now).await {
            // At this process it works at once, also while the broker is away.
            Err(ClerkError::Held) => {
                self.directory.revoke_here(id);
                Err(ClerkError::Held)
            }
            written => written.map(|_| ()),
        }
    }

    /// Records the groups that are new or differ; the same file again writes nothing. Answers
    /// with how many were recorded.
    ///
    /// # Errors
    /// [`ClerkError`]; what was recorded before the error stays.
    pub async fn import_groups(
        &self,
        actor: v1::Actor,
        entries: Vec<GroupEntry>,
        now: Millis,
    ) -> Result<usize, ClerkError> {
        let planned = plan_groups(entries, &self.directory.read());
        for some in planned.chunks(IMPORT_RECORDS_MAX) {
            let drafts: Vec<Draft> = some
                .iter()
                .map(|entry| self.group_draft(entry, &actor, now))
                .collect::<Result<_, _>>()?;
            self.write(drafts, now).await?;
        }
        Ok(planned.len())
    }

    /// Writes down which map is in force, if none is yet, or this one is dated later.
    ///
    /// # Errors
    /// [`ClerkError`]; `other-map` where another one is, and stays.
    pub async fn adopt_map(
        &self,
        actor: v1::Actor,
        map: &Map,
        now: Millis,
    ) -> Result<(), ClerkError> {
        let facts = map.facts(now);
        let adopted = self.directory.read().adopted_map().cloned();
        if adopted.as_ref().is_some_and(|adopted| adopted.says(&facts)) {
            return Ok(());
        }
        // The same map after the same one is the same command, at whatever process; of a map
        // without dates the moment is no part of that.
        let after = adopted.map_or_else(|| "-".into(), |adopted| adopted.name());
        let from_ms = facts.valid.from().filter(|_| facts.is_dated()).map_or(0, |from| from.0);
        let (name, sha256) = (facts.name(), hex(&facts.sha256));
        let id = RecordId::of_purpose(&format!("adopt-map/{after}/{name}/{from_ms}/{sha256}"));
        let body = Body::AdoptMap(map_said(&facts));
        let draft = draft(id, EntityName::map(), Home::NATION, &actor, now, body);
        self.write(vec![draft], now).await?;
        Ok(())
    }

    /// Decides a command of the directory that stands in the log. Has the effect of one.
    ///
    /// # Errors
    /// [`ExecuteError`]: ask again.
    pub async fn decide(
        &self,
        recorded: &Recorded,
        command: &v1::Command,
        now: Millis,
    ) -> Result<Option<At>, ExecuteError> {
        if matches!(command.body, Some(Body::AdoptDirectory(_))) {
            return self.decide_version(recorded, command, now).await;
        }
        let sealed = recorded.seal.bytes();
        let ask =
            ask::<Entry>(recorded.id, &recorded.key, sealed, command, now).map_err(|why| {
                ExecuteError::Held { entity: recorded.key.entity.clone(), why: why.to_string() }
            })?;
        Ok(self.shell.execute(ask, |_, _| ()).await?.at)
    }

    fn group_draft(
        &self,
        entry: &GroupEntry,
        actor: &v1::Actor,
        now: Millis,
    ) -> Result<Draft, ClerkError> {
        let entity = EntityName::group(&entry.id);
        // The same content at the same version is the same command, at whatever process.
        let version = self.directory.read().version(&entity);
        let purpose = format!("group/{}/{version}/{}", entry.id, hex(&entry.content_sha256()));
        let content = v1::SealedContent {
            request_sha256: Bytes::new(),
            content: Some(v1::sealed_content::Content::Group(entry.text())),
        };
        let salt = salt().map_err(|why| ClerkError::Unavailable(why.to_string()))?;
        let body = Body::RecordGroup(v1::RecordGroup { facts: Some(entry.facts()) });
        let id = RecordId::of_purpose(&purpose);
        Ok(Draft {
            sealing: Some(seal(&content, salt)),
            sealed_fields: vec!["name".to_owned(), "channels".to_owned()],
            ..draft(id, entity, entry.home, actor, now, body)
        })
    }

    /// Writes the commands down, decides them, and waits until all is durable and seen here.
    /// Answers with those that were in the log already.
    async fn write(&self, drafts: Vec<Draft>, now: Millis) -> Result<Vec<RecordId>, ClerkError> {
        self.write_to(&self.shell, drafts, now, |_, _| ()).await
    }

    async fn write_to<D>(
        &self,
        shell: &Shell<D>,
        drafts: Vec<Draft>,
        now: Millis,
        facts: impl Fn(&D, &Ask<D::Command>) -> D::Facts + Send + Sync,
    ) -> Result<Vec<RecordId>, ClerkError>
    where
        D: Spoken + Clone + Send,
        D::Command: Send + Sync,
        D::Event: Send + Sync,
        D::Facts: Send + Sync,
    {
        let records: Vec<Record> = drafts.into_iter().map(Draft::record).collect();
        let appended = self.log.append(records.clone()).await?;
        // Over a broker that is away a command is held; the directory does not wait for that.
        match self.log.durable(appended.at, PATIENCE).await {
            Durable::Stored => {}
            Durable::HeldHere => return Err(ClerkError::Held),
            Durable::Unknown => {
                return Err(ClerkError::Unavailable("the log does not store".to_owned()));
            }
        }
        // A repeat is decided as the first record under its id says.
        let first =
            |record: &Record| appended.repeats.iter().find(|first| first.id == record.id).cloned();
        let mut asks = Vec::with_capacity(records.len());
        for record in &records {
            let repeat = first(record);
            // Its entity, too: a token that is asked for again would be another one.
            let (key, open, sealed) = match &repeat {
                Some(first) => (&first.key, &first.open, first.seal.bytes()),
                None => (&record.key, &record.open, record.sealed.as_ref()),
            };
            let command = v1::Command::decode(open.clone())
                .map_err(|why| ClerkError::Unavailable(why.to_string()))?;
            let ask = ask::<D>(record.id, key, sealed, &command, now)
                .map_err(|why| ClerkError::Unavailable(why.to_string()))?;
            asks.push(ask);
        }
        let decided = shell.execute_all(asks, facts).await?;
        self.settled(&decided).await?;
        Ok(appended.repeats.iter().map(|first| first.id).collect())
    }

    async fn settled<E>(&self, decided: &[Decided<E>]) -> Result<(), ClerkError> {
        // Alerting, which follows every command, may have refused it first.
        if let Some(refusal) = decided.iter().find_map(|decided| decided.refusal.clone()) {
            let v1::Refused { code, field } = refusal;
            return Err(ClerkError::Refused { code, field });
        }
        let Some(last) = decided.iter().filter_map(|d| d.at).max_by_key(|at| at.position) else {
            return Ok(());
        };
        if self.log.durable(last, PATIENCE).await != Durable::Stored {
            return Err(ClerkError::Unavailable("the log does not store".to_owned()));
        }
        let mut seen = self.seen.clone();
        let seen = seen.wait_for(|position| *position >= last.position);
        match tokio::time::timeout(PATIENCE, seen).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(ClerkError::Unavailable("the directory is behind".to_owned())),
        }
    }
}

fn officer_draft(officer: &OfficerId, actor: &v1::Actor, now: Millis) -> Draft {
    let body = Body::RecordOfficer(v1::RecordOfficer { officer: officer.to_string() });
    let id = RecordId::of_purpose(&format!("officer/{officer}"));
    draft(id, EntityName::officer(officer), Home::NATION, actor, now, body)
}

fn draft(
    id: RecordId,
    entity: EntityName,
    home: Home,
    actor: &v1::Actor,
    at: Millis,
    body: Body,
) -> Draft {
    Draft {
        id,
        entity,
        home,
        actor: actor.clone(),
        at,
        correlation: Bytes::copy_from_slice(id.0.as_bytes()),
        causation: Bytes::new(),
        valid_until: None,
        sealing: None,
        sealed_fields: vec![],
        body,
    }
}

fn ask<D: Spoken>(
    id: RecordId,
    key: &Key,
    sealed: Option<&Bytes>,
    command: &v1::Command,
    now: Millis,
) -> Result<Ask<D::Command>, wire::NotDecodable> {
    // The commit of a group, a contact or the link key carries the sealed part too, so that a
    // directory needs one look-up.
    let sealing = sealed.map(|sealed| wire::seal::Sealing {
        sealed: sealed.clone(),
        commitment: command.commitment.clone(),
    });
    Ok(Ask {
        key: Key { class: Class::Alert, ..key.clone() },
        cause: id,
        correlation: command.correlation.clone(),
        actor: command.actor.clone().unwrap_or_default(),
        command: D::hear(command)?,
        now,
        map: Bytes::new(),
        sealing,
        answers: Answers::Command,
        fresh: true,
    })
}
