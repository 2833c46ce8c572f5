//! What an auditor's copy of the policy wants signed by persons. It comes from the auditor and not
//! from the log: who keeps the log must not be asked what it should hold.

use std::path::PathBuf;

use clap::Args;
use domain::ids::Millis;
use history::Demand;
use jiff::Timestamp;
use registry::{Map, policies::read_policies};

use crate::{Failed, open::check_map};

#[derive(Debug, Args)]
pub(super) struct DemandArgs {
    /// Chính sách phải theo: báo bản ghi thiếu chữ ký cán bộ / The policy that held: what its
    /// `needs-signature` wanted and nobody signed is named
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Chính sách có hiệu lực từ lúc nào / From when on it held (RFC 3339); without it, always
    #[arg(long, value_name = "TIME", requires = "policy")]
    policy_since: Option<Timestamp>,
    /// Bản đồ có các xã của chính sách / The map with the policy's communes, if not the built-in
    #[arg(long, value_name = "FILE", requires = "policy")]
    registry: Option<PathBuf>,
}

impl DemandArgs {
    /// What it wants; `None` where no policy is given.
    pub(super) fn read(&self) -> Result<Option<Demand>, Failed> {
        let Some(policy) = &self.policy else { return Ok(None) };
        let map = match &self.registry {
            Some(file) => check_map(file)?,
            None => Map::builtin().map_err(|why| Failed::Usage(why.to_string()))?,
        };
        let policies = read_policies(policy, &map).map_err(|why| Failed::Usage(why.to_string()))?;
        let since = self.policy_since.map_or(Millis(i64::MIN), |at| Millis(at.as_millisecond()));
        Ok(Some(Demand {
            wants: Box::new(move |commune, kind, status| {
                policies.of(commune).needs_signature(kind, status)
            }),
            since,
        }))
    }
}
