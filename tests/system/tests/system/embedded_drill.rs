//! A drill from the terminal: measured by the real services, kept, ended; and what an operator
//! does about the groups that it did not reach.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use support::{Keng, Reply};
use system::town::{HOME, Town};

/// What a command said, and how it ended.
async fn said(keng: &Keng, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let output = keng.run(arguments).await?;
    let (out, err) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    Ok((output.status.code(), format!("{out}{err}")))
}

#[tokio::test]
async fn a_drill_says_whom_it_reached_and_preflight_remembers() -> Result<()> {
    let mut town = Town::with(&[HOME], 4).await?;
    town.groups.iter_mut().take(3).for_each(|group| group.exercises = true);
    town.write()?;
    let keng = town.up(&[]).await?;
    let token = keng.token("an", "officer", Some(HOME)).await?;
    let url = keng.http().to_owned();
    let drill = ["drill", "--commune", HOME, "--server", &url, "--bearer", &token];
    let (code, lines) = said(&keng, &drill).await?;
    ensure!(code == Some(0), "{lines}");
    for wanted in [
        "đến 3/3 nhóm, 0 chưa; 1 nhóm không tham gia",
        "g-0  webhook-1  đã đến / reached",
        "the result is kept",
        "the exercise is over",
    ] {
        ensure!(lines.contains(wanted), "{wanted}: {lines}");
    }
    let (_, lines) = said(&keng, &["preflight"]).await?;
    ensure!(lines.contains("3/3 nhóm / groups; webhook 3/3"), "{lines}");

    // One target does not exist any more: it is said, and waits for an operator.
    town.sink.answer("/g/1", Reply::status(410));
    let json = [&drill[..], &["--format", "json"]].concat();
    let output = keng.run(&json).await?;
    ensure!(output.status.code() == Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).context("one object")?;
    let count = |name: &str| seen.pointer(&format!("/communes/0/{name}")).and_then(Value::as_u64);
    ensure!((count("reached"), count("not_reached")) == (Some(2), Some(1)), "{seen}");
    let (_, lines) = said(&keng, &["preflight"]).await?;
    ensure!(lines.contains("did not reach 1 of 3 groups"), "{lines}");

    let (code, lines) = said(&keng, &["channels"]).await?;
    ensure!(code == Some(0) && lines.contains("webhook\thoạt động / works"), "{lines}");
    let (code, lines) = said(&keng, &["dead-letters", "--commune", HOME]).await?;
    ensure!(code == Some(0), "{lines}");
    let (code, lines) =
        said(&keng, &["dead-letters", "requeue", "--all", "--commune", HOME]).await?;
    ensure!(code == Some(0), "{lines}");
    let (code, lines) = said(&keng, &["dead-letters", "requeue", "x:1:g:webhook-1"]).await?;
    ensure!(code == Some(1) && lines.contains("not-found"), "{lines}");
    Ok(())
}
