//! Two shells over one log, each with what it kept.

use domain::{
    delivery::{
        Audience, Begun, Delivery, DeliveryCommand, DeliveryEvent, DeliveryKnown, Plan, Target,
    },
    ids::{AlertId, Home, Millis},
    values::News,
};

use super::*;
use crate::{Class, memory::MemoryLog};

fn target() -> Target {
    Target {
        group: "g-1".parse().unwrap(),
        channel: "sms-1".parse().unwrap(),
        channel_type: "sms".into(),
    }
}

fn plan(revision: u64) -> DeliveryCommand {
    DeliveryCommand::Plan(Plan {
        alert: AlertId::raised_by(RecordId::of_purpose("a")),
        alert_home: Home::NATION,
        commune: "25126".parse().unwrap(),
        revision,
        news: News::Issued,
        cause: RecordId::of_purpose("c"),
        instance: "one".into(),
        give_up_at: Millis(100_000),
        not_before: None,
        audience: Audience::Named,
        targets: vec![target()],
    })
}

fn begin(revision: u64) -> DeliveryCommand {
    let begun = Begun { target: target(), revision, attempt: 1 };
    DeliveryCommand::Begin { instance: "one".into(), attempts: vec![begun] }
}

async fn ask(shell: &Shell<Delivery>, command: DeliveryCommand) -> Vec<DeliveryEvent> {
    let alert = AlertId::raised_by(RecordId::of_purpose("a"));
    let entity = EntityName::delivery(alert, "25126".parse().unwrap());
    let ask = Ask {
        key: Key { class: Class::Delivery, home: Home::NATION, entity },
        cause: RecordId::of_purpose("cause"),
        correlation: Bytes::new(),
        actor: wire::actor::service("test"),
        command,
        now: Millis(5),
        map: Bytes::new(),
        sealing: None,
        answers: Answers::Observation,
        fresh: false,
    };
    shell.execute(ask, |_, _| DeliveryKnown::at(Millis(5))).await.unwrap().events
}

#[tokio::test]
async fn nothing_is_said_of_an_entity_that_another_shell_has_taken_further() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let (one, other) = (Shell::new(Arc::clone(&log)), Shell::new(log));
    assert_eq!(ask(&one, plan(1)).await.len(), 1);
    assert_eq!(ask(&other, begin(1)).await.len(), 1);
    // The other one kept the first revision, on which the second cannot begin.
    assert_eq!(ask(&one, plan(2)).await.len(), 1);
    assert_eq!(ask(&other, begin(2)).await.len(), 1);
    assert_eq!(ask(&other, begin(1)).await, []);
}
