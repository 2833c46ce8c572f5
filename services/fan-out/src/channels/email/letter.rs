//! A message as it stands on the wire: headers and a text in base64. Pure.
//!
//! Nothing that somebody wrote reaches a header or a line of the dialogue as it was: a subject is
//! one line and encoded where it is not plain, and base64 has neither a dot nor a bare line end.

use std::time::{Duration, SystemTime};

use lettre::{
    Address, Message,
    message::{
        Mailbox, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use reqwest::Url;

use crate::channels::{Intent, Rendered};

/// The last second of the year 9999; lettre's calendar has no more.
const DATE_MS_MAX: i64 = 253_402_300_799_000;
/// A domain name has no more, and a header no room for more.
const DOMAIN_BYTES_MAX: usize = 253;
const UNSUBSCRIBE_BYTES_MAX: usize = 500;

const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");
const LIST_UNSUBSCRIBE: HeaderName = HeaderName::new_from_ascii_str("List-Unsubscribe");
const LIST_UNSUBSCRIBE_POST: HeaderName = HeaderName::new_from_ascii_str("List-Unsubscribe-Post");

/// What every message of an account bears.
pub(super) struct Letterhead {
    from: Mailbox,
    domain: String,
    unsubscribe: Option<Unsubscribe>,
}

/// Where one is taken off the list.
enum Unsubscribe {
    /// RFC 2369: a mail to somebody who does it.
    Mail(String),
    /// RFC 8058: a POST, which must tell by its address what it is about.
    OneClick(Url),
}

impl Letterhead {
    /// # Errors
    /// What is wrong, with the field's name.
    pub(super) fn of(
        from: &str,
        domain: String,
        unsubscribe: Option<&str>,
    ) -> Result<Self, String> {
        let from: Mailbox =
            from.parse().map_err(|_| "from: không phải hộp thư / is no mailbox".to_owned())?;
        if !AsRef::<str>::as_ref(&from.email).is_ascii() {
            return Err("from: hộp thư phải là ASCII / the mailbox must be ASCII".to_owned());
        }
        if !is_domain(&domain) {
            return Err("domain: không phải tên miền / is no domain name".to_owned());
        }
        let unsubscribe = unsubscribe.map(Unsubscribe::read).transpose()?;
        Ok(Self { from, domain, unsubscribe })
    }

    pub(super) fn domain(&self) -> &str {
        &self.domain
    }

    /// The mailbox that answers for what is sent.
    pub(super) fn sender(&self) -> Address {
        self.from.email.clone()
    }

    /// The whole message. The same intent gives the same bytes, but for the date.
    /// `None` where lettre refuses to write it.
    pub(super) fn letter(
        &self,
        message: &Rendered,
        to: &Address,
        intent: &Intent<'_>,
    ) -> Option<Vec<u8>> {
        let now_ms = u64::try_from(intent.now.0.clamp(0, DATE_MS_MAX)).unwrap_or(0);
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(one_line(&message.subject))
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms))
            .message_id(Some(self.message_id(intent.delivery)))
            .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()));
        if let Some(first) = first_delivery(intent) {
            let first = self.message_id(&first);
            builder = builder.in_reply_to(first.clone()).references(first);
        }
        match &self.unsubscribe {
            None => {}
            Some(Unsubscribe::Mail(address)) => {
                let value = format!("<{address}>");
                builder = builder.raw_header(HeaderValue::new(LIST_UNSUBSCRIBE, value));
            }
            Some(Unsubscribe::OneClick(url)) => {
                let mut url = url.clone();
                url.query_pairs_mut().append_pair("delivery", intent.delivery);
                let post = "List-Unsubscribe=One-Click".to_owned();
                builder = builder
                    .raw_header(HeaderValue::new(LIST_UNSUBSCRIBE, format!("<{url}>")))
                    .raw_header(HeaderValue::new(LIST_UNSUBSCRIBE_POST, post));
            }
        }
        let text = SinglePart::builder()
            .header(ContentType::TEXT_PLAIN)
            .header(ContentTransferEncoding::Base64)
            .body(message.as_text().to_owned());
        Some(builder.singlepart(text).ok()?.formatted())
    }

    /// The same for a delivery at every attempt, and another for every other delivery.
    fn message_id(&self, delivery: &str) -> String {
        format!("<{}@{}>", dot_atom(delivery), self.domain)
    }
}

impl Unsubscribe {
    fn read(given: &str) -> Result<Self, String> {
        let wrong = || {
            "unsubscribe: phải là mailto: hoặc https:// / is neither mailto: nor https://"
                .to_owned()
        };
        let is_plain = given.len() <= UNSUBSCRIBE_BYTES_MAX
            && given.bytes().all(|c| c.is_ascii_graphic() && !matches!(c, b'<' | b'>' | b','));
        if !is_plain {
            return Err(wrong());
        }
        if let Some(mailbox) = given.strip_prefix("mailto:") {
            let address = mailbox.split('?').next().unwrap_or_default();
            return match address.parse::<Address>() {
                Ok(_) => Ok(Self::Mail(given.to_owned())),
                Err(_) => Err(wrong()),
            };
        }
        let url = Url::parse(given).ok().filter(|url| url.scheme() == "https");
        url.map(Self::OneClick).ok_or_else(wrong)
    }
}

/// The delivery that told this target of this alert first; `None` where this is it. An id is made
/// of alert, revision, group and channel: see `domain::delivery::delivery_id`.
fn first_delivery(intent: &Intent<'_>) -> Option<String> {
    let Intent { alert, revision, first_revision, .. } = intent;
    if first_revision == revision {
        return None;
    }
    let target = intent.delivery.strip_prefix(&format!("{alert}:{revision}:"))?;
    Some(format!("{alert}:{first_revision}:{target}"))
}

/// The left side of a Message-ID (RFC 5322, 3.2.3): ids keep their letters, digits, `-` and `_`,
/// and nothing else becomes one of these, so that two ids never become one.
fn dot_atom(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'-' | b'_' => out.push(char::from(byte)),
            b':' => out.push('+'),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => out.push_str(&format!("={byte:02x}")),
        }
    }
    out
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_inside = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        !label.is_empty()
            && label.bytes().all(is_inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= DOMAIN_BYTES_MAX && text.split('.').all(is_label)
}

/// Without line ends and whatever else steers a terminal.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
