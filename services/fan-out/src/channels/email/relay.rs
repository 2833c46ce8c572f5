//! The dialogue with the operator's relay, step by step: what is known depends on where it ends.
//!
//! lettre's own transport does not say at which step it failed, so its connection is driven here.
//! Until DATA is answered nothing can have been sent. From the first byte of the message on, only
//! an answer tells: lettre writes the message and its final dot at once, and a message of ours
//! fits the socket's buffer, so that a connection lost then may have been lost behind the dot.

use std::{
    borrow::Cow,
    error::Error as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lettre::{
    Address,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Rcpt, Rset},
        extension::ClientId,
        response::Severity,
    },
};
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use crate::{
    channels::{Health, Outcome, Sent, http},
    secret::Secret,
};

/// Connections that stay open between messages.
const IDLE_MAX: usize = 4;
/// An idle connection is closed before most relays would.
const IDLE_S_MAX: u64 = 20;
/// Those that need no state of ours; both are safe within TLS alone.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Security {
    /// By STARTTLS, or not at all: a relay that does not offer it gets nothing.
    #[default]
    #[serde(rename = "starttls")]
    Upgraded,
    /// From the first byte.
    #[serde(rename = "tls")]
    FromTheStart,
    /// Not; within this machine.
    #[serde(rename = "none")]
    None,
}

impl Security {
    /// RFC 6409, 8314, 5321.
    pub(super) fn usual_port(self) -> u16 {
        match self {
            Self::Upgraded => 587,
            Self::FromTheStart => 465,
            Self::None => 25,
        }
    }
}

/// The operator's relay, and the connections to it that are warm.
pub(super) struct Relay {
    server: (String, u16),
    security: Security,
    tls: Option<TlsParameters>,
    login: Option<Credentials>,
    hello: ClientId,
    /// One half is for getting as far as the message, one for the message.
    half: Duration,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

/// Where a dialogue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Connecting, greeting, EHLO.
    Greeting,
    StartTls,
    Login,
    Sender,
    Recipient,
    /// The word DATA alone.
    Data,
    /// The message and its final dot.
    Message,
}

impl Relay {
    /// # Errors
    /// TLS cannot be set up.
    pub(super) fn new(
        server: (String, u16),
        security: Security,
        login: Option<(String, Secret)>,
        hello: &str,
        attempt_ms: u64,
    ) -> Result<Self, String> {
        let tls = match security {
            Security::None => None,
            _ => Some(
                TlsParameters::new_rustls(server.0.clone())
                    .map_err(|error| format!("tls: không dùng được / cannot be set up: {error}"))?,
            ),
        };
        let login = login.map(|(user, secret)| Credentials::new(user, secret.reveal().to_owned()));
        let hello = ClientId::Domain(hello.to_owned());
        let half = Duration::from_millis(attempt_ms / 2);
        Ok(Self { server, security, tls, login, hello, half, idle: Mutex::default() })
    }

    /// One attempt.
    pub(super) async fn deliver(&self, from: Address, to: Address, letter: &[u8]) -> Sent {
        let mut connection = match timeout(self.half, self.addressed(from, to)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(sent)) => return sent,
            Err(_) => return Outcome::Retry { after_s: None, why: "timeout" }.into(),
        };
        match timeout(self.half, connection.message(letter)).await {
            Ok(Ok(answer)) => {
                let code = u16::from(answer.code());
                if answer.code().severity != Severity::PositiveCompletion {
                    let outcome = Outcome::Unknown { after_s: None, why: "status" };
                    return Sent::with(outcome, code);
                }
                self.keep(connection);
                Sent::with(Outcome::Accepted { provider_id: None }, code)
            }
            Ok(Err(error)) => of_error(Step::Message, &error),
            Err(_) => Outcome::Unknown { after_s: None, why: "timeout" }.into(),
        }
    }

    /// Whether the relay lets this account in.
    pub(super) async fn probe(&self) -> Health {
        let outcome = match timeout(self.half, self.connected()).await {
            Ok(Ok(mut connection)) => {
                if connection.test_connected().await {
                    self.keep(connection);
                    return Health::Works;
                }
                return Health::NotKnown { why: Cow::Borrowed("reset") };
            }
            Ok(Err(sent)) => sent.outcome,
            Err(_) => Outcome::Retry { after_s: None, why: "timeout" },
        };
        match outcome {
            Outcome::ChannelDown { code } => Health::Down { code },
            other => Health::NotKnown { why: Cow::Owned(other.trouble().to_owned()) },
        }
    }

    /// A connection on which the message itself comes next.
    async fn addressed(&self, from: Address, to: Address) -> Result<AsyncSmtpConnection, Sent> {
        let mut connection = match self.warm().await {
            Some(connection) => connection,
            None => self.connected().await?,
        };
        let sender = connection.command(Mail::new(Some(from), vec![])).await;
        sender.map_err(|error| of_error(Step::Sender, &error))?;
        if let Err(error) = connection.command(Rcpt::new(to, vec![])).await {
            // The next recipient is another's matter.
            if error.is_permanent() {
                self.keep(connection);
            }
            return Err(of_error(Step::Recipient, &error));
        }
        let data = connection.command(Data).await;
        let answer = data.map_err(|error| of_error(Step::Data, &error))?;
        if answer.code().severity != Severity::PositiveIntermediate {
            let outcome = Outcome::Retry { after_s: None, why: "status" };
            return Err(Sent::with(outcome, u16::from(answer.code())));
        }
        Ok(connection)
    }

    /// A new connection, encrypted and logged in as the account says.
    async fn connected(&self) -> Result<AsyncSmtpConnection, Sent> {
        let at_once = self.tls.clone().filter(|_| self.security == Security::FromTheStart);
        let server = (self.server.0.as_str(), self.server.1);
        let connecting =
            AsyncSmtpConnection::connect_tokio1(server, None, &self.hello, at_once, None);
        let mut connection = connecting.await.map_err(|error| of_error(Step::Greeting, &error))?;
        if self.security == Security::Upgraded
            && let Some(tls) = self.tls.clone()
        {
            let upgrade = connection.starttls(tls, &self.hello).await;
            upgrade.map_err(|error| of_error(Step::StartTls, &error))?;
        }
        if let Some(login) = &self.login {
            let entry = connection.auth(&MECHANISMS, login).await;
            entry.map_err(|error| of_error(Step::Login, &error))?;
        }
        Ok(connection)
    }

    /// RSET tells at once that the relay is still there, and forgets what came before.
    async fn warm(&self) -> Option<AsyncSmtpConnection> {
        while let Some(mut connection) = self.idle_one() {
            if connection.command(Rset).await.is_ok() {
                return Some(connection);
            }
        }
        None
    }

    fn idle_one(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < Duration::from_secs(IDLE_S_MAX));
        idle.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX && !connection.has_broken() {
            idle.push((connection, Instant::now()));
        }
    }
}

/// What a failure says. Its text may hold the mailbox: it is looked at, never shown.
fn of_error(step: Step, error: &Error) -> Sent {
    let Some(code) = error.status().map(u16::from) else {
        return without_answer(step, error).into();
    };
    let outcome = match (step, code) {
        // A stranger is put off for some minutes: of this mailbox, and of no other.
        (Step::Recipient, 450 | 451) => Outcome::Retry { after_s: None, why: "greylisted" },
        (_, 400..=499) => Outcome::Retry { after_s: None, why: "busy" },
        // RFC 4954, 6: who we are is in question, at whichever step it is asked.
        (_, 530 | 534 | 535 | 538) => down("login"),
        (Step::Recipient, 550 | 551 | 553) if !is_policy(error) => {
            Outcome::TargetGone { why: Cow::Borrowed("mailbox") }
        }
        (Step::Recipient, _) => refused("recipient"),
        (Step::Data | Step::Message, _) => refused("message"),
        // Before any recipient is named, a refusal is of us.
        (Step::Greeting, _) => down("greeting"),
        (Step::StartTls, _) => down("starttls"),
        (Step::Login, _) => down("login"),
        (Step::Sender, _) => down("sender"),
    };
    Sent::with(outcome, code)
}

fn without_answer(step: Step, error: &Error) -> Outcome {
    let why = match step {
        Step::Message => return Outcome::Unknown { after_s: None, why: "reset" },
        // The relay offers no STARTTLS, or no way to log in that we know.
        Step::StartTls if error.is_client() => return down("starttls"),
        Step::Login if error.is_client() => return down("login"),
        Step::Greeting | Step::StartTls if http::chain(error).any(http::is_tls) => "tls",
        Step::Greeting if error.is_response() => "reset",
        Step::Greeting => "connect",
        _ => "reset",
    };
    Outcome::Retry { after_s: None, why }
}

/// RFC 3463, 3.8: `5.7.x` says that the mailbox is there, and we may not write to it from here.
fn is_policy(error: &Error) -> bool {
    error.source().is_some_and(|said| said.to_string().starts_with("5.7."))
}

fn refused(code: &'static str) -> Outcome {
    Outcome::Permanent { code: Cow::Borrowed(code) }
}

fn down(code: &'static str) -> Outcome {
    Outcome::ChannelDown { code: Cow::Borrowed(code) }
}
