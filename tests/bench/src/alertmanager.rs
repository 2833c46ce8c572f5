//! The peer: Debian's Prometheus Alertmanager with as many webhooks, at the same sink and by the
//! same clock. It writes nothing down before it sends.

use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use support::client::bare;
use tokio::process::Command;

use crate::{child::memory_mib, sink::Sink};

/// How it is had.
pub const HINT: &str = "apt-get install -y prometheus-alertmanager";

const BINARY: &str = "prometheus-alertmanager";
const LAST_WITHIN: Duration = Duration::from_secs(60);
const READY_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);
const WARM_UP: usize = 2;

/// Where it is installed, if it is.
#[must_use]
pub fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(BINARY)).find(|file| file.is_file())
}

/// The times from the request until the last of so many webhooks was called, and its resident
/// memory at the end, in MiB.
///
/// # Errors
/// It cannot be started, or a webhook was not called.
pub async fn reach(
    binary: &PathBuf,
    groups: usize,
    rounds: usize,
    sink: &Sink,
) -> Result<(Vec<Duration>, f64)> {
    let dir = tempfile::tempdir()?;
    let mut config = String::from(
        "route: {receiver: groups, group_by: ['...'], group_wait: 0s, group_interval: 1s, \
         repeat_interval: 1h}\nreceivers:\n- name: groups\n  webhook_configs:\n",
    );
    for group in 0..groups {
        let url = sink.url(group);
        writeln!(config, "  - {{url: '{url}', send_resolved: false}}")?;
    }
    let file = dir.path().join("alertmanager.yml");
    fs::write(&file, config)?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut process = Command::new(binary)
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.path={}", dir.path().join("data").display()))
        .arg("--cluster.listen-address=")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--log.level=error")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(dir.path().join("log"))?)
        .kill_on_drop(true)
        .spawn()?;
    let base = format!("http://127.0.0.1:{port}");
    let client = bare()?;
    ready(&client, &base).await?;
    let mut lasts = Vec::new();
    for round in 0..WARM_UP + rounds {
        sink.begin(groups);
        let labels = json!({ "alertname": "lost-child", "id": format!("{groups}-{round}") });
        let alert = json!([{ "labels": labels, "annotations": { "summary": "Trẻ lạc" } }]);
        let begun = Instant::now();
        let url = format!("{base}/api/v2/alerts");
        let request = client.post(url).header("content-type", "application/json");
        let answer = request.body(alert.to_string()).send().await?;
        ensure!(answer.status().is_success(), "Alertmanager refuses: {}", answer.status());
        let last = sink.last(LAST_WITHIN).await? - begun;
        if round >= WARM_UP {
            lasts.push(last);
        }
        tokio::time::sleep(PAUSE).await;
    }
    let (resident, _) = memory_mib(process.id().context("Alertmanager has ended")?)?;
    process.kill().await?;
    Ok((lasts, resident))
}

async fn ready(client: &reqwest::Client, base: &str) -> Result<()> {
    let url = format!("{base}/-/ready");
    let answers = async {
        loop {
            match client.get(&url).send().await {
                Ok(answer) if answer.status().is_success() => return,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    tokio::time::timeout(READY_WITHIN, answers).await.context("Alertmanager is not ready")
}
