//! The values of an alert: kind, status, travel, sex. CAP 1.2's names where CAP has one.
//!
//! Each has one spelling, the one of the HTTP interface.

macro_rules! words {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every value, in the order of the interface.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value's only spelling.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::values::UnknownWord;
            fn from_str(text: &str) -> Result<Self, $crate::values::UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::values::UnknownWord),
                }
            }
        }
    };
}

pub(crate) use words;

/// A word that is none of the known ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the known words")]
pub struct UnknownWord;

words! {
    /// The subject of an alert.
    AlertKind {
        /// A child is missing.
        LostChild = "lost-child",
        /// A child was found, and nobody knows whose.
        FoundChild = "found-child",
        /// A grown person is missing.
        MissingPerson = "missing-person",
        /// A grown person was found.
        FoundPerson = "found-person",
        /// Somebody is suspected, on a legal basis.
        Suspect = "suspect",
        /// A thing is missing.
        LostProperty = "lost-property",
        /// A thing was found.
        FoundProperty = "found-property",
        /// A fraud that is going round.
        ScamWarning = "scam-warning",
        /// A danger: flood, fire, a broken bridge.
        Hazard = "hazard",
        /// News that is not urgent.
        Notice = "notice",
    }
}

words! {
    /// CAP's status. An unknown status is never `Actual`.
    AlertStatus {
        /// It is real.
        Actual = "actual",
        /// A drill.
        Exercise = "exercise",
        /// A technical test; goes where an exercise goes.
        Test = "test",
    }
}

words! {
    /// How somebody may be moving.
    Travel {
        /// Walking.
        OnFoot = "on-foot",
        /// By bicycle.
        Bicycle = "bicycle",
        /// By motorbike.
        Motorbike = "motorbike",
        /// By car.
        Car = "car",
        /// By coach, train or ferry.
        PublicTransport = "public-transport",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

words! {
    /// Sex, as far as it is known.
    Sex {
        /// Male.
        Male = "male",
        /// Female.
        Female = "female",
        /// Not known.
        Unknown = "unknown",
    }
}

words! {
    /// What holds the people of a group together.
    GroupKind {
        /// A hamlet or a residential group.
        Hamlet = "hamlet",
        /// One household.
        Household = "household",
        /// A school.
        School = "school",
        /// A patrol.
        Patrol = "patrol",
        /// Traders and drivers.
        Business = "business",
        /// An association.
        Association = "association",
        /// Officers only.
        Officers = "officers",
        /// Open to everybody.
        Public = "public",
    }
}

words! {
    /// The role of a token.
    Role {
        /// An officer of a commune.
        Officer = "officer",
        /// The commander of a commune.
        Commander = "commander",
        /// The duty desk of a province.
        Province = "province",
        /// Reads the audit.
        Auditor = "auditor",
        /// Keeps directory, tokens and policies; raises nothing.
        Admin = "admin",
    }
}

words! {
    /// What a delivery tells.
    News {
        /// A new alert.
        Issued = "issued",
        /// Its content changed.
        Updated = "updated",
        /// What was said was wrong.
        Corrected = "corrected",
        /// It is called back.
        Cancelled = "cancelled",
        /// It came to a good end.
        Resolved = "resolved",
        /// Its time has passed.
        Expired = "expired",
    }
}

words! {
    /// CAP's urgency, as far as the kind of an alert tells it.
    Urgency {
        /// Act at once.
        Immediate = "immediate",
        /// Act within the next hour.
        Expected = "expected",
        /// Act in the near future.
        Future = "future",
    }
}

impl AlertKind {
    /// Whether a life may hang on minutes: never held by a budget, a quiet hour, or a commune
    /// that does not answer. A found child counts, for nobody knows yet what it fled from. A
    /// suspect does not: haste has killed people who were wrongly suspected (R20).
    #[must_use]
    pub fn life_threatening(self) -> bool {
        matches!(self, Self::LostChild | Self::FoundChild | Self::MissingPerson | Self::Hazard)
    }

    /// How soon people must act. Source: the mapping to CAP 1.2 in the reference, section 14.
    #[must_use]
    pub fn urgency(self) -> Urgency {
        match self {
            Self::LostChild
            | Self::FoundChild
            | Self::MissingPerson
            | Self::Suspect
            | Self::Hazard => Urgency::Immediate,
            Self::FoundPerson | Self::ScamWarning => Urgency::Expected,
            Self::LostProperty | Self::FoundProperty | Self::Notice => Urgency::Future,
        }
    }

    /// Whether one officer may send it at once, and a second person reviews it afterwards
    /// (break-glass: R2, S7).
    #[must_use]
    pub fn may_break_glass(self) -> bool {
        matches!(self, Self::LostChild | Self::FoundChild)
    }

    /// Whether it waits for the morning.
    #[must_use]
    pub fn heeds_quiet_hours(self) -> bool {
        matches!(self, Self::Notice)
    }

    /// Whether somebody or something is missing, or was found: then `last_seen` is required.
    #[must_use]
    pub fn needs_last_seen(self) -> bool {
        matches!(
            self,
            Self::LostChild
                | Self::FoundChild
                | Self::MissingPerson
                | Self::FoundPerson
                | Self::LostProperty
                | Self::FoundProperty
        )
    }
}

impl AlertStatus {
    /// Whether this is real. Only `Actual` is.
    #[must_use]
    pub fn is_actual(self) -> bool {
        matches!(self, Self::Actual)
    }
}

impl News {
    /// Whether this takes back or ends what was told: it is told also after the expiry (R11), and
    /// where a commune has refused the alert. A correction and an end are; an update is not.
    #[must_use]
    pub fn sets_right(self) -> bool {
        !matches!(self, Self::Issued | Self::Updated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_says_how_soon_and_how_grave() {
        use AlertKind::*;
        use Urgency::{Expected, Future, Immediate};
        for (kind, life_threatening, urgency, break_glass) in [
            (LostChild, true, Immediate, true),
            (FoundChild, true, Immediate, true),
            (MissingPerson, true, Immediate, false),
            (FoundPerson, false, Expected, false),
            (Suspect, false, Immediate, false),
            (LostProperty, false, Future, false),
            (FoundProperty, false, Future, false),
            (ScamWarning, false, Expected, false),
            (Hazard, true, Immediate, false),
            (Notice, false, Future, false),
        ] {
            assert_eq!(kind.life_threatening(), life_threatening, "{kind:?}");
            assert_eq!(kind.urgency(), urgency, "{kind:?}");
            assert_eq!(kind.may_break_glass(), break_glass, "{kind:?}");
            assert_eq!(kind.heeds_quiet_hours(), kind == Notice, "{kind:?}");
            // What is grave is urgent, and never waits for the morning.
            assert!(!life_threatening || urgency == Immediate && !kind.heeds_quiet_hours());
        }
    }
}
