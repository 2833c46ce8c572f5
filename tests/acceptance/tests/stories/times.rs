//! The times of an alert that matter, from the first word to the last correction.

use acceptance::{Person, Timeline, asked::with, group, maps::HOANG_THINH, posted};
use anyhow::{Context, Result};
use domain::rights::Standing;
use serde_json::{Value, json};

const HERE: &str = "15958";
const NEIGHBOUR: &str = "15925";

async fn times(day: &Timeline, auditor: &Person, alert: &str) -> Result<Value> {
    day.audited().await?;
    let path = format!("/v1/audit/timeline?alert={alert}");
    Ok(day.get(auditor, &path).await?.expect(200)?.json)
}

fn moment<'a>(times: &'a Value, name: &str) -> Result<&'a Value> {
    let all = times["moments"].as_array().context("moments")?;
    all.iter().find(|one| one["name"] == name).with_context(|| format!("no {name} in {times}"))
}

/// That it happened within this minute of the day; the clock of a story stands still while all
/// that is due is done.
fn check(day: &Timeline, times: &Value, name: &str, minute: &str) -> Result<()> {
    let said = moment(times, name)?;
    let at: jiff::Timestamp = said["at"].as_str().with_context(|| format!("{said}"))?.parse()?;
    let since_ms = at.as_millisecond() - day.time(minute)?.0;
    assert!((0..60_000).contains(&since_ms), "{name}: {said}");
    assert!(said["position"].as_u64() > Some(0) && said["missing"].is_null(), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_lost_childs_whole_way_has_its_times() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE), group("n-1", NEIGHBOUR)]).await?;
    let an = day.officer("an", HERE).await?;
    let cuong = day.officer("cuong", NEIGHBOUR).await?;
    let khanh = day.person("khanh", Standing::Auditor).await?;
    day.at("17:40").await?;
    let lost = with(
        &day.alert_of("lost-child", HERE, "20:00")?,
        "/reach",
        json!({ "mode": "communes", "communes": [NEIGHBOUR] }),
    );
    let lost = with(&lost, "/reported_at", json!(day.rfc3339("17:31")?));
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.expect(posted("n-1", &["issued"])).await?;

    let early = times(&day, &khanh, alert).await?;
    let missing = |times: &Value, name: &str| -> Result<Value> {
        Ok(moment(times, name)?["missing"].clone())
    };
    assert_eq!(missing(&early, "approved")?, "not-needed");
    for name in ["acknowledged-first", "first-sighting", "found"] {
        assert_eq!(missing(&early, name)?, "not-yet", "{name}");
    }
    assert_eq!(moment(&early, "acknowledged-last")?["remaining"], 1);
    assert_eq!(missing(&early, "all-corrected")?, "nothing-to-correct");

    day.at("17:45").await?;
    day.act(&cuong, alert, "acknowledge", &json!({})).await?.expect(200)?;
    day.at("18:02").await?;
    let seen = json!({ "at": day.rfc3339("18:00")?, "lat": 19.83, "lon": 105.84 });
    day.act(&cuong, alert, "sighting", &seen).await?.expect(200)?;
    day.at("18:20").await?;
    day.act(&an, alert, "resolve", &json!({})).await?.expect(200)?;
    for told in ["g-1", "n-1"] {
        day.expect(posted(told, &["issued", "resolved"])).await?;
    }
    day.at("18:30").await?;

    let whole = times(&day, &khanh, alert).await?;
    for (name, minute) in [
        ("first-word", "17:31"),
        ("raised", "17:40"),
        ("issued", "17:40"),
        ("relayed-first", "17:40"),
        ("relayed-last", "17:40"),
        ("first-group", "17:40"),
        ("last-group", "17:40"),
        ("acknowledged-first", "17:45"),
        ("acknowledged-last", "17:45"),
        ("first-sighting", "18:02"),
        ("found", "18:20"),
        ("all-corrected", "18:20"),
    ] {
        check(&day, &whole, name, minute)?;
    }
    assert_eq!(whole["state"], "resolved");
    let communes = whole["communes"].as_array().context("communes")?;
    let neighbour = communes.iter().find(|one| one["commune"] == NEIGHBOUR).context("it")?;
    assert_eq!((&neighbour["groups"], &neighbour["groups_arrived"]), (&json!(1), &json!(1)));
    assert!(neighbour["acknowledged"]["at"].is_string(), "{neighbour}");
    // Each is said by the record that the replay shows at that place.
    let found = moment(&whole, "found")?;
    let lines = day.records(&khanh, &format!("?alert={alert}")).await?;
    let line = lines.iter().find(|line| Some(line.position) == found["position"].as_u64());
    assert_eq!(line.context("its record")?.kind, "AlertResolved");
    day.ends().await
}

#[tokio::test]
async fn a_suspect_alert_has_the_time_of_its_approval_and_strangers_see_none() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.commander("binh", HERE).await?;
    let khanh = day.person("khanh", Standing::Auditor).await?;
    day.at("08:00").await?;
    let raised = day.raise(&an, &day.alert_of("suspect", HERE, "20:00")?).await?.expect(202)?;
    let alert = raised.text_at("/id");
    assert_eq!(moment(&times(&day, &khanh, alert).await?, "approved")?["missing"], "not-yet");
    day.at("08:07").await?;
    day.act(&binh, alert, "approve", &json!({ "revision": 1 })).await?.expect(200)?;
    day.settle().await?;
    let approved = times(&day, &khanh, alert).await?;
    check(&day, &approved, "approved", "08:07")?;
    assert_eq!(moment(&approved, "approved")?["by"], "binh");

    let path = |query: &str| format!("/v1/audit/timeline?{query}");
    day.get(&an, &path(&format!("alert={alert}"))).await?.expect(403)?;
    let unknown = "0191b0c0-0000-8000-8000-000000000001";
    day.get(&khanh, &path(&format!("alert={unknown}"))).await?.expect(404)?;
    for (query, field) in
        [("", "alert"), ("alert=x", "alert"), (&*format!("alert={alert}&from=x"), "from")]
    {
        let wrong = day.get(&khanh, &path(query)).await?.expect(400)?;
        assert_eq!(wrong.problem()?.errors[0].0, field, "{query}");
    }
    let also = format!("alert={alert}&commune={HERE}");
    let wrong = day.get(&khanh, &path(&also)).await?.expect(400)?;
    assert_eq!(wrong.problem()?.errors[0].0, "commune");
    day.ends().await
}
