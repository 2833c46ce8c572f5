//! Who has not been corrected yet, over gRPC.

use serde_json::json;
use tonic::{Response, Status};
use wire::v1::{self, correction_service_server::CorrectionService};

use crate::{Grpc, correction_http::group_of, grpc::status, refused::not_found};

#[tonic::async_trait]
impl CorrectionService for Grpc {
    async fn list_uncorrected(
        &self,
        request: tonic::Request<v1::ListUncorrectedRequest>,
    ) -> Result<Response<v1::ListUncorrectedResponse>, Status> {
        let (asker, _) = self.asker(request.metadata())?;
        let asked = request.get_ref();
        let id = asked.id.parse().map_err(|_| status(&not_found()))?;
        let group = some(&asked.group).map(group_of).transpose().map_err(|p| status(&p))?;
        let outstanding = self.0.uncorrected(&asker, id, group.as_ref()).await;
        let outstanding = outstanding.map_err(|p| status(&p))?;
        Ok(Response::new(outstanding.message()))
    }

    async fn attest_correction(
        &self,
        request: tonic::Request<v1::AttestCorrectionRequest>,
    ) -> Result<Response<v1::AttestCorrectionResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let body = json!({
            "group": some(&asked.group), "channel": some(&asked.channel), "note": some(&asked.note),
        });
        let body = body.to_string();
        let alert = self.act_on(&metadata, (&asked.id, "attest"), &asked, body.as_bytes()).await?;
        Ok(Response::new(v1::AttestCorrectionResponse { alert }))
    }
}

/// An empty text over gRPC is an absent one.
fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
