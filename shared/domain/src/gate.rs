//! The gate: exercises and tests are other types, to the last hop.
//!
//! One function says who may be told, one which mark each rendering carries, one which words an
//! exercise must not use. No second guard stands anywhere else: two drift apart.

use std::fmt;

use crate::{
    text::folded,
    values::{AlertStatus, GroupKind},
};

/// The gate: whether a group may be told of an alert of this status. Called where the plan is
/// made and again at the last hop. An exercise or test never reaches the public. A status that
/// is missing or unknown (`None`) is never actual, and nobody is told (R6).
#[must_use]
pub fn may_be_told(
    status: impl Into<Option<AlertStatus>>,
    kind: GroupKind,
    takes_part_in_exercises: bool,
) -> bool {
    match status.into() {
        Some(AlertStatus::Actual) => true,
        Some(AlertStatus::Exercise | AlertStatus::Test) => {
            kind == GroupKind::Officers || takes_part_in_exercises
        }
        None => false,
    }
}

/// The mark on every rendering of what is not real (R5); shown as `vi / en`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    /// Vietnamese.
    pub vi: &'static str,
    /// English.
    pub en: &'static str,
}

impl Watermark {
    const EXERCISE: Self = Self {
        vi: "DIỄN TẬP – KHÔNG PHẢI SỰ VIỆC THẬT",
        en: "EXERCISE – THIS IS NOT REAL",
    };
    const TEST: Self = Self {
        vi: "THỬ KỸ THUẬT – KHÔNG PHẢI SỰ VIỆC THẬT",
        en: "TECHNICAL TEST – THIS IS NOT REAL",
    };
    const UNKNOWN: Self = Self {
        vi: "CHƯA RÕ THẬT HAY DIỄN TẬP – ĐỪNG CHUYỂN TIẾP",
        en: "NOT KNOWN TO BE REAL",
    };

    /// The text with the mark in front, once: what is marked already stays as it is.
    #[must_use]
    pub fn on(self, text: &str) -> String {
        let mark = format!("[{self}]");
        if text.starts_with(&mark) { text.to_owned() } else { format!("{mark} {text}") }
    }
}

impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.vi, self.en)
    }
}

/// The mark that a rendering of this status carries; none for what is real, and only for that.
#[must_use]
pub fn watermark(status: impl Into<Option<AlertStatus>>) -> Option<Watermark> {
    match status.into() {
        Some(AlertStatus::Actual) => None,
        Some(AlertStatus::Exercise) => Some(Watermark::EXERCISE),
        Some(AlertStatus::Test) => Some(Watermark::TEST),
        None => Some(Watermark::UNKNOWN),
    }
}

/// Words between "not" and "drill" that change nothing: "not *just a* drill".
const BETWEEN_WORDS_MAX: usize = 3;

/// "Not a drill" in one language; all words are folded ones.
struct Denial {
    /// What is told to whoever wrote it.
    phrase: &'static str,
    not: &'static [&'static str],
    between: &'static [&'static str],
    drill: &'static [&'static str],
}

const DENIALS: [Denial; 2] = [
    Denial {
        phrase: "không phải diễn tập",
        not: &["khong phai", "chang phai", "dau phai", "khong he", "khong con", "khong chi"],
        between: &["la", "mot", "cuoc", "buoi", "dot", "bai", "tin", "phai", "chi", "don", "thuan"],
        drill: &[
            "dien tap",
            "dien luyen",
            "thuc tap",
            "thao dien",
            "thao duot",
            "tap duot",
            "tap luyen",
            "thu nghiem",
            "thu ky thuat",
            "test",
            "drill",
        ],
    },
    Denial {
        phrase: "this is not a drill",
        not: &["not", "isn t", "isnt", "ain t", "aint", "this is no", "no longer", "never"],
        between: &["a", "an", "the", "any", "just", "only", "merely", "mere", "another", "some"],
        drill: &["drill", "drills", "exercise", "exercises", "test", "tests", "rehearsal"],
    },
];

/// What claims to be real without "not": the first is how it is told, the others are folded and
/// stand for themselves. Each names itself ("this is …"), so that "not a real alarm" passes.
const CLAIMS: [(&str, &[&str]); 2] = [
    (
        "đây là thật",
        &[
            "day la that",
            "day la su that",
            "day la su viec that",
            "day la su co that",
            "day la chuyen that",
            "day la bao dong that",
            "day la canh bao that",
            "day la tin bao that",
            "day la tinh huong that",
            "day la tinh huong khan cap that",
        ],
    ),
    (
        "this is real",
        &[
            "this is real",
            "this is for real",
            "this is the real thing",
            "this is a real alert",
            "this is a real alarm",
            "this is a real emergency",
            "this is a real event",
            "this is a real incident",
            "this is a real situation",
            "this is a real warning",
        ],
    ),
];

/// Found even where the words are written without spaces, or letter by letter. Long ones only:
/// across the borders of words, a short one stands anywhere.
const SQUEEZED: [(&str, &str); 4] = [
    ("khongphaidientap", "không phải diễn tập"),
    ("khongphailadientap", "không phải diễn tập"),
    ("notadrill", "this is not a drill"),
    ("notanexercise", "this is not a drill"),
];

/// The phrase of the class "this is not a drill" that this text has, however it is written: no
/// text of an exercise or test may have one (R5). Hawaii 2018 began with such a script.
/// Refuses rather too much: an exercise can be worded otherwise.
#[must_use]
pub fn forbidden_in_exercise(text: &str) -> Option<&'static str> {
    let text = folded(text);
    let words: Vec<&str> = text.split(' ').collect();
    let tails = || (0..words.len()).filter_map(|at| words.get(at..));
    for denial in &DENIALS {
        if tails().any(|tail| denial.begins(tail)) {
            return Some(denial.phrase);
        }
    }
    for (phrase, claims) in CLAIMS {
        let is_claim = |tail| claims.iter().any(|claim| after(tail, claim).is_some());
        if tails().any(is_claim) {
            return Some(phrase);
        }
    }
    let squeezed = words.concat();
    SQUEEZED.iter().find(|(letters, _)| squeezed.contains(letters)).map(|(_, phrase)| *phrase)
}

impl Denial {
    fn begins(&self, words: &[&str]) -> bool {
        self.not.iter().filter_map(|not| after(words, not)).any(|rest| {
            let between = rest.iter().take_while(|word| self.between.contains(word)).count();
            (0..=between.min(BETWEEN_WORDS_MAX)).any(|skipped| {
                let rest = rest.get(skipped..).unwrap_or_default();
                self.drill.iter().any(|drill| after(rest, drill).is_some())
            })
        })
    }
}

/// What follows `phrase` where the words begin with it.
fn after<'a, 'b>(words: &'a [&'b str], phrase: &str) -> Option<&'a [&'b str]> {
    phrase.split(' ').try_fold(words, |rest, word| {
        rest.split_first().filter(|(first, _)| **first == word).map(|(_, rest)| rest)
    })
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    #[test]
    fn the_gate_lets_no_exercise_out() {
        for kind in GroupKind::ALL.iter().copied() {
            for exercises in [false, true] {
                assert!(may_be_told(AlertStatus::Actual, kind, exercises));
                assert!(!may_be_told(None, kind, exercises));
                for status in [AlertStatus::Exercise, AlertStatus::Test] {
                    let allowed = exercises || kind == GroupKind::Officers;
                    assert_eq!(may_be_told(status, kind, exercises), allowed);
                }
            }
        }
    }

    #[test]
    fn what_is_not_real_is_marked_and_the_mark_is_no_forbidden_phrase() {
        assert_eq!(watermark(AlertStatus::Actual), None);
        for status in [Some(AlertStatus::Exercise), Some(AlertStatus::Test), None] {
            let mark = watermark(status).unwrap();
            let marked = mark.on("Tìm cháu bé");
            assert!(marked.starts_with('[') && marked.ends_with("] Tìm cháu bé"), "{marked}");
            assert_eq!(mark.on(&marked), marked);
            assert_eq!(forbidden_in_exercise(&marked), None, "{marked}");
        }
    }

    #[test]
    fn an_exercise_does_not_say_that_it_is_none() {
        let vi = Some("không phải diễn tập");
        let en = Some("this is not a drill");
        for (text, found) in [
            ("Đây không phải diễn tập", vi),
            ("ĐÂY KHÔNG PHẢI LÀ MỘT CUỘC DIỄN TẬP!!!", vi),
            ("Day khong phai dien tap, chay ngay", vi),
            ("không  phải – diễn\u{200B} tập", vi),
            ("k h ô n g p h ả i d i ễ n t ậ p", vi),
            ("ĐâyKhôngPhảiDiễnTập", vi),
            ("Không còn là thực tập nữa", vi),
            ("Không phải thử nghiệm", vi),
            ("THIS IS NOT A DRILL", en),
            ("This isn't a drill.", en),
            ("this is no drill", en),
            ("It is not just another exercise", en),
            ("This is NOT a test.", en),
            ("ｔｈｉｓ ｉｓ ｎｏｔ ａ ｄｒｉｌｌ", en),
            ("this is not a-drill", en),
            ("Đây là báo động thật", Some("đây là thật")),
            ("ĐÂY LÀ THẬT", Some("đây là thật")),
            ("This is a real emergency", Some("this is real")),
            ("", None),
            ("Diễn tập tìm cháu bé 4 tuổi tại chợ Đạ Tẻh", None),
            ("Đây chỉ là diễn tập, không phải báo động thật", None),
            ("Đây không phải là tình huống thật", None),
            ("Diễn tập: cháu bé không mặc áo", None),
            ("This is a drill, not a real alert", None),
            ("This is not real. Exercise.", None),
            ("Exercise: a test of the siren", None),
        ] {
            assert_eq!(forbidden_in_exercise(text), found, "{text:?}");
        }
    }

    #[test]
    fn every_phrase_that_is_told_is_itself_forbidden() {
        let told = DENIALS.iter().map(|denial| denial.phrase);
        for phrase in told.chain(CLAIMS.iter().map(|(phrase, _)| *phrase)) {
            assert_eq!(forbidden_in_exercise(phrase), Some(phrase));
        }
        for denial in &DENIALS {
            let words = denial.not.iter().chain(denial.between).chain(denial.drill);
            assert!(words.clone().all(|word| folded(word) == *word));
        }
    }

    proptest! {
        #[test]
        fn a_forbidden_phrase_is_found_however_it_is_written(
            phrase in select(vec!["Đây không phải là diễn tập", "This is not a drill"]),
            upper in any::<bool>(),
            decomposed in any::<bool>(),
            between in "[ \\-_.,…\u{200B}]{0,3}",
            before in "[a-zăâđêôơư ]{0,20}",
        ) {
            let mut text = phrase.replace(' ', &format!(" {between}"));
            if upper {
                text = text.to_uppercase();
            }
            if decomposed {
                text = text.nfd().collect();
            }
            let text = format!("{before} {text} {before}");
            prop_assert!(forbidden_in_exercise(&text).is_some());
        }

        #[test]
        fn only_what_is_actual_reaches_who_takes_no_part_and_goes_unmarked(
            status in select(vec![
                None,
                Some(AlertStatus::Actual),
                Some(AlertStatus::Exercise),
                Some(AlertStatus::Test),
            ]),
            kind in select(GroupKind::ALL.to_vec()),
            takes_part in any::<bool>(),
        ) {
            let is_actual = status == Some(AlertStatus::Actual);
            if may_be_told(status, kind, takes_part) && !is_actual {
                prop_assert!(takes_part || kind == GroupKind::Officers);
                prop_assert!(status.is_some());
            }
            prop_assert_eq!(watermark(status).is_none(), is_actual);
        }
    }
}
