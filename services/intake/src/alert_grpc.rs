//! What is asked of an alert between its raise and its end, over gRPC.

use domain::ids::AlertId;
use prost::Message;
use tonic::{Response, Status, metadata::MetadataMap};
use wire::v1::{self, alert_service_server::AlertService};

use crate::{
    Grpc,
    acts::Act,
    alert_acts::AlertAct,
    grpc::{answer, commune, note, request_of, status},
    refused::{bad_request, not_found},
    request::{self, BadRequest, EdgeKnown},
};

type Answered = Result<Option<v1::AlertView>, Status>;

impl Grpc {
    /// Acts whose body means something only beside the alert as it stands: the bytes are those of
    /// the body over HTTP.
    pub(crate) async fn act_on(
        &self,
        metadata: &MetadataMap,
        (id, action): (&str, &str),
        message: &impl Message,
        body: &[u8],
    ) -> Answered {
        let (asker, _) = self.asker(metadata)?;
        let alert: AlertId = id.parse().map_err(|_| status(&not_found()))?;
        let path = format!("/v1/alerts/{id}/{action}");
        let request = request_of(&asker, &path, metadata, message)?;
        let shown = match self.0.asked_act(&asker, alert, action, (body, None)).await {
            Ok(act) => self.0.act(&asker, request, alert, act).await,
            Err(bad) => self.0.repeated_act(&asker, request, alert, bad).await,
        };
        shown.map(|shown| Some(answer(&shown))).map_err(|problem| status(&problem))
    }

    fn known(&self) -> EdgeKnown<'_> {
        EdgeKnown { now: self.0.host.clock.now(), map: self.0.host.map.as_ref() }
    }
}

fn bad(bad: BadRequest) -> Status {
    status(&bad_request(&bad))
}

#[tonic::async_trait]
impl AlertService for Grpc {
    async fn decline_alert(
        &self,
        request: tonic::Request<v1::DeclineAlertRequest>,
    ) -> Result<Response<v1::DeclineAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let act = Act::OfAlert(AlertAct::Decline { note: note(&asked.note)? });
        let alert = self.act(&metadata, (&asked.id, "decline"), &asked, act).await?;
        Ok(Response::new(v1::DeclineAlertResponse { alert }))
    }

    async fn review_alert(
        &self,
        request: tonic::Request<v1::ReviewAlertRequest>,
    ) -> Result<Response<v1::ReviewAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let act = Act::OfAlert(AlertAct::Review);
        let alert = self.act(&metadata, (&asked.id, "review"), &asked, act).await?;
        Ok(Response::new(v1::ReviewAlertResponse { alert }))
    }

    async fn update_alert(
        &self,
        request: tonic::Request<v1::UpdateAlertRequest>,
    ) -> Result<Response<v1::UpdateAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let patch = asked.merge_patch_json.as_bytes();
        let alert = self.act_on(&metadata, (&asked.id, "update"), &asked, patch).await?;
        Ok(Response::new(v1::UpdateAlertResponse { alert }))
    }

    async fn correct_alert(
        &self,
        request: tonic::Request<v1::CorrectAlertRequest>,
    ) -> Result<Response<v1::CorrectAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let patch = asked.merge_patch_json.as_bytes();
        let alert = self.act_on(&metadata, (&asked.id, "correct"), &asked, patch).await?;
        Ok(Response::new(v1::CorrectAlertResponse { alert }))
    }

    async fn widen_alert(
        &self,
        request: tonic::Request<v1::WidenAlertRequest>,
    ) -> Result<Response<v1::WidenAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let reach = request::widen_fields(asked.reach.clone(), &self.known()).map_err(bad)?;
        let act = Act::OfAlert(AlertAct::Widen { reach });
        let alert = self.act(&metadata, (&asked.id, "widen"), &asked, act).await?;
        Ok(Response::new(v1::WidenAlertResponse { alert }))
    }

    async fn hold_alert(
        &self,
        request: tonic::Request<v1::HoldAlertRequest>,
    ) -> Result<Response<v1::HoldAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let act = Act::OfAlert(AlertAct::Hold);
        let alert = self.act(&metadata, (&asked.id, "hold"), &asked, act).await?;
        Ok(Response::new(v1::HoldAlertResponse { alert }))
    }

    async fn release_alert(
        &self,
        request: tonic::Request<v1::ReleaseAlertRequest>,
    ) -> Result<Response<v1::ReleaseAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let alert = self.act_on(&metadata, (&asked.id, "release"), &asked, b"").await?;
        Ok(Response::new(v1::ReleaseAlertResponse { alert }))
    }

    async fn reopen_alert(
        &self,
        request: tonic::Request<v1::ReopenAlertRequest>,
    ) -> Result<Response<v1::ReopenAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let act = Act::OfAlert(AlertAct::Reopen { note: note(&asked.note)? });
        let alert = self.act(&metadata, (&asked.id, "reopen"), &asked, act).await?;
        Ok(Response::new(v1::ReopenAlertResponse { alert }))
    }

    async fn report_sighting(
        &self,
        request: tonic::Request<v1::ReportSightingRequest>,
    ) -> Result<Response<v1::ReportSightingResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let seen = asked.seen.clone().unwrap_or_default();
        let sighting = request::sighting_fields(seen, &asked.note, &self.known()).map_err(bad)?;
        let sighting = Box::new(sighting);
        let act = AlertAct::Sight { commune: commune(&asked.commune)?, sighting };
        let alert = self.act(&metadata, (&asked.id, "sighting"), &asked, Act::OfAlert(act)).await?;
        Ok(Response::new(v1::ReportSightingResponse { alert }))
    }
}
