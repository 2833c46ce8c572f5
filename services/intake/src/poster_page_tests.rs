//! Pages as a browser gets them.

use axum::body::to_bytes;
use domain::ids::Millis;

use super::*;
use crate::{posters::tests::task, refused::starting};

const HOSTILE: &str = "<script>alert(1)</script> [@all] \"' onload=x {{7*7}} http://evil.vn </div>";

fn open(status: AlertStatus, picture: Option<&str>) -> Standing {
    Standing::Open(crate::posters::tests::open(HOSTILE, status, picture))
}

async fn shown(response: Response) -> (StatusCode, HeaderMap, String) {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn hostile_words_are_text_and_the_page_is_small() {
    let (task, open) = (task(HOSTILE), open(AlertStatus::Actual, Some("../x?a=1&b=\"<")));
    let (status, headers, page) = shown(standing(&task, &open)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.len() <= 20 * 1_024, "{}", page.len());
    // Our own script, and nothing that anybody wrote.
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("<script type=\"module\" src=\"../../../copy.js\"></script>"));
    for tag in page.split('<').skip(1).filter_map(|rest| rest.split_once('>')) {
        assert!(!tag.0.contains("onload") && !tag.0.contains("alert("), "{}", tag.0);
    }
    assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "{page}");
    assert!(page.contains("[@ all]") && page.contains("http[:]//evil[.]vn"), "{page}");
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "{page}");
    assert!(page.contains("lang=\"vi\"") && page.contains("<form method=\"post\">"));
    let header = |name: &str| headers.get(name).unwrap().to_str().unwrap();
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("x-robots-tag"), "noindex, nofollow");
    let policy = header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    // The hash is that of what stands between the tags.
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    assert_eq!(style, STYLE);
}

#[tokio::test]
async fn whether_it_is_real_is_said_by_word_colour_and_shape() {
    let task = task("Thôn Tây");
    let (_, _, live) = shown(standing(&task, &open(AlertStatus::Actual, None))).await;
    assert!(live.contains("mark live") && live.contains(">TIN THẬT<") && live.contains(">LIVE<"));
    assert!(live.contains("đăng vào nhóm “Thôn Tây”, rồi bấm “Đã đăng”"), "{live}");
    assert!(!live.contains("<img"));
    for status in [AlertStatus::Exercise, AlertStatus::Test] {
        let (_, _, drill) = shown(standing(&task, &open(status, None))).await;
        assert!(drill.contains("mark drill") && drill.contains("KHÔNG PHẢI SỰ VIỆC THẬT"));
        assert!(drill.contains("NOT REAL") && !drill.contains(">LIVE<"), "{drill}");
    }
}

#[tokio::test]
async fn what_has_become_of_a_task_is_said_plainly() {
    let task = task("g");
    let posted = Standing::Posted(Millis(1_795_257_600_000));
    let replaced = Standing::Replaced(Some("../2/AbC".to_owned()));
    let (status, _, page) = shown(standing(&task, &posted)).await;
    assert!(status == StatusCode::OK && page.contains("17:40 ngày 21/11/2026"), "{page}");
    assert!(!page.contains("<form"), "{page}");
    let (_, _, page) = shown(standing(&task, &replaced)).await;
    assert!(page.contains("Tin này đã được thay; đăng bản mới."), "{page}");
    assert!(page.contains("href=\"../2/AbC\""), "{page}");
    for standing in [Standing::Stopped, Standing::Replaced(None)] {
        let (_, _, page) = shown(super::standing(&task, &standing)).await;
        assert!(page.contains("Đừng đăng tin này.") && !page.contains("<form"), "{page}");
    }
    let starting = starting();
    for (link, status) in [
        (Notice::Expired, 410),
        (Notice::NotGood, 404),
        (Notice::Held, 202),
        (Notice::Trouble(&starting), 503),
    ] {
        let (seen, headers, page) = shown(notice(&link)).await;
        assert!(seen.as_u16() == status && page.contains("<h1>"), "{page}");
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert!(!page.contains("<form") && !page.contains("Đã đăng <"), "{page}");
    }
}
