//! Whom an escalation asks: a commune's next contact, or its province's duty desk.
//!
//! Looked up when the step is decided, and recorded with it; where the directory changes later,
//! the event still says who was asked then.

use std::collections::BTreeSet;

use chassis::Host;
use domain::{
    ids::{Home, Millis, OfficerId},
    relay::{escalation::Step, protocol::ASKED_MAX},
    rights::Standing,
    roster::Rosters,
};
use registry::Token;

/// Those whom this step asks, at most [`ASKED_MAX`]; nobody where the directory has nobody.
pub(crate) fn asked(host: &Host, step: Step, commune: Home, now: Millis) -> Vec<OfficerId> {
    let directory = host.directory.read();
    let mut asked = of_roster(directory.staff().rosters(), step, commune, now);
    // Silence is never escalated to nobody because a roster was not kept.
    if asked.is_empty() {
        asked = with_tokens(directory.tokens(), step, commune, now);
    }
    asked.truncate(ASKED_MAX);
    asked
}

fn of_roster(rosters: &Rosters, step: Step, commune: Home, now: Millis) -> Vec<OfficerId> {
    let contacts = match step {
        Step::SecondContact => rosters.second_contact(commune, now).into_iter().collect(),
        Step::ProvinceDesk => rosters.province_desk(commune.province, now),
    };
    contacts.into_iter().map(|contact| contact.officer.clone()).collect()
}

/// Those who hold a good token for it: the commanders of the commune, the people of the province.
fn with_tokens<'a>(
    tokens: impl Iterator<Item = &'a Token>,
    step: Step,
    commune: Home,
    now: Millis,
) -> Vec<OfficerId> {
    let fits = |standing: Standing| match step {
        Step::SecondContact => standing == Standing::Commander(commune),
        Step::ProvinceDesk => standing == Standing::Province(commune.province),
    };
    let good = tokens.filter(|token| token.is_good(now) && fits(token.facts.standing));
    let officers: BTreeSet<OfficerId> = good.map(|token| token.facts.officer.clone()).collect();
    officers.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use domain::{
        dated::Validity,
        directory::{TokenFacts, TokenPurpose},
        roster::{Contact, Roster},
    };

    use super::*;

    fn home(province: &str, commune: &str) -> Home {
        Home { province: province.parse().unwrap(), commune: commune.parse().unwrap() }
    }

    fn token(officer: &str, standing: Standing) -> Token {
        let facts = TokenFacts {
            id: officer.to_owned(),
            hash: [0; 32],
            officer: officer.parse().unwrap(),
            standing,
            expires_at: Some(Millis(100)),
            purpose: TokenPurpose::Access,
        };
        Token { facts, revoked: false }
    }

    fn names(officers: &[OfficerId]) -> Vec<&str> {
        officers.iter().map(OfficerId::as_str).collect()
    }

    #[test]
    fn without_a_roster_those_are_asked_who_hold_a_good_token_for_it() {
        let (here, there) = (home("38", "15952"), home("68", "25126"));
        let revoked = Token { revoked: true, ..token("x", Standing::Commander(here)) };
        let tokens = [
            token("em", Standing::Commander(here)),
            token("chi", Standing::Commander(here)),
            token("binh", Standing::Officer(here)),
            token("giang", Standing::Commander(there)),
            token("dung", Standing::Province(here.province)),
            token("hai", Standing::Province(there.province)),
            revoked,
        ];
        let asked = |step, at| with_tokens(tokens.iter(), step, here, Millis(at));
        assert_eq!(names(&asked(Step::SecondContact, 0)), ["chi", "em"]);
        assert_eq!(names(&asked(Step::ProvinceDesk, 0)), ["dung"]);
        assert_eq!(asked(Step::ProvinceDesk, 100), []);
    }

    #[test]
    fn a_roster_says_who_is_next_and_who_sits_at_the_desk() {
        let here = home("38", "15952");
        let contact = |officer: &str| Contact {
            officer: officer.parse().unwrap(),
            valid: Validity::ALWAYS,
            reachable: true,
        };
        let roster = |officers: &[&str]| {
            Roster::of(officers.iter().map(|officer| contact(officer)).collect(), vec![]).unwrap()
        };
        let mut rosters = Rosters::default();
        rosters.set(here, roster(&["binh", "chi", "em"]));
        rosters.set(Home::of_province(here.province), roster(&["dung", "hai"]));
        let asked = |step| of_roster(&rosters, step, here, Millis(0));
        assert_eq!(names(&asked(Step::SecondContact)), ["chi"]);
        assert_eq!(names(&asked(Step::ProvinceDesk)), ["dung"]);
    }
}
