//! The fields of a request as they were sent: names and types are right, values are not looked at.
//!
//! Every field is optional here, so that what is missing is told together with all other faults.

use serde::Deserialize;
use wire::v1::{AlertFields, LastSeenFields, PersonFields, PhotoFields, ReachFields};

use super::json::Object;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAlert {
    pub(super) kind: Option<String>,
    pub(super) status: Option<String>,
    pub(super) commune: Option<String>,
    pub(super) headline: Option<String>,
    pub(super) description: Option<String>,
    pub(super) instruction: Option<String>,
    pub(super) reported_at: Option<String>,
    pub(super) last_seen: Option<Object<RawLastSeen>>,
    pub(super) travel: Option<String>,
    pub(super) person: Option<Object<RawPerson>>,
    pub(super) photos: Option<Vec<Object<RawPhoto>>>,
    pub(super) legal_basis: Option<String>,
    pub(super) expires: Option<String>,
    pub(super) reach: Option<Object<RawReach>>,
    pub(super) dont_know: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLastSeen {
    pub(super) at: Option<String>,
    pub(super) lat: Option<f64>,
    pub(super) lon: Option<f64>,
    pub(super) place: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPerson {
    pub(super) age: Option<i64>,
    pub(super) sex: Option<String>,
    pub(super) name: Option<String>,
    pub(super) clothing: Option<String>,
    pub(super) description: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPhoto {
    pub(super) id: Option<String>,
    pub(super) legal_basis: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReach {
    pub(super) mode: Option<String>,
    pub(super) rings: Option<i64>,
    pub(super) communes: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWiden {
    pub(super) reach: Option<Object<RawReach>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSighting {
    pub(super) at: Option<String>,
    pub(super) lat: Option<f64>,
    pub(super) lon: Option<f64>,
    pub(super) place: Option<String>,
    pub(super) note: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawApproval {
    pub(super) revision: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNothing {}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNote {
    pub(super) note: Option<String>,
}

/// In proto3 a text that was not set is empty.
fn set(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl From<AlertFields> for RawAlert {
    fn from(fields: AlertFields) -> Self {
        let photos = fields.photos.into_iter().map(|photo| Object(photo.into())).collect();
        Self {
            kind: set(fields.kind),
            status: set(fields.status),
            commune: set(fields.commune),
            headline: set(fields.headline),
            description: set(fields.description),
            instruction: set(fields.instruction),
            reported_at: set(fields.reported_at),
            last_seen: fields.last_seen.map(|last_seen| Object(last_seen.into())),
            travel: set(fields.travel),
            person: fields.person.map(|person| Object(person.into())),
            photos: Some(photos),
            legal_basis: set(fields.legal_basis),
            expires: set(fields.expires),
            reach: fields.reach.map(|reach| Object(reach.into())),
            dont_know: Some(fields.dont_know),
        }
    }
}

impl From<LastSeenFields> for RawLastSeen {
    fn from(fields: LastSeenFields) -> Self {
        let LastSeenFields { at, lat, lon, place } = fields;
        Self { at: set(at), lat, lon, place: set(place) }
    }
}

impl From<PersonFields> for RawPerson {
    fn from(fields: PersonFields) -> Self {
        Self {
            age: fields.age.map(i64::from),
            sex: set(fields.sex),
            name: set(fields.name),
            clothing: set(fields.clothing),
            description: set(fields.description),
        }
    }
}

impl From<PhotoFields> for RawPhoto {
    fn from(fields: PhotoFields) -> Self {
        Self { id: set(fields.id), legal_basis: set(fields.legal_basis) }
    }
}

impl From<ReachFields> for RawReach {
    fn from(fields: ReachFields) -> Self {
        Self {
            mode: set(fields.mode),
            rings: fields.rings.map(i64::from),
            communes: Some(fields.communes).filter(|communes| !communes.is_empty()),
        }
    }
}
