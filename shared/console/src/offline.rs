//! What a phone keeps for when the line is down: the app's own description, the page that says so,
//! and the worker that holds what could not be sent.

use askama::Template;
use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use crate::{
    Console, assets,
    frame::{Frame, shown},
    visitor::Anyone,
};

const WORKER: &str = include_str!("../assets/sw.js");
/// What the offline page needs.
const SHELL: [&str; 4] = ["console.css", "icon.svg", "offline.js", "trusted.js"];

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/offline", get(page))
        .route("/sw.js", get(worker))
        .route("/manifest.webmanifest", get(manifest))
}

#[derive(Template)]
#[template(path = "offline.html")]
struct OfflinePage<'a> {
    frame: &'a Frame,
}

/// Nothing of anybody is on it: it lies in the cache of a phone that others may use.
async fn page(Anyone(mut frame): Anyone) -> Response {
    frame.asker = None;
    shown(StatusCode::OK, &OfflinePage { frame: &frame })
}

/// The worker, which knows the version of the styles and scripts that it keeps.
async fn worker() -> Response {
    let shell: Vec<String> = SHELL.iter().map(|name| assets::path_of(name)).collect();
    let (version, shell) = (json!(assets::version()), json!(shell));
    let script = format!("const VERSION = {version};\nconst SHELL = {shell};\n{WORKER}");
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; connect-src 'self'"),
    ];
    (headers, script).into_response()
}

async fn manifest() -> Response {
    let icon = json!({
        "src": assets::path_of("icon.svg"),
        "sizes": "any",
        "type": "image/svg+xml",
        "purpose": "any",
    });
    let manifest = json!({
        "name": "Kẻng",
        "short_name": "Kẻng",
        "lang": "vi",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#0b3d91",
        "icons": [icon],
    });
    let headers = [
        (header::CONTENT_TYPE, "application/manifest+json"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, manifest.to_string()).into_response()
}
