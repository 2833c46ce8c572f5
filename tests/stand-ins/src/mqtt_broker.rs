//! A broker of MQTT 5: connections, subscriptions, retained messages, wills, QoS 1.
//!
//! It speaks by rumqttc's public codec. No sessions beyond a connection, no QoS 2, no shared
//! subscriptions, no access control: a test says what it refuses. Source: MQTT 5.0 (OASIS, 2019).

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use rumqttc::{
    tokio_rustls::TlsAcceptor,
    v5::mqttbytes::{
        Error, QoS, matches,
        v5::{
            ConnAck, ConnAckProperties, ConnectReturnCode, LastWill, Login, Packet, PingResp,
            PubAck, PubAckReason, Publish, PublishProperties, RetainForwardRule, SubAck, Subscribe,
            SubscribeReasonCode,
        },
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::{Mutex as Turn, mpsc},
    task::{AbortHandle, JoinSet},
};

/// How the next connection is met.
#[derive(Debug, Clone)]
pub enum Welcome {
    /// Taken.
    Taken,
    /// Taken, with these promises.
    Promised(Box<ConnAckProperties>),
    /// Refused, with a reason.
    Refused(ConnectReturnCode),
    /// Closed without a word.
    Cut,
    /// Taken, and each subscription is refused.
    Deaf,
}

/// How the next message is met.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    /// As it should be: passed on and acknowledged, saying whether anybody listens.
    Taken,
    /// Not passed on; acknowledged with a reason.
    Refused(PubAckReason),
    /// Passed on, and the connection closed before it is acknowledged.
    CutWhenTaken,
    /// Passed on, and never acknowledged.
    Unanswered,
}

/// What the broker saw.
#[derive(Debug, Clone)]
pub enum Seen {
    /// A connection, taken or not.
    Connected {
        /// The client's id.
        client_id: String,
        /// User and password.
        login: Option<Login>,
        /// Whether it begins without a session.
        clean_start: bool,
    },
    /// A subscription.
    Subscribed(Vec<String>),
    /// A message from a client.
    Published(Publish),
    /// A client has acknowledged a message.
    Acknowledged,
    /// A connection is over.
    Left {
        /// With a goodbye.
        politely: bool,
    },
}

/// The broker; stops when dropped.
pub struct Broker {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    seen: Turn<mpsc::UnboundedReceiver<Seen>>,
    server: AbortHandle,
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A packet to write; `None`: the connection is to be cut.
type Order = Option<Packet>;

struct Session {
    filters: Vec<String>,
    out: mpsc::UnboundedSender<Order>,
    last: Option<Publish>,
    next_id: u16,
}

#[derive(Default)]
struct State {
    welcomes: VecDeque<Welcome>,
    replies: VecDeque<Reply>,
    sessions: BTreeMap<u64, Session>,
    retained: BTreeMap<String, (Publish, Option<Instant>)>,
    joined: u64,
}

struct Shared {
    state: Mutex<State>,
    seen: mpsc::UnboundedSender<Seen>,
}

impl Broker {
    /// On a free port of the loopback.
    ///
    /// # Errors
    /// There is no port.
    pub async fn start() -> io::Result<Self> {
        Self::open("127.0.0.1:0", None).await
    }

    /// With TLS.
    ///
    /// # Errors
    /// There is no port.
    pub async fn start_with_tls(tls: TlsAcceptor) -> io::Result<Self> {
        Self::open("127.0.0.1:0", Some(tls)).await
    }

    /// Where another has been, and is no more.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        Self::open(&address.to_string(), None).await
    }

    async fn open(address: &str, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (tell, seen) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { state: Mutex::default(), seen: tell });
        let server = tokio::spawn(listen(listener, tls, Arc::clone(&shared))).abort_handle();
        Ok(Self { address, shared, seen: Turn::new(seen), server })
    }

    /// How the next connections are met, in this order; then they are taken.
    pub fn welcome(&self, next: impl IntoIterator<Item = Welcome>) {
        self.shared.state().welcomes.extend(next);
    }

    /// How the next messages are met, in this order; then they are taken.
    pub fn reply(&self, next: impl IntoIterator<Item = Reply>) {
        self.shared.state().replies.extend(next);
    }

    /// Waits for something, and drops what came before it.
    ///
    /// # Errors
    /// Nothing comes within ten seconds.
    pub async fn until<T>(&self, pick: impl Fn(Seen) -> Option<T>) -> io::Result<T> {
        let mut seen = self.seen.lock().await;
        let looking = async {
            loop {
                let next = seen.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
                if let Some(found) = pick(next) {
                    return Ok(found);
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), looking).await?
    }

    /// The next message from a client.
    ///
    /// # Errors
    /// None comes.
    pub async fn published(&self) -> io::Result<Publish> {
        self.until(|seen| match seen {
            Seen::Published(publish) => Some(publish),
            _ => None,
        })
        .await
    }

    /// A message from somebody else.
    pub fn publish(&self, topic: &str, payload: impl Into<Bytes>) {
        let publish = Publish::new(topic, QoS::AtLeastOnce, payload, None);
        self.shared.state().pass_on(&publish);
    }

    /// The last message to each client once more, as after an acknowledgement that got lost.
    pub fn redeliver(&self) {
        for session in self.shared.state().sessions.values() {
            if let Some(last) = &session.last {
                let again = Publish { dup: true, ..last.clone() };
                let _ = session.out.send(Some(Packet::Publish(again)));
            }
        }
    }

    /// Closes every connection, without a word.
    pub fn cut_all(&self) {
        for session in self.shared.state().sessions.values() {
            let _ = session.out.send(None);
        }
    }

    /// What is retained, by topic.
    #[must_use]
    pub fn retained(&self) -> BTreeMap<String, Publish> {
        let state = self.shared.state();
        state.retained.iter().map(|(topic, (kept, _))| (topic.clone(), kept.clone())).collect()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, seen: Seen) {
        // Nobody looks where the broker is being dropped.
        let _ = self.seen.send(seen);
    }

    /// What a packet is answered with; `false` where the connection is to be closed.
    fn taken(&self, session: u64, packet: Packet, is_deaf: bool) -> (Option<Packet>, bool) {
        match packet {
            Packet::Publish(publish) => {
                let (ack, stays) = self.published(&publish);
                (ack, stays)
            }
            Packet::Subscribe(subscribe) => {
                let mut state = self.state();
                let suback = state.subscribed(session, &subscribe, is_deaf);
                drop(state);
                let paths = subscribe.filters.into_iter().map(|filter| filter.path).collect();
                self.tell(Seen::Subscribed(paths));
                (Some(Packet::SubAck(suback)), true)
            }
            Packet::PubAck(_) => {
                self.tell(Seen::Acknowledged);
                (None, true)
            }
            Packet::PingReq(_) => (Some(Packet::PingResp(PingResp)), true),
            _ => (None, false),
        }
    }

    fn published(&self, publish: &Publish) -> (Option<Packet>, bool) {
        let mut state = self.state();
        let reply = state.replies.pop_front().unwrap_or(Reply::Taken);
        let reason = match reply {
            Reply::Refused(reason) => reason,
            _ if state.pass_on(publish) => PubAckReason::Success,
            _ => PubAckReason::NoMatchingSubscribers,
        };
        drop(state);
        self.tell(Seen::Published(publish.clone()));
        let ack = Packet::PubAck(PubAck { pkid: publish.pkid, reason, properties: None });
        match reply {
            Reply::CutWhenTaken => (None, false),
            Reply::Unanswered => (None, true),
            _ => (Some(ack).filter(|_| publish.qos == QoS::AtLeastOnce), true),
        }
    }
}

impl State {
    /// To all who listen; whether there was anybody.
    fn pass_on(&mut self, publish: &Publish) -> bool {
        let Ok(topic) = std::str::from_utf8(&publish.topic) else { return false };
        let mut any = false;
        for session in self.sessions.values_mut() {
            if session.filters.iter().any(|filter| matches(topic, filter)) {
                any = true;
                session.give(Publish { retain: false, ..publish.clone() });
            }
        }
        if publish.retain && publish.payload.is_empty() {
            self.retained.remove(topic);
        } else if publish.retain {
            let properties = publish.properties.as_ref();
            let left = properties.and_then(|properties| properties.message_expiry_interval);
            let until = left.map(|s| Instant::now() + Duration::from_secs(s.into()));
            self.retained.insert(topic.to_owned(), (publish.clone(), until));
        }
        any
    }

    fn subscribed(&mut self, session: u64, subscribe: &Subscribe, is_deaf: bool) -> SubAck {
        let code = if is_deaf {
            SubscribeReasonCode::NotAuthorized
        } else {
            SubscribeReasonCode::Success(QoS::AtLeastOnce)
        };
        let now = Instant::now();
        self.retained.retain(|_, (_, until)| until.is_none_or(|until| until > now));
        if let Some(session) = self.sessions.get_mut(&session).filter(|_| !is_deaf) {
            for filter in &subscribe.filters {
                session.filters.push(filter.path.clone());
                if filter.retain_forward_rule == RetainForwardRule::Never {
                    continue;
                }
                for (topic, (kept, until)) in &self.retained {
                    if matches(topic, &filter.path) {
                        session.give(with_left(kept, *until, now));
                    }
                }
            }
        }
        let return_codes = vec![code; subscribe.filters.len()];
        SubAck { pkid: subscribe.pkid, return_codes, properties: None }
    }
}

impl Session {
    fn give(&mut self, publish: Publish) {
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        let publish = Publish { pkid: self.next_id, dup: false, ..publish };
        self.last = Some(publish.clone());
        let _ = self.out.send(Some(Packet::Publish(publish)));
    }
}

/// MQTT 5.0, section 3.3.2.3.3: what is passed on says how long is left.
fn with_left(kept: &Publish, until: Option<Instant>, now: Instant) -> Publish {
    let left = until.map(|until| until.saturating_duration_since(now).as_secs());
    let left = left.and_then(|left| u32::try_from(left).ok());
    let properties = PublishProperties {
        message_expiry_interval: left,
        ..kept.properties.clone().unwrap_or_default()
    };
    Publish { properties: Some(properties), ..kept.clone() }
}

async fn listen(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        connections.spawn(async move {
            match tls {
                None => serve(stream, &shared).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, &shared).await,
                    Err(_) => shared.tell(Seen::Left { politely: false }),
                },
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite, shared: &Shared) {
    let (mut from, mut to) = tokio::io::split(stream);
    let mut read = BytesMut::new();
    let Ok(Some(Packet::Connect(connect, will, login))) = next(&mut from, &mut read).await else {
        return shared.tell(Seen::Left { politely: false });
    };
    let welcome = shared.state().welcomes.pop_front().unwrap_or(Welcome::Taken);
    let (client_id, clean_start) = (connect.client_id, connect.clean_start);
    shared.tell(Seen::Connected { client_id, login, clean_start });
    let (code, properties) = match &welcome {
        Welcome::Cut => return,
        Welcome::Refused(code) => (*code, None),
        Welcome::Promised(promises) => (ConnectReturnCode::Success, Some((**promises).clone())),
        Welcome::Taken | Welcome::Deaf => (ConnectReturnCode::Success, None),
    };
    let connack = Packet::ConnAck(ConnAck { session_present: false, code, properties });
    if write(&mut to, &connack).await.is_err() || code != ConnectReturnCode::Success {
        return;
    }
    let (out, mut orders) = mpsc::unbounded_channel();
    let session = {
        let mut state = shared.state();
        state.joined += 1;
        let session = state.joined;
        let new = Session { filters: vec![], out, last: None, next_id: 0 };
        state.sessions.insert(session, new);
        session
    };
    let is_deaf = matches!(welcome, Welcome::Deaf);
    let mut politely = false;
    loop {
        let (answer, stays) = tokio::select! {
            packet = next(&mut from, &mut read) => match packet {
                Ok(Some(packet)) => shared.taken(session, packet, is_deaf),
                Ok(None) => { politely = true; (None, false) }
                Err(_) => (None, false),
            },
            order = orders.recv() => match order {
                Some(Some(packet)) => (Some(packet), true),
                Some(None) | None => (None, false),
            },
        };
        let written = match answer {
            Some(answer) => write(&mut to, &answer).await.is_ok(),
            None => true,
        };
        if !written || !stays {
            break;
        }
    }
    let mut state = shared.state();
    state.sessions.remove(&session);
    if let Some(LastWill { topic, message, retain, .. }) = will.filter(|_| !politely) {
        let properties = None;
        let mut will = Publish::new("", QoS::AtLeastOnce, message, properties);
        (will.topic, will.retain) = (topic, retain);
        state.pass_on(&will);
    }
    drop(state);
    shared.tell(Seen::Left { politely });
}

/// The next packet, `None` for a goodbye. May be dropped half-way: what was read stays in `read`.
async fn next(
    from: &mut (impl AsyncRead + Unpin),
    read: &mut BytesMut,
) -> io::Result<Option<Packet>> {
    loop {
        let is_goodbye = read.first().is_some_and(|first| first >> 4 == 14);
        match Packet::read(read, None) {
            Ok(Packet::Disconnect(_)) => return Ok(None),
            Ok(packet) => return Ok(Some(packet)),
            Err(Error::InsufficientBytes(_)) => {}
            // The codec has no DISCONNECT without a reason, which is the usual one.
            Err(Error::PayloadRequired) if is_goodbye => return Ok(None),
            Err(error) => return Err(io::Error::other(error.to_string())),
        }
        if from.read_buf(read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), packet: &Packet) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, None).map_err(|error| io::Error::other(error.to_string()))?;
    to.write_all(&bytes).await?;
    to.flush().await
}
