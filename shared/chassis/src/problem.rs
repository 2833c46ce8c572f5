//! Errors over HTTP: RFC 9457 problem details, with a stable code, for every server.

use std::borrow::Cow;

use axum::{
    Json, Router,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// What is said of a request that waits for the broker on this machine's disk.
pub const HELD_HERE: &str = "giữ tại đây, chưa gửi / held here, not yet sent";

/// An answer that says what is wrong. `detail` and reasons: Vietnamese first, English second, and
/// nothing personal; the cause of a trouble goes to the trace, not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry_after_s: Option<u64>,
}

/// A field that is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The path of the field, as `last_seen.lat`.
    pub field: String,
    /// Why.
    pub reason: String,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl Problem {
    /// A problem with a stable code, in kebab case.
    #[must_use]
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (code, detail) = (code.into(), detail.into());
        Self { status, code, detail, errors: Vec::new(), retry_after_s: None }
    }

    /// Names a field that is at fault.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>, reason: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.into(), reason: reason.into() });
        self
    }

    /// Says when to ask again: `Retry-After`, in seconds.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// 404 for a path that nobody serves.
    #[must_use]
    pub fn no_such_path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "Không có đường dẫn này. / There is no such path.",
        )
    }

    /// 405; the router adds `Allow`.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "Đường dẫn này không nhận phương thức đó; xem Allow. / \
             This path does not take that method; see Allow.",
        )
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The sentence for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// When to ask again, in seconds from now; `None` where nothing is said of it.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u64> {
        self.retry_after_s
    }

    /// The fields at fault.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            // RFC 9457, section 4.2.1: no meaning beyond that of the status, whose phrase is then
            // the title; ours is in `code`.
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            code: &self.code,
            detail: &self.detail,
            errors: &self.errors,
        };
        let mut response = (self.status, Json(body)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Makes 404 and 405 (with `Allow`) of a whole router problems; to be called after its last route.
pub fn with_fallbacks<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .fallback(async || Problem::no_such_path())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::Request,
        routing::get,
    };
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;

    async fn read(response: Response) -> Value {
        let kind = response.headers().get("content-type").unwrap();
        assert_eq!(kind, "application/problem+json");
        serde_json::from_slice(&to_bytes(response.into_body(), 10_000).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_problem_names_code_and_fields() {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid", "Sai. / Wrong.")
            .with_field("last_seen.lat", "ngoài Việt Nam / outside Viet Nam");
        let wanted = json!({
            "type": "about:blank", "title": "Bad Request", "status": 400, "code": "invalid",
            "detail": "Sai. / Wrong.",
            "errors": [{"field": "last_seen.lat", "reason": "ngoài Việt Nam / outside Viet Nam"}],
        });
        assert_eq!(read(problem.into_response()).await, wanted);
        let bare = Problem::new(StatusCode::CONFLICT, "stale", "x").into_response();
        assert_eq!(bare.status(), StatusCode::CONFLICT);
        assert_eq!(bare.headers().get("retry-after"), None);
        assert_eq!(read(bare).await.get("errors"), None);
        let busy = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "x");
        let busy = busy.with_retry_after(7).into_response();
        assert_eq!(busy.headers().get("retry-after").unwrap(), "7");
    }

    #[tokio::test]
    async fn unknown_paths_and_methods_are_problems() {
        let router = with_fallbacks(Router::new().route("/a", get(async || "a")));
        let call = async |method: &str, path: &str| {
            let request = Request::builder().method(method).uri(path).body(Body::empty());
            router.clone().oneshot(request.unwrap()).await.unwrap()
        };
        assert_eq!(call("GET", "/a").await.status(), StatusCode::OK);
        let missing = call("GET", "/b").await;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND);
        assert_eq!(read(missing).await["code"], "not-found");
        let wrong = call("POST", "/a").await;
        assert_eq!(wrong.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(wrong.headers().get("allow").unwrap(), "GET,HEAD");
        assert_eq!(read(wrong).await["code"], "method-not-allowed");
    }
}
