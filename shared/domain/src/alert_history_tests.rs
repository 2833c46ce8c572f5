//! The rules that any history of an alert keeps.

use proptest::prelude::*;

use super::*;

fn any_command() -> impl Strategy<Value = AlertCommand> {
    let kind =
        prop_oneof![Just(AlertKind::LostChild), Just(AlertKind::Suspect), Just(AlertKind::Hazard)];
    let officer = || prop_oneof![Just("an"), Just("binh")];
    let how = prop_oneof![Just(ChangeHow::Update), Just(ChangeHow::Correct)];
    let service = |ask| by("service:alerting", Role::Admin, ask);
    prop_oneof![
        3 => kind.prop_map(raise),
        2 => (officer(), 0u64..6).prop_map(|(officer, n)| approve(officer, Role::Commander, n)),
        1 => officer().prop_map(decline),
        1 => officer().prop_map(review),
        1 => Just(cancel()),
        1 => Just(resolve()),
        1 => Just(reopen()),
        1 => Just(expire()),
        1 => Just(service(AlertAsk::NearExpiry { expires_at: Millis(24 * HOUR) })),
        1 => Just(asked(AlertAsk::Hold)),
        1 => Just(asked(AlertAsk::Release)),
        1 => (0u32..4).prop_map(|n| asked(AlertAsk::Widen { reach: ReachRequest::Rings(n) })),
        1 => (how, any::<bool>()).prop_map(|(how, adds)| {
            change(how, if adds { &["headline"] } else { &[] })
        }),
        1 => (1u32..3).prop_map(move |step| service(AlertAsk::RelayFurther { step })),
        1 => (1u32..3).prop_map(move |step| service(AlertAsk::Grow { step })),
        1 => any::<bool>().prop_map(move |other| service(instruct(if other { "a" } else { "b" }))),
    ]
}

fn revision_told(event: &AlertEvent) -> Option<u64> {
    match event {
        AlertEvent::Issued { revision, .. }
        | AlertEvent::Changed { revision, .. }
        | AlertEvent::Released { revision, .. }
        | AlertEvent::Instructed { revision, .. }
        | AlertEvent::Cancelled { revision, .. }
        | AlertEvent::Resolved { revision, .. }
        | AlertEvent::Reopened { revision, .. }
        | AlertEvent::Expired { revision } => Some(*revision),
        _ => None,
    }
}

/// Who asked for what waits: they cannot be the second person.
fn first_persons(alert: &Alert) -> Vec<String> {
    match alert {
        Alert::AwaitingApproval(content) => vec![content.by.clone()],
        Alert::Active(live) | Alert::Closed { live, .. } => {
            live.pending.iter().map(|(_, _, by)| by.clone()).collect()
        }
        Alert::Unissued => vec![],
    }
}

proptest! {
    /// Over any history: revisions only rise, nobody approves the own wish or reviews the own
    /// sending, whom it was put to only grows, what is over comes back by a reopening alone, and
    /// while a review is owed nobody beyond the bordering communes is told.
    #[test]
    fn any_history_keeps_the_rules(
        commands in proptest::collection::vec((any_command(), 0i64..30), 0..24)
    ) {
        let mut alert = Alert::default();
        for (command, hour) in commands {
            let known = known(hour * HOUR);
            let Ok(events) = alert.decide(&command, &known) else { continue };
            let first = first_persons(&alert);
            let owed = alert.live().map(|live| live.review.clone()).unwrap_or_default();
            for event in &events {
                match event {
                    AlertEvent::Approved { by, .. } => prop_assert!(!first.contains(by)),
                    AlertEvent::Reviewed { by } => {
                        let Review::Owed { by: sent, .. } = &owed else { continue };
                        prop_assert!(!sent.contains(by));
                    }
                    _ => {}
                }
            }
            let after = events.iter().fold(alert.clone(), Alert::evolve);
            let revision = |alert: &Alert| alert.content().map_or(0, |content| content.revision);
            // What people are told anew is a revision that nobody was told before.
            let told_anew = events.iter().filter_map(revision_told).collect::<Vec<_>>();
            prop_assert!(told_anew.iter().all(|told| *told > revision(&alert)), "{events:?}");
            prop_assert!(revision(&after) >= revision(&alert));
            let told = alert.communes().len();
            prop_assert!(after.communes().len() >= told);
            let was_closed = matches!(alert, Alert::Closed { .. });
            let is_closed = matches!(after, Alert::Closed { .. });
            let reopens = events.iter().any(|event| matches!(event, AlertEvent::Reopened { .. }));
            prop_assert!(!was_closed || is_closed || reopens);
            let is_owed = after.live().is_some_and(|live| live.review.is_owed());
            if is_owed && after.communes().len() > told {
                let new = &after.communes()[told..];
                let own = facts(AlertKind::LostChild).home.commune;
                let is_near = |c: &CommuneReached| {
                    c.home.commune == own || [code(3), code(5)].contains(&c.home.commune)
                };
                prop_assert!(new.iter().all(is_near));
            }
            alert = after;
        }
    }
}
