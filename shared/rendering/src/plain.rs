//! Words that nobody can make act: no mention, no markup, no link but Kẻng's own.
//!
//! Officers write what citizens say. A chat turns `@name` into a call and `a.example` into a link,
//! whatever it was meant as; whoever can put either into an alert speaks with its authority.

/// Domains that people are sent to most, also where they are written in capitals. An abbreviation
/// in capitals under any other, as `TP.HCM`, is no domain; two letters always are.
const DOMAINS: [&str; 24] = [
    "app", "asia", "biz", "click", "club", "com", "dev", "edu", "gov", "info", "ink", "link",
    "live", "mobi", "name", "net", "online", "org", "page", "pro", "shop", "site", "top", "xyz",
];

/// The text with every mention and every link made harmless, and readable as it was:
/// `a.example.com` becomes `a[.]example[.]com`, `http://` becomes `http[:]//`, and an `@` in front
/// of a name stands apart from it.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for (place, piece) in text.split_inclusive(char::is_whitespace).enumerate() {
        debug_assert!(place == 0 || !out.is_empty());
        out.push_str(&without_link(piece));
    }
    apart(&out)
}

/// `@` in front of a letter or digit, and Zalo's `[@`, call somebody.
fn apart(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        out.push(if matches!(c, '＠' | '﹫') { '@' } else { c });
        if matches!(c, '@' | '＠' | '﹫') && rest.peek().is_some_and(|next| !next.is_whitespace())
        {
            out.push(' ');
        }
    }
    out
}

fn without_link(piece: &str) -> String {
    let piece = piece.replace("://", "[:]//");
    let mut out = String::with_capacity(piece.len() + 2);
    let mut rest = piece.as_str();
    while let Some(at) = rest.find(is_dot) {
        let (before, behind) = rest.split_at(at);
        let dot_bytes = behind.chars().next().map_or(1, char::len_utf8);
        let (dot, after) = behind.split_at(dot_bytes);
        let label: String = after.chars().take_while(|c| c.is_alphanumeric()).collect();
        let has_name = before.chars().next_back().is_some_and(char::is_alphanumeric);
        out.push_str(before);
        out.push_str(if has_name && is_domain(&label) { "[.]" } else { dot });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Clients read the dots of other scripts as dots.
fn is_dot(c: char) -> bool {
    matches!(c, '.' | '。' | '．' | '｡')
}

fn is_domain(label: &str) -> bool {
    let lower = label.to_lowercase();
    let is_ascii = lower.len() >= 2 && lower.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_abbreviation = lower.len() > 2 && label.bytes().all(|byte| byte.is_ascii_uppercase());
    // Some client knows every domain that there is; `xn--` begins those of other scripts.
    (is_ascii && !is_abbreviation) || lower.starts_with("xn") || DOMAINS.contains(&lower.as_str())
}

/// Vietnamese without its marks, and nothing that is not GSM-7: for SMS, where a marked letter
/// halves what fits, and for old phones.
#[must_use]
pub fn unaccented(text: &str) -> String {
    use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
    let mut out = String::with_capacity(text.len());
    for c in text.nfd().filter(|c| !is_combining_mark(*c)) {
        match c {
            'đ' => out.push('d'),
            'Đ' => out.push('D'),
            '–' | '—' | '‑' => out.push('-'),
            '“' | '”' | '„' => out.push('"'),
            '‘' | '’' => out.push('\''),
            '…' => out.push_str("..."),
            // A bracket costs two septets; parentheses say the same.
            '[' => out.push('('),
            ']' => out.push(')'),
            '\n' | ' '..='Z' | '_' | 'a'..='z' => out.push(c),
            _ if c.is_whitespace() => out.push(' '),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_calls_somebody_or_leads_somewhere_is_taken_apart() {
        for (text, told) in [
            ("gọi @all và [@123] ngay", "gọi @ all và [@ 123] ngay"),
            ("xem http://a.example.com/x?y=1", "xem http[:]//a[.]example[.]com/x?y=1"),
            ("vào lua-dao.vn, đừng bấm", "vào lua-dao[.]vn, đừng bấm"),
            ("zalo.me/g/abc", "zalo[.]me/g/abc"),
            ("bit。ly/x", "bit[.]ly/x"),
            ("x.bank và X.COM", "x[.]bank và X[.]COM"),
            ("lúc 17.30, cao 1.2 m, TP.HCM, P.Bến", "lúc 17.30, cao 1.2 m, TP.HCM, P.Bến"),
            ("an@xa.gov.vn", "an@ xa[.]gov[.]vn"),
            ("＠all", "@ all"),
            ("Cháu mặc áo đỏ.", "Cháu mặc áo đỏ."),
        ] {
            assert_eq!(harmless(text), told);
        }
    }

    #[test]
    fn an_sms_needs_no_marks() {
        assert_eq!(
            unaccented("Tìm cháu Đỗ Văn Bé – “áo đỏ”…"),
            "Tim chau Do Van Be - \"ao do\"..."
        );
    }

    proptest! {
        #[test]
        fn nothing_calls_or_leads_anywhere(text in "\\PC{0,60}") {
            let told = harmless(&text);
            prop_assert!(!told.contains("://"));
            let mut all = told.chars().peekable();
            while let Some(c) = all.next() {
                if c == '@' {
                    prop_assert!(all.peek().is_none_or(|next| next.is_whitespace()));
                }
            }
            prop_assert_eq!(harmless(&told), told);
        }

        #[test]
        fn an_sms_is_gsm(text in "\\PC{0,60}") {
            prop_assert!(unaccented(&text).is_ascii());
        }
    }
}
