//! The alert on the wire.

use domain::{
    alert::{
        Alert, AlertAsk, AlertCommand, AlertEvent, AlertFacts, LastSeen, MilliPoint, PersonFacts,
    },
    ids::{AlertId, Millis},
    reach::{CommuneReached, ReachRequest},
};

use crate::{
    NotDecodable, Spoken,
    actor::role_of,
    spoken::{home_recalled, id_bytes, millis_or_none, record_id},
    v1::{self, command::Body, event::Event},
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
        last_seen: facts.last_seen.map(|seen| v1::LastSeen {
            at_ms: seen.at.map(|at| at.0),
            lat_millideg: seen.point.map(|point| point.lat_millideg),
            lon_millideg: seen.point.map(|point| point.lon_millideg),
        }),
        travel: facts.travel.map_or(0, travel_said),
        person: facts.person.map(|person| v1::PersonFacts {
            age_years: person.age_years.map(u32::from),
            sex: person.sex.map_or(0, sex_said),
        }),
        legal_basis_code: facts.legal_basis.clone().unwrap_or_default(),
        expires_at_ms: facts.expires_at.0,
        reach: Some(reach_said(&facts.reach)),
    }
}

/// What is open of an alert, from the wire.
///
/// # Errors
/// Something of it is newer than this program.
pub fn facts_recalled(facts: &v1::AlertFacts) -> Result<AlertFacts, NotDecodable> {
    let reach = facts.reach.as_ref().ok_or(NotDecodable("a reach"))?;
    let point = |seen: &v1::LastSeen| {
        let (lat_millideg, lon_millideg) = seen.lat_millideg.zip(seen.lon_millideg)?;
        Some(MilliPoint { lat_millideg, lon_millideg })
    };
    Ok(AlertFacts {
        kind: kind_recalled(facts.kind)?,
        status: status_recalled(facts.status)?,
        home: home_recalled(&facts.province, &facts.commune)?,
        reported_at: facts.reported_at_ms.map(Millis),
        last_seen: facts
            .last_seen
            .as_ref()
            .map(|seen| LastSeen { at: seen.at_ms.map(Millis), point: point(seen) }),
        travel: (facts.travel != 0).then(|| travel_recalled(facts.travel)).transpose()?,
        person: facts.person.as_ref().map(person_recalled).transpose()?,
        legal_basis: Some(&facts.legal_basis_code).filter(|code| !code.is_empty()).cloned(),
        expires_at: Millis(facts.expires_at_ms),
        reach: reach_recalled(reach)?,
    })
}

fn person_recalled(person: &v1::PersonFacts) -> Result<PersonFacts, NotDecodable> {
    let age = |years: u32| u8::try_from(years).map_err(|_| NotDecodable("an age"));
    Ok(PersonFacts {
        age_years: person.age_years.map(age).transpose()?,
        sex: (person.sex != 0).then(|| sex_recalled(person.sex)).transpose()?,
    })
}

fn reach_said(reach: &ReachRequest) -> v1::ReachRequest {
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

fn reach_recalled(reach: &v1::ReachRequest) -> Result<ReachRequest, NotDecodable> {
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

fn communes_said(communes: &[CommuneReached]) -> Vec<v1::CommuneReached> {
    let said = |commune: &CommuneReached| v1::CommuneReached {
        commune: commune.home.commune.to_string(),
        province: commune.home.province.to_string(),
        reason: reason_said(commune.reason),
        ring: commune.ring,
    };
    communes.iter().map(said).collect()
}

fn communes_recalled(said: &[v1::CommuneReached]) -> Result<Vec<CommuneReached>, NotDecodable> {
    let recalled = |commune: &v1::CommuneReached| {
        Ok(CommuneReached {
            home: home_recalled(&commune.province, &commune.commune)?,
            reason: reason_recalled(commune.reason)?,
            ring: commune.ring,
        })
    };
    said.iter().map(recalled).collect()
}

impl Spoken for Alert {
    fn hear(command: &v1::Command) -> Result<AlertCommand, NotDecodable> {
        let id = record_id(&command.id)?;
        let ask = match command.body.as_ref() {
            Some(Body::RaiseAlert(raise)) => AlertAsk::Raise {
                facts: facts_recalled(raise.facts.as_ref().ok_or(NotDecodable("facts"))?)?,
                code: AlertId::raised_by(id).code(),
                content: id,
            },
            Some(Body::ApproveAlert(approve)) => AlertAsk::Approve { revision: approve.revision },
            Some(Body::CancelAlert(_)) => AlertAsk::Cancel { note: id },
            Some(Body::ResolveAlert(_)) => AlertAsk::Resolve { note: id },
            Some(Body::ExpireAlert(expire)) => {
                AlertAsk::Expire { expires_at: Millis(expire.expires_at_ms) }
            }
            Some(Body::RelayAlertFurther(further)) => AlertAsk::RelayFurther { step: further.step },
            _ => return Err(NotDecodable("a command to an alert")),
        };
        Ok(AlertCommand {
            by: command.actor.as_ref().map(|actor| actor.officer.clone()).unwrap_or_default(),
            role: role_of(command.actor.as_ref()),
            valid_until: millis_or_none(command.valid_until_ms),
            ask,
        })
    }

    fn say(event: &AlertEvent) -> Event {
        match event {
            AlertEvent::ApprovalAsked { revision, facts, code, content, by } => {
                Event::AlertApprovalAsked(v1::AlertApprovalAsked {
                    revision: *revision,
                    facts: Some(facts_said(facts)),
                    code: code.clone(),
                    content: id_bytes(content.0),
                    raised_by: by.clone(),
                })
            }
            AlertEvent::Approved { revision, by } => Event::AlertApproved(v1::AlertApproved {
                approved_revision: *revision,
                officer: by.clone(),
            }),
            AlertEvent::Issued { revision, facts, code, content, by, communes, to_follow } => {
                Event::AlertIssued(v1::AlertIssued {
                    revision: *revision,
                    facts: Some(facts_said(facts)),
                    code: code.clone(),
                    content: id_bytes(content.0),
                    communes: communes_said(communes),
                    to_follow: communes_said(to_follow),
                    raised_by: by.clone(),
                })
            }
            AlertEvent::RelayedFurther { step, communes } => {
                let communes = communes_said(communes);
                Event::AlertRelayedFurther(v1::AlertRelayedFurther { step: *step, communes })
            }
            AlertEvent::Cancelled { revision, note } => {
                let note = id_bytes(note.0);
                Event::AlertCancelled(v1::AlertCancelled { revision: *revision, note })
            }
            AlertEvent::Resolved { revision, note } => {
                let note = id_bytes(note.0);
                Event::AlertResolved(v1::AlertResolved { revision: *revision, note })
            }
            AlertEvent::Expired { revision } => {
                Event::AlertExpired(v1::AlertExpired { revision: *revision })
            }
        }
    }

    fn recall(event: &Event) -> Result<AlertEvent, NotDecodable> {
        let facts = |facts: &Option<v1::AlertFacts>| {
            facts_recalled(facts.as_ref().ok_or(NotDecodable("facts"))?)
        };
        Ok(match event {
            Event::AlertApprovalAsked(asked) => AlertEvent::ApprovalAsked {
                revision: asked.revision,
                facts: facts(&asked.facts)?,
                code: asked.code.clone(),
                content: record_id(&asked.content)?,
                by: asked.raised_by.clone(),
            },
            Event::AlertApproved(approved) => AlertEvent::Approved {
                revision: approved.approved_revision,
                by: approved.officer.clone(),
            },
            Event::AlertIssued(issued) => AlertEvent::Issued {
                revision: issued.revision,
                facts: facts(&issued.facts)?,
                code: issued.code.clone(),
                content: record_id(&issued.content)?,
                by: issued.raised_by.clone(),
                communes: communes_recalled(&issued.communes)?,
                to_follow: communes_recalled(&issued.to_follow)?,
            },
            Event::AlertRelayedFurther(further) => AlertEvent::RelayedFurther {
                step: further.step,
                communes: communes_recalled(&further.communes)?,
            },
            Event::AlertCancelled(end) => {
                AlertEvent::Cancelled { revision: end.revision, note: record_id(&end.note)? }
            }
            Event::AlertResolved(end) => {
                AlertEvent::Resolved { revision: end.revision, note: record_id(&end.note)? }
            }
            Event::AlertExpired(end) => AlertEvent::Expired { revision: end.revision },
            _ => return Err(NotDecodable("an event of an alert")),
        })
    }
}
