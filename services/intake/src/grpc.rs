//! The same application over gRPC.

use std::{pin::Pin, sync::Arc};

use chassis::{
    Problem,
    auth::{Credential, NotKnown, token_holder},
};
use domain::{
    ids::{AlertId, CommuneCode},
    rights::Asker,
};
use futures::{Stream, StreamExt};
use prost::Message;
use tonic::{Code, Response, Status, metadata::MetadataMap};
use wire::v1::{self, intake_service_server::IntakeService};

use crate::{
    Intake,
    acts::Act,
    application::{Filter, Request, Shown},
    http::{NO_ALERT_ID, NO_EVENT_ID, commune_of, invalid, known_words, scope_of, seen},
    idempotency::{IdempotencyKey, request_sha256},
    look_http::Reading,
    refused::{bad_request, not_found, other_bytes},
    request::{self, BadRequest, EdgeKnown},
    stream::watch,
    view,
};

/// Intake over gRPC.
#[derive(Clone)]
pub struct Grpc(pub(crate) Arc<Intake>);

impl Grpc {
    /// The service of this intake.
    #[must_use]
    pub fn new(intake: Arc<Intake>) -> Self {
        Self(intake)
    }

    pub(crate) fn asker(&self, metadata: &MetadataMap) -> Result<(Asker, String), Status> {
        let value = metadata.get("authorization").and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.split_once(' ')).map(|(_, token)| token.trim());
        let holder = token.and_then(|token| Some((token_holder(&self.0.host, token)?, token)));
        let (asker, token) = holder.ok_or_else(|| status(&NotKnown.problem()))?;
        Ok((asker, token.to_owned()))
    }

    /// Who reads, and why.
    pub(crate) fn reading(&self, metadata: &MetadataMap) -> Result<Reading, Status> {
        let (asker, _) = self.asker(metadata)?;
        Reading::of_metadata(asker, metadata).map_err(|problem| status(&problem))
    }

    pub(crate) async fn act(
        &self,
        metadata: &MetadataMap,
        (id, action): (&str, &str),
        message: &impl Message,
        act: Act,
    ) -> Result<Option<v1::AlertView>, Status> {
        let (asker, _) = self.asker(metadata)?;
        let alert: AlertId = id.parse().map_err(|_| status(&not_found()))?;
        let path = format!("/v1/alerts/{id}/{action}");
        let request = request_of(&asker, &path, metadata, message)?;
        let shown = self.0.act(&asker, request, alert, act).await.map_err(|p| status(&p))?;
        Ok(Some(answer(&shown)))
    }

    /// As over HTTP: a request that is not valid now, but was when it was first made.
    async fn repeated(
        &self,
        asker: &Asker,
        request: Request,
        bad: &BadRequest,
    ) -> Result<Shown, Problem> {
        let known = self.0.get(asker, AlertId::raised_by(request.command)).await;
        let Ok(shown) = known else { return Err(bad_request(bad)) };
        match self.0.is_repeat(&shown.row, request).await {
            true => Ok(shown),
            false => Err(other_bytes()),
        }
    }
}

pub(crate) fn request_of(
    asker: &Asker,
    path: &str,
    metadata: &MetadataMap,
    message: &impl Message,
) -> Result<Request, Status> {
    let values = metadata.get_all("idempotency-key");
    let values = values.iter().map(|value| value.as_bytes());
    let key = IdempotencyKey::of_headers(values).map_err(|bad| status(&bad_request(&bad)))?;
    // The bytes that were sent are gone; those of the message as we encode it stand for them.
    let sha256 = request_sha256(&message.encode_to_vec());
    Ok(Request { command: key.command_id(&asker.officer, path), sha256 })
}

pub(crate) fn answer(shown: &Shown) -> v1::AlertView {
    let on_disk = shown.on_disk().iter().map(|&place| place.to_owned()).collect();
    let view = view::message(&shown.row, shown.text.as_deref(), shown.held);
    v1::AlertView { on_disk, ..view }
}

/// A problem as a status: the code and the fields are in the message.
pub(crate) fn status(problem: &Problem) -> Status {
    let code = match problem.status().as_u16() {
        400 | 413 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        409 => Code::FailedPrecondition,
        429 => Code::ResourceExhausted,
        503 => Code::Unavailable,
        _ => Code::Internal,
    };
    let fields = problem.errors().iter().map(|error| format!("{}: {}", error.field, error.reason));
    let fields = fields.collect::<Vec<_>>().join("; ");
    let message = format!("{}: {} {fields}", problem.code(), problem.detail());
    let mut status = Status::new(code, message.trim_end());
    if let Some(seconds) = problem.retry_after_s() {
        status.metadata_mut().insert("retry-after", seconds.into());
    }
    status
}

pub(crate) fn note(text: &str) -> Result<Option<String>, Status> {
    request::note_text(text, false).map_err(|bad| status(&bad_request(&bad)))
}

pub(crate) fn commune(code: &str) -> Result<Option<CommuneCode>, Status> {
    let parse = |code: &str| commune_of(code).map_err(|problem| status(&problem));
    Some(code).filter(|code| !code.is_empty()).map(parse).transpose()
}

#[tonic::async_trait]
impl IntakeService for Grpc {
    type WatchCommuneStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchCommuneResponse, Status>> + Send>>;

    async fn raise_alert(
        &self,
        request: tonic::Request<v1::RaiseAlertRequest>,
    ) -> Result<Response<v1::RaiseAlertResponse>, Status> {
        let (asker, _) = self.asker(request.metadata())?;
        let asked = request_of(&asker, "/v1/alerts", request.metadata(), request.get_ref())?;
        let fields = request.into_inner().alert.unwrap_or_default();
        let host = &self.0.host;
        let known = EdgeKnown { now: host.clock.now(), map: host.map.as_ref() };
        let draft = request::raise_fields(fields, &known);
        let shown = match draft {
            Ok(draft) => self.0.raise(&asker, asked, draft).await,
            // A good request whose time has passed is answered as it was, for ever.
            Err(bad) => self.repeated(&asker, asked, &bad).await,
        };
        let shown = shown.map_err(|p| status(&p))?;
        Ok(Response::new(v1::RaiseAlertResponse { alert: Some(answer(&shown)) }))
    }

    async fn get_alert(
        &self,
        request: tonic::Request<v1::GetAlertRequest>,
    ) -> Result<Response<v1::GetAlertResponse>, Status> {
        let reading = self.reading(request.metadata())?;
        let id = request.get_ref().id.parse().map_err(|_| status(&not_found()))?;
        let shown = self.0.get(&reading, id).await.map_err(|p| status(&p))?;
        let mut alert = answer(&shown);
        let words = self.0.read_pending((&reading).into(), &shown.row).await;
        if let (Some(pending), Some((facts, text))) =
            (&mut alert.pending, words.map_err(|p| status(&p))?)
        {
            pending.fields = Some(request::alert_fields(&facts, &text));
        }
        Ok(Response::new(v1::GetAlertResponse { alert: Some(alert) }))
    }

    async fn list_alerts(
        &self,
        request: tonic::Request<v1::ListAlertsRequest>,
    ) -> Result<Response<v1::ListAlertsResponse>, Status> {
        let reading = self.reading(request.metadata())?;
        let asked = request.into_inner();
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let after = some(asked.after)
            .map(|after| after.parse().map_err(|_| status(&invalid("after", NO_ALERT_ID))))
            .transpose()?;
        let filter = Filter {
            commune: commune(&asked.commune)?,
            state: some(asked.state),
            kind: some(asked.kind),
            after,
        };
        known_words(&filter).map_err(|p| status(&p))?;
        let (shown, next) = self.0.list(&reading, &filter).await.map_err(|p| status(&p))?;
        let banners = self.0.banners_for(&reading.asker).await.map_err(|p| status(&p))?;
        let next = next.map(|next| next.to_string()).unwrap_or_default();
        let alerts = shown.iter().map(answer).collect();
        Ok(Response::new(v1::ListAlertsResponse { alerts, next, banners }))
    }

    async fn cancel_alert(
        &self,
        request: tonic::Request<v1::CancelAlertRequest>,
    ) -> Result<Response<v1::CancelAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let act = Act::Cancel { note: note(&asked.note)? };
        let alert = self.act(&metadata, (&asked.id, "cancel"), &asked, act).await?;
        Ok(Response::new(v1::CancelAlertResponse { alert }))
    }

    async fn resolve_alert(
        &self,
        request: tonic::Request<v1::ResolveAlertRequest>,
    ) -> Result<Response<v1::ResolveAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let act = Act::Resolve { note: note(&asked.note)? };
        let alert = self.act(&metadata, (&asked.id, "resolve"), &asked, act).await?;
        Ok(Response::new(v1::ResolveAlertResponse { alert }))
    }

    async fn approve_alert(
        &self,
        request: tonic::Request<v1::ApproveAlertRequest>,
    ) -> Result<Response<v1::ApproveAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let revision = request::revision(asked.revision);
        let revision = revision.map_err(|bad| status(&bad_request(&bad)))?;
        let act = Act::Approve { revision };
        let alert = self.act(&metadata, (&asked.id, "approve"), &asked, act).await?;
        Ok(Response::new(v1::ApproveAlertResponse { alert }))
    }

    async fn acknowledge_alert(
        &self,
        request: tonic::Request<v1::AcknowledgeAlertRequest>,
    ) -> Result<Response<v1::AcknowledgeAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let act = Act::Acknowledge { commune: commune(&asked.commune)?, note: note(&asked.note)? };
        let alert = self.act(&metadata, (&asked.id, "acknowledge"), &asked, act).await?;
        Ok(Response::new(v1::AcknowledgeAlertResponse { alert }))
    }

    async fn refuse_alert(
        &self,
        request: tonic::Request<v1::RefuseAlertRequest>,
    ) -> Result<Response<v1::RefuseAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let act = Act::Refuse { commune: commune(&asked.commune)?, note: note(&asked.note)? };
        let alert = self.act(&metadata, (&asked.id, "refuse"), &asked, act).await?;
        Ok(Response::new(v1::RefuseAlertResponse { alert }))
    }

    async fn list_deliveries(
        &self,
        request: tonic::Request<v1::ListDeliveriesRequest>,
    ) -> Result<Response<v1::ListDeliveriesResponse>, Status> {
        let (asker, _) = self.asker(request.metadata())?;
        let id = request.get_ref().id.parse().map_err(|_| status(&not_found()))?;
        let told = self.0.deliveries(&asker, id).await.map_err(|p| status(&p))?;
        let deliveries = seen(&told, self.0.host.clock.now()).map(|seen| seen.message()).collect();
        let attested = told.row.asked.as_ref().map(|asked| asked.attested.clone());
        let attested = attested.unwrap_or_default();
        Ok(Response::new(v1::ListDeliveriesResponse { deliveries, attested }))
    }

    async fn watch_commune(
        &self,
        request: tonic::Request<v1::WatchCommuneRequest>,
    ) -> Result<Response<Self::WatchCommuneStream>, Status> {
        let (asker, token) = self.asker(request.metadata())?;
        let asked = request.into_inner();
        let named = commune(&asked.commune)?;
        let scope = scope_of(&self.0, &asker, named).map_err(|p| status(&p))?;
        let last = Some(asked.last_event_id).filter(|id| !id.is_empty());
        let seen = last
            .map(|id| id.parse().map_err(|()| status(&invalid("last_event_id", NO_EVENT_ID))))
            .transpose()?;
        self.0.has_come_to(seen).await.map_err(|p| status(&p))?;
        let told = watch(Arc::clone(&self.0), asker, Some(Credential::Token(token)), scope, seen);
        let told = told.map(|told| {
            let (event, data_json) = (told.event.to_owned(), told.data.to_string());
            Ok(v1::WatchCommuneResponse { id: told.id, event, data_json })
        });
        Ok(Response::new(Box::pin(told)))
    }
}
