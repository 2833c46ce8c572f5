//! The route of signed commands, over HTTP and gRPC. The signature is all that is needed: no token.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue},
    response::Response,
    routing::post,
};
use chassis::Problem;
use tonic::Status;
use wire::v1::{self, command_service_server::CommandService};

use crate::{
    Grpc, Intake,
    grpc::status,
    http::{App, read},
    idempotency::{IDEMPOTENCY_KEY, IdempotencyKey},
    refused::bad_request,
    request::Envelope,
    signable::Answered,
    signed::PATH,
};

pub(crate) fn routes() -> Router<App> {
    Router::new().route(PATH, post(give))
}

async fn give(
    State(App(intake)): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read(body).await?;
    let values = headers.get_all(IDEMPOTENCY_KEY).iter().map(HeaderValue::as_bytes);
    let key = IdempotencyKey::of_headers(values).map_err(|bad| bad_request(&bad))?;
    let envelope = Envelope::parse(&body).map_err(|bad| bad_request(&bad))?;
    Ok(take(&intake, &key, envelope).await?.response())
}

async fn take(
    intake: &Arc<Intake>,
    key: &IdempotencyKey,
    envelope: Envelope,
) -> Result<Answered, Problem> {
    Box::pin(intake.take_signed(key, envelope)).await
}

#[tonic::async_trait]
impl CommandService for Grpc {
    async fn give_command(
        &self,
        request: tonic::Request<v1::GiveCommandRequest>,
    ) -> Result<tonic::Response<v1::GiveCommandResponse>, Status> {
        let values = request.metadata().get_all("idempotency-key");
        let values = values.iter().map(|value| value.as_bytes());
        let key = IdempotencyKey::of_headers(values);
        let key = key.map_err(|bad| status(&bad_request(&bad)))?;
        let envelope = request.into_inner().envelope.unwrap_or_default();
        let envelope = Envelope::of_message(envelope).map_err(|bad| status(&bad_request(&bad)))?;
        let taken = take(&self.0, &key, envelope).await.map_err(|problem| status(&problem))?;
        Ok(tonic::Response::new(taken.message()))
    }
}
