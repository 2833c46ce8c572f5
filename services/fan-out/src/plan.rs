//! Planning: each record of an alert becomes plans for the communes it concerns.
//!
//! The plan is the record of the first attempt: nothing leaves before it is durable.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chassis::Host;
use domain::{
    alert::{AlertEvent, AlertFacts},
    delivery::{
        Delivery, DeliveryCommand, DeliveryKnown, Plan, StopReason, TARGETS_PER_RECORD_MAX, Target,
        may_be_told,
    },
    directory::ChannelUse,
    ids::{AlertId, EntityName, Home, Millis, RecordId},
    lane::ABOUT_TO_LEAVE_MS,
    reach::{CommuneReached, ReachReason, ReachRequest},
    relay::{Answer, Relay},
    schedule::give_up_at,
    values::News,
};
use event_log::{
    At, Class, Key, Recorded,
    reactor::{Handled, React},
    shell::{Answers, Ask, ExecuteError, Shell},
};
use futures::future::BoxFuture;
use prost::Message;
use registry::Group;
use wire::{Spoken, commit::events_of, relay::relay_subject, v1};

use crate::{
    book::Books,
    sheets::{History, NoSheet, alert_events, history},
};

const PATIENCE: Duration = Duration::from_secs(5);
/// An append over a broker ends within this, in one way or the other.
const ORDERED_WITHIN_MS: i64 = 6_000;
/// Records of one append. A small alert's plans share one, and with it the sync; of a large one
/// the first communes are told while the next are planned.
const PLANNED_AT_ONCE_MAX: usize = 12;

/// Plans deliveries.
pub(crate) struct Planning {
    host: Host,
    books: Books,
    shell: Shell<Delivery>,
}

/// News of an alert that is to be planned for.
struct Telling<'a> {
    alert: AlertId,
    alert_home: Home,
    revision: u64,
    news: News,
    cause: RecordId,
    at: Millis,
    facts: &'a AlertFacts,
    communes: &'a [CommuneReached],
}

impl Planning {
    pub(crate) fn new(host: &Host, books: &Books) -> Self {
        let shell = Shell::new(Arc::clone(&host.log));
        Self { host: host.clone(), books: books.clone(), shell }
    }

    async fn plan(&self, recorded: &Recorded) -> Result<Vec<At>, String> {
        let entity = &recorded.key.entity;
        let Some(alert) = entity.alert_id() else { return Ok(vec![]) };
        if *entity != EntityName::alert(alert) {
            return self.relay_answered(alert, recorded).await;
        }
        let Some((events, at)) = alert_events(recorded) else {
            return Err("an alert's record cannot be decoded".to_owned());
        };
        self.directory_has_seen(recorded).await?;
        let mut ats = Vec::new();
        for event in &events {
            ats.extend(self.event(alert, recorded, event, at).await?);
        }
        Ok(ats)
    }

    /// Groups are recorded in the same class, so that the directory must have come as far.
    async fn directory_has_seen(&self, recorded: &Recorded) -> Result<(), String> {
        let mut seen = self.host.directory_seen.clone();
        let seen = seen.wait_for(|position| *position >= recorded.position);
        match tokio::time::timeout(PATIENCE, seen).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err("the directory is behind".to_owned()),
        }
    }

    async fn event(
        &self,
        alert: AlertId,
        recorded: &Recorded,
        event: &AlertEvent,
        at: Millis,
    ) -> Result<Vec<At>, String> {
        let (alert_home, cause) = (recorded.key.home, recorded.id);
        let (news, revision) = match event {
            AlertEvent::Issued { revision, facts, communes, .. } => {
                let (news, revision) = (News::Issued, *revision);
                let telling =
                    Telling { alert, alert_home, revision, news, cause, at, facts, communes };
                return self.tell(&telling).await;
            }
            AlertEvent::RelayedFurther { .. } => (News::Issued, None),
            AlertEvent::Cancelled { revision, .. } => (News::Cancelled, Some(*revision)),
            AlertEvent::Resolved { revision, .. } => (News::Resolved, Some(*revision)),
            AlertEvent::Expired { revision } => (News::Expired, Some(*revision)),
            AlertEvent::ApprovalAsked { .. } | AlertEvent::Approved { .. } => return Ok(vec![]),
        };
        let history = self.history(alert, alert_home).await?;
        // What was never issued was told to nobody.
        let Some((facts, issued)) = history.issued() else { return Ok(vec![]) };
        let revision = revision.unwrap_or(issued);
        let communes = match event {
            AlertEvent::RelayedFurther { communes, .. } => communes,
            _ => &history.communes,
        };
        let telling = Telling { alert, alert_home, revision, news, cause, at, facts, communes };
        self.tell(&telling).await
    }

    async fn history(&self, alert: AlertId, home: Home) -> Result<History, String> {
        history(&self.host, alert, home).await.map_err(|why: NoSheet| why.to_string())
    }

    /// Plans for each commune; in as few appends as the log takes.
    async fn tell(&self, telling: &Telling<'_>) -> Result<Vec<At>, String> {
        let now = self.host.clock.now();
        let mut ats = Vec::new();
        let mut asks = Vec::new();
        let mut records = 0;
        for commune in telling.communes {
            let targets = self.targets(telling, commune);
            // A follow-up's targets are known when it is decided: the lanes hold as many.
            let likely =
                targets.len().max(self.books.targets((telling.alert, commune.home.commune)));
            let more = likely / TARGETS_PER_RECORD_MAX + 1;
            if records + more > PLANNED_AT_ONCE_MAX && !asks.is_empty() {
                ats.extend(self.append(std::mem::take(&mut asks)).await?);
                records = 0;
            }
            records += more;
            // Planning for hundreds takes milliseconds, in which the officer's answer would wait.
            let many = targets.len() > TARGETS_PER_RECORD_MAX;
            asks.push(self.ask(telling, commune, targets, now));
            if many {
                tokio::task::yield_now().await;
            }
        }
        ats.extend(self.append(asks).await?);
        let since = self.host.clock.now().since_ms(telling.at);
        metrics::histogram!("keng_stage_seconds", "stage" => "planned")
            .record(Duration::from_millis(since));
        Ok(ats)
    }

    fn targets(&self, telling: &Telling<'_>, commune: &CommuneReached) -> Vec<Target> {
        if telling.news.follows_up() {
            return vec![];
        }
        let directory = self.host.directory.read();
        let of_commune = directory.groups_of(commune.home.commune).iter();
        // A province's own groups are told when the whole province is, with the issuing commune.
        let whole =
            telling.facts.reach == ReachRequest::Province && commune.reason == ReachReason::Own;
        let of_province = directory.groups_of_province(commune.home.province).iter();
        of_commune
            .chain(of_province.filter(|_| whole))
            .filter(|group| {
                may_be_told(telling.facts.status, group.facts.kind, group.facts.exercises)
            })
            .flat_map(|group| always(group))
            .collect()
    }

    fn ask(
        &self,
        telling: &Telling<'_>,
        commune: &CommuneReached,
        targets: Vec<Target>,
        now: Millis,
    ) -> Ask<DeliveryCommand> {
        let plan = Plan {
            alert: telling.alert,
            alert_home: telling.alert_home,
            commune: commune.home.commune,
            revision: telling.revision,
            news: telling.news,
            cause: telling.cause,
            instance: self.host.instance.to_string(),
            give_up_at: give_up_at(telling.news, telling.at, telling.facts.expires_at),
            targets,
        };
        let fresh = telling.news == News::Issued;
        observation(
            telling.alert,
            commune.home,
            telling.cause,
            DeliveryCommand::Plan(plan),
            now,
            fresh,
        )
    }

    async fn append(&self, asks: Vec<Ask<DeliveryCommand>>) -> Result<Vec<At>, String> {
        if asks.is_empty() {
            return Ok(vec![]);
        }
        let (mut asks, mut held) = (asks, None);
        loop {
            let known = |_: &Delivery, ask: &Ask<DeliveryCommand>| self.known(ask);
            match self.shell.execute_all(asks.clone(), known).await {
                Ok(decided) => {
                    let ats = decided.into_iter().filter_map(|decided| decided.at).collect();
                    // What is held comes again, for ever; no other commune waits for it.
                    return held.map_or(Ok(ats), Err);
                }
                Err(ExecuteError::Held { entity, why }) if asks.len() > 1 => {
                    asks.retain(|ask| ask.key.entity != entity);
                    held = Some(format!("{entity} is held: {why}"));
                }
                Err(why) => return Err(why.to_string()),
            }
        }
    }

    /// What a decision knows, at the moment when it is made.
    fn known(&self, ask: &Ask<DeliveryCommand>) -> DeliveryKnown {
        let now = self.host.clock.now();
        let not_reached = match &ask.command {
            DeliveryCommand::Plan(plan) if plan.news.follows_up() => {
                self.books.not_reached((plan.alert, plan.commune), now, self.margin_ms())
            }
            _ => std::collections::BTreeSet::new(),
        };
        DeliveryKnown { now, not_reached }
    }

    /// A retry that is due so soon after a decision may leave before that is ordered. The
    /// embedded log orders at once; a broker may take as long as an append is waited for.
    fn margin_ms(&self) -> i64 {
        if self.host.lanes == 1 { ABOUT_TO_LEAVE_MS } else { ORDERED_WITHIN_MS }
    }

    /// A commune has answered; a refusal stops what has not left there.
    async fn relay_answered(&self, alert: AlertId, recorded: &Recorded) -> Result<Vec<At>, String> {
        let decoded = v1::Commit::decode(recorded.open.clone());
        let Ok(commit) = decoded else { return Err("an answer cannot be decoded".to_owned()) };
        let command = commit.causation.clone();
        let events = events_of(commit).map_err(|why| why.to_string())?;
        let refused = events.iter().any(|event| {
            Relay::recall(event).is_ok_and(|answered| answered.answer == Answer::Refuse)
        });
        if !refused {
            return Ok(vec![]);
        }
        let home = recorded.key.home;
        let alert_home = self.alert_home(recorded, &command).await?;
        let history = self.history(alert, alert_home).await?;
        let Some((_, revision)) = history.issued() else { return Ok(vec![]) };
        let stop = DeliveryCommand::Stop {
            reason: StopReason::Refused,
            revision,
            targets: vec![],
            never_left: false,
        };
        let now = self.host.clock.now();
        self.append(vec![observation(alert, home, recorded.id, stop, now, false)]).await
    }

    /// Where the alert is at home that this answer is about: the command says so.
    async fn alert_home(&self, recorded: &Recorded, command: &[u8]) -> Result<Home, String> {
        let key = Key { class: Class::Command, ..recorded.key.clone() };
        let id = RecordId::from_slice(command).ok_or("an answer without a command")?;
        let found = self.host.log.load(&key, Some(id)).await.map_err(|why| why.to_string())?;
        let command = found.first().ok_or("an answer whose command is not there")?;
        let command = v1::Command::decode(command.open.clone()).map_err(|why| why.to_string())?;
        Ok(relay_subject(&command).map_err(|why| why.to_string())?.1)
    }
}

/// What fan-out asks of a delivery because it observed a record.
pub(crate) fn observation(
    alert: AlertId,
    home: Home,
    cause: RecordId,
    command: DeliveryCommand,
    now: Millis,
    fresh: bool,
) -> Ask<DeliveryCommand> {
    Ask {
        key: Key {
            class: Class::Delivery,
            home,
            entity: EntityName::delivery(alert, home.commune),
        },
        cause,
        correlation: Bytes::copy_from_slice(alert.0.as_bytes()),
        actor: wire::actor::service("fan-out"),
        command,
        now,
        map: Bytes::new(),
        sealing: None,
        answers: Answers::Observation,
        fresh,
    }
}

/// The channels of a group that are always used.
fn always(group: &Group) -> impl Iterator<Item = Target> {
    let id = group.facts.id.clone();
    group.facts.channels.iter().filter(|channel| channel.used == ChannelUse::Always).map(
        move |channel| Target {
            group: id.clone(),
            channel: channel.id.clone(),
            channel_type: channel.channel_type.as_str().into(),
        },
    )
}

impl React for Planning {
    fn react(&self, recorded: Arc<Recorded>) -> BoxFuture<'_, Handled> {
        Box::pin(async move {
            if !self.host.map_fits() {
                return Handled::Later;
            }
            match self.plan(&recorded).await {
                Ok(ats) => Handled::Done(ats),
                Err(why) => {
                    tracing::warn!(entity = %recorded.key.entity, why, "not planned yet");
                    Handled::Later
                }
            }
        })
    }
}
