//! The directory's fold: what it says after each record, and what it does with what it cannot read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use bytes::Bytes;
use domain::{
    directory::ChannelUse,
    ids::{EntityName, Home, Millis, OfficerId, RecordId},
    key::{Holder, KeyEvent, KeyFacts},
    maps::MapFacts,
    rights::{Asker, Standing},
};
use event_log::{Class, Key, Kind, Recorded, Seal};
use prost::Message;
use registry::{
    Directory, GroupEntry, KeyState, Map, SharedDirectory, groups::parse_groups, plan_groups,
};
use wire::{
    key::key_said,
    seal::{Sealing, seal},
    v1::{
        self, AlreadyTrue, ChannelSwitched, Commit, Event, Events, GroupRecorded, LinkKey,
        LinkKeyMade, MapAdopted, OfficerRecorded, Recovered, Role, SealedContent, TokenFacts,
        TokenMade, TokenPurpose, TokenRevoked, commit::Outcome, event::Event as Fact,
        sealed_content::Content,
    },
};

fn open(outcome: Outcome) -> Vec<u8> {
    Commit { outcome: Some(outcome), ..Commit::default() }.encode_to_vec()
}

fn events(facts: Vec<Fact>) -> Outcome {
    let events = facts.into_iter().map(|fact| Event { event: Some(fact) }).collect();
    Outcome::Events(Events { events })
}

fn record(entity: &EntityName, version: u64, open: Vec<u8>, seal: Seal) -> Recorded {
    Recorded {
        position: version,
        id: RecordId::of_purpose(&format!("{entity}/{version}")),
        key: Key { class: Class::Alert, home: Home::NATION, entity: entity.clone() },
        kind: Kind::Commit { version },
        open: Bytes::from(open),
        seal,
        signature: None,
    }
}

fn commit(entity: &EntityName, version: u64, fact: Fact) -> Recorded {
    record(entity, version, open(events(vec![fact])), Seal::None)
}

fn recovered(entity: &EntityName, version: u64, lost: &Recorded) -> Recorded {
    let fact = Fact::Recovered(Recovered { original: lost.open.clone() });
    Recorded { seal: lost.seal.clone(), ..commit(entity, version, fact) }
}

fn sealing(entry: &GroupEntry) -> Sealing {
    let content = Some(Content::Group(entry.text()));
    seal(&SealedContent { request_sha256: Bytes::new(), content }, [7; 32])
}

fn group_commit(entry: &GroupEntry, version: u64) -> Recorded {
    let facts = Some(entry.facts());
    let fact = Fact::GroupRecorded(GroupRecorded { facts, content: vec![0; 16].into() });
    let Sealing { sealed, commitment } = sealing(entry);
    let commit = Commit { outcome: Some(events(vec![fact])), commitment, ..Commit::default() };
    let entity = EntityName::group(&entry.id);
    record(&entity, version, commit.encode_to_vec(), Seal::Here(sealed))
}

fn entry(id: &str, place: &str, name: &str) -> GroupEntry {
    let map = include_bytes!("../../../tests/acceptance/maps/da-teh-2021.jsonl");
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let line = format!(
        r#"{{"id":"{id}",{place},"name":"{name}","kind":"school","members":9,"channels":[
        {{"type":"webhook","url":"http://127.0.0.1:9/{id}","secret":"{secret}"}},
        {{"type":"webhook","url":"http://127.0.0.1:9/b","secret":"{secret}","use":"fallback",
        "after_s":30}}]}}"#
    )
    .replace('\n', " ");
    parse_groups(line.as_bytes(), &Map::parse(map).unwrap()).unwrap().remove(0)
}

const DA_TEH: &str = r#""commune":"25126""#;
const MY_DUC: &str = r#""commune":"25135""#;
const LAM_DONG: &str = r#""province":"68""#;

fn ids(groups: &[std::sync::Arc<registry::Group>]) -> Vec<&str> {
    groups.iter().map(|group| group.facts.id.as_str()).collect()
}

#[test]
fn a_group_that_anybody_may_join_says_where_and_only_over_https() {
    let read = |join: &str| {
        let map = include_bytes!("../../../tests/acceptance/maps/da-teh-2021.jsonl");
        let line = format!(
            r#"{{"id":"g","commune":"25126","name":"G","kind":"public","join":"{join}","channels":[
            {{"type":"webhook","url":"http://127.0.0.1:9/g",
            "secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}]}}"#
        );
        parse_groups(line.replace('\n', " ").as_bytes(), &Map::parse(map).unwrap())
    };
    let entry = read("https://zalo.me/g/abc").unwrap().remove(0);
    let mut directory = Directory::default();
    directory.apply(&group_commit(&entry, 1)).unwrap();
    let [group] = directory.groups_of("25126".parse().unwrap()) else { panic!("one group") };
    assert_eq!(group.join.as_deref(), Some("https://zalo.me/g/abc"));
    assert_eq!(group.content_sha256, entry.content_sha256());
    for wrong in ["http://zalo.me/g", "javascript:alert(1)", "https://a@b.vn/", "zalo"] {
        let faults = read(wrong).unwrap_err();
        let is_of_join = |fault: &registry::Fault| fault.field == "join";
        assert!(faults.as_slice().iter().all(is_of_join), "{wrong}: {faults:?}");
    }
}

#[test]
fn groups_stand_under_their_commune_or_province() {
    let mut directory = Directory::default();
    for entry in [entry("b", DA_TEH, "B"), entry("a", DA_TEH, "A"), entry("p", LAM_DONG, "P")] {
        directory.apply(&group_commit(&entry, 1)).unwrap();
    }
    let (da_teh, my_duc) = ("25126".parse().unwrap(), "25135".parse().unwrap());
    assert_eq!(ids(directory.groups_of(da_teh)), ["a", "b"]);
    assert_eq!(ids(directory.groups_of_province("68".parse().unwrap())), ["p"]);
    let a = directory.group(&"a".parse().unwrap()).unwrap();
    assert_eq!(a.name.as_deref(), Some("A"));
    assert_eq!((a.version, a.commune()), (1, Some(da_teh)));
    assert_eq!(&*a.channels().next().unwrap().1.unwrap().url, "http://127.0.0.1:9/a");
    assert_eq!(a.facts.channels[1].used, ChannelUse::Fallback { after_s: 30 });
    // A group that moves leaves its old commune.
    directory.apply(&group_commit(&entry("a", MY_DUC, "A"), 2)).unwrap();
    assert_eq!(ids(directory.groups_of(da_teh)), ["b"]);
    assert_eq!(ids(directory.groups_of(my_duc)), ["a"]);
    assert_eq!(directory.groups().len(), 3);
}

fn key_commit(key: &[u8], version: u64) -> Recorded {
    let content = Some(Content::LinkKey(LinkKey { key: key.to_vec().into() }));
    let content = SealedContent { request_sha256: Bytes::new(), content };
    let Sealing { sealed, commitment } = seal(&content, [7; 32]);
    let made = Fact::LinkKeyMade(LinkKeyMade { content: vec![0; 16].into() });
    let commit = Commit { outcome: Some(events(vec![made])), commitment, ..Commit::default() };
    record(&EntityName::link_key(), version, commit.encode_to_vec(), Seal::Here(sealed))
}

#[test]
fn the_first_key_of_links_stays() {
    let mut directory = Directory::default();
    assert!(directory.link_key().is_none());
    directory.apply(&key_commit(&[1; 32], 1)).unwrap();
    let lost = key_commit(&[2; 32], 1);
    directory.apply(&recovered(&EntityName::link_key(), 2, &lost)).unwrap();
    let key = directory.link_key().unwrap();
    assert_eq!(key.reveal(), &[1; 32]);
    assert_eq!(format!("{key:?}"), "LinkKey(…)");
    // A key of another length is none that this program can read.
    assert!(Directory::default().apply(&key_commit(&[1; 31], 1)).is_err());
}

#[test]
fn a_switch_stops_a_type_or_an_account() {
    let mut directory = Directory::default();
    let mut switch = |channel: &str, version, stopped| {
        let entity = EntityName::channel(&channel.parse().unwrap());
        let channel = channel.to_owned();
        let fact = Fact::ChannelSwitched(ChannelSwitched { channel, stopped });
        directory.apply(&commit(&entity, version, fact)).unwrap();
        ["sms", "zalo-oa"].map(|of| directory.is_stopped(of, "oa"))
    };
    assert_eq!(switch("sms", 1, true), [true, false]);
    assert_eq!(switch("account:oa", 1, true), [true, true]);
    assert_eq!(switch("sms", 2, false), [true, true]);
    assert_eq!(switch("account:oa", 2, false), [false, false]);
    assert_eq!(directory.stopped().len(), 0);
    // A switch under the name of another.
    let entity = EntityName::channel(&"led".parse().unwrap());
    let other = ChannelSwitched { channel: "sms".to_owned(), stopped: true };
    directory.apply(&commit(&entity, 1, Fact::ChannelSwitched(other))).unwrap_err();
    assert!(!directory.is_stopped("sms", "") && !directory.is_stopped("led", ""));
}

#[test]
fn the_same_file_again_writes_nothing() {
    let file = || vec![entry("a", DA_TEH, "A"), entry("b", DA_TEH, "B"), entry("p", LAM_DONG, "P")];
    let mut directory = Directory::default();
    let first = plan_groups(file(), &directory);
    assert_eq!(first, file());
    for entry in &first {
        directory.apply(&group_commit(entry, 1)).unwrap();
    }
    assert_eq!(plan_groups(file(), &directory), []);
    let changed = vec![entry("a", DA_TEH, "A2"), entry("b", MY_DUC, "B"), entry("c", MY_DUC, "C")];
    assert_eq!(plan_groups(changed.clone(), &directory), changed);
}

#[test]
fn a_group_whose_sealed_part_is_gone_has_no_name_and_no_address() {
    let mut directory = Directory::default();
    let entry = entry("a", DA_TEH, "A");
    directory.apply(&Recorded { seal: Seal::Missing, ..group_commit(&entry, 1) }).unwrap();
    let group = directory.group(&entry.id).unwrap();
    assert_eq!(group.name, None);
    assert!(group.channels().all(|(_, address)| address.is_none()));
    assert_eq!(plan_groups(vec![entry.clone()], &directory), [entry], "an import restores it");
}

fn token(id: &str, hash: u8, expires_at_ms: i64) -> TokenFacts {
    TokenFacts {
        id: id.to_owned(),
        hash: vec![hash; 32].into(),
        officer: "an".to_owned(),
        role: Role::Officer.into(),
        commune: "25126".to_owned(),
        province: "68".to_owned(),
        expires_at_ms,
        ..TokenFacts::default()
    }
}

fn made(facts: TokenFacts, version: u64) -> Recorded {
    let entity = EntityName::token(&facts.id);
    commit(&entity, version, Fact::TokenMade(TokenMade { facts: Some(facts) }))
}

#[test]
fn sessions_that_are_long_over_are_forgotten_and_nothing_else_is() {
    let day_ms = 24 * 3_600_000;
    let mut directory = Directory::default();
    directory.apply(&made(token("t-access", 200, 1_000), 1)).unwrap();
    for n in 0..10_u8 {
        let purpose = TokenPurpose::Session.into();
        let end = i64::from(n) * day_ms / 2 + 1_000;
        let session = TokenFacts { purpose, ..token(&format!("s-{n}"), n, end) };
        directory.apply(&made(session, 1)).unwrap();
        directory.apply(&revoked(&format!("s-{n}"), 2)).unwrap();
    }
    let ids: Vec<_> = directory.tokens().map(|token| token.facts.id.as_str()).collect();
    assert_eq!(ids, ["s-8", "s-9", "t-access"]);
}

fn revoked(id: &str, version: u64) -> Recorded {
    let fact = Fact::TokenRevoked(TokenRevoked { id: id.to_owned() });
    commit(&EntityName::token(id), version, fact)
}

#[test]
fn a_token_is_good_until_it_expires_or_is_revoked() {
    let mut directory = Directory::default();
    directory.apply(&made(token("t-1", 1, 1_000), 1)).unwrap();
    directory.apply(&made(token("t-2", 2, 0), 1)).unwrap();
    let good = |directory: &Directory, hash: u8, now: i64| {
        directory.token(&[hash; 32], Millis(now)).map(|token| token.id.to_string())
    };
    assert_eq!(good(&directory, 1, 999).as_deref(), Some("t-1"));
    assert_eq!(good(&directory, 1, 1_000), None);
    assert_eq!(good(&directory, 2, i64::MAX).as_deref(), Some("t-2"));
    assert_eq!(good(&directory, 3, 0), None);
    directory.apply(&revoked("t-2", 2)).unwrap();
    assert_eq!(good(&directory, 2, 0), None);
    let all: Vec<_> =
        directory.tokens().map(|token| (token.facts.id.as_str(), token.revoked)).collect();
    assert_eq!(all, [("t-1", false), ("t-2", true)]);
    assert_eq!(directory.version(&EntityName::token("t-2")), 2);
}

#[test]
fn officers_and_the_map_are_known_once_recorded() {
    let mut directory = Directory::default();
    let officer: OfficerId = "an".parse().unwrap();
    let entity = EntityName::officer(&officer);
    assert!(!directory.officer_known(&officer));
    let fact = Fact::OfficerRecorded(OfficerRecorded { officer: "an".to_owned() });
    directory.apply(&commit(&entity, 1, fact)).unwrap();
    assert!(directory.officer_known(&officer));
    // The first was adopted before maps had dates.
    for (version, name, from) in [(1, "", None), (2, "a", Some(100)), (3, "b", Some(200))] {
        let sha256 = vec![if name == "b" { 6 } else { 5 }; 32].into();
        let adopted = MapAdopted {
            sha256,
            communes: 2,
            version: name.to_owned(),
            valid_from_ms: from,
            ..MapAdopted::default()
        };
        directory.apply(&commit(&EntityName::map(), version, Fact::MapAdopted(adopted))).unwrap();
    }
    let shown = |map: &MapFacts| {
        let ms = |at: Option<Millis>| at.map(|at| at.0);
        (map.name().to_string(), ms(map.valid.from()), ms(map.valid.to()))
    };
    let in_force = directory.adopted_map().map(shown);
    assert_eq!(in_force, Some(("b".to_owned(), Some(200), None)));
    let before: Vec<_> = directory.maps().before().iter().map(shown).collect();
    assert_eq!(before, [("a".to_owned(), Some(100), Some(200))]);
}

#[test]
fn a_record_is_taken_in_once_and_every_commit_counts() {
    let mut directory = Directory::default();
    let entity = EntityName::token("t-1");
    directory.apply(&made(token("t-1", 1, 0), 1)).unwrap();
    directory.apply(&revoked("t-1", 2)).unwrap();
    directory.apply(&made(token("t-1", 1, 0), 1)).unwrap();
    assert_eq!(directory.token(&[1; 32], Millis(0)), None, "a repeat revives nothing");
    let nothing = open(Outcome::AlreadyTrue(AlreadyTrue {}));
    directory.apply(&record(&entity, 3, nothing, Seal::None)).unwrap();
    assert_eq!(directory.version(&entity), 3);
}

#[test]
fn records_of_others_are_passed_over() {
    let mut directory = Directory::default();
    let alert = EntityName::alert(domain::ids::AlertId::raised_by(RecordId::of_purpose("x")));
    directory.apply(&record(&alert, 1, vec![0xff; 9], Seal::None)).unwrap();
    let token = made(token("t-1", 1, 0), 1);
    let key = Key { class: Class::Command, ..token.key.clone() };
    directory.apply(&Recorded { key, kind: Kind::Command, ..token }).unwrap();
    assert_eq!(directory.tokens().len(), 0);
}

#[test]
fn what_cannot_be_read_holds_its_entity_and_no_other() {
    let mut directory = Directory::default();
    directory.apply(&made(token("t-1", 1, 0), 1)).unwrap();
    directory.apply(&made(token("t-2", 2, 0), 1)).unwrap();
    let unknown = open(Outcome::Events(Events { events: vec![Event { event: None }] }));
    let entity = EntityName::token("t-1");
    let held = directory.apply(&record(&entity, 2, unknown, Seal::None)).unwrap_err();
    assert_eq!((held.entity, held.position), (entity.clone(), 2));
    // It may have been a revocation.
    assert_eq!(directory.token(&[1; 32], Millis(0)), None);
    assert!(directory.apply(&revoked("t-1", 3)).is_err(), "nothing on half a history");
    assert!(directory.token(&[2; 32], Millis(0)).is_some());
    assert_eq!(directory.held().collect::<Vec<_>>(), [&entity]);
    // A held group is still told.
    let entry = entry("a", DA_TEH, "A");
    directory.apply(&group_commit(&entry, 1)).unwrap();
    let group = EntityName::group(&entry.id);
    for wrong in [vec![0xff; 5], open(events(vec![])).split_off(1), Vec::new()] {
        assert!(directory.apply(&record(&group, 2, wrong, Seal::None)).is_err());
    }
    assert_eq!(directory.groups_of("25126".parse().unwrap()).len(), 1);
}

#[test]
fn a_sealed_part_is_the_one_committed_to() {
    let mut directory = Directory::default();
    let (entry, other) = (entry("a", DA_TEH, "A"), entry("a", DA_TEH, "another"));
    let forged = Recorded { seal: Seal::Here(sealing(&other).sealed), ..group_commit(&entry, 1) };
    assert!(directory.apply(&forged).is_err());
    assert_eq!(directory.group(&entry.id), None);
}

#[test]
fn recovery_has_a_bound() {
    let mut directory = Directory::default();
    let entity = EntityName::token("t-1");
    let mut record = made(token("t-1", 1, 0), 1);
    for _ in 0..3 {
        record = recovered(&entity, 1, &record);
    }
    directory.apply(&record).unwrap();
    assert!(directory.token(&[1; 32], Millis(0)).is_some());
    for _ in 0..1_000 {
        record = recovered(&entity, 2, &record);
    }
    assert!(directory.apply(&record).is_err());
}

#[test]
fn a_record_speaks_of_its_own_entity_only() {
    let mut directory = Directory::default();
    let fact = Fact::TokenMade(TokenMade { facts: Some(token("t-1", 1, 0)) });
    assert!(directory.apply(&commit(&EntityName::token("t-2"), 1, fact)).is_err());
    assert_eq!(directory.token(&[1; 32], Millis(0)), None);
}

#[test]
fn what_was_recovered_yields_to_what_took_its_place() {
    let mut directory = Directory::default();
    let (lost, taken) = (entry("a", DA_TEH, "lost"), entry("a", MY_DUC, "taken"));
    directory.apply(&group_commit(&taken, 1)).unwrap();
    let entity = EntityName::group(&lost.id);
    directory.apply(&recovered(&entity, 2, &group_commit(&lost, 1))).unwrap();
    assert_eq!(directory.group(&lost.id).unwrap().name.as_deref(), Some("taken"));
    // A group that nothing else is known of comes back whole, and a lost revocation still holds.
    let alone = entry("b", DA_TEH, "alone");
    let nothing = open(Outcome::AlreadyTrue(AlreadyTrue {}));
    let entity = EntityName::group(&alone.id);
    directory.apply(&record(&entity, 1, nothing, Seal::None)).unwrap();
    directory.apply(&recovered(&entity, 2, &group_commit(&alone, 1))).unwrap();
    assert_eq!(directory.group(&alone.id).unwrap().name.as_deref(), Some("alone"));
    let entity = EntityName::token("t-1");
    directory.apply(&revoked("t-1", 1)).unwrap();
    directory.apply(&recovered(&entity, 2, &made(token("t-1", 1, 0), 1))).unwrap();
    assert_eq!(directory.token(&[1; 32], Millis(0)), None);
    assert_eq!(directory.tokens().len(), 1);
}

#[test]
fn a_shared_directory_is_one() {
    let shared = SharedDirectory::default();
    let other = shared.clone();
    shared.apply(&made(token("t-1", 1, 0), 1)).unwrap();
    assert_eq!(other.read().tokens().len(), 1);
}

#[test]
fn what_is_read_anew_takes_its_place_when_it_is_whole() {
    let shared = SharedDirectory::default();
    shared.apply(&made(token("t-1", 1, 0), 1)).unwrap();
    shared.apply(&made(token("t-2", 2, 0), 1)).unwrap();
    shared.begin_anew();
    shared.apply(&made(token("t-2", 2, 0), 1)).unwrap();
    shared.apply(&made(token("t-3", 3, 0), 1)).unwrap();
    let known = |id: u8| shared.read().token(&[id; 32], Millis(0)).is_some();
    assert_eq!([1, 2, 3].map(known), [true, true, false]);
    shared.revoke_here("t-2");
    assert_eq!([1, 2, 3].map(known), [true, false, false]);
    assert!(shared.caught_up());
    assert_eq!([1, 2, 3].map(known), [false, false, true]);
    assert!(!shared.caught_up());
}

#[test]
fn a_key_signs_between_its_confirmation_and_its_end() {
    let home = Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() };
    let asker = Asker { officer: "an".parse().unwrap(), standing: Standing::Officer(home) };
    let facts =
        KeyFacts { public: [7; 32].into(), holder: Holder::Officer(asker), proof: vec![9; 64] };
    let id = facts.id();
    let of_key = |version, event| {
        let event = match event {
            KeyEvent::Asked(facts) => {
                Fact::KeyAsked(v1::KeyAsked { facts: Some(key_said(&facts)) })
            }
            KeyEvent::Registered(facts) => {
                Fact::KeyRegistered(v1::KeyRegistered { facts: Some(key_said(&facts)) })
            }
            KeyEvent::Revoked(id) => Fact::KeyRevoked(v1::KeyRevoked { id: id.to_string() }),
        };
        commit(&EntityName::key(id), version, event)
    };
    let asked = of_key(1, KeyEvent::Asked(facts.clone()));
    let registered = of_key(2, KeyEvent::Registered(facts));
    let revoked = of_key(3, KeyEvent::Revoked(id));
    let stands =
        |directory: &Directory| directory.signing_key(id).map(|key| (key.state, key.version));
    let mut directory = Directory::default();
    assert_eq!(stands(&directory), None);
    directory.apply(&asked).unwrap();
    assert_eq!(stands(&directory), Some((KeyState::Asked, 1)));
    directory.apply(&registered).unwrap();
    assert_eq!(stands(&directory), Some((KeyState::Registered, 2)));
    directory.apply(&revoked).unwrap();
    assert_eq!(stands(&directory).map(|(state, _)| state), Some(KeyState::Revoked));
    // The end came first, where a broker had lost what was before.
    let mut directory = Directory::default();
    directory.apply(&of_key(1, KeyEvent::Revoked(id))).unwrap();
    directory.apply(&recovered(&EntityName::key(id), 2, &asked)).unwrap();
    directory.apply(&recovered(&EntityName::key(id), 3, &registered)).unwrap();
    assert_eq!(stands(&directory).map(|(state, _)| state), Some(KeyState::Revoked));
    // What this binary cannot read makes the key nobody's.
    let mut directory = Directory::default();
    directory.apply(&asked).unwrap();
    directory.apply(&registered).unwrap();
    let newer = record(&EntityName::key(id), 3, vec![0xff; 9], Seal::None);
    assert!(directory.apply(&newer).is_err());
    assert_eq!(stands(&directory), None);
}
