//! Receipts: what the holder of a lease saw, recorded in batches. They are observations, so
//! nothing refuses them; `lane` makes sense of them.

use crate::{
    decider::{Decider, Refusal},
    lane::Receipt,
};

/// The most receipts that one record holds.
pub const RECEIPTS_PER_RECORD_MAX: usize = 200;

/// The receipts of one delivery. They are folded in `lane`, not here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipts;

/// Nothing refuses an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Never {}

impl From<Never> for Refusal {
    fn from(never: Never) -> Self {
        match never {}
    }
}

impl Decider for Receipts {
    type Command = Vec<Receipt>;
    type Event = Vec<Receipt>;
    type Rejection = Never;
    type Facts = ();

    fn decide(&self, seen: &Vec<Receipt>, (): &()) -> Result<Vec<Vec<Receipt>>, Never> {
        Ok(seen.chunks(RECEIPTS_PER_RECORD_MAX).map(<[Receipt]>::to_vec).collect())
    }

    fn evolve(self, _: &Vec<Receipt>) -> Self {
        self
    }
}
