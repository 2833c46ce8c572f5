//! The channels `loudspeaker` and `led` over MQTT 5: controlled devices of a commune, by our own
//! profile (`deploy/MQTT.md`), since no open standard of such devices is known (`channels.md`, 7).
//!
//! A device checks the signature, so that neither the broker nor who breaks into it can speak to
//! a commune. No device's `status` is read here: a last will says less than a receipt.
//! Reason codes: MQTT 5.0, section 3.4.2.1.

mod connection;
mod profile;

use std::{
    borrow::Cow,
    fmt, fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use domain::{channel::ChannelType, ids::Millis, schedule::ATTEMPT_MS_MAX};
use futures::future::{BoxFuture, FutureExt};
use registry::Address;
use rendering::Unit;
use rumqttc::{
    TlsConfiguration, Transport,
    v5::{
        MqttOptions,
        mqttbytes::v5::{ConnectProperties, PubAckReason, Publish},
    },
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde::Deserialize;
use tokio::time::Instant;
use toml::Table;
use uuid::Uuid;

use self::{
    connection::{CONNECT_S_MAX, Dial, IN_FLIGHT_MAX, Link, NotTaken, Pace, UNTOLD_MAX},
    profile::{ANSWER_BYTES_MAX, COMMAND_BYTES_MAX, Device, Profile, Said, is_level, said},
};
use crate::{
    accounts::{Tools, fields},
    channels::{
        Caps, Channel, Confirms, Health, Intent, NotRendered, Outcome, PhotoRule, Rendered,
        Repeats, Sent, View,
    },
    secret::{Secret, shown_path},
};

const LOUDSPEAKER: Caps = Caps {
    channel_type: ChannelType::Loudspeaker,
    text_max: COMMAND_BYTES_MAX / 2 - 2_048,
    unit: Unit::Bytes,
    confirms: Confirms::Delivered,
    repeats: Repeats::Harmless,
    photo: PhotoRule::None,
    shares_account: true,
    per_minute: None,
    per_minute_a_target: None,
};
const LED: Caps = Caps { channel_type: ChannelType::Led, ..LOUDSPEAKER };

/// IANA's ports for MQTT with TLS, and without.
const PORT_TLS: u16 = 8883;
const PORT_PLAIN: u16 = 1883;
/// A dead connection is seen within two of these.
const KEEP_ALIVE_S: u64 = 15;
/// The word of the broker is waited for so long: less than an attempt, so that what is known is
/// said in time.
const WORD_MS_MAX: u64 = ATTEMPT_MS_MAX - 500;
const PACE: Pace = Pace {
    first_pause_ms: 1_000,
    pause_ms_max: 60_000,
    owed_ms_max: 30_000,
    still_ms_max: 2 * KEEP_ALIVE_S * 1_000 + 5_000,
};
/// What all topics begin with, unless the account says otherwise.
const TOPICS: &str = "vn";
const CLIENT_ID: &str = "keng";
/// MQTT 5.0, section 3.1.3.1: a broker need not take a longer one.
const CLIENT_ID_BYTES_MAX: usize = 23;
/// Of a client id: which of the processes that share an account.
const PROCESS_CHARS: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    host: String,
    port: Option<u16>,
    tls: Option<bool>,
    #[serde(default)]
    plain: bool,
    ca: Option<PathBuf>,
    user: Option<String>,
    password: Option<Secret>,
    client_id: Option<String>,
    key: Secret,
    topics: Option<String>,
}

/// Opens an account: begins to connect, and serves both types of device by one connection.
///
/// # Errors
/// What is wrong, with the field.
pub(crate) fn open(
    account: &str,
    table: Table,
    tools: &Tools,
) -> Result<Vec<Arc<dyn Channel>>, String> {
    let settings: Settings = fields(table)?;
    let channels = opened(account, &settings, tools, PACE, WORD_MS_MAX)?;
    Ok(channels.map(|channel| Arc::new(channel) as Arc<dyn Channel>).into())
}

fn opened(
    account: &str,
    settings: &Settings,
    tools: &Tools,
    pace: Pace,
    word_ms: u64,
) -> Result<[Mqtt; 2], String> {
    let topics = settings.topics.as_deref().unwrap_or(TOPICS);
    if !is_level(topics) {
        return Err("topics: phải là một cấp / must be one level, without / + #".to_owned());
    }
    let profile =
        Profile::new(settings.key.reveal(), topics).map_err(|why| format!("key: {why}"))?;
    // Both are public: who sets up a device needs them.
    tracing::info!(
        account,
        key_id = profile.key_id(),
        public_key = profile.public_key(),
        "MQTT: devices check commands with this key"
    );
    let profile = Arc::new(profile);
    let dial = Dial {
        options: options(settings)?,
        answers: profile.answers(),
        pace,
        account: account.into(),
    };
    let reading = Arc::clone(&profile);
    let read = Box::new(move |answer: &Publish| {
        let now = Millis(jiff::Timestamp::now().as_millisecond());
        reading.heard(&answer.topic, &answer.payload, now)
    });
    let link = Link::open(dial, read, tools.receipts.clone())
        .map_err(|_| "không có môi trường chạy / no runtime to connect in".to_owned())?;
    let link = Arc::new(link);
    Ok([(Device::Loudspeaker, LOUDSPEAKER), (Device::Board, LED)].map(|(device, caps)| Mqtt {
        device,
        caps,
        profile: Arc::clone(&profile),
        link: Arc::clone(&link),
        word_ms,
    }))
}

fn options(settings: &Settings) -> Result<MqttOptions, String> {
    let tls = settings.tls.unwrap_or(true);
    // rumqttc puts host and port together with a colon.
    if settings.host.is_empty() || settings.host.contains([':', '/', '@', ' ']) {
        return Err(
            "host: phải là tên máy hoặc IPv4 / must be a name or an IPv4 address".to_owned()
        );
    }
    if !tls && !settings.plain && !is_loopback(&settings.host) {
        return Err("tls: không TLS chỉ với máy này, hoặc khi ghi plain = true / \
                    without TLS only on this machine, or where plain = true says so"
            .to_owned());
    }
    let port = settings.port.unwrap_or(if tls { PORT_TLS } else { PORT_PLAIN });
    let mut options = MqttOptions::new(client_id(settings)?, settings.host.as_str(), port);
    match (&settings.user, &settings.password) {
        (Some(user), Some(password)) => {
            options.set_credentials(user.as_str(), password.reveal());
        }
        (None, None) => {}
        (Some(_), None) => return Err("password: thiếu / missing".to_owned()),
        (None, Some(_)) => return Err("user: thiếu / missing".to_owned()),
    }
    if tls {
        let ca = settings.ca.as_deref().ok_or(
            "ca: thiếu; tệp PEM của các CA được tin / missing: a PEM file of the CAs to trust",
        )?;
        let config = trusting(ca).map_err(|why| format!("ca: {}{why}", shown_path(ca)))?;
        options.set_transport(Transport::tls_with_config(config));
    }
    let mut properties = ConnectProperties::new();
    // Nothing is to be kept for us: what was not acknowledged is the desk's to repeat.
    properties.session_expiry_interval = Some(0);
    properties.receive_maximum = Some(UNTOLD_MAX);
    // The broker drops a longer answer, and no device can close our connection with one.
    properties.max_packet_size = Some(ANSWER_BYTES_MAX);
    options
        .set_connect_properties(properties)
        .set_clean_start(true)
        .set_manual_acks(true)
        .set_keep_alive(Duration::from_secs(KEEP_ALIVE_S))
        .set_connection_timeout(CONNECT_S_MAX)
        .set_outgoing_inflight_upper_limit(IN_FLIGHT_MAX);
    Ok(options)
}

/// A broker closes the older of two connections with one client id; several processes may share
/// an account.
fn client_id(settings: &Settings) -> Result<String, String> {
    let given = settings.client_id.as_deref().unwrap_or(CLIENT_ID);
    let most = CLIENT_ID_BYTES_MAX - PROCESS_CHARS - 1;
    if given.len() > most || !is_level(given) {
        return Err(format!("client-id: 1 đến {most} ký tự / must have 1 to {most} characters"));
    }
    let process: String = Uuid::now_v7().simple().to_string();
    let process = process.split_at(process.len() - PROCESS_CHARS).1;
    Ok(format!("{given}-{process}"))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// TLS that trusts these authorities and no other; by ring, as everything of ours.
fn trusting(ca: &Path) -> Result<TlsConfiguration, String> {
    let pem = fs::read(ca).map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("không có chứng chỉ / holds no certificate".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config.into())
}

/// One of the two channels of an account.
struct Mqtt {
    device: Device,
    caps: Caps,
    profile: Arc<Profile>,
    link: Arc<Link>,
    word_ms: u64,
}

impl fmt::Debug for Mqtt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mqtt").field("device", &self.device).finish_non_exhaustive()
    }
}

impl Mqtt {
    async fn attempt(&self, message: &Rendered, to: &Address, intent: Intent<'_>) -> Sent {
        let begun = Instant::now();
        let Ok(said) = serde_json::from_slice::<Said>(&message.body) else {
            return Outcome::Permanent { code: Cow::Borrowed("payload") }.into();
        };
        let message = match self.profile.command(&said, self.device, to, &intent) {
            Ok(message) => message,
            // The operator must correct the directory.
            Err("address") => return Outcome::Retry { after_s: None, why: "address" }.into(),
            Err(code) => return Outcome::Permanent { code: Cow::Borrowed(code) }.into(),
        };
        // Nothing is begun after its end. What then stands in a queue, here or at the broker, has
        // its Message Expiry, and the device looks at `valid_to`.
        let patience_ms = self.word_ms.min(intent.expires_at.since_ms(intent.now));
        let until = begun + Duration::from_millis(patience_ms);
        match self.link.publish(&message, until).await {
            Ok(reason) => of_reason(reason, message.is_kept, intent.delivery),
            Err(not) => Outcome::from(not).into(),
        }
    }
}

impl Channel for Mqtt {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn render(&self, view: &View<'_>) -> Result<Rendered, NotRendered> {
        let said = said(view, self.device)?;
        let body = serde_json::to_vec(&said).map_err(|_| NotRendered("payload"))?;
        Ok(Rendered { body: body.into(), ..Rendered::default() })
    }

    fn send<'a>(
        &'a self,
        message: &'a Rendered,
        to: &'a Address,
        intent: Intent<'a>,
    ) -> BoxFuture<'a, Sent> {
        self.attempt(message, to, intent).boxed()
    }

    fn probe(&self) -> BoxFuture<'_, Health> {
        let health = match self.link.probe() {
            Ok(hears) => {
                if !hears {
                    // Devices are told all the same; only that they were is not known.
                    tracing::warn!("MQTT: messages leave, and no answer of a device comes");
                }
                Health::Works
            }
            Err(NotTaken::Down(code)) => Health::Down { code: Cow::Borrowed(code) },
            Err(NotTaken::NotSent(why) | NotTaken::MayBeSent(why)) => {
                Health::NotKnown { why: Cow::Borrowed(why) }
            }
            Err(NotTaken::TooLong) => Health::Works,
        };
        std::future::ready(health).boxed()
    }
}

/// What the broker's word says of where the message is, and the number of that word.
fn of_reason(reason: PubAckReason, is_kept: bool, delivery: &str) -> Sent {
    let retry = |why| Outcome::Retry { after_s: None, why };
    let (outcome, status): (_, u32) = match reason {
        PubAckReason::Success => {
            (Outcome::Accepted { provider_id: Some(delivery.to_owned()) }, 0x00)
        }
        // The broker has kept it for a board that may come yet: who is told of a withdrawal is
        // who may have been reached, and this board may be.
        PubAckReason::NoMatchingSubscribers if is_kept => {
            (Outcome::Unknown { after_s: None, why: "no-subscriber" }, 0x10)
        }
        // Nobody listens, so it certainly did not arrive.
        PubAckReason::NoMatchingSubscribers => (retry("no-subscriber"), 0x10),
        PubAckReason::UnspecifiedError => (retry("broker"), 0x80),
        PubAckReason::ImplementationSpecificError => (retry("broker"), 0x83),
        // One device's line in the broker's list may be wrong: it says nothing of the others.
        PubAckReason::NotAuthorized => (retry("not-authorised"), 0x87),
        PubAckReason::TopicNameInvalid => {
            (Outcome::Permanent { code: Cow::Borrowed("topic") }, 0x90)
        }
        PubAckReason::PacketIdentifierInUse => (retry("packet-id"), 0x91),
        PubAckReason::QuotaExceeded => (retry("quota"), 0x97),
        PubAckReason::PayloadFormatInvalid => {
            (Outcome::Permanent { code: Cow::Borrowed("payload") }, 0x99)
        }
    };
    Sent::with(outcome, status)
}

#[cfg(test)]
#[path = "mqtt_tests.rs"]
mod tests;
