//! Golden bodies, and what never stands in one.

use domain::{
    alert::{LastSeen, MilliPoint, PersonFacts},
    ids::{Home, RecordId},
    reach::ReachRequest,
    values::{AlertKind, Sex, Travel},
};
use proptest::prelude::*;
use wire::v1::PhotoRef;

use super::*;

pub(crate) fn full() -> Sheet {
    let alert = AlertId::raised_by(RecordId::of_purpose("a"));
    Sheet {
        alert,
        code: "0123456789".to_owned(),
        revision: 2,
        state: "active",
        facts: AlertFacts {
            kind: AlertKind::LostChild,
            status: AlertStatus::Actual,
            home: Home { province: "38".parse().unwrap(), commune: "15961".parse().unwrap() },
            reported_at: Some(Millis(1)),
            last_seen: Some(LastSeen {
                at: Some(Millis(1_795_257_000_000)),
                point: Some(MilliPoint { lat_millideg: 19_829, lon_millideg: -105_100 }),
            }),
            travel: Some(Travel::OnFoot),
            person: Some(PersonFacts { age_years: Some(4), sex: Some(Sex::Male) }),
            legal_basis: Some("stated".to_owned()),
            expires_at: Millis(1_795_343_400_000),
            reach: ReachRequest::Auto,
            dont_know: vec![],
        },
        text: AlertText {
            headline: "Tìm cháu bé 4 tuổi \"đi lạc\"".to_owned(),
            description: "Dòng một\nDòng hai".to_owned(),
            instruction: "Gọi 113".to_owned(),
            place: "thôn Tây Anh Vinh".to_owned(),
            lat: Some(19.828_54),
            lon: Some(-105.099_96),
            person_name: "Nguyễn Văn Ân".to_owned(),
            person_clothing: "áo đỏ".to_owned(),
            person_description: "cao 1 m".to_owned(),
            photos: vec![PhotoRef { id: "p".to_owned(), legal_basis: "b".to_owned() }],
            legal_basis: "lời cha mẹ".to_owned(),
        },
        sent: Millis(1_795_257_601_250),
    }
}

/// Only what must be there.
fn bare() -> Sheet {
    let full = full();
    let facts =
        AlertFacts { kind: AlertKind::Notice, last_seen: None, person: None, ..full.facts.clone() };
    let text = AlertText { headline: "Thông báo".to_owned(), ..AlertText::default() };
    Sheet { facts, text, ..full }
}

fn body(sheet: &Sheet) -> String {
    let body =
        Body::of_alert(News::Issued, Millis(1_795_257_601_250), sheet, "http://h:1/v1/verify/");
    let bytes = body.for_delivery("d:1", "g-1", "15958", "webhook-1");
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_full_body_is_this() {
    assert_eq!(
        body(&full()),
        format!(
            concat!(
                r#"{{"type":"alert.issued","timestamp":"2026-11-21T17:40:01.25+07:00","data":{{"#,
                r#""alert":{{"id":"{}","code":"0123456789","revision":2,"state":"active","#,
                r#""kind":"lost-child","status":"actual","commune":"15961","#,
                r#""headline":"Tìm cháu bé 4 tuổi \"đi lạc\"","#,
                r#""description":"Dòng một\nDòng hai","instruction":"Gọi 113","#,
                r#""last_seen":{{"at":"2026-11-21T17:30:00+07:00","lat":19.829,"lon":-105.1,"#,
                r#""place":"thôn Tây Anh Vinh"}},"#,
                r#""person":{{"age":4,"sex":"male","clothing":"áo đỏ","#,
                r#""description":"cao 1 m"}},"#,
                r#""sent":"2026-11-21T17:40:01.25+07:00","expires":"2026-11-22T17:30:00+07:00","#,
                r#""verify":"http://h:1/v1/verify/0123456789"}},"#,
                r#""delivery":{{"id":"d:1","group":"g-1","commune":"15958","#,
                r#""channel":"webhook-1"}}}}}}"#,
            ),
            full().alert
        )
    );
}

#[test]
fn what_is_absent_is_left_out() {
    let told: Value = serde_json::from_str(&body(&bare())).unwrap();
    let mut fields: Vec<_> = told["data"]["alert"].as_object().unwrap().keys().collect();
    fields.sort();
    let expected = [
        "code", "commune", "expires", "headline", "id", "kind", "revision", "sent", "state",
        "status", "verify",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn a_drill_says_so_in_its_headline() {
    for (status, headline) in [
        (AlertStatus::Actual, "Thông báo"),
        (
            AlertStatus::Exercise,
            "[DIỄN TẬP – KHÔNG PHẢI SỰ VIỆC THẬT / EXERCISE – THIS IS NOT REAL] Thông báo",
        ),
        (
            AlertStatus::Test,
            "[THỬ KỸ THUẬT – KHÔNG PHẢI SỰ VIỆC THẬT / TECHNICAL TEST – THIS IS NOT REAL] Thông báo",
        ),
    ] {
        let mut sheet = bare();
        sheet.facts.status = status;
        let told: Value = serde_json::from_str(&body(&sheet)).unwrap();
        assert_eq!(told["data"]["alert"]["headline"], headline);
        assert_eq!(told["data"]["alert"]["status"], status.as_str());
    }
}

#[test]
fn a_suspect_is_not_to_be_approached() {
    let mut sheet = bare();
    sheet.facts.kind = AlertKind::Suspect;
    for given in ["", "Gọi trực ban."] {
        sheet.text.instruction = given.into();
        let told: Value = serde_json::from_str(&body(&sheet)).unwrap();
        let instruction = told["data"]["alert"]["instruction"].as_str().unwrap();
        assert!(instruction.starts_with("Không tiếp cận, không bắt giữ"), "{instruction}");
        assert!(instruction.contains("Do not approach") && instruction.ends_with(given));
    }
}

#[test]
fn every_news_has_its_type() {
    for news in News::ALL.iter().copied() {
        let bytes = Body::of_alert(news, Millis(0), &bare(), "").for_delivery("", "", "", "");
        let told: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(told["type"], format!("alert.{}", news.as_str()));
    }
}

#[test]
fn what_is_corrected_or_over_says_so_where_everybody_reads() {
    let mut sheet = bare();
    sheet.text.instruction = "Ai thấy xin gọi.".into();
    let told = |sheet: &Sheet, news| -> (String, String) {
        let bytes = Body::of_alert(news, Millis(0), sheet, "").for_delivery("", "", "", "");
        let told: Value = serde_json::from_slice(&bytes).unwrap();
        let text = |name: &str| told["data"]["alert"][name].as_str().unwrap().to_owned();
        (text("headline"), text("instruction"))
    };
    let plain = ("Thông báo".to_owned(), "Ai thấy xin gọi.".to_owned());
    assert_eq!(told(&sheet, News::Issued), plain);
    assert_eq!(told(&sheet, News::Updated), plain);
    let (headline, instruction) = told(&sheet, News::Corrected);
    assert_eq!(headline, "[ĐÍNH CHÍNH / CORRECTION] Thông báo");
    assert!(instruction.starts_with("Tin trước có chỗ sai") && instruction.ends_with("xin gọi."));
    for (news, mark) in [(News::Cancelled, "ĐÃ THU HỒI"), (News::Resolved, "ĐÃ KẾT THÚC")]
    {
        let (headline, instruction) = told(&sheet, news);
        assert!(headline.starts_with(&format!("[{mark} / ")), "{headline}");
        assert!(instruction.contains("đừng chia sẻ") && !instruction.contains("xin gọi"));
    }
    // What is not real says that first, and a suspect is never to be approached.
    sheet.facts.status = AlertStatus::Exercise;
    sheet.facts.kind = AlertKind::Suspect;
    let (headline, instruction) = told(&sheet, News::Cancelled);
    assert!(headline.starts_with("[DIỄN TẬP") && headline.contains("] [ĐÃ THU HỒI"), "{headline}");
    assert!(instruction.starts_with("Không tiếp cận") && instruction.contains("thu hồi"));
}

#[test]
fn no_word_of_a_body_calls_anybody_or_leads_anywhere() {
    let mut sheet = full();
    let words = || "gọi @all, bấm evil.com/x hay http://evil.vn".to_owned();
    sheet.text.headline = words();
    sheet.text.description = words();
    sheet.text.instruction = words();
    sheet.text.place = words();
    sheet.text.person_clothing = words();
    sheet.text.person_description = words();
    let told = body(&sheet);
    let apart = "gọi @ all, bấm evil[.]com/x hay http[:]//evil[.]vn";
    assert_eq!(told.matches(apart).count(), 6, "{told}");
    assert_eq!(told.matches("://").count(), 1, "{told}");
}

#[test]
fn an_instant_outside_the_calendar_is_no_trouble() {
    assert_eq!(rfc3339(Millis(0)), "1970-01-01T07:00:00+07:00");
    assert!(rfc3339(Millis(i64::MAX)).starts_with("9999-12-31T"));
    assert!(rfc3339(Millis(i64::MIN)).starts_with('-'));
}

#[test]
fn nothing_sealed_stands_in_debug_output() {
    assert_eq!(format!("{:?}", full()), format!("Sheet({} revision 2)", full().alert));
}

proptest! {
    /// The body is the same whatever the name, the exact point, the photos and the legal basis
    /// are: so none of them is in it.
    #[test]
    fn what_is_sealed_for_good_leaves_no_trace(
        name in any::<String>(),
        lat in any::<f64>(),
        basis in any::<String>(),
        photo in any::<String>(),
    ) {
        let mut sheet = full();
        let before = body(&sheet);
        sheet.text.person_name = name;
        sheet.text.lat = Some(lat);
        sheet.text.lon = None;
        sheet.text.photos = vec![PhotoRef { id: photo, legal_basis: basis.clone() }];
        sheet.text.legal_basis = basis.clone();
        sheet.facts.legal_basis = Some(basis);
        prop_assert_eq!(body(&sheet), before);
    }

    /// A name that nobody else has is nowhere, whatever the rest of the words are.
    #[test]
    fn a_name_is_never_told(
        name in "[A-Z][a-z]{6,12}§[A-Z][a-z]{6,12}",
        headline in any::<String>(),
        description in any::<String>(),
        place in any::<String>(),
    ) {
        let mut sheet = full();
        sheet.text = AlertText { headline, description, place, ..sheet.text };
        sheet.text.person_name.clone_from(&name);
        prop_assert!(!body(&sheet).contains(&name));
    }

    /// Whatever people write, it is one JSON document, and says what they wrote, made harmless.
    #[test]
    fn words_survive_the_way(words in any::<String>(), id in any::<String>()) {
        let mut sheet = full();
        sheet.text.headline.clone_from(&words);
        sheet.text.description.clone_from(&words);
        let rendered = Body::of_alert(News::Updated, Millis(5), &sheet, "http://h");
        let bytes = rendered.for_delivery(&id, &id, &id, &id);
        let told: Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(&told["data"]["alert"]["headline"], &harmless(&words));
        let description = told["data"]["alert"].get("description");
        prop_assert_eq!(description.map_or("", |text| text.as_str().unwrap()), &harmless(&words));
        prop_assert_eq!(&told["data"]["delivery"]["group"], &id);
    }
}
