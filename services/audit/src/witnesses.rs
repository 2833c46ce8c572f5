//! Gathering cosignatures (C2SP tlog-witness, the log's side): each witness is asked for the newest
//! checkpoint, one request at a time, by a task of its own.
//!
//! Who is away or slow is asked again later, and stops nothing. Who refuses because it knows
//! another history, or a longer one, under this log's key stops the signing: it is told as
//! [`Trouble::Refused`], with what the witness shows.

mod asking;

use std::{sync::Arc, time::Duration};

use chassis::Host;
use merkle::SignedCheckpoint;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use crate::{
    anchors::{Anchors, url},
    quorum,
    tree::{Tree, Trouble},
    witnesses::asking::{Answer, Asking},
};

/// Pauses after calls that came to nothing; the last is repeated.
const PAUSES_S: [u64; 6] = [1, 2, 5, 10, 30, 60];
/// Who signs waits at a start for the first answers so long: a witness that is there has answered.
const ASKED_WITHIN: Duration = Duration::from_secs(6);

/// Starts asking. Answers with a future that ends when each witness was asked about what is signed
/// already, or has not answered in time; and with where objections come.
pub(crate) fn start(
    host: &Host,
    tree: &Tree,
    anchors: &Anchors,
) -> (impl Future<Output = ()> + Send + use<>, mpsc::Receiver<Trouble>) {
    let (object, objections) = mpsc::channel(1);
    let (asked, mut first) = watch::channel(());
    if let Some(outside) = &anchors.outside {
        for witness in anchors.policy.witnesses() {
            let Some(address) = witness.url.as_deref().and_then(url) else { continue };
            let asking = Asking::new(tree, &witness.key, address, outside);
            let task =
                Task { host: host.clone(), tree: tree.clone(), object: object.clone(), asking };
            host.drain.spawn("audit-witness", task.run(asked.clone()));
        }
        if !anchors.policy.witnesses().is_empty() {
            let watch = quorum::watch(host.clone(), tree.clone(), Arc::clone(&anchors.policy));
            host.drain.spawn("audit-quorum", watch);
        }
    }
    drop(asked);
    let all_asked = async move {
        let all = async { while first.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(ASKED_WITHIN, all).await;
    };
    (all_asked, objections)
}

/// What one witness is asked.
struct Task {
    host: Host,
    tree: Tree,
    object: mpsc::Sender<Trouble>,
    asking: Asking,
}

impl Task {
    /// Runs until the process drains, or the witness refuses. `unasked` is dropped after the first
    /// answer, or where there is nothing to ask yet.
    async fn run(mut self, unasked: watch::Sender<()>) {
        let stop = self.host.drain.token();
        let mut unasked = Some(unasked).filter(|_| self.tree.checkpoint().is_some());
        let mut newest = self.tree.subscribe();
        let mut cosigned: Option<Arc<SignedCheckpoint>> = None;
        let mut failures = 0;
        loop {
            let is_news = |newest: &Option<Arc<SignedCheckpoint>>| {
                let new = newest.as_ref().map(|newest| newest.checkpoint());
                new.is_some() && new != cosigned.as_ref().map(|cosigned| cosigned.checkpoint())
            };
            let new = tokio::select! {
                () = stop.cancelled() => return,
                new = newest.wait_for(is_news) => new.ok().and_then(|new| new.clone()),
            };
            let Some(new) = new else { return };
            let answer = tokio::select! {
                () = stop.cancelled() => return,
                answer = self.asking.ask(&new) => answer,
            };
            match answer {
                Answer::Cosigned => {
                    self.told("cosigned");
                    (cosigned, failures) = (Some(new), 0);
                }
                Answer::Objection(trouble) => {
                    self.told("refused");
                    let _ = self.object.send(trouble).await;
                    return;
                }
                Answer::Away(why) => {
                    self.told("away");
                    if failures == 0 {
                        tracing::warn!(witness = self.asking.name(), why, "no cosignature");
                    }
                    let pause = PAUSES_S.get(failures).or(PAUSES_S.last()).copied().unwrap_or(60);
                    failures += 1;
                    drop(unasked.take());
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = sleep(Duration::from_secs(pause)) => {}
                    }
                }
            }
            drop(unasked.take());
        }
    }

    fn told(&self, outcome: &'static str) {
        let witness = self.asking.name().to_owned();
        metrics::counter!(
            "keng_audit_witness_answers_total", "witness" => witness, "outcome" => outcome
        )
        .increment(1);
    }
}
