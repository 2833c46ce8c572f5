//! What the tests of every channel need: an alert in words, and an attempt to tell it.

use domain::{
    alert::{AlertFacts, LastSeen, MilliPoint, PersonFacts},
    ids::{AlertId, Home, Millis, RecordId},
    reach::ReachRequest,
    values::{AlertKind, AlertStatus, News, Sex, Travel},
};
use registry::Address;
use rendering::{Body, Sheet, Told};
use wire::v1::AlertText;

use crate::channels::{Intent, Named, View};

/// An alert that has everything.
pub(crate) fn sheet() -> Sheet {
    Sheet {
        alert: AlertId::raised_by(RecordId::of_purpose("a")),
        code: "0123456789".to_owned(),
        revision: 1,
        state: "active",
        facts: AlertFacts {
            kind: AlertKind::LostChild,
            status: AlertStatus::Actual,
            home: Home { province: "38".parse().unwrap(), commune: "15961".parse().unwrap() },
            reported_at: Some(Millis(1)),
            last_seen: Some(LastSeen {
                at: Some(Millis(1_795_257_000_000)),
                point: Some(MilliPoint { lat_millideg: 19_829, lon_millideg: 105_100 }),
            }),
            travel: Some(Travel::OnFoot),
            person: Some(PersonFacts { age_years: Some(4), sex: Some(Sex::Male) }),
            legal_basis: Some("stated".to_owned()),
            expires_at: Millis(1_795_343_400_000),
            reach: ReachRequest::Auto,
            dont_know: vec![],
        },
        text: AlertText {
            headline: "Tìm cháu bé 4 tuổi đi lạc".to_owned(),
            description: "Cháu đi bộ từ nhà văn hoá, [@all] xem a.example.com".to_owned(),
            instruction: "Gọi 113".to_owned(),
            place: "thôn Tây Anh Vinh".to_owned(),
            person_name: "Nguyễn Văn Ân".to_owned(),
            person_clothing: "áo đỏ".to_owned(),
            ..AlertText::default()
        },
        sent: Millis(1_795_257_601_250),
    }
}

/// The common body of a sheet.
pub(crate) fn body(sheet: &Sheet) -> Body {
    Body::of_alert(News::Issued, Millis(1_795_257_601_250), sheet, VERIFY)
}

const VERIFY: &str = "https://keng.example.vn/v1/verify";

/// One delivery of a sheet.
pub(crate) fn view<'a>(sheet: &'a Sheet, body: &'a Body, news: News) -> View<'a> {
    View {
        told: Told {
            sheet,
            news,
            at: Millis(1_795_257_601_250),
            from: "xã Hoằng Thịnh, tỉnh Thanh Hoá",
            verify_url: "https://keng.example.vn/v1/verify/0123456789",
        },
        body,
        delivery: Named { id: "a:1:g:c", group: "g", commune: "15961", channel: "c" },
        photo: None,
        task_url: None,
        is_reminder: false,
    }
}

/// The first attempt of a first revision.
pub(crate) fn intent(delivery: &str, now_s: i64) -> Intent<'_> {
    Intent {
        delivery,
        alert: AlertId::raised_by(RecordId::of_purpose("a")),
        kind: AlertKind::LostChild,
        revision: 1,
        first_revision: 1,
        attempt: 1,
        now: Millis(now_s.saturating_mul(1_000)),
        expires_at: Millis(now_s.saturating_mul(1_000)).plus_ms(3_600_000),
        is_urgent: true,
    }
}

/// Somebody, by the provider's name.
pub(crate) fn to(to: &str) -> Address {
    Address { to: to.into(), ..Address::default() }
}

/// A way for receipts that nobody waits for.
pub(crate) fn receipts() -> tokio::sync::mpsc::Sender<(std::sync::Arc<str>, super::Inbound)> {
    tokio::sync::mpsc::channel(1).0
}
