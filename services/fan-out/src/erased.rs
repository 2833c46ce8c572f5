//! What fan-out keeps of what alerts say: let go when the log says that it is erased. Pictures
//! that were read lie with the words.

use std::sync::Weak;

use chassis::erasing::Copies;
use domain::ids::AlertId;
use futures::future::{BoxFuture, ready};

use crate::send::Desk;

/// The desk's copies. They live no longer than the desk.
pub(crate) struct Kept(pub(crate) Weak<Desk>);

impl Copies for Kept {
    fn forget<'a>(&'a self, alerts: &'a [AlertId]) -> BoxFuture<'a, Result<u64, String>> {
        if let Some(desk) = self.0.upgrade() {
            desk.sheets.forget(alerts);
        }
        Box::pin(ready(Ok(0)))
    }

    fn finishes(&self) -> bool {
        false
    }
}
