//! Running a projection: it follows every record of a class, alone, from its own cursor.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    follower::{Cursor, Following, Role, Step},
    log::{EventLog, FollowError},
    record::{Class, Recorded},
};

const RETRY: Duration = Duration::from_secs(1);

/// A read model of one class.
pub trait Project: Send + 'static {
    /// Where to go on; `None` from the start.
    fn cursor(&self) -> Option<Cursor>;
    /// Takes a record in. Records come again after trouble: what was seen changes nothing.
    fn apply(&mut self, recorded: &Arc<Recorded>);
    /// The cursor does not fit the log: everything is forgotten, and comes again from the start.
    fn begin_anew(&mut self);
    /// The end of the log, as it was at the start, has been passed.
    fn caught_up(&mut self);
}

/// Runs until `stop`. Trouble is retried for ever, with a warning.
pub async fn run(
    log: Arc<dyn EventLog>,
    class: Class,
    mut projection: impl Project,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let following = Following { class, role: Role::Projection, from: projection.cursor() };
        match log.follow(following).await {
            Ok(mut follower) => loop {
                let step = tokio::select! {
                    step = follower.next() => step,
                    () = stop.cancelled() => return,
                };
                match step {
                    Ok(Step::Record(recorded)) => {
                        projection.apply(&recorded);
                        // What is at hand is read without waiting: others have work to do, too.
                        tokio::task::coop::consume_budget().await;
                    }
                    Ok(Step::CaughtUp) => projection.caught_up(),
                    // Not only where following begins: until then what was lost may stand at the
                    // same place again, and the cursor would fit although what is before it does
                    // not.
                    Err(FollowError::CursorDoesNotFit) => {
                        anew(class, &mut projection);
                        break;
                    }
                    Err(trouble) => {
                        tracing::warn!(class = class.as_str(), %trouble, "following ended");
                        break;
                    }
                }
            },
            Err(FollowError::CursorDoesNotFit) => {
                anew(class, &mut projection);
                continue;
            }
            Err(trouble) => tracing::warn!(class = class.as_str(), %trouble, "cannot follow"),
        }
        tokio::select! { () = tokio::time::sleep(RETRY) => {}, () = stop.cancelled() => {} }
    }
}

fn anew(class: Class, projection: &mut impl Project) {
    tracing::warn!(class = class.as_str(), "the read model does not fit the log");
    metrics::counter!("keng_read_models_rebuilt_total").increment(1);
    projection.begin_anew();
}
