//! Looks: who has read what of an alert's personal data, and by what right. One look of a person
//! at one thing is recorded once within an hour, so that a board that is always open does not fill
//! the log: at most [`What::ALL`] records an hour for each reader and alert.

use std::convert::Infallible;

use crate::{
    decider::Decider,
    ids::{AlertId, CommuneCode, Home, Millis, RecordId},
    rights::Standing,
};

/// Looking again within this, by the clock, is the same look.
pub const ONE_LOOK_MS: i64 = 60 * 60 * 1_000;

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// The alert's words.
    Words,
    /// A picture that it names.
    Photo,
    /// The page of a poster's task.
    Poster,
    /// What officers said beside it: why it is erased or kept, why others have looked.
    Notes,
}

impl What {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Words, Self::Photo, Self::Poster, Self::Notes];

    /// The word in the interface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Photo => "photo",
            Self::Poster => "poster",
            Self::Notes => "notes",
        }
    }
}

/// By what right it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Duty {
    /// The reader's commune has issued it.
    Issued,
    /// It was relayed to the reader's commune.
    Relayed,
    /// It concerns the province of the reader's desk.
    Province,
    /// It may speak of the same as an alert of the reader's.
    Matched,
    /// Whoever has the link reads it.
    Link,
    /// An auditor's.
    Audit,
}

impl Duty {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::Issued, Self::Relayed, Self::Province, Self::Matched, Self::Link, Self::Audit];

    /// The duty of an officer, for an alert of this home that was put to these communes.
    #[must_use]
    pub fn of(standing: Standing, home: Home, mut communes: impl Iterator<Item = Home>) -> Self {
        match standing {
            Standing::Auditor | Standing::Admin | Standing::Local => Self::Audit,
            standing if !communes.any(|home| standing.acts_for(home)) => Self::Matched,
            Standing::Province(_) => Self::Province,
            standing if standing.acts_for(home) => Self::Issued,
            _ => Self::Relayed,
        }
    }

    /// The word in the interface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Relayed => "relayed",
            Self::Province => "province",
            Self::Matched => "matched",
            Self::Link => "link",
            Self::Audit => "audit",
        }
    }
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Look {
    /// At which alert.
    pub alert: AlertId,
    /// An officer's id, or `link:<hash>`.
    pub reader: String,
    /// The reader's, where there is one.
    pub commune: Option<CommuneCode>,
    /// What was read.
    pub what: What,
    /// By what right.
    pub duty: Duty,
    /// The command whose sealed part says why in words, where the reader said so.
    pub reason: Option<RecordId>,
    /// When.
    pub at: Millis,
}

/// The looks at one alert. Nothing is refused: what was read was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Looks {
    /// How many were recorded.
    pub count: u64,
}

impl Decider for Looks {
    type Command = Look;
    type Event = Look;
    type Rejection = Infallible;
    type Facts = ();

    fn decide(&self, look: &Look, (): &()) -> Result<Vec<Look>, Infallible> {
        Ok(vec![look.clone()])
    }

    fn evolve(self, _: &Look) -> Self {
        Self { count: self.count + 1 }
    }
}

/// The hour, by the clock, that a look counts to.
#[must_use]
pub fn hour_of(at: Millis) -> i64 {
    at.0.div_euclid(ONE_LOOK_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(province: &str, commune: &str) -> Home {
        Home { province: province.parse().unwrap(), commune: commune.parse().unwrap() }
    }

    #[test]
    fn a_reader_s_duty_is_by_what_the_alert_was_put_to() {
        let (own, beside, far) = (home("38", "15958"), home("38", "15925"), home("68", "25126"));
        let communes = [own, beside];
        for (standing, duty) in [
            (Standing::Officer(own), Duty::Issued),
            (Standing::Commander(beside), Duty::Relayed),
            (Standing::Province(own.province), Duty::Province),
            (Standing::Officer(far), Duty::Matched),
            (Standing::Province(far.province), Duty::Matched),
            (Standing::Auditor, Duty::Audit),
        ] {
            assert_eq!(Duty::of(standing, own, communes.into_iter()), duty, "{standing:?}");
        }
    }

    #[test]
    fn an_hour_is_one_by_the_clock_also_before_1970() {
        let hours = [-1, 0, ONE_LOOK_MS - 1, ONE_LOOK_MS].map(|at| hour_of(Millis(at)));
        assert_eq!(hours, [-1, 0, 0, 1]);
    }
}
