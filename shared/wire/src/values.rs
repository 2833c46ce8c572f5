//! The values of an alert on the wire. UNSPECIFIED, and what is newer, is never taken for a
//! known value.

use domain::{
    lane::Outcome,
    reach::ReachReason,
    values::{AlertKind, AlertStatus, GroupKind, News, Role, Sex, Travel},
};

use crate::{NotDecodable, v1};

macro_rules! said {
    ($domain:ident, $wire:ident, $say:ident, $recall:ident, $what:literal: $($variant:ident),+) => {
        /// The value on the wire.
        #[must_use]
        pub fn $say(value: $domain) -> i32 {
            i32::from(match value { $($domain::$variant => v1::$wire::$variant),+ })
        }
        /// The value from the wire.
        ///
        /// # Errors
        /// It is unspecified, or newer than this program.
        pub fn $recall(value: i32) -> Result<$domain, NotDecodable> {
            match v1::$wire::try_from(value) {
                $(Ok(v1::$wire::$variant) => Ok($domain::$variant),)+
                _ => Err(NotDecodable($what)),
            }
        }
    };
}

said!(AlertKind, AlertKind, kind_said, kind_recalled, "an alert's kind": LostChild, FoundChild,
    MissingPerson, FoundPerson, Suspect, LostProperty, FoundProperty, ScamWarning, Hazard, Notice);
said!(AlertStatus, AlertStatus, status_said, status_recalled, "an alert's status":
    Actual, Exercise, Test);
said!(Travel, Travel, travel_said, travel_recalled, "a way to travel":
    OnFoot, Bicycle, Motorbike, Car, PublicTransport, Unknown);
said!(Sex, Sex, sex_said, sex_recalled, "a sex": Male, Female, Unknown);
said!(GroupKind, GroupKind, group_kind_said, group_kind_recalled, "a group's kind":
    Hamlet, Household, School, Patrol, Business, Association, Officers, Public);
said!(News, News, news_said, news_recalled, "news":
    Issued, Updated, Corrected, Cancelled, Resolved, Expired);
said!(Outcome, Outcome, outcome_said, outcome_recalled, "an outcome":
    Delivered, NotReached, Unknown, Gone, Accepted, HandedOver, Read, Refused, NeedsPerson);
said!(ReachReason, ReachReason, reason_said, reason_recalled, "a reason":
    Own, Border, Ring, Named, Province, Distance, Corridor, Onward);
said!(Role, Role, role_said, role_recalled, "a role":
    Officer, Commander, Province, Auditor, Admin);
