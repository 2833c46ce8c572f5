//! What people read, as they read it.

use domain::values::{AlertStatus, News};
use proptest::prelude::*;

use super::*;
use crate::{
    body::{tests::full, with_local},
    plain::tests::{acts, hostile},
};

const FROM: &str = "xã Hoằng Thịnh, tỉnh Thanh Hoá";
const URL: &str = "https://keng.example/v/0123456789";

fn told(sheet: &Sheet, news: News) -> Told<'_> {
    Told { sheet, news, at: Millis(1_795_257_660_000), from: FROM, verify_url: URL }
}

/// The same, of this kind and reality.
fn of(kind: AlertKind, status: AlertStatus) -> Sheet {
    let mut sheet = full();
    (sheet.facts.kind, sheet.facts.status) = (kind, status);
    sheet
}

#[test]
fn the_text_says_what_what_to_do_and_who_says_so() {
    let sheet = full();
    let fitted = told(&sheet, News::Issued).fit(2_000, Unit::Chars).unwrap();
    assert!(!fitted.is_cut);
    assert_eq!(
        fitted.text,
        "TÌM TRẺ LẠC: Tìm cháu bé 4 tuổi \"đi lạc\"\n\
         Dòng một\nDòng hai\n\
         Đặc điểm: 4 tuổi, nam, áo đỏ, cao 1 m\n\
         Thấy lần cuối: thôn Tây Anh Vinh, 17:30 ngày 21/11/2026\n\
         Gọi 113\n\
         xã Hoằng Thịnh, tỉnh Thanh Hoá – 17:41 ngày 21/11/2026\n\
         Kiểm tra 0123456789: https://keng.example/v/0123456789"
    );
}

#[test]
fn an_end_is_marked_and_says_what_to_do_with_what_was_told() {
    let sheet = full();
    let fitted = told(&sheet, News::Cancelled).fit(2_000, Unit::Chars).unwrap();
    assert!(fitted.text.starts_with("[ĐÃ THU HỒI / WITHDRAWN] TÌM TRẺ LẠC: Tìm cháu bé"));
    assert!(fitted.text.contains("Xin đừng chia sẻ tiếp"));
    assert!(!fitted.text.contains("Gọi 113"));
}

#[test]
fn what_is_not_real_says_so_first_everywhere() {
    let sheet = of(AlertKind::Suspect, AlertStatus::Exercise);
    let told = told(&sheet, News::Cancelled);
    let both = "[DIỄN TẬP – KHÔNG PHẢI SỰ VIỆC THẬT / EXERCISE – THIS IS NOT REAL] \
                [ĐÃ THU HỒI / WITHDRAWN] CẢNH BÁO ĐỐI TƯỢNG: Tìm";
    assert!(told.fit(2_000, Unit::Chars).unwrap().text.starts_with(both));
    assert!(told.title().starts_with(both));
    let vi = "[DIỄN TẬP – KHÔNG PHẢI SỰ VIỆC THẬT] [ĐÃ THU HỒI] CẢNH BÁO ĐỐI TƯỢNG";
    assert_eq!(told.marked_kind(), vi);
    let brief = told.brief(459, Letters::Vietnamese).unwrap().text;
    assert!(brief.starts_with(&format!("{vi}: Tìm")), "{brief}");
    let plain = told.brief(459, Letters::Plain).unwrap().text;
    let marks = "(DIEN TAP - KHONG PHAI SU VIEC THAT) (DA THU HOI) CANH BAO DOI TUONG: Tim";
    assert!(plain.starts_with(marks), "{plain}");
    let aloud = "DIỄN TẬP – KHÔNG PHẢI SỰ VIỆC THẬT. ĐÃ THU HỒI. CẢNH BÁO ĐỐI TƯỢNG: Tìm";
    let spoken = told.spoken().unwrap();
    assert!(spoken.starts_with(aloud), "{spoken}");
    assert!(spoken.ends_with("\nDIỄN TẬP – KHÔNG PHẢI SỰ VIỆC THẬT."), "{spoken}");
    assert!(told.board(300).unwrap().starts_with(aloud));
    for text in [brief, plain, spoken, told.board(300).unwrap()] {
        let english = ["EXERCISE", "WITHDRAWN", "Do not", "Please", " / "];
        assert!(!english.iter().any(|word| text.contains(word)), "{text}");
    }
}

#[test]
fn a_brief_text_has_no_marks_and_says_where_to_check() {
    let sheet = full();
    let brief = told(&sheet, News::Issued).brief(320, Letters::Plain).unwrap();
    assert_eq!(
        brief.text,
        "TIM TRE LAC: Tim chau be 4 tuoi \"di lac\". Dac diem: 4 tuoi, nam, ao do, cao 1 m. \
         Thay lan cuoi: thon Tay Anh Vinh, 17:30 ngay 21/11/2026. Goi 113. xa Hoang Thinh, tinh \
         Thanh Hoa. https://keng.example/v/0123456789"
    );
    let suspect = of(AlertKind::Suspect, AlertStatus::Actual);
    assert_eq!(
        told(&suspect, News::Issued).brief(180, Letters::Plain).unwrap().text,
        "CANH BAO DOI TUONG: Tim chau be 4 tuoi... Khong tiep can, khong bat giu, khong dang \
         lai. Thay thi goi ngay 113. xa Hoang Thinh, tinh Thanh Hoa. \
         https://keng.example/v/0123456789"
    );
}

#[test]
fn where_there_is_little_room_what_must_be_said_is_said_in_fewer_words() {
    let drill = of(AlertKind::LostChild, AlertStatus::Exercise);
    let brief = told(&drill, News::Cancelled).brief(160, Letters::Plain).unwrap();
    assert_eq!(
        brief.text,
        "(DIEN TAP). Tin nay da duoc thu hoi. Xin dung chia se tiep, va bao cho nguoi da nhan. \
         xa Hoang Thinh, tinh Thanh Hoa. https://keng.example/v/0123456789"
    );
    // Neither what must be said twice over nor the address has room.
    let suspect = of(AlertKind::Suspect, AlertStatus::Actual);
    assert_eq!(told(&suspect, News::Cancelled).brief(160, Letters::Plain), None);
    assert_eq!(told(&drill, News::Issued).brief(70, Letters::Vietnamese), None);
    assert_eq!(told(&drill, News::Issued).fit(40, Unit::Chars), None);
}

#[test]
fn what_is_worth_less_goes_first() {
    let mut sheet = full();
    sheet.text.description = "mô tả ".repeat(500);
    let text = |most: usize| told(&sheet, News::Issued).fit(most, Unit::Chars).unwrap().text;
    let whole = |text: &str| {
        ["Gọi 113", "\"đi lạc\"", "17:30 ngày", "cao 1 m", "mô tả"].map(|word| text.contains(word))
    };
    assert_eq!(whole(&text(400)), [true, true, true, true, true]);
    assert_eq!(whole(&text(255)), [true, true, true, true, false]);
    assert_eq!(whole(&text(220)), [true, true, true, false, false]);
    assert_eq!(whole(&text(175)), [true, true, false, false, false]);
    assert_eq!(whole(&text(155)), [false, true, false, false, false]);
}

#[test]
fn a_loudspeaker_says_no_address_and_what_to_do_twice() {
    let sheet = full();
    let spoken = told(&sheet, News::Issued).spoken().unwrap();
    assert!(!spoken.contains("http") && !spoken.contains("0123456789"));
    assert_eq!(spoken.matches("Gọi 113").count(), 2);
    assert!(spoken.ends_with("\nTin của xã Hoằng Thịnh, tỉnh Thanh Hoá."));
}

fn words(chars_max: usize) -> impl Strategy<Value = String> {
    let cut = move |text: String| text.chars().take(chars_max).collect::<String>();
    let long = hostile().prop_map(move |text| {
        let letters = if text.is_empty() { "ậ😀" } else { &text };
        letters.repeat(chars_max / letters.chars().count() + 1)
    });
    prop_oneof![hostile(), long].prop_map(cut)
}

prop_compose! {
    /// An alert whose words are as many and as bad as can be.
    fn any_sheet()(
        headline in words(160),
        description in words(4_000),
        instruction in words(500),
        local in words(500),
        place in words(300),
        person_clothing in words(300),
        person_description in words(300),
        kind in prop::sample::select(AlertKind::ALL),
        status in prop::sample::select(vec![
            AlertStatus::Actual, AlertStatus::Exercise, AlertStatus::Test,
        ]),
    ) -> Sheet {
        let mut sheet = of(kind, status);
        let instruction = with_local(&instruction, "xã An", &local);
        let given = sheet.text;
        sheet.text = wire::v1::AlertText {
            headline, description, instruction, place, person_clothing, person_description, ..given
        };
        sheet
    }
}

/// What every text must carry of this news, in Vietnamese.
fn musts(told: &Told<'_>) -> Vec<String> {
    let sentences = [mandatory_text(told.sheet.facts.kind, None), follow_up::words(told.news)];
    let mark = watermark(told.sheet.facts.status);
    let mark = mark.and_then(|mark| mark.vi.split(" – ").next().map(str::to_owned));
    sentences.into_iter().flatten().map(|said| said.vi).chain(mark).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn whatever_is_written_it_fits_and_what_must_be_said_is_said(
        sheet in any_sheet(),
        news in prop::sample::select(News::ALL),
        most in prop::sample::select(vec![134, 160, 201, 300, 459, 1_024, 2_000, 4_096]),
    ) {
        let told = told(&sheet, news);
        let musts = musts(&told);
        let not_real = watermark(sheet.facts.status).and_then(|m| m.vi.split(" – ").next());
        for unit in [Unit::Chars, Unit::Utf16, Unit::Bytes] {
            let Some(Fitted { text, .. }) = told.fit(most, unit) else {
                prop_assert!(most < 459, "{most} {unit:?}");
                continue;
            };
            prop_assert!(unit.len(&text) <= most);
            prop_assert!(text.ends_with(&told.source()), "{text}");
            prop_assert!(musts.iter().all(|must| text.contains(must)), "{text}");
            prop_assert!(not_real.is_none_or(|m| text.starts_with(&format!("[{m}"))), "{text}");
            prop_assert!(!acts(&text, URL), "{text:?}");
        }
        for letters in [Letters::Vietnamese, Letters::Plain] {
            let manner = Manner::Brief(letters);
            let Some(Fitted { text, .. }) = told.brief(most, letters) else {
                let needed: usize = musts.iter().map(|must| must.chars().count() + 3).sum();
                prop_assert!(needed + 60 + 29 > most, "{most} {letters:?}");
                continue;
            };
            let source = format!("{FROM}. {URL}");
            prop_assert!(text.encode_utf16().count() <= most);
            prop_assert!(letters == Letters::Vietnamese || text.is_ascii());
            prop_assert!(text.ends_with(&manner.own(&source)), "{text}");
            prop_assert!(musts.iter().all(|must| text.contains(&manner.own(must))), "{text}");
            prop_assert!(!acts(&text, URL) && !text.contains('\n'), "{text:?}");
        }
    }

    #[test]
    fn devices_are_always_told_and_never_without_end(
        sheet in any_sheet(),
        news in prop::sample::select(News::ALL),
    ) {
        let told = told(&sheet, news);
        let spoken = told.spoken().unwrap();
        prop_assert!(spoken.chars().count() <= SPOKEN_CHARS_MAX);
        let board = told.board(300).unwrap();
        prop_assert!(board.chars().count() <= 300);
        let code = format!("{FROM} – mã kiểm tra 0123456789");
        prop_assert!(board.ends_with(&code), "{board}");
        // A board shows no end: what is over is taken down.
        let mark = watermark(sheet.facts.status).map(|mark| mark.vi);
        let ends = |mark: &str| spoken.starts_with(mark) && spoken.ends_with(&format!("{mark}."));
        prop_assert!(mark.is_none_or(ends), "{spoken}");
        let is_shown = follow_up::keeps_instructions(news);
        prop_assert!(!is_shown || mark.is_none_or(|mark| board.starts_with(mark)), "{board}");
        for text in [spoken, board] {
            prop_assert!(musts(&told).iter().all(|must| text.contains(must)), "{text}");
            prop_assert!(!acts(&text, "") && text.contains(FROM), "{text:?}");
        }
        prop_assert!(!acts(&told.title(), ""));
    }
}
