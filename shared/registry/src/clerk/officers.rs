//! Writing officers and rosters, and the version of the directory that follows.

use bytes::Bytes;
use domain::{
    dated::Versions,
    hex::hex,
    ids::{EntityName, Home, Millis, RecordId},
};
use event_log::{At, Recorded, command::Draft, shell::ExecuteError};
use prost::Message;
use uuid::Uuid;
use wire::{
    roster::{contact_said, roster_said},
    seal::{salt, seal},
    v1::{self, ContactText, command::Body},
};

use super::{Clerk, ClerkError, IMPORT_RECORDS_MAX, ask, draft};
use crate::officers::{ContactEntry, Officers};

impl Clerk {
    /// Records what is new of an officers file, and adopts the version of the directory that
    /// this makes. The same file again writes nothing. Answers with how many were recorded.
    ///
    /// # Errors
    /// [`ClerkError`]; what was recorded before the error stays.
    pub async fn import_officers(
        &self,
        actor: v1::Actor,
        officers: Officers,
        now: Millis,
    ) -> Result<usize, ClerkError> {
        let Officers { contacts, rosters } = officers.news(&self.directory.read());
        let mut drafts = Vec::new();
        for entry in &contacts {
            drafts.push(contact_draft(entry, &actor, now)?);
        }
        for facts in &rosters {
            let entity = EntityName::roster(facts.place);
            let version = self.directory.read().version(&entity);
            let (place, facts) = (facts.place, roster_said(facts));
            let sha256 = <sha2::Sha256 as sha2::Digest>::digest(facts.encode_to_vec());
            // The same roster at the same version is the same command, at whatever process.
            let id = RecordId::of_purpose(&format!("{entity}/{version}/{}", hex(&sha256)));
            let body = Body::RecordRoster(v1::RecordRoster { facts: Some(facts) });
            drafts.push(draft(id, entity, place, &actor, now, body));
        }
        let recorded = drafts.len();
        let mut drafts = drafts.into_iter().peekable();
        while drafts.peek().is_some() {
            let some = drafts.by_ref().take(IMPORT_RECORDS_MAX).collect();
            self.write(some, now).await?;
        }
        self.adopt_directory(&actor, now).await?;
        Ok(recorded)
    }

    /// Adopts the version of the directory that stands now, if another one was adopted last.
    async fn adopt_directory(&self, actor: &v1::Actor, now: Millis) -> Result<(), ClerkError> {
        let (sha256, lines, last, number) = {
            let directory = self.directory.read();
            let (sha256, lines) = directory.staff().lines_sha256();
            let versions = directory.staff().versions().all();
            (sha256, lines, versions.last().copied(), versions.len())
        };
        if last.is_some_and(|last| last.sha256 == sha256) {
            return Ok(());
        }
        // The first holds from ever on; each later one after the one before it.
        let after = last.map(|last| last.valid.from().map_or(now, |from| now.max(from.plus_ms(1))));
        let body = Body::AdoptDirectory(v1::AdoptDirectory {
            sha256: Bytes::copy_from_slice(&sha256),
            lines,
            valid_from_ms: after.map(|at| at.0),
            valid_to_ms: None,
        });
        let id = RecordId::of_purpose(&format!("adopt-directory/{number}/{}", hex(&sha256)));
        let draft = draft(id, EntityName::directory(), Home::NATION, actor, now, body);
        self.write_to(&self.versions, vec![draft], now, |_, _| now).await?;
        Ok(())
    }

    /// Decides a command about the directory's versions that stands in the log.
    pub(super) async fn decide_version(
        &self,
        recorded: &Recorded,
        command: &v1::Command,
        now: Millis,
    ) -> Result<Option<At>, ExecuteError> {
        let ask =
            ask::<Versions>(recorded.id, &recorded.key, None, command, now).map_err(|why| {
                ExecuteError::Held { entity: recorded.key.entity.clone(), why: why.to_string() }
            })?;
        // It begins when it was asked for: whoever decides it later decides the same.
        let asked_at = Millis(command.written_at_ms);
        Ok(self.versions.execute(ask, |_, _| asked_at).await?.at)
    }
}

/// A random id, where others derive theirs from the content: an id that follows from a telephone
/// number would give it away to whoever tries all numbers.
fn contact_draft(
    entry: &ContactEntry,
    actor: &v1::Actor,
    now: Millis,
) -> Result<Draft, ClerkError> {
    let salt = salt().map_err(|why| ClerkError::Unavailable(why.to_string()))?;
    let content = v1::SealedContent {
        request_sha256: Bytes::new(),
        content: Some(v1::sealed_content::Content::Contact(entry.text.clone())),
    };
    let ContactText { name: _, phone, email } = &entry.text;
    let present = [("phone", phone), ("email", email)].into_iter();
    let present = present.filter(|(_, text)| !text.is_empty()).map(|(field, _)| field.to_owned());
    let facts = Some(contact_said(&entry.facts));
    let body = Body::RecordContact(v1::RecordContact { facts });
    let entity = EntityName::contact(&entry.facts.officer);
    let id = RecordId(Uuid::now_v7());
    Ok(Draft {
        sealing: Some(seal(&content, salt)),
        sealed_fields: std::iter::once("name".to_owned()).chain(present).collect(),
        ..draft(id, entity, Home::NATION, actor, now, body)
    })
}
