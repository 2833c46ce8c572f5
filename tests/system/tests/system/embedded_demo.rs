//! The demonstration tells its story, serves on, and takes nothing that is real.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use support::{Client, Keng};
use system::{
    SOON,
    people::{but, lost_child},
};

#[tokio::test]
async fn the_demo_tells_the_way_of_a_drill_and_serves_on() -> Result<()> {
    let mut keng = Keng::start("up", &["--demo", "--disk-reserve", "1048576"]).await?;
    let last = keng.lines().wait_for_one(SOON, |line| line.contains("/v/")).await?;
    let story = keng.lines().all();
    let mut after = story.iter();
    for word in [
        "ready ",
        "accepted",
        "issued",
        "relayed to communes",
        "groups reached",
        "in the audit log",
        "/v/",
    ] {
        let found = after.any(|line| line.contains(word));
        ensure!(found, "no `{word}` in its place in {story:#?}");
    }
    ensure!(!story.iter().any(|line| line.contains("The drill stopped")), "{story:#?}");

    let token = story.iter().find(|line| line.contains("token of an")).context("no token")?;
    let token = token.rsplit(' ').next().context("no token")?;
    let officer = Client::new(keng.http())?.with_token(token);
    let code = last.rsplit('/').next().context("no code")?;
    let page = Client::new(keng.http())?.get(&format!("/v1/verify/{code}")).await?.expect(200)?;
    ensure!(page.text_at("/status") == "exercise", "{}", page.text);

    let actual = lost_child("thật");
    let problem = officer.raise(&actual, "k-1").await?.expect(400)?.problem()?;
    ensure!(problem.errors.iter().any(|(field, _)| field == "status"), "{problem:?}");
    let drill = but(actual, &json!({"status": "exercise"}));
    officer.raise(&drill, "k-2").await?.expect(201)?;

    // The second time the directory is not empty, and it is a demo's still.
    keng.restart().await?;
    let page = Client::new(keng.http())?.get(&format!("/v1/verify/{code}")).await?.expect(200)?;
    ensure!(page.text_at("/status") == "exercise", "{}", page.text);
    let status = keng.sigterm(SOON).await?;
    ensure!(status.code() == Some(0), "{status}");
    Ok(())
}
