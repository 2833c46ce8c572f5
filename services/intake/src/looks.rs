//! Who looks at personal data, as intake writes it down (`chassis::looks`) and shows it.

use std::sync::Arc;

use chassis::{Problem, auth::forbidden, looks::NewLook};
use domain::{
    ids::{AlertId, EntityName, Home},
    looks::{Duty, Look, Looks, What},
    rights::Asker,
};
use event_log::{At, Class, Key, Recorded};
use prost::Message;
use wire::{
    Spoken,
    actor::{link, person},
    commit::events_of,
    v1::{self, sealed_content::Content},
};

use crate::{
    Intake,
    application::{READ, unread, unsealed},
    refused::{not_found, not_stored, starting},
    row::Row,
};

/// Looks that are shown, the newest.
const SHOWN_MAX: usize = 1_000;

/// Somebody who reads, and why, where that was said.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) asker: &'a Asker,
    pub(crate) reason: Option<&'a str>,
}

impl<'a> From<&'a Asker> for Reader<'a> {
    fn from(asker: &'a Asker) -> Self {
        Self { asker, reason: None }
    }
}

/// The newest looks of a history, the newest first.
fn newest_of(history: &[Arc<Recorded>]) -> Vec<Look> {
    let commits = history.iter().rev().filter_map(|found| {
        let commit = v1::Commit::decode(found.open.clone()).ok()?;
        events_of(commit).ok()
    });
    let looks = commits.flatten().filter_map(|event| Looks::recall(&event).ok());
    looks.take(SHOWN_MAX).collect()
}

/// A look as it is shown.
pub(crate) struct Seen {
    pub(crate) look: Look,
    /// Why, in the reader's words; `None` where nobody said so, or it was erased.
    pub(crate) reason: Option<String>,
}

impl Intake {
    /// It is on disk when this returns that a person reads these.
    pub(crate) async fn look(
        &self,
        reader: Reader<'_>,
        looks: &[(&Row, What)],
    ) -> Result<(), Problem> {
        let Reader { asker, reason } = reader;
        let new = looks.iter().map(|(row, what)| NewLook {
            actor: person(asker),
            of: (row.id, row.home),
            what: *what,
            duty: Duty::of(asker.standing, row.home, row.communes()),
            reason,
        });
        self.looking.record(new.collect()).await.map_err(|_| not_stored())
    }

    /// The same of whoever has a link.
    pub(crate) async fn look_by_link(
        &self,
        link_hash: &str,
        of: (AlertId, Home),
        what: What,
    ) -> Result<(), Problem> {
        let actor = link(link_hash, of.1);
        let new = NewLook { actor, of, what, duty: Duty::Link, reason: None };
        self.looking.record(vec![new]).await.map_err(|_| not_stored())
    }

    /// Who has looked at an alert, the newest first: for auditors, and for those who approve for
    /// the commune that issued it.
    pub(crate) async fn looks(
        &self,
        reader: Reader<'_>,
        alert: AlertId,
    ) -> Result<Vec<Seen>, Problem> {
        let standing = reader.asker.standing;
        let row = match standing.reads_audit() {
            false => self.readable(reader.asker, alert)?,
            true => self.board.row(alert).ok_or_else(|| match self.host.is_caught_up(&READ) {
                true => not_found(),
                false => starting(),
            })?,
        };
        if !standing.reads_audit() && !standing.approves_for(row.home) {
            return Err(forbidden());
        }
        let entity = EntityName::looks(alert);
        let key = Key { class: Class::Alert, home: row.home, entity };
        let history = self.host.log.load(&key, None).await.map_err(unread)?;
        let ats: Vec<At> = history
            .iter()
            .map(|found| At { class: found.key.class, position: found.position, id: found.id })
            .collect();
        self.stored(ats.iter()).await?;
        let mut seen = vec![];
        for look in newest_of(&history) {
            let reason = self.reason_of(&row, &look).await;
            seen.push(Seen { look, reason });
        }
        if seen.iter().any(|seen| seen.reason.is_some()) {
            self.look(reader, &[(&row, What::Notes)]).await?;
        }
        Ok(seen)
    }

    async fn reason_of(&self, row: &Row, look: &Look) -> Option<String> {
        let entity = EntityName::looks(row.id);
        let key = Key { class: Class::Command, home: row.home, entity };
        let found = self.host.log.load(&key, Some(look.reason?)).await.ok()?;
        match unsealed(found.first()?)?.content {
            Some(Content::Note(note)) => Some(note.note),
            _ => None,
        }
    }
}
