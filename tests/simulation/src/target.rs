//! The targets: an HTTP sink on the loopback where every group is called, which answers as its
//! seed has it, and writes down who was called when.
//!
//! Just enough of HTTP/1.1 for one request a connection; a whole server would cost more than all
//! that is simulated.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    time::{Instant, sleep},
};

use crate::{
    broker::Broker,
    chance::Chance,
    faults::{Fault, Faults, Mutation},
    time::Stillness,
};

const REQUEST_BYTES_MAX: usize = 64 << 10;

/// One call, as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Since the history began, in milliseconds of virtual time.
    pub at_ms: u128,
    /// The group.
    pub group: String,
    /// The delivery's id: alert, revision, group and channel.
    pub delivery: String,
    /// The alert.
    pub alert: String,
    /// The revision.
    pub revision: u64,
    /// What the target made of it.
    pub answer: Answer,
}

/// What a target makes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 204.
    Taken,
    /// This status.
    Status(u16),
    /// 503, and a wish for so many seconds.
    Busy(u64),
    /// Nothing: the connection is closed.
    Closed,
    /// Nothing, ever.
    Hung,
    /// 204, after so many milliseconds.
    Slow(u64),
}

struct Shared {
    broker: Arc<Broker>,
    faults: Faults,
    chance: Chance,
    stillness: Arc<Stillness>,
    began: Instant,
    mutation: Option<Mutation>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    arrivals: Vec<Arrival>,
    wrong: Vec<String>,
    /// Groups whose targets are ill for as long as there are faults.
    ill: BTreeSet<String>,
}

/// See the module.
pub struct Targets {
    shared: Arc<Shared>,
    address: SocketAddr,
    down: Option<TcpSocket>,
    down_address: SocketAddr,
}

impl Targets {
    /// Starts on a free port of the loopback, with a second one that refuses connections.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(
        seed: u64,
        broker: &Arc<Broker>,
        faults: &Faults,
        stillness: &Arc<Stillness>,
        mutation: Option<Mutation>,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port")?;
        let address = listener.local_addr()?;
        let down = TcpSocket::new_v4()?;
        down.bind("127.0.0.1:0".parse()?)?;
        let down_address = down.local_addr()?;
        let shared = Arc::new(Shared {
            broker: Arc::clone(broker),
            faults: faults.clone(),
            chance: Chance::of(seed, "targets"),
            stillness: Arc::clone(stillness),
            began: Instant::now(),
            mutation,
            seen: Mutex::default(),
        });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, address, down: Some(down), down_address })
    }

    /// The URL of a group.
    #[must_use]
    pub fn url(&self, group: &str) -> String {
        format!("http://{}/g/{group}", self.address)
    }

    /// The URL of a group whose target is down while there are faults.
    #[must_use]
    pub fn down_url(&self, group: &str) -> String {
        format!("http://{}/g/{group}", self.down_address)
    }

    /// What was down comes up.
    ///
    /// # Errors
    /// It does not.
    pub fn come_up(&mut self) -> Result<()> {
        if let Some(down) = self.down.take() {
            tokio::spawn(accept(down.listen(128)?, Arc::clone(&self.shared)));
        }
        Ok(())
    }

    /// The target of this group is ill for as long as there are faults.
    pub fn sicken(&self, group: &str) {
        self.shared.seen().ill.insert(group.to_owned());
    }

    /// Every call, in the order in which they arrived.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.shared.seen().arrivals.clone()
    }

    /// How many calls there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.seen().arrivals.len()
    }

    /// What was wrong with calls when they arrived.
    #[must_use]
    pub fn wrong(&self) -> Vec<String> {
        self.shared.seen().wrong.clone()
    }
}

/// Ends with the runtime.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(serve(connection, Arc::clone(&shared)));
    }
}

async fn serve(mut connection: TcpStream, shared: Arc<Shared>) {
    let under_way = shared.stillness.under_way();
    // So that thousands of histories leave no connections behind.
    let _ = connection.set_zero_linger();
    let _ = connection.set_nodelay(true);
    let Some(request) = read(&mut connection).await else { return };
    let answer = shared.arrived(&request);
    let (text, under_way) = match answer {
        Answer::Taken => (status(204, ""), under_way),
        Answer::Status(code) => (status(code, ""), under_way),
        Answer::Busy(after_s) => (status(503, &format!("retry-after: {after_s}\r\n")), under_way),
        Answer::Closed => return,
        Answer::Hung => {
            drop(under_way);
            let _ = connection.read(&mut [0; 16]).await;
            return;
        }
        Answer::Slow(ms) => {
            drop(under_way);
            let mut rest = [0; 16];
            let gone = tokio::select! {
                biased;
                _ = connection.read(&mut rest) => true,
                () = sleep(Duration::from_millis(ms)) => false,
            };
            if gone {
                return;
            }
            (status(204, ""), shared.stillness.under_way())
        }
    };
    if connection.write_all(text.as_bytes()).await.is_ok() {
        // The caller closes when it has read the answer: then nothing is on its way any more.
        let _ = connection.read(&mut [0; 16]).await;
    }
    drop(under_way);
}

fn status(code: u16, more: &str) -> String {
    let length = if code == 204 { "" } else { "content-length: 0\r\n" };
    format!("HTTP/1.1 {code} -\r\n{length}{more}connection: close\r\n\r\n")
}

/// The head of a request whose body has been read, too.
async fn read(connection: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::with_capacity(4 << 10);
    loop {
        if connection.read_buf(&mut bytes).await.ok()? == 0 || bytes.len() > REQUEST_BYTES_MAX {
            return None;
        }
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end else { continue };
        let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
        let length: usize = header(&head, "content-length").parse().unwrap_or(0);
        if bytes.len() >= end + 4 + length {
            return Some(head);
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the call down, and says what becomes of it.
    fn arrived(&self, head: &str) -> Answer {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let mut group = path.trim_start_matches("/g/").to_owned();
        let delivery = header(head, "webhook-id").to_owned();
        let mut parts = delivery.split(':');
        let alert = parts.next().unwrap_or_default().to_owned();
        let revision = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        let answer = self.answer(&group);
        let mut seen = self.seen();
        if let Err(why) = self.broker.intended(&delivery) {
            seen.wrong.push(why);
        }
        if self.mutation == Some(Mutation::ExerciseLeaks) {
            "g-1".clone_into(&mut group);
        }
        let at_ms = self.began.elapsed().as_millis();
        let arrival = Arrival { at_ms, group, delivery, alert, revision, answer };
        let last = seen.arrivals.iter().rposition(|before| {
            (&before.alert, &before.group) == (&arrival.alert, &arrival.group)
                && before.revision < arrival.revision
        });
        match (self.mutation, last) {
            (Some(Mutation::CancelFirst), Some(last)) => seen.arrivals.insert(last, arrival),
            (Some(Mutation::SwallowedEnd), Some(_)) => {}
            _ => seen.arrivals.push(arrival),
        }
        answer
    }

    fn answer(&self, group: &str) -> Answer {
        let ill = self.faults.now(Fault::SickTargets) && self.seen().ill.contains(group);
        if !ill {
            return Answer::Taken;
        }
        match self.chance.below(12) {
            0..=2 => Answer::Status(500),
            3 => Answer::Busy(self.chance.between(1, 40)),
            4 | 5 => Answer::Closed,
            6 => Answer::Hung,
            7 | 8 => Answer::Slow(self.chance.between(20, 12_000)),
            _ => Answer::Taken,
        }
    }
}
