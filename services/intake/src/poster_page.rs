//! The pages of posters: a task on a phone, in the rain, and what becomes of it.
//!
//! What stands on them is text, whoever wrote it: the templates escape it, nothing from elsewhere
//! is loaded, and no script but our own runs. A page is kept by nobody and found by no search.

use std::sync::LazyLock;

use askama::Template;
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chassis::Problem;
use domain::{gate::watermark, values::AlertStatus};
use rendering::text::clock;
use sha2::{Digest, Sha256};

use crate::posters::{Open, Standing, Task};

const STYLE: &str = include_str!("../templates/poster.css");
const SCRIPT: &str = include_str!("../templates/copy.js");

/// The style stands in the page, so that it is read at once by a bad line; a browser knows it by
/// its hash, and takes no other.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; script-src 'self'; img-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// Whether it is real, in a word for each language.
struct Mark {
    is_live: bool,
    vi: &'static str,
    en: &'static str,
}

impl Mark {
    fn of(status: AlertStatus) -> Self {
        match watermark(status) {
            None => Self { is_live: true, vi: "TIN THẬT", en: "LIVE" },
            Some(mark) => Self { is_live: false, vi: mark.vi, en: mark.en },
        }
    }
}

#[derive(Template)]
#[template(path = "poster_task.html")]
struct TaskPage<'a> {
    style: &'static str,
    mark: Mark,
    group: &'a str,
    /// Whether it follows what the group has already.
    follows: bool,
    text: &'a str,
    picture: Option<&'a str>,
}

/// A sentence in both languages.
type Said = (&'static str, &'static str);

#[derive(Template)]
#[template(path = "poster_notice.html")]
struct NoticePage<'a> {
    style: &'static str,
    title: (&'a str, &'a str),
    /// What is known of the time; Vietnamese, as its numbers are anybody's.
    at: Option<String>,
    said: &'a [Said],
    /// Where to go on.
    next: Option<(&'a str, Said)>,
}

/// What a link comes to that opens no task.
pub(crate) enum Notice<'a> {
    /// It was good once.
    Expired,
    /// It never was.
    NotGood,
    /// The attestation lies in this machine's outbox.
    Held,
    /// Something that passes.
    Trouble(&'a Problem),
}

/// The page of a task.
pub(crate) fn standing(task: &Task, standing: &Standing) -> Response {
    match standing {
        Standing::Open(open) => html(StatusCode::OK, &task_page(task, open)),
        Standing::Posted(at) => said(
            StatusCode::OK,
            ("Cảm ơn. Đã ghi nhận là đã đăng.", "Thank you. It is noted as posted."),
            Some(clock(at.to_owned())),
            &[(
                "Không cần làm gì thêm. Khi tin thay đổi hoặc kết thúc, sẽ có tin nhắn mới: \
                 xin đăng tiếp dưới bài này.",
                "Nothing more to do. When the alert changes or ends, a new message comes: please \
                 post that below this one.",
            )],
            None,
        ),
        Standing::Replaced(Some(path)) => said(
            StatusCode::OK,
            ("Tin này đã được thay; đăng bản mới.", "This was replaced; post the new one."),
            None,
            &[("Đừng đăng bản cũ.", "Do not post the old one.")],
            Some((path, ("Mở bản mới", "Open the new one"))),
        ),
        Standing::Replaced(None) | Standing::Stopped => said(
            StatusCode::OK,
            ("Đừng đăng tin này.", "Do not post this."),
            None,
            &[(
                "Tin đã dừng, đã thu hồi hoặc đã được thay. Nếu đã đăng, hãy báo cán bộ xã.",
                "It was stopped, withdrawn or replaced. If you have posted it, tell the officer \
                 of your commune.",
            )],
            None,
        ),
    }
}

/// The page of a link that opens no task.
pub(crate) fn notice(notice: &Notice<'_>) -> Response {
    match notice {
        Notice::Expired => said(
            StatusCode::GONE,
            ("Liên kết đã hết hạn. Đừng đăng nữa.", "This link has expired. Do not post it."),
            None,
            &[(
                "Nếu đã đăng, hãy báo cán bộ xã.",
                "If you have posted it, tell the officer of your commune.",
            )],
            None,
        ),
        Notice::NotGood => said(
            StatusCode::NOT_FOUND,
            ("Liên kết không đúng.", "This link is not a good one."),
            None,
            &[(
                "Hãy bấm lại liên kết trong tin nhắn, hoặc gọi cán bộ xã.",
                "Tap the link in the message again, or call the officer of your commune.",
            )],
            None,
        ),
        Notice::Held => said(
            StatusCode::ACCEPTED,
            ("Đã ghi tại đây, chưa gửi đi.", "Noted here, not yet sent."),
            None,
            &[("Không cần bấm lại.", "There is no need to tap again.")],
            None,
        ),
        Notice::Trouble(problem) => trouble(problem),
    }
}

fn trouble(problem: &Problem) -> Response {
    let detail = problem.detail();
    let title = detail.split_once(" / ").unwrap_or((detail, ""));
    // The page itself, with GET.
    let next = Some(("?", ("Thử lại", "Try again")));
    let mut response = said(problem.status(), title, None, &[], next);
    if let Some(seconds) = problem.retry_after_s() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What the copy button does. Old browsers run no modules, and select the text by hand.
pub(crate) fn script() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, SCRIPT).into_response()
}

fn task_page(task: &Task, open: &Open) -> String {
    let page = TaskPage {
        style: STYLE,
        mark: Mark::of(open.status),
        group: &task.group,
        follows: open.follows,
        text: &open.text,
        picture: open.picture.as_deref(),
    };
    drawn(&page)
}

fn said(
    status: StatusCode,
    title: (&str, &str),
    at: Option<String>,
    said: &[Said],
    next: Option<(&str, Said)>,
) -> Response {
    html(status, &drawn(&NoticePage { style: STYLE, title, at, said, next }))
}

/// Writing into memory does not fail.
fn drawn(page: &impl Template) -> String {
    page.render().unwrap_or_default()
}

fn html(status: StatusCode, page: &str) -> Response {
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ];
    let fixed = fixed.map(|(name, value)| (name, HeaderValue::from_static(value)));
    let mut headers = HeaderMap::from_iter(fixed);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    (status, headers, page.to_owned()).into_response()
}

#[cfg(test)]
#[path = "poster_page_tests.rs"]
mod tests;
