//! SIGTERM in the midst of many deliveries: what was attempted is known after the restart.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};
use serde_json::json;
use support::Reply;
use system::{
    SOON,
    people::{delivered, lost_child},
    town::{HOME, Town},
};

const GROUPS: usize = 200;
/// Each answers so late: quick enough to be no slow target, and slow enough that the signal comes
/// while many are under way.
const ANSWER: Duration = Duration::from_millis(40);
const BEFORE_THE_SIGNAL: usize = 50;

#[tokio::test]
async fn nobody_who_confirmed_is_called_again() -> Result<()> {
    let town = Town::with(&[HOME], GROUPS).await?;
    town.sink.answer_otherwise(Reply::status(204).after(ANSWER));
    let mut keng = town.up(&[]).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    let raised = officer.raise(&lost_child("ở chợ"), "k").await?.expect(201)?;
    let id = raised.text_at("/id").to_owned();
    town.sink.wait_for(BEFORE_THE_SIGNAL, SOON).await?;
    let status = keng.sigterm(SOON).await?;
    ensure!(status.code() == Some(0), "{status}\n{}", keng.stderr());
    let before = town.calls()?.len();
    ensure!((BEFORE_THE_SIGNAL..GROUPS).contains(&before), "{before} were called by then");

    keng.restart().await?;
    let officer = officer.at(keng.http());
    let all = delivered(&officer, &id, GROUPS, SOON).await?;
    let again: Vec<_> = all.iter().filter(|one| one["attempts"] != json!(1)).collect();
    ensure!(again.is_empty(), "{} have several receipts: {again:#?}", again.len());
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for call in town.calls()? {
        *calls.entry(call.path).or_default() += 1;
    }
    let twice: Vec<_> = calls.iter().filter(|(_, count)| **count != 1).collect();
    ensure!(twice.is_empty() && calls.len() == GROUPS, "called again: {twice:?}");
    town.check_calls()
}
