//! Signed commands over gRPC: no token goes with them.

use domain::{
    key::{Holder, KeyFacts},
    rights::Asker,
};
use intake::{
    idempotency::IdempotencyKey,
    pen::{Hand, Pen},
    request::{EdgeKnown, Envelope, raise_fields},
};
use wire::{signing::Signer, v1::command_service_client::CommandServiceClient};

use super::*;

fn given(envelope: &Envelope, key: &str) -> Request<v1::GiveCommandRequest> {
    let envelope = Some(envelope.message());
    let mut request = Request::new(v1::GiveCommandRequest { envelope });
    request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    request
}

#[tokio::test]
async fn a_signature_is_all_that_a_command_needs() {
    let server = Server::begin().await;
    let host = &server.host;
    let home = host.map.home("25126".parse().unwrap()).unwrap();
    let asker = Asker { officer: "an".parse().unwrap(), standing: Standing::Officer(home) };
    let chief = Asker { officer: "chief".parse().unwrap(), standing: Standing::Admin };
    let signer = Signer::of_secret(&[7; 32]);
    let holder = Holder::Officer(asker.clone());
    let facts = KeyFacts { public: signer.public().into(), holder, proof: signer.proof("an") };

    let key = IdempotencyKey::of_headers([b"k".as_slice()]).unwrap();
    let pen = Pen { hand: Hand::Own(&signer), asker: &asker, key: &key, at: now() };
    let known = EdgeKnown { now: now(), map: host.map.as_ref() };
    let envelope = pen.raise(raise_fields(notice(1), &known).unwrap()).unwrap();
    let mut client = CommandServiceClient::new(server.routes.clone());
    let unknown = client.give_command(given(&envelope, "k")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::PermissionDenied, "{unknown:?}");
    assert!(unknown.message().starts_with("key-unknown"), "{unknown:?}");

    let (ask, confirm) = (RecordId::of_purpose("ask"), RecordId::of_purpose("confirm"));
    let clerk = &host.clerk;
    clerk.register_key(ask, actor::person(&asker), &facts, now()).await.unwrap();
    clerk.confirm_key(confirm, actor::person(&chief), facts.id(), now()).await.unwrap();
    for _ in 0..2 {
        let raised = client.give_command(given(&envelope, "k")).await.unwrap().into_inner();
        let alert = raised.alert.unwrap();
        assert_eq!((alert.state.as_str(), alert.attested.as_str()), ("active", "key"));
    }
    let elsewhere = client.give_command(given(&envelope, "k-2")).await.unwrap_err();
    assert_eq!(elsewhere.code(), Code::InvalidArgument, "{elsewhere:?}");
    assert!(elsewhere.message().contains("id: "), "{elsewhere:?}");
    let nothing = Request::new(v1::GiveCommandRequest::default());
    let refused = client.give_command(nothing).await.unwrap_err();
    assert!(refused.message().contains("Idempotency-Key"), "{refused:?}");
    server.end().await;
}
