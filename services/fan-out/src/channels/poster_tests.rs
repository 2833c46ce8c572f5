//! What the poster is told, and what is known of it afterwards.

use std::{borrow::Cow, sync::Mutex};

use domain::values::AlertKind;
use rendering::{Unit, plain::unaccented};

use super::*;
use crate::channels::testing::{body, intent, sheet, to, view};

const URL: &str = "https://keng.example.vn/p/0123456789/15961/1/AAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The example of RFC 8291, 5.
const VAPID_KEY: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";

/// A channel as an SMS provider's: unaccented, of so many characters; answers as it is told.
struct Short {
    caps: Caps,
    takes_notes: bool,
    answer: Mutex<Outcome>,
    sent: Mutex<Vec<String>>,
}

impl Short {
    fn of(text_max: usize) -> Self {
        let caps = Caps {
            channel_type: ChannelType::Sms,
            text_max,
            unit: Unit::Bytes,
            confirms: Confirms::Delivered,
            repeats: Repeats::ShownTwice,
            photo: PhotoRule::None,
            shares_account: true,
            per_minute: Some(7),
            per_minute_a_target: Some(3),
        };
        let answer = Mutex::new(Outcome::Delivered);
        Self { caps, takes_notes: true, answer, sent: Mutex::default() }
    }
}

impl Channel for Short {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn render(&self, _: &View<'_>) -> Result<Rendered, NotRendered> {
        Err(NotRendered("no alert goes this way here"))
    }

    fn note(&self, text: &str, _: &str) -> Option<Rendered> {
        let text = unaccented(text);
        (self.takes_notes && text.len() <= self.caps.text_max).then(|| Rendered::text(text))
    }

    fn send<'a>(
        &'a self,
        message: &'a Rendered,
        _: &'a Address,
        _: Intent<'a>,
    ) -> BoxFuture<'a, Sent> {
        self.sent.lock().unwrap().push(message.as_text().to_owned());
        let outcome = self.answer.lock().unwrap().clone();
        std::future::ready(Sent::with(outcome, 200_u32)).boxed()
    }
}

fn over(text_max: usize) -> (Arc<Short>, Poster) {
    let short = Arc::new(Short::of(text_max));
    let inner: Arc<dyn Channel> = short.clone();
    (short, Poster::over(&inner).unwrap())
}

/// What a poster over a channel of this room is told.
fn told(text_max: usize, change: impl Fn(&mut rendering::Sheet, &mut bool) -> News) -> String {
    let (mut sheet, mut is_reminder) = (sheet(), false);
    let news = change(&mut sheet, &mut is_reminder);
    let body = body(&sheet);
    let view = View { task_url: Some(URL), is_reminder, ..view(&sheet, &body, news) };
    over(text_max).1.render(&view).unwrap().as_text().to_owned()
}

#[test]
fn the_poster_reads_whether_it_is_real_what_it_is_and_where_the_text_is() {
    assert_eq!(
        told(459, |_, _| News::Issued),
        format!(
            "(TIN THAT / LIVE) xa Hoang Thinh, tinh Thanh Hoa: TIM TRE LAC. \
             Tim chau be 4 tuoi di lac. Bam vao day de lay noi dung va dang vao nhom: {URL}"
        )
    );
    let drill = told(459, |sheet, _| {
        sheet.facts.status = AlertStatus::Exercise;
        News::Issued
    });
    assert!(drill.starts_with("(DIEN TAP - KHONG PHAI SU VIEC THAT / EXERCISE"), "{drill}");
    let again = told(459, |_, is_reminder| {
        *is_reminder = true;
        News::Issued
    });
    assert!(again.starts_with("(TIN THAT / LIVE) NHAC LAI. xa Hoang Thinh"), "{again}");
    let over = told(459, |_, _| News::Cancelled);
    assert!(over.contains("(DA THU HOI / WITHDRAWN)"), "{over}");
    assert!(over.contains("Bai cu trong nhom phai co bai nay tiep theo."), "{over}");
}

#[test]
fn the_link_is_never_cut_and_the_words_are_as_few_as_the_room_asks() {
    let without_headline = told(200, |_, _| News::Issued);
    assert!(!without_headline.contains("chau be"), "{without_headline}");
    for news in [News::Issued, News::Corrected, News::Resolved] {
        for status in [AlertStatus::Actual, AlertStatus::Exercise, AlertStatus::Test] {
            let text = told(160, |sheet, is_reminder| {
                (sheet.facts.status, *is_reminder) = (status, news == News::Issued);
                sheet.facts.kind = AlertKind::FoundProperty;
                news
            });
            assert!(text.len() <= 160 && text.ends_with(&format!(" {URL}")), "{text}");
        }
    }
    let (sheet, is_reminder) = (sheet(), false);
    let body = body(&sheet);
    let view = View { task_url: Some(URL), is_reminder, ..view(&sheet, &body, News::Issued) };
    assert_eq!(over(100).1.render(&view), Err(NotRendered("via")));
    let no_link = View { task_url: None, ..view };
    assert_eq!(over(459).1.render(&no_link), Err(NotRendered("no-link")));
}

#[test]
fn a_hostile_headline_calls_nobody_and_leads_nowhere_else() {
    let text = told(459, |sheet, _| {
        sheet.text.headline = "[@all] bấm evil.com hay http://evil.vn <script>".to_owned();
        sheet.text.description = "lộ ra".to_owned();
        News::Issued
    });
    assert!(text.contains("(@ all) bam evil(.)com hay http(:)//evil(.)vn"), "{text}");
    assert!(!text.contains("lo ra"), "{text}");
    assert_eq!(text.matches("://").count(), 1, "{text}");
}

#[tokio::test]
async fn what_was_taken_is_in_hand_and_nothing_else_is_changed() {
    let (short, poster) = over(459);
    let id = || Some("p-1".to_owned());
    let (none, message) = (None, Rendered::text("x"));
    let unknown = Outcome::Unknown { after_s: None, why: "timeout" };
    let gone = Outcome::TargetGone { why: Cow::Borrowed("no-such-number") };
    for (inner, seen) in [
        (Outcome::Delivered, Outcome::HandedOver { provider_id: none }),
        (Outcome::Accepted { provider_id: id() }, Outcome::HandedOver { provider_id: id() }),
        (Outcome::Duplicate { provider_id: id() }, Outcome::HandedOver { provider_id: id() }),
        (unknown.clone(), unknown),
        (gone.clone(), gone),
    ] {
        *short.answer.lock().unwrap() = inner;
        let sent = poster.send(&message, &to("84912345678"), intent("a:1:g:c", 0)).await;
        assert_eq!(sent, Sent::with(seen, 200_u32));
    }
    assert_eq!(short.sent.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn each_way_to_a_poster_that_a_groups_file_may_name_is_there() {
    use crate::{
        accounts::{Accounts, Tools},
        channels::{address::Guard, http::Http, testing::receipts, webhook::WebhookOptions},
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("{{ file = {path:?} }}")
    };
    let (secret, key) = (at("secret", "1:abc"), at("key", VAPID_KEY));
    let text = format!(
        "[a]\ntype = 'esms'\napi-key = {secret}\nsecret-key = {secret}\nbrandname = 'KENG'\n\
         [b]\ntype = 'speedsms'\ntoken = {secret}\nsender = 'KENG'\n\
         [c]\ntype = 'smtp'\nhost = 'h'\nfrom = 'a@b.vn'\ndomain = 'b.vn'\n\
         [d]\ntype = 'web-push'\nkey = {key}\nsubject = 'mailto:a@b.vn'\n\
         [e]\ntype = 'zalo-bot'\ntoken = {secret}\n\
         [f]\ntype = 'telegram'\nenabled = true\ntoken = {secret}\n\
         [g]\ntype = 'zalo'\napp-id = '1'\noa-id = '2'\napp-secret = {secret}\n\
         tokens = {{ access = {secret}, refresh = {secret} }}\n"
    );
    let file = folder.path().join("channels.toml");
    std::fs::write(&file, text).unwrap();
    let tools = Tools {
        http: Http::new().unwrap(),
        guard: Guard::new(false),
        folder: folder.path().join("state"),
        public_url: "https://keng.example.vn".to_owned(),
        receipts: receipts(),
    };
    let accounts = Accounts::open(Some(&file), &WebhookOptions::default(), &tools).unwrap();
    let mut sms = 0;
    for via in registry::channels::VIA {
        let ways: Vec<_> = accounts.ways().filter(|way| way.via == Some(via)).collect();
        assert!(!ways.is_empty(), "{via:?}");
        sms += ways.iter().filter(|_| via == ChannelType::Sms).count();
        let sheet = sheet();
        let body = body(&sheet);
        let view = View { task_url: Some(URL), ..view(&sheet, &body, News::Issued) };
        for way in ways {
            let rendered = way.channel.render(&view).unwrap();
            assert!(String::from_utf8_lossy(&rendered.body).contains(URL), "{via:?}");
        }
    }
    assert_eq!(sms, 2);
}

#[test]
fn it_is_over_what_people_read_and_shares_its_account() {
    let (short, poster) = over(459);
    let (inner, caps) = (short.caps, poster.caps());
    assert_eq!(caps.channel_type, ChannelType::Poster);
    assert_eq!((caps.repeats, caps.shares_account), (Repeats::Harmless, true));
    assert_eq!((caps.per_minute, caps.per_minute_a_target), (Some(7), Some(3)));
    assert_eq!(inner.text_max, caps.text_max);
    let silent: Arc<dyn Channel> = Arc::new(Short { takes_notes: false, ..Short::of(459) });
    assert!(Poster::over(&silent).is_none());
}
