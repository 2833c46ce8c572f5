//! Targets that take the connection and never answer: however many there are, no other waits.

use std::time::{Duration, Instant};

use acceptance::{Timeline, group, maps::HOANG_THINH, posted, timeline::WITHIN};
use anyhow::{Result, ensure};
use domain::schedule::ATTEMPT_MS_MAX;
use fan_out::FanOutOptions;
use serde_json::json;

const HERE: &str = "15958";
const HUNG: usize = 40;
// They would take every place.
const _: () = assert!(HUNG > FanOutOptions::IN_FLIGHT_MAX);
const WELL: usize = 20;
/// Who waited for one that hangs would be told after the longest time that an attempt may take.
const LONG_BEFORE: Duration = Duration::from_millis(ATTEMPT_MS_MAX / 2);

#[tokio::test]
async fn forty_that_hang_delay_none_of_the_twenty_others() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    // In the order of their names, in which they are called, those that hang come first.
    let hung: Vec<String> = (0..HUNG).map(|n| format!("a-hung-{n:02}")).collect();
    let well: Vec<String> = (0..WELL).map(|n| format!("b-well-{n:02}")).collect();
    let mut groups = Vec::new();
    for id in &hung {
        groups.push(day.hold(group(id, HERE)).await?);
    }
    groups.extend(well.iter().map(|id| group(id, HERE)));
    day.groups(groups).await?;
    let an = day.officer("an", HERE).await?;

    day.at("10:00").await?;
    let began = Instant::now();
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "20:00")?).await?.expect(201)?;
    let alert = raised.text_at("/id");
    for id in &hung {
        day.holding(id)?.seen().wait_for(1, WITHIN).await?;
    }
    for id in &well {
        day.expect(posted(id, &["issued"])).await?;
    }
    ensure!(began.elapsed() < LONG_BEFORE, "the others waited {:?}", began.elapsed());

    day.act(&an, alert, "cancel", &json!({})).await?.expect(200)?;
    for id in &well {
        day.expect(posted(id, &["issued", "cancelled"])).await?;
    }
    ensure!(began.elapsed() < LONG_BEFORE, "the cancel waited {:?}", began.elapsed());
    // Those that hang hear of it when they have taken the alert, and not before.
    for id in &hung {
        ensure!(!day.holding(id)?.is_released() && day.calls_to(id).len() == 1, "{id}");
    }
    hung.iter().try_for_each(|id| day.holding(id).map(|holding| holding.release()))?;
    for id in &hung {
        day.expect(posted(id, &["issued", "cancelled"])).await?;
    }
    day.ends().await
}
