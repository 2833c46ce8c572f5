//! What every decider is: pure `decide`, total `evolve`.

use std::convert::Infallible;

/// Decides about one kind of entity. Its value is the entity's state, folded from its events.
pub trait Decider: Default {
    /// What is asked for.
    type Command;
    /// What is recorded.
    type Event;
    /// Why something is refused.
    type Rejection: Into<Refusal>;
    /// What the decision may know beside the history: now, the map, the reach with its reasons.
    type Facts;

    /// Decides. An empty vector means: accepted, and already true.
    ///
    /// # Errors
    /// The rule that forbids it; nothing changes then, and the refusal is recorded.
    fn decide(
        &self,
        command: &Self::Command,
        facts: &Self::Facts,
    ) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// Takes a recorded fact in. Total: a recorded fact cannot be refused.
    #[must_use]
    fn evolve(self, event: &Self::Event) -> Self;
}

/// A rejection as it is recorded: a stable machine code, and the field at fault, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// For example `same-person`.
    pub code: &'static str,
    /// For example `reach.communes`; empty where no field is at fault.
    pub field: &'static str,
}

impl Refusal {
    /// Decided later than the command was valid; the officer raises again, or releases it.
    pub const STALE: Self = Self { code: "stale", field: "" };
}

impl From<Infallible> for Refusal {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
