//! A relay of mail (RFC 5321) in plain TCP: it lets in by AUTH PLAIN, takes messages, and refuses,
//! hangs or breaks off where a test says so. It passes nothing on, and knows no STARTTLS.

use std::{
    collections::{HashMap, VecDeque},
    future, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::{AbortHandle, JoinSet},
};

/// Where a dialogue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The connection is there.
    Greeting,
    /// AUTH.
    Login,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA, before a byte of the message.
    Data,
    /// The first line of the message.
    FirstLine,
    /// The final dot. What hangs or breaks off here has been taken.
    Dot,
}

/// What becomes of a step, instead of the usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// This code and text; at [`Step::FirstLine`] it does nothing. After 421 the connection ends.
    Answer(u16, &'static str),
    /// The connection ends without an answer.
    Cut,
    /// No answer comes.
    Hang,
}

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Letter {
    /// Who answers for it.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
    /// The message, without dots of the dialogue.
    pub data: String,
}

#[derive(Default)]
struct Desk {
    fates: HashMap<Step, VecDeque<Fate>>,
    letters: Vec<Letter>,
    connections: usize,
    /// Who is let in, by PLAIN; without, anybody.
    login: Option<String>,
}

type Shared = Arc<Mutex<Desk>>;

/// The stand-in; dropping it stops it.
pub struct Smtp {
    address: SocketAddr,
    desk: Shared,
    server: AbortHandle,
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Smtp {
    /// Starts one that lets in this user with this password only, or anybody.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn start(login: Option<(&str, &str)>) -> io::Result<Self> {
        let login = login.map(|(user, password)| format!("\0{user}\0{password}"));
        let desk = Arc::new(Mutex::new(Desk { login, ..Desk::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(serve(listener, Arc::clone(&desk))).abort_handle();
        Ok(Self { address, desk, server })
    }

    /// Where it is.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What becomes of this step when it is next come to; several wait one behind the other.
    pub fn next(&self, step: Step, fate: Fate) {
        desk(&self.desk, |desk| desk.fates.entry(step).or_default().push_back(fate));
    }

    /// What was taken.
    #[must_use]
    pub fn letters(&self) -> Vec<Letter> {
        desk(&self.desk, |desk| desk.letters.clone())
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> usize {
        desk(&self.desk, |desk| desk.connections)
    }
}

fn desk<T>(shared: &Shared, with: impl FnOnce(&mut Desk) -> T) -> T {
    with(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Every dialogue ends with the stand-in.
async fn serve(listener: TcpListener, shared: Shared) {
    let mut dialogues = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        desk(&shared, |desk| desk.connections += 1);
        let (read, write) = connection_halves(connection);
        let is_let_in = desk(&shared, |desk| desk.login.is_none());
        let letter = Letter::default();
        let dialogue = Dialogue { read, write, shared: Arc::clone(&shared), is_let_in, letter };
        dialogues.spawn(dialogue.run());
    }
}

fn connection_halves(connection: TcpStream) -> (BufReader<OwnedReadHalf>, OwnedWriteHalf) {
    let (read, write) = connection.into_split();
    (BufReader::new(read), write)
}

struct Dialogue {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    shared: Shared,
    is_let_in: bool,
    letter: Letter,
}

impl Dialogue {
    async fn run(mut self) -> io::Result<()> {
        if !self.step(Step::Greeting, "220 stand-in ESMTP").await? {
            return Ok(());
        }
        while let Some(line) = self.line().await? {
            let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            match word.as_str() {
                "EHLO" => self.say("250-stand-in\r\n250-8BITMIME\r\n250 AUTH PLAIN").await?,
                "AUTH" => self.login(&line).await?,
                "MAIL" if !self.is_let_in => self.say("530 5.7.0 log in first").await?,
                "MAIL" => {
                    if self.step(Step::Sender, "250 2.1.0 ok").await? {
                        self.letter = Letter { from: mailbox(&line), ..Letter::default() };
                    }
                }
                "RCPT" => {
                    if self.step(Step::Recipient, "250 2.1.5 ok").await? {
                        self.letter.to.push(mailbox(&line));
                    }
                }
                "DATA" if self.letter.to.is_empty() => self.say("503 5.5.1 no recipient").await?,
                "DATA" => {
                    if self.step(Step::Data, "354 go on").await? {
                        self.data().await?;
                    }
                }
                "RSET" => {
                    self.letter = Letter::default();
                    self.say("250 2.0.0 ok").await?;
                }
                "NOOP" => self.say("250 2.0.0 ok").await?,
                "QUIT" => return self.say("221 2.0.0 bye").await,
                _ => self.say("500 5.5.2 what?").await?,
            }
        }
        Ok(())
    }

    async fn login(&mut self, line: &str) -> io::Result<()> {
        let given = line.split(' ').nth(2).unwrap_or_default();
        let given = BASE64_STANDARD.decode(given).unwrap_or_default();
        let login = desk(&self.shared, |desk| desk.login.clone());
        if login.is_some_and(|login| login.as_bytes() != given) {
            return self.say("535 5.7.8 no").await;
        }
        self.is_let_in |= self.step(Step::Login, "235 2.7.0 ok").await?;
        Ok(())
    }

    async fn data(&mut self) -> io::Result<()> {
        let mut is_first = true;
        while let Some(line) = self.line().await? {
            if is_first {
                is_first = false;
                match self.fate(Step::FirstLine) {
                    Some(Fate::Cut) => return Err(io::ErrorKind::ConnectionAborted.into()),
                    Some(Fate::Hang) => future::pending().await,
                    Some(Fate::Answer(..)) | None => {}
                }
            }
            if line == "." {
                return self.dot().await;
            }
            self.letter.data.push_str(line.strip_prefix('.').unwrap_or(&line));
            self.letter.data.push_str("\r\n");
        }
        Ok(())
    }

    async fn dot(&mut self) -> io::Result<()> {
        let letter = std::mem::take(&mut self.letter);
        let fate = self.fate(Step::Dot);
        if !matches!(fate, Some(Fate::Answer(..))) {
            desk(&self.shared, |desk| desk.letters.push(letter));
        }
        self.come_to(fate, "250 2.0.0 queued").await.map(|_| ())
    }

    /// Whether the step was taken as usual.
    async fn step(&mut self, step: Step, usual: &str) -> io::Result<bool> {
        let fate = self.fate(step);
        self.come_to(fate, usual).await
    }

    async fn come_to(&mut self, fate: Option<Fate>, usual: &str) -> io::Result<bool> {
        match fate {
            None => self.say(usual).await.map(|()| true),
            Some(Fate::Answer(code, text)) => {
                self.say(&format!("{code} {text}")).await?;
                if code == 421 { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(false) }
            }
            Some(Fate::Cut) => Err(io::ErrorKind::ConnectionAborted.into()),
            Some(Fate::Hang) => future::pending().await,
        }
    }

    fn fate(&self, step: Step) -> Option<Fate> {
        desk(&self.shared, |desk| desk.fates.get_mut(&step)?.pop_front())
    }

    async fn say(&mut self, answer: &str) -> io::Result<()> {
        self.write.write_all(format!("{answer}\r\n").as_bytes()).await
    }

    /// Without its end; `None` where the other side has gone.
    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        if self.read.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

/// What stands between the angle brackets.
fn mailbox(line: &str) -> String {
    let behind = line.split_once('<').map(|(_, behind)| behind).unwrap_or_default();
    behind.split('>').next().unwrap_or_default().to_owned()
}
