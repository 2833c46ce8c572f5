//! A loudspeaker or board of a commune, as `deploy/MQTT.md` asks of one.
//!
//! It has no sound and no lights: what it would play or show is told to the test. It shares no
//! code with what it checks.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::signature::{ED25519, UnparsedPublicKey};
use rumqttc::v5::{
    AsyncClient, Event, MqttOptions,
    mqttbytes::{
        QoS,
        v5::{LastWill, Packet},
    },
};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::AbortHandle};

/// What a device does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// It listens.
    Ready,
    /// It speaks a text, so often.
    Played(String, u64),
    /// It shows a text, for this alert.
    Shown(String, String),
    /// It stops what it played or showed of this alert.
    Cleared(String),
    /// It has had this delivery, and does nothing but say so again.
    Repeated,
    /// It does nothing, and says nothing: `head`, `key`, `signature`, `payload`, `to`.
    Distrusted(&'static str),
    /// It does nothing, and says so: `expired`, `overtaken`, `broken`.
    Declined(&'static str),
}

/// The device; gone without a word when dropped.
pub struct Device {
    /// What it does, in order.
    pub deeds: mpsc::UnboundedReceiver<Deed>,
    /// Its clock, in Unix seconds.
    pub now_s: Arc<AtomicI64>,
    /// Whether its loudspeaker or its lights are broken.
    pub is_broken: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Inside {
    /// `vn/<commune>/<device>`.
    to: String,
    key_id: String,
    key: Vec<u8>,
    client: AsyncClient,
    tell: mpsc::UnboundedSender<Deed>,
    now_s: Arc<AtomicI64>,
    is_broken: Arc<AtomicBool>,
    known: BTreeSet<String>,
    revisions: BTreeMap<String, u64>,
}

impl Device {
    /// Connects to a broker as `to` (`vn/<commune>/<device>`), and trusts one key.
    #[must_use]
    pub fn start(broker: SocketAddr, to: &str, key_id: &str, key: &str, now_s: i64) -> Self {
        let id = to.replace('/', "-");
        let mut options = MqttOptions::new(id, broker.ip().to_string(), broker.port());
        options.set_keep_alive(Duration::from_secs(60));
        let status = format!("{to}/status");
        options.set_last_will(LastWill::new(status, "offline", QoS::AtLeastOnce, true, None));
        // The profile asks a device to take as much.
        options.set_max_packet_size(Some(40 * 1024));
        let (client, events) = AsyncClient::new(options, 64);
        let (tell, deeds) = mpsc::unbounded_channel();
        let now_s = Arc::new(AtomicI64::new(now_s));
        let is_broken = Arc::new(AtomicBool::new(false));
        let inside = Inside {
            to: to.to_owned(),
            key_id: key_id.to_owned(),
            key: BASE64_STANDARD.decode(key).unwrap_or_default(),
            client,
            tell,
            now_s: Arc::clone(&now_s),
            is_broken: Arc::clone(&is_broken),
            known: BTreeSet::new(),
            revisions: BTreeMap::new(),
        };
        let task = tokio::spawn(inside.run(events)).abort_handle();
        Self { deeds, now_s, is_broken, task }
    }

    /// What it does next; `None` where nothing comes within ten seconds.
    pub async fn next(&mut self) -> Option<Deed> {
        tokio::time::timeout(Duration::from_secs(10), self.deeds.recv()).await.ok().flatten()
    }
}

impl Inside {
    async fn run(mut self, mut events: rumqttc::v5::EventLoop) {
        while let Ok(event) = events.poll().await {
            match event {
                Event::Incoming(Packet::ConnAck(_)) => {
                    let own = [format!("{}/cmd", self.to), format!("{}/list/+", self.to)];
                    let filters = own.map(|path| {
                        rumqttc::v5::mqttbytes::v5::Filter::new(path, QoS::AtLeastOnce)
                    });
                    let _ = self.client.try_subscribe_many(filters);
                }
                Event::Incoming(Packet::SubAck(_)) => self.tell(Deed::Ready),
                Event::Incoming(Packet::Publish(publish)) => {
                    let deed = self.obey(&publish.payload);
                    self.tell(deed);
                }
                _ => {}
            }
        }
    }

    fn tell(&self, deed: Deed) {
        let _ = self.tell.send(deed);
    }

    /// In the order of the profile: nothing is parsed that is not signed.
    fn obey(&mut self, bytes: &[u8]) -> Deed {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return Deed::Distrusted("head");
        };
        let (head, payload) = bytes.split_at(end);
        let payload = payload.strip_prefix(b"\n").unwrap_or_default();
        let head = std::str::from_utf8(head).unwrap_or_default();
        let words: Vec<&str> = head.split(' ').collect();
        let ["keng-mqtt-1", key_id, signature] = words.as_slice() else {
            return Deed::Distrusted("head");
        };
        if **key_id != self.key_id {
            return Deed::Distrusted("key");
        }
        let signature = BASE64_STANDARD.decode(signature).unwrap_or_default();
        if UnparsedPublicKey::new(&ED25519, &self.key).verify(payload, &signature).is_err() {
            return Deed::Distrusted("signature");
        }
        let Ok(command) = serde_json::from_slice::<Value>(payload) else {
            return Deed::Distrusted("payload");
        };
        self.act(&command)
    }

    fn act(&mut self, command: &Value) -> Deed {
        let word = |name: &str| command.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| command.get(name).and_then(Value::as_i64).unwrap_or_default();
        if word("to") != self.to || number("v") != 1 {
            return Deed::Distrusted("to");
        }
        let (delivery, alert) = (word("delivery").to_owned(), word("alert").to_owned());
        let revision = u64::try_from(number("revision")).unwrap_or_default();
        if self.known.contains(&delivery) {
            self.answer(command, "done");
            return Deed::Repeated;
        }
        if number("valid_to") <= self.now_s.load(Ordering::SeqCst) {
            self.answer(command, "failed");
            return Deed::Declined("expired");
        }
        if self.revisions.get(&alert).is_some_and(|known| *known > revision) {
            self.answer(command, "failed");
            return Deed::Declined("overtaken");
        }
        self.answer(command, "received");
        if self.is_broken.load(Ordering::SeqCst) {
            self.answer(command, "failed");
            return Deed::Declined("broken");
        }
        self.known.insert(delivery);
        self.revisions.insert(alert.clone(), revision);
        let text = word("text").to_owned();
        let deed = match word("op") {
            "play" => {
                self.answer(command, "playing");
                Deed::Played(text, u64::try_from(number("repeat")).unwrap_or_default())
            }
            "show" => Deed::Shown(alert, text),
            _ => Deed::Cleared(alert),
        };
        self.answer(command, "done");
        deed
    }

    fn answer(&self, command: &Value, state: &str) {
        let answer = json!({
            "delivery": command.get("delivery"),
            "proof": command.get("proof"),
            "state": state,
            "firmware": "a field that nobody knows",
        });
        let topic = format!("{}/ack", self.to);
        let _ = self.client.try_publish(topic, QoS::AtLeastOnce, false, answer.to_string());
    }
}
