//! One entity, folded by the decider of its kind.

use domain::{
    alert::Alert,
    dated::Versions,
    delivery::Delivery,
    directory::Entry,
    drill::Drill,
    erasure::Erasure,
    freeze::Freeze,
    ids::{EntityName, Millis},
    lane::Lanes,
    looks::Looks,
    loss::Losses,
    matching::decision::Match,
    receipts::Receipts,
    relay::protocol::RelayProtocol,
    state_hash::StateHash,
};
use event_log::Recorded;
use prost::Message;
use wire::{NotDecodable, Spoken, commit::events_of, v1::Commit};

/// The kinds of entities.
#[derive(Debug)]
enum Kind {
    Alert(Box<Alert>),
    Relay(Box<RelayProtocol>),
    Delivery(Box<Delivery>),
    /// Receipts are made sense of in lanes; alone they are what was recorded, in its order.
    Receipts(StateHash),
    Freeze(Box<Freeze>),
    Match(Box<Match>),
    Drill(Box<Drill>),
    Losses(Box<Losses>),
    Erasure(Box<Erasure>),
    Looks(Box<Looks>),
    Versions(Box<Versions>),
    /// Of the directory.
    Entry(Box<Entry>),
}

/// An entity, folded.
#[derive(Debug)]
pub(super) struct Folded {
    kind: Kind,
    version: u64,
    unreadable: bool,
}

impl Folded {
    pub(super) fn new(entity: &EntityName) -> Self {
        let kind = match entity.as_str().split('-').next().unwrap_or_default() {
            "alert" => Kind::Alert(Box::default()),
            "relay" => Kind::Relay(Box::default()),
            "delivery" => Kind::Delivery(Box::default()),
            "receipt" => Kind::Receipts(StateHash::of(&())),
            "freeze" => Kind::Freeze(Box::default()),
            "match" => Kind::Match(Box::default()),
            "drill" => Kind::Drill(Box::default()),
            "losses" => Kind::Losses(Box::default()),
            "erasure" => Kind::Erasure(Box::default()),
            "looks" => Kind::Looks(Box::default()),
            "directory" => Kind::Versions(Box::default()),
            _ => Kind::Entry(Box::default()),
        };
        Self { kind, version: 0, unreadable: false }
    }

    /// The ordinal of the last commit.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Something of it cannot be read by this program.
    pub(super) fn is_unreadable(&self) -> bool {
        self.unreadable
    }

    pub(super) fn take(&mut self, recorded: &Recorded, version: u64) {
        self.version = version;
        self.unreadable |= self.commit(recorded).is_err();
    }

    fn commit(&mut self, recorded: &Recorded) -> Result<(), NotDecodable> {
        let commit = Commit::decode(recorded.open.clone());
        let commit = commit.map_err(|_| NotDecodable("a commit"))?;
        for event in &events_of(commit)? {
            match &mut self.kind {
                Kind::Alert(state) => fold(state.as_mut(), event)?,
                Kind::Relay(state) => fold(state.as_mut(), event)?,
                Kind::Delivery(state) => fold(state.as_mut(), event)?,
                Kind::Freeze(state) => fold(state.as_mut(), event)?,
                Kind::Match(state) => fold(state.as_mut(), event)?,
                Kind::Drill(state) => fold(state.as_mut(), event)?,
                Kind::Losses(state) => fold(state.as_mut(), event)?,
                Kind::Erasure(state) => fold(state.as_mut(), event)?,
                Kind::Looks(state) => fold(state.as_mut(), event)?,
                Kind::Versions(state) => fold(state.as_mut(), event)?,
                Kind::Entry(state) => fold(state.as_mut(), event)?,
                Kind::Receipts(so_far) => {
                    let receipts = Receipts::recall(event)?;
                    *so_far = StateHash::of(&(*so_far, receipts));
                }
            }
        }
        Ok(())
    }

    /// Its state hash; `None` where it cannot be read.
    pub(super) fn state(&self) -> Option<StateHash> {
        if self.unreadable {
            return None;
        }
        Some(match &self.kind {
            Kind::Alert(state) => StateHash::of(state),
            Kind::Relay(state) => StateHash::of(state),
            Kind::Delivery(state) => StateHash::of(state),
            Kind::Freeze(state) => StateHash::of(state),
            Kind::Match(state) => StateHash::of(state),
            Kind::Drill(state) => StateHash::of(state),
            Kind::Losses(state) => StateHash::of(state),
            Kind::Erasure(state) => StateHash::of(state),
            Kind::Looks(state) => StateHash::of(state),
            Kind::Versions(state) => StateHash::of(state),
            Kind::Entry(state) => StateHash::of(state),
            Kind::Receipts(state) => *state,
        })
    }
}

fn fold<D: Spoken>(state: &mut D, event: &wire::v1::event::Event) -> Result<(), NotDecodable> {
    let event = D::recall(event)?;
    *state = std::mem::take(state).evolve(&event);
    Ok(())
}

/// The entity of the plans whose lanes this one concerns.
pub(super) fn lanes_of(entity: &EntityName) -> Option<EntityName> {
    let name = entity.as_str();
    if !name.starts_with("delivery-") && !name.starts_with("receipt-") {
        return None;
    }
    Some(EntityName::delivery(entity.alert_id()?, entity.commune()?))
}

/// Takes a record of plans, or of receipts, into lanes.
pub(super) fn take_lanes(lanes: &mut Lanes, recorded: &Recorded) -> Result<(), NotDecodable> {
    let commit = Commit::decode(recorded.open.clone());
    let commit = commit.map_err(|_| NotDecodable("a commit"))?;
    let at = Millis(commit.decided_at_ms);
    for event in &events_of(commit)? {
        match event {
            wire::v1::event::Event::ReceiptsRecorded(_) => {
                Receipts::recall(event)?.iter().for_each(|receipt| lanes.receive(receipt));
            }
            _ => lanes.apply(&Delivery::recall(event)?, at),
        }
    }
    Ok(())
}

/// What the records say of each delivery, as one state.
pub(super) fn lanes_hash(lanes: &Lanes) -> StateHash {
    StateHash::of(&lanes.on_record().collect::<Vec<_>>())
}
