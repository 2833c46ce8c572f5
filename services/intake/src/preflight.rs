//! Preflight: what an officer sees before sending, and the approver before approving. The same
//! pure rules that alerting decides by, looked at now; nothing is written.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chassis::{Kind, Problem, auth::forbidden};
use domain::{
    alert::{
        Alert, AlertAsk, AlertCommand, AlertFacts, AlertKnown, Live, NotDone, Pending, checklist,
        reached, second_person,
    },
    criteria::Checklist,
    decider::{Decider, Refusal},
    fatigue::Fatigue,
    ids::{AlertId, CommuneCode, GroupId, Home, Millis, OfficerId, RecordId},
    policy::{Policy, SecondPerson},
    reach::{ReachRequest, Reached},
    rights::Asker,
    values::AlertStatus,
};
use registry::{
    Group,
    outlook::{Look, Looked, Place, ToldOf, fatigue, look},
};

use crate::{
    application::Intake,
    refused::{only_exercises, refused, starting},
    request::{self, Draft},
    row::{Refused, Row},
};

/// Alerts older than this are no burden to a group any more.
const WEEK_MS: u64 = 7 * 86_400_000;

const PATIENCE: Duration = Duration::from_secs(4);

/// What was seen.
pub(crate) struct Seen {
    /// The facts that were looked at.
    pub(crate) facts: AlertFacts,
    /// Who would be told at once, by which figures, and who comes next.
    pub(crate) reached: Reached,
    /// How many communes it would be once the second person has reviewed it; `None` where no
    /// review would be owed.
    pub(crate) communes_after_review: Option<usize>,
    /// What is known and what is missing.
    pub(crate) checklist: Checklist<'static>,
    /// What a second person has to do.
    pub(crate) second_person: SecondPerson,
    /// How often the groups were told of late.
    pub(crate) fatigue: Fatigue,
    /// When the last commune is told, where it is quiet now.
    pub(crate) quiet_until: Option<Millis>,
    /// Counts and findings.
    pub(crate) looked: Looked,
}

/// What waits for a second person.
struct Waiting {
    revision: u64,
    facts: AlertFacts,
    by: String,
    /// Who was told already: they stay.
    live: Option<Live>,
}

impl Intake {
    /// What a raise would do.
    pub(crate) async fn preflight(&self, asker: &Asker, draft: Draft) -> Result<Seen, Problem> {
        if !asker.standing.acts_for(draft.facts.home) {
            return Err(forbidden());
        }
        if self.host.kind == Kind::Demo && draft.facts.status.is_actual() {
            return Err(only_exercises());
        }
        self.photos_are_stored(&draft.text.photos, &[]).await?;
        self.all_read().await?;
        let now = self.host.clock.now();
        self.would_be_taken(asker, &draft, now)?;
        self.seen(draft.facts, &draft.sealed_fields, (&asker.officer, now), None)
    }

    /// What an approval would do to the alert as it waits, and which revision that is.
    pub(crate) async fn preflight_of(
        &self,
        asker: &Asker,
        alert: AlertId,
    ) -> Result<(u64, Seen), Problem> {
        let row = self.readable(asker, alert)?;
        self.door(&row).await?;
        let text = self.text(&row).await;
        self.all_read().await?;
        if !asker.standing.acts_for(row.home) {
            return Err(forbidden());
        }
        let waiting = waiting(&row).ok_or_else(not_awaiting)?;
        let sealed = text.as_deref().map(request::sealed_fields).unwrap_or_default();
        // Who asked, as a token has it: an officer.
        let sender = waiting.by.parse().map_err(|_| not_awaiting())?;
        let now = self.host.clock.now();
        let seen = self.seen(waiting.facts, &sealed, (&sender, now), waiting.live.as_ref())?;
        Ok((waiting.revision, seen))
    }

    /// What an alert now would meet in a commune and in those that border on it: who is on duty,
    /// and which groups nothing reaches.
    pub(crate) async fn readiness(&self, asker: &Asker, own: Home) -> Result<Looked, Problem> {
        if !asker.standing.acts_for(own) {
            return Err(forbidden());
        }
        self.all_read().await?;
        let map = &self.host.map;
        let around = map.neighbours(own.commune).iter().filter_map(|code| map.home(*code));
        let communes: Vec<Home> = [own].into_iter().chain(around).collect();
        let drilled = self.board.lock().drills.last(asker.officer.as_str());
        let gone = self.gone.channels();
        Ok(look(
            &self.host.directory.read(),
            map,
            &Look {
                now: self.host.clock.now(),
                status: AlertStatus::Actual,
                communes: &communes,
                province_groups_with: None,
                sender: Some((&asker.officer, drilled)),
                gone: &gone,
                drills: false,
            },
        ))
    }

    /// Waits until alerts and directory have been read: half of them would look like all.
    async fn all_read(&self) -> Result<(), Problem> {
        self.has_read().await?;
        let read = self.host.caught_up_of(&["directory"]);
        tokio::time::timeout(PATIENCE, read).await.map_err(|_| starting())
    }

    /// Refuses what alerting would refuse.
    fn would_be_taken(&self, asker: &Asker, draft: &Draft, now: Millis) -> Result<(), Problem> {
        let content = RecordId::of_purpose("preflight");
        let code = AlertId::raised_by(content).code();
        let command = AlertCommand {
            by: asker.officer.to_string(),
            role: Some(asker.standing.role()),
            valid_until: None,
            sealed: draft.sealed_fields.clone(),
            ask: AlertAsk::Raise { facts: draft.facts.clone(), code, content },
        };
        let known = self.known(&draft.facts, now);
        Alert::default().decide(&command, &known).map(|_| ()).map_err(not_done)
    }

    fn seen(
        &self,
        facts: AlertFacts,
        sealed: &[String],
        (sender, now): (&OfficerId, Millis),
        live: Option<&Live>,
    ) -> Result<Seen, Problem> {
        let known = self.known(&facts, now);
        let reach = |is_bordering_only| {
            let reached = reached(&facts, live, &facts.reach, &known, is_bordering_only);
            reached.map(|reached| with_told(reached, live)).map_err(not_done)
        };
        let whole = reach(false)?;
        let second_person = second_person(&facts, &whole, &known.policy);
        let owes_review = second_person == SecondPerson::Reviews;
        let communes_after_review = owes_review.then_some(whole.communes.len());
        let reached = if owes_review { reach(true)? } else { whole };
        let homes: Vec<Home> = reached.communes.iter().map(|reached| reached.home).collect();
        let sender_drilled = self.board.lock().drills.last(sender.as_str());
        let gone = self.gone.channels();
        let own_with_province = facts.reach == ReachRequest::Province;
        let looked = look(
            &self.host.directory.read(),
            &self.host.map,
            &Look {
                now,
                status: facts.status,
                communes: &homes,
                province_groups_with: own_with_province.then_some(facts.home),
                sender: facts.status.is_actual().then_some((sender, sender_drilled)),
                gone: &gone,
                drills: false,
            },
        );
        let checklist = checklist(&facts, sealed);
        let fatigue = self.fatigue(&looked, &known.policy, now);
        let quiet = |home: &Home| {
            let quiet = self.host.policies.of(home.commune).quiet;
            quiet.quiet_until(facts.kind, now)
        };
        let quiet_until = homes.iter().filter_map(quiet).max();
        Ok(Seen {
            facts,
            reached,
            communes_after_review,
            checklist,
            second_person,
            fatigue,
            quiet_until,
            looked,
        })
    }

    /// What alerting would know.
    fn known(&self, facts: &AlertFacts, now: Millis) -> AlertKnown {
        AlertKnown {
            now,
            map: Arc::clone(&self.host.map) as _,
            corridors: Arc::clone(&self.host.corridors),
            policy: self.host.policies.of(facts.home.commune),
        }
    }

    /// How often the groups in reach were told in the last week, from the alerts on the board.
    fn fatigue(&self, looked: &Looked, policy: &Policy, now: Millis) -> Fatigue {
        let groups: BTreeMap<CommuneCode, Vec<Arc<Group>>> = {
            let directory = self.host.directory.read();
            let group = |id: &GroupId| directory.group(id).cloned();
            let groups = |it: &Place| it.groups.iter().filter_map(group).collect();
            looked.places.iter().map(|it| (it.home.commune, groups(it))).collect()
        };
        let of_late = self.told_of_late(&groups.keys().copied().collect(), now);
        fatigue(&groups, of_late, policy.fatigue, now)
    }

    /// The alerts of the last week, for each of these communes that was told of one.
    fn told_of_late(&self, communes: &BTreeSet<CommuneCode>, now: Millis) -> Vec<ToldOf> {
        let mut told = Vec::new();
        let rows = self.board.lock();
        for row in rows.order.iter().filter_map(|id| rows.get(*id)) {
            let Some(facts) = row.facts() else { continue };
            for (commune, relay) in &row.relays {
                let at = relay.relayed_at.filter(|at| now.since_ms(*at) < WEEK_MS);
                if let (Some(at), true) = (at, communes.contains(commune)) {
                    let (alert, status, commune) = (row.id, facts.status, *commune);
                    told.push(ToldOf { alert, status, commune, at });
                }
            }
        }
        told
    }
}

/// Who was told is told what follows, whatever the new reach says.
fn with_told(mut reached: Reached, live: Option<&Live>) -> Reached {
    for told in live.map_or(&[][..], |live| &live.communes) {
        if !reached.communes.iter().any(|reached| reached.home == told.home) {
            reached.communes.push(*told);
        }
    }
    reached
}

fn waiting(row: &Row) -> Option<Waiting> {
    match &row.alert {
        Alert::AwaitingApproval(content) => Some(Waiting {
            revision: content.revision,
            facts: content.facts.clone(),
            by: content.by.clone(),
            live: None,
        }),
        Alert::Active(live) | Alert::Closed { live, .. } => {
            let (revision, pending, by) = live.pending.as_ref()?;
            let standing = &live.content.facts;
            let facts = match pending {
                Pending::Change { facts, .. } => facts.clone(),
                Pending::Widen(reach) => AlertFacts { reach: reach.clone(), ..standing.clone() },
                Pending::Reopen { .. } => standing.clone(),
            };
            let live = Some(live.clone());
            Some(Waiting { revision: *revision, facts, by: by.clone(), live })
        }
        Alert::Unissued => None,
    }
}

fn not_awaiting() -> Problem {
    not_done(NotDone::NotAwaiting)
}

fn not_done(not: NotDone) -> Problem {
    let Refusal { code, field } = not.into();
    refused(&Refused { code: code.to_owned(), field: field.to_owned() })
}
