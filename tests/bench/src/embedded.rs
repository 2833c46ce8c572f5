//! The embedded log: raise → accepted, raise → last group, concurrent raises, memory; on the disk
//! as it is, and with each sync delayed as an ordinary disk would.
//!
//! Floors and measures take turns, round by round, so that both see the same noise.

use std::time::{Duration, Instant};

use anyhow::Result;
use support::Client;
use tokio::task::JoinSet;

use crate::{
    alert::{COMMUNES, raise, write_groups},
    child::{Served, Setting},
    report::{Row, Target, median_ms},
    sink::Sink,
};

/// The disk that syncs in about 4 ms.
pub const ORDINARY: Duration = Duration::from_millis(4);
/// The size of the small alert: 7 communes of 8 groups.
pub const FEW: usize = 56;
/// The size of the large one.
pub const MANY: usize = 4_500;

const LAST_WITHIN: Duration = Duration::from_secs(60);
const CLIENTS: usize = 64;
const CONCURRENT_FOR: Duration = Duration::from_secs(4);

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// How many groups.
    pub groups: usize,
    /// Rounds that count.
    pub rounds: usize,
    /// Rounds that do not.
    pub warm_up: usize,
    /// Deliveries, and bare POSTs, in flight.
    pub in_flight: usize,
    /// Each sync takes so much longer.
    pub sync_delay: Duration,
}

/// The times of a load, round by round.
#[derive(Debug, Default, Clone)]
pub struct Times {
    append: Vec<Duration>,
    post: Vec<Duration>,
    posts: Vec<Duration>,
    accepted: Vec<Duration>,
    /// Raise → last group.
    pub last: Vec<Duration>,
    /// The server's processor time from the raise to the last group, and all that follows.
    cpu_raise: Vec<(Duration, Duration)>,
    /// Its processor time for the bare POSTs.
    cpu_posts: Vec<Duration>,
    /// Resident after the first alert, at the end, and at most, in MiB.
    memory_mib: [f64; 3],
}

/// A disk, in words.
#[must_use]
pub fn disk(sync_delay: Duration) -> String {
    if sync_delay.is_zero() { "as it is".to_owned() } else { format!("sync +{sync_delay:?}") }
}

/// A server over these groups in a child.
///
/// # Errors
/// It cannot start.
pub async fn server(load: &Load, sink: &Sink) -> Result<Served> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("groups.jsonl");
    write_groups(load.groups, sink, &file)?;
    let setting = Setting {
        groups: &file,
        communes: &COMMUNES[..1],
        channels: None,
        in_flight: load.in_flight,
        sync_delay: load.sync_delay,
    };
    Served::server(dir, &setting).await
}

/// Rounds of: one append, one POST, all POSTs, one raise to all groups.
///
/// # Errors
/// A group was not reached: then there is no figure.
pub async fn reach(load: &Load, sink: &Sink) -> Result<Times> {
    let mut server = server(load, sink).await?;
    let client = server.client(0)?;
    let mut times = Times::default();
    // Longer than receipts wait, and than the audit takes behind the doors.
    let pause = Duration::from_millis(200 + load.groups as u64 / 6);
    for round in 0..=load.warm_up + load.rounds {
        if round == 0 {
            sink.keep_next_body();
        }
        sink.begin(load.groups);
        let cpu = server.cpu()?;
        let begun = Instant::now();
        let accepted = raise(&client).await?;
        let last = sink.last(LAST_WITHIN).await?;
        let cpu_last = server.cpu()?;
        tokio::time::sleep(pause).await;
        let cpu_end = server.cpu()?;
        if round == 0 {
            server.aim(&sink.base(), &sink.body()).await?;
            let first = server.memory_mib()?.0;
            times.memory_mib = [first; 3];
            continue;
        }
        let append = server.append().await?;
        sink.begin(1);
        let post = server.posts(1, load.in_flight).await?;
        sink.begin(load.groups + 1);
        let cpu_posts = server.cpu()?;
        let posts = server.posts(load.groups + 1, load.in_flight).await?;
        if round > load.warm_up {
            times.cpu_posts.push(server.cpu()?.saturating_sub(cpu_posts));
            times.cpu_raise.push((cpu_last.saturating_sub(cpu), cpu_end.saturating_sub(cpu)));
            times.append.push(append);
            times.post.push(post);
            times.posts.push(posts);
            times.accepted.push(accepted - begun);
            times.last.push(last - begun);
        }
    }
    let (resident, most) = server.memory_mib()?;
    let [first, ..] = times.memory_mib;
    times.memory_mib = [first, resident, most];
    let what = format!("{} groups, disk {}", load.groups, disk(load.sync_delay));
    tell_stages(&client, &what).await?;
    tell_cpu(&times, &what);
    Ok(times)
}

/// What the server has computed for a raise, beside what it does for bare POSTs.
#[allow(clippy::print_stdout, reason = "a program for a person at a terminal")]
fn tell_cpu(times: &Times, what: &str) {
    let (last, all): (Vec<_>, Vec<_>) = times.cpu_raise.iter().copied().unzip();
    println!(
        "  the server's processor time, {what}: raise to last {:.2} ms, with what follows \
         {:.2} ms; the bare POSTs {:.2} ms",
        median_ms(&last),
        median_ms(&all),
        median_ms(&times.cpu_posts),
    );
}

/// Where the time went, by the server's own histograms.
///
/// # Errors
/// The server does not answer.
#[allow(clippy::print_stdout, reason = "a program for a person at a terminal")]
pub async fn tell_stages(client: &Client, what: &str) -> Result<()> {
    let metrics = client.get("/metrics").await?.text;
    let figure = |name: &str, stage: &str| -> f64 {
        let wanted = format!("keng_stage_seconds_{name}{{stage=\"{stage}\"}}");
        let line = metrics.lines().find_map(|line| line.strip_prefix(wanted.as_str()));
        line.and_then(|line| line.trim().parse().ok()).unwrap_or_default()
    };
    let stages = ["accepted", "decided", "planned", "delivered"].map(|stage| {
        let (sum, count) = (figure("sum", stage), figure("count", stage).max(1.0));
        format!("{stage} {:.2} ms", sum / count * 1_000.0)
    });
    println!("  means of the server's own stages, {what}: {}", stages.join(", "));
    Ok(())
}

/// Accepted, and the last of the groups; with `limit` times the floor for the latter.
#[must_use]
pub fn rows(load: &Load, times: &Times, limit: f64) -> Vec<Row> {
    let (append, post) = (median_ms(&times.append), median_ms(&times.post));
    let posts = median_ms(&times.posts);
    let disk = disk(load.sync_delay);
    let row = |what: String, measured: f64, floor_is: String, floor: f64, target: Target| Row {
        what,
        disk: disk.clone(),
        measured,
        floor_is,
        floor,
        unit: "ms",
        target,
        rounds: times.last.len(),
    };
    let groups = load.groups;
    let accepted = median_ms(&times.accepted);
    let of_accepted = if groups == FEW { Target::AtMost(1.5) } else { Target::Shown };
    let (one, all) = (
        format!("an append {append:.2} + a POST {post:.2}"),
        format!("an append {append:.2} + {} POSTs {posts:.2}", groups + 1),
    );
    let [first, resident, most] = times.memory_mib;
    let mut rows = vec![
        row(
            format!("raise → accepted, {groups} groups"),
            accepted,
            one,
            append + post,
            of_accepted,
        ),
        row(
            format!("raise → last of {groups}, {} in flight", load.in_flight),
            median_ms(&times.last),
            all,
            append + posts,
            Target::AtMost(limit),
        ),
    ];
    if groups == MANY {
        rows.push(Row {
            what: format!(
                "resident memory, {groups} groups (after one alert {first:.0}, at most {most:.0})"
            ),
            unit: "MiB",
            ..row(String::new(), resident, "the limit".to_owned(), 80.0, Target::AtMost(1.0))
        });
    }
    rows
}

/// Many officers raise at once, over a disk that syncs in 4 ms.
///
/// # Errors
/// A raise was not accepted.
pub async fn concurrent(sink: &Sink) -> Result<Row> {
    let load = Load { groups: 0, rounds: 0, warm_up: 0, in_flight: 32, sync_delay: ORDINARY };
    let mut server = server(&load, sink).await?;
    let client = server.client(0)?;
    let mut appends = Vec::new();
    for _ in 0..50 {
        appends.push(server.append().await?);
    }
    raise_for(&client, CONCURRENT_FOR / 4).await?;
    let (raised, took) = raise_for(&client, CONCURRENT_FOR).await?;
    for _ in 0..50 {
        appends.push(server.append().await?);
    }
    tell_stages(&client, &format!("{CLIENTS} clients, disk {}", disk(ORDINARY))).await?;
    server.end().await?;
    Ok(Row {
        what: format!("raises of {CLIENTS} clients"),
        disk: disk(ORDINARY),
        measured: raised as f64 / took.as_secs_f64(),
        floor_is: "single synced appends".to_owned(),
        floor: 1_000.0 / median_ms(&appends),
        unit: "/s",
        target: Target::AtLeast(5.0),
        rounds: raised,
    })
}

/// How many raises were accepted, and in which time.
async fn raise_for(client: &Client, time: Duration) -> Result<(usize, Duration)> {
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = client.clone();
        clients.spawn(async move {
            let mut raised = 0;
            while begun.elapsed() < time {
                raise(&client).await?;
                raised += 1;
            }
            anyhow::Ok(raised)
        });
    }
    let mut raised = 0;
    while let Some(one) = clients.join_next().await {
        raised += one??;
    }
    Ok((raised, begun.elapsed()))
}
