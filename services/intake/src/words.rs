//! The words of alerts: read for what follows from them, or shown to somebody, which is recorded
//! before they leave.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chassis::Problem;
use domain::{
    alert::{AlertFacts, Pending},
    ids::{EntityName, RecordId},
    looks::What,
};
use event_log::{Class, Key};
use wire::v1::{AlertText, sealed_content::Content};

use crate::{Intake, application::unsealed, looks::Reader, row::Row};

/// Words kept of alerts that somebody looked at.
const TEXTS_MAX: usize = 1_000;

/// The words that are kept, by the command that they came with.
#[derive(Default)]
pub(crate) struct Words(Mutex<HashMap<RecordId, Arc<AlertText>>>);

impl Intake {
    /// The log has lost commands, and others may have taken their places.
    pub(crate) fn forget_texts(&self) {
        self.words.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The alert's words, to decide what follows from them; never to be shown. `None` where they
    /// are erased, or not here.
    pub(crate) async fn text(&self, row: &Row) -> Option<Arc<AlertText>> {
        self.text_of(row, row.content()?).await
    }

    async fn text_of(&self, row: &Row, content: RecordId) -> Option<Arc<AlertText>> {
        if self.host.erasing.is_ordered(row.id) {
            return None;
        }
        let kept =
            self.words.0.lock().unwrap_or_else(PoisonError::into_inner).get(&content).cloned();
        if kept.is_some() {
            return kept;
        }
        let key = Key { class: Class::Command, home: row.home, entity: EntityName::alert(row.id) };
        let held = self.host.outgoing.now().get(&content).cloned();
        let is_held = held.is_some();
        let recorded = match held {
            Some(held) => held,
            None => self.host.log.load(&key, Some(content)).await.ok()?.first().cloned()?,
        };
        let Some(Content::Alert(text)) = unsealed(&recorded)?.content else { return None };
        let text = Arc::new(text);
        let mut texts = self.words.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What is held here may meet an earlier record under its id, which wins. What is being
        // erased is let go under this lock, after that is known.
        if is_held || self.host.erasing.is_ordered(row.id) {
            return Some(text);
        }
        if texts.len() >= TEXTS_MAX {
            texts.clear();
        }
        texts.insert(content, Arc::clone(&text));
        Some(text)
    }

    /// The alert's words, to be shown to this reader: that they were read is on disk before this
    /// returns. Who wrote them reads nothing new.
    pub(crate) async fn read_words(
        &self,
        reader: Reader<'_>,
        row: &Row,
    ) -> Result<Option<Arc<AlertText>>, Problem> {
        let mut texts = self.read_words_of(reader, std::slice::from_ref(row)).await?;
        Ok(texts.pop().flatten())
    }

    /// The same of several alerts, in their order.
    pub(crate) async fn read_words_of(
        &self,
        reader: Reader<'_>,
        rows: &[Row],
    ) -> Result<Vec<Option<Arc<AlertText>>>, Problem> {
        let mut texts = Vec::with_capacity(rows.len());
        let mut read = vec![];
        for row in rows {
            let text = self.text(row).await;
            if text.is_some() && !has_written(row, reader) {
                read.push((row, What::Words));
            }
            texts.push(text);
        }
        self.look(reader, &read).await?;
        Ok(texts)
    }

    /// The same of what a change that waits for a second person would say; whoever approves must
    /// read it.
    pub(crate) async fn read_pending(
        &self,
        reader: Reader<'_>,
        row: &Row,
    ) -> Result<Option<(AlertFacts, Arc<AlertText>)>, Problem> {
        let words = self.pending_words(row).await;
        if words.is_some() {
            self.look(reader, &[(row, What::Words)]).await?;
        }
        Ok(words)
    }

    /// What a change that waits for a second person would say; never to be shown.
    pub(crate) async fn pending_words(&self, row: &Row) -> Option<(AlertFacts, Arc<AlertText>)> {
        let (_, pending, _) = row.alert.live()?.pending.as_ref()?;
        let Pending::Change { facts, content, .. } = pending else { return None };
        Some((facts.clone(), self.text_of(row, *content).await?))
    }
}

/// Whether the words that stand are the reader's own: they came with the raise.
fn has_written(row: &Row, reader: Reader<'_>) -> bool {
    row.asked.as_ref().is_some_and(|asked| {
        row.content() == Some(asked.content) && asked.by == reader.asker.officer.as_str()
    })
}
