//! A reactor's acknowledgements: one task a follower, which keeps what was received and not yet
//! answered, so that dropping the follower gives it back at once.

use std::{collections::BTreeMap, time::Duration};

use async_nats::jetstream::{AckKind, message::Acker};
use event_log::record::Position;
use tokio::{sync::mpsc, time::MissedTickBehavior};

/// How long a record that was given back stays away.
const GIVEN_BACK: Duration = Duration::from_secs(1);
/// How often the broker hears that records not yet handed out are alive; its patience is 10 s.
const ALIVE_EVERY: Duration = Duration::from_secs(4);

/// What a follower says of a record.
pub(crate) enum Order {
    Received(Position, Box<Acker>),
    /// It waits for the reactor to take it.
    Ready(Position),
    /// What was received and is not ready will not be: its consumer's time has ended.
    Abandon,
    /// From here on the reactor has 10 s.
    HandedOut(Position),
    Acknowledge(Position),
    GiveBack(Position),
}

#[derive(PartialEq, Eq)]
enum Stage {
    Received,
    Ready,
    HandedOut,
}

struct Pending {
    acker: Box<Acker>,
    stage: Stage,
}

/// Carries out orders until all who give them are gone, then gives back what is left.
pub(crate) async fn carry_out(mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut pending: BTreeMap<Position, Pending> = BTreeMap::new();
    let mut alive = tokio::time::interval(ALIVE_EVERY);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(order) => obey(order, &mut pending).await,
                None => break,
            },
            _ = alive.tick() => {
                for waiting in pending.values() {
                    if waiting.stage == Stage::HandedOut {
                        continue;
                    }
                    say(&waiting.acker, AckKind::Progress).await;
                }
            }
        }
    }
    for waiting in pending.into_values() {
        say(&waiting.acker, AckKind::Nak(None)).await;
    }
}

async fn obey(order: Order, pending: &mut BTreeMap<Position, Pending>) {
    match order {
        Order::Received(position, acker) => {
            pending.insert(position, Pending { acker, stage: Stage::Received });
        }
        Order::Ready(position) => {
            if let Some(waiting) = pending.get_mut(&position) {
                waiting.stage = Stage::Ready;
            }
        }
        Order::HandedOut(position) => {
            if let Some(waiting) = pending.get_mut(&position) {
                waiting.stage = Stage::HandedOut;
            }
        }
        Order::Abandon => {
            let abandoned: Vec<Position> = pending
                .iter()
                .filter(|(_, waiting)| waiting.stage == Stage::Received)
                .map(|(position, _)| *position)
                .collect();
            for waiting in abandoned.iter().filter_map(|position| pending.remove(position)) {
                say(&waiting.acker, AckKind::Nak(None)).await;
            }
        }
        Order::Acknowledge(position) => {
            if let Some(waiting) = pending.remove(&position) {
                say(&waiting.acker, AckKind::Ack).await;
            }
        }
        Order::GiveBack(position) => {
            if let Some(waiting) = pending.remove(&position) {
                say(&waiting.acker, AckKind::Nak(Some(GIVEN_BACK))).await;
            }
        }
    }
}

/// An answer that is lost makes the record come again, which a reactor must bear anyway.
async fn say(acker: &Acker, kind: AckKind) {
    let said = tokio::time::timeout(Duration::from_secs(1), acker.ack_with(kind)).await;
    if !matches!(said, Ok(Ok(()))) {
        tracing::debug!("an answer to the broker was not sent");
    }
}
