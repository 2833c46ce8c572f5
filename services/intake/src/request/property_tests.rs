//! Properties: what was taken is shown as it was asked for, and no input is a panic.

use proptest::{collection, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

use domain::{
    headline::headline,
    values::{AlertKind, AlertStatus, Sex, Travel},
};

use super::{
    BadRequest, alert_fields, approve, fields_of, note, raise, raise_fields,
    tests::{KNOWN, NOW, example, raised},
    time,
};

/// A text in the form it is kept in: NFC, not blank, no white space at its ends.
fn line() -> impl Strategy<Value = Value> {
    "[a-z]([A-Za-z0-9 ăâđêôơưáàảãạờệ<>&\"'/\\\\{},.:!-]{0,60}[a-zđờệ])?".prop_map(Value::from)
}

fn plain_line() -> impl Strategy<Value = Value> {
    line().prop_filter("a headline has no markup, and no link", |line| {
        headline(line.as_str().unwrap_or_default()).is_ok()
    })
}

fn lines() -> impl Strategy<Value = Value> {
    "[a-z]([A-Za-z0-9 ăâđêôơưáàảãạờệ\n<&\"]{0,200}[a-zđờệ])?".prop_map(Value::from)
}

fn word<T: Copy + std::fmt::Debug + 'static>(
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> impl Strategy<Value = Value> {
    select(all).prop_map(move |word| name(word).into())
}

/// A time from `least` to `most` milliseconds after now.
fn moment(least: i64, most: i64) -> impl Strategy<Value = Value> {
    (least..=most).prop_map(|ms| time::show(NOW.plus_ms(ms)).into())
}

/// An object of the fields that are there.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let there = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    there.collect::<Map<_, _>>().into()
}

fn last_seen() -> impl Strategy<Value = Value> {
    // Up to six decimals, as receivers of satellite positions give them.
    let degrees = |least: i64, most: i64| {
        (least * 1_000_000..=most * 1_000_000).prop_map(|micro| micro as f64 / 1e6)
    };
    let at = option::of(moment(-1_000_000_000_000, 120_000));
    let point = option::of((degrees(7, 24), degrees(101, 118)));
    (at, point, option::of(line()), line()).prop_map(|(at, point, place, somewhere)| {
        let place = place.or(point.is_none().then_some(somewhere));
        let (lat, lon) = point.map(|(lat, lon)| (json!(lat), json!(lon))).unzip();
        object([("at", at), ("lat", lat), ("lon", lon), ("place", place)])
    })
}

fn person() -> impl Strategy<Value = Value> {
    let age = option::of((0..=130).prop_map(Value::from));
    let sex = option::of(word(Sex::ALL, Sex::as_str));
    let of = || option::of(line());
    (age, sex, of(), of(), of()).prop_map(|(age, sex, name, clothing, description)| {
        object([
            ("age", age),
            ("sex", sex),
            ("name", name),
            ("clothing", clothing),
            ("description", description),
        ])
    })
}

fn photos() -> impl Strategy<Value = Value> {
    let id = "[A-Za-z0-9_-]{1,128}".prop_map(Value::from);
    let photo = (id, option::of(line()))
        .prop_map(|(id, basis)| object([("id", Some(id)), ("legal_basis", basis)]));
    collection::vec(photo, 1..=10).prop_map(Value::from)
}

fn reach() -> impl Strategy<Value = Value> {
    let named = collection::btree_set(20_000..21_000, 1..=256).prop_map(|codes| {
        let codes = codes.iter().map(ToString::to_string).collect::<Vec<_>>();
        json!({"mode": "communes", "communes": codes})
    });
    prop_oneof![
        Just(json!({"mode": "auto"})),
        Just(json!({"mode": "province"})),
        (0..=5).prop_map(|rings| json!({"mode": "rings", "rings": rings})),
        named,
    ]
}

/// A good request, written as the answer writes it.
fn good() -> impl Strategy<Value = Value> {
    let head = (
        word(AlertKind::ALL, AlertKind::as_str),
        word(AlertStatus::ALL, AlertStatus::as_str),
        plain_line(),
        option::of(lines()),
        option::of(lines()),
        option::of(moment(-1_000_000_000_000, 120_000)),
    );
    let body = (last_seen(), option::of(word(Travel::ALL, Travel::as_str)), option::of(person()));
    // Every kind may stand for three days.
    let expires = moment(1, 3 * 86_400_000);
    let rest = (option::of(photos()), line(), expires, reach(), any::<bool>());
    (head, body, rest).prop_map(|(head, (last_seen, travel, person), rest)| {
        let (kind, status, headline, description, instruction, reported_at) = head;
        let (photos, legal_basis, expires, reach, is_full) = rest;
        // What a kind requires is there; otherwise it may be.
        let of_kind = kind.as_str().and_then(|kind| kind.parse::<AlertKind>().ok()).unwrap();
        let seen = (is_full || of_kind.needs_last_seen()).then_some(last_seen);
        let is_suspect = of_kind == AlertKind::Suspect;
        let basis = (is_full || is_suspect).then_some(legal_basis);
        // A suspect has neither name nor face but by a wanted decision.
        let photos = photos.filter(|_| !is_suspect);
        let mut person = person;
        if let Some(fields) = person.as_mut().and_then(Value::as_object_mut) {
            fields.retain(|name, _| !is_suspect || name != "name");
        }
        object([
            ("kind", Some(kind)),
            ("status", Some(status)),
            ("commune", Some(json!("15961"))),
            ("headline", Some(headline)),
            ("description", description),
            ("instruction", instruction),
            ("reported_at", reported_at),
            ("last_seen", seen),
            ("travel", travel),
            ("person", person),
            ("photos", photos),
            ("legal_basis", basis),
            ("expires", Some(expires)),
            ("reach", Some(reach)),
        ])
    })
}

/// Every refusal names at least one fault, each with a reason.
fn is_told(refused: &BadRequest) -> bool {
    !refused.errors().is_empty() && refused.errors().iter().all(|error| !error.reason.is_empty())
}

proptest! {
    #[test]
    fn what_was_asked_is_shown(alert in good()) {
        let draft = raised(&alert).unwrap();
        prop_assert_eq!(&Value::from(fields_of(&draft.facts, &draft.text)), &alert);
        let over_grpc = raise_fields(alert_fields(&draft.facts, &draft.text), &KNOWN).unwrap();
        prop_assert_eq!(over_grpc, draft);
    }

    #[test]
    fn any_bytes_are_refused_with_a_reason(body in collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(is_told(&raise(&body, &KNOWN).unwrap_err()));
        // A revision or a note might be hit by chance; only a panic is at fault.
        prop_assert!(approve(&body).err().is_none_or(|refused| is_told(&refused)));
        prop_assert!(note(&body, true).err().is_none_or(|refused| is_told(&refused)));
    }

    #[test]
    fn a_damaged_request_is_taken_or_refused_with_a_reason(
        damage in collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        is_printable in any::<bool>(),
    ) {
        let mut body = example().to_string().into_bytes();
        for (place, byte) in damage {
            let place = place.index(body.len());
            body[place] = if is_printable { byte % 95 + 32 } else { byte };
        }
        prop_assert!(raise(&body, &KNOWN).err().is_none_or(|refused| is_told(&refused)));
    }
}
