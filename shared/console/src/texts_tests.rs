#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use fluent_bundle::FluentResource;

use super::*;

/// The keys that a language has.
fn keys(parts: &[&str]) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for part in parts {
        FluentResource::try_new((*part).to_owned()).expect("Fluent");
        for line in part.lines() {
            if let Some((key, _)) = line.split_once('=').filter(|_| !line.starts_with([' ', '#'])) {
                assert!(keys.insert(key.trim().to_owned()), "{key} stands twice");
            }
        }
    }
    keys
}

#[test]
fn vietnamese_and_english_say_the_same_things() {
    assert_eq!(keys(VI), keys(EN));
    let texts = Texts::built_in().unwrap();
    let names: Vec<_> = texts.languages().map(|(tag, name)| format!("{tag} {name}")).collect();
    assert_eq!(names, ["vi Tiếng Việt", "en English"]);
}

#[test]
fn a_file_adds_a_language_and_what_it_lacks_is_said_in_vietnamese() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hmn.ftl");
    fs::write(&file, "language-name = Hmoob\nsign-out = Tawm\n").unwrap();
    fs::write(folder.path().join("README.md"), "not words").unwrap();
    let texts = Texts::built_in().unwrap().with_folder(folder.path()).unwrap();
    let hmong = texts.place_of("hmn").unwrap();
    assert_eq!(texts.say(hmong, "sign-out", &[]), "Tawm");
    assert_eq!(texts.say(hmong, "sign-in", &[]), texts.say(0, "sign-in", &[]));
    assert_eq!(texts.say(hmong, "no-such-key", &[]), "no-such-key");

    fs::write(&file, "language-name = Hmoob\nsign-out\n").unwrap();
    let wrong = Texts::built_in().unwrap().with_folder(folder.path()).err().unwrap();
    assert!(wrong.to_string().starts_with("hmn.ftl: "), "{wrong}");
}
