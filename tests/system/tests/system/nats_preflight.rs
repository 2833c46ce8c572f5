//! Preflight over a broker: seen by the server that asks it, and from where the command runs.

use anyhow::{Result, ensure};
use event_log_nats::testing::NatsServer;
use system::{
    cluster::Cluster,
    town::{HOME, Town},
};

#[tokio::test]
async fn a_broker_that_does_not_sync_makes_an_installation_unfit() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let staff = town.folder.path().join("officers.jsonl");
    let lines = [
        r#"{"officer":"binh","name":"Trần Bình","phone":"+84912345678"}"#.to_owned(),
        format!(r#"{{"contact":"binh","commune":"{HOME}","order":1}}"#),
    ];
    std::fs::write(&staff, lines.join("\n"))?;
    let staff = staff.to_string_lossy().into_owned();
    for syncs in [true, false] {
        let accept: &[&str] = if syncs { &[] } else { &["--accept-unverified-broker"] };
        let nats = NatsServer::start_with(syncs).await?;
        let (url, monitor) = (nats.url(), nats.monitor_url());
        let town = Town::with(&[HOME], 1).await?;
        let cluster = Cluster::start_on(nats, &town, accept).await?;
        let imported = cluster.intake.run(&["officers", "import", &staff]).await?;
        ensure!(imported.status.code() == Some(0), "{imported:?}");
        let broker = ["preflight", "--nats", &url, "--nats-monitor", &monitor];
        for arguments in [&["preflight"][..], &broker] {
            let output = cluster.intake.run(arguments).await?;
            let lines = String::from_utf8(output.stdout)?;
            let wanted = if syncs { Some(0) } else { Some(1) };
            ensure!(output.status.code() == wanted, "{syncs} {arguments:?}: {lines}");
            ensure!(lines.contains("before it syncs") != syncs, "{arguments:?}: {lines}");
            let is_unknown = lines.contains("encrypts at rest is not known");
            ensure!(is_unknown == arguments.contains(&"--nats"), "{arguments:?}: {lines}");
        }
    }
    Ok(())
}
