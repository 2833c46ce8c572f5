//! Erasures and legal holds over gRPC.

use wire::v1::erasure_service_client::ErasureServiceClient;

use super::*;

const BASIS: &str = "subject-request";

/// A client, and an alert that is over.
async fn over(server: &Server) -> (ErasureServiceClient<Routes>, String) {
    let id = server.raise(&notice(24), "raise").await.unwrap().id;
    let resolve = v1::ResolveAlertRequest { id: id.clone(), ..Default::default() };
    let mut people = IntakeServiceClient::new(server.routes.clone());
    people.resolve_alert(asked(&server.token, "over", resolve)).await.unwrap();
    (ErasureServiceClient::new(server.routes.clone()), id)
}

fn confirm(id: &str, basis: &str) -> v1::ConfirmErasureRequest {
    v1::ConfirmErasureRequest { id: id.to_owned(), basis: basis.to_owned() }
}

#[tokio::test]
async fn one_asks_another_confirms_and_it_is_erased() {
    let server = Server::begin().await;
    let commander = commander(&server.host).await;
    let (mut client, id) = over(&server).await;
    let note = "Theo đơn của gia đình.".to_owned();
    let ask = v1::AskErasureRequest { id: id.clone(), basis: BASIS.to_owned(), note: note.clone() };
    for _again in 0..2 {
        let asking = client.ask_erasure(asked(&server.token, "a", ask.clone())).await.unwrap();
        let seen = asking.into_inner().erasure.unwrap();
        assert_eq!((seen.state.as_str(), seen.asked_by.as_str()), ("asked", "an"));
        assert_eq!((seen.basis.as_str(), seen.note.as_str()), (BASIS, note.as_str()));
    }
    let own = client.confirm_erasure(asked(&server.token, "own", confirm(&id, BASIS))).await;
    assert_eq!(own.unwrap_err().code(), Code::PermissionDenied);
    let other = confirm(&id, "authority");
    let other = client.confirm_erasure(asked(&commander, "other", other)).await.unwrap_err();
    assert_eq!(other.code(), Code::FailedPrecondition, "{other:?}");
    let yes = client.confirm_erasure(asked(&commander, "yes", confirm(&id, BASIS))).await.unwrap();
    let state = yes.into_inner().erasure.unwrap().state;
    assert!(["ordered", "erased"].contains(&state.as_str()), "{state}");
    let erased = async {
        loop {
            let get = asked(&commander, "-", v1::GetErasureRequest { id: id.clone() });
            let seen = client.get_erasure(get).await.unwrap().into_inner().erasure.unwrap();
            if seen.state == "erased" {
                return seen;
            }
            tokio::task::yield_now().await;
        }
    };
    let seen = tokio::time::timeout(WITHIN, erased).await.unwrap();
    assert_eq!((seen.confirmed_by.as_str(), seen.note.as_str()), ("binh", ""));
    server.end().await;
}

#[tokio::test]
async fn a_hold_of_two_persons_stops_it_until_two_lift_it() {
    let server = Server::begin().await;
    let commander = commander(&server.host).await;
    let (mut client, id) = over(&server).await;
    let hold = v1::SetLegalHoldRequest { id: id.clone(), note: "Vụ án.".to_owned() };
    for (token, state) in [(&server.token, "asked"), (&commander, "in-force")] {
        let set = client.set_legal_hold(asked(token, "h", hold.clone())).await.unwrap();
        let seen = set.into_inner().erasure.unwrap().legal_hold.unwrap();
        assert_eq!((seen.state.as_str(), seen.note.as_str()), (state, "Vụ án."));
    }
    let ask =
        v1::AskErasureRequest { id: id.clone(), basis: BASIS.to_owned(), ..Default::default() };
    let held = client.ask_erasure(asked(&server.token, "a", ask)).await.unwrap_err();
    assert!(held.message().starts_with("legal-hold: "), "{held:?}");
    let lift = v1::LiftLegalHoldRequest { id: id.clone(), ..Default::default() };
    let lifted = client.lift_legal_hold(asked(&commander, "l", lift)).await.unwrap();
    let seen = lifted.into_inner().erasure.unwrap().legal_hold.unwrap();
    assert_eq!((seen.state.as_str(), seen.lift_asked_by.as_str()), ("lift-asked", "binh"));
    server.end().await;
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = Server::begin().await;
    let (mut client, id) = over(&server).await;
    for (basis, named) in [("", "basis: "), ("retention", "basis: "), ("restored", "basis: ")] {
        let ask =
            v1::AskErasureRequest { id: id.clone(), basis: basis.to_owned(), ..Default::default() };
        let refused = client.ask_erasure(asked(&server.token, "a", ask)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        assert!(refused.message().contains(named), "{refused:?}");
    }
    let unknown = asked(&server.token, "-", v1::GetErasureRequest { id: "x".to_owned() });
    assert_eq!(client.get_erasure(unknown).await.unwrap_err().code(), Code::NotFound);
    let nobody = Request::new(v1::GetErasureRequest { id });
    assert_eq!(client.get_erasure(nobody).await.unwrap_err().code(), Code::Unauthenticated);
    server.end().await;
}
