//! Random histories against a list.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append(usize),
    Group(Vec<usize>),
    Durable,
    Read {
        from: u64,
        limit: usize,
        bytes: usize,
    },
    Reopen,
    /// Reopens and cuts so many entries from the end.
    Cut(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let size = || prop_oneof![8 => 1..300usize, 1 => 3000..6000usize];
    prop_oneof![
        8 => size().prop_map(Step::Append),
        3 => prop::collection::vec(size(), 1..6).prop_map(Step::Group),
        2 => Just(Step::Durable),
        4 => (0..80u64, 0..40usize, 0..9000usize)
            .prop_map(|(from, limit, bytes)| Step::Read { from, limit, bytes }),
        2 => Just(Step::Reopen),
        1 => (0..9u64).prop_map(Step::Cut),
    ]
}

/// What a journal should hold.
#[derive(Debug, Default)]
struct Model {
    entries: Vec<Bytes>,
    /// Where groups begin.
    boundaries: Vec<usize>,
    made: u64,
}

impl Model {
    /// A payload unlike any other.
    fn payload(&mut self, bytes: usize) -> Bytes {
        self.made += 1;
        let tag = self.made.to_le_bytes();
        Bytes::from(tag.iter().copied().cycle().take(bytes).collect::<Vec<_>>())
    }

    fn push(&mut self, payloads: Vec<Bytes>) {
        self.boundaries.push(self.entries.len());
        self.entries.extend(payloads);
    }

    /// What a read should return.
    fn read(&self, from: u64, limit: usize, bytes: usize) -> Vec<Bytes> {
        let (mut read, mut left) = (Vec::new(), bytes);
        for entry in self.entries.iter().skip(from as usize).take(limit) {
            if !read.is_empty() && entry.len() > left {
                break;
            }
            left = left.saturating_sub(entry.len());
            read.push(entry.clone());
        }
        read
    }

    /// Cuts at `index`, or at the beginning of the group it lies within.
    fn cut(&mut self, index: usize) {
        let whole = self.boundaries.iter().copied().chain([self.entries.len()]);
        let end = whole.filter(|boundary| *boundary <= index).max().unwrap_or(0);
        self.entries.truncate(end);
        self.boundaries.retain(|boundary| *boundary < end);
    }
}

fn check(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    let mut journal = open(dir.path(), small()).0;
    let reopened = |journal: Journal, model: &Model| {
        wait(journal.close());
        let (journal, recovery) = open(dir.path(), small());
        let entries = model.entries.len() as u64;
        assert_eq!(recovery, Recovery { entries, torn_bytes: 0, promised: entries });
        assert_eq!(all(&journal), model.entries);
        journal
    };
    for step in steps {
        let end = model.entries.len() as u64;
        match step {
            Step::Append(bytes) => {
                let payload = model.payload(bytes);
                assert_eq!(journal.append(payload.clone()), Ok(end));
                model.push(vec![payload]);
            }
            Step::Group(sizes) => {
                let payloads: Vec<_> = sizes.into_iter().map(|size| model.payload(size)).collect();
                assert_eq!(journal.append_all(payloads.clone()), Ok(end));
                model.push(payloads);
            }
            Step::Durable if end > 0 => {
                wait(journal.durable(end - 1)).unwrap();
                assert_eq!(journal.durable_end(), end);
            }
            Step::Durable => {}
            Step::Read { from, limit, bytes } => {
                let read = journal.read_from(from, limit, bytes).unwrap();
                assert_eq!(read, model.read(from, limit, bytes));
                assert_eq!(journal.read(from).ok(), model.entries.get(from as usize).cloned());
            }
            Step::Reopen => journal = reopened(journal, &model),
            Step::Cut(entries) => {
                journal = reopened(journal, &model);
                let index = end.saturating_sub(entries);
                let left = journal.cut(index).unwrap();
                model.cut(index as usize);
                assert_eq!(left, model.entries.len() as u64);
            }
        }
        assert_eq!(journal.end(), model.entries.len() as u64);
    }
    reopened(journal, &model);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn a_journal_is_a_list(steps in prop::collection::vec(step(), 1..60)) {
        check(steps);
    }
}
