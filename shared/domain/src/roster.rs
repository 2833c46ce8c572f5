//! Who is asked in a commune, and at a province's duty desk: contacts in order, and who is on duty.
//!
//! Duty is an interval, or a weekly pattern in Viet Nam's time (UTC+7 all year). A commune without
//! a roster for the hour still has contacts in order. Addresses are sealed, and not here.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    dated::Validity,
    ids::{Home, Millis, OfficerId, ProvinceCode},
    quiet::VIETNAM_OFFSET_MS,
};

/// The most contacts of one place.
pub const CONTACTS_MAX: usize = 64;
/// The most duties of one place: three shifts a day for a year.
pub const DUTIES_MAX: usize = 1_100;
/// Minutes of a day.
pub const DAY_MIN: u16 = 24 * 60;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Somebody who can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Who.
    pub officer: OfficerId,
    /// When they belong to the place.
    pub valid: Validity,
    /// Whether a way to reach them is recorded; nobody escalates to whom nothing reaches (R29).
    pub reachable: bool,
}

/// When somebody is on duty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Duty {
    /// Who.
    pub officer: OfficerId,
    /// When.
    pub hours: Hours,
    /// When this line of the roster holds.
    pub valid: Validity,
}

/// The hours of a duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hours {
    /// The validity of the duty says all.
    Whole,
    /// Every week, in Viet Nam's time.
    Weekly {
        /// The day on which it begins.
        day: Weekday,
        /// The minute of that day at which it begins, below [`DAY_MIN`].
        from_min: u16,
        /// How long: 1 to [`DAY_MIN`]; it may go on into the next day.
        minutes: u16,
    },
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weekday {
    /// Thứ hai.
    Monday,
    /// Thứ ba.
    Tuesday,
    /// Thứ tư.
    Wednesday,
    /// Thứ năm.
    Thursday,
    /// Thứ sáu.
    Friday,
    /// Thứ bảy.
    Saturday,
    /// Chủ nhật.
    Sunday,
}

impl Weekday {
    /// Every day, Monday first.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    fn days_after_monday(self) -> i64 {
        match self {
            Self::Monday => 0,
            Self::Tuesday => 1,
            Self::Wednesday => 2,
            Self::Thursday => 3,
            Self::Friday => 4,
            Self::Saturday => 5,
            Self::Sunday => 6,
        }
    }
}

/// Milliseconds since the week began in Viet Nam, on Monday at 00:00.
fn of_week_ms(at: Millis) -> i64 {
    /// 1 January 1970 was a Thursday.
    const EPOCH_OF_WEEK_MS: i64 = 3 * DAY_MS;
    let week_ms = 7 * DAY_MS;
    (at.0.rem_euclid(week_ms) + EPOCH_OF_WEEK_MS + VIETNAM_OFFSET_MS).rem_euclid(week_ms)
}

impl Hours {
    fn cover(self, at: Millis) -> bool {
        match self {
            Self::Whole => true,
            Self::Weekly { day, from_min, minutes } => {
                let begins_ms = day.days_after_monday() * DAY_MS + i64::from(from_min) * MINUTE_MS;
                let since_ms = (of_week_ms(at) - begins_ms).rem_euclid(7 * DAY_MS);
                since_ms < i64::from(minutes) * MINUTE_MS
            }
        }
    }
}

impl Duty {
    /// Whether the officer is on duty at `at`.
    #[must_use]
    pub fn covers(&self, at: Millis) -> bool {
        self.valid.holds(at) && self.hours.cover(at)
    }
}

/// Why a roster is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotARoster {
    /// Too many contacts.
    #[error("at most {CONTACTS_MAX} contacts")]
    TooManyContacts,
    /// Too many duties.
    #[error("at most {DUTIES_MAX} duties")]
    TooManyDuties,
    /// Somebody is a contact twice at the same time.
    #[error("{0} is a contact twice at the same time")]
    Twice(OfficerId),
    /// Somebody is on duty who is no contact.
    #[error("{0} is on duty and is no contact")]
    NoContact(OfficerId),
    /// Hours that no day has.
    #[error("the hours of {0} are none of a day")]
    NoHours(OfficerId),
}

/// The contacts of one place, in order, and its duties.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    contacts: Vec<Contact>,
    duties: Vec<Duty>,
}

impl Roster {
    /// A roster; the first contact is asked first.
    ///
    /// # Errors
    /// [`NotARoster`]: a limit, somebody twice, a duty of nobody, hours of no day.
    pub fn of(contacts: Vec<Contact>, duties: Vec<Duty>) -> Result<Self, NotARoster> {
        if contacts.len() > CONTACTS_MAX {
            return Err(NotARoster::TooManyContacts);
        }
        if duties.len() > DUTIES_MAX {
            return Err(NotARoster::TooManyDuties);
        }
        let mut valid: BTreeMap<&OfficerId, Vec<Validity>> = BTreeMap::new();
        for contact in &contacts {
            let before = valid.entry(&contact.officer).or_default();
            if before.iter().any(|before| before.overlaps(contact.valid)) {
                return Err(NotARoster::Twice(contact.officer.clone()));
            }
            before.push(contact.valid);
        }
        for duty in &duties {
            if !valid.contains_key(&duty.officer) {
                return Err(NotARoster::NoContact(duty.officer.clone()));
            }
            let is_of_a_day = match duty.hours {
                Hours::Whole => true,
                Hours::Weekly { from_min, minutes, .. } => {
                    from_min < DAY_MIN && (1..=DAY_MIN).contains(&minutes)
                }
            };
            if !is_of_a_day {
                return Err(NotARoster::NoHours(duty.officer.clone()));
            }
        }
        Ok(Self { contacts, duties })
    }

    /// The contacts at `at`, in their order.
    pub fn contacts(&self, at: Millis) -> impl Iterator<Item = &Contact> {
        self.contacts.iter().filter(move |contact| contact.valid.holds(at))
    }

    /// Those on duty at `at`, in the order of the contacts.
    #[must_use]
    pub fn on_duty(&self, at: Millis) -> Vec<&Contact> {
        let covering = self.duties.iter().filter(|duty| duty.covers(at));
        let officers: BTreeSet<&OfficerId> = covering.map(|duty| &duty.officer).collect();
        self.contacts(at).filter(|contact| officers.contains(&contact.officer)).collect()
    }

    /// Whom to ask at `at`, one after another: those on duty, then the others; only those whom
    /// something reaches.
    #[must_use]
    pub fn in_order(&self, at: Millis) -> Vec<&Contact> {
        let on_duty = self.on_duty(at);
        let others = self.contacts(at).filter(|contact| !on_duty.contains(contact));
        let all = on_duty.iter().copied().chain(others);
        all.filter(|contact| contact.reachable).collect()
    }

    /// Who is asked first.
    #[must_use]
    pub fn first_contact(&self, at: Millis) -> Option<&Contact> {
        self.in_order(at).into_iter().next()
    }

    /// Who is asked where the first stays silent.
    #[must_use]
    pub fn second_contact(&self, at: Millis) -> Option<&Contact> {
        self.in_order(at).into_iter().nth(1)
    }
}

/// The rosters of all communes and of the provinces' duty desks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rosters {
    places: BTreeMap<Home, Roster>,
}

impl Rosters {
    /// Sets the roster of a commune, or of a province's desk ([`Home::of_province`]).
    pub fn set(&mut self, place: Home, roster: Roster) {
        self.places.insert(place, roster);
    }

    /// The roster of a commune, or of a province's desk.
    #[must_use]
    pub fn of(&self, place: Home) -> Option<&Roster> {
        self.places.get(&place)
    }

    /// Who is asked at a commune where its first contact stays silent.
    #[must_use]
    pub fn second_contact(&self, commune: Home, at: Millis) -> Option<&Contact> {
        self.of(commune)?.second_contact(at)
    }

    /// Who is asked at a province's duty desk: all on duty; where the roster names nobody for the
    /// hour, its first contact.
    #[must_use]
    pub fn province_desk(&self, province: ProvinceCode, at: Millis) -> Vec<&Contact> {
        let Some(desk) = self.of(Home::of_province(province)) else { return vec![] };
        let on_duty: Vec<_> =
            desk.on_duty(at).into_iter().filter(|contact| contact.reachable).collect();
        if on_duty.is_empty() { desk.first_contact(at).into_iter().collect() } else { on_duty }
    }
}

#[cfg(test)]
#[path = "roster_tests.rs"]
mod tests;
