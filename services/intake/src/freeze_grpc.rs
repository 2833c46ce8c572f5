//! Freezes and recalls over gRPC; the same rules as over HTTP.

use std::sync::Arc;

use domain::{freeze::Frozen, rights::Asker};
use prost::Message;
use tonic::{Response, Status, metadata::MetadataMap};
use wire::v1::{self, freeze_service_server::FreezeService};

use crate::{
    Grpc, Intake,
    freeze_http::asking_path,
    freezing::{FreezeSeen, Wanted, no_such_freeze},
    grpc::{answer, request_of, status},
    refused::bad_request,
    request::{self, BadRequest},
};

/// Freezes and recalls of an intake over gRPC.
#[derive(Clone)]
pub struct FreezeGrpc {
    intake: Arc<Intake>,
    people: Grpc,
}

impl FreezeGrpc {
    /// The service of this intake.
    #[must_use]
    pub fn new(intake: Arc<Intake>) -> Self {
        Self { people: Grpc::new(Arc::clone(&intake)), intake }
    }

    fn asker(&self, metadata: &MetadataMap) -> Result<Asker, Status> {
        self.people.asker(metadata).map(|(asker, _)| asker)
    }

    async fn freeze(
        &self,
        metadata: &MetadataMap,
        (of, action): (Frozen, &str),
        message: &impl Message,
        wanted: Wanted,
    ) -> Result<Option<v1::FreezeView>, Status> {
        let asker = self.asker(metadata)?;
        let path = format!("{}{action}", asking_path(&of));
        let request = request_of(&asker, &path, metadata, message)?;
        let seen = self.intake.freeze(&asker, request, of, wanted).await;
        seen.map(|seen| Some(seen.message())).map_err(|problem| status(&problem))
    }
}

fn bad(bad: BadRequest) -> Status {
    status(&bad_request(&bad))
}

fn named(id: &str) -> Result<Frozen, Status> {
    Frozen::of_name(id).ok_or_else(|| status(&no_such_freeze()))
}

#[tonic::async_trait]
impl FreezeService for FreezeGrpc {
    async fn ask_freeze(
        &self,
        request: tonic::Request<v1::AskFreezeRequest>,
    ) -> Result<Response<v1::AskFreezeResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let given = asked.clone();
        let whom = (Some(given.officer), Some(given.commune));
        let about = request::about(whom, ("until", Some(given.until)), Some(given.note));
        let about = about.map_err(bad)?;
        let wanted = Wanted::Freeze { until: about.time, note: about.note };
        let freeze = self.freeze(&metadata, (about.of, ""), &asked, wanted).await?;
        Ok(Response::new(v1::AskFreezeResponse { freeze }))
    }

    async fn confirm_freeze(
        &self,
        request: tonic::Request<v1::ConfirmFreezeRequest>,
    ) -> Result<Response<v1::ConfirmFreezeResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let until = request::until_text(&asked.until).map_err(bad)?;
        let of = named(&asked.id)?;
        let wanted = Wanted::Confirm { until };
        let freeze = self.freeze(&metadata, (of, "/confirm"), &asked, wanted).await?;
        Ok(Response::new(v1::ConfirmFreezeResponse { freeze }))
    }

    async fn lift_freeze(
        &self,
        request: tonic::Request<v1::LiftFreezeRequest>,
    ) -> Result<Response<v1::LiftFreezeResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let note = request::note_text(&asked.note, false).map_err(bad)?;
        let of = named(&asked.id)?;
        let freeze = self.freeze(&metadata, (of, "/lift"), &asked, Wanted::Lift { note }).await?;
        Ok(Response::new(v1::LiftFreezeResponse { freeze }))
    }

    async fn list_freezes(
        &self,
        request: tonic::Request<v1::ListFreezesRequest>,
    ) -> Result<Response<v1::ListFreezesResponse>, Status> {
        let asker = self.asker(request.metadata())?;
        let freezes = self.intake.freezes(&asker).await.map_err(|problem| status(&problem))?;
        let freezes = freezes.iter().map(FreezeSeen::message).collect();
        Ok(Response::new(v1::ListFreezesResponse { freezes }))
    }

    async fn recall_alerts(
        &self,
        request: tonic::Request<v1::RecallAlertsRequest>,
    ) -> Result<Response<v1::RecallAlertsResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let asker = self.asker(&metadata)?;
        let request = request_of(&asker, "/v1/recalls", &metadata, &asked)?;
        let whom = (Some(asked.officer), Some(asked.commune));
        let about = request::about(whom, ("since", Some(asked.since)), Some(asked.note));
        let about = about.map_err(bad)?;
        let recalled = self.intake.recall(&asker, request, &about).await;
        let recalled = recalled.map_err(|problem| status(&problem))?;
        let alerts = recalled.alerts.iter().map(answer).collect();
        let remaining = u32::try_from(recalled.remaining).unwrap_or(u32::MAX);
        Ok(Response::new(v1::RecallAlertsResponse { alerts, remaining }))
    }
}
