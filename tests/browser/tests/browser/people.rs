//! People who have signed in.

use anyhow::Result;
use browser::{Browser, Size, Window};
use support::Keng;

/// A window whose person has signed in by an access token, on the first page of the role.
pub(crate) async fn signed_in(
    browser: &Browser,
    keng: &Keng,
    (officer, role, home): (&str, &str, Option<&str>),
    size: Size,
) -> Result<Window> {
    let token = keng.token(officer, role, home).await?;
    let window = browser.window(officer, size, keng.http()).await?;
    window.go("/").await?;
    window.fill("#token", &token).await?;
    window.look("sign-in").await?;
    window.press("main button[type=submit]").await?;
    window.find("header nav").await?;
    Ok(window)
}
