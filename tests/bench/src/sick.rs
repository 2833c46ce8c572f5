//! The sick: 4,500 groups, of which one in a hundred answers after five seconds, one answers 500,
//! and one takes the call and cuts the connection; how fast are all the others reached?
//!
//! Two servers, one with the healthy groups alone, in turns; the one that is not measured stands
//! still. Retries of earlier rounds go on in the rounds that follow, as they do in life.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::{
    alert::{COMMUNES, Called, near, raise, write},
    child::{Served, Setting},
    embedded::MANY,
    report::{Row, Target, median_ms},
    sink::{Ailment, Sink},
};

const LAST_WITHIN: Duration = Duration::from_secs(60);
const WARM_UP: usize = 2;
/// Whoever stood still does first what is due.
const SETTLE: Duration = Duration::from_millis(300);
/// Longer than receipts wait, and than the audit takes behind the doors.
const PAUSE: Duration = Duration::from_millis(950);
/// One in so many is slow, one fails, and one cuts, at these places: spread over all communes, and
/// over each from its first group to its last.
const ONE_IN: usize = 100;
const PLACES: [usize; 3] = [13, 47, 83];
const SICK: usize = MANY / ONE_IN * PLACES.len();
const HEALTHY: usize = MANY - SICK;

fn ailment(group: usize) -> Option<Ailment> {
    let place = PLACES.iter().position(|place| *place == group % ONE_IN)?;
    Ailment::ALL.get(place).copied()
}

/// The healthy groups, with the sick ones or without.
async fn server(with_sick: bool, in_flight: usize, sink: &Sink) -> Result<Served> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("groups.jsonl");
    let called = near(0..MANY).filter_map(|(group, commune)| {
        let url = match ailment(group) {
            None => sink.url(group),
            Some(ailment) if with_sick => sink.sick_url(group, ailment),
            Some(_) => return None,
        };
        Some(Called { group, commune, url })
    });
    write(called, &file)?;
    let setting = Setting {
        groups: &file,
        communes: &COMMUNES[..1],
        channels: None,
        in_flight,
        sync_delay: Duration::ZERO,
    };
    Served::server(dir, &setting).await
}

/// Raise → last of the healthy.
///
/// # Errors
/// A healthy group was not reached, or a sick one was not called: then there is no figure.
pub async fn reach(rounds: usize, in_flight: usize, sink: &Sink) -> Result<Vec<Row>> {
    let without = server(false, in_flight, sink).await?;
    let with = server(true, in_flight, sink).await?;
    with.pause()?;
    without.pause()?;
    let (mut healthy, mut all) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP + rounds {
        let alone = one(&without, sink).await?;
        let before = sink.calls().1;
        let among = one(&with, sink).await?;
        ensure!(sink.calls().1 >= before + SICK, "not all of the sick were called");
        if round >= WARM_UP {
            healthy.push(alone);
            all.push(among);
        }
    }
    let ((floor, _), (resident, most)) = (without.memory_mib()?, with.memory_mib()?);
    with.go_on()?;
    without.go_on()?;
    let rounds = all.len();
    let row = |what: String, unit, measured, floor_is: &str, floor, target| Row {
        what,
        disk: "as it is".to_owned(),
        measured,
        floor_is: floor_is.to_owned(),
        floor,
        unit,
        target,
        rounds,
    };
    let (last, floor_last) = (median_ms(&all), median_ms(&healthy));
    let reached = format!("raise → last healthy of {MANY}, {SICK} of them sick");
    let memory = format!("resident memory with {SICK} sick (at most {most:.0})");
    let alone = format!("the {HEALTHY} healthy alone");
    Ok(vec![
        row(reached, "ms", last, &alone, floor_last, Target::AtMost(1.5)),
        row(memory, "MiB", resident, &alone, floor, Target::Shown),
    ])
}

/// One alert at one of the servers, while the other stands still.
async fn one(server: &Served, sink: &Sink) -> Result<Duration> {
    server.go_on()?;
    tokio::time::sleep(SETTLE).await;
    let client = server.client(0)?;
    sink.begin(HEALTHY);
    let begun = Instant::now();
    raise(&client).await?;
    let last = sink.last(LAST_WITHIN).await? - begun;
    tokio::time::sleep(PAUSE).await;
    server.pause()?;
    Ok(last)
}
