//! `GET /v1/audit/state`: whether the services of this process hold what the log says.
//!
//! Who holds something is asked first, then the whole log is replayed, not the audit's journal:
//! that comes behind it. What other processes hold is asked at them.

use std::sync::Arc;

use axum::{Json, extract::State};
use chassis::{
    Host, Problem,
    auth::{Caller, forbidden},
};
use history::{Comparing, ReplayError, StateCheck};

use crate::{http::unreadable, replay::Replayer};

pub(crate) async fn state(
    State(host): State<Host>,
    Caller(asker): Caller,
) -> Result<Json<StateCheck>, Problem> {
    if !asker.standing.reads_audit() {
        return Err(forbidden());
    }
    Ok(Json(compared(&host).await.map_err(unreadable)?))
}

/// Compares what the services of this process hold with the whole log.
///
/// # Errors
/// The log cannot be read now.
pub async fn compared(host: &Host) -> Result<StateCheck, ReplayError> {
    let comparing = Comparing::new(host.holdings.now());
    let log = Replayer::Log(Arc::clone(&host.log));
    let comparing = log.read(None, comparing, Comparing::look).await?;
    // Hashing every entity takes a while.
    let compared = tokio::task::spawn_blocking(move || comparing.compared()).await;
    compared.map_err(|why| ReplayError::Journal(why.to_string()))
}
