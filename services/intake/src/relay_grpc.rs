//! What a commune adds to an alert that was relayed to it, over gRPC.

use tonic::{Response, Status};
use wire::v1::{self, relay_service_server::RelayService};

use crate::{
    Grpc,
    acts::Act,
    grpc::{commune, status},
    refused::{bad_request, not_found},
    relay_acts::RelayAct,
    request::{self, Onward},
    view::time,
};

#[tonic::async_trait]
impl RelayService for Grpc {
    async fn instruct_alert(
        &self,
        request: tonic::Request<v1::InstructAlertRequest>,
    ) -> Result<Response<v1::InstructAlertResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let instruction = request::instruction_text(&asked.instruction);
        let instruction = instruction.map_err(|bad| status(&bad_request(&bad)))?;
        let act = RelayAct::Instruct { commune: commune(&asked.commune)?, instruction };
        let path = (asked.id.as_str(), "instructions");
        let alert = self.act(&metadata, path, &asked, Act::OfRelay(act)).await?;
        Ok(Response::new(v1::InstructAlertResponse { alert }))
    }

    async fn list_instructions(
        &self,
        request: tonic::Request<v1::ListInstructionsRequest>,
    ) -> Result<Response<v1::ListInstructionsResponse>, Status> {
        let reading = self.reading(request.metadata())?;
        let id = request.get_ref().id.parse().map_err(|_| status(&not_found()))?;
        let all = self.0.instructions(&reading, id).await.map_err(|p| status(&p))?;
        let instructions = all.into_iter().map(|one| v1::InstructionView {
            commune: one.commune.to_string(),
            instruction: one.text.unwrap_or_default(),
            officer: one.officer,
            at: time(one.at),
        });
        let instructions = instructions.collect();
        Ok(Response::new(v1::ListInstructionsResponse { instructions }))
    }

    async fn relay_alert_onward(
        &self,
        request: tonic::Request<v1::RelayAlertOnwardRequest>,
    ) -> Result<Response<v1::RelayAlertOnwardResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let map = self.0.host.map.as_ref();
        let onward = request::onward_fields(&asked.communes, &asked.note, map);
        let Onward { to, note } = onward.map_err(|bad| status(&bad_request(&bad)))?;
        let act = RelayAct::Onward { commune: commune(&asked.commune)?, to, note };
        let path = (asked.id.as_str(), "relay");
        let alert = self.act(&metadata, path, &asked, Act::OfRelay(act)).await?;
        Ok(Response::new(v1::RelayAlertOnwardResponse { alert }))
    }
}
