//! A data directory that was restored from an older copy: what was erased since is erased again,
//! before anybody is answered.

use std::sync::Arc;

use chassis::{Clock, SystemClock, erasures::Erasures};
use event_log::EventLog;

use crate::{Failed, feeds::line};

/// Orders it anew; everybody who reads the log destroys it then. Nothing is served where that
/// cannot be done.
pub(crate) async fn order_anew(erasures: &Erasures, log: &Arc<dyn EventLog>) -> Result<(), Failed> {
    let restored = erasures.restore(log, SystemClock.now()).await;
    let restored = restored.map_err(|why| Failed::Trouble(why.into()))?;
    if !restored.is_empty() {
        let (count, file) = (restored.len(), erasures.path().display());
        line(&format!(
            "dữ liệu là bản sao cũ: xoá lại {count} tin đã xoá, theo {file} / the data are an older \
             copy: {count} alerts that were erased since are erased again, by {file}"
        ));
    }
    Ok(())
}
