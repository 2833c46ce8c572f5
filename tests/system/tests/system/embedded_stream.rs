//! The live stream and the terminal that shows it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use support::Client;
use system::{
    SOON,
    people::{lost_child, text},
    terminal::Terminal,
    town::{HOME, NEIGHBOUR, Town},
};

#[tokio::test]
async fn who_comes_back_after_a_restart_misses_nothing() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut keng = town.up(&[]).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    let watcher = keng.client("binh", "officer", Some(NEIGHBOUR)).await?;
    let raise = async |officer: &Client, what: &str| -> Result<String> {
        let raised = officer.raise(&lost_child(what), what).await?.expect(201)?;
        Ok(raised.text_at("/id").to_owned())
    };

    let mut stream = watcher.stream(NEIGHBOUR, None).await?;
    let first = raise(&officer, "first").await?;
    let event = stream.wait_for(SOON, |event| event.kind == "alert").await?;
    ensure!(text(&event.json(), "/id") == first && !event.id.is_empty(), "{event:?}");
    let last = event.id.clone();
    drop(stream);

    let mut missed = BTreeSet::from([raise(&officer, "second").await?]);
    keng.kill9().await?;
    keng.restart().await?;
    let (officer, watcher) = (officer.at(keng.http()), watcher.at(keng.http()));
    missed.insert(raise(&officer, "third").await?);

    let mut stream = watcher.stream(NEIGHBOUR, Some(&last)).await?;
    let mut seen = BTreeSet::new();
    while seen != missed {
        let event = stream.wait_for(SOON, |event| event.kind == "alert").await;
        let event = event.with_context(|| format!("of {missed:?} came {seen:?}"))?;
        let id = text(&event.json(), "/id").to_owned();
        ensure!(missed.contains(&id), "told again, or another's: {event:?}");
        seen.insert(id);
    }
    let live = raise(&officer, "fourth").await?;
    let event = stream.wait_for(SOON, |event| event.kind == "alert").await?;
    ensure!(text(&event.json(), "/id") == live, "{event:?}");
    Ok(())
}

#[tokio::test]
async fn a_terminal_shows_an_alert() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let keng = town.up(&[]).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    let token = keng.token("binh", "officer", Some(NEIGHBOUR)).await?;
    let at = ["watch", "--commune", NEIGHBOUR, "--server", keng.http(), "--bearer", &token];
    let terminal = Terminal::open(&at)?;
    // Nothing says when the terminal has begun to listen: raise until it shows one.
    let mut count = 0;
    let line = support::eventually(SOON, async || {
        count += 1;
        let alert = lost_child(&format!("ở bến xe {count}"));
        officer.raise(&alert, &format!("key-{count}")).await?.expect(201)?;
        let lines = terminal.lines.all();
        lines.into_iter().find(|line| line.contains("bến xe")).context("nothing shown")
    });
    let line = line.await?;
    for word in ["ACTUAL", "active", "lost-child", "Tìm cháu bé"] {
        ensure!(line.contains(word), "{line}");
    }
    Ok(())
}
