//! Who has not been corrected yet, over gRPC.

use wire::v1::correction_service_client::CorrectionServiceClient;

use super::*;

#[tokio::test]
async fn nobody_is_to_be_corrected_where_nobody_was_told() {
    let server = Server::begin().await;
    let id = server.raise(&notice(1), "k").await.unwrap().id;
    let mut client = CorrectionServiceClient::new(server.routes.clone());
    let list = |id: &str| {
        asked(
            &server.token,
            "-",
            v1::ListUncorrectedRequest { id: id.to_owned(), ..Default::default() },
        )
    };
    let before = client.list_uncorrected(list(&id)).await.unwrap().into_inner();
    assert_eq!(before, v1::ListUncorrectedResponse::default());

    let cancel = v1::CancelAlertRequest { id: id.clone(), ..Default::default() };
    let mut intake = IntakeServiceClient::new(server.routes.clone());
    intake.cancel_alert(asked(&server.token, "c", cancel)).await.unwrap();
    let after = client.list_uncorrected(list(&id)).await.unwrap().into_inner();
    assert_eq!((after.revision, after.news.as_str()), (2, "cancelled"));
    assert!(after.uncorrected.is_empty(), "{after:?}");

    let told = |group: &str, note: &str| v1::AttestCorrectionRequest {
        id: id.clone(),
        group: group.to_owned(),
        note: note.to_owned(),
        ..v1::AttestCorrectionRequest::default()
    };
    for (request, field) in [(told("g-1", ""), "note"), (told("g-1", "Đã gọi."), "group")] {
        let refused = client.attest_correction(asked(&server.token, field, request)).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        assert!(refused.message().contains(&format!("{field}: ")), "{refused:?}");
    }

    let unknown = client.list_uncorrected(list("x")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound, "{unknown:?}");
    let nobody = Request::new(v1::ListUncorrectedRequest { id, ..Default::default() });
    let refused = client.list_uncorrected(nobody).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused:?}");
    server.end().await;
}
