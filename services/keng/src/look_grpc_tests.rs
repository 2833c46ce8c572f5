//! Who reads over gRPC leaves the same record as over HTTP.

use domain::ids::EntityName;
use event_log::{Class, Key};
use tonic::metadata::MetadataValue;

use super::*;

#[tokio::test]
async fn reading_over_grpc_is_recorded_with_its_reason() {
    let server = Server::begin().await;
    let alert = server.raise(&notice(1), "k").await.unwrap();
    let second = commander(&server.host).await;
    let mut client = IntakeServiceClient::new(server.routes.clone());
    let one = || v1::GetAlertRequest { id: alert.id.clone() };
    let mut why = asked(&second, "-", one());
    let reason = MetadataValue::from_bytes("Trực ban hỏi.".as_bytes());
    why.metadata_mut().insert_bin("keng-reason-bin", reason);
    client.get_alert(why).await.unwrap();
    client.list_alerts(asked(&second, "-", v1::ListAlertsRequest::default())).await.unwrap();
    client.get_alert(asked(&second, "-", one())).await.unwrap();
    client.get_alert(asked(&server.token, "-", one())).await.unwrap();

    let home = server.host.map.home("25126".parse().unwrap()).unwrap();
    let entity = EntityName::looks(alert.id.parse().unwrap());
    let key = Key { class: Class::Alert, home, entity };
    let looks = async || server.host.log.load(&key, None).await.unwrap().len();
    let began = std::time::Instant::now();
    while looks().await < 2 && began.elapsed() < WITHIN {
        tokio::task::yield_now().await;
    }
    // With the reason, and without: the list and the alert again are one. The raiser reads nothing
    // new.
    assert_eq!(looks().await, 2);
    server.end().await;
}
