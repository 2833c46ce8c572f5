//! An auditor takes the log away, and checks it where nobody has to be trusted.

use std::{fs, path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use support::{Keng, child::run, eventually};
use system::{
    SOON,
    people::{lost_child, text},
    town::{HOME, NEIGHBOUR, Town},
};
use tokio::process::Command;

/// A town in which an alert was raised and told; the alert's id.
async fn raised() -> Result<(Town, Keng, String)> {
    let town = Town::with(&[HOME, NEIGHBOUR], 80).await?;
    let keng = town.up(&[]).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    let raised = officer.raise(&lost_child("ở chợ"), "key-1").await?.expect(201)?;
    let id = raised.text_at("/id").to_owned();
    town.told(&id, "alert.issued", SOON).await?;
    Ok((town, keng, id))
}

/// The number of entries that are signed for.
async fn signed(keng: &Keng) -> Result<u64> {
    let answer = support::Client::new(keng.http())?.get("/checkpoint").await?.expect(200)?;
    answer.text.lines().nth(1).context("a size")?.parse().context("a size")
}

/// Waits until all that an auditor sees of the alert is signed for, up to its last record of this
/// type.
pub(crate) async fn all_signed(keng: &Keng, alert: &str, last: &str) -> Result<()> {
    let auditor = keng.client("khanh", "auditor", None).await?;
    let path = format!("/v1/audit/records?alert={alert}");
    eventually(SOON, async || {
        let now = auditor.get(&path).await?.expect(200)?;
        let records = now.at("/records").as_array().context("records")?;
        let of_type = records.iter().filter(|line| text(line, "/type") == last);
        let position = of_type.filter_map(|line| line.get("position")?.as_u64()).max();
        let (last, size) = (position.context("no such record yet")?, signed(keng).await?);
        ensure!(size >= last, "{size} of {last} are signed for");
        Ok(())
    })
    .await
}

pub(crate) async fn says(arguments: &[&str], code: i32) -> Result<String> {
    let output = run(arguments).await?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said)?;
    ensure!(output.status.code() == Some(code), "keng {arguments:?}: {}\n{said}", output.status);
    Ok(said)
}

pub(crate) fn path(folder: &Path, name: &str) -> Result<String> {
    Ok(folder.join(name).to_str().context("a path")?.to_owned())
}

#[tokio::test]
async fn the_whole_log_is_checked_over_http_and_as_files() -> Result<()> {
    let (town, keng, id) = raised().await?;
    all_signed(&keng, &id, "ReceiptsRecorded").await?;
    let token = keng.token("khanh", "auditor", None).await?;
    let out = path(town.folder.path(), "out")?;
    let export = ["export", "--server", keng.http(), "--bearer", &token, "--out", &out];
    ensure!(says(&export, 0).await?.contains("bản ghi / records"));
    let key = path(town.folder.path(), "the-key")?;
    fs::copy(format!("{out}/keys"), &key)?;
    let whole = says(&["verify", &out, "--key", &key], 0).await?;
    ensure!(whole.contains("nguyên vẹn / whole"), "{whole}");
    let own = says(&["verify", &out], 0).await?;
    ensure!(own.contains("consistent with its own key keng.local/"), "{own}");
    let there = says(&["verify", keng.http(), "--key", &key, "--bearer", &token], 0).await?;
    ensure!(there.contains("nguyên vẹn / whole"), "{there}");

    goes_on_from_what_was_seen(&town, &keng, &out, &token).await?;

    // Entries are the auditors', hashes are everybody's.
    let anyone = support::Client::new(keng.http())?;
    anyone.get("/tile/entries/000").await?.expect(401)?;
    let tile = support::client::bare()?.get(format!("{}/tile/0/000", keng.http())).send().await?;
    ensure!(tile.status().is_success() && tile.bytes().await?.len() == 8_192);
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    officer.get("/tile/entries/000").await?.expect(403)?;

    // One byte of the keys that came with it, whoever's key is trusted.
    let own = format!("{out}/keys");
    let bytes = fs::read(&own)?;
    fs::write(&own, [bytes.get(..bytes.len() - 2).context("a key")?, b"?\n"].concat())?;
    let wrong = says(&["verify", &out, "--key", &key], 1).await?;
    ensure!(wrong.contains("SAI / WRONG: keys: "), "{wrong}");
    fs::write(&own, bytes)?;

    // One byte of one record.
    let bundle = format!("{out}/tile/entries/000");
    let mut bytes = fs::read(&bundle)?;
    if let Some(byte) = bytes.get_mut(100) {
        *byte ^= 1;
    }
    fs::write(&bundle, bytes)?;
    let wrong = says(&["verify", &out, "--key", &key], 1).await?;
    ensure!(wrong.contains("SAI / WRONG: tile/"), "{wrong}");
    // Another log's key.
    fs::write(&key, "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n")?;
    let wrong = says(&["verify", &out, "--key", &key], 1).await?;
    ensure!(
        wrong.contains("SAI / WRONG: keys: ") && wrong.contains("not of example.com"),
        "{wrong}"
    );
    // A folder that holds something is not written to.
    ensure!(says(&export, 64).await?.contains("không rỗng / it is not empty"));
    Ok(())
}

/// The log has grown since this export, and not the other way.
async fn goes_on_from_what_was_seen(
    town: &Town,
    keng: &Keng,
    out: &str,
    token: &str,
) -> Result<()> {
    let before = fs::read_to_string(format!("{out}/checkpoint"))?;
    let before = before.lines().nth(1).context("a size")?.to_owned();
    keng.token("lan", "officer", Some(HOME)).await?;
    eventually(SOON, async || {
        ensure!(signed(keng).await? > before.parse()?, "it is not signed for yet");
        Ok(())
    })
    .await?;
    let key = format!("{out}/keys");
    let (seen, later) = (format!("{out}/checkpoint"), path(town.folder.path(), "later")?);
    let there = ["verify", keng.http(), "--key", &key, "--bearer", token, "--seen", &seen];
    let grown = says(&there, 0).await?;
    ensure!(grown.contains(&format!("grew from {before} ")), "{grown}");
    says(&["export", "--server", keng.http(), "--bearer", token, "--out", &later], 0).await?;
    let newer = format!("{later}/checkpoint");
    let now = fs::read_to_string(&newer)?.lines().nth(1).context("a size")?.to_owned();
    let old = says(&["verify", out, "--seen", &seen, "--seen", &newer], 1).await?;
    let shrunk = format!("SAI / WRONG: checkpoint: the log has {before} entries, and {now} were");
    ensure!(old.contains(&shrunk), "{old}");
    let none = says(&["verify", out, "--seen", &key], 64).await?;
    ensure!(none.contains("--seen "), "{none}");
    Ok(())
}

#[tokio::test]
async fn one_alerts_records_are_proved_without_a_line_of_our_code() -> Result<()> {
    let (town, keng, id) = raised().await?;
    all_signed(&keng, &id, "ReceiptsRecorded").await?;
    let out = path(town.folder.path(), "court")?;
    // Through the socket of the machine that it runs on.
    let data = keng.data().to_str().context("a path")?;
    let said = says(&["export", "--data", data, "--out", &out, "--alert", &id], 0).await?;
    ensure!(said.contains("bản ghi / records"), "{said}");
    let whole = says(&["verify", &out], 0).await?;
    ensure!(whole.contains("bản ghi nằm trong nhật ký"), "{whole}");
    let page = fs::read_to_string(format!("{out}/huong-dan.html"))?;
    ensure!(page.contains(&id) && !page.contains("{key}"), "{page}");
    let vkey = fs::read_to_string(format!("{out}/keys"))?;
    if is_installed("python3").await && is_installed("openssl").await {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/independent/check_alert.py");
        let check =
            async || Command::new("python3").args(["-B", script, &out, vkey.trim()]).output().await;
        let output = check().await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let record = fs::read_dir(format!("{out}/records"))?.next().context("a record")??.path();
        fs::write(&record, [fs::read(&record)?, vec![0]].concat())?;
        ensure!(!check().await?.status.success(), "an altered record passes");
    } else {
        println!("skipped: python3 or openssl is not installed");
        let record = fs::read_dir(format!("{out}/records"))?.next().context("a record")??.path();
        fs::write(&record, [fs::read(&record)?, vec![0]].concat())?;
    }
    let wrong = says(&["verify", &out], 1).await?;
    ensure!(wrong.contains("SAI / WRONG: records/"), "{wrong}");
    // What the server proves of one record is the same kind of file.
    let auditor = keng.client("khanh", "auditor", None).await?;
    let lines = auditor.get(&format!("/v1/audit/records?alert={id}")).await?.expect(200)?;
    let record = text(lines.at("/records/0"), "/id").to_owned();
    let proof = auditor.get(&format!("/v1/audit/proof/{record}")).await?.expect(200)?;
    ensure!(proof.text.starts_with("c2sp.org/tlog-proof@v1\nindex "), "{}", proof.text);
    let unknown = "/v1/audit/proof/00000000-0000-8000-8000-000000000000";
    auditor.get(unknown).await?.expect(404)?;
    Ok(())
}

pub(crate) async fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok()
}
