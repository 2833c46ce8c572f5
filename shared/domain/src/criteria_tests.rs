//! Given / when / then for the checklist, and the file that comes with the program.

use proptest::{prelude::*, sample::select};

use super::*;
use crate::{
    alert::{LastSeen, MilliPoint, PersonFacts},
    ids::{Home, Millis},
    reach::ReachRequest,
    values::AlertStatus,
};

/// Every field that `sealed_fields` of intake or the open facts can tell.
const FIELDS: [&str; 16] = [
    "headline",
    "description",
    "instruction",
    "last_seen.place",
    "last_seen.point",
    "last_seen.at",
    "person.name",
    "person.clothing",
    "person.description",
    "person.age",
    "person.sex",
    "photos",
    "legal_basis",
    "reported_at",
    "travel",
    "status",
];

fn facts(kind: AlertKind) -> AlertFacts {
    AlertFacts {
        kind,
        status: AlertStatus::Actual,
        home: Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() },
        reported_at: None,
        last_seen: None,
        travel: None,
        person: None,
        legal_basis: None,
        expires_at: Millis(0),
        reach: ReachRequest::Auto,
        dont_know: vec![],
    }
}

fn said(answers: &[(&str, Answer)]) -> BTreeMap<String, Answer> {
    answers.iter().map(|(id, answer)| ((*id).to_owned(), *answer)).collect()
}

fn answer_of(checklist: &Checklist<'_>, id: &str) -> Answer {
    checklist.items.iter().find(|item| item.criterion.id == id).unwrap().answer
}

#[test]
fn the_file_that_comes_with_the_program_is_good_and_covers_every_kind() {
    let criteria = Criteria::parse(include_str!("../data/criteria.txt")).unwrap();
    assert_eq!(&criteria, Criteria::built_in());
    assert_eq!(criteria.version(), 1);
    for kind in AlertKind::ALL.iter().copied() {
        let ids: Vec<_> = criteria.of(kind).map(|criterion| criterion.id.as_str()).collect();
        assert!(ids.contains(&"event") && ids.contains(&"action"), "{kind:?}: {ids:?}");
        if kind.needs_last_seen() {
            assert!(ids.contains(&"location") && ids.contains(&"time"), "{kind:?}: {ids:?}");
        }
    }
    let fields = criteria.criteria.iter().flat_map(|criterion| criterion.fields.iter().flatten());
    for field in fields {
        assert!(FIELDS.contains(&field.as_str()), "nothing can tell {field}");
    }
}

#[test]
fn nothing_said_is_nothing_complete() {
    let criteria = Criteria::built_in();
    for kind in AlertKind::ALL.iter().copied() {
        let nothing = Fields::of::<&str>(&facts(kind), &[]);
        let checklist = criteria.assess(kind, &nothing, &BTreeMap::new());
        assert_eq!(checklist.completeness_percent, 0, "{kind:?}");
        assert_eq!(checklist.missing.len(), checklist.items.len());
        assert!(checklist.lacks_required());
        // What should not be missing is told first.
        let need = |id: &&str| criteria.of(kind).find(|one| one.id == **id).unwrap().need;
        assert!(checklist.missing.iter().map(need).is_sorted(), "{:?}", checklist.missing);
    }
}

#[test]
fn what_the_fields_tell_is_known() {
    let mut lost = facts(AlertKind::LostChild);
    lost.last_seen = Some(LastSeen {
        at: Some(Millis(1)),
        point: Some(MilliPoint { lat_millideg: 11_582, lon_millideg: 107_460 }),
    });
    lost.person = Some(PersonFacts { age_years: Some(4), sex: Some(Sex::Unknown) });
    lost.travel = Some(Travel::Unknown);
    let fields = Fields::of(&lost, &["headline", "person.clothing", "instruction"]);
    let answers = said(&[
        ("direction", Answer::Known),
        ("vulnerability", Answer::DontKnow),
        ("name", Answer::DontKnow),
        ("photo", Answer::Known),
        ("age", Answer::DontKnow),
        ("no-such-question", Answer::Known),
    ]);
    let checklist = Criteria::built_in().assess(AlertKind::LostChild, &fields, &answers);
    for (id, answer) in [
        ("event", Answer::Known),
        ("description", Answer::Known),
        ("location", Answer::Known),
        ("time", Answer::Known),
        ("action", Answer::Known),
        // The field is there, whatever was said before.
        ("age", Answer::Known),
        ("sex", Answer::DontKnow),
        ("travel", Answer::DontKnow),
        ("name", Answer::DontKnow),
        // Said to be known, and not in the message.
        ("photo", Answer::Missing),
        ("direction", Answer::Known),
        ("vulnerability", Answer::DontKnow),
        ("abduction", Answer::Missing),
    ] {
        assert_eq!(answer_of(&checklist, id), answer, "{id}");
    }
    assert!(!checklist.lacks_required());
    assert!(!checklist.missing.contains(&"vulnerability"));
    assert_eq!(checklist.version, 1);
    assert_eq!(checklist.completeness_percent, 53);
}

#[test]
fn a_bad_file_names_its_line() {
    let good = "age | lost | 5 | required | person.age | Tuổi? | Age?";
    let two = format!("version 1\n{good}\n{good}");
    let swap = |from: &str, to: &str| format!("version 1\n# x\n{}", good.replace(from, to));
    for (text, line, what) in [
        (good.to_owned(), 0, "version is missing"),
        ("version 0".to_owned(), 1, "the version is no number from 1"),
        ("version 1\nversion 1".to_owned(), 2, "a second version"),
        (two, 3, "this id was there before"),
        (swap("| Age?", ""), 3, "not seven columns"),
        (swap("age |", "Age |"), 3, "the id is not of a-z 0-9 -"),
        (swap("lost", "lost,lots"), 3, "a kind is unknown"),
        (swap("5", "11"), 3, "the weight is no number from 1 to 10"),
        (swap("required", "must"), 3, "the need is neither required nor wanted"),
        (swap("person.age", "person age"), 3, "a field is not a name"),
        (swap("person.age", ""), 3, "a field is not a name"),
        (swap("Tuổi?", ""), 3, "a question has 1 to 200 characters"),
    ] {
        assert_eq!(Criteria::parse(&text), Err(BadCriteria { line, what }), "{text}");
    }
}

#[test]
fn one_of_the_alternatives_answers_and_each_with_all_its_parts() {
    let text = "version 3\na | all | 1 | wanted | travel+photos,headline | ? | ?";
    let criteria = Criteria::parse(text).unwrap();
    let mut lost = facts(AlertKind::LostChild);
    lost.travel = Some(Travel::Car);
    for (sealed, answer) in [
        (&[][..], Answer::Missing),
        (&["photos"][..], Answer::Known),
        (&["headline"][..], Answer::Known),
    ] {
        let fields = Fields::of(&lost, sealed);
        let checklist = criteria.assess(AlertKind::LostChild, &fields, &BTreeMap::new());
        assert_eq!(answer_of(&checklist, "a"), answer, "{sealed:?}");
    }
}

proptest! {
    #[test]
    fn more_known_is_never_less_complete_and_all_known_is_complete(
        kind in select(AlertKind::ALL.to_vec()),
        present in proptest::collection::btree_set(select(FIELDS.to_vec()), 0..16),
        known in proptest::collection::vec(any::<bool>(), 40),
    ) {
        let criteria = Criteria::built_in();
        let present: Vec<_> = present.into_iter().collect();
        let answers: BTreeMap<String, Answer> = criteria
            .of(kind)
            .zip(&known)
            .filter(|(_, known)| **known)
            .map(|(criterion, _)| (criterion.id.clone(), Answer::Known))
            .collect();
        let some = Fields::of(&facts(kind), &present);
        let all = Fields::of(&facts(kind), &FIELDS);
        let percent = |fields: &Fields, said: &BTreeMap<String, Answer>| {
            criteria.assess(kind, fields, said).completeness_percent
        };
        prop_assert!(percent(&some, &answers) <= percent(&all, &answers));
        prop_assert!(percent(&some, &BTreeMap::new()) <= percent(&some, &answers));
        let every = criteria.of(kind).map(|one| (one.id.clone(), Answer::Known)).collect();
        let whole = criteria.assess(kind, &all, &every);
        prop_assert_eq!((whole.completeness_percent, whole.missing.len()), (100, 0));
        let checklist = criteria.assess(kind, &some, &answers);
        let is_complete =
            checklist.items.iter().all(|item| item.answer == Answer::Known);
        prop_assert_eq!(checklist.completeness_percent == 100, is_complete);
    }
}
