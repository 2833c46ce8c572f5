//! Subjects and streams: `keng.v1.<generation>.<class>.<province>.<commune>.<entity>`; a command
//! ends with its id, so that a repeat meets the first under a subject of its own.

use domain::ids::{EntityName, Home, RecordId};
use event_log::record::{Class, Key, Kind, Record};

/// Fixed by an entity's creation; an operator raises it before a stream nears a million subjects.
const GENERATION: u32 = 1;

/// One of the six streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stream {
    Of(Class),
    /// The sealed parts of every class: one subject an entity, so that they can be destroyed.
    Sealed,
}

impl Stream {
    /// Every stream, alerts before what follows from them.
    pub(crate) const ALL: [Self; 6] = [
        Self::Of(Class::Command),
        Self::Of(Class::Alert),
        Self::Of(Class::Delivery),
        Self::Of(Class::Receipt),
        Self::Of(Class::News),
        Self::Sealed,
    ];

    /// The stream's name at the broker.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Of(Class::Command) => "CMD",
            Self::Of(Class::Alert) => "ALERT",
            Self::Of(Class::Delivery) => "DELIVERY",
            Self::Of(Class::Receipt) => "RECEIPT",
            Self::Of(Class::News) => "NEWS",
            Self::Sealed => "SEALED",
        }
    }

    /// The word in subjects and metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Of(class) => class.as_str(),
            Self::Sealed => "sealed",
        }
    }

    /// What the stream holds: every generation of its word.
    pub(crate) fn subjects(self) -> String {
        format!("keng.v1.*.{}.>", self.word())
    }

    /// A number for the outbox, never changed.
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Of(Class::Command) => 1,
            Self::Of(Class::Alert) => 2,
            Self::Of(Class::Delivery) => 3,
            Self::Of(Class::Receipt) => 4,
            Self::Of(Class::News) => 5,
            Self::Sealed => 6,
        }
    }

    /// The stream with that number.
    pub(crate) fn of_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.code() == code)
    }
}

/// The subject of a record's open part.
pub(crate) fn of_record(record: &Record) -> String {
    match record.kind {
        Kind::Command => of_command(&record.key, record.id),
        Kind::Commit { .. } => of_entity(&record.key),
    }
}

/// The subject of one command.
pub(crate) fn of_command(key: &Key, id: RecordId) -> String {
    format!("{}{id}", prefix(Stream::Of(Class::Command), &key.home))
}

/// A command's id under every home: the first record under an id wins, also where a repeat names
/// another commune.
pub(crate) fn of_command_anywhere(id: RecordId) -> String {
    format!("keng.v1.*.{}.*.*.{id}", Class::Command.as_str())
}

/// The subject of an entity's commits.
pub(crate) fn of_entity(key: &Key) -> String {
    format!("{}{}", prefix(Stream::Of(key.class), &key.home), key.entity)
}

/// The subject of an entity's sealed parts, those of its commands included.
pub(crate) fn of_sealed(key: &Key) -> String {
    format!("{}{}", prefix(Stream::Sealed, &key.home), key.entity)
}

/// The subject of an entity's commits, or of its sealed parts, wherever it is at home.
pub(crate) fn anywhere(stream: Stream, entity: &EntityName) -> String {
    format!("keng.v1.*.{}.*.*.{entity}", stream.word())
}

fn prefix(stream: Stream, home: &Home) -> String {
    format!("keng.v1.{GENERATION}.{}.{}.{}.", stream.word(), home.province, home.commune)
}

/// Where the entity of this subject is at home.
pub(crate) fn home(subject: &str) -> Option<Home> {
    let mut tokens = subject.split('.').skip(4);
    let province = tokens.next()?.parse().ok()?;
    let commune = tokens.next()?.parse().ok()?;
    Some(Home { province, commune })
}
