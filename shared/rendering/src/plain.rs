//! Words that nobody can make act: no mention, no markup, no link but Kẻng's own.
//!
//! Officers write what citizens say. A chat turns `@name` into a call and `a.example` into a link,
//! whatever it was meant as; whoever can put either into an alert speaks with its authority.
//! What leads somewhere is decided on what a client reads, not on how it is written: without what
//! nobody sees, compatible forms as one, without marks on letters.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// What may stand before a dot without a space, as `TP.HCM`, in capitals only.
const ABBREVIATIONS: [&str; 12] =
    ["TP", "TT", "TX", "P", "Q", "H", "X", "KP", "UBND", "HĐND", "HDND", "CA"];
/// Domains that people are sent to most: behind these no abbreviation is one. Nor is it in front
/// of two plain letters, which may be any country.
const DOMAINS: [&str; 24] = [
    "app", "asia", "biz", "click", "club", "com", "dev", "edu", "gov", "info", "ink", "link",
    "live", "mobi", "name", "net", "online", "org", "page", "pro", "shop", "site", "top", "xyz",
];
/// Numbers of a dotted quad, and the digits of each.
const QUAD_NUMBERS: usize = 4;
const OCTET_DIGITS_MAX: usize = 3;

/// A character as clients read it, and the place of the one that was written.
type Read = (char, usize);

/// The text with every mention and every link made harmless, and readable as it was:
/// `a.example.com` becomes `a[.]example[.]com`, `http://` becomes `http[:]//`, and an `@` in front
/// of a name stands apart from it. What nobody sees is left out.
#[must_use]
pub fn harmless(text: &str) -> String {
    let seen = seen(text);
    let mut apart = vec![false; seen.len()];
    for at in leading(&seen) {
        if let Some(is_apart) = apart.get_mut(at) {
            *is_apart = true;
        }
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = seen.iter().zip(apart).peekable();
    while let Some((c, is_apart)) = rest.next() {
        if is_apart {
            let is_colon = matches!(c, ':' | '：' | '﹕' | '︓');
            out.push_str(if is_colon { "[:]" } else { "[.]" });
        } else if matches!(c, '@' | '＠' | '﹫') {
            out.push('@');
            // `@` in front of a name, and Zalo's `[@`, call somebody; so may one at the end,
            // where more is written behind it.
            if rest.peek().is_none_or(|(next, _)| !next.is_whitespace()) {
                out.push(' ');
            }
        } else {
            out.push(*c);
        }
    }
    out
}

/// Without what nobody sees, and without characters that hide a dot behind a digit.
fn seen(text: &str) -> Vec<char> {
    let mut seen: Vec<char> = Vec::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let before = seen.last().copied();
        if is_ordinary(c) {
            seen.push(c);
        } else if c == '\u{200D}' {
            let is_after = before.is_some_and(|before| before == '\u{FE0F}' || is_emoji(before));
            // What is taken apart into letters is no picture any more.
            let joins = |next: &char| is_emoji(*next) && !has_dot(*next);
            if is_after && rest.peek().is_some_and(joins) {
                seen.push(c);
            }
        } else if c == '\u{FE0F}' {
            if before.is_some_and(is_emoji) {
                seen.push(c);
            }
        } else if matches!(c, '\u{2028}' | '\u{2029}') || c.is_control() {
            seen.push(' ');
        } else if is_invisible(c) {
        } else if has_dot(c) {
            seen.extend(c.nfkd());
        } else {
            seen.push(c);
        }
    }
    seen
}

/// What needs no second look: nearly all of every text.
fn is_ordinary(c: char) -> bool {
    matches!(c, '\n' | '\t' | ' '..='~' | '\u{C0}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}' | '…')
}

/// As `⒈`, which says `1.`.
fn has_dot(c: char) -> bool {
    let (mut dots, mut others) = (0, 0);
    for c in c.nfkd() {
        if is_dot(c) { dots += 1 } else { others += 1 }
    }
    dots > 0 && others > 0
}

/// Characters of formatting, and those that Unicode says to show nothing for.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}'
        | '\u{890}'..='\u{891}' | '\u{8E2}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{110BD}' | '\u{110CD}'
        | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}')
}

/// Nearly: what a joiner or a variation selector may stand beside.
fn is_emoji(c: char) -> bool {
    matches!(c,
        '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{21FF}'
        | '\u{2300}'..='\u{23FF}' | '\u{2460}'..='\u{24FF}' | '\u{25A0}'..='\u{27BF}'
        | '\u{2900}'..='\u{297F}' | '\u{2B00}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}')
}

/// The places of the dots and colons by which a client finds a link.
fn leading(seen: &[char]) -> Vec<usize> {
    let read = read(seen);
    let mut found = quads(&read);
    for (place, (c, at)) in read.iter().enumerate() {
        let (before, behind) = read.split_at(place);
        let after = behind.get(1..).unwrap_or_default();
        let leads = match c {
            ':' => after.iter().map(|(c, _)| *c).take(2).eq(['/', '/']),
            // An abbreviation is written with a plain dot.
            c if is_dot(*c) => {
                let is_plain = seen.get(*at) == Some(&'.');
                is_link_dot(before, after, is_plain)
            }
            _ => false,
        };
        if leads {
            found.push(*at);
        }
    }
    found
}

/// As a client reads it.
fn read(seen: &[char]) -> Vec<Read> {
    let mut read = Vec::with_capacity(seen.len());
    for (at, c) in seen.iter().copied().enumerate() {
        if c.is_ascii() {
            read.push((c, at));
            continue;
        }
        let forms = || c.nfkd().filter(|c| !is_combining_mark(*c));
        let is_blank = forms().any(char::is_whitespace) && !c.is_whitespace();
        // Several dots in one are none that leads anywhere.
        if is_blank || (forms().count() > 1 && forms().any(is_dot)) {
            read.push((c, at));
        } else {
            read.extend(forms().map(|c| (c, at)));
        }
    }
    read
}

/// Clients read the dots of other scripts as dots; compatible forms are one by now.
fn is_dot(c: char) -> bool {
    matches!(c, '.' | '。')
}

/// Behind anything but a space, and in front of two letters or more.
fn is_link_dot(before: &[Read], after: &[Read], is_plain: bool) -> bool {
    let is_behind = before.last().is_some_and(|(last, _)| !last.is_whitespace() && !is_dot(*last));
    if !is_behind {
        return false;
    }
    let label: String = after.iter().map(|(c, _)| *c).take_while(|c| c.is_alphabetic()).collect();
    let is_abbreviation = || is_plain && is_abbreviation(before, &label, after);
    label.chars().nth(1).is_some() && !is_abbreviation()
}

fn is_abbreviation(before: &[Read], label: &str, after: &[Read]) -> bool {
    let ends = |c: &char| c.is_whitespace() || matches!(c, '(' | '"' | ',' | ';');
    let word: Vec<char> =
        before.iter().rev().map(|(c, _)| *c).take_while(|c| !ends(c)).take(8).collect();
    let word: String = word.into_iter().rev().collect();
    let mut rest = after.iter().map(|(c, _)| *c).take_while(|c| !c.is_whitespace());
    let label = label.to_lowercase();
    let is_country = label.len() == 2 && label.is_ascii();
    let is_domain = is_country || label.starts_with("xn") || DOMAINS.contains(&label.as_str());
    ABBREVIATIONS.contains(&word.as_str()) && !is_domain && !rest.any(|c| matches!(c, '/' | ':'))
}

/// The dots of addresses in numbers: `103.7.8.9`, but no hour, no decimal, and no sum of money.
fn quads(read: &[Read]) -> Vec<usize> {
    let mut found = vec![];
    let is_inside = |c: char| c.is_ascii_digit() || is_dot(c);
    let mut rest = read;
    while let Some(from) = rest.iter().position(|(c, _)| is_inside(*c)) {
        let run = rest.split_at(from).1;
        let until = run.iter().position(|(c, _)| !is_inside(*c)).unwrap_or(run.len());
        let (run, after) = run.split_at(until);
        quads_of_run(run, after, &mut found);
        rest = after;
    }
    found
}

fn quads_of_run(run: &[Read], after: &[Read], found: &mut Vec<usize>) {
    let numbers: Vec<&[Read]> = run.split(|(c, _)| is_dot(*c)).collect();
    let dots: Vec<usize> = run.iter().filter(|(c, _)| is_dot(*c)).map(|(_, at)| *at).collect();
    let leads = after.first().is_some_and(|(c, _)| matches!(c, '/' | ':' | '?' | '#'));
    let is_thousand = |number: &&[Read]| number.len() == OCTET_DIGITS_MAX;
    let is_round = numbers.last().is_some_and(|last| last.iter().all(|(c, _)| *c == '0'));
    if !leads && is_round && numbers.iter().skip(1).all(is_thousand) {
        return;
    }
    for (place, group) in numbers.windows(QUAD_NUMBERS).enumerate() {
        if group.iter().all(|number| is_octet(number)) {
            found.extend(dots.iter().skip(place).take(QUAD_NUMBERS - 1));
        }
    }
}

fn is_octet(number: &[Read]) -> bool {
    let digits: String = number.iter().map(|(c, _)| *c).collect();
    digits.len() <= OCTET_DIGITS_MAX && digits.parse::<u8>().is_ok()
}

/// Vietnamese without its marks, and nothing that is not GSM-7: for SMS, where a marked letter
/// halves what fits, and for old phones. For words of our own; see [`harmless_unaccented`].
#[must_use]
pub fn unaccented(text: &str) -> String {
    // A bracket costs two septets; parentheses say the same.
    without_marks(text).replace('[', "(").replace(']', ")")
}

/// What somebody wrote, without marks and harmless: what was none may become a link by losing its
/// marks, as `zalo.mé` does.
#[must_use]
pub fn harmless_unaccented(text: &str) -> String {
    harmless(&without_marks(text)).replace('[', "(").replace(']', ")")
}

/// What somebody wrote, to be read aloud: no brackets.
#[must_use]
pub fn harmless_aloud(text: &str) -> String {
    let words = harmless(&text.replace(['[', ']'], " "));
    words.replace("[.]", " chấm ").replace("[:]", " ")
}

fn without_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.nfd().filter(|c| !is_combining_mark(*c)) {
        match c {
            'đ' => out.push('d'),
            'Đ' => out.push('D'),
            '–' | '—' | '‑' => out.push('-'),
            '“' | '”' | '„' => out.push('"'),
            '‘' | '’' => out.push('\''),
            '…' => out.push_str("..."),
            '\n' | ' '..='[' | ']' | '_' | 'a'..='z' => out.push(c),
            _ if c.is_whitespace() => out.push(' '),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
#[path = "plain_tests.rs"]
pub(crate) mod tests;
