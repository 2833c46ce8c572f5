//! Every answer is the same to the byte when the cache is gone, whatever became of the alerts.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use support::{Client, Keng};
use system::{
    SOON,
    people::{but, delivered, lost_child, state},
    town::{HOME, NEIGHBOUR, Town},
};

/// What an alert is called, its fields, and what is done with it by whom.
type Case<'a> = (&'a str, Value, Option<(&'a str, &'a Client)>);

/// One alert in each state that an alert can come to without waiting; their paths.
async fn one_of_each(town: &Town, an: &Client, binh: &Client) -> Result<Vec<String>> {
    let suspect = json!({"kind": "suspect", "person": null, "legal_basis": "BLTTHS-119"});
    let cases: [Case<'_>; 6] = [
        ("active", json!({}), None),
        ("acknowledged", json!({}), Some(("acknowledge", binh))),
        ("refused", json!({}), Some(("refuse", binh))),
        ("cancelled", json!({}), Some(("cancel", an))),
        ("resolved", json!({}), Some(("resolve", an))),
        ("awaiting-approval", suspect, None),
    ];
    let mut paths = Vec::new();
    for (what, fields, act) in cases {
        let raised = an.raise(&but(lost_child(what), &fields), what).await?;
        let id = raised.text_at("/id").to_owned();
        ensure!(matches!(raised.status, 201 | 202) && !id.is_empty(), "{}", raised.text);
        let mut count = if raised.status == 201 { town.groups.len() } else { 0 };
        delivered(an, &id, count, SOON).await?;
        if let Some((action, who)) = act {
            who.act(&id, action, &json!({"note": what}), "act").await?.expect(200)?;
            count *= if matches!(action, "cancel" | "resolve") { 2 } else { 1 };
            delivered(an, &id, count, SOON).await?;
        }
        paths.push(format!("/v1/verify/{}", raised.text_at("/code")));
        paths.push(format!("/v1/alerts/{id}"));
        paths.push(format!("/v1/alerts/{id}/deliveries"));
    }
    Ok(paths)
}

async fn shown(people: &[&Client], keng: &Keng, paths: &[String]) -> Result<Vec<String>> {
    let mut shown = Vec::new();
    for (n, person) in people.iter().enumerate() {
        for path in paths {
            let answer = (*person).clone().at(keng.http()).get(path).await?;
            shown.push(format!("{path} to {n}: {} {}", answer.status, answer.text));
        }
    }
    Ok(shown)
}

#[tokio::test]
async fn all_that_was_shown_is_shown_again() -> Result<()> {
    let town = Town::with(&[HOME], 2).await?;
    let mut keng = town.up(&[]).await?;
    let an = keng.client("an", "officer", Some(HOME)).await?;
    let binh = keng.client("binh", "officer", Some(NEIGHBOUR)).await?;
    let admin = keng.client("hoa", "admin", None).await?;
    let mut paths = one_of_each(&town, &an, &binh).await?;
    paths.extend(["/v1/alerts", "/v1/alerts?state=cancelled", "/v1/tokens"].map(str::to_owned));
    let people = [&an, &binh, &admin];
    let before = shown(&people, &keng, &paths).await?;

    keng.sigterm(SOON).await?;
    fs::remove_dir_all(keng.data().join("local-state")).context("local-state")?;
    keng.restart().await?;
    let after = shown(&people, &keng, &paths).await?;
    for (before, after) in before.iter().zip(&after) {
        ensure!(before == after, "{before}\n{after}");
    }
    // It is written anew meanwhile, and serves the next start just the same.
    keng.restart().await?;
    ensure!(shown(&people, &keng, &paths).await? == before, "with a cache it is different");
    let an = an.at(keng.http());
    let raised = an.raise(&lost_child("mới"), "new").await?.expect(201)?;
    state(&an, raised.text_at("/id"), "active", SOON).await?;
    Ok(())
}
