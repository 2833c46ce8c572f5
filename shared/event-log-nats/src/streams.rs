//! The six streams: how they must be set, what is missing, what is set otherwise.

use async_nats::jetstream::{
    ErrorCode,
    context::GetStreamErrorKind,
    stream::{Config, DiscardPolicy, Info, PersistenceMode, RetentionPolicy, StorageType},
};

use crate::{broker::Broker, read::Unread, subject::Stream};

/// How the streams were found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What is there.
    pub(crate) infos: Vec<(Stream, Info)>,
    /// What is not.
    pub(crate) missing: Vec<Stream>,
    /// Why an acknowledgement may not mean "on disk": an operator may accept it.
    pub(crate) doubts: Vec<String>,
    /// What is set so that the log cannot work: nobody can accept it.
    pub(crate) faults: Vec<String>,
}

/// Looks at each stream.
pub(crate) async fn look(broker: &Broker, replicas: usize) -> Result<Found, Unread> {
    let mut found = Found::default();
    for stream in Stream::ALL {
        match broker.context.get_stream(stream.name()).await {
            Ok(handle) => {
                let info = handle.cached_info().clone();
                check(stream, &info.config, replicas, &mut found);
                found.infos.push((stream, info));
            }
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(told)
                    if told.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    found.missing.push(stream);
                }
                _ => return Err(Unread(error.to_string())),
            },
        }
    }
    Ok(found)
}

/// Creates a stream. Another process may have done so at the same time.
pub(crate) async fn create(
    broker: &Broker,
    stream: Stream,
    replicas: usize,
) -> Result<(Stream, Info), Unread> {
    let created = broker.context.create_stream(wanted(stream, replicas)).await;
    let handle = created.map_err(|error| Unread(format!("{}: {error}", stream.name())))?;
    tracing::info!(stream = stream.name(), "created");
    Ok((stream, handle.cached_info().clone()))
}

fn wanted(stream: Stream, replicas: usize) -> Config {
    let kept = stream != Stream::Sealed;
    Config {
        name: stream.name().to_owned(),
        subjects: vec![stream.subjects()],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        max_bytes: -1,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        num_replicas: replicas,
        deny_delete: kept,
        deny_purge: kept,
        allow_direct: true,
        allow_atomic_publish: true,
        ..Config::default()
    }
}

fn check(stream: Stream, set: &Config, replicas: usize, found: &mut Found) {
    let name = stream.name();
    let kept = stream != Stream::Sealed;
    let faults = [
        (!set.subjects.contains(&stream.subjects()), "does not hold its subjects"),
        (set.retention != RetentionPolicy::Limits, "does not keep what was read"),
        (set.storage != StorageType::File, "is not on disk"),
        (set.discard != DiscardPolicy::New, "discards the old"),
        (set.max_messages > 0 || set.max_messages_per_subject > 0, "limits its messages"),
        (!set.max_age.is_zero(), "forgets by age"),
        (set.no_ack, "does not acknowledge"),
        (set.sealed, "takes nothing"),
        (kept && !set.deny_delete, "lets messages be deleted"),
        (kept && !set.deny_purge, "lets itself be purged"),
        (!kept && (set.deny_delete || set.deny_purge), "lets nothing be destroyed"),
        (!set.allow_direct, "cannot be read directly"),
        (!set.allow_atomic_publish, "takes no atomic batches"),
    ];
    found.faults.extend(
        faults.iter().filter(|(wrong, _)| *wrong).map(|(_, why)| format!("stream {name} {why}")),
    );
    if set.persist_mode.is_some_and(|mode| mode != PersistenceMode::Default) {
        found.doubts.push(format!("stream {name} acknowledges before it syncs (persist_mode)"));
    }
    if set.num_replicas < replicas {
        found.doubts.push(format!("stream {name} has {} of {replicas} replicas", set.num_replicas));
    }
}
