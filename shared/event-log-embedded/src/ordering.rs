//! Appending: a batch is compared with what stands and ordered in both journals, under one lock.
//!
//! No disk: a batch is known to followers before it is on it. See `store` for what is durable.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use event_log::{
    AppendError, Appended, At, Class, Key, Kind, Position, Record, Recorded, Seal, batch,
};

use keyring::NotLocked;

use crate::{
    entry::{self, Entries},
    store::{State, Store, Unreadable},
};

impl Store {
    /// Appends a batch: compares, orders, wakes the followers. Does not wait for the disk.
    pub(crate) fn append(&self, mut records: Vec<Record>) -> Result<Appended, AppendError> {
        let class = batch::class_of(&records)?;
        self.lock().parts.strip(&mut records);
        let entries = entry::encode(&records, &self.keyring).map_err(not_locked)?;
        let (appended, repeats) = if class == Class::Command {
            self.append_commands(records, entries)?
        } else {
            (self.append_commits(records, entries)?, Vec::new())
        };
        let head = self.lock().index.head();
        if self.places.advance(head, class) {
            self.release();
        }
        let repeats = repeats.into_iter().map(|position| self.read(position));
        let repeats = repeats.collect::<Result<_, _>>().map_err(unavailable)?;
        Ok(Appended { at: appended, repeats })
    }

    /// The place of the last record of the batch, and the places of the first records under ids
    /// that were in the log already.
    fn append_commands(
        &self,
        mut records: Vec<Record>,
        mut entries: Vec<Entries>,
    ) -> Result<(At, Vec<Position>), AppendError> {
        let mut state = self.lock();
        let mut met = HashSet::new();
        let fresh: Vec<bool> = records
            .iter()
            .map(|record| state.index.command(record.id).is_none() && met.insert(record.id))
            .collect();
        let repeated: Vec<_> = records
            .iter()
            .zip(&fresh)
            .filter_map(|(record, fresh)| (!fresh).then_some(record.id))
            .collect();
        if !repeated.is_empty() {
            let mut keep = fresh.iter().copied();
            records.retain(|_| keep.next().unwrap_or(true));
            let mut keep = fresh.iter().copied();
            entries.retain(|_| keep.next().unwrap_or(true));
        }
        let last = self.order(&mut state, records, entries)?;
        let found = repeated.iter().filter_map(|id| state.index.command(*id).map(|at| (at, *id)));
        let found: Vec<_> = found.collect();
        let repeat = found.iter().max().map(|(position, id)| At {
            class: Class::Command,
            position: *position,
            id: *id,
        });
        // The later of the two: to wait for it is to wait for both.
        let at = [last, repeat].into_iter().flatten().max_by_key(|at| at.position);
        let at = at.ok_or_else(|| AppendError::Refused("the batch is empty".to_owned()))?;
        Ok((at, found.into_iter().map(|(position, _)| position).collect()))
    }

    fn append_commits(
        &self,
        records: Vec<Record>,
        entries: Vec<Entries>,
    ) -> Result<At, AppendError> {
        let mut state = self.lock();
        let last = match self.standing(&state, &records)? {
            Some(at) => Some(at),
            None => self.order(&mut state, records, entries)?,
        };
        last.ok_or_else(|| AppendError::Refused("the batch is empty".to_owned()))
    }

    /// The place of a batch of commits that stands already under the same ids; `None` where all
    /// of it is new and follows what stands. A batch that is partly both is none that was ever
    /// appended: a conflict.
    fn standing(&self, state: &State, records: &[Record]) -> Result<Option<At>, AppendError> {
        let mut last = None;
        let mut ahead: HashMap<&Key, u64> = HashMap::new();
        for record in records {
            let Kind::Commit { version } = record.kind else { continue };
            let history = state.index.history(&record.key);
            let conflict = || {
                let (entity, has) = (&record.key.entity, history.len());
                Err(AppendError::Conflict(format!("{entity} has {has} commits, not {version} - 1")))
            };
            let place = usize::try_from(version - 1).ok();
            if let Some(position) = place.and_then(|place| history.get(place)) {
                let there = self.stored(state, *position).map_err(unavailable)?;
                if there.id != record.id || !ahead.is_empty() {
                    return conflict();
                }
                last = Some(At { class: record.key.class, position: *position, id: record.id });
            } else {
                let ahead = ahead.entry(&record.key).or_default();
                *ahead += 1;
                if last.is_some() || version != history.len() as u64 + *ahead {
                    return conflict();
                }
            }
        }
        Ok(last)
    }

    /// Orders records in both journals, and makes them known. The sealed parts first, so that
    /// what fails between the two leaves a part without a record, never the other way round.
    fn order(
        &self,
        state: &mut State,
        records: Vec<Record>,
        entries: Vec<Entries>,
    ) -> Result<Option<At>, AppendError> {
        let late =
            |record: &Record| record.sealed.is_some() && state.parts.is_erased(&record.key.entity);
        if records.iter().any(late) {
            return Err(AppendError::Unavailable("its entity is being erased".to_owned()));
        }
        let (opens, parts): (Vec<_>, Vec<_>) =
            entries.into_iter().map(|entries| (entries.record, entries.sealed)).unzip();
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if opens.is_empty() {
            return Ok(None);
        }
        let mut part = if parts.is_empty() {
            self.sealed.end()
        } else {
            self.sealed.append_all(parts).map_err(not_ordered)?
        };
        let first = self.log.append_all(opens).map_err(not_ordered)?;
        assert_eq!(first, state.index.head(), "the index knows every entry of the journal");
        let mut last = None;
        for record in records {
            let Record { id, key, kind, open, sealed, signature } = record;
            let position = state.index.head() + 1;
            state.index.push(id, &key, kind, sealed.is_some().then_some(part));
            if sealed.is_some() {
                state.parts.lies_at(&key.entity, part);
                part += 1;
            }
            last = Some(At { class: key.class, position, id });
            let seal = sealed.map_or(Seal::None, Seal::Here);
            let recorded = Recorded { position, id, key, kind, open, seal, signature };
            state.tail.push(Arc::new(recorded));
        }
        self.forget_durable(state);
        state.undurable.push_back((state.index.head(), part));
        Ok(last)
    }
}

fn not_locked(why: NotLocked) -> AppendError {
    AppendError::Unavailable(why.to_string())
}

fn not_ordered(error: journal::AppendError) -> AppendError {
    match error {
        journal::AppendError::Full | journal::AppendError::Stopped(_) => {
            AppendError::Unavailable(error.to_string())
        }
        journal::AppendError::Empty | journal::AppendError::TooLarge { .. } => {
            AppendError::Refused(error.to_string())
        }
    }
}

fn unavailable(error: Unreadable) -> AppendError {
    AppendError::Unavailable(error.said().to_string())
}
