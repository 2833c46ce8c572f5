//! What was typed into a form, and what is wrong with it: nothing typed is lost by a fault.

use std::collections::BTreeMap;

use chassis::Problem;
use console::Frame;

use super::said::half;

/// The fields of a form as they were sent, by their names. Lines end as everywhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Typed(BTreeMap<String, Vec<String>>);

impl Typed {
    pub(super) fn of(fields: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut typed = Self::default();
        for (name, value) in fields {
            typed.add(&name, &value.replace("\r\n", "\n"));
        }
        typed
    }

    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.0.entry(name.to_owned()).or_default().push(value.to_owned());
    }

    /// What a field says, without the space around it; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// As [`Self::text`]; `None` where nothing was typed.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Whether the form had this field at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Every value of a field that may be chosen more than once.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(|value| value.trim())
    }

    /// Whether this was chosen.
    pub(crate) fn chose(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|chosen| chosen == value)
    }
}

/// One thing that is wrong, as a form shows it.
pub(crate) struct Fault {
    /// The id of the field in the form; empty for the whole.
    pub(crate) field: String,
    /// What the field is called in the form.
    pub(crate) label: String,
    /// What is wrong with it.
    pub(crate) reason: String,
}

/// A form on a page: what was typed, and why it was not taken.
pub(crate) struct Form<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) typed: &'a Typed,
    pub(crate) problem: Option<&'a Problem>,
}

impl Form<'_> {
    /// The key of a field's label.
    pub(crate) fn label(&self, name: &str) -> String {
        self.frame.t(&format!("field-{}", name.replace(['.', '_'], "-")))
    }

    pub(crate) fn value(&self, name: &str) -> &str {
        self.typed.text(name)
    }

    pub(crate) fn chose(&self, name: &str, value: &str) -> bool {
        self.typed.chose(name, value)
    }

    /// What is wrong with the whole, in one sentence; empty where nothing is.
    pub(crate) fn trouble(&self) -> String {
        self.problem.map(|problem| half(self.frame, problem.detail())).unwrap_or_default()
    }

    /// Everything that is wrong.
    pub(crate) fn all_faults(&self) -> Vec<Fault> {
        let errors = self.problem.map_or(&[][..], Problem::errors);
        let faults = errors.iter().map(|error| {
            let field = field_of(&error.field).to_owned();
            let label = match field.as_str() {
                "" => String::new(),
                field => self.label(field),
            };
            Fault { label, field, reason: half(self.frame, &error.reason) }
        });
        faults.collect()
    }

    /// What is wrong with one field.
    pub(crate) fn faults(&self, name: &str) -> Vec<String> {
        let mut faults = self.all_faults();
        faults.retain(|fault| fault.field == name);
        faults.into_iter().map(|fault| fault.reason).collect()
    }

    pub(crate) fn is_faulty(&self, name: &str) -> bool {
        !self.faults(name).is_empty()
    }
}

/// The field of the form that a path of the interface speaks of: `reach.communes[3]` is one of
/// `reach.communes`, and where somebody was seen is told beside the place.
fn field_of(path: &str) -> &str {
    match path.split('[').next().unwrap_or_default() {
        "last_seen" => "last_seen.place",
        "reach" => "reach.mode",
        "photos" => "photo",
        field => field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_interface_names_a_field_of_the_form() {
        for (path, field) in [
            ("headline", "headline"),
            ("person.age", "person.age"),
            ("reach.communes[3]", "reach.communes"),
            ("photos[0].legal_basis", "photo"),
            ("last_seen", "last_seen.place"),
            ("last_seen.at", "last_seen.at"),
            ("", ""),
        ] {
            assert_eq!(field_of(path), field, "{path}");
        }
    }

    #[test]
    fn what_was_typed_is_kept_and_read_without_the_space_around_it() {
        let pairs = [("note", " a\r\nb "), ("to", "1"), ("to", "2"), ("empty", " ")];
        let typed = Typed::of(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(typed.text("note"), "a\nb");
        assert_eq!(typed.all("to").collect::<Vec<_>>(), ["1", "2"]);
        assert!(typed.chose("to", "2") && !typed.chose("to", "3"));
        assert_eq!(
            (typed.given("empty"), typed.has("empty"), typed.has("no")),
            (None, true, false)
        );
    }
}
