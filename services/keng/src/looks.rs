//! `keng alert looks ID`: who has read an alert's personal data; and why somebody reads it now.

use anyhow::Context;
use chassis::ExitCode;
use clap::Args as ClapArgs;
use reqwest::{Method, RequestBuilder, header::HeaderValue};
use serde_json::Value;

use crate::{
    Failed,
    args::ServerArgs,
    client::{Client, send},
    feeds::line,
};

/// Why somebody reads.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct ReasonArgs {
    /// Lý do xem, được ghi lại / Why it is read, which is recorded
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl ReasonArgs {
    /// The request, with the reason where one is given.
    pub(crate) fn said(&self, request: RequestBuilder) -> Result<RequestBuilder, Failed> {
        let Some(reason) = &self.reason else { return Ok(request) };
        let wrong = |_| Failed::Usage("--reason: một dòng chữ / one line of text".to_owned());
        let reason = HeaderValue::from_bytes(reason.as_bytes()).map_err(wrong)?;
        Ok(request.header("keng-reason", reason))
    }
}

/// The newest first.
pub(crate) async fn looks(
    id: &str,
    server: &ServerArgs,
    reason: &ReasonArgs,
) -> Result<u8, Failed> {
    let client = Client::of_person(server)?;
    let request = client.request(Method::GET, &format!("/v1/alerts/{id}/looks"));
    let seen: Value = send(reason.said(request)?).await?.json().await.context("the answer")?;
    let looks = seen.get("looks").and_then(Value::as_array);
    looks.into_iter().flatten().for_each(|look| line(&shown(look)));
    Ok(ExitCode::DONE)
}

fn shown(look: &Value) -> String {
    let text = |name: &str| look.get(name).and_then(Value::as_str).unwrap_or("-");
    let what = match text("what") {
        "words" => "nội dung / words",
        "photo" => "ảnh / photo",
        "poster" => "trang đăng tin / poster's page",
        "notes" => "ghi chú / notes",
        other => other,
    };
    let duty = match text("duty") {
        "issued" => "xã phát tin / issued it",
        "relayed" => "tin chuyển tới xã / relayed to it",
        "province" => "trực ban tỉnh / the province's desk",
        "matched" => "có thể cùng một vụ / may be the same",
        "link" => "có liên kết / has the link",
        "audit" => "kiểm toán / audit",
        other => other,
    };
    [text("at"), text("reader"), text("commune"), what, duty, text("reason")].join("\t")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_look_is_one_line() {
        let look = json!({
            "at": "2026-11-22T08:00:00.000Z", "reader": "binh", "commune": "25135",
            "what": "words", "duty": "relayed", "reason": null,
        });
        let wanted = "2026-11-22T08:00:00.000Z\tbinh\t25135\tnội dung / words\t\
                      tin chuyển tới xã / relayed to it\t-";
        assert_eq!(shown(&look), wanted);
    }

    #[test]
    fn a_reason_is_one_line_in_any_script() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let request = || reqwest::Client::new().get("http://127.0.0.1");
        let said = |reason: &str| ReasonArgs { reason: Some(reason.to_owned()) }.said(request());
        let built = said("Tìm người nhà").unwrap().build().unwrap();
        assert_eq!(built.headers()["keng-reason"].as_bytes(), "Tìm người nhà".as_bytes());
        assert!(matches!(said("a\nb"), Err(Failed::Usage(_))));
    }
}
