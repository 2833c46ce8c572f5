//! The frame of a page, and how a page leaves: what a browser may load and keep.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use chassis::{Host, Kind, Problem, session::SignedIn};
use domain::{ids::KeyId, rights::Asker, values::Role};
use fluent_bundle::FluentValue;

use crate::{assets, texts::Texts};

/// Nothing from elsewhere, nothing that stands in a page as a script or a style, and no page of
/// ours within somebody else's.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types keng";

const ENGLISH: &str = "en";
/// Between the Vietnamese and the English of what is told in both.
const BETWEEN: &str = " / ";

/// What stands around every page: its language, who reads it, and what must not be overlooked.
pub struct Frame {
    texts: Arc<Texts>,
    /// The place of the language among the texts.
    language: usize,
    /// Who reads it; `None`: anybody.
    pub asker: Option<Asker>,
    /// The passkey by which the reader has signed in; `None`: by a token.
    pub key: Option<KeyId>,
    /// Where the reader is: path and query.
    pub path: String,
    /// What everybody must know of this installation, in both languages.
    pub banners: Vec<String>,
    /// Whether this is a demo, which sends exercises only.
    pub is_demo: bool,
}

/// A way to go, in the head of a page.
pub struct Way {
    /// Where to.
    pub href: &'static str,
    /// The key of its name.
    pub key: &'static str,
    /// Whether the reader is there.
    pub is_here: bool,
}

impl Frame {
    pub(crate) fn new(
        (host, texts): (&Host, &Arc<Texts>),
        language: usize,
        signed_in: Option<SignedIn>,
        path: String,
    ) -> Self {
        let banners = host.health.banners();
        let is_demo = host.kind == Kind::Demo;
        let key = signed_in.as_ref().and_then(|it| it.key);
        let (texts, asker) = (Arc::clone(texts), signed_in.map(|it| it.asker));
        Self { texts, language, asker, key, path, banners, is_demo }
    }

    /// What a key says.
    #[must_use]
    pub fn t(&self, key: &str) -> String {
        self.texts.say(self.language, key, &[])
    }

    /// What a key says, with one thing filled in: a text, or a number.
    #[must_use]
    pub fn t1<'v>(&self, key: &str, name: &str, value: impl Into<FluentValue<'v>>) -> String {
        self.texts.say(self.language, key, &[(name, value.into())])
    }

    /// What a key says, with several things filled in.
    #[must_use]
    pub fn tn(&self, key: &str, filled: &[(&str, FluentValue)]) -> String {
        self.texts.say(self.language, key, filled)
    }

    /// The word of a role.
    #[must_use]
    pub fn role(&self, role: Role) -> String {
        self.t(&format!("role-{}", role.as_str()))
    }

    /// Real or not, in a word, by CAP's status. What is not known to be real is not.
    #[must_use]
    pub fn mark(&self, status: &str) -> String {
        self.t(match status {
            "actual" => "live",
            "test" => "test",
            _ => "exercise",
        })
    }

    /// The page's language, a BCP 47 tag.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.texts.tag(self.language)
    }

    /// Whether the page is in English.
    #[must_use]
    pub fn is_english(&self) -> bool {
        self.tag() == ENGLISH
    }

    /// One half of what is told in both languages; all of it where it is not two halves.
    #[must_use]
    pub fn half<'b>(&self, both: &'b str) -> &'b str {
        let mut halves = both.split(BETWEEN);
        match (halves.next(), halves.next(), halves.next()) {
            (Some(vi), Some(en), None) => {
                if self.is_english() {
                    en
                } else {
                    vi
                }
            }
            _ => both,
        }
    }

    /// The other languages: tag, name.
    #[must_use]
    pub fn languages(&self) -> Vec<(&str, String)> {
        self.texts.languages().filter(|(tag, _)| *tag != self.tag()).collect()
    }

    /// A style or a script of ours, by its name.
    #[must_use]
    pub fn asset(&self, name: &str) -> String {
        assets::path_of(name)
    }

    /// Where this reader may go.
    #[must_use]
    pub fn ways(&self) -> Vec<Way> {
        let Some(asker) = &self.asker else { return vec![] };
        let standing = asker.standing;
        let officer =
            [("/board", "way-board"), ("/alerts/new", "way-raise"), ("/queues", "way-queues")];
        let auditor = [("/audit", "way-audit")];
        let admin = [("/admin", "way-admin")];
        let ways = officer.iter().filter(|_| standing.reads_alerts());
        let ways = ways.chain(auditor.iter().filter(|_| standing.reads_audit()));
        let ways = ways.chain(admin.iter().filter(|_| standing.administers()));
        let here = self.path.split('?').next().unwrap_or_default();
        ways.map(|(href, key)| Way { href, key, is_here: *href == here }).collect()
    }

    /// A page that says what went wrong.
    #[must_use]
    pub fn trouble(self, problem: &Problem) -> Response {
        let mut response =
            shown(problem.status(), &TroublePage { frame: &self, problem: problem.detail() });
        if let Some(seconds) = problem.retry_after_s() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct TroublePage<'a> {
    frame: &'a Frame,
    problem: &'a str,
}

/// A page as it leaves: kept by nobody, and found by no search.
#[must_use]
pub fn shown(status: StatusCode, page: &impl Template) -> Response {
    kept(status, page, HeaderValue::from_static("no-store"))
}

/// A page for anyone as it leaves: kept on the way as `cache` says, so it must not depend on who
/// asks.
#[must_use]
pub fn kept(status: StatusCode, page: &impl Template, cache: HeaderValue) -> Response {
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let fixed = fixed.map(|(name, value)| (name, HeaderValue::from_static(value)));
    let mut headers = HeaderMap::from_iter(fixed);
    headers.insert(header::CACHE_CONTROL, cache);
    // Writing into memory does not fail.
    (status, headers, page.render().unwrap_or_default()).into_response()
}

/// Sends a browser on, to a path of ours, after a form.
#[must_use]
pub fn see(path: &str) -> Response {
    Redirect::to(own_path(path)).into_response()
}

/// A path of this place; where it would lead elsewhere, the first page.
pub(crate) fn own_path(path: &str) -> &str {
    let is_own = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.bytes().all(|byte| byte.is_ascii_graphic());
    if is_own { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_on_leads_nowhere_else() {
        for own in ["/", "/board", "/alerts/new?kind=lost-child"] {
            assert_eq!(own_path(own), own);
        }
        for other in ["//evil.vn", "https://evil.vn", "/\\evil.vn", "board", "", "/a\nb", "/đ"] {
            assert_eq!(own_path(other), "/", "{other}");
        }
    }
}
