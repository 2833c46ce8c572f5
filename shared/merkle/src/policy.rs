//! Policy files (C2SP tlog-policy): which logs are trusted, and which witnesses must have seen a
//! checkpoint before it counts.

use std::collections::BTreeMap;

use crate::{
    checkpoint::SignedCheckpoint,
    key::{BadKey, KeyType, VerifierKey},
    note::NotVerified,
    text,
};

/// The most bytes of a policy file; it bounds the number of logs, witnesses and groups.
pub const POLICY_BYTES_MAX: usize = 256 * 1024;

/// The name of the quorum that needs no witness.
const NONE: &[u8] = b"none";

/// Whom an auditor trusts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    logs: Vec<Party>,
    witnesses: Vec<Party>,
    /// Witnesses and groups in the order of their lines: a group has members above it only.
    voices: Vec<Voice>,
    /// Which voice decides; `None` where no witness is asked for.
    quorum: Option<usize>,
}

/// A log or a witness, and where to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The key; a log's origin is the name of it.
    pub key: VerifierKey,
    /// The address; its meaning is the application's.
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Voice {
    /// Speaks where this witness signed.
    Witness(usize),
    /// Speaks where at least so many of its members do.
    Group { at_least: usize, members: Vec<usize> },
}

/// What was found on a checkpoint that a policy accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted<'a> {
    /// The key of the log.
    pub log: &'a VerifierKey,
    /// The witnesses with the times that they signed, in POSIX seconds by their own clocks, in the
    /// order of the note's lines. Whether a time lies in the future, the caller must say.
    pub cosigned_s: Vec<(&'a VerifierKey, u64)>,
}

/// Why a checkpoint is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// No log of the policy has this origin, or none of its keys signed.
    #[error("not signed by a log that the policy names")]
    UnknownLog,
    /// A signature of a key of the policy is wrong.
    #[error(transparent)]
    Signature(#[from] NotVerified),
    /// Too few witnesses signed.
    #[error("the witnesses who signed are no quorum")]
    NoQuorum,
}

/// Why a policy file is none. The operator must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct BadPolicy {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a line of a policy file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file is larger than [`POLICY_BYTES_MAX`].
    #[error("the file has more than {POLICY_BYTES_MAX} bytes")]
    TooLarge,
    /// The last line does not end: perhaps the file was cut.
    #[error("the line does not end with a line feed")]
    Unended,
    /// A control character other than tab.
    #[error("a control character")]
    Control,
    /// It begins with none of `log`, `witness`, `group` and `quorum`.
    #[error("neither log, nor witness, nor group, nor quorum")]
    Keyword,
    /// Too few items, or too many.
    #[error("too few items, or too many")]
    Items,
    /// The key cannot be read, or is of a type that logs or witnesses do not have.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// A log or a witness above has the same public key.
    #[error("the key stands above already")]
    SameKey,
    /// The address is not UTF-8.
    #[error("the address is not UTF-8")]
    Url,
    /// A witness or a group above has this name, or it is `none`.
    #[error("the name is taken")]
    SameName,
    /// No witness and no group above has this name.
    #[error("the name is not defined above")]
    UnknownName,
    /// The name is already a member of a group.
    #[error("the name is a member of a group already")]
    SameMember,
    /// The threshold is none of `all`, `any`, and 1 up to the number of members.
    #[error("the threshold is neither all, nor any, nor 1 up to the number of members")]
    Threshold,
    /// There is a quorum above.
    #[error("a second quorum")]
    SameQuorum,
    /// The file ends, and no line has named a quorum.
    #[error("the file names no quorum")]
    NoQuorum,
}

impl Policy {
    /// Reads a policy file. It is bytes: names and comments need not be UTF-8.
    ///
    /// # Errors
    /// A line is wrong, or the quorum is missing.
    pub fn parse(file: &[u8]) -> Result<Self, BadPolicy> {
        if file.len() > POLICY_BYTES_MAX {
            return Err(BadPolicy { line: 1, fault: Fault::TooLarge });
        }
        let mut draft = Draft::default();
        let mut last = 1;
        for (line, bytes) in (1..).zip(file.split_inclusive(|byte| *byte == b'\n')) {
            draft.read(bytes).map_err(|fault| BadPolicy { line, fault })?;
            last = line;
        }
        if !draft.has_quorum {
            return Err(BadPolicy { line: last, fault: Fault::NoQuorum });
        }
        Ok(draft.policy)
    }

    /// The logs, in the order of their lines.
    #[must_use]
    pub fn logs(&self) -> &[Party] {
        &self.logs
    }

    /// The witnesses, in the order of their lines.
    #[must_use]
    pub fn witnesses(&self) -> &[Party] {
        &self.witnesses
    }

    /// The witnesses who signed this very checkpoint, in the order of their lines.
    #[must_use]
    pub fn cosigners(&self, checkpoint: &SignedCheckpoint) -> Vec<&VerifierKey> {
        let (text, lines) = (checkpoint.note().text(), checkpoint.note().signatures());
        let signed = |key: &&VerifierKey| lines.iter().any(|line| line.verify(text, key).is_ok());
        self.witnesses.iter().map(|witness| &witness.key).filter(signed).collect()
    }

    /// Whether the witnesses with these keys are enough.
    #[must_use]
    pub fn is_quorum(&self, cosigners: &[&VerifierKey]) -> bool {
        let mut speaks: Vec<bool> = Vec::with_capacity(self.voices.len());
        for voice in &self.voices {
            speaks.push(match voice {
                Voice::Witness(witness) => {
                    let witness = self.witnesses.get(*witness);
                    witness.is_some_and(|witness| cosigners.contains(&&witness.key))
                }
                Voice::Group { at_least, members } => {
                    let speaking =
                        members.iter().filter(|member| speaks.get(**member) == Some(&true));
                    speaking.count() >= *at_least
                }
            });
        }
        self.quorum.is_none_or(|quorum| speaks.get(quorum) == Some(&true))
    }

    /// Accepts a checkpoint that a log of the policy signed under its own name and a quorum of the
    /// witnesses cosigned.
    ///
    /// # Errors
    /// It is not accepted.
    pub fn accept<'a>(
        &'a self,
        checkpoint: &'a SignedCheckpoint,
    ) -> Result<Accepted<'a>, NotAccepted> {
        let origin = checkpoint.checkpoint().origin();
        let logs = self.logs.iter().filter(|log| log.key.name() == origin);
        let keys = logs.chain(&self.witnesses).map(|party| &party.key);
        let verified = checkpoint.verify(keys).map_err(|error| match error {
            NotVerified::Unknown => NotAccepted::UnknownLog,
            wrong @ NotVerified::Wrong { .. } => NotAccepted::Signature(wrong),
        })?;
        let log = verified.iter().find(|found| found.cosigned_s.is_none());
        let log = log.ok_or(NotAccepted::UnknownLog)?.key;
        let cosigned_s: Vec<_> =
            verified.iter().filter_map(|found| Some((found.key, found.cosigned_s?))).collect();
        let cosigners: Vec<_> = cosigned_s.iter().map(|(key, _)| *key).collect();
        if !self.is_quorum(&cosigners) {
            return Err(NotAccepted::NoQuorum);
        }
        Ok(Accepted { log, cosigned_s })
    }
}

/// A policy whose file is being read.
#[derive(Default)]
struct Draft<'a> {
    policy: Policy,
    has_quorum: bool,
    /// The voices by their names, and whether they are members of a group.
    names: BTreeMap<&'a [u8], (usize, bool)>,
}

impl<'a> Draft<'a> {
    fn read(&mut self, line: &'a [u8]) -> Result<(), Fault> {
        let line = line.strip_suffix(b"\n").ok_or(Fault::Unended)?;
        if line.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
            return Err(Fault::Control);
        }
        let items: Vec<&[u8]> = line
            .split(|byte| matches!(byte, b' ' | b'\t'))
            .filter(|item| !item.is_empty())
            .collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key, url @ ..] => add(&mut self.policy.logs, party(key, url, KeyType::Note)?),
            [b"witness", name, key, url @ ..] => {
                add(&mut self.policy.witnesses, party(key, url, KeyType::Cosignature)?)?;
                self.define(name, Voice::Witness(self.policy.witnesses.len() - 1))
            }
            [b"group", name, threshold, members @ ..] => self.group(name, threshold, members),
            [b"quorum", name] => self.decide(name),
            [b"log" | b"witness" | b"group" | b"quorum", ..] => Err(Fault::Items),
            _ => Err(Fault::Keyword),
        }
    }

    fn group(&mut self, name: &'a [u8], threshold: &[u8], names: &[&'a [u8]]) -> Result<(), Fault> {
        let mut members = Vec::with_capacity(names.len());
        for member in names {
            let (voice, is_member) = self.names.get_mut(member).ok_or(Fault::UnknownName)?;
            if std::mem::replace(is_member, true) {
                return Err(Fault::SameMember);
            }
            members.push(*voice);
        }
        let at_least = match threshold {
            b"all" => members.len(),
            b"any" => 1,
            number => std::str::from_utf8(number)
                .ok()
                .and_then(text::decimal)
                .and_then(|number| number.try_into().ok())
                .ok_or(Fault::Threshold)?,
        };
        if members.is_empty() {
            return Err(Fault::Items);
        }
        if !(1..=members.len()).contains(&at_least) {
            return Err(Fault::Threshold);
        }
        self.define(name, Voice::Group { at_least, members })
    }

    fn define(&mut self, name: &'a [u8], voice: Voice) -> Result<(), Fault> {
        let is_taken = self.names.insert(name, (self.policy.voices.len(), false)).is_some();
        if is_taken || name == NONE {
            return Err(Fault::SameName);
        }
        self.policy.voices.push(voice);
        Ok(())
    }

    fn decide(&mut self, name: &[u8]) -> Result<(), Fault> {
        self.policy.quorum = match self.names.get(name) {
            Some((voice, _)) => Some(*voice),
            None if name == NONE => None,
            None => return Err(Fault::UnknownName),
        };
        let is_second = std::mem::replace(&mut self.has_quorum, true);
        if is_second { Err(Fault::SameQuorum) } else { Ok(()) }
    }
}

fn party(key: &[u8], url: &[&[u8]], key_type: KeyType) -> Result<Party, Fault> {
    let key = std::str::from_utf8(key).map_err(|_| BadKey::Text)?;
    let key: VerifierKey = key.parse()?;
    if key.key_type() != key_type {
        return Err(BadKey::Type(key.key_type() as u8).into());
    }
    let url = match url {
        [] => None,
        [url] => Some(std::str::from_utf8(url).map_err(|_| Fault::Url)?.to_owned()),
        _ => return Err(Fault::Items),
    };
    Ok(Party { key, url })
}

/// Adds a party whose key none above has: one key is one voice, under whatever names.
fn add(parties: &mut Vec<Party>, new: Party) -> Result<(), Fault> {
    if parties.iter().any(|other| other.key.public() == new.key.public()) {
        return Err(Fault::SameKey);
    }
    parties.push(new);
    Ok(())
}
