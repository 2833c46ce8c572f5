//! Matches over gRPC: what one misses and the other has found, confirmed by an officer.

use tonic::{Code, Request};
use wire::v1::{
    self, intake_service_client::IntakeServiceClient,
    matching_service_client::MatchingServiceClient,
};

use super::{Server, WITHIN};

fn child(kind: &str, at: &str) -> v1::AlertFields {
    v1::AlertFields {
        kind: kind.to_owned(),
        status: "actual".to_owned(),
        commune: "25126".to_owned(),
        headline: "Cháu bé 6 tuổi".to_owned(),
        last_seen: Some(v1::LastSeenFields {
            at: at.to_owned(),
            lat: Some(11.582),
            lon: Some(107.46),
            place: "chợ Đạ Tẻh".to_owned(),
        }),
        person: Some(v1::PersonFields {
            age: Some(6),
            sex: "male".to_owned(),
            ..Default::default()
        }),
        expires: "2026-11-22T10:00:00Z".to_owned(),
        reach: Some(v1::ReachFields { mode: "auto".to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

fn with_token<T>(server: &Server, asked: T) -> Request<T> {
    let mut request = Request::new(asked);
    let bearer = format!("Bearer {}", server.token);
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    request
}

#[tokio::test]
async fn a_proposal_is_listed_and_confirmed() {
    let server = Server::begin().await;
    let lost = server.raise(&child("lost-child", "2026-11-21T08:00:00Z"), "lost").await.unwrap();
    let found = server.raise(&child("found-child", "2026-11-21T09:00:00Z"), "found").await.unwrap();
    let mut client = MatchingServiceClient::new(server.routes.clone());
    let mut proposed = vec![];
    let listed = async {
        while proposed.is_empty() {
            let asked = with_token(&server, v1::ListMatchesRequest::default());
            proposed = client.list_matches(asked).await.unwrap().into_inner().matches;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WITHIN, listed).await.unwrap();
    let [proposal] = proposed.as_slice() else { panic!("{proposed:?}") };
    assert_eq!((proposal.kind.as_str(), proposal.state.as_str()), ("match", "open"));
    assert_eq!((proposal.score_per_mille, proposal.sides.len()), (1_000, 2));
    assert!(proposal.sides.iter().all(|side| side.view == "full"), "{proposal:?}");

    let id = proposal.id.clone();
    let asked = v1::ConfirmMatchRequest { id, note: "Là cháu.".to_owned(), ..Default::default() };
    let unkeyed = client.confirm_match(with_token(&server, asked.clone())).await.unwrap_err();
    assert_eq!(unkeyed.code(), Code::InvalidArgument, "{unkeyed:?}");
    let mut request = with_token(&server, asked);
    request.metadata_mut().insert("idempotency-key", "yes".parse().unwrap());
    let confirmed = client.confirm_match(request).await.unwrap().into_inner().r#match.unwrap();
    assert_eq!(confirmed.state, "confirmed");
    assert!(confirmed.sides.iter().any(|side| side.note == "Là cháu."), "{confirmed:?}");
    let mut client_of_alerts = IntakeServiceClient::new(server.routes.clone());
    let asked = with_token(&server, v1::GetAlertRequest { id: lost.id });
    let lost = client_of_alerts.get_alert(asked).await.unwrap().into_inner().alert.unwrap();
    let [related] = lost.related.as_slice() else { panic!("{lost:?}") };
    assert_eq!((&related.alert, related.state.as_str()), (&found.id, "confirmed"));
    server.end().await;
}
