//! A client command's way to its server: over HTTP with a token, or through the Unix socket of
//! the server's own machine.

use std::path::Path;

use anyhow::Context;
use chassis::socket::path_of;
use reqwest::{Client as Http, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::{Failed, args::ServerArgs, direct::Direct};

/// A server, as a command reaches it.
pub(crate) struct Client {
    http: Http,
    base: String,
    token: Option<String>,
}

impl Client {
    /// Over HTTP where `--server` is given, otherwise through the socket of `--data`. Where no
    /// server holds that directory, this process does for as long as the answer lives.
    pub(crate) async fn new(server: &ServerArgs) -> Result<(Self, Option<Direct>), Failed> {
        match &server.server {
            Some(base) => Ok((Self::over_http(base, server.bearer.clone())?, None)),
            None => {
                let keys = server.key_file.clone().unwrap_or_default();
                let direct = Direct::hold(&server.data, &keys).await?;
                Ok((Self::local(&server.data)?, direct))
            }
        }
    }

    /// The same for the signed log; where no server holds the directory, it is read as it lies
    /// there, and nothing is signed.
    pub(crate) async fn of_signed_log(
        server: &ServerArgs,
    ) -> Result<(Self, Option<Direct>), Failed> {
        if server.server.is_some() {
            return Self::new(server).await;
        }
        let keys = server.key_file.clone().unwrap_or_default();
        let direct = Direct::hold_signed_log(&server.data, &keys).await?;
        Ok((Self::local(&server.data)?, direct))
    }

    /// For what needs a person: a server, and the person's token.
    pub(crate) fn of_person(server: &ServerArgs) -> Result<Self, Failed> {
        let base = server.server.as_deref().unwrap_or("http://127.0.0.1:8080");
        let missing = "cần KENG_TOKEN / KENG_TOKEN (or --bearer) is needed";
        let token = server.bearer.clone().ok_or_else(|| Failed::Usage(missing.to_owned()))?;
        Self::over_http(base, Some(token))
    }

    /// For what is signed: no token goes with it.
    pub(crate) fn of_nobody(server: &ServerArgs) -> Result<Self, Failed> {
        Self::over_http(server.server.as_deref().unwrap_or("http://127.0.0.1:8080"), None)
    }

    fn over_http(base: &str, token: Option<String>) -> Result<Self, Failed> {
        // The first in the process wins, and every one of ours is ring's.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Http::builder().no_proxy().build().context("an HTTP client")?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), token })
    }

    fn local(data: &Path) -> Result<Self, Failed> {
        let socket = path_of(data)?;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Http::builder().no_proxy().unix_socket(socket).build();
        let http = http.context("an HTTP client")?;
        Ok(Self { http, base: "http://localhost".to_owned(), token: None })
    }

    /// A request to this path.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A request that changes something, under this key.
    pub(crate) fn post(&self, path: &str, key: &str) -> RequestBuilder {
        self.request(Method::POST, path).header("idempotency-key", key)
    }
}

/// A refusal before anything was sent, as the server would say it.
pub(crate) fn refusal(lines: &[String]) -> Failed {
    Failed::Refused(lines.join("\n  "))
}

/// Sends a request; a refusal becomes the reason that the server gave.
pub(crate) async fn send(request: RequestBuilder) -> Result<Response, Failed> {
    taken(request.send().await.context("the server cannot be reached")?).await
}

/// The same, but where the server says that it is gone: `None`.
pub(crate) async fn send_unless_gone(request: RequestBuilder) -> Result<Option<Response>, Failed> {
    let response = request.send().await.context("the server cannot be reached")?;
    match response.status() {
        StatusCode::GONE => Ok(None),
        _ => Ok(Some(taken(response).await?)),
    }
}

async fn taken(response: Response) -> Result<Response, Failed> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let problem: Value = response.json().await.unwrap_or_default();
    let text =
        |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut why = format!("{} {}: {}", status.as_u16(), text("code"), text("detail"));
    for error in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        why.push_str(&format!("\n  {}: {}", text("field"), text("reason")));
    }
    if status.is_server_error() {
        return Err(Failed::Trouble(anyhow::anyhow!(why)));
    }
    Err(Failed::Refused(why))
}
