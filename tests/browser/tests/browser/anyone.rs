//! Anybody with a code, or a camera: is it real, whose is it, does it hold?

use anyhow::{Result, ensure};
use browser::{Browser, SOON, Size};
use serde_json::json;
use support::{
    people::{but, lost_child},
    town::{HOME, Town},
};

#[tokio::test]
async fn anybody_learns_from_a_code_whether_an_alert_is_real_and_still_holds() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let keng = town.up(&[]).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    let live = officer.raise(&lost_child("ở chợ"), "k-1").await?.expect(201)?;
    let drill = but(lost_child("diễn tập"), &json!({"status": "exercise"}));
    let drill = officer.raise(&drill, "k-2").await?.expect(201)?;
    town.told(live.text_at("/id"), "alert.issued", SOON).await?;
    let browser = Browser::start().await?;
    let anybody = browser.window("anybody", Size::Phone, keng.http()).await?;

    let path = format!("/v/{}", live.text_at("/code"));
    anybody.go(&path).await?;
    anybody.says("TIN THẬT, ĐANG BÁO").await?;
    anybody.says("Đạ Tẻh, Lâm Đồng").await?;
    anybody.look("live").await?;
    let said = anybody.words().await?;
    for personal in ["chợ", "Nguyễn Văn A", "Áo xanh", "4 tuổi"] {
        ensure!(!said.contains(personal), "{personal} is shown to anybody: {said}");
    }

    anybody.go(&format!("/v/{}", drill.text_at("/code").to_lowercase())).await?;
    anybody.says("DIỄN TẬP").await?;
    anybody.look("exercise").await?;

    // The commune's page: what is in force, and nothing of the words.
    anybody.comes_to_say(&format!("/xa/{HOME}"), "TIN THẬT").await?;
    anybody.says("113").await?;
    anybody.look("commune").await?;
    ensure!(!anybody.words().await?.contains("chợ"), "the words are shown to anybody");

    let correct = format!("/v1/alerts/{}/correct", live.text_at("/id"));
    let words = json!({"description": "Áo vàng, dép đỏ."});
    officer.post(&correct, &words, "k-3").await?.expect(200)?;
    anybody.comes_to_say(&path, "TIN THẬT, ĐÃ ĐÍNH CHÍNH").await?;
    anybody.look("corrected").await?;

    let cancel = format!("/v1/alerts/{}/cancel", live.text_at("/id"));
    officer.post(&cancel, &json!({}), "k-4").await?.expect(200)?;
    anybody.comes_to_say(&path, "Tin đã bị thu hồi").await?;
    anybody.look("closed").await?;

    anybody.go("/v/0000000000").await?;
    anybody.says("KHÔNG CÓ TIN NÀO VỚI MÃ NÀY").await?;
    anybody.look("unknown").await?;
    anybody.close().await?;
    browser.stop().await
}
