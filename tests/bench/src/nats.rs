//! Over NATS: intake, alerting, fan-out and audit as four processes of the real binary, and a
//! nats-server of our own that syncs before it acknowledges, on the disk as it is.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use async_nats::jetstream;
use event_log_nats::testing::NatsServer;
use serde_json::json;
use support::Keng;

use crate::{
    alert::{COMMUNES, raise, write_groups},
    child::Served,
    embedded::FEW,
    report::{Row, Target, median_ms},
    sink::Sink,
};

const LAST_WITHIN: Duration = Duration::from_secs(60);
/// Longer than receipts wait.
const PAUSE: Duration = Duration::from_millis(250);
const WARM_UP: usize = 3;
/// As fan-out has by default.
const IN_FLIGHT: usize = 32;

/// Raise → last of 56 groups.
///
/// # Errors
/// A process cannot start, or a group was not reached.
pub async fn reach(rounds: usize, sink: &Sink) -> Result<Row> {
    let broker = NatsServer::start().await?;
    let folder = Arc::new(tempfile::tempdir()?);
    let file = folder.path().join("groups.jsonl");
    write_groups(FEW, sink, &file)?;
    let (url, monitor) = (broker.url(), broker.monitor_url());
    let file = file.display().to_string();
    let common = ["--nats", url.as_str(), "--nats-monitor", monitor.as_str()];
    let with = |more: &[&'static str]| [common.as_slice(), more].concat();
    let start = async |command: &str, options: &[&str]| {
        Keng::start_in(Arc::clone(&folder), command, command, options).await
    };
    let alerting = start("alerting", &with(&[])).await?;
    let intake = start("intake", &[common.as_slice(), &["--groups", &file]].concat()).await?;
    let fan_out = start("fan-out", &with(&["--allow-private-targets"])).await?;
    let audit = start("audit", &with(&[])).await?;
    let client = intake.client("can-bo-do", "commander", Some(COMMUNES[0])).await?;

    let words = ["floors".to_owned()];
    let mut floors = Served::start(tempfile::tempdir()?, &words).await?;
    floors.ask(&json!({ "do": "broker", "url": url })).await?;
    let (mut batches, mut posts, mut lasts) = (Vec::new(), Vec::new(), Vec::new());
    let mut sizes = Vec::new();
    for round in 0..=WARM_UP + rounds {
        if round == 0 {
            sink.keep_next_body();
        }
        sink.begin(FEW);
        let begun = Instant::now();
        raise(&client).await?;
        let last = sink.last(LAST_WITHIN).await? - begun;
        tokio::time::sleep(PAUSE).await;
        if round == 0 {
            floors.aim(&sink.base(), &sink.body()).await?;
            sizes = sizes_of_last(&url).await?;
            continue;
        }
        let order = json!({ "do": "batches", "sizes": sizes });
        let batch = floors.measure(&order).await?;
        sink.begin(FEW + 1);
        let post = floors.posts(FEW + 1, IN_FLIGHT).await?;
        if round > WARM_UP {
            batches.push(batch);
            posts.push(post);
            lasts.push(last);
        }
    }
    floors.end().await?;
    for mut keng in [intake, alerting, fan_out, audit] {
        keng.sigterm(LAST_WITHIN).await?;
    }
    let (batches, posts) = (median_ms(&batches), median_ms(&posts));
    Ok(Row {
        what: format!("raise → last of {FEW} over NATS"),
        disk: "as it is".to_owned(),
        measured: median_ms(&lasts),
        floor_is: format!("3 synced batches {batches:.2} + {} POSTs {posts:.2}", FEW + 1),
        floor: batches + posts,
        unit: "ms",
        target: Target::AtMost(1.5),
        rounds: lasts.len(),
    })
}

/// The sizes of the messages that the last alert has put into the streams: one command, one
/// decision, a plan a commune.
async fn sizes_of_last(url: &str) -> Result<Vec<Vec<usize>>> {
    let context = jetstream::new(async_nats::connect(url).await?);
    let mut sizes = Vec::new();
    for (name, count) in [("CMD", 1), ("ALERT", 1), ("DELIVERY", COMMUNES.len() as u64)] {
        let stream = context.get_stream(name).await?;
        let last = stream.cached_info().state.last_sequence;
        let first = (last + 1).checked_sub(count).context("fewer messages than expected")?;
        let mut batch = Vec::new();
        for sequence in first..=last {
            let message = stream.get_raw_message(sequence).await?;
            let headers = message.headers.iter().map(|(name, values)| {
                let name: &str = name.as_ref();
                values.iter().map(|value| name.len() + value.as_str().len() + 4).sum::<usize>()
            });
            batch.push(message.payload.len() + headers.sum::<usize>());
        }
        sizes.push(batch);
    }
    Ok(sizes)
}
