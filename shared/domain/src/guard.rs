//! The suspect guard (R20–R23): what an alert about a suspect must have, may not show, and says.
//!
//! The legal basis decides what may be shown, field by field; what is in no table allows least.
//! A person is presumed innocent (Constitution, article 31), and haste has killed.

use crate::{
    sentence::Sentence,
    text::folded,
    values::{AlertKind, News, Urgency},
};

/// The code of a legal basis that was given in free text, which is sealed.
pub const BASIS_STATED: &str = "stated";
/// Who is called where the commune names no number of its own.
pub const CALL_DEFAULT: &str = "113";

/// What a suspect alert rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// A wanted decision, which is public itself: `truy-na`, or `truy-na-…` with its number.
    WantedDecision,
    /// An officer who orders it and is named: `nguoi-ra-lenh` or `nguoi-ra-lenh-…`.
    AuthorisingOfficer,
    /// Free text, or a code that no table has: nobody can tell by it what is allowed.
    Stated,
}

impl Basis {
    /// The codes, and what each allows. Extending it is a lawyer's word (law.md, question 3).
    const CODES: [(&'static str, Self); 4] = [
        ("truy-na", Self::WantedDecision),
        ("wanted-decision", Self::WantedDecision),
        ("nguoi-ra-lenh", Self::AuthorisingOfficer),
        ("authorising-officer", Self::AuthorisingOfficer),
    ];

    /// What a code stands for; none where there is no code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        if code.is_empty() {
            return None;
        }
        let is_of = |known: &str| {
            code.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let found = Self::CODES.iter().find(|(known, _)| is_of(known));
        Some(found.map_or(Self::Stated, |(_, basis)| *basis))
    }

    /// Whether the person may be named.
    #[must_use]
    pub fn allows_name(self) -> bool {
        matches!(self, Self::WantedDecision)
    }

    /// Whether the person's face may be shown.
    #[must_use]
    pub fn allows_face(self) -> bool {
        matches!(self, Self::WantedDecision)
    }
}

/// Why a field of a suspect alert is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum NotShown {
    /// Nothing to rest on.
    #[error("a suspect alert needs a legal basis")]
    BasisMissing,
    /// The basis does not allow the name.
    #[error("this legal basis does not allow the name")]
    NameNotAllowed,
    /// The basis does not allow the face.
    #[error("this legal basis does not allow a photo")]
    FaceNotAllowed,
    /// Home and family are never shown, whatever the basis.
    #[error("home address and family are never shown")]
    HomeOrFamily,
}

impl NotShown {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BasisMissing => "legal-basis-missing",
            Self::NameNotAllowed => "name-not-allowed",
            Self::FaceNotAllowed => "photo-not-allowed",
            Self::HomeOrFamily => "home-or-family",
        }
    }

    /// What the officer reads.
    #[must_use]
    pub fn told(self) -> &'static str {
        match self {
            Self::BasisMissing => {
                "tin về nghi phạm phải có căn cứ pháp lý / a suspect alert needs a legal basis"
            }
            Self::NameNotAllowed => {
                "căn cứ này không cho phép nêu tên (cần quyết định truy nã) / \
                 this basis does not allow the name (a wanted decision would)"
            }
            Self::FaceNotAllowed => {
                "căn cứ này không cho phép đăng ảnh (cần quyết định truy nã) / \
                 this basis does not allow a photo (a wanted decision would)"
            }
            Self::HomeOrFamily => {
                "không bao giờ nêu nơi ở và gia đình / home address and family are never shown"
            }
        }
    }
}

/// Fields that name home or family, by their names in the interface; none exists today, and one
/// that comes is refused from its first day.
const HOME_OR_FAMILY_FIELDS: [&str; 6] = [
    "person.address",
    "person.home",
    "person.family",
    "person.relatives",
    "person.phone",
    "person.id_number",
];

/// What is refused of an alert, field by field; nothing where the kind is no suspect.
/// `present` are the names of the sealed fields that are present.
#[must_use]
pub fn refused_fields<'a, S: AsRef<str>>(
    kind: AlertKind,
    legal_basis: Option<&str>,
    present: &'a [S],
) -> Vec<(&'a str, NotShown)> {
    if kind != AlertKind::Suspect {
        return vec![];
    }
    let basis = legal_basis.and_then(Basis::of);
    let missing = basis.is_none().then_some(("legal_basis", NotShown::BasisMissing));
    let refused = |field: &'a str| match field {
        "person.name" if !basis.is_some_and(Basis::allows_name) => Some(NotShown::NameNotAllowed),
        "photos" if !basis.is_some_and(Basis::allows_face) => Some(NotShown::FaceNotAllowed),
        _ if HOME_OR_FAMILY_FIELDS.contains(&field) => Some(NotShown::HomeOrFamily),
        _ => None,
    };
    let fields = present.iter().map(AsRef::as_ref);
    missing.into_iter().chain(fields.filter_map(|field| Some((field, refused(field)?)))).collect()
}

/// Phrases that name a home or a family, folded; only such as fold together with no other
/// Vietnamese words that an alert would use.
const HOME_OR_FAMILY: [(&str, &str); 18] = [
    ("nha rieng", "nhà riêng"),
    ("dia chi nha", "địa chỉ nhà"),
    ("so nha", "số nhà"),
    ("thuong tru", "thường trú"),
    ("tam tru", "tạm trú"),
    ("co ho khau", "có hộ khẩu"),
    ("ho khau tai", "hộ khẩu tại"),
    ("noi cu tru", "nơi cư trú"),
    ("hien tru", "hiện trú"),
    ("con trai ong", "con trai ông"),
    ("con gai ong", "con gái ông"),
    ("con trai cua", "con trai của"),
    ("con gai cua", "con gái của"),
    ("bo me cua", "bố mẹ của"),
    ("ten cha", "tên cha"),
    ("home address", "home address"),
    ("lives at", "lives at"),
    ("family of", "family of"),
];

/// The phrase by which a text of a suspect alert names a home or a family. Asked at the edge,
/// where the words are; no text can be proved clean, so the approver still reads it.
#[must_use]
pub fn names_home_or_family(text: &str) -> Option<&'static str> {
    let text = format!(" {} ", folded(text));
    let has = |phrase: &str| text.contains(&format!(" {phrase} "));
    HOME_OR_FAMILY.iter().find(|(phrase, _)| has(phrase)).map(|(_, told)| *told)
}

/// The text that an alert of this kind must carry in every rendering, if it must carry one.
/// `call` is the commune's number; 113 where it has none.
#[must_use]
pub fn mandatory_text(kind: AlertKind, call: Option<&str>) -> Option<Sentence> {
    let call = call.map(str::trim).filter(|call| !call.is_empty()).unwrap_or(CALL_DEFAULT);
    (kind == AlertKind::Suspect).then(|| {
        Sentence::of(
            format!("Không tiếp cận, không bắt giữ, không đăng lại. Thấy thì gọi ngay {call}."),
            format!("Do not approach, detain or repost. If seen, call {call} at once."),
        )
    })
}

/// The order in which news leaves where more waits than can leave at once: smaller goes first.
/// It orders alerts among each other only: within one alert, revisions keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precedence {
    /// Somebody may be hunted for what was not so.
    SuspectCorrected,
    /// What was said was wrong, or is over (R21).
    Corrected,
    /// A life may hang on it.
    LifeThreatening,
    /// Everything else that is urgent within the hour.
    Urgent,
    /// What can wait.
    Ordinary,
    /// Notices, which nobody misses for an hour.
    News,
}

/// The precedence of news of an alert.
#[must_use]
pub fn precedence(kind: AlertKind, news: News) -> Precedence {
    match news {
        News::Corrected | News::Cancelled | News::Resolved if kind == AlertKind::Suspect => {
            Precedence::SuspectCorrected
        }
        News::Corrected | News::Cancelled | News::Resolved => Precedence::Corrected,
        News::Expired => Precedence::Ordinary,
        News::Issued | News::Updated if kind.life_threatening() => Precedence::LifeThreatening,
        News::Issued | News::Updated => match kind.urgency() {
            Urgency::Immediate | Urgency::Expected => Precedence::Urgent,
            Urgency::Future if kind == AlertKind::Notice => Precedence::News,
            Urgency::Future => Precedence::Ordinary,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_basis_says_what_may_be_shown() {
        use NotShown::{BasisMissing, FaceNotAllowed, HomeOrFamily, NameNotAllowed};
        let shown = ["headline", "person.name", "person.clothing", "photos", "last_seen.place"];
        let neither = [("person.name", NameNotAllowed), ("photos", FaceNotAllowed)];
        let nothing = [&[("legal_basis", BasisMissing)], neither.as_slice()].concat();
        for (basis, refused) in [
            (None, nothing.clone()),
            (Some(""), nothing),
            (Some("truy-na"), vec![]),
            (Some("truy-na-15-2026"), vec![]),
            (Some("wanted-decision"), vec![]),
            (Some("truy-nang"), neither.to_vec()),
            (Some("nguoi-ra-lenh"), neither.to_vec()),
            (Some("authorising-officer-12"), neither.to_vec()),
            (Some(BASIS_STATED), neither.to_vec()),
        ] {
            assert_eq!(refused_fields(AlertKind::Suspect, basis, &shown), refused, "{basis:?}");
        }
        let described = ["headline", "person.clothing", "person.description"];
        assert_eq!(refused_fields(AlertKind::Suspect, Some(BASIS_STATED), &described), []);
        for field in HOME_OR_FAMILY_FIELDS {
            let shown = [field];
            let refused = refused_fields(AlertKind::Suspect, Some("truy-na"), &shown);
            assert_eq!(refused, [(field, HomeOrFamily)]);
        }
    }

    #[test]
    fn only_a_suspect_is_guarded() {
        let shown = ["person.name", "photos"];
        for kind in AlertKind::ALL.iter().copied().filter(|kind| *kind != AlertKind::Suspect) {
            assert_eq!(refused_fields(kind, None, &shown), []);
            assert_eq!(mandatory_text(kind, None), None);
        }
    }

    #[test]
    fn home_and_family_are_found_in_words() {
        for (text, found) in [
            ("Đối tượng thường trú tại thôn 3", Some("thường trú")),
            ("CÓ HỘ KHẨU: xã B", Some("có hộ khẩu")),
            ("là con trai của bà C", Some("con trai của")),
            ("He lives at 12 Main Street", Some("lives at")),
            ("Nam, khoảng 30 tuổi, áo đen, đi xe máy về hướng Mỹ Đức", None),
            ("Đám đông hô khẩu hiệu", None),
            ("tái thương trường", None),
        ] {
            assert_eq!(names_home_or_family(text), found, "{text}");
        }
        assert!(HOME_OR_FAMILY.iter().all(|(phrase, told)| folded(told) == *phrase));
    }

    #[test]
    fn every_rendering_of_a_suspect_says_keep_away() {
        for (call, number) in [(None, "113"), (Some(" "), "113"), (Some("0263 388"), "0263 388")] {
            let text = mandatory_text(AlertKind::Suspect, call).unwrap();
            assert!(text.vi.contains(number) && text.en.contains(number), "{text}");
            let shown = text.to_string();
            let told = ["Không tiếp cận", "không bắt giữ", "không đăng lại", "Do not approach"];
            assert!(told.iter().all(|words| shown.contains(words)), "{shown}");
        }
    }

    #[test]
    fn the_correction_of_a_suspect_goes_before_everything() {
        let correction = precedence(AlertKind::Suspect, News::Corrected);
        for kind in AlertKind::ALL.iter().copied() {
            for news in News::ALL.iter().copied() {
                let other = precedence(kind, news);
                assert!(correction <= other, "{kind:?} {news:?}");
                assert!(correction < other || kind == AlertKind::Suspect, "{kind:?} {news:?}");
                let corrects = matches!(news, News::Corrected | News::Cancelled | News::Resolved);
                assert_eq!(corrects, other <= Precedence::Corrected, "{kind:?} {news:?}");
            }
        }
        let lost = precedence(AlertKind::LostChild, News::Issued);
        assert!(lost < precedence(AlertKind::Suspect, News::Issued));
        assert!(lost < precedence(AlertKind::Notice, News::Issued));
    }
}
