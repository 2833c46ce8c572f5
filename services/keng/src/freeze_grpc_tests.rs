//! Limits, freezes and recalls over gRPC.

use wire::v1::freeze_service_client::FreezeServiceClient;

use super::*;

#[tokio::test]
async fn a_flood_is_held_up_frozen_and_recalled() {
    let server = Server::begin().await;
    let commander = commander(&server.host).await;
    for n in 0..60 {
        server.raise(&notice(24), &format!("k-{n}")).await.unwrap();
    }
    let many = server.raise(&notice(24), "k-60").await.unwrap_err();
    assert_eq!(many.code(), Code::ResourceExhausted, "{many:?}");
    assert_eq!(many.metadata().get("retry-after").unwrap(), "60");
    assert_eq!(server.raise(&notice(24), "k-0").await.unwrap().state, "active");

    let mut client = FreezeServiceClient::new(server.routes.clone());
    let ask = v1::AskFreezeRequest {
        officer: "an".to_owned(),
        until: hours(2),
        note: "Lộ mã truy cập.".to_owned(),
        ..Default::default()
    };
    let asking = client.ask_freeze(asked(&server.token, "f", ask)).await.unwrap();
    let freeze = asking.into_inner().freeze.unwrap();
    assert_eq!((freeze.id.as_str(), freeze.state.as_str()), ("officer-an", "asked"));
    assert_eq!(freeze.note, "Lộ mã truy cập.");
    let yes = |until| v1::ConfirmFreezeRequest { id: "officer-an".to_owned(), until };
    let other = client.confirm_freeze(asked(&commander, "o", yes(hours(3)))).await.unwrap_err();
    assert_eq!(other.code(), Code::FailedPrecondition, "{other:?}");
    let began = client.confirm_freeze(asked(&commander, "c", yes(hours(2)))).await.unwrap();
    assert_eq!(began.into_inner().freeze.unwrap().state, "in-force");
    let frozen = server.raise(&notice(24), "k-61").await.unwrap_err();
    assert_eq!(frozen.code(), Code::PermissionDenied, "{frozen:?}");
    assert!(frozen.message().starts_with("frozen: "), "{frozen:?}");

    let list = asked(&commander, "-", v1::ListFreezesRequest {});
    let freezes = client.list_freezes(list).await.unwrap().into_inner().freezes;
    assert_eq!(freezes.len(), 1);
    let mut people = IntakeServiceClient::new(server.routes.clone());
    let list = asked(&commander, "-", v1::ListAlertsRequest::default());
    let banners = people.list_alerts(list).await.unwrap().into_inner().banners;
    assert!(banners.len() == 1 && banners[0].starts_with("Tài khoản an đang bị khóa"));

    let recall =
        v1::RecallAlertsRequest { officer: "an".to_owned(), since: hours(0), ..Default::default() };
    let recalled = client.recall_alerts(asked(&commander, "r", recall)).await.unwrap().into_inner();
    assert_eq!((recalled.alerts.len(), recalled.remaining), (60, 0));
    assert!(recalled.alerts.iter().all(|alert| alert.state == "cancelled"));

    let lift = v1::LiftFreezeRequest { id: "nobody".to_owned(), ..Default::default() };
    let unknown = client.lift_freeze(asked(&commander, "l", lift)).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound, "{unknown:?}");
    server.end().await;
}
