//! The live stream's ids at another intake over the same broker, and after its restart.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use event_log_nats::testing::NatsServer;
use serde_json::json;
use support::{Client, Event, Stream};
use system::{
    SOON,
    people::{lost_child, text},
    town::{HOME, NEIGHBOUR, Town},
};

/// What the stream tells of an alert with one group: it, the answer, the plan, the receipt.
const OF_ONE: usize = 4;

/// The next events, as many as an alert has, and that all are of this alert.
async fn read(stream: &mut Stream, alert: &str) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    while events.len() < OF_ONE {
        let event = stream.next(SOON).await.with_context(|| format!("{alert}: {events:#?}"))?;
        if event.kind == "heartbeat" {
            continue;
        }
        let told = event.json();
        let of = if event.kind == "alert" { text(&told, "/id") } else { text(&told, "/alert") };
        ensure!(of == alert, "not of {alert}, or told again: {event:#?}");
        events.push(event);
    }
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let counts = ["alert", "answer", "delivery"]
        .map(|kind| kinds.iter().filter(|told| **told == kind).count());
    ensure!(counts == [1, 1, 2], "{events:#?}");
    Ok(events)
}

#[tokio::test]
async fn who_comes_back_to_another_intake_misses_nothing() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let nats = NatsServer::start().await?;
    let (url, monitor) = (nats.url(), nats.monitor_url());
    let options = ["--nats", url.as_str(), "--nats-monitor", &monitor];
    let keng = town.up(&options).await?;
    let mut other = town.server("intake-2", "intake", &options).await?;
    let token = keng.token("an", "officer", Some(HOME)).await?;
    let an = Client::new(keng.http())?.with_token(&token);
    let binh = keng.client("binh", "officer", Some(NEIGHBOUR)).await?;
    let raise = async |what: &str| -> Result<String> {
        let raised = an.raise(&lost_child(what), what).await?.expect(201)?;
        let alert = raised.text_at("/id").to_owned();
        binh.act(&alert, "acknowledge", &json!({}), what).await?.expect(200)?;
        Ok(alert)
    };

    let mut here = an.stream(HOME, None).await?;
    let mut there = an.clone().at(other.http()).stream(HOME, None).await?;
    let first = raise("one").await?;
    let events = read(&mut here, &first).await?;
    read(&mut there, &first).await?;
    let last = events.last().context("no event")?.id.clone();
    let second = raise("two").await?;
    read(&mut here, &second).await?;
    read(&mut there, &second).await?;

    // At the other intake, which has told nobody of the first alert under this id.
    let mut stream = an.clone().at(other.http()).stream(HOME, Some(&last)).await?;
    let at_other = read(&mut stream, &second).await?;
    let middle = at_other.first().context("no event")?.id.clone();
    other.restart().await?;
    ensure!(stream.next(SOON).await.is_err(), "its connection was cut");
    let mut stream = an.clone().at(other.http()).stream(HOME, Some(&last)).await?;
    read(&mut stream, &second).await?;
    let live = raise("three").await?;
    read(&mut stream, &live).await?;
    read(&mut here, &live).await?;
    // And back at the first, from the middle of what the other told.
    let mut stream = an.stream(HOME, Some(&middle)).await?;
    let mut left = BTreeMap::from([(second, OF_ONE - 1), (live, OF_ONE)]);
    while left.values().any(|count| *count > 0) {
        let event = stream.next(SOON).await.with_context(|| format!("{left:#?}"))?;
        for (alert, count) in &mut left {
            if event.data.contains(alert.as_str()) {
                *count = count.checked_sub(1).with_context(|| format!("again: {event:#?}"))?;
            }
        }
    }
    let refused = an.stream(HOME, Some("yesterday")).await.err().context("not refused")?;
    ensure!(format!("{refused:#}").contains("Last-Event-ID"), "{refused:#}");
    Ok(())
}
