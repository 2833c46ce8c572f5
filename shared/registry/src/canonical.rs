//! RFC 8785 (JSON Canonicalization Scheme) for the fields of a map's line.
//!
//! Keys are ASCII, so that the order of their UTF-16 code units is that of their bytes. Texts have
//! passed `domain::text::plain`, so that only the quote and the backslash need escaping. Numbers
//! lie between 1e-6 and 1e21: there ECMAScript writes the shortest digits that read back the same,
//! without exponent, and so does Rust's `Display` for `f64`. (serde_json finds the same digits, but
//! writes `145.0` for 145, and `1e-5`.)

/// An object being written, field by field in the order of the keys.
pub(crate) struct Object<'b> {
    out: &'b mut String,
    last: &'static str,
}

impl<'b> Object<'b> {
    /// Begins an object at the end of `out`.
    pub(crate) fn begin(out: &'b mut String) -> Self {
        out.push('{');
        Self { out, last: "" }
    }

    /// A text.
    pub(crate) fn text(&mut self, key: &'static str, value: &str) {
        self.key(key);
        text(self.out, value);
    }

    /// A text, where there is one.
    pub(crate) fn text_if(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A number.
    pub(crate) fn number(&mut self, key: &'static str, value: f64) {
        self.key(key);
        number(self.out, value);
    }

    /// An array, its elements written by `element`.
    pub(crate) fn array<T>(
        &mut self,
        key: &'static str,
        items: impl IntoIterator<Item = T>,
        element: impl FnMut(&mut String, T),
    ) {
        self.key(key);
        array(self.out, items, element);
    }

    /// An object in a field.
    pub(crate) fn object(&mut self, key: &'static str) -> Object<'_> {
        self.key(key);
        Object::begin(self.out)
    }

    /// Ends the object.
    pub(crate) fn end(self) {
        self.out.push('}');
    }

    fn key(&mut self, key: &'static str) {
        debug_assert!(self.last < key, "keys stand in their canonical order");
        if !self.last.is_empty() {
            self.out.push(',');
        }
        self.last = key;
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
    }
}

/// A string.
pub(crate) fn text(out: &mut String, value: &str) {
    out.push('"');
    let mut rest = value;
    // Most texts need no escaping, and a byte is found faster than a character.
    if !value.as_bytes().contains(&b'"') && !value.as_bytes().contains(&b'\\') {
        out.push_str(value);
        rest = "";
    }
    while let Some((plain, marked)) =
        rest.find(['"', '\\']).and_then(|at| rest.split_at_checked(at))
    {
        out.push_str(plain);
        out.push('\\');
        let (mark, after) = marked.split_at_checked(1).unwrap_or((marked, ""));
        out.push_str(mark);
        rest = after;
    }
    out.push_str(rest);
    out.push('"');
}

/// A number.
pub(crate) fn number(out: &mut String, value: f64) {
    debug_assert!((1e-6..1e21).contains(&value), "a number is in the range of plain decimals");
    out.push_str(&value.to_string());
}

/// An array.
pub(crate) fn array<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut element: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        element(out, item);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_those_of_ecmascript() {
        for (value, written) in [
            (145.0, "145"),
            (11.58164, "11.58164"),
            (1e-6, "0.000001"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e6, "1000000"),
            (107.459_880_000_000_01, "107.45988000000001"),
        ] {
            let mut out = String::new();
            number(&mut out, value);
            assert_eq!(out, written);
        }
    }

    proptest! {
        #[test]
        fn a_text_reads_back_and_is_as_serde_writes_it(value in "[^\\p{Cc}]{0,40}") {
            let mut out = String::new();
            text(&mut out, &value);
            prop_assert_eq!(&out, &serde_json::to_string(&value).unwrap());
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), value);
        }

        /// Two searches for the shortest digits agree, save for a trailing `.0`.
        #[test]
        fn a_number_has_the_shortest_digits(value in 1e-5f64..1e6) {
            let mut out = String::new();
            number(&mut out, value);
            let serde = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(out.as_str(), serde.strip_suffix(".0").unwrap_or(&serde));
        }
    }
}
