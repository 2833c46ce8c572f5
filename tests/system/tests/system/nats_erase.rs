//! What was erased is in no file of any process, nor of the broker; also where a process was away
//! while it was erased.

use anyhow::{Result, ensure};
use event_log_nats::testing::NatsServer;
use serde_json::json;
use support::{Client, eventually};
use system::{
    SOON,
    canaries::{Canaries, copy, salt_beside},
    cluster::{Cluster, Member},
    people::{but, delivered, lost_child},
    town::{HOME, Town},
};

const WORDS: [&str; 3] = ["Canary headline", "Nguyễn Văn Canary", "Canary note"];
/// So that a search finds what is there.
const UNENCRYPTED: [&str; 2] = ["--key-file", "none"];

/// Raised with words, told, and resolved; the alert's id.
async fn lost_and_found(town: &Town, an: &Client) -> Result<String> {
    let fields = json!({
        "headline": WORDS[0], "person": {"age": 4, "sex": "male", "name": WORDS[1]},
    });
    let raised = an.raise(&but(lost_child("x"), &fields), "raise").await?.expect(201)?;
    let alert = raised.text_at("/id").to_owned();
    delivered(an, &alert, town.groups.len(), SOON).await?;
    an.act(&alert, "resolve", &json!({ "note": WORDS[2] }), "r").await?.expect(200)?;
    Ok(alert)
}

async fn erase(an: &Client, chi: &Client, alert: &str) -> Result<()> {
    let basis = json!({ "basis": "subject-request" });
    an.act(alert, "erase", &basis, "e").await?.expect(200)?;
    chi.act(alert, "erase/confirm", &basis, "c").await?;
    is_erased(chi, alert).await
}

#[tokio::test]
async fn what_was_erased_is_in_no_file_of_any_process() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut cluster = Cluster::start_on(NatsServer::start().await?, &town, &UNENCRYPTED).await?;
    let an = cluster.intake.client("an", "officer", Some(HOME)).await?;
    let chi = cluster.intake.client("chi", "commander", Some(HOME)).await?;
    let alert = lost_and_found(&town, &an).await?;

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
    erase(&an, &chi, &alert).await?;
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

#[tokio::test]
async fn with_a_cipher_and_key_files_no_file_has_the_words_before_and_after() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let nats = NatsServer::start_encrypted().await?;
    let mut cluster = Cluster::start_on(nats, &town, &[]).await?;
    let an = cluster.intake.client("an", "officer", Some(HOME)).await?;
    let chi = cluster.intake.client("chi", "commander", Some(HOME)).await?;
    let alert = lost_and_found(&town, &an).await?;
    let store = cluster.nats.store_dir();
    let all = town.folder.path().to_owned();
    let (canaries, folders) = (Canaries::of(&WORDS), [all.as_path(), store.as_path()]);
    ensure!(canaries.found(&folders)?.is_empty(), "{:?}", canaries.found(&folders)?);
    // What is encrypted is read again by whoever has the keys.
    for member in [Member::Broker, Member::Intake, Member::FanOut] {
        cluster.kill_and_restart(member).await?;
    }
    let (an, chi) = (an.at(cluster.intake.http()), chi.at(cluster.intake.http()));
    eventually(SOON, async || {
        let seen = an.get(&format!("/v1/alerts/{alert}")).await?.expect(200)?;
        ensure!(seen.text_at("/headline") == WORDS[0], "{}", seen.text);
        Ok(())
    })
    .await?;
    erase(&an, &chi, &alert).await?;
    let seen = chi.get(&format!("/v1/alerts/{alert}")).await?.expect(200)?;
    ensure!(seen.text_at("/sealed") == "erased", "{}", seen.text);
    ensure!(canaries.found(&folders)?.is_empty(), "{:?}", canaries.found(&folders)?);
    Ok(())
}

#[tokio::test]
async fn an_older_copy_of_a_process_is_cleaned_by_the_stream_before_it_answers() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut cluster = Cluster::start_on(NatsServer::start().await?, &town, &UNENCRYPTED).await?;
    let an = cluster.intake.client("an", "officer", Some(HOME)).await?;
    let chi = cluster.intake.client("chi", "commander", Some(HOME)).await?;
    let alert = lost_and_found(&town, &an).await?;
    let (elsewhere, canaries) = (tempfile::tempdir()?, Canaries::of(&WORDS));
    let data = cluster.intake.data().to_owned();
    cluster.intake.sigterm(SOON).await?;
    copy(&data, elsewhere.path())?;
    cluster.restart_intake().await?;
    let (an, chi) = (an.at(cluster.intake.http()), chi.at(cluster.intake.http()));
    erase(&an, &chi, &alert).await?;

    cluster.intake.sigterm(SOON).await?;
    std::fs::remove_dir_all(&data)?;
    copy(elsewhere.path(), &data)?;
    ensure!(!canaries.found(&[&data])?.is_empty(), "the copy holds what was erased");
    cluster.restart_intake().await?;
    let store = cluster.nats.store_dir();
    let found = canaries.found(&[&data, &store])?;
    ensure!(found.is_empty(), "it was ready and held {found:?}");
    let chi = chi.at(cluster.intake.http());
    is_erased(&chi, &alert).await?;
    let seen = chi.get(&format!("/v1/alerts/{alert}")).await?.expect(200)?;
    ensure!(seen.text_at("/sealed") == "erased", "{}", seen.text);
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
