//! Preflight and the staff over gRPC.

use wire::v1::{
    preflight_service_client::PreflightServiceClient, staff_service_client::StaffServiceClient,
};

use super::*;

fn hazard() -> v1::AlertFields {
    v1::AlertFields {
        kind: "hazard".to_owned(),
        status: "actual".to_owned(),
        commune: "25126".to_owned(),
        headline: "Sạt lở đường vào xã".to_owned(),
        expires: Timestamp::from_millisecond(now().0 + 3_600_000).unwrap().to_string(),
        reach: Some(v1::ReachFields { mode: "auto".to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

#[tokio::test]
async fn staff_is_imported_and_seen_before_a_raise() {
    let server = Server::begin().await;
    let admin = token_as(&server.host, "quan-tri", Standing::Admin, 9).await;
    let mut staff = StaffServiceClient::new(server.routes.clone());
    let lines = "{\"officer\":\"binh\",\"name\":\"Bình\",\"phone\":\"113\"}\n\
                 {\"contact\":\"binh\",\"commune\":\"25126\",\"order\":1}";
    let file = v1::ImportOfficersRequest { lines: lines.into() };
    let refused = staff.import_officers(asked(&server.token, "k", file.clone())).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    for recorded in [2, 0] {
        let answer = staff.import_officers(asked(&admin, "k", file.clone())).await.unwrap();
        assert_eq!(answer.into_inner().recorded, recorded);
    }
    let wrong = v1::ImportOfficersRequest { lines: "{}".into() };
    let refused = staff.import_officers(asked(&admin, "k", wrong)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);

    let mut preflight = PreflightServiceClient::new(server.routes.clone());
    let raise = v1::PreflightRaiseRequest { alert: Some(hazard()) };
    let seen = preflight.preflight_raise(asked(&server.token, "k", raise)).await.unwrap();
    let seen = seen.into_inner().preflight.unwrap();
    assert_eq!((seen.communes, seen.communes_on_duty, seen.groups), (1, 0, 0));
    assert_eq!(seen.second_person, "not-needed");
    assert!(seen.json.contains("nobody-on-duty") && seen.json.contains("no-groups"));

    let unknown = v1::PreflightAlertRequest { id: "x".to_owned() };
    let refused = preflight.preflight_alert(asked(&server.token, "k", unknown)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let all = v1::PreflightInstallationRequest {};
    let refused = preflight.preflight_installation(asked(&server.token, "k", all)).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let seen =
        preflight.preflight_installation(asked(&admin, "k", all)).await.unwrap().into_inner();
    assert!(!seen.fit && seen.json.contains("no-groups"), "{}", seen.json);
    server.end().await;
}
