//! Small things that every server gives out: lines, the OpenAPI document.

use std::io::Write;

use axum::{Router, http::header, routing::get};

/// The interface, for programs.
const OPEN_API: &str = include_str!("../openapi.json");

/// Prints a line of the answer to standard output, at once.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever read it may be gone; there is nobody else to tell.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// `/openapi.json`.
pub(crate) fn open_api() -> Router {
    let document = ([(header::CONTENT_TYPE, "application/json")], OPEN_API);
    Router::new().route("/openapi.json", get(async move || document))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::Value;

    use super::*;

    /// The paths that these sources serve under `/v1/`.
    fn served(folder: &Path, paths: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                served(&path, paths);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let routes = text.split(".route(").skip(1);
                let named = routes.filter_map(|rest| rest.trim_start().strip_prefix('"'));
                let named = named.filter_map(|rest| rest.split('"').next());
                paths.extend(named.filter(|it| it.starts_with("/v1/")).map(str::to_owned));
            }
        }
    }

    fn refs<'a>(of: &'a Value, found: &mut Vec<&'a str>) {
        match of {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| match value {
                Value::String(to) if name == "$ref" => found.push(to),
                _ => refs(value, found),
            }),
            Value::Array(all) => all.iter().for_each(|one| refs(one, found)),
            _ => {}
        }
    }

    #[test]
    fn every_route_is_in_the_document_and_every_reference_leads_somewhere() {
        let document: Value = serde_json::from_str(OPEN_API).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut paths = Vec::new();
        for folder in ["services/intake", "services/fan-out", "services/audit", "shared/chassis"] {
            served(&root.join(folder).join("src"), &mut paths);
        }
        assert!(paths.len() > 20, "{paths:?}");
        // What is asked of an alert stands there action by action.
        let without: Vec<&String> = paths
            .iter()
            .filter(|path| *path != "/v1/alerts/{id}/{action}")
            .filter(|path| document["paths"].get(path.replace("{*", "{")).is_none())
            .collect();
        assert_eq!(without, Vec::<&String>::new());
        let mut found = Vec::new();
        refs(&document, &mut found);
        let lost: Vec<&&str> = found
            .iter()
            .filter(|to| document.pointer(to.trim_start_matches('#')).is_none())
            .collect();
        assert_eq!(lost, Vec::<&&str>::new());
    }
}
