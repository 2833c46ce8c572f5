//! What somebody holds folded in memory, so that it can be compared with the log. Nothing is folded
//! here.

use domain::{ids::EntityName, state_hash::StateHash};

use crate::record::Position;

/// One entity as somebody holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The entity; of the lanes of a delivery that of its plans.
    pub entity: EntityName,
    /// How far it is folded.
    pub up_to: UpTo,
    /// Its state.
    pub state: StateHash,
}

/// How far something is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpTo {
    /// Up to the entity's commit with this ordinal.
    Version(u64),
    /// Lanes: up to these places in the classes of deliveries and of receipts; 0 for none.
    Lanes {
        /// The last record of the plans.
        delivery: Position,
        /// The last record of the receipts.
        receipt: Position,
    },
}

impl Held {
    /// An entity up to its commit with this ordinal.
    #[must_use]
    pub fn at(entity: &EntityName, version: u64, state: StateHash) -> Self {
        Self { entity: entity.clone(), up_to: UpTo::Version(version), state }
    }
}
