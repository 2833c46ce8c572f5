//! Before anybody is told, from the terminal: staff that is imported, a raise that is only looked
//! at, and an installation that says whether it is fit for a real alert.

use anyhow::{Result, ensure};
use support::Keng;
use system::town::{HOME, RING, Town};

/// Everybody is asked at every hour of every day.
fn staff() -> String {
    let week = r#"["monday","tuesday","wednesday","thursday","friday","saturday","sunday"]"#;
    let mut lines = vec![r#"{"officer":"binh","name":"Trần Bình","phone":"+84912345678"}"#.into()];
    for commune in RING {
        lines.push(format!(r#"{{"contact":"binh","commune":"{commune}","order":1}}"#));
        lines.push(format!(
            r#"{{"duty":"binh","commune":"{commune}","days":{week},"from":"00:00","to":"24:00"}}"#
        ));
    }
    lines.join("\n")
}

/// What a command said, and how it ended.
async fn said(keng: &Keng, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let output = keng.run(arguments).await?;
    let (out, err) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    Ok((output.status.code(), format!("{out}{err}")))
}

#[tokio::test]
async fn staff_is_imported_and_the_installation_becomes_fit() -> Result<()> {
    let town = Town::with(&RING, 1).await?;
    let mut keng = town.up(&[]).await?;
    let (code, lines) = said(&keng, &["preflight"]).await?;
    ensure!(code == Some(1), "{lines}");
    ensure!(lines.starts_with("KHÔNG SẴN SÀNG cho tin thật / NOT FIT"), "{lines}");

    let file = town.folder.path().join("officers.jsonl");
    std::fs::write(&file, staff())?;
    let file = file.to_string_lossy().into_owned();
    for recorded in ["recorded 8", "recorded 0"] {
        let (code, lines) = said(&keng, &["officers", "import", &file]).await?;
        ensure!(code == Some(0) && lines.contains(recorded), "{recorded}: {lines}");
    }
    let (code, lines) = said(&keng, &["preflight"]).await?;
    ensure!(code == Some(0) && lines.starts_with("SẴN SÀNG cho tin thật / FIT"), "{lines}");

    // What was recorded is there after a restart, and the same file is still nothing new.
    keng.restart().await?;
    let (code, lines) = said(&keng, &["officers", "import", &file]).await?;
    ensure!(code == Some(0) && lines.contains("recorded 0"), "{lines}");
    let (code, lines) = said(&keng, &["preflight"]).await?;
    ensure!(code == Some(0), "{lines}");
    let (_, replayed) = said(&keng, &["replay"]).await?;
    for kind in ["ContactRecorded", "RosterRecorded", "DirectoryAdopted"] {
        ensure!(replayed.contains(kind), "{kind} is not replayed");
    }
    ensure!(!replayed.contains("912345678"), "a telephone number is in the log");

    let wrong = town.folder.path().join("wrong.jsonl");
    std::fs::write(&wrong, r#"{"officer":"x","name":"X"}"#)?;
    let wrong = wrong.to_string_lossy().into_owned();
    let (code, lines) = said(&keng, &["officers", "import", &wrong]).await?;
    ensure!(code == Some(2) && lines.contains("1:phone"), "{lines}");
    Ok(())
}

#[tokio::test]
async fn a_dry_run_shows_who_would_be_told_and_tells_nobody() -> Result<()> {
    let town = Town::with(&RING, 1).await?;
    let keng = town.up(&[]).await?;
    let token = keng.token("an", "officer", Some(HOME)).await?;
    let url = keng.http().to_owned();
    let raise = [
        "raise",
        "lost-child",
        "--status",
        "actual",
        "--commune",
        HOME,
        "--headline",
        "Tìm bé",
        "--place",
        "chợ",
        "--server",
        &url,
        "--bearer",
        &token,
        "--dry-run",
    ];
    let (code, lines) = said(&keng, &raise).await?;
    ensure!(code == Some(0), "{lines}");
    for wanted in ["7 xã", "→ 25126 ", "còn thiếu / missing", "DRY RUN: nothing was sent"] {
        ensure!(lines.contains(wanted), "{wanted}: {lines}");
    }
    let (_, replayed) = said(&keng, &["replay"]).await?;
    ensure!(!replayed.contains("RaiseAlert"), "{replayed}");
    ensure!(town.sink.calls().is_empty(), "somebody was told");
    let blank = raise.map(|argument| if argument == "Tìm bé" { " " } else { argument });
    let (code, lines) = said(&keng, &blank).await?;
    ensure!(code == Some(2) && lines.contains("headline"), "{lines}");
    Ok(())
}
