//! What people see of a preflight, as JSON and over gRPC; Vietnamese first, English second.

use chassis::Host;
use domain::{
    alert::{Assumed, NextReach},
    criteria::{Answer, Checklist, Need},
    fatigue::Fatigue,
    follow_up,
    policy::SecondPerson,
    preflight::{Counts, Finding, Found},
    reach::{CommuneReached, NextStep},
    values::News,
};
use serde_json::{Value, json};
use wire::v1;

use crate::{preflight::Seen, view::time};

/// As JSON.
pub(crate) fn preflight(host: &Host, seen: &Seen) -> Value {
    let preflight = &seen.looked.preflight;
    let places = seen.reached.communes.iter().zip(&seen.looked.places);
    let communes: Vec<Value> = places
        .map(|(reached, place)| {
            let mut commune = commune(host, reached);
            if let Some(fields) = commune.as_object_mut() {
                fields.insert("groups".into(), json!(place.groups.len()));
                fields.insert("people".into(), json!(place.people));
                fields.insert("on_duty".into(), json!(place.on_duty));
            }
            commune
        })
        .collect();
    let reach = NextReach::of(seen.reached.figures.as_ref(), None);
    json!({
        "summary": preflight.summary().to_string(),
        "kind": seen.facts.kind.as_str(),
        "status": seen.facts.status.as_str(),
        "counts": counts(preflight.counts),
        "communes": communes,
        "figures": reach.assumed.as_ref().map(figures),
        "next": seen.reached.next.as_ref().map(|next| next_step(host, next)),
        "communes_after_review": seen.communes_after_review,
        "second_person": second_person(seen.second_person),
        "checklist": checklist(&seen.checklist),
        "fatigue": fatigue(&seen.fatigue, seen),
        "quiet_until": seen.quiet_until.map(time),
        "follow_ups": follow_ups(),
        "findings": findings(&preflight.found),
    })
}

/// Over gRPC.
pub(crate) fn message(host: &Host, seen: &Seen) -> v1::PreflightView {
    let Counts { communes, communes_on_duty, groups, people } = seen.looked.preflight.counts;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    v1::PreflightView {
        communes: number(communes),
        communes_on_duty: number(communes_on_duty),
        groups: number(groups),
        people,
        completeness_percent: seen.checklist.completeness_percent.into(),
        second_person: second_person(seen.second_person).to_owned(),
        json: preflight(host, seen).to_string(),
    }
}

/// What people will be told when it is corrected or over: nobody has to find words then.
fn follow_ups() -> Vec<Value> {
    let prepared = News::ALL.iter().filter_map(|news| {
        let (mark, words) = (follow_up::mark(*news)?, follow_up::words(*news)?);
        Some(json!({
            "news": news.as_str(),
            "mark": mark.to_string(),
            "instruction": words.to_string(),
        }))
    });
    prepared.collect()
}

/// Who will be reached.
pub(crate) fn counts(counts: Counts) -> Value {
    let Counts { communes, communes_on_duty, groups, people } = counts;
    json!({
        "communes": communes,
        "communes_on_duty": communes_on_duty,
        "groups": groups,
        "people": people,
    })
}

/// What will not work.
pub(crate) fn findings(found: &[Found]) -> Value {
    found
        .iter()
        .map(|found| {
            json!({
                "severity": found.finding.severity().as_str(),
                "code": code(&found.finding),
                "commune": found.commune.map(|code| code.to_string()),
                "detail": found.sentence.to_string(),
            })
        })
        .collect()
}

fn code(finding: &Finding) -> &'static str {
    match finding {
        Finding::NobodyAnswers => "nobody-answers",
        Finding::NobodyOnDuty { .. } => "nobody-on-duty",
        Finding::NoGroups => "no-groups",
        Finding::NoChannel { .. } => "no-channel",
        Finding::NeverDrilled { .. } => "never-drilled",
        Finding::SenderNotDrilled { .. } => "no-recent-drill",
        Finding::NotMeasured { .. } => "no-measured-drill",
        Finding::ChannelsNotReached { .. } => "channel-not-reached",
        Finding::FellShort { .. } => "drill-fell-short",
    }
}

fn commune(host: &Host, reached: &CommuneReached) -> Value {
    let home = reached.home;
    json!({
        "code": home.commune.to_string(),
        "name": host.map.commune(home.commune).map(|commune| commune.name.to_string()),
        "province": host.map.province_name(home.province),
        "reason": reached.reason.as_str(),
        "ring": reached.ring,
    })
}

fn next_step(host: &Host, next: &NextStep) -> Value {
    let communes: Vec<Value> = next.communes.iter().map(|it| commune(host, it)).collect();
    json!({ "at": time(next.at), "reach_m": next.reach_m, "communes": communes })
}

fn figures(assumed: &Assumed) -> Value {
    json!({
        "rule": assumed.rule,
        "table": assumed.table,
        "category": assumed.category,
        "terrain": assumed.terrain,
        "mode": assumed.mode,
        "speed_m_h": assumed.speed_m_h,
        "since": time(assumed.t0),
        "relay_delay_ms": assumed.relay_delay_ms,
        "r95_m": assumed.r95_m,
        "reach_m": assumed.reach_m,
        "reach_m_max": assumed.reach_m_max,
        "measured": assumed.measured,
        "province_line": assumed.province_line,
        "bordering_only": assumed.is_bordering_only,
        "ride_assumed": assumed.is_ride_assumed,
    })
}

fn second_person(second: SecondPerson) -> &'static str {
    match second {
        SecondPerson::NotNeeded => "not-needed",
        SecondPerson::Reviews => "reviews",
        SecondPerson::Approves => "approves",
    }
}

fn checklist(checklist: &Checklist<'_>) -> Value {
    let items = checklist.items.iter().map(|item| {
        let criterion = item.criterion;
        json!({
            "id": criterion.id,
            "need": match criterion.need {
                Need::Required => "required",
                Need::Wanted => "wanted",
            },
            "answer": match item.answer {
                Answer::Known => "known",
                Answer::DontKnow => "dont-know",
                Answer::Missing => "missing",
            },
            "question": format!("{} / {}", criterion.question_vi, criterion.question_en),
        })
    });
    json!({
        "version": checklist.version,
        "completeness_percent": checklist.completeness_percent,
        "missing": checklist.missing,
        "lacks_required": checklist.lacks_required(),
        "items": items.collect::<Vec<_>>(),
    })
}

fn fatigue(fatigue: &Fatigue, seen: &Seen) -> Value {
    let over: Vec<String> = fatigue.over.iter().map(ToString::to_string).collect();
    json!({
        "groups": fatigue.groups,
        "groups_over": over,
        "highest_in_day": fatigue.highest.in_day,
        "highest_in_week": fatigue.highest.in_week,
        "alerts_per_day_max": fatigue.budget.alerts_per_day_max,
        "alerts_per_week_max": fatigue.budget.alerts_per_week_max,
        "over_budget": fatigue.holds(seen.facts.kind),
        "detail": fatigue.told().to_string(),
    })
}
