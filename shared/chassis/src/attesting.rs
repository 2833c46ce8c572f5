//! The service's own signature on the commands that it takes from people without keys, and gives
//! itself: so that nobody can say later that another process wrote them. What a person signed is
//! left as it is.
//!
//! The key lies in the data directory (mode 0600), made at the first start. A log hears of it in
//! the same append as of the first command that it signs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use domain::{
    hex::{hex, unhex},
    ids::{AlertId, EntityName, Home, OfficerId, RecordId},
    key::{Holder, KeyFacts},
};
use event_log::{
    AppendError, Appended, At, Durable, EraseError, EventLog, FollowError, Follower, Following,
    Key, Kind, LoadError, Record, Recorded, Signature, command::Draft, record::BATCH_RECORDS_MAX,
};
use futures::future::BoxFuture;
use wire::{
    actor,
    key::key_said,
    signing::Signer,
    v1::{self, command::Body},
};

use crate::{Clock, data_dir::DataDir, durable_file, exit::ConfigError};

const FILE: &str = "service-key";

/// The same log; what this process asks for there is signed by its own key.
///
/// # Errors
/// The file of the key cannot be read or written, or holds none.
pub fn attesting(
    log: Arc<dyn EventLog>,
    data: &DataDir,
    instance: &str,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn EventLog>, ConfigError> {
    let signer = service_key(data)?;
    let damaged =
        |_| ConfigError::Damaged { path: data.path().to_owned(), why: "its instance is no name" };
    let name = format!("service:{instance}").parse().map_err(damaged)?;
    Ok(Arc::new(AttestingLog { log, signer, name, clock, introduced: AtomicBool::new(false) }))
}

/// Reads the key, or makes it, durably. Blocks for a moment.
fn service_key(data: &DataDir) -> Result<Signer, ConfigError> {
    let path = data.path().join(FILE);
    let unusable = |source| ConfigError::Unusable { path: path.clone(), source };
    if let Some(text) = durable_file::read(&path).map_err(unusable)? {
        let secret = unhex(text.trim_end()).and_then(|bytes| bytes.try_into().ok());
        let why = "it holds no key; remove it, and another one is made";
        return secret
            .map(|secret| Signer::of_secret(&secret))
            .ok_or(ConfigError::Damaged { path, why });
    }
    let signer = Signer::fresh().map_err(|why| unusable(std::io::Error::other(why)))?;
    durable_file::write(data.path(), FILE, format!("{}\n", hex(&signer.secret())))
        .map_err(unusable)?;
    Ok(signer)
}

struct AttestingLog {
    log: Arc<dyn EventLog>,
    signer: Signer,
    /// `service:<instance>`.
    name: OfficerId,
    clock: Arc<dyn Clock>,
    /// Whether the log has heard of the key since this process began.
    introduced: AtomicBool,
}

impl AttestingLog {
    fn signed(&self, record: Record) -> Record {
        if record.signature.is_some() {
            return record;
        }
        let value = self.signer.sign(&record.open);
        let signature = Signature { key: self.signer.id(), value, received: None };
        Record { signature: Some(Arc::new(signature)), ..record }
    }

    /// The same at each start: the first that came stays.
    fn introduction(&self) -> Record {
        let (public, proof) = (self.signer.public().into(), self.signer.proof(self.name.as_str()));
        let facts = KeyFacts { public, holder: Holder::Service(self.name.clone()), proof };
        let id = self.introduction_id();
        let draft = Draft {
            id,
            entity: EntityName::key(facts.id()),
            home: Home::NATION,
            actor: v1::Actor { officer: self.name.to_string(), ..actor::service("") },
            at: self.clock.now(),
            correlation: Bytes::copy_from_slice(id.0.as_bytes()),
            causation: Bytes::new(),
            valid_until: None,
            sealing: None,
            sealed_fields: vec![],
            body: Body::RegisterKey(v1::RegisterKey { facts: Some(key_said(&facts)) }),
        };
        self.signed(draft.record())
    }

    fn introduction_id(&self) -> RecordId {
        RecordId::of_purpose(&format!("service-key/{}", self.signer.id()))
    }

    async fn append_commands(&self, commands: Vec<Record>) -> Result<Appended, AppendError> {
        let commands = commands.into_iter().map(|record| self.signed(record));
        if self.introduced.load(Ordering::Acquire) {
            return self.log.append(commands.collect()).await;
        }
        let mut batch = vec![self.introduction()];
        batch.extend(commands);
        if batch.len() > BATCH_RECORDS_MAX {
            self.log.append(batch.drain(..1).collect()).await?;
        }
        let mut appended = self.log.append(batch).await?;
        self.introduced.store(true, Ordering::Release);
        // Nobody but this has asked for it.
        let own = self.introduction_id();
        appended.repeats.retain(|first| first.id != own);
        Ok(appended)
    }
}

impl EventLog for AttestingLog {
    fn append(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>> {
        if records.iter().any(|record| record.kind != Kind::Command) || records.is_empty() {
            return self.log.append(records);
        }
        Box::pin(self.append_commands(records))
    }

    fn load<'a>(
        &'a self,
        key: &'a Key,
        id: Option<RecordId>,
    ) -> BoxFuture<'a, Result<Vec<Arc<Recorded>>, LoadError>> {
        self.log.load(key, id)
    }

    fn follow(&self, following: Following) -> BoxFuture<'_, Result<Follower, FollowError>> {
        self.log.follow(following)
    }

    fn durable(&self, at: At, patience: Duration) -> BoxFuture<'_, Durable> {
        self.log.durable(at, patience)
    }

    fn erase<'a>(
        &'a self,
        alert: AlertId,
        entities: &'a [EntityName],
    ) -> BoxFuture<'a, Result<u64, EraseError>> {
        self.log.erase(alert, entities)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use domain::ids::Millis;
    use event_log::{Class, Received, memory::MemoryLog};
    use prost::Message;
    use wire::signing::is_signed_by;

    use super::*;
    use crate::{VirtualClock, data_dir::Kind as DataKind};

    fn command(name: &str) -> Record {
        let entity = EntityName::map();
        Record {
            id: RecordId::of_purpose(name),
            key: Key { class: Class::Command, home: Home::NATION, entity },
            kind: Kind::Command,
            open: Bytes::from(name.to_owned()),
            sealed: None,
            signature: None,
        }
    }

    fn open(log: &Arc<MemoryLog>, data: &DataDir) -> Arc<dyn EventLog> {
        let clock = Arc::new(VirtualClock::at(Millis(7)));
        attesting(Arc::clone(log) as _, data, "0190-instance", clock).unwrap()
    }

    #[tokio::test]
    async fn every_command_is_signed_behind_the_introduction_of_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path(), DataKind::Real).unwrap();
        let log = Arc::new(MemoryLog::new());
        let received = Some(Received { at: Millis(1), key_version: 2 });
        let of_person = Signer::of_secret(&[7; 32]);
        let value = of_person.sign(b"two");
        let by_person = Signature { key: of_person.id(), value, received };
        let two = Record { signature: Some(Arc::new(by_person.clone())), ..command("two") };
        let attested = open(&log, &data);
        attested.append(vec![command("one"), two]).await.unwrap();
        attested.append(vec![command("three")]).await.unwrap();
        // The same process, started again.
        let again = open(&log, &data).append(vec![command("three"), command("four")]).await;
        let repeats = again.unwrap().repeats;
        assert_eq!(repeats.iter().map(|first| &*first.open).collect::<Vec<_>>(), [b"three"]);

        let records = log.records();
        let register = v1::Command::decode(records[0].open.clone()).unwrap();
        let Some(Body::RegisterKey(v1::RegisterKey { facts: Some(facts) })) = register.body else {
            panic!("{register:?}");
        };
        assert_eq!(facts.officer, "service:0190-instance");
        let public: [u8; 32] = facts.public.as_ref().try_into().unwrap();
        let public = public.into();
        let opens: Vec<&[u8]> = records[1..].iter().map(|record| &*record.open).collect();
        assert_eq!(opens, [b"one".as_slice(), b"two", b"three", b"four"]);
        for record in records.iter().filter(|record| &*record.open != b"two") {
            let signature = record.signature.as_ref().unwrap();
            assert!(is_signed_by(&public, &record.open, &signature.value));
            assert_eq!(signature.received, None);
        }
        assert_eq!(records[2].signature.as_deref(), Some(&by_person), "as the person signed it");
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(dir.path().join(FILE), "x").unwrap();
        assert!(matches!(service_key(&data), Err(ConfigError::Damaged { .. })));
    }
}
