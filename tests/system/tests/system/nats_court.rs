//! Four processes sign by four keys over a broker, and the log that the audit made of it is checked
//! to the last signature: over HTTP, and from the audit's own directory when it is stopped.

use anyhow::{Result, ensure};
use event_log_nats::testing::NatsServer;
use serde_json::json;
use system::{
    SOON,
    cluster::{Cluster, Member},
    people::lost_child,
    town::{HOME, Town},
};

use crate::embedded_proof::{all_signed, path, says};

#[tokio::test]
async fn what_four_processes_signed_is_checked_from_the_audits_directory() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut cluster = Cluster::start_on(NatsServer::start().await?, &town, &[]).await?;
    let raised = cluster.officer().raise(&lost_child("ở chợ"), "raise").await?.expect(201)?;
    let alert = raised.text_at("/id").to_owned();
    town.told(&alert, "alert.issued", SOON).await?;
    // Another process with the same key, and one that signs again what it had said.
    for member in [Member::Intake, Member::Alerting, Member::FanOut] {
        cluster.kill_and_restart(member).await?;
    }
    cluster.officer().act(&alert, "cancel", &json!({ "note": "Nhầm." }), "c").await?.expect(200)?;
    town.told(&alert, "alert.cancelled", SOON).await?;
    all_signed(&cluster.audit, &alert, "AlertCancelled").await?;

    let out = path(town.folder.path(), "out")?;
    let data = path(town.folder.path(), "audit")?;
    ensure!(cluster.audit.data().to_str() == Some(&data), "{data}");
    says(&["export", "--data", &data, "--out", &out], 0).await?;
    let key = format!("{out}/keys");
    let token = cluster.audit.token("khanh", "auditor", None).await?;
    let there = ["verify", cluster.audit.http(), "--key", &key, "--bearer", &token];
    let said = says(&there, 0).await?;
    ensure!(said.contains(", 0 không có / by nobody") && said.contains("nguyên vẹn"), "{said}");

    cluster.audit.sigterm(SOON).await?;
    let stopped = path(town.folder.path(), "stopped")?;
    says(&["export", "--data", &data, "--out", &stopped], 0).await?;
    let said = says(&["verify", &stopped, "--key", &key], 0).await?;
    ensure!(said.contains(", 0 không có / by nobody") && said.contains("nguyên vẹn"), "{said}");
    Ok(())
}
