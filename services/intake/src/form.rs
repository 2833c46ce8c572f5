//! The fields of a form (multipart/form-data, RFC 7578), which is here whole.
//!
//! No stream, no transfer encodings, no names of files.

use std::ops::Range;

/// What is around the file in a form that a browser or a program of ours sends; bytes.
pub(crate) const AROUND_BYTES_MAX: usize = 64 << 10;
/// Fields that are looked through.
const FIELDS_MAX: usize = 160;
/// The lines above a field; bytes.
const HEAD_BYTES_MAX: usize = 8 << 10;
/// The longest boundary (RFC 2046, 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// Why there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoFile {
    /// It is no form, or one that is broken.
    NotAForm,
    /// It has no such field, or several.
    NoField,
}

/// Where in the body the one field of this name stands.
///
/// # Errors
/// [`NoFile`]: the caller sends another form.
pub(crate) fn file_in(
    content_type: &str,
    body: &[u8],
    field: &str,
) -> Result<Range<usize>, NoFile> {
    let fields = fields_in(content_type, body)?;
    let mut found = fields.into_iter().filter(|(name, _)| name == field);
    match (found.next(), found.next()) {
        (Some((_, place)), None) => Ok(place),
        _ => Err(NoFile::NoField),
    }
}

/// Every field that has a name, in order: the name, and where in the body its content stands.
///
/// # Errors
/// [`NoFile::NotAForm`].
pub(crate) fn fields_in(
    content_type: &str,
    body: &[u8],
) -> Result<Vec<(String, Range<usize>)>, NoFile> {
    let delimiter = format!("--{}", boundary(content_type).ok_or(NoFile::NotAForm)?);
    let delimiter = delimiter.as_bytes();
    let mut found = vec![];
    let mut at = match body.starts_with(delimiter) {
        true => delimiter.len(),
        false => next(body, 0, delimiter).ok_or(NoFile::NotAForm)?.1,
    };
    for _ in 0..FIELDS_MAX {
        let rest = body.get(at..).unwrap_or_default();
        if rest.starts_with(b"--") {
            return Ok(found);
        }
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let begins = at + blanks;
        let rest = body.get(begins..).unwrap_or_default();
        let head = rest.get(..HEAD_BYTES_MAX.min(rest.len())).unwrap_or_default();
        let is_line = head.starts_with(b"\r\n");
        let ends = head.windows(4).position(|four| four == b"\r\n\r\n");
        let (true, Some(length)) = (is_line, ends) else { return Err(NoFile::NotAForm) };
        let content = begins + length + 4;
        let (end, after) = next(body, content, delimiter).ok_or(NoFile::NotAForm)?;
        let name = name_in(head.get(..length).unwrap_or_default());
        found.extend(name.map(|name| (name, content..end)));
        at = after;
    }
    Err(NoFile::NotAForm)
}

/// Where the next line begins with the delimiter: the end of what stands before, and the end of
/// the delimiter.
fn next(body: &[u8], from: usize, delimiter: &[u8]) -> Option<(usize, usize)> {
    // What is empty ends with the line that ends its head.
    let mut at = from.saturating_sub(2);
    loop {
        let rest = body.get(at..)?;
        let found = at + rest.iter().position(|byte| *byte == b'\r')?;
        let line = body.get(found..)?.strip_prefix(b"\r\n".as_slice());
        if line.is_some_and(|line| line.starts_with(delimiter)) {
            return Some((found.max(from), found + 2 + delimiter.len()));
        }
        at = found + 1;
    }
}

fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    let is_good = (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len())
        && boundary.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    is_good.then_some(boundary)
}

/// The name of a field, from the lines above it.
fn name_in(head: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(head).ok()?;
    let of_line = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.trim().eq_ignore_ascii_case("content-disposition");
        let (kind, parameters) = value.split_once(';').filter(|_| is_it)?;
        let is_field = kind.trim().eq_ignore_ascii_case("form-data");
        parameter(parameters, "name").filter(|_| is_field)
    };
    head.split("\r\n").find_map(of_line)
}

/// `name=value; other="a \"quoted\" one"`: the value of the first of this name.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_start_matches([';', ' ', '\t']).trim_end();
        let (value, after) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let (value, after) = after.split_once(';').unwrap_or((after, ""));
                (value.trim().to_owned(), after)
            }
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after;
    }
}

/// What stands up to the closing quote, and what follows that.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            // Browsers quote with %22; programs do with this.
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=xx";

    fn file<'a>(kind: &str, body: &'a str) -> Result<&'a str, NoFile> {
        file_in(kind, body.as_bytes(), "photo").map(|place| &body[place])
    }

    fn field(name: &str, content: &str) -> String {
        format!("--xx\r\nContent-Disposition: form-data; name={name}\r\n\r\n{content}\r\n")
    }

    #[test]
    fn one_file_is_found_among_other_fields() {
        let (note, photo) = (field("note", "a"), field("\"photo\"; filename=\"a.jpg\"", "PIX"));
        for body in [
            format!("{photo}--xx--"),
            format!("{note}{photo}--xx--\r\n"),
            format!("{photo}{note}--xx--"),
            format!("for old readers\r\n{photo}--xx--\r\nthe end"),
        ] {
            assert_eq!(file(KIND, &body), Ok("PIX"), "{body}");
        }
        let quoted = "Multipart/Form-Data; charset=utf-8; boundary=\"xx\"";
        assert_eq!(file(quoted, &format!("{photo}--xx--")), Ok("PIX"));
        assert_eq!(file(KIND, &format!("{}--xx--", field("photo", ""))), Ok(""));
        // What looks like a delimiter and is none belongs to the file.
        let inside = "a\r\n--x\r--xx\r\r\nb\r\n";
        assert_eq!(file(KIND, &format!("{}--xx--", field("photo", inside))), Ok(inside));
        // The name of a file names no field.
        let sly = field("\"note\"; filename=\"\\\"; name=photo; \"", "x");
        assert_eq!(file(KIND, &format!("{sly}--xx--")), Err(NoFile::NoField));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let photo = field("photo", "PIX");
        for kind in ["", "image/jpeg", "multipart/form-data", "multipart/mixed; boundary=xx"] {
            assert_eq!(file(kind, &format!("{photo}--xx--")), Err(NoFile::NotAForm), "{kind}");
        }
        let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
        assert_eq!(file(&long, &photo), Err(NoFile::NotAForm));
        for body in [
            "",
            "--x",
            "--xx",
            "--xx\r\n",
            photo.as_str(),
            "--xxphoto\r\n\r\nPIX\r\n--xx--",
            &photo[..photo.len() - 3],
            &field("photo", "x").repeat(FIELDS_MAX + 1),
        ] {
            assert!(file(KIND, body).is_err(), "{body}");
        }
        assert_eq!(file(KIND, "--xx--"), Err(NoFile::NoField));
        assert_eq!(file(KIND, &format!("{photo}{photo}--xx--")), Err(NoFile::NoField));
        assert_eq!(file(KIND, &format!("{}--xx--", field("a", "b"))), Err(NoFile::NoField));
    }

    #[test]
    fn no_bytes_bring_it_down() {
        let body = format!("{}{}--xx--", field("note", "a"), field("photo", "PIX"));
        for length in 0..body.len() {
            let _ = file(KIND, &body[..length]);
        }
        for place in 0..body.len() {
            let mut damaged = body.clone().into_bytes();
            damaged[place] = b'\r';
            let _ = file_in(KIND, &damaged, "photo");
        }
    }
}
