//! What a broker had lost of what one process said, as that process found it out and healed it:
//! an incident that an auditor can read years later (R20; `faults.md`, P10).

use std::convert::Infallible;

use crate::{
    decider::Decider,
    ids::{Millis, RecordId},
};

/// The most records that one loss names; the others are counted.
pub const NAMED_MAX: usize = 32;

/// One loss.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Loss {
    /// When it was noticed, by the clock of the machine that lost nothing.
    pub noticed_at: Millis,
    /// The names of the streams that were compared.
    pub streams: Vec<String>,
    /// Records that were sent again as they were.
    pub sent: u64,
    /// Records whose ordinal was taken meanwhile, and that are back as recovered.
    pub recovered: u64,
    /// Records that are nowhere but in the audit: they had been proven, and were forgotten here.
    pub gone: u64,
    /// Some of the records, at most [`NAMED_MAX`].
    pub records: Vec<RecordId>,
}

/// What one process has found lost so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Losses {
    last: Option<Loss>,
}

impl Decider for Losses {
    type Command = Loss;
    type Event = Loss;
    type Rejection = Infallible;
    type Facts = ();

    fn decide(&self, loss: &Loss, (): &()) -> Result<Vec<Loss>, Infallible> {
        Ok(if self.last.as_ref() == Some(loss) { vec![] } else { vec![loss.clone()] })
    }

    fn evolve(self, loss: &Loss) -> Self {
        Self { last: Some(loss.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(at: i64, sent: u64) -> Loss {
        let records = vec![RecordId::of_purpose("lost")];
        let streams = vec!["ALERT".to_owned()];
        Loss { noticed_at: Millis(at), streams, sent, recovered: 0, gone: 0, records }
    }

    #[test]
    fn each_loss_is_recorded_once() {
        let given = Losses::default();
        let Ok(then) = given.decide(&loss(1, 3), &());
        assert_eq!(then, [loss(1, 3)]);

        let given = given.evolve(&loss(1, 3));
        assert_eq!(given.decide(&loss(1, 3), &()), Ok(vec![]), "said again after a restart");
        assert_eq!(given.decide(&loss(2, 3), &()), Ok(vec![loss(2, 3)]));
    }
}
