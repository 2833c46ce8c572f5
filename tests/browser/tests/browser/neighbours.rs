//! Two communes: one raises, the other answers, and both see it without touching the page.

use anyhow::Result;
use browser::{Browser, SOON, Size};
use support::{
    people::lost_child,
    town::{HOME, NEIGHBOUR, Town},
};

use crate::people::signed_in;

#[tokio::test]
async fn a_neighbour_answers_and_both_boards_fill_in_live() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 2).await?;
    let keng = town.up(&[]).await?;
    let browser = Browser::start().await?;
    let an = signed_in(&browser, &keng, ("an", "officer", Some(HOME)), Size::Desk).await?;
    let binh =
        signed_in(&browser, &keng, ("binh", "officer", Some(NEIGHBOUR)), Size::Phone).await?;
    binh.look("empty-board").await?;

    // Raised by a program; the neighbour's page shows it by itself.
    let officer = keng.client("an-2", "officer", Some(HOME)).await?;
    let raised = officer.raise(&lost_child("ở chợ"), "k-1").await?.expect(201)?;
    binh.find("#to-answer .card").await?;
    binh.look("to-answer").await?;
    an.find("#open .card").await?;

    binh.press("#to-answer button.yes").await?;
    binh.says("đã nhận").await?;
    binh.look("answered").await?;
    // One of those asked has answered, and the issuing commune sees it by itself.
    an.says("1/6 xã đã nhận").await?;
    an.press("#open .card h3 a").await?;
    an.look("alert").await?;
    town.told(raised.text_at("/id"), "alert.issued", SOON).await?;
    an.says("đã đến").await?;

    binh.close().await?;
    an.close().await?;
    browser.stop().await
}
