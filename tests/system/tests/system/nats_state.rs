//! Four processes over a broker hold what the log says, each of its own, and replay one log to one
//! state: also after each of them, and the broker, was killed.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use event_log_nats::testing::NatsServer;
use history::StateCheck;
use serde_json::json;
use support::{Keng, eventually};
use system::{
    SOON,
    cluster::{Cluster, Member},
    people::{delivered, lost_child},
    town::{HOME, NEIGHBOUR, Town},
};

/// What `keng replay --check` says at this process; it must end well.
async fn checked(keng: &Keng) -> Result<StateCheck> {
    let output = keng.run(&["replay", "--check", "--format", "json"]).await?;
    let said = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{}: {said}\n{}", output.status, keng.stderr());
    serde_json::from_str(&said).context("an answer")
}

/// Every process holds what is its own, as the log says, and all replay the log to one state.
async fn hold_what_the_log_says(cluster: &Cluster) -> Result<()> {
    let held = [
        (&cluster.intake, &["intake"][..]),
        (&cluster.alerting, &["alerting"]),
        (&cluster.fan_out, &["fan-out", "fan-out-books"]),
        // It holds nothing folded, and replays the log like the others.
        (&cluster.audit, &[]),
    ];
    eventually(SOON, async || {
        let mut states = BTreeSet::new();
        for (keng, own) in held {
            let check = checked(keng).await?;
            ensure!(check.same && check.unreadable.is_empty(), "{check:#?}");
            for holder in own {
                let one = check.holders.iter().find(|one| one.holder == *holder);
                let one = one.with_context(|| format!("no {holder} in {check:#?}"))?;
                ensure!(one.entities > 0 && one.live == one.replayed, "{one:#?}");
            }
            states.insert((check.records, check.state));
        }
        // Receipts may come between two of the questions.
        ensure!(states.len() == 1, "the log is replayed to several states: {states:#?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn four_processes_hold_what_the_log_says_before_and_after_they_were_killed() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 2).await?;
    let mut cluster = Cluster::start_on(NatsServer::start().await?, &town, &[]).await?;
    let an = cluster.officer();
    let binh = cluster.intake.client("binh", "officer", Some(NEIGHBOUR)).await?;
    let raised = an.raise(&lost_child("ở chợ"), "raise").await?.expect(201)?;
    let alert = raised.text_at("/id").to_owned();
    delivered(&an, &alert, town.groups.len(), SOON).await?;
    binh.act(&alert, "acknowledge", &json!({}), "seen").await?.expect(200)?;
    an.act(&alert, "resolve", &json!({ "note": "Đã tìm thấy." }), "end").await?.expect(200)?;
    delivered(&an, &alert, 2 * town.groups.len(), SOON).await?;
    hold_what_the_log_says(&cluster).await?;

    for member in Member::ALL {
        cluster.kill_and_restart(member).await?;
    }
    // It may be held for a moment: the broker has only just come back.
    let again = cluster.officer().raise(&lost_child("lần nữa"), "again").await?;
    ensure!(matches!(again.status, 201 | 202), "{}", again.text);
    delivered(&cluster.officer(), again.text_at("/id"), town.groups.len(), SOON).await?;
    hold_what_the_log_says(&cluster).await
}
