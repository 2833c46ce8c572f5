//! JSON Lines: one object a line, read with the name of the field that is at fault.

use std::{borrow::Cow, fmt, marker::PhantomData};

use domain::ids::Millis;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::fault::{Collector, Fault};

/// What an end is told that does not come after its beginning.
pub(crate) const NOT_AFTER: &str = "phải sau lúc bắt đầu / must be after the beginning";

/// The lines of a file with their numbers from 1. The end of the last line may be missing; a
/// line that is empty, or not UTF-8, is a fault.
pub(crate) fn numbered<'a>(
    bytes: &'a [u8],
    faults: &mut Collector,
) -> impl Iterator<Item = (usize, &'a str)> + use<'a> {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    // Where the file is UTF-8 as a whole, so is each line; it is looked at line by line only to
    // name the line that is not.
    if std::str::from_utf8(body).is_err() {
        for (place, line) in body.split(|byte| *byte == b'\n').enumerate() {
            if let Err(wrong) = std::str::from_utf8(line) {
                let reason = format!(
                    "không phải UTF-8 / is not UTF-8 (byte {} of the line)",
                    wrong.valid_up_to() + 1
                );
                faults.add(place + 1, "", reason);
            }
        }
    } else if body.is_empty() {
        faults.add(1, "", "tệp trống / the file is empty");
    } else if body.starts_with(b"\xEF\xBB\xBF") {
        let reason = "bắt đầu bằng BOM; hãy lưu tệp dạng UTF-8 không có BOM / \
                      begins with a byte order mark; save the file as UTF-8 without one";
        faults.add(1, "", reason);
    }
    let text = std::str::from_utf8(body).unwrap_or_default();
    text.split('\n').enumerate().map(|(place, line)| (place + 1, line))
}

/// Reads one line as a `T`.
pub(crate) fn parse<'a, T: Deserialize<'a>>(number: usize, line: &'a str) -> Result<T, Fault> {
    // The path of a field costs time that only a faulty line needs to spend.
    let line = serde_json::from_str::<OnlyObject<T>>(line).map_err(|error| {
        match locate::<OnlyObject<T>>(line) {
            _ if line.trim().is_empty() => {
                fault(number, String::new(), "dòng trống / the line is empty")
            }
            Some((field, reason)) => fault(number, field, &reason),
            None => fault(number, String::new(), &told(&without_place(&error))),
        }
    })?;
    Ok(line.0)
}

fn fault(line: usize, field: String, reason: &str) -> Fault {
    Fault { line, field, reason: reason.to_owned() }
}

/// Field and reason of what makes the line unreadable.
fn locate<'a, T: Deserialize<'a>>(line: &'a str) -> Option<(String, String)> {
    let mut json = serde_json::Deserializer::from_str(line);
    let error = serde_path_to_error::deserialize::<_, T>(&mut json).err()?;
    let path = error.path().to_string();
    let cause = error.into_inner();
    if cause.is_syntax() || cause.is_eof() {
        return Some((String::new(), format!("không phải JSON / is not JSON: {cause}")));
    }
    let reason = without_place(&cause);
    let path = if path == "." { String::new() } else { path };
    Some((with_named_field(path, &reason), told(&reason)))
}

/// The path, with the field in it that serde names in its message only.
fn with_named_field(path: String, reason: &str) -> String {
    let named = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|start| reason.strip_prefix(start)?.split('`').next());
    match named {
        None => path,
        Some(name) if path.is_empty() => name.to_owned(),
        Some(name) if path == name || path.ends_with(&format!(".{name}")) => path,
        Some(name) => format!("{path}.{name}"),
    }
}

/// A message of serde after its Vietnamese gist.
fn told(message: &str) -> String {
    let gists = [
        ("unknown field", "không có trường này"),
        ("missing field", "thiếu trường này"),
        ("duplicate field", "bị ghi hai lần"),
        ("invalid type", "sai kiểu"),
        ("invalid value", "sai giá trị"),
        ("invalid length", "sai độ dài"),
        ("unknown variant", "không có giá trị này"),
    ];
    let gist = gists.iter().find(|(start, _)| message.starts_with(start));
    format!("{} / {message}", gist.map_or("không đọc được", |(_, gist)| gist))
}

/// The message without serde's "at line 1 column 7": the line there is always 1.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line 1 column").next().unwrap_or(&text).to_owned()
}

/// An instant.
pub(crate) fn instant(text: &str) -> Result<Millis, String> {
    let at: Result<jiff::Timestamp, _> = text.parse();
    at.map(|at| Millis(at.as_millisecond()))
        .map_err(|_| "phải là thời điểm RFC 3339 / must be an RFC 3339 time".to_owned())
}

/// A text that borrows from its line unless it was escaped there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;
        impl<'de> Visitor<'de> for Borrowing {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrowing)
    }
}

/// A `T` that is written as an object: serde's structs would take an array of their fields too.
#[derive(Debug)]
pub(crate) struct OnlyObject<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OnlyObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields))
            }
        }
        deserializer.deserialize_map(Fields(PhantomData)).map(OnlyObject)
    }
}

/// For optional fields: absent is `None`, but `null` is a fault, so that a fact has one spelling.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
