//! Officers with passkeys: an alert from the first press of a button to the last word about it, in
//! three browsers.

use anyhow::{Context, Result, ensure};
use browser::{Browser, SOON, Size, Window};
use support::{
    Keng, eventually,
    town::{HOME, NEIGHBOUR, Town},
};

use crate::people::signed_in;

/// A window whose person has enrolled a passkey by a link, and signed in by it.
async fn enrolled(
    browser: &Browser,
    keng: &Keng,
    (officer, role, commune): (&str, &str, &str),
    size: Size,
) -> Result<Window> {
    let words = ["token", "--enrol", "--officer", officer, "--role", role, "--commune", commune];
    let output = keng.run(&words).await?;
    let said = String::from_utf8(output.stdout)?;
    let link = said.lines().last().context("no link")?.trim();
    let window = browser.window(officer, size, keng.http()).await?;
    window.driver.authenticator().await?;
    window.go(link).await?;
    window.press("#enrol").await?;
    window.find("#done").await?;
    window.look("enrolled").await?;
    window.go("/sign-in?next=/board").await?;
    window.press("#passkey-sign-in").await?;
    window.find("#board").await?;
    Ok(window)
}

/// Raised on a phone: the kind, what and where, what will happen, one confirmation.
async fn raised(an: &Window) -> Result<()> {
    an.press("a[href='/alerts/new'].danger").await?;
    an.look("kinds").await?;
    an.press("#kind-missing-person").await?;
    an.press("input[name=status][value=actual]").await?;
    an.fill("[name=headline]", "Tìm ông Ba 80 tuổi <b>đi lạc</b>").await?;
    an.fill("[name='person.age']", "80").await?;
    an.fill("[name='last_seen.place']", "chợ Đạ Tẻh").await?;
    an.press("#check").await?;
    // Marks are no text of an alert: the field is named, and nothing is lost.
    an.find("#fault-headline").await?;
    an.look("fault").await?;
    an.fill("[name=headline]", "Tìm ông Ba 80 tuổi đi lạc").await?;
    an.press("#check").await?;
    an.find("#confirm").await?;
    an.says("TIN THẬT").await?;
    an.look("check").await?;
    // A second look: nothing is lost, and nothing is signed.
    an.press("#edit").await?;
    an.find("#raise").await?;
    an.press("#check").await?;
    an.press("#send").await?;
    an.find("#stands").await?;
    an.says("chờ người thứ hai duyệt").await?;
    an.look("waits").await?;
    Ok(())
}

#[tokio::test]
async fn an_alert_is_raised_approved_answered_and_corrected_by_people_at_their_browsers()
-> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 2).await?;
    let keng = town.up(&[]).await?;
    let browser = Browser::start().await?;
    let an = enrolled(&browser, &keng, ("an", "officer", HOME), Size::Phone).await?;
    let chi = enrolled(&browser, &keng, ("chi", "commander", HOME), Size::Desk).await?;
    let binh = enrolled(&browser, &keng, ("binh", "officer", NEIGHBOUR), Size::Phone).await?;

    raised(&an).await?;

    // A second person approves; the first sees it without touching the page.
    chi.go("/queues").await?;
    chi.find("#approvals a.yes").await?;
    chi.look("queues").await?;
    chi.press("#approvals a.yes").await?;
    chi.press("#act-approve button.yes").await?;
    chi.find("#stands").await?;
    an.says("đang báo").await?;

    // The neighbour answers, and the groups fill in.
    binh.find("#to-answer .card").await?;
    binh.look("to-answer").await?;
    binh.press("#to-answer button.yes").await?;
    an.says("1/6 xã đã nhận").await?;
    eventually(SOON, async || {
        let calls = town.calls()?;
        let told = calls.iter().filter(|call| call.news == "alert.issued").count();
        ensure!(told == 4, "{told} of 4 groups were told");
        Ok(())
    })
    .await?;
    an.says("đã đến").await?;
    an.look("in-force").await?;

    // Corrected, and anybody learns so by the code.
    let code = an.find("a[href^='/v/']").await?.text().await?;
    an.press("#act-change summary").await?;
    an.fill("#act-change [name=description]", "Ông mặc áo xanh.").await?;
    an.press("#act-change button[formaction$='/correct']").await?;
    // What says something new takes a second person, too.
    an.find("#pending").await?;
    chi.go("/queues").await?;
    chi.press("#approvals a.yes").await?;
    chi.says("Ông mặc áo xanh.").await?;
    chi.press("#act-approve button.yes").await?;
    let anybody = browser.window("anybody", Size::Phone, keng.http()).await?;
    anybody.comes_to_say(&format!("/v/{code}"), "ĐÃ ĐÍNH CHÍNH").await?;
    anybody.close().await?;
    an.look("corrected").await?;

    // What was sent is no draft, and the next alert is neither real nor a drill by itself.
    an.go("/alerts/new").await?;
    an.find("#kinds").await?;
    ensure!(!an.words().await?.contains("bản nháp"), "a draft of what was sent is offered");

    // Each was signed by the person's own passkey.
    let kim = signed_in(&browser, &keng, ("kim", "auditor", None), Size::Desk).await?;
    kim.press("#alerts tbody a").await?;
    kim.says("an (key)").await?;
    kim.says("chi (key)").await?;
    kim.look("audit").await?;
    for window in [an, chi, binh, kim] {
        window.close().await?;
    }
    browser.stop().await
}
