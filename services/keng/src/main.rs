//! `keng`: all services in one process, one each, and the command line.

mod alert;
mod answer;
mod answer_args;
mod args;
mod broker;
mod channels;
mod client;
mod deliveries;
mod demo;
mod direct;
mod drill;
mod drill_lines;
mod erase;
mod feeds;
mod freeze;
mod grpc;
mod key_file;
mod keys;
mod known;
mod local_time;
mod log;
mod looks;
mod matches;
mod open;
mod photo;
mod preflight;
mod proof;
mod proofs;
mod read;
mod records;
mod restored;
mod server;
mod serving;
mod signing;
mod tls;
mod uncorrected;
mod witness;
mod write;

use std::process::ExitCode as Exit;

use chassis::{ExitCode, variables};
use clap::{CommandFactory, Parser};
use rustix::process::{Resource, getrlimit, setrlimit};

use args::{Args, Command};

/// How a command ended that did not do what it was asked.
#[derive(Debug)]
pub enum Failed {
    /// The server refused it.
    Refused(String),
    /// Wrong usage or configuration.
    Usage(String),
    /// Anything else.
    Trouble(anyhow::Error),
}

impl From<anyhow::Error> for Failed {
    fn from(trouble: anyhow::Error) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<chassis::ConfigError> for Failed {
    fn from(wrong: chassis::ConfigError) -> Self {
        Self::Usage(wrong.to_string())
    }
}

fn main() -> Exit {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help goes to standard output, an error to standard error, as clap has it.
            let _ = error.print();
            return Exit::from(ExitCode::of_usage(&error));
        }
    };
    if let Err(slip) = check_variables(&args.command) {
        return ended(Err(slip));
    }
    raise_file_limit();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return ended(Err(Failed::Trouble(error.into()))),
    };
    let ended_with = ended(runtime.block_on(run(args.command)));
    // What is still under way was told to end; nobody waits for a blocked thread.
    runtime.shutdown_background();
    ended_with
}

/// A server does not start with a variable that nothing reads, since a setting would be left out in
/// silence; a client command says so, and goes on.
fn check_variables(command: &Command) -> Result<(), Failed> {
    let names = std::env::vars_os().map(|(name, _value)| name);
    let unknown = variables::unknown(&Args::command(), names);
    let said: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    match said.as_slice() {
        [] => Ok(()),
        _ if command.is_server() => Err(Failed::Usage(said.join("\nkeng: "))),
        _ => {
            said.iter().for_each(|said| write::aside(said));
            Ok(())
        }
    }
}

/// Thousands of webhooks and streams are open at once; the usual limit is 1,024 files.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it is not allowed, the limit that there is holds.
    let _ = setrlimit(Resource::Nofile, limit);
}

async fn run(command: Command) -> Result<u8, Failed> {
    match command {
        Command::Up(up) => server::up(up).await,
        Command::Intake(options) => server::one(chassis::Service::Intake, options).await,
        Command::Alerting(options) => server::one(chassis::Service::Alerting, options).await,
        Command::FanOut(options) => server::one(chassis::Service::FanOut, options).await,
        Command::Audit(options) => server::one(chassis::Service::Audit, options).await,
        Command::Witness(args) => witness::serve(args).await,
        Command::Raise(raise) => write::raise(raise).await,
        Command::Alert(args) => alert::alert(args).await,
        Command::Acknowledge(args) => answer::answer("acknowledge", args).await,
        Command::Refuse(args) => answer::answer("refuse", args).await,
        Command::Instruct(args) => answer::instruct(args).await,
        Command::Relay(args) => answer::onward(args).await,
        Command::Matches(args) => matches::list(args).await,
        Command::Match(args) => matches::answer(args).await,
        Command::Erase(args) => erase::erase(args).await,
        Command::LegalHold(args) => erase::legal_hold(args).await,
        Command::Freeze(args) => freeze::freeze(args).await,
        Command::Recall(args) => freeze::recall(args).await,
        Command::Photo(args) => photo::photo(args).await,
        Command::Watch(watch) => read::watch(watch).await,
        Command::Token(token) => write::token(token).await,
        Command::Key(args) => keys::key(args).await,
        Command::KeyFile(args) => key_file::key_file(&args),
        Command::Registry(registry) => records::registry(&registry),
        Command::Groups(groups) => write::groups(groups).await,
        Command::Officers(officers) => preflight::officers(officers).await,
        Command::Drill(args) => drill::drill(args).await,
        Command::Channels(args) => channels::channels(args).await,
        Command::DeadLetters(args) => channels::dead_letters(args).await,
        Command::Preflight(args) => preflight::installation(args).await,
        Command::Replay(replay) => read::replay(replay).await,
        Command::Export(args) => proof::export(args).await,
        Command::Verify(args) => proof::verify(args).await,
        Command::Timeline(args) => known::timeline(args).await,
    }
}

#[allow(clippy::print_stderr, reason = "the reason of a failure belongs on standard error")]
fn ended(result: Result<u8, Failed>) -> Exit {
    let (code, why) = match result {
        Ok(code) => return Exit::from(code),
        Err(Failed::Refused(why)) => (ExitCode::REFUSED, why),
        Err(Failed::Usage(why)) => (ExitCode::WRONG_USAGE, why),
        Err(Failed::Trouble(why)) => (ExitCode::FAILED, format!("{why:#}")),
    };
    eprintln!("keng: {why}");
    Exit::from(code)
}
