//! `AuditService` over gRPC: the same replay, for the same people.

use chassis::{Host, auth::token_holder};
use domain::ids::Millis;
use futures::{StreamExt, stream::BoxStream};
use history::{Asked, Filter, Line, ReplayError};
use tonic::{Request, Response, Status, metadata::MetadataMap};
use wire::v1::{
    ReplayRequest, ReplayResponse,
    audit_service_server::{AuditService, AuditServiceServer},
};

use crate::{http::traced, replay::Replayer};

/// The service.
pub struct Grpc {
    host: Host,
    replayer: Replayer,
}

/// The service, for a server of this process. Metadata: `authorization: Bearer TOKEN`.
#[must_use]
pub fn grpc(host: &Host, replayer: Replayer) -> AuditServiceServer<Grpc> {
    AuditServiceServer::new(Grpc::new(host, replayer))
}

#[tonic::async_trait]
impl AuditService for Grpc {
    type ReplayStream = BoxStream<'static, Result<ReplayResponse, Status>>;

    async fn replay(
        &self,
        request: Request<ReplayRequest>,
    ) -> Result<Response<Self::ReplayStream>, Status> {
        self.authorise(request.metadata())?;
        let filter = filter(request.get_ref())?;
        let lines = self.replayer.lines(Asked { filter, after: 0 });
        Ok(Response::new(lines.map(|line| line.map(said).map_err(unreadable)).boxed()))
    }
}

impl Grpc {
    /// The service; see [`grpc`].
    #[must_use]
    pub fn new(host: &Host, replayer: Replayer) -> Self {
        Self { host: host.clone(), replayer }
    }

    fn authorise(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let unknown = || Status::unauthenticated("unauthorized: a valid bearer token is needed");
        let value = metadata.get("authorization").and_then(|value| value.to_str().ok());
        let (scheme, token) = value.and_then(|value| value.split_once(' ')).ok_or_else(unknown)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unknown());
        }
        let asker = token_holder(&self.host, token.trim()).ok_or_else(unknown)?;
        if !asker.standing.reads_audit() {
            return Err(Status::permission_denied("forbidden: this role may not do that"));
        }
        Ok(())
    }
}

fn filter(request: &ReplayRequest) -> Result<Filter, Status> {
    let pairs = [("alert", request.alert.as_str()), ("commune", request.commune.as_str())];
    let asked = Asked::parse(pairs).map_err(|wrong| Status::invalid_argument(wrong.to_string()))?;
    let instant = |ms: i64| (ms != 0).then_some(Millis(ms));
    let (from, to) = (instant(request.from_ms), instant(request.to_ms));
    Ok(Filter { from, to, ..asked.filter })
}

fn said(line: Line) -> ReplayResponse {
    ReplayResponse {
        position: line.position,
        at_ms: line.at.0,
        entity: line.entity,
        version: line.version,
        r#type: line.kind,
        actor: line.actor,
        causation: line.causation,
        data_json: line.data.to_string(),
        id: line.id,
        attested: line.attested,
        key: line.key,
    }
}

fn unreadable(error: ReplayError) -> Status {
    traced(&error);
    match error {
        ReplayError::Log(_) => Status::unavailable("unavailable: the log cannot be read now"),
        ReplayError::Journal(_) => Status::data_loss("audit-damaged: the journal is damaged"),
    }
}
