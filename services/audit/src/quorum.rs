//! For how long the newest checkpoint has been without a quorum of witnesses: a gauge, and after an
//! hour a banner. Witnesses that are away stop nothing.

use std::{sync::Arc, time::Duration};

use chassis::Host;
use domain::ids::Millis;
use merkle::Policy;
use tokio::time::sleep;

use crate::tree::Tree;

const BANNER: &str = "audit-witnesses";
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// So long may witnesses be away before people are told.
const ALONE_MS_MAX: u64 = 60 * 60 * 1_000;

/// Looks until the process drains.
pub(crate) async fn watch(host: Host, tree: Tree, policy: Arc<Policy>) {
    let stop = host.drain.token();
    let mut newest = tree.subscribe();
    let mut alone = Alone::default();
    loop {
        let checkpoint = newest.borrow_and_update().clone();
        let is_quorum =
            checkpoint.is_none_or(|checkpoint| policy.is_quorum(&policy.cosigners(&checkpoint)));
        let age_ms = alone.seen(is_quorum, host.clock.now());
        metrics::gauge!("keng_audit_unwitnessed_seconds").set(age_ms as f64 / 1_000.0);
        host.health.banner(BANNER, (age_ms >= ALONE_MS_MAX).then(said));
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(LOOK_EVERY) => {}
            changed = newest.changed() => if changed.is_err() { return },
        }
    }
}

fn said() -> String {
    "hơn một giờ chưa đủ nhân chứng đồng ký nhật ký kiểm toán; báo động vẫn hoạt động / \
     for more than an hour too few witnesses have cosigned the audit log; alerts go on"
        .to_owned()
}

/// Since when there has been no quorum; `None` while there is one.
#[derive(Default)]
struct Alone(Option<Millis>);

impl Alone {
    /// For how long there has been none, in milliseconds.
    fn seen(&mut self, is_quorum: bool, now: Millis) -> u64 {
        self.0 = if is_quorum { None } else { self.0.or(Some(now)) };
        self.0.map_or(0, |since| now.since_ms(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_without_a_quorum_runs_from_the_first_checkpoint_that_had_none() {
        let mut alone = Alone::default();
        let at = |s: i64| Millis(s * 1_000);
        for (is_quorum, now_s, age_s) in
            [(true, 5, 0), (false, 10, 0), (false, 40, 30), (false, 3_610, 3_600), (true, 3_700, 0)]
        {
            assert_eq!(alone.seen(is_quorum, at(now_s)), age_s * 1_000, "at {now_s}");
        }
        // A clock that was set back says nothing.
        assert_eq!((alone.seen(false, at(100)), alone.seen(false, at(50))), (0, 0));
    }
}
