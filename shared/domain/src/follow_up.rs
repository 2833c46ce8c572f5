//! What people are told when an alert is corrected or over. It is prepared with the alert, so
//! that nobody has to find words when it was wrong: Hawaii's false alarm of 2018 was known after
//! three minutes and taken back after 38, since no such text was there.

use crate::{gate::Watermark, sentence::Sentence, values::News};

/// The mark in front of a headline: who reads no more than that must see that what was told
/// before does not stand as it was. None on what is told for the first time, or says more.
#[must_use]
pub fn mark(news: News) -> Option<Watermark> {
    let (vi, en) = match news {
        News::Issued | News::Updated => return None,
        News::Corrected => ("ĐÍNH CHÍNH", "CORRECTION"),
        News::Cancelled => ("ĐÃ THU HỒI", "WITHDRAWN"),
        News::Resolved => ("ĐÃ KẾT THÚC", "CLOSED"),
        News::Expired => ("ĐÃ HẾT HẠN", "EXPIRED"),
    };
    Some(Watermark { vi, en })
}

/// What is to be done with what was told before. At an end it stands in place of the alert's own
/// instructions, of which nothing is left to do.
#[must_use]
pub fn words(news: News) -> Option<Sentence> {
    let (vi, en) = match news {
        News::Issued | News::Updated => return None,
        News::Corrected => (
            "Tin trước có chỗ sai. Xin đọc lại và chia sẻ bản này thay bản cũ.",
            "What was said before was wrong. Please read this, and pass it on instead.",
        ),
        News::Cancelled => (
            "Tin này đã được thu hồi. Xin đừng chia sẻ tiếp, và báo cho người đã nhận.",
            "This alert is withdrawn. Please do not pass it on, and tell those who have it.",
        ),
        News::Resolved => (
            "Việc đã kết thúc, xin cảm ơn bà con. Xin đừng chia sẻ tiếp.",
            "It is over, thank you. Please do not pass it on.",
        ),
        News::Expired => (
            "Tin đã hết hạn, việc có thể chưa xong. Xin đừng chia sẻ tiếp; cần thì hỏi công an xã.",
            "This alert has expired; it may not be over. Please do not pass it on; ask the \
             commune's police.",
        ),
    };
    Some(Sentence::of(vi, en))
}

/// Whether an alert's own instructions still stand beside this news.
#[must_use]
pub fn keeps_instructions(news: News) -> bool {
    matches!(news, News::Issued | News::Updated | News::Corrected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_sets_right_is_marked_and_has_words() {
        for news in News::ALL.iter().copied() {
            assert_eq!(mark(news).is_some(), news.sets_right(), "{news:?}");
            assert_eq!(words(news).is_some(), news.sets_right(), "{news:?}");
        }
        let marked = mark(News::Cancelled).map(|mark| mark.on("Tìm cháu bé")).unwrap();
        assert_eq!(marked, "[ĐÃ THU HỒI / WITHDRAWN] Tìm cháu bé");
    }
}
