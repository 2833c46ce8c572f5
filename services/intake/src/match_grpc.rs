//! Matches over gRPC.

use domain::matching::decision::Verdict;
use prost::Message;
use tonic::{Response, Status, metadata::MetadataMap};
use wire::v1::{self, matching_service_server::MatchingService};

use crate::{
    Grpc,
    grpc::{commune, note, request_of, status},
    http::scope_of,
    match_http::{after_of, match_id, path_of, state_of},
    match_view::message,
    matches::{MatchAnswer, no_such_match},
};

impl Grpc {
    async fn answer_match(
        &self,
        metadata: &MetadataMap,
        id: &str,
        sent: &impl Message,
        answer: MatchAnswer,
    ) -> Result<Option<v1::MatchView>, Status> {
        let (asker, _) = self.asker(metadata)?;
        let id = match_id(id).ok_or_else(|| status(&no_such_match()))?;
        let request = request_of(&asker, &path_of(&id, answer.verdict), metadata, sent)?;
        let answered = self.0.answer_match(&asker, request, &id, answer).await;
        Ok(Some(message(&answered.map_err(|p| status(&p))?.shown)))
    }
}

#[tonic::async_trait]
impl MatchingService for Grpc {
    async fn list_matches(
        &self,
        request: tonic::Request<v1::ListMatchesRequest>,
    ) -> Result<Response<v1::ListMatchesResponse>, Status> {
        let reading = self.reading(request.metadata())?;
        let asked = request.into_inner();
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let state = some(asked.state).map(|word| state_of(&word)).transpose();
        let state = state.map_err(|p| status(&p))?;
        let after = some(asked.after).map(|id| after_of(&id)).transpose();
        let after = after.map_err(|p| status(&p))?;
        let scope = scope_of(&self.0, &reading.asker, commune(&asked.commune)?);
        let scope = scope.map_err(|p| status(&p))?;
        let page = self.0.matches(&reading, scope, state, after.as_ref()).await;
        let (shown, next) = page.map_err(|p| status(&p))?;
        let matches = shown.iter().map(message).collect();
        let next = next.map(|next| next.to_string()).unwrap_or_default();
        Ok(Response::new(v1::ListMatchesResponse { matches, next }))
    }

    async fn confirm_match(
        &self,
        request: tonic::Request<v1::ConfirmMatchRequest>,
    ) -> Result<Response<v1::ConfirmMatchResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let (commune, note) = (commune(&asked.commune)?, note(&asked.note)?);
        let answer = MatchAnswer { verdict: Verdict::Confirm, commune, note };
        let shown = self.answer_match(&metadata, &asked.id, &asked, answer).await?;
        Ok(Response::new(v1::ConfirmMatchResponse { r#match: shown }))
    }

    async fn dismiss_match(
        &self,
        request: tonic::Request<v1::DismissMatchRequest>,
    ) -> Result<Response<v1::DismissMatchResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let (commune, note) = (commune(&asked.commune)?, note(&asked.note)?);
        let answer = MatchAnswer { verdict: Verdict::Dismiss, commune, note };
        let shown = self.answer_match(&metadata, &asked.id, &asked, answer).await?;
        Ok(Response::new(v1::DismissMatchResponse { r#match: shown }))
    }
}
