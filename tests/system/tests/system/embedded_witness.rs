//! A witness in a process of its own: it cosigns what `keng up` signs, is killed, and goes on where
//! it was; and it refuses yesterday's copy.

use std::{fs, path::Path, process::Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use support::{Client, Keng, child::binary, eventually};
use system::{
    SOON,
    canaries::copy,
    people::lost_child,
    town::{HOME, NEIGHBOUR, Town},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::embedded_proof::{all_signed, is_installed, path, says};

const NAME: &str = "nhan-chung.example.vn";

/// Starts a witness of this log; says where it listens.
async fn witness(data: &Path, http: &str, log: &str) -> Result<(Child, String)> {
    let mut command = Command::new(binary()?);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KENG_")) {
        command.env_remove(name);
    }
    command.args(["witness", "--http", http, "--name", NAME, "--log", log, "--data"]).arg(data);
    command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().context("no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(SOON, lines.next_line()).await??.unwrap_or_default();
    match line.strip_prefix("ready http=") {
        Some(url) => Ok((child, url.to_owned())),
        None => bail!("the witness was not ready: {line:?}"),
    }
}

/// A file that names this witness, and wants its cosignature.
async fn policy(town: &Town, url: &str) -> Result<String> {
    let key = Client::new(url)?.get("/key").await?.expect(200)?.text;
    let policy = path(town.folder.path(), "witnesses")?;
    fs::write(&policy, format!("witness tinh {} {url}\nquorum tinh\n", key.trim_end()))?;
    Ok(policy)
}

/// The number of entries of the published checkpoint.
async fn signed(client: &Client) -> Result<u64> {
    let text = client.get("/checkpoint").await?.expect(200)?.text;
    text.lines().nth(1).context("no size")?.parse().context("a size")
}

/// Waits for a published checkpoint of more than `size` entries with the witness's line.
async fn cosigned(client: &Client, size: u64) -> Result<u64> {
    eventually(SOON, async || {
        let text = client.get("/checkpoint").await?.expect(200)?.text;
        let now: u64 = text.lines().nth(1).context("no size")?.parse()?;
        ensure!(now > size && text.contains(&format!("\n— {NAME} ")), "{text}");
        Ok(now)
    })
    .await
}

#[tokio::test]
async fn a_witness_cosigns_is_killed_and_goes_on_where_it_was() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut keng = town.up(&[]).await?;
    let token = keng.token("an", "officer", Some(HOME)).await?;
    let officer = Client::new(keng.http())?.with_token(&token);
    let log = officer.get("/v1/audit/key").await?.expect(200)?.text;
    keng.sigterm(SOON).await?;

    let data = town.folder.path().join("witness");
    let (mut child, url) = witness(&data, "127.0.0.1:0", log.trim_end()).await?;
    let policy = policy(&town, &url).await?;
    let keng = town.up(&["--witnesses", &policy]).await?;
    let officer = officer.at(keng.http());
    let first = cosigned(&officer, 0).await?;

    // Killed; alerts go on, and the log is signed on.
    child.kill().await?;
    let raised = officer.raise(&lost_child("ở chợ"), "k-1").await?.expect(201)?;
    town.told(raised.text_at("/id"), "alert.issued", SOON).await?;
    eventually(SOON, async || {
        ensure!(signed(&officer).await? > first, "nothing more is signed");
        Ok(())
    })
    .await?;
    let http = url.trim_start_matches("http://");
    let (_again, _) = witness(&data, http, log.trim_end()).await?;
    cosigned(&officer, first).await?;
    let asked = Client::new(&url)?.get("/metrics").await?.expect(200)?.text;
    ensure!(asked.contains("keng_witness_cosigned_total"), "{asked}");
    taken_away(&keng, raised.text_at("/id"), town.folder.path()).await?;
    needs_a_quorum(&town, &policy).await?;
    match is_installed("python3").await && is_installed("openssl").await {
        true => is_whole_elsewhere(&path(town.folder.path(), "court")?).await?,
        false => println!("skipped: python3 or openssl is not installed"),
    }
    town.check_calls()
}

#[tokio::test]
async fn yesterdays_directory_is_refused_and_alerts_go_on_under_a_banner() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let mut keng = town.up(&[]).await?;
    let an = keng.client("an", "officer", Some(HOME)).await?;
    let binh = keng.client("binh", "officer", Some(NEIGHBOUR)).await?;
    let khanh = keng.client("khanh", "auditor", None).await?;
    let log = an.get("/v1/audit/key").await?.expect(200)?.text;
    keng.sigterm(SOON).await?;
    let folder = town.folder.path();
    let (_witness, url) = witness(&folder.join("witness"), "127.0.0.1:0", log.trim_end()).await?;
    let policy = policy(&town, &url).await?;
    let options = ["--witnesses", &policy];
    let mut keng = town.up(&options).await?;
    let yesterday = cosigned(&an.clone().at(keng.http()), 0).await?;
    keng.sigterm(SOON).await?;
    let (data, aside) = (keng.data().to_owned(), folder.join("yesterday"));
    copy(&data, &aside)?;

    // What is told and cosigned today is not in the copy.
    let mut keng = town.up(&options).await?;
    let an = an.at(keng.http());
    let lost = an.raise(&lost_child("hôm nay"), "today").await?.expect(201)?;
    town.told(lost.text_at("/id"), "alert.issued", SOON).await?;
    cosigned(&an, yesterday).await?;
    keng.sigterm(SOON).await?;
    fs::remove_dir_all(&data)?;
    copy(&aside, &data)?;

    let mut keng = town.up(&options).await?;
    let refused = says_unsigned(&keng, "banner").await?;
    ensure!(refused.starts_with(NAME) && refused.contains("it has cosigned"), "{refused}");
    let (an, binh) = (an.at(keng.http()), binh.at(keng.http()));
    let khanh = khanh.at(keng.http());
    let raised = an.raise(&lost_child("sau đó"), "later").await?.expect(201)?;
    let alert = raised.text_at("/id").to_owned();
    town.told(&alert, "alert.issued", SOON).await?;
    binh.act(&alert, "acknowledge", &json!({}), "seen").await?.expect(200)?;
    an.act(&alert, "cancel", &json!({ "note": "Nhầm." }), "end").await?.expect(200)?;
    town.told(&alert, "alert.cancelled", SOON).await?;
    // The journal goes on, and nothing of it is signed.
    eventually(SOON, async || {
        let path = format!("/v1/audit/records?alert={alert}");
        let records = khanh.get(&path).await?.expect(200)?;
        ensure!(records.text.contains("AlertCancelled"), "{}", records.text);
        Ok(())
    })
    .await?;
    ensure!(signed(&khanh).await? == yesterday, "it is signed on");

    // A restart shows no log that somebody has yet to look at.
    keng.restart().await?;
    says_unsigned(&keng, "after a restart").await?;
    khanh.at(keng.http()).get("/checkpoint").await?.expect(503)?;
    town.check_calls()
}

/// Waits until the server says that nothing is signed any more, and why.
async fn says_unsigned(keng: &Keng, when: &str) -> Result<String> {
    let anybody = Client::new(keng.http())?;
    eventually(SOON, async || {
        let ready = anybody.get("/readyz").await?.expect(200)?;
        let is_said = ready.text.contains("the audit log is no longer signed");
        ensure!(is_said && ready.at("/ready") == &json!(true), "{when}: {}", ready.text);
        let metrics = anybody.get("/metrics").await?.expect(200)?.text;
        ensure!(metrics.contains("keng_audit_unsigned_total 1"), "{when}: {metrics}");
        Ok(fs::read_to_string(keng.data().join("audit-signed/refused"))?)
    })
    .await
}

/// An auditor takes the log away, and the alert: each is whole by the keys that go with it, those
/// of the witness too.
async fn taken_away(keng: &Keng, alert: &str, folder: &Path) -> Result<()> {
    all_signed(keng, alert, "ReceiptsRecorded").await?;
    let token = keng.token("khanh", "auditor", None).await?;
    let export = ["export", "--server", keng.http(), "--bearer", &token, "--out"];
    for (name, more) in [("log", &[][..]), ("court", &["--alert", alert])] {
        let out = path(folder, name)?;
        // The witness is not waited for: the newest checkpoint may lack its line for a moment.
        eventually(SOON, async || {
            if Path::new(&out).exists() {
                fs::remove_dir_all(&out)?;
            }
            says(&[&export[..], &[out.as_str()], more].concat(), 0).await?;
            let whole = says(&["verify", &out], 0).await?;
            let is_named = whole.contains(&format!(", {NAME}\n"));
            ensure!(is_named && whole.contains("consistent with its own key"), "{whole}");
            Ok(())
        })
        .await?;
        let keys = fs::read_to_string(format!("{out}/keys"))?;
        ensure!(keys.lines().count() == 2, "{keys}");
        let whole = says(&["verify", &out, "--key", &format!("{out}/keys")], 0).await?;
        ensure!(whole.contains("nguyên vẹn / whole"), "{whole}");
    }
    let court = path(folder, "court")?;
    let keys = fs::read_to_string(format!("{court}/keys"))?;
    let witness = keys.lines().nth(1).context("the witness's key")?;
    let page = fs::read_to_string(format!("{court}/huong-dan.html"))?;
    ensure!(page.contains(&format!("<code>{witness}</code>")), "{page}");
    Ok(())
}

/// An auditor may want as many witnesses as the log has to gather, or others.
async fn needs_a_quorum(town: &Town, policy: &str) -> Result<()> {
    let others = path(town.folder.path(), "others")?;
    let other = "Wit1+9b3fb2d5+BFhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk";
    let both = fs::read_to_string(policy)?.replace("quorum tinh", "group ca-hai all tinh khac");
    let both = format!("witness khac {other}\n{both}quorum ca-hai\n");
    fs::write(&others, both)?;
    for name in ["log", "court"] {
        let out = path(town.folder.path(), name)?;
        let enough = says(&["verify", &out, "--quorum", policy], 0).await?;
        ensure!(enough.contains("a quorum of witnesses: 1"), "{enough}");
        let wrong = says(&["verify", &out, "--quorum", &others], 1).await?;
        ensure!(wrong.contains("SAI / WRONG: checkpoint: 1: "), "{wrong}");
    }
    let none = path(town.folder.path(), "court/keys")?;
    let wrong = says(&["verify", &path(town.folder.path(), "log")?, "--quorum", &none], 64).await?;
    ensure!(wrong.contains("--quorum ") && wrong.contains("line 1"), "{wrong}");
    Ok(())
}

/// The alert's export is whole without a line of our code, cosignature and all.
async fn is_whole_elsewhere(court: &str) -> Result<()> {
    let keys = fs::read_to_string(format!("{court}/keys"))?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/independent/check_alert.py");
    let mut check = Command::new("python3");
    let output = check.args(["-B", script, court]).args(keys.lines()).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
