//! What was known, the times that matter, and live state against the log, of a real process.

use anyhow::{Result, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};
use support::Keng;
use system::{
    SOON,
    people::{delivered, lost_child},
    town::{HOME, NEIGHBOUR, Town},
};

/// Runs a command at the server's own machine; its answer, and how it ended.
async fn said(keng: &Keng, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let output = keng.run(arguments).await?;
    let text = String::from_utf8(output.stdout)? + &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.code(), text))
}

#[tokio::test]
async fn an_auditor_asks_at_the_terminal_and_after_a_restart() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 2).await?;
    let mut keng = town.up(&[]).await?;
    let before = Timestamp::now().to_string();
    let an = keng.client("an", "officer", Some(HOME)).await?;
    let binh = keng.client("binh", "officer", Some(NEIGHBOUR)).await?;
    let raised = an.raise(&lost_child("ở chợ"), "k").await?.expect(201)?;
    let id = raised.text_at("/id").to_owned();
    delivered(&an, &id, town.groups.len(), SOON).await?;
    binh.act(&id, "acknowledge", &json!({}), "act").await?.expect(200)?;

    let now = Timestamp::now().to_string();
    let known = ["replay", "--commune", NEIGHBOUR, "--as-known-at"];
    let (code, text) = said(&keng, &[&known[..], &[&now]].concat()).await?;
    ensure!(
        code == Some(0) && text.contains("acknowledged") && text.contains("arrived 2"),
        "{text}"
    );
    let (code, text) = said(&keng, &[&known[..], &[&before]].concat()).await?;
    ensure!(code == Some(0) && text.contains("no alert"), "{text}");
    let json_at = [&known[..], &[&now, "--format", "json"]].concat();
    let (_, text) = said(&keng, &json_at).await?;
    let read: Value = serde_json::from_str(text.trim())?;
    ensure!(read.pointer("/alerts/0/id") == Some(&json!(id)), "{read}");
    let (code, text) = said(&keng, &["replay", "--as-known-at", &now]).await?;
    ensure!(code == Some(64) && text.contains("--commune"), "{code:?} {text}");
    let ahead = ["--as-known-at", "2999-01-01T00:00:00Z", "--alert", &id];
    let (code, text) = said(&keng, &[&["replay"], &ahead[..]].concat()).await?;
    ensure!(code == Some(2) && text.contains("at: chưa tới"), "{code:?} {text}");

    let (code, text) = said(&keng, &["timeline", &id]).await?;
    ensure!(code == Some(0) && text.contains("last group") && text.contains("not yet"), "{text}");

    for again in [false, true] {
        if again {
            // Plans and receipts are read side by side then, in whatever order.
            keng.restart().await?;
        }
        let (code, text) = said(&keng, &["replay", "--check"]).await?;
        let all = ["intake: ", "fan-out-books: "].iter().all(|holder| text.contains(holder));
        ensure!(code == Some(0) && all && !text.contains("DIFFERENT"), "{again} {code:?} {text}");
    }
    keng.sigterm(SOON).await?;
    // Without a server there is nothing live.
    let (code, text) = said(&keng, &["replay", "--check"]).await?;
    ensure!(code == Some(0) && text.contains("nothing was compared"), "{code:?} {text}");
    let (code, text) = said(&keng, &["timeline", &id]).await?;
    ensure!(code == Some(0) && text.contains("first group"), "{code:?} {text}");
    Ok(())
}
