//! A slip in the environment, or an address of a broker that can be none, ends a server with 64
//! before any port is bound; a client command says so, and goes on.

use std::{
    net::TcpListener,
    process::{Output, Stdio},
};

use anyhow::{Result, bail, ensure};
use support::child::binary;
use system::SOON;
use tokio::process::Command;

/// Runs `keng ARGUMENTS…` to its end, with these variables and none other of ours.
async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Output> {
    let mut command = Command::new(binary()?);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KENG_")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables.iter().copied()).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match tokio::time::timeout(SOON, command.output()).await {
        Ok(output) => Ok(output?),
        Err(_) => bail!("keng {arguments:?} did not end: it went on with {variables:?}"),
    }
}

/// A server on ports that are taken: who tried to bind them would end with 1.
async fn refused(variables: &[(&str, &str)], options: &[&str], words: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data").display().to_string();
    let taken = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    let [http, grpc] = taken.each_ref().map(|port| port.local_addr().map(|at| at.to_string()));
    let (http, grpc) = (http?, grpc?);
    for command in ["up", "intake", "audit"] {
        let at = [command, "--data", &data, "--http", &http, "--grpc", &grpc];
        let output = run(&[&at, options].concat(), variables).await?;
        let why = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        ensure!(code == Some(64), "{command} {variables:?} ended with {code:?}: {why}");
        ensure!(output.stdout.is_empty(), "{command} answered");
        for word in words {
            ensure!(why.contains(word), "{command} {variables:?}: no `{word}` in: {why}");
        }
        ensure!(!why.contains("secret"), "{command} {variables:?} repeats a password: {why}");
    }
    ensure!(!folder.path().join("data").exists(), "a wrong configuration leaves nothing behind");
    Ok(())
}

#[tokio::test]
async fn a_variable_that_nothing_reads_is_named_with_what_was_meant() -> Result<()> {
    let broker = ["--nats", "nats://127.0.0.1:1"];
    refused(&[("KENG_HTP", "127.0.0.1:1")], &broker, &["KENG_HTP", "KENG_HTTP"]).await?;
    let slips = [("KENG_GROUP", "secret"), ("KENG_LOG_FORMATS", "json")];
    let words = ["KENG_GROUP;", "KENG_GROUPS", "KENG_LOG_FORMATS;", "KENG_LOG_FORMAT\n"];
    refused(&slips, &broker, &words).await
}

#[tokio::test]
async fn a_client_command_only_warns_of_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let map = folder.path().join("map.jsonl");
    let commune = serde_json::json!({
        "code": "25126", "name": "Đạ Tẻh", "type": "xã", "province_code": "68",
        "province": "Lâm Đồng", "lat": 11.58, "lon": 107.45, "area_geo_km2": 100.0,
        "neighbours": [],
    });
    std::fs::write(&map, format!("{commune}\n"))?;
    let map = map.display().to_string();
    let slip = [("KENG_SERVERS", "http://127.0.0.1:1")];
    let output = run(&["registry", "check", &map], &slip).await?;
    let why = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && !output.stdout.is_empty(), "{:?} {why}", output.status);
    ensure!(why.contains("KENG_SERVERS;") && why.contains("KENG_SERVER "), "{why}");
    let known = [("KENG_SERVER", "http://127.0.0.1:1"), ("KENG_BIN", "keng")];
    let output = run(&["registry", "check", &map], &known).await?;
    ensure!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn an_address_that_leads_to_no_broker_is_refused_at_once() -> Result<()> {
    for wrong in [
        "http://b:4222",
        "nats://:4222",
        "nats://u:secret@b:0",
        "nats://u:secret@b:4222222",
        "nats://u:secret@b:port",
    ] {
        let words = ["--nats", "nats://HOST:PORT"];
        refused(&[], &["--nats", wrong], &words).await?;
        refused(&[("KENG_NATS", wrong)], &[], &words).await?;
    }
    Ok(())
}
