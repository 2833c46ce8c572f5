//! Replay: an auditor reads what happened to an alert, in order, and nothing personal.

use std::collections::{BTreeMap, BTreeSet};

use acceptance::{Timeline, asked::NAME, group, maps::HOANG_THINH, people::Line, posted};
use anyhow::{Context, Result};
use domain::rights::Standing;
use serde_json::json;
use support::Reply;

const HERE: &str = "15958";

#[tokio::test]
async fn an_alerts_whole_way_can_be_replayed_in_order() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE), group("g-2", "15925")]).await?;
    day.sink()?.answer_next("/g/g-2", [Reply::status(500)]);
    let an = day.officer("an", HERE).await?;
    let cuong = day.officer("cuong", "15925").await?;
    let khanh = day.person("khanh", Standing::Auditor).await?;
    day.at("17:40").await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "20:00")?).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.at("17:41").await?;
    day.act(&cuong, alert, "acknowledge", &json!({ "note": NAME })).await?.expect(200)?;
    day.at("17:50").await?;
    let binh = day.commander("binh", HERE).await?;
    day.act(&binh, alert, "review", &json!({})).await?.expect(200)?;
    day.at("18:20").await?;
    day.act(&an, alert, "resolve", &json!({ "note": NAME })).await?.expect(200)?;
    day.at("18:21").await?;
    day.act(&an, alert, "cancel", &json!({})).await?.expect(409)?;
    let hazard = day.alert_of("hazard", "15925", "20:00")?;
    day.raise_in_force(&cuong, &hazard).await?.expect(200)?;
    day.expect(posted("g-1", &["issued", "resolved", "issued"])).await?;

    let lines = day.records(&khanh, &format!("?alert={alert}")).await?;
    in_order(&lines)?;
    let of = |entity: &str| -> Vec<(String, u64)> {
        let own = lines.iter().filter(|line| line.entity == entity);
        own.map(|line| (line.kind.clone(), line.version)).collect()
    };
    let told = |expected: &[(&str, u64)]| -> Vec<(String, u64)> {
        expected.iter().map(|(kind, version)| ((*kind).to_owned(), *version)).collect()
    };
    let wanted = [
        ("RaiseAlert", 0),
        ("AlertIssued", 1),
        ("AlertReviewOwed", 1),
        ("ReviewAlert", 0),
        ("AlertReviewed", 2),
        ("ResolveAlert", 0),
        ("AlertResolved", 3),
        ("CancelAlert", 0),
        ("Refused", 4),
    ];
    assert_eq!(of(&format!("alert-{alert}")), told(&wanted));
    let answered = [("AcknowledgeRelay", 0), ("RelayAcknowledged", 1)];
    assert_eq!(of(&format!("relay-{alert}-15925")), told(&answered));
    assert!(of(&format!("delivery-{alert}-15925")).len() >= 2);
    assert!(of(&format!("receipt-{alert}-15925")).len() >= 3);
    assert!(lines.iter().all(|line| line.entity.contains(alert)), "another alert's record");

    let text = day.get(&khanh, &format!("/v1/audit/records?alert={alert}")).await?.text;
    for sealed in [NAME, "đi lạc", "Tây Anh Vinh", "whsec_", "http://"] {
        assert!(!text.contains(sealed), "{sealed} stands in the audit");
    }
    day.ends().await
}

/// Positions rise, a commit follows what it answers, and versions have no gap.
fn in_order(lines: &[Line]) -> Result<()> {
    let mut records: BTreeSet<&str> = BTreeSet::new();
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    let mut position = 0;
    for line in lines {
        assert!(line.position >= position, "{line:?} stands before {position}");
        position = line.position;
        if line.version > 0 {
            let last = versions.entry(&line.entity).or_default();
            assert!(line.version == *last || line.version == *last + 1, "{line:?} after {last}");
            *last = line.version;
        }
        let known = line.causation.is_empty() || records.contains(line.causation.as_str());
        assert!(known, "{line:?} stands before its cause");
        records.insert(&line.id);
    }
    lines.first().filter(|line| line.kind == "RaiseAlert").context("the raise comes first")?;
    Ok(())
}

#[tokio::test]
async fn it_can_be_asked_for_by_commune_and_time() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    let khanh = day.person("khanh", Standing::Auditor).await?;
    for hour in ["10:00", "11:00"] {
        day.at(hour).await?;
        let hazard = day.alert_of("hazard", HERE, "20:00")?;
        day.raise_in_force(&an, &hazard).await?.expect(200)?;
    }
    day.settle().await?;
    let raised = async |query: &str| -> Result<usize> {
        let lines = day.records(&khanh, query).await?;
        Ok(lines.iter().filter(|line| line.kind == "RaiseAlert").count())
    };
    assert_eq!(raised("").await?, 2);
    assert_eq!(raised("?commune=15958").await?, 2);
    assert_eq!(raised("?commune=15970").await?, 0);
    assert_eq!(raised("?from=2025-04-13T03:30:00Z").await?, 1);
    assert_eq!(raised("?to=2025-04-13T03:30:00Z").await?, 1);
    let wrong = day.get(&khanh, "/v1/audit/records?colour=red").await?.expect(400)?;
    assert_eq!(wrong.problem()?.errors[0].0, "colour");
    day.ends().await
}
