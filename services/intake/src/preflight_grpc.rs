//! Preflight and the staff over gRPC; the same rules as over HTTP.

use chassis::officers::{OFFICERS_PATH, import_officers};
use tonic::{Response, Status};
use wire::v1::{
    self, preflight_service_server::PreflightService, staff_service_server::StaffService,
};

use crate::{
    Grpc,
    grpc::{request_of, status},
    preflight_view::message,
    refused::{bad_request, not_found},
    request::{self, EdgeKnown},
};

#[tonic::async_trait]
impl PreflightService for Grpc {
    async fn preflight_raise(
        &self,
        request: tonic::Request<v1::PreflightRaiseRequest>,
    ) -> Result<Response<v1::PreflightRaiseResponse>, Status> {
        let (asker, _) = self.asker(request.metadata())?;
        let fields = request.into_inner().alert.unwrap_or_default();
        let host = &self.0.host;
        let known = EdgeKnown { now: host.clock.now(), map: host.map.as_ref() };
        let draft = request::raise_fields(fields, &known);
        let draft = draft.map_err(|bad| status(&bad_request(&bad)))?;
        let seen = self.0.preflight(&asker, draft).await.map_err(|p| status(&p))?;
        let preflight = Some(message(host, &seen));
        Ok(Response::new(v1::PreflightRaiseResponse { preflight }))
    }

    async fn preflight_alert(
        &self,
        request: tonic::Request<v1::PreflightAlertRequest>,
    ) -> Result<Response<v1::PreflightAlertResponse>, Status> {
        let (asker, _) = self.asker(request.metadata())?;
        let id = request.get_ref().id.parse().map_err(|_| status(&not_found()))?;
        let (revision, seen) = self.0.preflight_of(&asker, id).await.map_err(|p| status(&p))?;
        let preflight = Some(message(&self.0.host, &seen));
        Ok(Response::new(v1::PreflightAlertResponse { preflight, revision }))
    }

    async fn preflight_installation(
        &self,
        request: tonic::Request<v1::PreflightInstallationRequest>,
    ) -> Result<Response<v1::PreflightInstallationResponse>, Status> {
        let (asker, _) = self.asker(request.metadata())?;
        let seen = self.0.installation(&asker).map_err(|p| status(&p))?;
        let (fit, json) = (seen.is_fit(), seen.json().to_string());
        Ok(Response::new(v1::PreflightInstallationResponse { fit, json }))
    }
}

#[tonic::async_trait]
impl StaffService for Grpc {
    async fn import_officers(
        &self,
        request: tonic::Request<v1::ImportOfficersRequest>,
    ) -> Result<Response<v1::ImportOfficersResponse>, Status> {
        let (asker, _) = self.asker(request.metadata())?;
        // What is there already is found by its content; the key is asked for as everywhere.
        request_of(&asker, OFFICERS_PATH, request.metadata(), request.get_ref())?;
        let lines = &request.get_ref().lines;
        let recorded = import_officers(&self.0.host, &asker, lines).await;
        let recorded = recorded.map_err(|p| status(&p))?;
        let recorded = u32::try_from(recorded).unwrap_or(u32::MAX);
        Ok(Response::new(v1::ImportOfficersResponse { recorded }))
    }
}
