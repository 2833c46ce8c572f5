//! Rosters on the wire: who is asked where, how an officer is reached, and which version of the
//! directory holds.

use bytes::Bytes;
use domain::{
    dated::{Adopt, Adopted, Validity, Version, Versions},
    directory::{ContactFacts, Listed, RosterFacts},
    ids::{Home, Millis},
    roster::{Duty, Hours, Weekday},
};

use crate::{
    NotDecodable, Spoken,
    spoken::home_recalled,
    v1::{self, command::Body, event::Event},
    values::{role_recalled, role_said},
};

const DAYS: [(Weekday, v1::Weekday); 7] = [
    (Weekday::Monday, v1::Weekday::Monday),
    (Weekday::Tuesday, v1::Weekday::Tuesday),
    (Weekday::Wednesday, v1::Weekday::Wednesday),
    (Weekday::Thursday, v1::Weekday::Thursday),
    (Weekday::Friday, v1::Weekday::Friday),
    (Weekday::Saturday, v1::Weekday::Saturday),
    (Weekday::Sunday, v1::Weekday::Sunday),
];

/// How an officer is reached, on the wire.
#[must_use]
pub fn contact_said(facts: &ContactFacts) -> v1::ContactFacts {
    v1::ContactFacts { officer: facts.officer.to_string(), reachable: facts.reachable }
}

/// How an officer is reached, from the wire.
///
/// # Errors
/// Something of it is newer than this program.
pub fn contact_recalled(facts: Option<&v1::ContactFacts>) -> Result<ContactFacts, NotDecodable> {
    let facts = facts.ok_or(NotDecodable("facts"))?;
    let officer = facts.officer.parse().map_err(|_| NotDecodable("an officer"))?;
    Ok(ContactFacts { officer, reachable: facts.reachable })
}

/// Who is asked at a place, on the wire.
#[must_use]
pub fn roster_said(facts: &RosterFacts) -> v1::RosterFacts {
    let is_desk = facts.place == Home::of_province(facts.place.province);
    let contacts = facts.contacts.iter().map(|listed| v1::RosterContact {
        officer: listed.officer.to_string(),
        role: role_said(listed.role),
        valid_from_ms: listed.valid.from().map(|at| at.0),
        valid_to_ms: listed.valid.to().map(|at| at.0),
    });
    v1::RosterFacts {
        commune: if is_desk { String::new() } else { facts.place.commune.to_string() },
        province: facts.place.province.to_string(),
        contacts: contacts.collect(),
        duties: facts.duties.iter().map(|duty| duty_said(duty, &facts.contacts)).collect(),
    }
}

fn duty_said(duty: &Duty, contacts: &[Listed]) -> v1::RosterDuty {
    let place = contacts.iter().position(|listed| listed.officer == duty.officer);
    let (day, from_min, minutes) = match duty.hours {
        Hours::Whole => (v1::Weekday::Unspecified, 0, 0),
        Hours::Weekly { day, from_min, minutes } => (day_said(day), from_min, minutes),
    };
    v1::RosterDuty {
        // A duty is a contact's; what would not be is a place that nobody has.
        contact: place.and_then(|place| u32::try_from(place).ok()).unwrap_or(u32::MAX),
        day: i32::from(day),
        from_min: from_min.into(),
        minutes: minutes.into(),
        valid_from_ms: duty.valid.from().map(|at| at.0),
        valid_to_ms: duty.valid.to().map(|at| at.0),
    }
}

fn day_said(day: Weekday) -> v1::Weekday {
    let said = DAYS.iter().find(|(known, _)| *known == day);
    said.map_or(v1::Weekday::Unspecified, |(_, said)| *said)
}

/// Who is asked at a place, from the wire.
///
/// # Errors
/// Something of it is newer than this program.
pub fn roster_recalled(facts: Option<&v1::RosterFacts>) -> Result<RosterFacts, NotDecodable> {
    let facts = facts.ok_or(NotDecodable("facts"))?;
    let commune = if facts.commune.is_empty() { "00000" } else { &facts.commune };
    let contacts = facts.contacts.iter().map(listed_recalled).collect::<Result<Vec<_>, _>>()?;
    let duties = facts.duties.iter().map(|duty| duty_recalled(duty, &contacts));
    Ok(RosterFacts {
        place: home_recalled(&facts.province, commune)?,
        duties: duties.collect::<Result<_, _>>()?,
        contacts,
    })
}

fn listed_recalled(contact: &v1::RosterContact) -> Result<Listed, NotDecodable> {
    Ok(Listed {
        officer: contact.officer.parse().map_err(|_| NotDecodable("an officer"))?,
        role: role_recalled(contact.role)?,
        valid: validity(contact.valid_from_ms, contact.valid_to_ms)?,
    })
}

fn duty_recalled(duty: &v1::RosterDuty, contacts: &[Listed]) -> Result<Duty, NotDecodable> {
    let place = usize::try_from(duty.contact).ok();
    let listed = place.and_then(|place| contacts.get(place)).ok_or(NotDecodable("a contact"))?;
    let of_day = |minutes: u32| u16::try_from(minutes).map_err(|_| NotDecodable("a minute"));
    let hours = match v1::Weekday::try_from(duty.day) {
        Ok(v1::Weekday::Unspecified) => Hours::Whole,
        Ok(said) => {
            let day = DAYS.iter().find(|(_, known)| *known == said);
            let (day, _) = day.ok_or(NotDecodable("a weekday"))?;
            Hours::Weekly {
                day: *day,
                from_min: of_day(duty.from_min)?,
                minutes: of_day(duty.minutes)?,
            }
        }
        Err(_) => return Err(NotDecodable("a weekday")),
    };
    let valid = validity(duty.valid_from_ms, duty.valid_to_ms)?;
    Ok(Duty { officer: listed.officer.clone(), hours, valid })
}

pub(crate) fn validity(from_ms: Option<i64>, to_ms: Option<i64>) -> Result<Validity, NotDecodable> {
    Validity::of(from_ms.map(Millis), to_ms.map(Millis)).ok_or(NotDecodable("a validity"))
}

pub(crate) fn hash(bytes: &Bytes) -> Result<[u8; 32], NotDecodable> {
    bytes.as_ref().try_into().map_err(|_| NotDecodable("a hash"))
}

impl Spoken for Versions {
    fn hear(command: &v1::Command) -> Result<Adopt, NotDecodable> {
        let Some(Body::AdoptDirectory(adopt)) = command.body.as_ref() else {
            return Err(NotDecodable("a command to a version"));
        };
        Ok(Adopt {
            sha256: hash(&adopt.sha256)?,
            lines: adopt.lines,
            valid: validity(adopt.valid_from_ms, adopt.valid_to_ms)?,
        })
    }

    fn say(event: &Adopted) -> Event {
        let Version { number, sha256, lines, valid } = event.version;
        Event::DirectoryAdopted(v1::DirectoryAdopted {
            number,
            sha256: Bytes::copy_from_slice(&sha256),
            lines,
            valid_from_ms: valid.from().map(|at| at.0),
            valid_to_ms: valid.to().map(|at| at.0),
            ends: event.ends,
        })
    }

    fn recall(event: &Event) -> Result<Adopted, NotDecodable> {
        let Event::DirectoryAdopted(adopted) = event else {
            return Err(NotDecodable("an event of a version"));
        };
        let version = Version {
            number: adopted.number,
            sha256: hash(&adopted.sha256)?,
            lines: adopted.lines,
            valid: validity(adopted.valid_from_ms, adopted.valid_to_ms)?,
        };
        Ok(Adopted { version, ends: adopted.ends })
    }
}

#[cfg(test)]
mod tests {
    use domain::values::Role;

    use super::*;

    #[test]
    fn a_roster_comes_back_as_it_was_said() {
        let valid = |from, to| Validity::of(from, to).unwrap();
        let listed =
            |officer: &str, role, valid| Listed { officer: officer.parse().unwrap(), role, valid };
        let duty =
            |officer: &str, hours, valid| Duty { officer: officer.parse().unwrap(), hours, valid };
        let weekly = Weekday::ALL.map(|day| Hours::Weekly { day, from_min: 1_080, minutes: 720 });
        let mut duties = vec![duty("an", Hours::Whole, valid(Some(Millis(-5)), Some(Millis(9))))];
        duties.extend(weekly.map(|hours| duty("binh", hours, Validity::ALWAYS)));
        let commune = Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() };
        for place in [commune, Home::of_province(commune.province)] {
            let facts = RosterFacts {
                place,
                contacts: vec![
                    listed("an", Role::Commander, Validity::ALWAYS),
                    listed("binh", Role::Officer, valid(Some(Millis(0)), None)),
                ],
                duties: duties.clone(),
            };
            assert_eq!(roster_recalled(Some(&roster_said(&facts))), Ok(facts));
        }
        let stranger = RosterFacts { place: commune, contacts: vec![], duties };
        assert!(roster_recalled(Some(&roster_said(&stranger))).is_err());
        assert!(roster_recalled(None).is_err() && contact_recalled(None).is_err());
    }

    #[test]
    fn a_version_comes_back_as_it_was_said() {
        let valid = Validity::of(Some(Millis(7)), None).unwrap();
        let version = Version { number: 2, sha256: [7; 32], lines: 9, valid };
        let adopted = Adopted { version, ends: 1 };
        assert_eq!(Versions::recall(&Versions::say(&adopted)), Ok(adopted));
        assert!(Versions::recall(&Event::AlertExpired(v1::AlertExpired::default())).is_err());
        assert!(Versions::hear(&v1::Command::default()).is_err());
    }
}
