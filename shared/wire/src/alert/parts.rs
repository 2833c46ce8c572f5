//! The parts of commands and events of an alert on the wire.

use domain::{
    alert::{AlertFacts, Assumed, Checked, LastSeen, MilliPoint, NextReach, PersonFacts},
    fatigue::{Count, Exceeded, FatigueBudget},
    ids::Millis,
    reach::{CommuneReached, ReachRequest},
};

use crate::{
    NotDecodable,
    spoken::{home_recalled, millis_or_none},
    v1,
    values::{
        kind_recalled, kind_said, reason_recalled, reason_said, sex_recalled, sex_said,
        status_recalled, status_said, travel_recalled, travel_said,
    },
};

/// What is open of an alert, on the wire.
#[must_use]
pub fn facts_said(facts: &AlertFacts) -> v1::AlertFacts {
    v1::AlertFacts {
        kind: kind_said(facts.kind),
        status: status_said(facts.status),
        commune: facts.home.commune.to_string(),
        province: facts.home.province.to_string(),
        reported_at_ms: facts.reported_at.map(|at| at.0),
        last_seen: facts.last_seen.map(seen_said),
        travel: facts.travel.map_or(0, travel_said),
        person: facts.person.map(|person| v1::PersonFacts {
            age_years: person.age_years.map(u32::from),
            sex: person.sex.map_or(0, sex_said),
        }),
        legal_basis_code: facts.legal_basis.clone().unwrap_or_default(),
        expires_at_ms: facts.expires_at.0,
        reach: Some(reach_said(&facts.reach)),
        dont_know: facts.dont_know.clone(),
    }
}

/// What is open of an alert, from the wire.
///
/// # Errors
/// Something of it is newer than this program.
pub fn facts_recalled(facts: &v1::AlertFacts) -> Result<AlertFacts, NotDecodable> {
    let reach = facts.reach.as_ref().ok_or(NotDecodable("a reach"))?;
    Ok(AlertFacts {
        kind: kind_recalled(facts.kind)?,
        status: status_recalled(facts.status)?,
        home: home_recalled(&facts.province, &facts.commune)?,
        reported_at: facts.reported_at_ms.map(Millis),
        last_seen: facts.last_seen.as_ref().map(seen_recalled),
        travel: (facts.travel != 0).then(|| travel_recalled(facts.travel)).transpose()?,
        person: facts.person.as_ref().map(person_recalled).transpose()?,
        legal_basis: Some(&facts.legal_basis_code).filter(|code| !code.is_empty()).cloned(),
        expires_at: Millis(facts.expires_at_ms),
        reach: reach_recalled(reach)?,
        dont_know: facts.dont_know.clone(),
    })
}

/// Where and when, on the wire.
#[must_use]
pub fn seen_said(seen: LastSeen) -> v1::LastSeen {
    v1::LastSeen {
        at_ms: seen.at.map(|at| at.0),
        lat_millideg: seen.point.map(|point| point.lat_millideg),
        lon_millideg: seen.point.map(|point| point.lon_millideg),
    }
}

/// Where somebody was last seen, from the wire.
#[must_use]
pub fn seen_recalled(seen: &v1::LastSeen) -> LastSeen {
    let point = seen.lat_millideg.zip(seen.lon_millideg);
    let point = point.map(|(lat_millideg, lon_millideg)| MilliPoint { lat_millideg, lon_millideg });
    LastSeen { at: seen.at_ms.map(Millis), point }
}

fn person_recalled(person: &v1::PersonFacts) -> Result<PersonFacts, NotDecodable> {
    let age = |years: u32| u8::try_from(years).map_err(|_| NotDecodable("an age"));
    Ok(PersonFacts {
        age_years: person.age_years.map(age).transpose()?,
        sex: (person.sex != 0).then(|| sex_recalled(person.sex)).transpose()?,
    })
}

/// A request for a reach, on the wire.
#[must_use]
pub fn reach_said(reach: &ReachRequest) -> v1::ReachRequest {
    let said = |mode: v1::ReachMode, rings: u32, communes: Vec<String>| v1::ReachRequest {
        mode: i32::from(mode),
        rings,
        communes,
    };
    match reach {
        ReachRequest::Auto => said(v1::ReachMode::Auto, 0, vec![]),
        ReachRequest::Rings(rings) => said(v1::ReachMode::Rings, *rings, vec![]),
        ReachRequest::Communes(communes) => {
            let communes = communes.iter().map(ToString::to_string).collect();
            said(v1::ReachMode::Communes, 0, communes)
        }
        ReachRequest::Province => said(v1::ReachMode::Province, 0, vec![]),
    }
}

/// What reach was asked for, from the wire.
///
/// # Errors
/// It is newer than this program.
pub fn reach_recalled(reach: &v1::ReachRequest) -> Result<ReachRequest, NotDecodable> {
    let code = |text: &String| text.parse().map_err(|_| NotDecodable("a commune"));
    Ok(match v1::ReachMode::try_from(reach.mode) {
        Ok(v1::ReachMode::Auto) => ReachRequest::Auto,
        Ok(v1::ReachMode::Rings) => ReachRequest::Rings(reach.rings),
        Ok(v1::ReachMode::Communes) => {
            ReachRequest::Communes(reach.communes.iter().map(code).collect::<Result<_, _>>()?)
        }
        Ok(v1::ReachMode::Province) => ReachRequest::Province,
        _ => return Err(NotDecodable("a mode of reach")),
    })
}

pub(super) fn communes_said(communes: &[CommuneReached]) -> Vec<v1::CommuneReached> {
    let said = |commune: &CommuneReached| v1::CommuneReached {
        commune: commune.home.commune.to_string(),
        province: commune.home.province.to_string(),
        reason: reason_said(commune.reason),
        ring: commune.ring,
    };
    communes.iter().map(said).collect()
}

pub(super) fn communes_recalled(
    said: &[v1::CommuneReached],
) -> Result<Vec<CommuneReached>, NotDecodable> {
    let recalled = |commune: &v1::CommuneReached| {
        Ok(CommuneReached {
            home: home_recalled(&commune.province, &commune.commune)?,
            reason: reason_recalled(commune.reason)?,
            ring: commune.ring,
        })
    };
    said.iter().map(recalled).collect()
}

pub(super) fn checked_said(checked: &Checked) -> v1::Checked {
    v1::Checked {
        version: checked.version,
        completeness_percent: u32::from(checked.completeness_percent),
        missing: checked.missing.clone(),
    }
}

/// What was checked; nothing in records from before there were criteria.
pub(super) fn checked_recalled(checked: Option<&v1::Checked>) -> Result<Checked, NotDecodable> {
    let Some(checked) = checked else { return Ok(Checked::default()) };
    let percent = u8::try_from(checked.completeness_percent);
    Ok(Checked {
        version: checked.version,
        completeness_percent: percent.map_err(|_| NotDecodable("a percentage"))?,
        missing: checked.missing.clone(),
    })
}

pub(super) fn next_said(next: &NextReach) -> v1::NextReach {
    v1::NextReach {
        assumed: next.assumed.as_ref().map(assumed_said),
        at_ms: next.at.map_or(0, |at| at.0),
        communes: next.communes.iter().map(ToString::to_string).collect(),
    }
}

/// When a reach grows; never, in records from before reaches grew.
pub(super) fn next_recalled(next: Option<&v1::NextReach>) -> Result<NextReach, NotDecodable> {
    let Some(next) = next else { return Ok(NextReach::default()) };
    let code = |text: &String| text.parse().map_err(|_| NotDecodable("a commune"));
    Ok(NextReach {
        assumed: next.assumed.as_ref().map(assumed_recalled),
        at: millis_or_none(next.at_ms),
        communes: next.communes.iter().map(code).collect::<Result<_, _>>()?,
    })
}

fn assumed_said(assumed: &Assumed) -> v1::Assumed {
    v1::Assumed {
        rule: assumed.rule.clone(),
        table: assumed.table.clone(),
        category: assumed.category.clone(),
        terrain: assumed.terrain.clone(),
        mode: assumed.mode.clone(),
        speed_m_h: assumed.speed_m_h,
        t0_ms: assumed.t0.0,
        now_ms: assumed.now.0,
        relay_delay_ms: assumed.relay_delay_ms,
        r95_m: assumed.r95_m,
        reach_m: assumed.reach_m,
        reach_m_max: assumed.reach_m_max,
        measured: assumed.measured.clone(),
        province_line: assumed.province_line.clone(),
        bordering_only: assumed.is_bordering_only,
        ride_assumed: assumed.is_ride_assumed,
    }
}

fn assumed_recalled(assumed: &v1::Assumed) -> Assumed {
    Assumed {
        rule: assumed.rule.clone(),
        table: assumed.table.clone(),
        category: assumed.category.clone(),
        terrain: assumed.terrain.clone(),
        mode: assumed.mode.clone(),
        speed_m_h: assumed.speed_m_h,
        t0: Millis(assumed.t0_ms),
        now: Millis(assumed.now_ms),
        relay_delay_ms: assumed.relay_delay_ms,
        r95_m: assumed.r95_m,
        reach_m: assumed.reach_m,
        reach_m_max: assumed.reach_m_max,
        measured: assumed.measured.clone(),
        province_line: assumed.province_line.clone(),
        is_bordering_only: assumed.bordering_only,
        is_ride_assumed: assumed.ride_assumed,
    }
}

/// The figures of an exceeded budget, on the wire.
#[must_use]
pub fn exceeded_said(exceeded: &Exceeded) -> v1::BudgetFigures {
    let Exceeded { groups, groups_over, highest, budget } = *exceeded;
    v1::BudgetFigures {
        groups,
        groups_over,
        alerts_in_day: highest.in_day,
        alerts_in_week: highest.in_week,
        alerts_per_day_max: budget.alerts_per_day_max,
        alerts_per_week_max: budget.alerts_per_week_max,
    }
}

pub(super) fn exceeded_recalled(
    figures: Option<&v1::BudgetFigures>,
) -> Result<Exceeded, NotDecodable> {
    let figures = figures.ok_or(NotDecodable("figures of a budget"))?;
    let (alerts_per_day_max, alerts_per_week_max) =
        (figures.alerts_per_day_max, figures.alerts_per_week_max);
    Ok(Exceeded {
        groups: figures.groups,
        groups_over: figures.groups_over,
        highest: Count { in_day: figures.alerts_in_day, in_week: figures.alerts_in_week },
        budget: FatigueBudget { alerts_per_day_max, alerts_per_week_max },
    })
}
