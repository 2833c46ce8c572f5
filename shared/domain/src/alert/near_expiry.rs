//! The question before an alert expires: when it is due.
//!
//! An alert knows no times of its own records, so whoever follows them keeps this beside it; the
//! answer follows from the records alone, whoever reads them and whenever.

use super::Alert;
use crate::{expiry, ids::Millis};

/// When the officer is to be asked whether an alert is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NearExpiry {
    /// The expiry of the alert in force, and when it is asked about.
    asked: Option<(Millis, Millis)>,
    is_due: bool,
}

impl NearExpiry {
    /// Takes in how the alert stands after an event that was recorded at this time. The time of
    /// an expiry counts from when it came to be in force: by the issue, a change, a reopening.
    pub fn stands(&mut self, alert: &Alert, at: Millis) {
        let expires_at = match alert {
            Alert::Active(live) => Some(live.content.facts.expires_at),
            _ => None,
        };
        if expires_at != self.asked.map(|(expires_at, _)| expires_at) {
            self.asked = expires_at.map(|expires_at| (expires_at, expiry::ask_at(at, expires_at)));
        }
        self.is_due = self.asked.is_some() && !alert.is_expiry_near();
    }

    /// When it is to be asked; `None` where it was asked, and where nothing is in force.
    #[must_use]
    pub fn due_at(&self) -> Option<Millis> {
        self.asked.map(|(_, ask_at)| ask_at).filter(|_| self.is_due)
    }
}
