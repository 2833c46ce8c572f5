//! Erasures and legal holds over gRPC; the same rules as over HTTP.

use std::sync::Arc;

use domain::ids::AlertId;
use prost::Message;
use tonic::{Response, Status, metadata::MetadataMap};
use wire::v1::{self, erasure_service_server::ErasureService};

use crate::{
    Grpc, Intake,
    erasures::Wanted,
    grpc::{note, request_of, status},
    refused::{bad_request, not_found},
    request::{self, BadRequest},
};

/// Erasures and legal holds of an intake over gRPC.
#[derive(Clone)]
pub struct ErasureGrpc {
    intake: Arc<Intake>,
    people: Grpc,
}

impl ErasureGrpc {
    /// The service of this intake.
    #[must_use]
    pub fn new(intake: Arc<Intake>) -> Self {
        Self { people: Grpc::new(Arc::clone(&intake)), intake }
    }

    async fn ask(
        &self,
        metadata: &MetadataMap,
        (id, action): (&str, &str),
        message: &impl Message,
        wanted: Wanted,
    ) -> Result<Option<v1::ErasureView>, Status> {
        let (asker, _) = self.people.asker(metadata)?;
        let alert = alert_of(id)?;
        let path = format!("/v1/alerts/{alert}/{action}");
        let request = request_of(&asker, &path, metadata, message)?;
        let seen = self.intake.ask_erasure(&asker, request, alert, wanted).await;
        seen.map(|seen| Some(seen.message())).map_err(|problem| status(&problem))
    }
}

fn alert_of(id: &str) -> Result<AlertId, Status> {
    id.parse().map_err(|_| status(&not_found()))
}

fn bad(bad: BadRequest) -> Status {
    status(&bad_request(&bad))
}

#[tonic::async_trait]
impl ErasureService for ErasureGrpc {
    async fn ask_erasure(
        &self,
        request: tonic::Request<v1::AskErasureRequest>,
    ) -> Result<Response<v1::AskErasureResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let given = asked.clone();
        let (basis, note) =
            request::erase_fields(Some(given.basis), Some(given.note)).map_err(bad)?;
        let wanted = Wanted::Ask { basis, note };
        let erasure = self.ask(&metadata, (&asked.id, "erase"), &asked, wanted).await?;
        Ok(Response::new(v1::AskErasureResponse { erasure }))
    }

    async fn confirm_erasure(
        &self,
        request: tonic::Request<v1::ConfirmErasureRequest>,
    ) -> Result<Response<v1::ConfirmErasureResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let basis = request::erase_basis_of(Some(asked.basis.clone())).map_err(bad)?;
        let wanted = Wanted::Confirm { basis };
        let erasure = self.ask(&metadata, (&asked.id, "erase/confirm"), &asked, wanted).await?;
        Ok(Response::new(v1::ConfirmErasureResponse { erasure }))
    }

    async fn get_erasure(
        &self,
        request: tonic::Request<v1::GetErasureRequest>,
    ) -> Result<Response<v1::GetErasureResponse>, Status> {
        let (asker, _) = self.people.asker(request.metadata())?;
        let alert = alert_of(&request.get_ref().id)?;
        let seen = self.intake.erasure(&asker, alert).await;
        let erasure = Some(seen.map_err(|problem| status(&problem))?.message());
        Ok(Response::new(v1::GetErasureResponse { erasure }))
    }

    async fn set_legal_hold(
        &self,
        request: tonic::Request<v1::SetLegalHoldRequest>,
    ) -> Result<Response<v1::SetLegalHoldResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let wanted = Wanted::Hold { note: note(&asked.note)? };
        let erasure = self.ask(&metadata, (&asked.id, "legal-hold"), &asked, wanted).await?;
        Ok(Response::new(v1::SetLegalHoldResponse { erasure }))
    }

    async fn lift_legal_hold(
        &self,
        request: tonic::Request<v1::LiftLegalHoldRequest>,
    ) -> Result<Response<v1::LiftLegalHoldResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let wanted = Wanted::Lift { note: note(&asked.note)? };
        let erasure = self.ask(&metadata, (&asked.id, "legal-hold/lift"), &asked, wanted).await?;
        Ok(Response::new(v1::LiftLegalHoldResponse { erasure }))
    }
}
