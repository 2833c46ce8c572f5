//! The flood: news at ten times of what may leave, and what it does to the latencies of an alert
//! where a life may hang on it.
//!
//! Two servers that are set the same, one flooded, in turns; the one that is not measured stands
//! still, and the one that is measured is kept awake: otherwise the flood would be the faster one.
//! What the flood leaves behind stays, and grows from pair to pair.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Result;
use support::Client;
use tokio::{sync::oneshot, task::JoinSet, time::MissedTickBehavior};

use crate::{
    alert::{COMMUNES, Called, FAR_AWAY, near, notice, put, raise, write},
    child::{Served, Setting},
    embedded::{FEW, tell_stages},
    report::{Row, Target, median_ms},
    sink::Sink,
};

/// News ask for so many times of what may leave.
const TIMES: u32 = 10;
/// Groups of the far commune, which each notice is for.
const FAR: u32 = 400;
/// The flood comes first: what was saved up of the rate is used up when alerts are measured.
const LEAD: Duration = Duration::from_secs(2);
/// Alerts of one half of a pair, each to 56 groups.
const ALERTS: u32 = 6;
/// Of what may leave, alerts take so much; 30 % are held back for them.
const ALERTS_PERCENT: u32 = 25;
/// The golden section, by which alerts meet the flood at ever other moments of it.
const SECTION: f64 = 0.618_034;
/// How often whoever is measured is asked whether it lives: a machine that sleeps between alerts
/// is slower at each than one that never does.
const AWAKE_EVERY: Duration = Duration::from_millis(2);
const LAST_WITHIN: Duration = Duration::from_secs(60);
/// Longer than receipts wait.
const PAUSE: Duration = Duration::from_millis(250);

/// How the load is set.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// A flooded and a quiet half each.
    pub pairs: usize,
    /// What may leave a minute.
    pub per_minute: u32,
    /// Deliveries in flight.
    pub in_flight: usize,
}

impl Load {
    /// From one notice to the next: at 6,000 a minute, 400 deliveries every 0.4 s are 1,000 a
    /// second, where 100 may leave.
    fn notice_every(&self) -> Duration {
        Duration::from_secs(u64::from(FAR) * 60) / (self.per_minute * TIMES)
    }

    /// From one alert to the next.
    fn alert_every(&self) -> Duration {
        Duration::from_secs(FEW as u64 * 60 * 100) / (self.per_minute * ALERTS_PERCENT)
    }
}

/// The groups that alerts are told, and those of the far commune, which have a sink of their own.
async fn server(load: &Load, sink: &Sink, far: &Sink) -> Result<Served> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("groups.jsonl");
    let alerted = near(0..FEW).map(|of| (of, sink));
    let told = (FEW..FEW + FAR as usize).map(|group| ((group, FAR_AWAY), far));
    let called = alerted.chain(told);
    let called = called.map(|((group, commune), at)| Called { group, commune, url: at.url(group) });
    write(called, &file)?;
    let channels = dir.path().join("channels.toml");
    let per_minute = load.per_minute;
    fs::write(&channels, format!("[any]\ntype = \"webhook\"\nper-minute = {per_minute}\n"))?;
    let setting = Setting {
        groups: &file,
        communes: &[COMMUNES[0], FAR_AWAY],
        channels: Some(&channels),
        in_flight: load.in_flight,
        sync_delay: Duration::ZERO,
    };
    Served::server(dir, &setting).await
}

/// An alert's p99 in the flood, beside the same without.
///
/// # Errors
/// A group was not reached, or something was not accepted: then there is no figure.
#[allow(clippy::print_stdout, reason = "a program for a person at a terminal")]
pub async fn reach(load: &Load, sink: &Sink) -> Result<Vec<Row>> {
    let far = Sink::start().await?;
    let quiet = server(load, sink, &far).await?;
    let flooded = server(load, sink, &far).await?;
    quiet.pause()?;
    flooded.pause()?;
    let (mut with, mut without, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut raised, mut p99s) = (0, (Vec::new(), Vec::new()));
    // The first pair warms up: it does not count, and it has no flood.
    for pair in 0..=load.pairs {
        let news = (pair > 0).then_some(&far);
        let (in_flood, told) = half(&flooded, load, sink, (pair, news)).await?;
        let (alone, _) = half(&quiet, load, sink, (pair, None)).await?;
        raised += told.notices;
        if pair == 0 {
            continue;
        }
        let (high, low) = (p99(&in_flood), p99(&alone));
        ratios.push(high.as_secs_f64() / low.as_secs_f64());
        println!(
            "  pair {pair:2}: p99 {:6.2} ms in the flood, {:6.2} ms without: {:.2}; of the news \
             {:.0}/s asked for, {:.0}/s told, {} wait",
            ms(high),
            ms(low),
            high.as_secs_f64() / low.as_secs_f64(),
            told.asked_per_s,
            told.told_per_s,
            (raised * FAR as usize).saturating_sub(far.calls().0),
        );
        p99s.0.push(high);
        p99s.1.push(low);
        with.extend(in_flood);
        without.extend(alone);
    }
    for (server, what) in [(&flooded, "in the flood"), (&quiet, "without")] {
        server.go_on()?;
        tell_stages(&server.client(0)?, what).await?;
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let ratio = ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN);
    let row = |what: &str, unit, measured, floor_is: &str, floor, target| Row {
        what: what.to_owned(),
        disk: "as it is".to_owned(),
        measured,
        floor_is: floor_is.to_owned(),
        floor,
        unit,
        target,
        rounds: ratios.len(),
    };
    let p99_of = |times: &[Duration]| ms(p99(times));
    let per_minute = load.per_minute;
    let each = format!("p99 of alerts to {FEW}, news at {TIMES} × {per_minute} a minute");
    let all = format!("p99 of all {} deliveries in the flood", with.len());
    let half = format!("median of all {} deliveries in the flood", with.len());
    let (flooded, quiet) = (flooded.memory_mib()?.0, quiet.memory_mib()?.0);
    let (highs, lows) = p99s;
    let alone = "without the flood";
    let of_pairs = "without the flood; the median of the pairs";
    Ok(vec![
        row(&each, "×", ratio, of_pairs, 1.0, Target::AtMost(1.2)),
        row("the medians of these p99s", "ms", median_ms(&highs), alone, median_ms(&lows), SHOWN),
        row(&all, "ms", p99_of(&with), alone, p99_of(&without), SHOWN),
        row(&half, "ms", median_ms(&with), alone, median_ms(&without), SHOWN),
        row("resident memory after the flood", "MiB", flooded, alone, quiet, SHOWN),
    ])
}

const SHOWN: Target = Target::Shown;

/// What became of the news in one half of a pair.
#[derive(Default)]
struct News {
    notices: usize,
    asked_per_s: f64,
    told_per_s: f64,
}

/// One server goes on, is alerted again and again, and stands still.
async fn half(
    server: &Served,
    load: &Load,
    sink: &Sink,
    (pair, news): (usize, Option<&Sink>),
) -> Result<(Vec<Duration>, News)> {
    server.go_on()?;
    let Some(far) = news else {
        tokio::time::sleep(LEAD).await;
        let times = alerts(server, load, sink, pair).await?;
        tokio::time::sleep(PAUSE).await;
        server.pause()?;
        return Ok((times, News::default()));
    };
    let (enough, until) = oneshot::channel();
    let flood = tokio::spawn(flood(server.client(1)?, load.notice_every(), until));
    tokio::time::sleep(LEAD).await;
    let (before, begun) = (far.calls().0, Instant::now());
    let times = alerts(server, load, sink, pair).await?;
    let took = begun.elapsed().as_secs_f64();
    let told = far.calls().0 - before;
    // Whoever floods may have ended already, with an error that is told below.
    let _ = enough.send(());
    let notices = flood.await??;
    tokio::time::sleep(PAUSE).await;
    server.pause()?;
    let asked_per_s = (notices * FAR as usize) as f64 / (LEAD.as_secs_f64() + took);
    Ok((times, News { notices, asked_per_s, told_per_s: told as f64 / took }))
}

/// Raises notices at the pace of the flood until it is enough; answers how many were accepted.
async fn flood(client: Client, every: Duration, mut until: oneshot::Receiver<()>) -> Result<usize> {
    let mut every = tokio::time::interval(every);
    let mut raises = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut until => break,
            _ = every.tick() => {
                let client = client.clone();
                raises.spawn(async move { put(&client, &notice()).await });
            }
        }
    }
    let raised = raises.len();
    while let Some(one) = raises.join_next().await {
        one??;
    }
    Ok(raised)
}

/// The latency of each delivery of each alert, from the moment when its raise was sent.
async fn alerts(server: &Served, load: &Load, sink: &Sink, pair: usize) -> Result<Vec<Duration>> {
    let client = server.client(0)?;
    let awake = tokio::spawn(keep_awake(client.clone()));
    let begun = tokio::time::Instant::now();
    let mut times = Vec::new();
    for alert in 0..ALERTS {
        let phase = (f64::from(alert) + pair as f64 * f64::from(ALERTS)) * SECTION;
        let phase = load.notice_every().mul_f64(phase.fract());
        tokio::time::sleep_until(begun + load.alert_every() * alert + phase).await;
        sink.begin(FEW);
        let sent = Instant::now();
        raise(&client).await?;
        sink.last(LAST_WITHIN).await?;
        times.extend(sink.calls_of(0..FEW)?.into_iter().map(|at| at - sent));
    }
    awake.abort();
    Ok(times)
}

/// Asks again and again whether a server lives.
async fn keep_awake(client: Client) {
    let mut every = tokio::time::interval(AWAKE_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // Where it does not answer, alerts will not be accepted either.
    while client.get("/healthz").await.is_ok() {
        every.tick().await;
    }
}

/// The time that one in a hundred exceeds; none of none.
fn p99(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let place = (times.len() * 99).div_ceil(100).saturating_sub(1);
    times.get(place).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p99_is_what_one_in_a_hundred_exceeds() {
        let times: Vec<_> = (1..=336).rev().map(Duration::from_millis).collect();
        assert_eq!(p99(&times), Duration::from_millis(333));
        assert_eq!(p99(&[]), Duration::ZERO);
        assert_eq!(p99(&[Duration::from_millis(7)]), Duration::from_millis(7));
    }

    #[test]
    fn the_flood_asks_for_ten_times_and_alerts_stay_within_their_part() {
        for per_minute in [6_000, 24_000] {
            let load = Load { pairs: 1, per_minute, in_flight: 32 };
            let a_minute = |of: f64, every: Duration| of * 60.0 / every.as_secs_f64();
            let asked = a_minute(f64::from(FAR), load.notice_every());
            assert!((asked / f64::from(per_minute) - 10.0).abs() < 1e-6, "{asked}");
            let alerts = a_minute(FEW as f64, load.alert_every());
            assert!(alerts / f64::from(per_minute) < 0.26, "{alerts}");
        }
    }
}
