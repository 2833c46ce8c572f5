//! An auditor: what was known when, and proofs that the browser itself has checked.

use anyhow::{Result, ensure};
use browser::{Browser, SOON, Size};
use serde_json::json;
use support::{
    eventually,
    people::lost_child,
    town::{HOME, NEIGHBOUR, Town},
};

use crate::people::signed_in;

#[tokio::test]
async fn an_auditor_slides_through_what_was_known_and_checks_the_proofs() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let keng = town.up(&[]).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    let raised = officer.raise(&lost_child("ở chợ"), "k-1").await?.expect(201)?;
    let alert = raised.text_at("/id").to_owned();
    town.told(&alert, "alert.issued", SOON).await?;
    let neighbour = keng.client("binh", "officer", Some(NEIGHBOUR)).await?;
    let path = format!("/v1/alerts/{alert}/acknowledge");
    neighbour.post(&path, &json!({}), "k-2").await?.expect(200)?;

    let browser = Browser::start().await?;
    let kim = signed_in(&browser, &keng, ("kim", "auditor", None), Size::Desk).await?;
    kim.look("alerts").await?;
    kim.press("#alerts tbody a").await?;
    kim.says("Các mốc giờ").await?;
    kim.says("Đạ Tẻh 3").await?;
    kim.look("timeline").await?;

    // As it was when it was raised: nobody had answered.
    kim.press("#timeline tr:nth-child(2) a[data-at]").await?;
    eventually(SOON, async || {
        let known = kim.find("#known").await?.text().await?;
        ensure!(!known.contains("đã nhận"), "{known}");
        Ok(())
    })
    .await?;
    kim.look("as-known").await?;

    // Each record's proof; the newest ones are signed within seconds.
    eventually(SOON, async || {
        kim.press("#records tbody tr:first-child button").await?;
        kim.says("Đúng: máy này đã tự kiểm tra").await
    })
    .await?;
    kim.look("proof").await?;
    kim.close().await?;

    // Officers see nothing of it.
    let an = signed_in(&browser, &keng, ("an-2", "officer", Some(HOME)), Size::Phone).await?;
    an.go(&format!("/audit/alerts/{alert}")).await?;
    an.says("Vai trò này không được làm việc đó").await?;
    an.close().await?;
    browser.stop().await
}
