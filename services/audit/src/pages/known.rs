//! What was known at a moment, as a template reads it.

use console::Frame;
use history::{AsKnown, Knowledge, KnownAlert, KnownDelivery};
use registry::Map;

/// What was known, in words.
pub(super) struct KnownSeen<'a> {
    pub(super) frame: &'a Frame,
    pub(super) map: &'a Map,
    pub(super) known: AsKnown,
}

impl KnownSeen<'_> {
    /// A commune's name, by its code.
    pub(super) fn place(&self, code: &str) -> String {
        self.map.called(code)
    }

    /// How many deliveries were known to be how.
    pub(super) fn counted(&self, alert: &KnownAlert) -> Vec<(String, usize)> {
        let counts = &alert.counts;
        let all = [
            ("known-arrived", counts.arrived),
            ("known-taken", counts.taken),
            ("known-sent", counts.sent),
            ("known-not-sent", counts.not_sent),
            ("known-unknown", counts.unknown),
            ("known-not-arrived", counts.not_arrived),
            ("known-withheld", counts.withheld),
        ];
        let some = all.into_iter().filter(|(_, count)| *count > 0);
        some.map(|(key, count)| (self.frame.t(key), count)).collect()
    }

    /// What was known of a delivery, and what came out later.
    pub(super) fn delivery(&self, delivery: &KnownDelivery) -> String {
        let known = self.frame.t(match delivery.known {
            Knowledge::NotSent => "known-not-sent",
            Knowledge::Sent => "known-sent",
            Knowledge::Taken => "known-taken",
            Knowledge::Arrived => "known-arrived",
            Knowledge::Unknown => "known-unknown",
            Knowledge::NotArrived => "known-not-arrived",
        });
        match &delivery.later {
            Some(later) if later.was_true => format!("{known}; {}", self.frame.t("known-later")),
            _ => known,
        }
    }
}
