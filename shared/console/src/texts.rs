//! The words of the pages: Fluent messages, Vietnamese first.
//!
//! A language is a file of messages, or a folder of them. Vietnamese and English are built in; any
//! other is added by a file, and what it lacks is said in Vietnamese.

use std::{fs, io, path::Path};

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

/// The parts of a built-in language, each a file.
macro_rules! built_in {
    ($tag:literal) => {
        &[
            include_str!(concat!("../texts/", $tag, "/frame.ftl")),
            include_str!(concat!("../texts/", $tag, "/admin.ftl")),
            include_str!(concat!("../texts/", $tag, "/audit.ftl")),
            include_str!(concat!("../texts/", $tag, "/board.ftl")),
            include_str!(concat!("../texts/", $tag, "/open.ftl")),
            include_str!(concat!("../texts/", $tag, "/passkey.ftl")),
            include_str!(concat!("../texts/", $tag, "/raise.ftl")),
            include_str!(concat!("../texts/", $tag, "/alert.ftl")),
            include_str!(concat!("../texts/", $tag, "/queues.ftl")),
            include_str!(concat!("../texts/", $tag, "/offline.ftl")),
        ]
    };
}

const VI: &[&str] = built_in!("vi");
const EN: &[&str] = built_in!("en");
/// How a language calls itself.
const NAME: &str = "language-name";

/// The words, in every language that there is. The first is Vietnamese.
pub struct Texts(Vec<Language>);

/// One language.
pub(crate) struct Language {
    /// Its BCP 47 tag.
    pub(crate) tag: String,
    messages: FluentBundle<FluentResource>,
}

/// Why words cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotTexts {
    /// The folder cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file whose name is no language, or which is not Fluent.
    #[error("{file}: {why}")]
    File {
        /// Which.
        file: String,
        /// Why.
        why: String,
    },
}

impl Texts {
    /// What is built in.
    ///
    /// # Errors
    /// Never: a test reads them all.
    pub fn built_in() -> Result<Self, NotTexts> {
        Ok(Self(vec![Language::of("vi", VI)?, Language::of("en", EN)?]))
    }

    /// Adds each language in a folder: `<tag>.ftl` each, as `hmn.ftl`. One that is there already
    /// takes what the file says anew.
    ///
    /// # Errors
    /// [`NotTexts`], with the file.
    pub fn with_folder(mut self, folder: &Path) -> Result<Self, NotTexts> {
        let io = |source| NotTexts::Io { path: folder.display().to_string(), source };
        let mut files: Vec<_> =
            fs::read_dir(folder).map_err(io)?.collect::<Result<_, _>>().map_err(io)?;
        files.sort_by_key(fs::DirEntry::file_name);
        for file in files {
            let path = file.path();
            let Some(tag) = path.file_name().and_then(|it| it.to_str()?.strip_suffix(".ftl"))
            else {
                continue;
            };
            let words = fs::read_to_string(&path).map_err(io)?;
            match self.0.iter_mut().find(|known| known.tag == tag) {
                Some(known) => known.add(&words)?,
                None => self.0.push(Language::of(tag, &[&words])?),
            }
        }
        Ok(self)
    }

    /// Each language: its tag, and how it calls itself.
    pub fn languages(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|it| {
            let name = it.say(NAME, &[]).unwrap_or_else(|| it.tag.clone());
            (it.tag.as_str(), name)
        })
    }

    /// Where a language is among them.
    pub(crate) fn place_of(&self, tag: &str) -> Option<usize> {
        self.0.iter().position(|language| language.tag == tag)
    }

    /// The tag of the language at this place.
    pub(crate) fn tag(&self, place: usize) -> &str {
        self.0.get(place).map_or("vi", |language| &language.tag)
    }

    /// What a key says, in the language at this place, or in Vietnamese; otherwise the key.
    pub(crate) fn say(&self, place: usize, key: &str, arguments: &[(&str, FluentValue)]) -> String {
        let mut languages = self.0.get(place).into_iter().chain(self.0.first());
        languages
            .find_map(|language| language.say(key, arguments))
            .unwrap_or_else(|| key.to_owned())
    }
}

impl Language {
    fn of(tag: &str, parts: &[&str]) -> Result<Self, NotTexts> {
        let fault = |why: String| NotTexts::File { file: format!("{tag}.ftl"), why };
        let id: LanguageIdentifier = tag.parse().map_err(|why| fault(format!("{why}")))?;
        let mut messages = FluentBundle::new_concurrent(vec![id]);
        // The marks around what is filled in are for text that mixes directions.
        messages.set_use_isolating(false);
        let mut language = Self { tag: tag.to_owned(), messages };
        parts.iter().try_for_each(|part| language.add(part))?;
        Ok(language)
    }

    fn add(&mut self, words: &str) -> Result<(), NotTexts> {
        let parsed = FluentResource::try_new(words.to_owned()).map_err(|(_, why)| {
            let why = why.first().map(ToString::to_string).unwrap_or_default();
            NotTexts::File { file: format!("{}.ftl", self.tag), why }
        })?;
        self.messages.add_resource_overriding(parsed);
        Ok(())
    }

    fn say(&self, key: &str, arguments: &[(&str, FluentValue)]) -> Option<String> {
        let pattern = self.messages.get_message(key)?.value()?;
        let mut filled = FluentArgs::with_capacity(arguments.len());
        for (name, value) in arguments {
            filled.set(*name, value.clone());
        }
        let mut faults = vec![];
        Some(self.messages.format_pattern(pattern, Some(&filled), &mut faults).into_owned())
    }
}

#[cfg(test)]
#[path = "texts_tests.rs"]
mod tests;
