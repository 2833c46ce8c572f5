//! One connection to a broker, kept up by a task of its own, and what is known of each message.
//!
//! Nothing survives a connection: each has an event loop and a session of its own (clean start).
//! rumqttc would send again by itself what was not acknowledged; here that is dropped with the
//! loop, so that nothing leaves after its attempt was given up, or after its end.
//! A repeat is the desk's, as an attempt of its own, and devices know the delivery.

use std::{
    collections::{BTreeMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use ring::rand::{SecureRandom, SystemRandom};
use rumqttc::{
    Outgoing,
    v5::{
        AsyncClient, ConnectionError, Event, EventLoop, MqttOptions,
        mqttbytes::{
            QoS,
            v5::{
                ConnAck, ConnectReturnCode, Filter, Packet, PubAckReason, Publish,
                PublishProperties, RetainForwardRule, SubscribeReasonCode,
            },
        },
    },
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::profile::Message;
use crate::channels::{Inbound, Outcome};

/// Messages written and not yet acknowledged; the broker may allow fewer.
pub(super) const IN_FLIGHT_MAX: u16 = 256;
/// Answers of devices that are not yet handed over: the broker holds the others back.
pub(super) const UNTOLD_MAX: u16 = 256;
/// All that may wait for the event loop: every message in flight, every acknowledgement of an
/// answer, the subscription and the goodbye.
const REQUESTS_MAX: usize = IN_FLIGHT_MAX as usize + UNTOLD_MAX as usize + 2;
/// So much of a packet stands beside topic and payload, with room to spare.
const PACKET_HEAD_BYTES: usize = 64;
/// Name, TCP, TLS and the broker's welcome.
pub(super) const CONNECT_S_MAX: u64 = 5;
/// Who does not answer a subscription is not there.
const SUBSCRIBE_MS_MAX: u64 = 3_000;
/// A goodbye takes no longer.
const GOODBYE_MS_MAX: u64 = 1_000;
/// The shortest that rumqttc takes.
const KEEP_ALIVE_S_MIN: u64 = 5;

/// How patient a connection is. In milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// The widest pause after the first failure; it doubles with each.
    pub(super) first_pause_ms: u64,
    /// The widest pause of all. Who was connected for so long begins anew.
    pub(super) pause_ms_max: u64,
    /// A broker acknowledges in order: whoever owes one for so long owes all that follow.
    pub(super) owed_ms_max: u64,
    /// A connection on which nothing moves for so long, not even a ping, is stuck.
    pub(super) still_ms_max: u64,
}

impl Pace {
    /// The widest pause after so many failures in a row.
    fn pause_ms(&self, failures: u32) -> u64 {
        let widest = self.first_pause_ms.saturating_mul(1 << failures.saturating_sub(1).min(20));
        widest.min(self.pause_ms_max)
    }
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// Nothing was written: `connect`, `tls`, `busy`, `reset`.
    NotSent(&'static str),
    /// It may have been: `timeout`, `reset`.
    MayBeSent(&'static str),
    /// The broker does not want us, or cannot what is needed: somebody must act.
    Down(&'static str),
    /// The broker takes no packet of this length.
    TooLong,
}

impl From<NotTaken> for Outcome {
    fn from(not: NotTaken) -> Self {
        match not {
            NotTaken::NotSent(why) => Self::Retry { after_s: None, why },
            NotTaken::MayBeSent(why) => Self::Unknown { after_s: None, why },
            NotTaken::Down(code) => Self::ChannelDown { code: code.into() },
            NotTaken::TooLong => Self::Permanent { code: "too-long".into() },
        }
    }
}

/// No runtime for the connection's task.
#[derive(Debug)]
pub(super) struct NoRuntime;

#[derive(Clone)]
enum State {
    /// A connection is being made; within [`CONNECT_S_MAX`] and [`SUBSCRIBE_MS_MAX`] it is or is
    /// not.
    Connecting,
    Up(Arc<Line>),
    /// Between two tries.
    Down(NotTaken),
}

/// How a connection is made.
pub(super) struct Dial {
    /// Broker, user, TLS.
    pub(super) options: MqttOptions,
    /// Where devices answer.
    pub(super) answers: String,
    /// How patient it is.
    pub(super) pace: Pace,
    /// Whose it is, for traces.
    pub(super) account: Arc<str>,
}

/// What an answer of a device says.
pub(super) type Read = Box<dyn Fn(&Publish) -> Inbound + Send + Sync>;
/// Where answers go, with the account's name.
pub(super) type Receipts = mpsc::Sender<(Arc<str>, Inbound)>;

/// The connection of one account. The task ends, politely, where this is dropped.
pub(super) struct Link {
    state: watch::Receiver<State>,
    _stop: DropGuard,
}

impl Link {
    /// Begins to connect.
    ///
    /// # Errors
    /// There is no runtime here.
    pub(super) fn open(dial: Dial, read: Read, receipts: Receipts) -> Result<Self, NoRuntime> {
        let runtime = Handle::try_current().map_err(|_| NoRuntime)?;
        let stop = CancellationToken::new();
        let (state, seen) = watch::channel(State::Connecting);
        let (told, untold) = mpsc::channel(UNTOLD_MAX.into());
        runtime.spawn(hand_over(Arc::clone(&dial.account), untold, receipts, stop.clone()));
        let keeper = Keeper { dial, state, read, told };
        runtime.spawn(keeper.run(stop.clone()));
        Ok(Self { state: seen, _stop: stop.drop_guard() })
    }

    /// One message, and the broker's word on it. Waits where a connection is just being made, and
    /// never for a pause between two tries.
    ///
    /// # Errors
    /// There is no word, by `until` at the latest; says what is known.
    pub(super) async fn publish(
        &self,
        message: &Message,
        until: Instant,
    ) -> Result<PubAckReason, NotTaken> {
        let line = self.line(until).await?;
        line.check(message)?;
        let place = timeout_at(until, Arc::clone(&line.places).acquire_owned()).await;
        let place = place.map_err(|_| NotTaken::NotSent("busy"))?;
        let place = place.map_err(|_| NotTaken::NotSent("reset"))?;
        let heard = line.begin(message, place)?;
        match timeout_at(until, heard).await {
            Ok(Ok(word)) => word,
            // Who would have told us is gone, and had it in hand.
            Ok(Err(_)) => Err(NotTaken::MayBeSent("reset")),
            Err(_) => Err(NotTaken::MayBeSent("timeout")),
        }
    }

    /// That messages would be taken now, and whether answers are heard.
    ///
    /// # Errors
    /// Why none would be.
    pub(super) fn probe(&self) -> Result<bool, NotTaken> {
        match &*self.state.borrow() {
            State::Up(line) => Ok(line.flight().hears),
            State::Connecting => Err(NotTaken::NotSent("connect")),
            State::Down(why) => Err(*why),
        }
    }

    async fn line(&self, until: Instant) -> Result<Arc<Line>, NotTaken> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, State::Connecting));
        match timeout_at(until, settled).await {
            Ok(Ok(state)) => match &*state {
                State::Up(line) => Ok(Arc::clone(line)),
                State::Down(why) => Err(*why),
                State::Connecting => Err(NotTaken::NotSent("connect")),
            },
            Ok(Err(_)) | Err(_) => Err(NotTaken::NotSent("connect")),
        }
    }
}

/// One connection while it lasts.
struct Line {
    client: AsyncClient,
    /// As many as the broker lets be under way.
    places: Arc<Semaphore>,
    keeps: bool,
    packet_bytes_max: usize,
    flight: Mutex<Flight>,
}

/// Who waits for a word of the broker.
#[derive(Default)]
struct Flight {
    /// In the order in which the event loop takes them; not yet written.
    queued: VecDeque<Waiting>,
    /// By the packet id under which they were written, with when.
    written: BTreeMap<u16, (Instant, Waiting)>,
    /// The connection is over: nothing more is taken.
    is_over: bool,
    /// Whether answers of devices come in.
    hears: bool,
}

/// The place is free again where the broker has spoken, and not where we stopped to listen.
struct Waiting {
    word: oneshot::Sender<Result<PubAckReason, NotTaken>>,
    _place: OwnedSemaphorePermit,
}

impl Line {
    fn of(client: AsyncClient, connack: &ConnAck) -> Self {
        let promised = connack.properties.as_ref();
        let places = promised.and_then(|promised| promised.receive_max).unwrap_or(u16::MAX);
        let packet_bytes_max = promised.and_then(|promised| promised.max_packet_size);
        Self {
            client,
            places: Arc::new(Semaphore::new(places.clamp(1, IN_FLIGHT_MAX).into())),
            keeps: promised.and_then(|promised| promised.retain_available) != Some(0),
            packet_bytes_max: packet_bytes_max
                .and_then(|bytes| usize::try_from(bytes).ok())
                .unwrap_or(usize::MAX),
            flight: Mutex::default(),
        }
    }

    fn flight(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the broker would close the connection for, with all that is under way on it.
    fn check(&self, message: &Message) -> Result<(), NotTaken> {
        if message.is_kept && !self.keeps {
            return Err(NotTaken::Down("keeps-nothing"));
        }
        let bytes = message.topic.len() + message.payload.len() + PACKET_HEAD_BYTES;
        if bytes > self.packet_bytes_max { Err(NotTaken::TooLong) } else { Ok(()) }
    }

    /// Gives a message to the event loop. One lock over both, so that the order in which the loop
    /// takes them is the order in which they stand here: rumqttc names no message, only packets.
    fn begin(
        &self,
        message: &Message,
        place: OwnedSemaphorePermit,
    ) -> Result<oneshot::Receiver<Result<PubAckReason, NotTaken>>, NotTaken> {
        let properties = PublishProperties {
            message_expiry_interval: Some(message.expiry_s),
            ..PublishProperties::default()
        };
        let (word, heard) = oneshot::channel();
        let mut flight = self.flight();
        if flight.is_over {
            return Err(NotTaken::NotSent("reset"));
        }
        self.client
            .try_publish_with_properties(
                message.topic.as_str(),
                QoS::AtLeastOnce,
                message.is_kept,
                message.payload.clone(),
                properties,
            )
            .map_err(|_| NotTaken::NotSent("busy"))?;
        flight.queued.push_back(Waiting { word, _place: place });
        Ok(heard)
    }

    /// What an event says about messages.
    fn note(&self, event: &Event) {
        let mut flight = self.flight();
        match event {
            Event::Outgoing(Outgoing::Publish(packet)) => {
                if let Some(waiting) = flight.queued.pop_front() {
                    flight.written.insert(*packet, (Instant::now(), waiting));
                }
            }
            Event::Incoming(Packet::PubAck(ack)) => {
                if let Some((_, waiting)) = flight.written.remove(&ack.pkid) {
                    // Nobody listens where the attempt is over.
                    let _ = waiting.word.send(Ok(ack.reason));
                }
            }
            _ => {}
        }
    }

    /// When the oldest acknowledgement is owed for too long.
    fn owed_until(&self, pace: &Pace) -> Option<Instant> {
        let flight = self.flight();
        let oldest = flight.written.values().map(|(written, _)| *written).min();
        oldest.map(|written| written + Duration::from_millis(pace.owed_ms_max))
    }

    /// The connection is over, and its event loop dropped: what it had not written is not sent.
    fn close(&self) {
        let mut flight = self.flight();
        flight.is_over = true;
        for waiting in std::mem::take(&mut flight.queued) {
            let _ = waiting.word.send(Err(NotTaken::NotSent("reset")));
        }
        for (_, waiting) in std::mem::take(&mut flight.written).into_values() {
            let _ = waiting.word.send(Err(NotTaken::MayBeSent("reset")));
        }
        self.places.close();
    }
}

/// An answer, and how it is acknowledged once it is handed over.
type Told = (Inbound, Publish, AsyncClient);

struct Keeper {
    dial: Dial,
    state: watch::Sender<State>,
    read: Read,
    told: mpsc::Sender<Told>,
}

impl Keeper {
    async fn run(self, stop: CancellationToken) {
        let pace = self.dial.pace;
        let mut failures = 0;
        loop {
            self.state.send_replace(State::Connecting);
            let options = self.dial.options.clone();
            let (client, mut events) = AsyncClient::new(options, REQUESTS_MAX);
            let began = Instant::now();
            // A fault of the library must not leave an account silent until a restart.
            let living = AssertUnwindSafe(self.live(&client, &mut events)).catch_unwind();
            let lost = tokio::select! {
                lost = living => Some(lost.unwrap_or(NotTaken::NotSent("fault"))),
                () = stop.cancelled() => None,
            };
            let Some(lost) = lost else {
                if matches!(*self.state.borrow(), State::Up(_)) {
                    say_goodbye(&client, &mut events).await;
                }
                return;
            };
            let was = self.state.send_replace(State::Down(lost));
            if let State::Up(line) = was {
                // What was handled, and not yet told to us, when the connection broke.
                events.state.events.drain(..).for_each(|event| line.note(&event));
                drop(events);
                line.close();
            }
            let lasted = began.elapsed() >= Duration::from_millis(pace.pause_ms_max);
            failures = if lasted { 1 } else { failures + 1 };
            tracing::warn!(account = %self.dial.account, ?lost, failures, "no connection to MQTT");
            let pause = Duration::from_millis(at_random(pace.pause_ms(failures)));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// One connection, from its beginning to its end; says why it ended, or never began.
    async fn live(&self, client: &AsyncClient, events: &mut EventLoop) -> NotTaken {
        let connack = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(connack))) => connack,
            Ok(_) => return NotTaken::NotSent("connect"),
            Err(error) => return why_not(&error),
        };
        // A broker that asks for less than rumqttc can would be pinged without a pause.
        if events.options.keep_alive().as_secs() < KEEP_ALIVE_S_MIN {
            events.options.set_keep_alive(Duration::from_secs(KEEP_ALIVE_S_MIN));
        }
        if connack.properties.as_ref().and_then(|promised| promised.max_qos) == Some(0) {
            return NotTaken::Down("no-qos-1");
        }
        let mut answers = Filter::new(self.dial.answers.as_str(), QoS::AtLeastOnce);
        // An answer that was kept is an old one.
        answers.retain_forward_rule = RetainForwardRule::Never;
        if client.try_subscribe_many([answers]).is_err() {
            return NotTaken::NotSent("connect");
        }
        let line = Arc::new(Line::of(client.clone(), &connack));
        let subscribed = Instant::now() + Duration::from_millis(SUBSCRIBE_MS_MAX);
        loop {
            let still = Instant::now() + Duration::from_millis(self.dial.pace.still_ms_max);
            let owed = match *self.state.borrow() {
                State::Up(_) => line.owed_until(&self.dial.pace).unwrap_or(still),
                _ => subscribed,
            };
            // A poll that is dropped half-way may lose a packet: it is dropped only with the
            // connection.
            match timeout_at(still.min(owed), events.poll()).await {
                Ok(Ok(event)) => self.see(&line, event),
                Ok(Err(_)) => return NotTaken::NotSent("reset"),
                Err(_) => return NotTaken::NotSent("stuck"),
            }
        }
    }

    fn see(&self, line: &Arc<Line>, event: Event) {
        line.note(&event);
        match event {
            // Nothing is sent before, so that no answer is missed.
            Event::Incoming(Packet::SubAck(suback)) => {
                let is_taken = |code: &_| matches!(code, SubscribeReasonCode::Success(_));
                let hears = suback.return_codes.iter().all(is_taken);
                line.flight().hears = hears;
                if !hears {
                    tracing::warn!(account = %self.dial.account, "MQTT: may not hear devices");
                }
                self.state.send_replace(State::Up(Arc::clone(line)));
            }
            Event::Incoming(Packet::Publish(answer)) => {
                let said = (self.read)(&answer);
                // There is room for all that a broker may send unacknowledged. What one sends
                // beyond that is lost: a receipt too few, never one too many.
                if self.told.try_send((said, answer, line.client.clone())).is_err() {
                    tracing::warn!(account = %self.dial.account, "MQTT: more than we take");
                }
            }
            _ => {}
        }
    }
}

/// Hands answers over, one after the other, and acknowledges each only then. Where nobody takes
/// them, the broker holds the others back (Receive Maximum): the event loop never waits, nothing
/// grows, and nothing is dropped.
async fn hand_over(
    account: Arc<str>,
    mut untold: mpsc::Receiver<Told>,
    receipts: Receipts,
    stop: CancellationToken,
) {
    let handing = async {
        while let Some((said, answer, client)) = untold.recv().await {
            // Fails where nobody records receipts any more: the process ends.
            let _ = receipts.send((Arc::clone(&account), said)).await;
            // Fails where the connection is over: then there is nobody to acknowledge it to.
            let _ = client.ack(&answer).await;
        }
    };
    tokio::select! { () = handing => {}, () = stop.cancelled() => {} }
}

/// So that the broker sees an end, and no accident.
async fn say_goodbye(client: &AsyncClient, events: &mut EventLoop) {
    if client.try_disconnect().is_err() {
        return;
    }
    let until = Instant::now() + Duration::from_millis(GOODBYE_MS_MAX);
    while let Ok(Ok(event)) = timeout_at(until, events.poll()).await {
        if event == Event::Outgoing(Outgoing::Disconnect) {
            return;
        }
    }
}

/// Why no connection came to be. The text of an error may hold what the broker wrote: it is looked
/// at, never shown.
fn why_not(error: &ConnectionError) -> NotTaken {
    use ConnectReturnCode as Code;
    match error {
        ConnectionError::Tls(_) => NotTaken::NotSent("tls"),
        ConnectionError::ConnectionRefused(code) => match code {
            Code::BadUserNamePassword | Code::NotAuthorized | Code::Banned => {
                NotTaken::Down("not-authorised")
            }
            Code::BadClientId | Code::ClientIdentifierNotValid => NotTaken::Down("client-id"),
            Code::RefusedProtocolVersion | Code::UnsupportedProtocolVersion => {
                NotTaken::Down("no-mqtt-5")
            }
            Code::BadAuthenticationMethod => NotTaken::Down("not-authorised"),
            Code::UseAnotherServer | Code::ServerMoved => NotTaken::Down("moved"),
            _ => NotTaken::NotSent("refused"),
        },
        _ => NotTaken::NotSent("connect"),
    }
}

/// Full jitter: anything from nothing to `most`, so that those who were cut off together do not
/// come back together.
fn at_random(most: u64) -> u64 {
    let mut bytes = [0; 8];
    // Without chance the pause is the widest.
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes) % most.saturating_add(1),
        Err(_) => most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_to_its_most_and_has_chance_in_it() {
        let pace =
            Pace { first_pause_ms: 1_000, pause_ms_max: 60_000, owed_ms_max: 1, still_ms_max: 1 };
        let pauses: Vec<_> = (1..9).map(|failures| pace.pause_ms(failures)).collect();
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(pace.pause_ms(u32::MAX), 60_000);
        let drawn: Vec<_> = (0..64).map(|_| at_random(1_000)).collect();
        assert!(drawn.iter().all(|pause| *pause <= 1_000));
        assert!(drawn.iter().any(|pause| *pause != drawn[0]));
        assert_eq!(at_random(0), 0);
    }
}
