//! An authority's time stamps go with what an auditor takes away, and are checked there.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use stand_ins::timestamps::Authority;
use support::eventually;
use system::{
    SOON,
    people::lost_child,
    town::{HOME, Town},
};

use crate::embedded_proof::{all_signed, path, says};

/// The stamped size of an export.
fn stamped(out: &str) -> Result<u64> {
    let folder = Path::new(out).join("timestamps");
    let names =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>();
    let sizes = names?.into_iter().filter_map(|name| {
        name.to_str().and_then(|name| name.strip_suffix(".tsr")?.parse::<u64>().ok())
    });
    sizes.max().context("no time stamp")
}

#[tokio::test]
#[allow(clippy::print_stdout, reason = "what was not tested is said in the test's output")]
async fn an_authoritys_time_stamps_go_with_a_log_and_with_an_alert() -> Result<()> {
    let Some(authority) = Authority::start().await? else {
        println!("skipped: openssl is not installed");
        return Ok(());
    };
    let town = Town::with(&[HOME], 1).await?;
    let mut keng = town.up(&[]).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    let raised = officer.raise(&lost_child("ở chợ"), "k").await?.expect(201)?;
    let alert = raised.text_at("/id").to_owned();
    town.told(&alert, "alert.issued", SOON).await?;
    all_signed(&keng, &alert, "ReceiptsRecorded").await?;
    let token = keng.token("khanh", "auditor", None).await?;
    keng.sigterm(SOON).await?;

    // What was signed before is stamped at once.
    let keng = town.up(&["--tsa", &authority.url()]).await?;
    let stamps = officer.at(keng.http());
    eventually(SOON, async || {
        let sizes = stamps.get("/v1/audit/timestamps").await?.expect(200)?;
        ensure!(sizes.at("/sizes/0").is_u64(), "{}", sizes.text);
        Ok(())
    })
    .await?;
    stamps.get("/v1/audit/timestamps/key").await?.expect(404)?;
    // The log grows beyond it.
    let again = stamps.raise(&lost_child("ở bến"), "k-2").await?.expect(201)?;
    all_signed(&keng, again.text_at("/id"), "AlertIssued").await?;
    let at = ["export", "--server", keng.http(), "--bearer", &token];
    for (name, more) in [("log", &[][..]), ("court", &["--alert", &alert])] {
        let out = path(town.folder.path(), name)?;
        says(&[&at[..], &["--out", &out], more].concat(), 0).await?;
        let whole = says(&["verify", &out], 0).await?;
        ensure!(whole.contains("dấu thời gian / time stamp 20"), "{whole}");
        let size = stamped(&out)?;
        let file = |kind: &str| Path::new(&out).join(format!("timestamps/{size}.{kind}"));
        authority.verify(&file("checkpoint"), &file("tsr"))?;
        is_checked(&out, &[file("checkpoint"), file("tsr"), file("consistency")]).await?;
    }
    // Whose records came later has no stamp yet.
    let out = path(town.folder.path(), "later")?;
    says(&[&at[..], &["--out", &out, "--alert", again.text_at("/id")]].concat(), 0).await?;
    ensure!(!Path::new(&out).join("timestamps").exists(), "an older stamp goes with it");
    says(&["verify", &out], 0).await.map(drop)
}

/// None of these files, where it is there, can be changed at its beginning, be another, or be away.
async fn is_checked(out: &str, files: &[std::path::PathBuf]) -> Result<()> {
    for file in files.iter().filter(|file| file.exists()) {
        let bytes = fs::read(file)?;
        let mut changed = bytes.clone();
        *changed.first_mut().context("a byte")? ^= 1;
        for wrong in [changed, [&bytes[..], b"\n"].concat()] {
            fs::write(file, wrong)?;
            let said = says(&["verify", out], 1).await?;
            ensure!(said.contains("SAI / WRONG: timestamps/"), "{file:?}: {said}");
        }
        fs::remove_file(file)?;
        let said = says(&["verify", out], 1).await?;
        ensure!(said.contains("SAI / WRONG: "), "{file:?}: {said}");
        fs::write(file, bytes)?;
    }
    Ok(())
}
