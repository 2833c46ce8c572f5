//! What people read, as they read it.

use proptest::prelude::*;

use super::*;
use crate::body::tests::full;

fn told(sheet: &Sheet, news: News) -> Told<'_> {
    Told {
        sheet,
        news,
        at: Millis(1_795_257_660_000),
        from: "xã Hoằng Thịnh, tỉnh Thanh Hoá",
        verify_url: "https://keng.example/v/0123456789",
    }
}

#[test]
fn the_text_says_what_what_to_do_and_who_says_so() {
    let sheet = full();
    let fitted = told(&sheet, News::Issued).fit(2_000, Unit::Chars);
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
    let fitted = told(&sheet, News::Cancelled).fit(2_000, Unit::Chars);
    assert!(fitted.text.starts_with("TÌM TRẺ LẠC: [ĐÃ THU HỒI / WITHDRAWN] Tìm cháu bé"));
    assert!(fitted.text.contains("Xin đừng chia sẻ tiếp"));
    assert!(!fitted.text.contains("Gọi 113"));
}

#[test]
fn a_brief_text_has_no_marks_and_says_where_to_check() {
    let sheet = full();
    let brief = told(&sheet, News::Issued).brief(320);
    assert_eq!(
        brief.text,
        "TIM TRE LAC: Tim chau be 4 tuoi \"di lac\". Dac diem: 4 tuoi, nam, ao do, cao 1 m. \
         Thay lan cuoi: thon Tay Anh Vinh, 17:30 ngay 21/11/2026. Goi 113 xa Hoang Thinh, tinh \
         Thanh Hoa. https://keng.example/v/0123456789"
    );
}

#[test]
fn a_loudspeaker_says_no_address_and_what_to_do_twice() {
    let sheet = full();
    let spoken = told(&sheet, News::Issued).spoken();
    assert!(!spoken.contains("http") && !spoken.contains("0123456789"));
    assert_eq!(spoken.matches("Gọi 113").count(), 2);
}

proptest! {
    #[test]
    fn whatever_is_written_fits_and_can_be_checked(
        description in "\\PC{0,4000}",
        most in 600..2_100_usize,
    ) {
        let mut sheet = full();
        sheet.text.description = description;
        for unit in [Unit::Chars, Unit::Utf16, Unit::Bytes] {
            let fitted = told(&sheet, News::Issued).fit(most, unit);
            prop_assert!(unit.len(&fitted.text) <= most);
            prop_assert!(fitted.text.contains("https://keng.example/v/0123456789"));
        }
        let brief = told(&sheet, News::Issued).brief(160);
        prop_assert!(brief.text.len() <= 160);
    }
}
