//! Doors: nothing is answered, told or streamed before what it shows is on disk, however slow the
//! disk is. The disk stands still here, and reaches one record after the other.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use acceptance::{
    Person, SlowDisk, Timeline, group, maps::HOANG_THINH, people::open_stream, posted,
    timeline::WITHIN,
};
use anyhow::{Context, Result, bail, ensure};
use event_log::{Class, Position};
use futures::future::{FutureExt, LocalBoxFuture, join_all, select_all};
use serde_json::json;
use support::{Answer, Sink};
use tokio::time::timeout;

const HERE: &str = "15958";
const NEIGHBOUR: &str = "15925";
/// Nothing waits for anything but the disk by then: what comes at all has come.
const LITTLE: Duration = Duration::from_millis(120);

/// Where the newest record of a class stands.
fn newest(day: &Timeline, class: Class) -> Result<Position> {
    let records = day.log().records();
    let of_class = records.iter().rev().find(|recorded| recorded.key.class == class);
    Ok(of_class.with_context(|| format!("no record of {class:?}"))?.position)
}

/// Goes on with what waits until the log has a newer record of this class than `than`.
async fn while_it_waits<T>(
    day: &Timeline,
    waiting: &mut (impl Future<Output = Result<T>> + Unpin),
    (class, than): (Class, Position),
) -> Result<Position> {
    let recorded = day.until("a record", |_| newest(day, class).is_ok_and(|at| at > than));
    tokio::select! {
        _ = waiting => bail!("it was answered before {class:?} was on disk"),
        recorded = recorded => recorded?,
    }
    newest(day, class)
}

/// Nothing is answered, and nobody is called, for as long as the disk stands.
async fn all_stay_shut<T>(
    day: &Timeline,
    waiting: &mut (impl Future<Output = T> + Unpin),
    calls: usize,
) -> Result<()> {
    let call = day.sink()?.wait_for(calls + 1, WITHIN);
    let opened = async {
        tokio::select! {
            _ = waiting => "an answer",
            _ = call => "a call",
        }
    };
    match timeout(LITTLE, opened).await {
        Ok(what) => bail!("{what} came before the disk had it"),
        Err(_) => Ok(()),
    }
}

async fn morning() -> Result<(Timeline, Person)> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE), group("g-2", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    Ok((day, an))
}

#[tokio::test]
async fn the_officer_waits_for_the_decision_and_the_groups_for_their_plan() -> Result<()> {
    let (day, an) = morning().await?;
    let lost = day.alert_of("lost-child", HERE, "20:00")?;
    let before = newest(&day, Class::Alert)?;
    day.log().hold_durability();
    let mut raise = day.raise(&an, &lost).boxed_local();
    let command = while_it_waits(&day, &mut raise, (Class::Command, before)).await?;
    let decision = while_it_waits(&day, &mut raise, (Class::Alert, command)).await?;
    let plan = while_it_waits(&day, &mut raise, (Class::Delivery, decision)).await?;

    for position in [command - 1, command, decision - 1] {
        day.log().make_durable_up_to(position);
        all_stay_shut(&day, &mut raise, 0).await?;
    }
    day.log().make_durable_up_to(decision);
    let raised = timeout(WITHIN, raise).await??.expect(201)?;
    assert_eq!(raised.text_at("/state"), "active");
    // The plan is the record of the first attempt: nobody is called before it is there.
    all_stay_shut(&day, &mut std::future::pending::<()>(), 0).await?;
    day.log().make_durable_up_to(plan);
    day.sink()?.wait_for(1, WITHIN).await?;
    day.log().release_durability();
    day.expect(posted("g-1", &["issued"])).await?;
    day.expect(posted("g-2", &["issued"])).await?;
    day.ends().await
}

/// Asks again and again until the answer shows the end: one that does not may come at any time,
/// since it shows nothing but what is on disk.
async fn until_it_shows_the_end(ask: impl AsyncFn() -> Result<Answer>) -> Result<()> {
    while !ask().await?.expect(200)?.text.contains("cancelled") {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[tokio::test]
async fn whoever_looks_sees_the_end_only_when_it_is_on_disk() -> Result<()> {
    let (day, an) = morning().await?;
    let binh = day.officer("binh", NEIGHBOUR).await?;
    let nobody = Person::with_token("");
    let lost = day.alert_of("lost-child", HERE, "20:00")?;
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let (alert, code) = (raised.text_at("/id"), raised.text_at("/code"));
    day.settle().await?;
    let calls = day.calls().len();
    let mut stream = open_stream(day.routes(), &binh, NEIGHBOUR, None).await?;

    day.log().hold_durability();
    let before = day.log().records().len() as Position;
    let note = json!({ "note": "Báo nhầm." });
    let mut cancelling = day.act(&an, alert, "cancel", &note).boxed_local();
    let decision = while_it_waits(&day, &mut cancelling, (Class::Alert, before)).await?;
    let (one, verify) = (format!("/v1/alerts/{alert}"), format!("/v1/verify/{code}"));
    // Every way to learn of it: the answer, a repeat of what is so already, one alert, all of
    // them, its code, and the stream.
    let doors: Vec<LocalBoxFuture<'_, Result<()>>> = vec![
        cancelling.map(|answer| answer?.expect(200).map(drop)).boxed_local(),
        until_it_shows_the_end(async || day.act(&an, alert, "cancel", &json!({})).await)
            .boxed_local(),
        until_it_shows_the_end(async || day.get(&an, &one).await).boxed_local(),
        until_it_shows_the_end(async || day.get(&binh, &one).await).boxed_local(),
        until_it_shows_the_end(async || day.get(&binh, "/v1/alerts").await).boxed_local(),
        until_it_shows_the_end(async || day.get(&nobody, &verify).await).boxed_local(),
        async { stream.wait_for(WITHIN, |told| told.data.contains("cancelled")).await.map(drop) }
            .boxed_local(),
    ];
    let mut doors = select_all(doors);
    all_stay_shut(&day, &mut doors, calls).await?;
    day.log().make_durable_up_to(decision - 1);
    all_stay_shut(&day, &mut doors, calls).await?;
    day.log().release_durability();
    let opened = timeout(WITHIN, join_all(doors.into_inner())).await?;
    opened.into_iter().collect::<Result<()>>()?;
    day.expect(posted("g-1", &["issued", "cancelled"])).await?;
    day.ends().await
}

/// Longer than anything here takes that does not wait for the disk.
const SYNC: Duration = Duration::from_millis(150);

#[tokio::test]
async fn on_a_real_journal_nobody_is_faster_than_its_sync() -> Result<()> {
    let sink = Sink::start().await?;
    let group = group("g-1", HERE).to_json(&sink.url(""));
    let slow = SlowDisk::start(HOANG_THINH, &format!("{group}\n"), SYNC).await?;
    let (an, binh) = (slow.officer("an", HERE).await?, slow.officer("binh", NEIGHBOUR).await?);
    let lost = json!({
        "kind": "lost-child", "status": "actual", "commune": HERE, "headline": "Tìm cháu bé",
        "last_seen": { "place": "chợ" }, "person": { "age": 4 },
        "expires": "2025-04-13T20:00:00+07:00", "reach": { "mode": "auto" },
    });
    let began = Instant::now();
    let raised = slow.post(&an, "/v1/alerts", &lost).await?.expect(201)?;
    ensure!(began.elapsed() >= SYNC, "it was accepted after {:?}", began.elapsed());
    let calls = sink.wait_for(1, WITHIN).await?;
    ensure!(calls[0].at - began >= SYNC, "it was called after {:?}", calls[0].at - began);

    let alert = format!("/v1/alerts/{}", raised.text_at("/id"));
    for (n, (person, action)) in [(&binh, "acknowledge"), (&an, "resolve")].into_iter().enumerate()
    {
        let began = Instant::now();
        slow.post(person, &format!("{alert}/{action}"), &json!({})).await?.expect(200)?;
        ensure!(began.elapsed() >= SYNC, "{n}: {action} took {:?}", began.elapsed());
        if action == "resolve" {
            let calls = sink.wait_for(2, WITHIN).await?;
            ensure!(calls[1].at - began >= SYNC, "it was called after {:?}", calls[1].at - began);
        }
    }
    slow.ends().await
}
