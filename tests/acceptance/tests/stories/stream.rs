//! The live stream: who comes back, to whichever intake, gets what was missed and nothing else.

use event_log::Class;
use std::collections::BTreeMap;

use acceptance::{
    Person, Timeline, delivery, group,
    maps::HOANG_THINH,
    people::{ask, open_stream, request},
    timeline::WITHIN,
};
use anyhow::{Context, Result, ensure};
use axum::{Router, body::Body, http::Method};
use serde_json::{Value, json};
use support::{Event, Stream};

const HERE: &str = "15958";
const NEIGHBOUR: &str = "15925";

/// A day with its events as the officer's stream told them.
struct Told {
    day: Timeline,
    an: Person,
    events: Vec<Event>,
    /// The alert that is raised last, and reaches nobody but one group of the own commune.
    last: String,
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What an event is about; of a delivery it is not said how it stood, which may be later.
fn about(event: &Event) -> String {
    let told = event.json();
    match event.kind.as_str() {
        "answer" => format!("{} by {}", text(&told, "/alert"), text(&told, "/commune/code")),
        _ => text(&told, "/id").to_owned(),
    }
}

/// Events of this class, in their order: alerts and answers are of one, deliveries of two.
fn alerts(events: &[Event]) -> Vec<(String, String)> {
    let events = events.iter().filter(|event| event.kind != "delivery");
    events.map(|event| (event.kind.clone(), about(event))).collect()
}

/// How often each delivery was told.
fn deliveries(events: &[Event]) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == "delivery") {
        *count.entry(about(event)).or_default() += 1;
    }
    count
}

/// Reads until everything of the last alert is told: it, the plan of its one delivery, and the
/// receipt. In each class everything before has been told by then.
async fn read(stream: &mut Stream, last: &str, missing: usize) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    let mut left = missing;
    while left > 0 {
        let event = stream.next(WITHIN).await.with_context(|| format!("after {events:#?}"))?;
        let told = event.json();
        left -= usize::from(text(&told, "/id") == last || text(&told, "/alert") == last);
        events.push(event);
    }
    Ok(events)
}

async fn told() -> Result<Told> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE), group("g-2", HERE), group("g-3", NEIGHBOUR)]).await?;
    // Only it takes part in drills.
    day.groups([group("g-4", HERE).exercises(true)]).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", NEIGHBOUR).await?;
    let chi = day.officer("chi", "15964").await?;
    day.at("10:00").await?;
    let mut stream = open_stream(day.routes(), &an, HERE, None).await?;
    let lost = day.alert_of("lost-child", HERE, "20:00")?;
    for _ in 0..2 {
        let raised = day.raise(&an, &lost).await?.expect(201)?;
        let alert = raised.text_at("/id");
        day.act(&binh, alert, "acknowledge", &json!({})).await?.expect(200)?;
        day.settle().await?;
        day.act(&chi, alert, "refuse", &json!({})).await?.expect(200)?;
        day.act(&an, alert, "resolve", &json!({})).await?.expect(200)?;
        day.settle().await?;
    }
    let mut drill = lost.clone();
    drill["status"] = json!("exercise");
    drill["reach"] = json!({ "mode": "rings", "rings": 0 });
    let last = day.raise(&an, &drill).await?.expect(201)?.text_at("/id").to_owned();
    day.expect(delivery(&an, &last, ("g-4", 1), Some("delivered"))).await?;
    let events = read(&mut stream, &last, 3).await?;
    Ok(Told { day, an, events, last })
}

/// Everything behind an event, as its id says it: who breaks off in the middle of what one record
/// told gets the whole of that again, so that its events but the last bear the id before.
fn behind(events: &[Event], at: usize) -> &[Event] {
    let first = events.iter().position(|event| event.id == events[at].id).unwrap_or(at);
    &events[first + 1..]
}

#[tokio::test]
async fn wherever_it_broke_off_it_goes_on_at_any_intake() -> Result<()> {
    let Told { day, an, events, last } = told().await?;
    // Each alert is issued and ended and answered twice; three groups are told of both.
    assert_eq!(alerts(&events).len(), 2 * 4 + 1);
    assert_eq!(deliveries(&events).len(), 2 * 2 * 4 + 1);
    let other = day.instance("other");
    let routes = other.intake();
    other.has_read(&[]).await?;
    for at in 0..events.len() - 1 {
        let wanted = behind(&events, at);
        let missing = wanted.iter().filter(|event| event.data.contains(&last)).count();
        for routes in [day.routes(), &routes] {
            let mut stream = open_stream(routes, &an, HERE, Some(&events[at].id)).await?;
            let seen = read(&mut stream, &last, missing).await?;
            let where_ = || format!("from {at}: {:#?}", events[at]);
            ensure!(alerts(&seen) == alerts(wanted), "{}\n{seen:#?}", where_());
            ensure!(deliveries(&seen) == deliveries(wanted), "{}\n{seen:#?}", where_());
        }
    }
    other.ends().await?;
    day.ends().await
}

#[tokio::test]
async fn what_is_missed_by_all_is_told_after_a_restart_and_then_what_happens() -> Result<()> {
    let Told { day, an, events, last } = told().await?;
    let id = &events.last().context("no events")?.id;
    let other = day.instance("other");
    let before = other.intake();
    other.has_read(&[]).await?;
    let mut stream = open_stream(&before, &an, HERE, Some(id)).await?;
    other.ends().await?;
    ensure!(stream.next(WITHIN).await.is_err(), "an intake that stops ends its streams in order");

    day.act(&an, &last, "resolve", &json!({})).await?.expect(200)?;
    day.expect(delivery(&an, &last, ("g-4", 2), Some("delivered"))).await?;
    let other = day.instance("other");
    let after = other.intake();
    other.has_read(&[]).await?;
    let mut stream = open_stream(&after, &an, HERE, Some(id)).await?;
    let seen = read(&mut stream, &last, 3).await?;
    assert_eq!(alerts(&seen), [("alert".to_owned(), last.clone())]);
    assert_eq!(deliveries(&seen), BTreeMap::from([(format!("{last}:2:g-4:webhook-1"), 2)]));

    let hazard = day.alert_of("hazard", HERE, "20:00")?;
    let live = day.raise_in_force(&an, &hazard).await?.expect(200)?;
    let event = stream.wait_for(WITHIN, |event| event.kind == "alert").await?;
    assert_eq!(about(&event), live.text_at("/id"));
    other.ends().await?;
    day.ends().await
}

async fn refused(routes: &Router, an: &Person, id: &str) -> Result<support::Problem> {
    let asked = request(an, Method::GET, &format!("/v1/stream?commune={HERE}"));
    let asked = asked.header("last-event-id", id).body(Body::empty())?;
    ask(routes, asked).await?.expect(400)?.problem()
}

#[tokio::test]
async fn what_is_no_id_is_refused_and_one_of_another_log_shows_how_things_stand() -> Result<()> {
    let Told { day, an, events, .. } = told().await?;
    for id in ["", "x", "1-2", "1-2-3-4", "-1-2-3", "0x1-0-0", "1-2-3 ", "99999999999999999-0-0"] {
        let problem = refused(day.routes(), &an, id).await.with_context(|| format!("{id:?}"))?;
        ensure!(problem.code == "invalid-fields", "{id:?}: {problem:?}");
        ensure!(problem.errors[0].0 == "Last-Event-ID", "{id:?}: {problem:?}");
    }
    // Three alerts there are, each is shown once, as it stands; and then what happens.
    let mut stream = open_stream(day.routes(), &an, HERE, Some("ffffff-0-0")).await?;
    let hazard = day.alert_of("hazard", HERE, "20:00")?;
    let live = day.raise_in_force(&an, &hazard).await?.expect(200)?;
    let live = live.text_at("/id");
    let mut shown = Vec::new();
    while shown.last().map(|(id, _)| id) != Some(&live.to_owned()) {
        let event = stream.wait_for(WITHIN, |event| event.kind == "alert").await?;
        shown.push((about(&event), text(&event.json(), "/state").to_owned()));
    }
    let mut wanted: Vec<String> = Vec::new();
    for (kind, alert) in alerts(&events) {
        if kind == "alert" && !wanted.contains(&alert) {
            wanted.push(alert);
        }
    }
    let states = ["resolved", "resolved", "active"].map(str::to_owned);
    let mut wanted: Vec<(String, String)> = wanted.into_iter().zip(states).collect();
    wanted.push((live.to_owned(), "active".to_owned()));
    assert_eq!(shown, wanted);
    day.ends().await
}

#[tokio::test]
async fn an_intake_that_is_a_little_behind_tells_nothing_twice() -> Result<()> {
    let Told { day, an, events, last } = told().await?;
    let from = &events[events.len() - 2];
    for late in [Class::Delivery, Class::Receipt] {
        let other = day.instance("other");
        other.link().keep_behind(late);
        let routes = other.intake();
        other.has_read(&["directory", "board-commands", "board-alerts"]).await?;
        let stream = open_stream(&routes, &an, HERE, Some(&from.id));
        let going_on = async { other.link().let_go(late) };
        let (stream, ()) = tokio::join!(stream, going_on);
        let wanted = behind(&events, events.len() - 2);
        let seen = read(&mut stream?, &last, wanted.len()).await?;
        ensure!(alerts(&seen) == alerts(wanted), "{late:?}: told again: {seen:#?}");
        ensure!(deliveries(&seen) == deliveries(wanted), "{late:?}: {seen:#?}");
        other.ends().await?;
    }
    day.ends().await
}
