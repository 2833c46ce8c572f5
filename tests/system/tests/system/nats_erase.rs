//! What was erased is in no file of any process, nor of the broker; also where a process was away
//! while it was erased.

use anyhow::{Result, ensure};
use serde_json::json;
use support::{Client, eventually};
use system::{
    SOON,
    canaries::{Canaries, salt_beside},
    cluster::{Cluster, Member},
    people::{but, delivered, lost_child},
    town::{HOME, Town},
};

const WORDS: [&str; 3] = ["Canary headline", "Nguyễn Văn Canary", "Canary note"];

#[tokio::test]
async fn what_was_erased_is_in_no_file_of_any_process() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut cluster = Cluster::start(&town).await?;
    let an = cluster.intake.client("an", "officer", Some(HOME)).await?;
    let chi = cluster.intake.client("chi", "commander", Some(HOME)).await?;
    let fields = json!({
        "headline": WORDS[0], "person": {"age": 4, "sex": "male", "name": WORDS[1]},
    });
    let raised = an.raise(&but(lost_child("x"), &fields), "raise").await?.expect(201)?;
    let alert = raised.text_at("/id").to_owned();
    delivered(&an, &alert, town.groups.len(), SOON).await?;
    an.act(&alert, "resolve", &json!({ "note": WORDS[2] }), "r").await?.expect(200)?;

    let store = cluster.nats.store_dir();
    let mut canaries = Canaries::of(&WORDS);
    let salt = salt_beside(WORDS[0], &cluster.intake.data().join("outbox"))?;
    canaries.0.extend(salt.map(|salt| ("salt".to_owned(), salt)));
    ensure!(canaries.0.len() == 4, "no salt beside the headline");
    let all = town.folder.path().to_owned();
    let folders = [all.as_path(), store.as_path()];
    for folder in folders {
        for (name, _) in &canaries.0 {
            let found = canaries.found(&[folder])?;
            ensure!(found.iter().any(|(one, _)| one == name), "the search misses {name}");
        }
    }
    let basis = json!({ "basis": "subject-request" });
    an.act(&alert, "erase", &basis, "e").await?.expect(200)?;
    chi.act(&alert, "erase/confirm", &basis, "c").await?;
    is_erased(&chi, &alert).await?;
    ensure!(canaries.found(&folders)?.is_empty(), "{:?}", canaries.found(&folders)?);

    // Whoever comes back compares its outbox with the broker, and says nothing of it again.
    for member in [Member::Broker, Member::Intake, Member::FanOut] {
        cluster.kill_and_restart(member).await?;
    }
    let chi = chi.at(cluster.intake.http());
    is_erased(&chi, &alert).await?;
    let seen = chi.get(&format!("/v1/alerts/{alert}")).await?.expect(200)?;
    ensure!(seen.text_at("/sealed") == "erased", "{}", seen.text);
    ensure!(canaries.found(&folders)?.is_empty(), "{:?}", canaries.found(&folders)?);
    Ok(())
}

async fn is_erased(client: &Client, alert: &str) -> Result<()> {
    eventually(SOON, async || {
        let seen = client.get(&format!("/v1/alerts/{alert}/erasure")).await?.expect(200)?;
        ensure!(seen.text_at("/state") == "erased", "{}", seen.text);
        Ok(())
    })
    .await
}
