//! `quorate ctl`: the command-line client, with the flags, outputs and exit codes of etcdctl 3.6,
//! so that it can stand in for it under that name too.
//!
//! Reading order: [`flags`] (how arguments are read), [`settings`] (what every command knows),
//! [`command`] (which commands there are), [`client`] (who is asked); the commands [`kv`],
//! [`compaction`], [`txn`] with [`mod@line`] (how typed lines are read), [`watch`] with
//! [`watchers`] (what survives a broken connection), [`lease`] with [`keep_alive`], [`endpoint`],
//! [`member`]; [`mod@print`] (what answers look like), [`go`] (the texts of Go's library),
//! [`usage`] (the pages of help).

mod client;
mod command;
mod compaction;
mod endpoint;
mod flags;
pub mod go;
mod keep_alive;
mod kv;
mod lease;
mod line;
mod member;
mod print;
mod settings;
mod txn;
mod usage;
mod watch;
mod watchers;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use crate::serve::version;
use command::{Action, COMMANDS, Command, Found};
use flags::{Flags, Refused};
use print::Printer;
use settings::{GLOBAL, Settings};

/// Why a command has not succeeded. Without a text, all has been said already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    exit: Exit,
    text: String,
}

/// The exit codes of etcdctl.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// The request was refused or could not be carried out.
    Error = 1,
    /// There is no way to the cluster.
    Connection = 2,
    /// A typed line makes no sense, or is missing.
    Input = 3,
    /// A good option with a value that it does not take.
    Feature = 4,
    /// The server has ended what should have gone on.
    Interrupted = 5,
    /// The answer could not be written.
    Output = 6,
    /// The arguments make no sense.
    Arguments = 128,
}

impl Failure {
    fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }

    fn silent(exit: Exit) -> Self {
        Self::new(exit, "")
    }
}

/// Runs `quorate ctl` with the arguments behind those two words.
pub fn run(args: &[OsString]) -> ExitCode {
    let (found, args) = command::find(args);
    match found {
        Found::Command(command) => finish(perform(command, &args)),
        Found::Group(word) => finish(explain(word, &args)),
        Found::Unknown(word) => {
            let near = command::near(&word)
                .map_or(String::new(), |near| format!("\nDid you mean this?\n\t{near}\n\n"));
            eprint!("Error: unknown command \"{word}\" for \"etcdctl\"\n{near}");
            eprintln!("Run 'etcdctl --help' for usage.");
            ExitCode::from(Exit::Error as u8)
        }
    }
}

fn finish(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    if !failure.text.is_empty() {
        eprintln!("Error: {}", failure.text);
    }
    ExitCode::from(failure.exit as u8)
}

/// A group alone, or the program alone, is a question.
fn explain(word: Option<&'static str>, args: &[OsString]) -> Result<(), Failure> {
    let mut flags = Flags::new(command::before_command());
    let parsed = flags.parse(args);
    say(&usage::of_group(word, &COMMANDS));
    match parsed {
        Err(Refused::Bad(text)) => Err(Failure::new(Exit::Error, text + "\n")),
        Ok(_) | Err(Refused::Help) => Ok(()),
    }
}

/// Writes to stdout, where nobody need be listening.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn perform(command: &'static Command, args: &[OsString]) -> Result<(), Failure> {
    let mut flags = Flags::new(GLOBAL.iter().chain(command.flags).collect());
    let others = match flags.parse(args) {
        Ok(others) => others,
        Err(Refused::Help) => {
            say(&usage::of_command(command));
            return Ok(());
        }
        Err(Refused::Bad(text)) => {
            say(&usage::of_command(command));
            return Err(Failure::new(Exit::Error, text + "\n"));
        }
    };
    if let Action::Version = command.action {
        let (version, api) = (version::ETCD, api_version());
        say(&format!("etcdctl version: {version}\nAPI version: {api}\n"));
        return Ok(());
    }
    let settings = Settings::new(&mut flags, std::env::vars_os())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::new(Exit::Error, why.to_string()))?;
    runtime.block_on(execute(command.action, &flags, &others, &settings))
}

async fn execute(
    action: Action,
    flags: &Flags,
    args: &[Vec<u8>],
    settings: &Settings,
) -> Result<(), Failure> {
    let printer = &mut Printer::new(settings.format, settings.hex, std::io::stdout().lock());
    match action {
        Action::Compaction => compaction::compaction(flags, args, settings, printer).await,
        Action::Del => kv::del(flags, args, settings, printer).await,
        Action::EndpointHashKv => endpoint::hash_kv(flags, settings, printer).await,
        Action::EndpointHealth => endpoint::health(flags, settings, printer).await,
        Action::EndpointStatus => endpoint::status(flags, settings, printer).await,
        Action::Get => kv::get(flags, args, settings, printer).await,
        Action::LeaseGrant => lease::grant(args, settings, printer).await,
        Action::LeaseKeepAlive => keep_alive::keep_alive(flags, args, settings, printer).await,
        Action::LeaseList => lease::list(settings, printer).await,
        Action::LeaseRevoke => lease::revoke(args, settings, printer).await,
        Action::LeaseTimeToLive => lease::time_to_live(flags, args, settings, printer).await,
        Action::MemberList => member::list(flags, settings, printer).await,
        Action::MoveLeader => member::move_leader(args, settings, printer).await,
        Action::Put => kv::put(flags, args, settings, printer).await,
        Action::Txn => txn::txn(flags, args, settings, printer).await,
        Action::Version => unreachable!("needs no cluster"),
        Action::Watch => watch::watch(flags, args, settings, printer).await,
    }
}

fn api_version() -> &'static str {
    version::ETCD.rsplit_once('.').map_or(version::ETCD, |(api, _)| api)
}
