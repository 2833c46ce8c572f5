//! What is made harmless, however it is written, and what stays as it was.

use proptest::prelude::*;

use super::*;

/// Whether a client would find somebody to call or somewhere to go in this text, looked for in
/// another way than the code does it. `own` is the text's own line, which may lead.
pub(crate) fn acts(text: &str, own: &str) -> bool {
    let text = if own.is_empty() { text.to_owned() } else { text.replace(own, " ") };
    let read: String = text
        .chars()
        .filter(|c| !is_invisible(*c) || *c == '\u{200D}')
        .map(|c| {
            if c == '…' {
                "…".to_owned()
            } else {
                c.nfkc().filter(|c| !is_combining_mark(*c)).collect()
            }
        })
        .collect();
    let chars: Vec<char> = read.chars().collect();
    let dots = chars.windows(4).any(|four| {
        four[0].is_alphanumeric()
            && is_dot(four[1])
            && four[2].is_alphabetic()
            && four[3].is_alphabetic()
    });
    let is_said =
        |word: &str| ABBREVIATIONS.iter().any(|short| word.contains(&format!("{short}.")));
    let calls = text.chars().zip(text.chars().skip(1));
    let mut calls = calls.filter(|(c, _)| matches!(c, '@' | '＠' | '﹫'));
    read.contains("://")
        || (dots && !read.split_whitespace().any(is_said))
        || calls.any(|(_, next)| !next.is_whitespace())
}

/// Words as an attacker puts them together.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,6}",
        "[a-zàéđA-Z0-9]{1,8}",
        prop::sample::select(vec![
            ".",
            ".",
            ".",
            "。",
            "．",
            "｡",
            "․",
            "﹒",
            "…",
            "⒈",
            "@",
            "＠",
            "﹫",
            "[",
            "]",
            "[@",
            "://",
            "：／／",
            ":",
            "/",
            "\u{AD}",
            "\u{200B}",
            "\u{200D}",
            "\u{FE0F}",
            "\u{2028}",
            "\u{2029}",
            "\u{61C}",
            "\u{202E}",
            "\u{2066}",
            "\u{301}",
            "😀",
            "👨\u{200D}👩",
            "´",
            "com",
            "ｃｏｍ",
            "рф",
            "vn",
            "mé",
            "VIP/login",
            "103.7.8.9",
            " ",
            "\n",
            "㏂",
            "\u{3164}",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

#[test]
fn what_calls_somebody_or_leads_somewhere_is_taken_apart() {
    for (text, told) in [
        ("gọi @all và [@123] ngay", "gọi @ all và [@ 123] ngay"),
        ("xem http://a.example.com/x?y=1", "xem http[:]//a[.]example[.]com/x?y=1"),
        ("vào lua-dao.vn, đừng bấm", "vào lua-dao[.]vn, đừng bấm"),
        ("zalo.me/g/abc", "zalo[.]me/g/abc"),
        ("bit。ly/x", "bit[.]ly/x"),
        ("x.bank và X.COM", "x[.]bank và X[.]COM"),
        ("an@xa.gov.vn", "an@ xa[.]gov[.]vn"),
        ("＠all", "@ all"),
        ("VIETCOMBANK.VIP/login", "VIETCOMBANK[.]VIP/login"),
        ("103.7.8.9/login và 103.7.8.9.", "103[.]7[.]8[.]9/login và 103[.]7[.]8[.]9."),
        ("１０３．７．８．９", "１０３[.]７[.]８[.]９"),
        ("evil.рф", "evil[.]рф"),
        ("evil😀.com e\u{301}.com", "evil😀[.]com e\u{301}[.]com"),
        ("ｅｖｉｌ．ｃｏｍ", "ｅｖｉｌ[.]ｃｏｍ"),
        ("evil.\u{200B}com a.\u{AD}vn b\u{AD}.\u{61C}vn", "evil[.]com a[.]vn b[.]vn"),
        ("evil.\u{301}com", "evil[.]\u{301}com"),
        ("evil⒈com", "evil1[.]com"),
        ("@\u{2028}all", "@ all"),
        ("http：／／x", "http[:]／／x"),
        ("zalo.mé", "zalo[.]mé"),
        ("P.VN, TP.HCM/x, EVIL-TP.HCM", "P[.]VN, TP[.]HCM/x, EVIL-TP[.]HCM"),
        ("X｡éAA", "X[.]éAA"),
        ("🜀\u{200D}⒈", "🜀1."),
        ("1.200.0.1/x", "1[.]200[.]0[.]1/x"),
    ] {
        assert_eq!(harmless(text), told, "{text}");
    }
}

#[test]
fn an_ordinary_text_stays_to_the_byte() {
    for text in [
        "lúc 17.30, cao 1.2 m, TP.HCM, P.Bến Nghé (Q.Nhất), UBND. xã",
        "mất 3.500.000 đồng và 1.200.000.000 đồng ngày 21.11.2026",
        "Cháu mặc áo đỏ. Ai thấy gọi 113…",
        "Đi lạc...thấy thì báo: 0912.345.678",
        "gia đình 👨\u{200D}👩\u{200D}👧 ❤\u{FE0F} thương",
        "Dòng một\nDòng hai\t\"ba\"; [bốn] (năm) 5/6 & 100%",
    ] {
        assert_eq!(harmless(text), text);
    }
}

#[test]
fn an_sms_needs_no_marks_and_has_no_link_by_losing_them() {
    assert_eq!(unaccented("Tìm cháu Đỗ Văn Bé – “áo đỏ”…"), "Tim chau Do Van Be - \"ao do\"...");
    for (text, told) in [
        ("zalo.mé/g", "zalo(.)me/g"),
        ("zalo.😀me", "zalo(.)me"),
        ("za\u{AD}lo.\u{200B}me", "zalo(.)me"),
        ("evil.´com [x]", "evil(.)com (x)"),
    ] {
        assert_eq!(harmless_unaccented(text), told);
    }
}

#[test]
fn what_is_read_aloud_has_no_brackets() {
    assert_eq!(harmless_aloud("xem a.[x]vn, evil.com"), "xem a. x vn, evil chấm com");
}

proptest! {
    #[test]
    fn nothing_calls_or_leads_anywhere(text in hostile()) {
        let told = harmless(&text);
        prop_assert!(!acts(&told, ""), "{told:?}");
        prop_assert!(!told.contains(['\u{2028}', '\u{2029}', '\u{61C}']), "{told:?}");
        prop_assert_eq!(harmless(&told), told);
        let told = harmless_unaccented(&text);
        prop_assert!(!acts(&told, "") && told.is_ascii(), "{told:?}");
        let told = harmless_aloud(&text);
        prop_assert!(!acts(&told, "") && !told.contains(['[', ']']), "{told:?}");
    }

    #[test]
    fn an_sms_is_gsm(text in "\\PC{0,60}") {
        prop_assert!(unaccented(&text).is_ascii());
    }
}
