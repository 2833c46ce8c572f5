//! Planning: each record of an alert becomes plans for the communes it concerns.
//!
//! The plan is the record of the first attempt: nothing leaves before it is durable.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use chassis::{
    Host,
    sheets::{History, NoSheet, alert_events, history},
};
use domain::{
    alert::{Alert, AlertEvent, AlertFacts, ChangeHow, Closing, Live},
    delivery::{
        Audience, Delivery, DeliveryCommand, DeliveryKnown, Plan, StopReason,
        TARGETS_PER_RECORD_MAX, Target, may_be_told,
    },
    directory::{ChannelFacts, ChannelUse},
    ids::{AlertId, EntityName, GroupId, Home, Millis, RecordId},
    lane::ABOUT_TO_LEAVE_MS,
    reach::{CommuneReached, ReachReason, ReachRequest},
    relay::Answer,
    schedule::give_up_at,
    values::News,
};
use event_log::{
    At, Class, Key, Recorded,
    reactor::{Handled, React},
    recovery,
    shell::{Answers, Ask, ExecuteError, Shell},
};
use futures::future::BoxFuture;
use prost::Message;
use registry::Group;
use wire::{commit::events_of, relay::relay_subject, v1};

use crate::{
    book::Books,
    turn::{Turn, answer_of},
};

const PATIENCE: Duration = Duration::from_secs(5);
/// An append over a broker ends within this, in one way or the other.
const ORDERED_WITHIN_MS: i64 = 6_000;
/// Records of one append. A small alert's plans share one, and with it the sync; of a large one
/// the first communes are told while the next are planned.
const PLANNED_AT_ONCE_MAX: usize = 12;

/// Communes answer what was issued. Where it is not there the broker has lost it, and it comes
/// back.
pub(crate) const LOST: &str = "the alert that was answered is not there";

/// Plans deliveries.
pub(crate) struct Planning {
    pub(crate) host: Host,
    books: Books,
    pub(crate) shell: Shell<Delivery>,
}

/// News of an alert that is to be planned for.
#[derive(Clone)]
pub(crate) struct Telling<'a> {
    pub(crate) alert: AlertId,
    pub(crate) alert_home: Home,
    pub(crate) revision: u64,
    pub(crate) news: News,
    pub(crate) audience: Audience,
    /// The record that made the news, and where in its class it stands.
    pub(crate) cause: (RecordId, u64),
    pub(crate) at: Millis,
    /// Whether the alert is in force, so that whoever was not told may be told now.
    pub(crate) in_force: bool,
    pub(crate) facts: &'a AlertFacts,
    pub(crate) communes: &'a [CommuneReached],
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
        let (alert_home, cause) = (recorded.key.home, (recorded.id, recorded.position));
        let telling = |(revision, in_force), news, audience, facts, communes| Telling {
            alert,
            alert_home,
            revision,
            news,
            audience,
            cause,
            at,
            in_force,
            facts,
            communes,
        };
        let is_back = recovery::is_recovery(&recorded.open);
        if let AlertEvent::Issued { revision, facts, communes, .. } = event
            && !is_back
        {
            let issued = telling((*revision, true), News::Issued, Audience::Named, facts, communes);
            return self.tell(&issued).await;
        }
        let told = told_by(event);
        if told.is_none() && !matches!(event, AlertEvent::Held { .. }) {
            return Ok(vec![]);
        }
        let history = self.history(alert, alert_home).await?;
        if !history.has(recorded.id) {
            return Err("the broker has lost it since".to_owned());
        }
        // What was never issued was told to nobody.
        let Some(live) = history.issued() else { return Ok(vec![]) };
        let is_over = matches!(history.alert, Alert::Closed { .. });
        let told = told.map(|told| if is_back { when_back(told, &history.alert) } else { told });
        let Some((news, audience, revision)) = told else {
            let revision = history.revision_at(recorded.position);
            return self.hold(recorded, alert, (live, revision)).await;
        };
        let facts = &live.content.facts;
        let in_force = !is_over && !live.on_hold;
        match event {
            // Its own groups are told what a commune says, and nobody once it is over.
            AlertEvent::Instructed { commune, .. } => {
                let Some(own) = live.named(*commune).filter(|_| in_force) else {
                    return Ok(vec![]);
                };
                let revision = (revision.unwrap_or(live.content.revision), in_force);
                let own = std::slice::from_ref(own);
                self.tell(&telling(revision, news, audience, facts, own)).await
            }
            AlertEvent::RelayedFurther { communes, .. } | AlertEvent::Widened { communes, .. }
                if !(is_over && is_back) =>
            {
                // What is over is put to nobody else.
                if is_over {
                    return Ok(vec![]);
                }
                let revision = live.content.revision;
                self.tell(&telling((revision, true), news, audience, facts, communes)).await
            }
            _ => {
                let revision = revision.unwrap_or(live.content.revision);
                // Who was told believes it; who was not hears of what stands, while it stands.
                let audience = match audience {
                    Audience::Everybody if is_over || live.on_hold => Audience::MayHaveBeenReached,
                    audience => audience,
                };
                let revision = (revision, in_force);
                self.tell(&telling(revision, news, audience, facts, &live.communes)).await
            }
        }
    }

    /// What has not left stays here, until it is released.
    async fn hold(
        &self,
        recorded: &Recorded,
        alert: AlertId,
        (live, revision): (&Live, u64),
    ) -> Result<Vec<At>, String> {
        let now = self.host.clock.now();
        let stop = |commune: &CommuneReached| {
            let stop = DeliveryCommand::Stop {
                reason: StopReason::Held,
                revision,
                targets: vec![],
                never_left: false,
            };
            observation(alert, commune.home, recorded.id, stop, now, false)
        };
        let mut ats = Vec::new();
        for communes in live.communes.chunks(PLANNED_AT_ONCE_MAX) {
            ats.extend(self.append(communes.iter().map(stop).collect()).await?);
        }
        Ok(ats)
    }

    pub(crate) async fn history(&self, alert: AlertId, home: Home) -> Result<History, String> {
        history(&self.host, alert, home).await.map_err(|why: NoSheet| why.to_string())
    }

    /// Plans for each commune; in as few appends as the log takes.
    async fn tell(&self, telling: &Telling<'_>) -> Result<Vec<At>, String> {
        let now = self.host.clock.now();
        let mut ats = Vec::new();
        let mut asks = Vec::new();
        let (mut records, mut late) = (0, None);
        for commune in telling.communes {
            let telling = match self.turn(telling, commune).await? {
                Turn::Now => Cow::Borrowed(telling),
                Turn::First => Cow::Owned(telling.first()),
                Turn::NotYet => continue,
                Turn::Later(why) => {
                    late = Some(why);
                    continue;
                }
            };
            let targets = self.targets(&telling, commune);
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
            asks.push(self.ask(&telling, commune, targets, now));
            if many {
                tokio::task::yield_now().await;
            }
        }
        ats.extend(self.append(asks).await?);
        let since = self.host.clock.now().since_ms(telling.at);
        metrics::histogram!("keng_stage_seconds", "stage" => "planned")
            .record(Duration::from_millis(since));
        // Everybody else is told first.
        late.map_or(Ok(ats), Err)
    }

    pub(crate) fn targets(&self, telling: &Telling<'_>, commune: &CommuneReached) -> Vec<Target> {
        // An empty plan of what is not in force says that the commune had its turn.
        if telling.audience != Audience::Named || !telling.in_force {
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

    pub(crate) fn ask(
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
            cause: telling.cause.0,
            instance: self.host.instance.to_string(),
            give_up_at: give_up_at(telling.news, telling.at, telling.facts.expires_at),
            not_before: self.quiet_until(telling, commune, now),
            audience: telling.audience,
            targets,
        };
        let fresh = telling.audience == Audience::Named;
        observation(
            telling.alert,
            commune.home,
            telling.cause.0,
            DeliveryCommand::Plan(plan),
            now,
            fresh,
        )
    }

    /// Until when it is quiet where it would be told. What sets right never waits.
    fn quiet_until(
        &self,
        telling: &Telling<'_>,
        commune: &CommuneReached,
        now: Millis,
    ) -> Option<Millis> {
        let quiet = self.host.policies.of(commune.home.commune).quiet;
        quiet.quiet_until(telling.facts.kind, now).filter(|_| !telling.news.sets_right())
    }

    pub(crate) async fn append(&self, asks: Vec<Ask<DeliveryCommand>>) -> Result<Vec<At>, String> {
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
            DeliveryCommand::Plan(plan) if plan.audience != Audience::Named => {
                self.books.not_reached((plan.alert, plan.commune), now, margin_ms(&self.host))
            }
            _ => std::collections::BTreeMap::new(),
        };
        DeliveryKnown { now, not_reached }
    }

    /// A commune has answered: a refusal stops what has not left there, and what waited for an
    /// acknowledgement goes.
    async fn relay_answered(&self, alert: AlertId, recorded: &Recorded) -> Result<Vec<At>, String> {
        let decoded = v1::Commit::decode(recorded.open.clone());
        let Ok(commit) = decoded else { return Err("an answer cannot be decoded".to_owned()) };
        let (command, at) = (commit.causation.clone(), Millis(commit.decided_at_ms));
        let events = events_of(commit).map_err(|why| why.to_string())?;
        let Some(answer) = events.iter().find_map(answer_of) else { return Ok(vec![]) };
        let home = recorded.key.home;
        if answer == Answer::Acknowledge && self.had_its_turn(alert, home).await? {
            return Ok(vec![]);
        }
        let alert_home = self.alert_home(recorded, &command).await?;
        if answer == Answer::Acknowledge {
            self.directory_has_seen(recorded).await?;
            return self.acknowledged((alert, alert_home), recorded, at).await;
        }
        let history = self.history(alert, alert_home).await?;
        history.issued().ok_or(LOST)?;
        let revision = history.revision_at(recorded.position);
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

/// A retry that is due so soon after a decision may leave before that is ordered. The embedded log
/// orders at once; a broker may take as long as an append is waited for.
pub(crate) fn margin_ms(host: &Host) -> i64 {
    if host.has_broker() { ORDERED_WITHIN_MS } else { ABOUT_TO_LEAVE_MS }
}

/// What an event tells whom, and at which revision, where it has one of its own.
fn told_by(event: &AlertEvent) -> Option<(News, Audience, Option<u64>)> {
    use Audience::{Everybody, MayHaveBeenReached, Named, NotReached};
    Some(match event {
        AlertEvent::Issued { revision, .. } => (News::Issued, Named, Some(*revision)),
        AlertEvent::RelayedFurther { .. } | AlertEvent::Widened { .. } => {
            (News::Issued, Named, None)
        }
        AlertEvent::Changed { revision, how: ChangeHow::Update, .. }
        | AlertEvent::Instructed { revision, .. }
        | AlertEvent::Reopened { revision, .. } => (News::Updated, Everybody, Some(*revision)),
        AlertEvent::Changed { revision, how: ChangeHow::Correct, .. } => {
            (News::Corrected, Everybody, Some(*revision))
        }
        AlertEvent::Released { revision, .. } => (News::Issued, NotReached, Some(*revision)),
        AlertEvent::Cancelled { revision, .. } => {
            (News::Cancelled, MayHaveBeenReached, Some(*revision))
        }
        AlertEvent::Resolved { revision, .. } => {
            (News::Resolved, MayHaveBeenReached, Some(*revision))
        }
        AlertEvent::Expired { revision } => (News::Expired, MayHaveBeenReached, Some(*revision)),
        AlertEvent::Held { .. }
        | AlertEvent::ApprovalAsked { .. }
        | AlertEvent::ChangeAsked { .. }
        | AlertEvent::Approved { .. }
        | AlertEvent::Declined { .. }
        | AlertEvent::ReviewOwed { .. }
        | AlertEvent::Reviewed { .. }
        | AlertEvent::ReviewMissed { .. }
        | AlertEvent::ExpiryNear { .. }
        | AlertEvent::BudgetExceeded(_)
        | AlertEvent::CorrectionAttested { .. }
        | AlertEvent::Sighted { .. } => return None,
    })
}

/// What is told where a record was lost and is back: what was decided meanwhile did not know of
/// it, and may have been told under its revision. Where the alert is over, who may have been told
/// before hears of its end.
fn when_back(
    (news, audience, _): (News, Audience, Option<u64>),
    alert: &Alert,
) -> (News, Audience, Option<u64>) {
    let end = match alert {
        Alert::Closed { how: Closing::Resolved, .. } => News::Resolved,
        Alert::Closed { how: Closing::Expired, .. } => News::Expired,
        Alert::Closed { how: Closing::Cancelled | Closing::Declined, .. } => News::Cancelled,
        _ => return (news, audience, None),
    };
    (end, Audience::MayHaveBeenReached, None)
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
    let always = group.facts.channels.iter().filter(|channel| channel.used == ChannelUse::Always);
    always.map(move |channel| target_of(&id, channel))
}

/// A channel of a group, as a target.
pub(crate) fn target_of(group: &GroupId, channel: &ChannelFacts) -> Target {
    Target {
        group: group.clone(),
        channel: channel.id.clone(),
        channel_type: channel.channel_type.as_str().into(),
    }
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
