//! Given / when / then for rosters.

use proptest::prelude::*;

use super::*;

/// Monday, 2 March 2026, 00:00 in Viet Nam.
const MONDAY: Millis = Millis(1_772_384_400_000);

fn hour(hours: i64) -> Millis {
    MONDAY.plus_ms(hours * 60 * MINUTE_MS)
}

fn officer(name: &str) -> OfficerId {
    name.parse().unwrap()
}

fn contact(name: &str) -> Contact {
    Contact { officer: officer(name), valid: Validity::ALWAYS, reachable: true }
}

fn weekly(name: &str, day: Weekday, from_h: u16, hours: u16) -> Duty {
    let hours = Hours::Weekly { day, from_min: from_h * 60, minutes: hours * 60 };
    Duty { officer: officer(name), hours, valid: Validity::ALWAYS }
}

fn names(contacts: &[&Contact]) -> Vec<String> {
    contacts.iter().map(|contact| contact.officer.to_string()).collect()
}

/// An, Bình and Chi, in this order; Chi on Monday from 08:00, Bình the night from Sunday 20:00.
fn roster() -> Roster {
    let duties =
        vec![weekly("chi", Weekday::Monday, 8, 9), weekly("binh", Weekday::Sunday, 20, 12)];
    Roster::of(vec![contact("an"), contact("binh"), contact("chi")], duties).unwrap()
}

#[test]
fn whoever_is_on_duty_is_asked_first_and_the_others_in_their_order() {
    for (at, on_duty, order) in [
        (hour(9), vec!["chi"], ["chi", "an", "binh"]),
        (hour(17), vec![], ["an", "binh", "chi"]),
        // The night from Sunday goes on into Monday, at the week's end as well.
        (hour(0), vec!["binh"], ["binh", "an", "chi"]),
        (hour(7 * 24 + 7), vec!["binh"], ["binh", "an", "chi"]),
        (hour(8), vec!["chi"], ["chi", "an", "binh"]),
    ] {
        let roster = roster();
        assert_eq!(names(&roster.on_duty(at)), on_duty, "{at:?}");
        assert_eq!(names(&roster.in_order(at)), order, "{at:?}");
        assert_eq!(roster.first_contact(at).unwrap().officer, officer(order[0]));
        assert_eq!(roster.second_contact(at).unwrap().officer, officer(order[1]));
    }
}

#[test]
fn nobody_is_asked_who_has_left_or_whom_nothing_reaches() {
    let gone = Contact { valid: Validity::of(None, Some(hour(1))).unwrap(), ..contact("an") };
    let deaf = Contact { reachable: false, ..contact("binh") };
    let whole = Duty {
        officer: officer("an"),
        hours: Hours::Whole,
        valid: Validity::of(Some(hour(0)), Some(hour(9))).unwrap(),
    };
    let roster = Roster::of(vec![gone, deaf, contact("chi")], vec![whole]).unwrap();
    assert_eq!(names(&roster.on_duty(hour(0))), ["an"]);
    assert_eq!(names(&roster.on_duty(hour(1))), [""; 0]);
    assert_eq!(names(&roster.in_order(hour(2))), ["chi"]);
    assert_eq!(roster.second_contact(hour(2)), None);
}

#[test]
fn a_province_desk_is_those_on_duty_or_its_first_contact() {
    let home = Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() };
    let mut rosters = Rosters::default();
    assert!(rosters.province_desk(home.province, hour(9)).is_empty());
    rosters.set(Home::of_province(home.province), roster());
    assert_eq!(names(&rosters.province_desk(home.province, hour(9))), ["chi"]);
    assert_eq!(names(&rosters.province_desk(home.province, hour(17))), ["an"]);
    assert_eq!(rosters.second_contact(home, hour(9)), None);
    rosters.set(home, roster());
    assert_eq!(rosters.second_contact(home, hour(9)).unwrap().officer, officer("an"));
}

#[test]
fn a_roster_names_contacts_and_hours_that_there_are() {
    let check = |contacts: &[&str], duty: Duty, then: NotARoster| {
        let contacts = contacts.iter().map(|name| contact(name)).collect();
        assert_eq!(Roster::of(contacts, vec![duty]), Err(then));
    };
    let duty = weekly("an", Weekday::Friday, 8, 8);
    check(&["an", "an"], duty.clone(), NotARoster::Twice(officer("an")));
    check(&["binh"], duty.clone(), NotARoster::NoContact(officer("an")));
    let never = weekly("an", Weekday::Friday, 8, 0);
    check(&["an"], never, NotARoster::NoHours(officer("an")));
    let late = weekly("an", Weekday::Friday, 24, 1);
    check(&["an"], late, NotARoster::NoHours(officer("an")));
    let names: Vec<_> = (0..=CONTACTS_MAX).map(|n| contact(&n.to_string())).collect();
    assert_eq!(Roster::of(names, vec![]), Err(NotARoster::TooManyContacts));
    let duties = vec![duty; DUTIES_MAX + 1];
    assert_eq!(Roster::of(vec![contact("an")], duties), Err(NotARoster::TooManyDuties));
    // Whoever came back is a contact again.
    let span = |from, to| Contact {
        valid: Validity::of(Some(hour(from)), Some(hour(to))).unwrap(),
        ..contact("an")
    };
    assert!(Roster::of(vec![span(0, 5), span(5, 9)], vec![]).is_ok());
}

fn any_roster() -> impl Strategy<Value = Roster> {
    let span = (prop::option::of(0i64..300), prop::option::of(0i64..300)).prop_map(|(from, to)| {
        Validity::of(from.map(hour), to.map(hour)).unwrap_or(Validity::ALWAYS)
    });
    let contacts = prop::collection::vec((span.clone(), any::<bool>()), 1..5);
    let hours = prop_oneof![
        Just(Hours::Whole),
        (prop::sample::select(Weekday::ALL.as_slice()), 0..DAY_MIN, 1..=DAY_MIN)
            .prop_map(|(day, from_min, minutes)| Hours::Weekly { day, from_min, minutes }),
    ];
    let duties = prop::collection::vec((0usize..4, hours, span), 0..6);
    (contacts, duties).prop_map(|(contacts, duties)| {
        let name = |n: usize| officer(&n.to_string());
        let many = contacts.len();
        let contacts = contacts.into_iter().enumerate().map(|(n, (valid, reachable))| Contact {
            officer: name(n),
            valid,
            reachable,
        });
        let duties = duties.into_iter().map(|(n, hours, valid)| Duty {
            officer: name(n % many),
            hours,
            valid,
        });
        Roster::of(contacts.collect(), duties.collect()).unwrap()
    })
}

proptest! {
    #[test]
    fn everybody_who_can_be_asked_is_asked_once(roster in any_roster(), at in -50i64..400) {
        let at = hour(at);
        let asked = names(&roster.in_order(at));
        let mut reachable: Vec<_> =
            roster.contacts(at).filter(|c| c.reachable).map(|c| c.officer.to_string()).collect();
        let on_duty = names(&roster.on_duty(at));
        let first = asked.iter().take_while(|name| on_duty.contains(name)).count();
        prop_assert!(asked.iter().skip(first).all(|name| !on_duty.contains(name)));
        let mut sorted = asked;
        sorted.sort();
        reachable.sort();
        prop_assert_eq!(sorted, reachable);
    }

    #[test]
    fn a_weekly_duty_comes_again_every_week(
        day in prop::sample::select(Weekday::ALL.as_slice()),
        from_min in 0..DAY_MIN,
        minutes in 1..=DAY_MIN,
        at in any::<i32>(),
    ) {
        let duty = Hours::Weekly { day, from_min, minutes };
        let at = Millis(i64::from(at) * 1_000);
        prop_assert_eq!(duty.cover(at), duty.cover(at.plus_ms(7 * DAY_MS)));
        let begins = MONDAY
            .plus_ms(day.days_after_monday() * DAY_MS + i64::from(from_min) * MINUTE_MS);
        let ends = begins.plus_ms(i64::from(minutes) * MINUTE_MS);
        prop_assert!(duty.cover(begins) && !duty.cover(begins.plus_ms(-1)));
        prop_assert!(duty.cover(ends.plus_ms(-1)) && !duty.cover(ends));
    }
}
