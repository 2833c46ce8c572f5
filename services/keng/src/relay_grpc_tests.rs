//! What a commune adds to an alert, over gRPC.

use wire::v1::relay_service_client::RelayServiceClient;

use super::*;

#[tokio::test]
async fn a_commune_instructs_and_reads_its_instructions() {
    let server = Server::begin().await;
    let id = server.raise(&notice(1), "k").await.unwrap().id;
    let mut client = RelayServiceClient::new(server.routes.clone());
    let instruct = |instruction: &str| v1::InstructAlertRequest {
        id: id.clone(),
        instruction: instruction.to_owned(),
        commune: String::new(),
    };
    let words = "Tập trung ở nhà văn hóa.";
    let instructed =
        client.instruct_alert(asked(&server.token, "i", instruct(words))).await.unwrap();
    let view = instructed.into_inner().alert.unwrap();
    assert_eq!(view.communes[0].answer, "acknowledged");
    assert!(!view.communes[0].instructed_at.is_empty(), "{view:?}");
    let blank = client.instruct_alert(asked(&server.token, "j", instruct(""))).await.unwrap_err();
    assert_eq!(blank.code(), Code::InvalidArgument, "{blank:?}");

    let list = v1::ListInstructionsRequest { id: id.clone() };
    let listed =
        client.list_instructions(asked(&server.token, "-", list)).await.unwrap().into_inner();
    let said: Vec<(&str, &str)> = listed
        .instructions
        .iter()
        .map(|one| (one.commune.as_str(), one.instruction.as_str()))
        .collect();
    assert_eq!(said, [("25126", words)]);

    let onward = v1::RelayAlertOnwardRequest {
        id,
        communes: vec!["99999".to_owned()],
        ..Default::default()
    };
    let unknown = client.relay_alert_onward(asked(&server.token, "o", onward)).await.unwrap_err();
    assert_eq!(unknown.code(), Code::InvalidArgument, "{unknown:?}");
    assert!(unknown.message().contains("communes[0]"), "{unknown:?}");
    server.end().await;
}
