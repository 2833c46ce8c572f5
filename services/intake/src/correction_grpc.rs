//! Who has not been corrected yet, over gRPC.

use tonic::{Response, Status};
use wire::v1::{self, correction_service_server::CorrectionService};

use crate::{Grpc, grpc::status, refused::not_found};

#[tonic::async_trait]
impl CorrectionService for Grpc {
    async fn list_uncorrected(
        &self,
        request: tonic::Request<v1::ListUncorrectedRequest>,
    ) -> Result<Response<v1::ListUncorrectedResponse>, Status> {
        let (asker, _) = self.asker(request.metadata())?;
        let id = request.get_ref().id.parse().map_err(|_| status(&not_found()))?;
        let outstanding = self.0.uncorrected(&asker, id).await.map_err(|p| status(&p))?;
        Ok(Response::new(outstanding.message()))
    }
}
