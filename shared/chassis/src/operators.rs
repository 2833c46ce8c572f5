//! The routes that every server has for those who run it: `/metrics`, `/healthz`, `/readyz`.
//!
//! Open to everybody who reaches the port; nothing personal may appear in them.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use crate::{health::Health, telemetry::Metrics};

/// The operators' routes, to be merged into a server's router.
pub fn router<S: Clone + Send + Sync + 'static>(health: Health, metrics: Metrics) -> Router<S> {
    Router::new()
        .route("/healthz", get(async || Json(json!({ "alive": true }))))
        .route("/readyz", get(readyz))
        .with_state(health)
        .merge(Router::new().route("/metrics", get(render)).with_state(metrics))
}

async fn readyz(State(health): State<Health>) -> Response {
    let readiness = health.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(readiness)).into_response()
}

async fn render(State(metrics): State<Metrics>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::Request,
    };
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn readyz_tells_the_truth() {
        let health = Health::new(&["log"]);
        let metrics = Metrics::detached();
        let router: Router = router(health.clone(), metrics.clone());
        let call = async |path: &str| {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            let status = response.status();
            let body = to_bytes(response.into_body(), 100_000).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        };
        assert_eq!(call("/healthz").await, (StatusCode::OK, r#"{"alive":true}"#.to_owned()));
        assert_eq!(call("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
        health.set("log", Ok(()));
        health.banner("broker", Some("chú ý / note".to_owned()));
        let (status, text) = call("/readyz").await;
        assert_eq!(status, StatusCode::OK);
        let wanted = json!({
            "ready": true,
            "conditions": [{ "name": "log", "ok": true, "why": "" }],
            "banners": ["chú ý / note"],
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), wanted);
        metrics.record(|| {
            metrics::counter!("keng_test_total").increment(3);
            metrics::histogram!("keng_test_seconds").record(0.002);
        });
        let (status, text) = call("/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("keng_test_total 3"), "{text}");
        assert!(text.contains("keng_test_seconds_bucket{le=\"0.0025\"} 1"), "{text}");
    }
}
