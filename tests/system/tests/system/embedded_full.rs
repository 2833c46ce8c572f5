//! Below the reserve of the disk: what would fill it is refused, and what ends an alert is not.

use anyhow::{Result, ensure};
use serde_json::json;
use support::Client;
use system::{
    SOON,
    people::{but, lost_child, text},
    town::{HOME, NEIGHBOUR, Town},
};

#[tokio::test]
async fn a_full_disk_takes_neither_alerts_nor_answers_and_every_end() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut keng = town.up(&[]).await?;
    let an = Client::new(keng.http())?.with_token(&keng.token("an", "officer", Some(HOME)).await?);
    let binh = keng.client("binh", "officer", Some(NEIGHBOUR)).await?;
    let (first, second) = (lost_child("một"), lost_child("hai"));
    let mut alerts = Vec::new();
    for (alert, key) in [(&first, "k-1"), (&second, "k-2")] {
        let raised = an.raise(alert, key).await?.expect(201)?;
        alerts.push(raised.text_at("/id").to_owned());
        town.told(raised.text_at("/id"), "alert.issued", SOON).await?;
    }
    binh.act(&alerts[1], "acknowledge", &json!({}), "a-1").await?.expect(200)?;
    keng.sigterm(SOON).await?;

    let full = town.up(&["--disk-reserve", &i64::MAX.to_string()]).await?;
    let (an, binh) = (an.at(full.http()), binh.at(full.http()));
    for action in ["acknowledge", "refuse"] {
        let problem = binh.act(&alerts[0], action, &json!({}), "a-2").await?.expect(503)?;
        ensure!(problem.problem()?.code == "not-stored", "{action}: {}", problem.text);
    }
    let drill = but(lost_child("tập"), &json!({"status": "exercise"}));
    for (alert, key) in [(&lost_child("ba"), "k-3"), (&drill, "k-4")] {
        let problem = an.raise(alert, key).await?.expect(503)?;
        ensure!(problem.problem()?.code == "not-stored", "{}", problem.text);
    }
    // What is so already is answered, and fills nothing.
    let known = an.raise(&first, "k-1").await?.expect(201)?;
    ensure!(known.text_at("/id") == alerts[0], "{}", known.text);
    for key in ["a-1", "a-3"] {
        binh.act(&alerts[1], "acknowledge", &json!({}), key).await?.expect(200)?;
    }
    // Ends go through, and are told.
    for (alert, action, state) in
        [(&alerts[0], "cancel", "cancelled"), (&alerts[1], "resolve", "resolved")]
    {
        let ended = an.act(alert, action, &json!({"note": "xong"}), action).await?.expect(200)?;
        ensure!(ended.text_at("/state") == state, "{}", ended.text);
        town.told(alert, &format!("alert.{state}"), SOON).await?;
    }
    let list = an.get("/v1/alerts").await?.expect(200)?;
    let listed = list.at("/alerts").as_array().cloned().unwrap_or_default();
    ensure!(listed.len() == alerts.len(), "a refused raise is listed: {}", list.text);
    let communes = listed.iter().flat_map(|one| one["communes"].as_array().into_iter().flatten());
    let answers = communes.filter(|one| !text(one, "/answer").is_empty()).count();
    ensure!(answers == 1, "a refused answer stands: {}", list.text);
    town.check_calls()
}
