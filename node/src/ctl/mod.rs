//! `quorate ctl`: the command-line client, with the flags, outputs and exit codes of etcdctl 3.6,
//! so that it can stand in for it under that name too.
//!
//! Reading order: [`flags`] (how arguments are read), [`settings`] (what every command knows),
//! [`client`] (who is asked), [`kv`], [`endpoint`], [`member`] (the commands), [`mod@print`] (what
//! answers look like), [`go`] (the texts of Go's library), [`usage`] (the pages of help).
//!
//! A command is a row of [`COMMANDS`] and an arm of [`execute`].

mod client;
mod endpoint;
mod flags;
mod go;
mod kv;
mod member;
mod print;
mod settings;
mod usage;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use crate::serve::version;
use flags::{Flag, Flags, Refused};
use print::Printer;
use settings::{GLOBAL, Settings};

/// One command.
pub struct Command {
    words: &'static [&'static str],
    arguments: &'static str,
    summary: &'static str,
    flags: &'static [Flag],
    action: Action,
}

#[derive(Clone, Copy)]
enum Action {
    Del,
    EndpointHealth,
    EndpointStatus,
    Get,
    MemberList,
    Put,
    Version,
}

static COMMANDS: [Command; 7] = [
    Command {
        words: &["del"],
        arguments: " [options] <key> [range_end]",
        summary: "Deletes a key, or the keys from one up to another",
        flags: &kv::DEL,
        action: Action::Del,
    },
    Command {
        words: &["endpoint", "health"],
        arguments: "",
        summary: "Tells which endpoints can serve",
        flags: &endpoint::FLAGS,
        action: Action::EndpointHealth,
    },
    Command {
        words: &["endpoint", "status"],
        arguments: "",
        summary: "Tells what each endpoint says of itself",
        flags: &endpoint::FLAGS,
        action: Action::EndpointStatus,
    },
    Command {
        words: &["get"],
        arguments: " [options] <key> [range_end]",
        summary: "Reads a key, or the keys from one up to another",
        flags: &kv::GET,
        action: Action::Get,
    },
    Command {
        words: &["member", "list"],
        arguments: "",
        summary: "Lists the members of the cluster",
        flags: &member::LIST,
        action: Action::MemberList,
    },
    Command {
        words: &["put"],
        arguments: " [options] <key> <value> (<value> can also be given from stdin)",
        summary: "Writes a key",
        flags: &kv::PUT,
        action: Action::Put,
    },
    Command {
        words: &["version"],
        arguments: "",
        summary: "Prints the version",
        flags: &[],
        action: Action::Version,
    },
];

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
    /// A good option with a value that it does not take.
    Feature = 4,
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

/// What the words of a command line name.
enum Found {
    Command(&'static Command),
    /// A word that only stands before others; `None` is the program.
    Group(Option<&'static str>),
    Unknown(String),
}

/// Runs `quorate ctl` with the arguments behind those two words.
pub fn run(args: &[OsString]) -> ExitCode {
    let (found, args) = find(args);
    match found {
        Found::Command(command) => finish(perform(command, &args)),
        Found::Group(word) => finish(explain(word, &args)),
        Found::Unknown(word) => {
            let near = near(&word)
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
    let mut flags = Flags::new(before_command());
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
        Action::Del => kv::del(flags, args, settings, printer).await,
        Action::EndpointHealth => endpoint::health(flags, settings, printer).await,
        Action::EndpointStatus => endpoint::status(flags, settings, printer).await,
        Action::Get => kv::get(flags, args, settings, printer).await,
        Action::MemberList => member::list(flags, settings, printer).await,
        Action::Put => kv::put(flags, args, settings, printer).await,
        Action::Version => unreachable!("needs no cluster"),
    }
}

fn api_version() -> &'static str {
    version::ETCD.rsplit_once('.').map_or(version::ETCD, |(api, _)| api)
}

/// The flags that may stand before all words are said.
fn before_command() -> Vec<&'static Flag> {
    GLOBAL.iter().chain(&endpoint::FLAGS).collect()
}

/// Takes the words of the command out of the arguments. Flags may stand before them, and whether
/// the word behind a flag is its value depends on the flag: one that is not known takes it.
fn find(args: &[OsString]) -> (Found, Vec<OsString>) {
    let before = Flags::new(before_command());
    let mut rest = args.to_vec();
    let mut group = None;
    let mut place = 0;
    while let Some(arg) = rest.get(place) {
        let text = arg.to_string_lossy().into_owned();
        if text == "--" {
            break;
        }
        if text.len() > 1 && text.starts_with('-') {
            place += if before.takes_next(&text) { 2 } else { 1 };
            continue;
        }
        if group.is_none() && text == "help" {
            rest.remove(place);
            rest.push("--help".into());
            continue;
        }
        rest.remove(place);
        match (named(group, &text), group) {
            (Found::Group(word), None) => group = word,
            (found, _) => return (found, rest),
        }
    }
    (Found::Group(group), rest)
}

/// The command or group behind `group` that has this name, or alone has this beginning.
fn named(group: Option<&'static str>, text: &str) -> Found {
    let depth = usize::from(group.is_some());
    let mut candidates: Vec<&'static Command> = COMMANDS
        .iter()
        .filter(|command| group.is_none_or(|group| command.words[0] == group))
        .filter(|command| command.words[depth].starts_with(text))
        .collect();
    if candidates.iter().any(|command| command.words[depth] == text) {
        candidates.retain(|command| command.words[depth] == text);
    }
    let mut words: Vec<_> = candidates.iter().map(|command| command.words[depth]).collect();
    words.dedup();
    match (words.as_slice(), candidates.first()) {
        ([_], Some(command)) if command.words.len() > depth + 1 => {
            Found::Group(Some(command.words[0]))
        }
        ([_], Some(command)) => Found::Command(command),
        // A group answers a word that it does not know with its page.
        _ if group.is_some() => Found::Group(group),
        _ => Found::Unknown(text.to_owned()),
    }
}

/// The first word of a command that is at most two letters away.
fn near(word: &str) -> Option<&'static str> {
    COMMANDS.iter().map(|command| command.words[0]).find(|name| distance(word, name) <= 2)
}

/// The number of letters to add, drop or change (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.chars().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(args: &[&str]) -> (String, Vec<OsString>) {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let (found, rest) = find(&args);
        let text = match found {
            Found::Command(command) => command.words.join(" "),
            Found::Group(word) => format!("group {}", word.unwrap_or("-")),
            Found::Unknown(word) => format!("unknown {word}"),
        };
        (text, rest)
    }

    #[test]
    fn commands_are_found_by_any_clear_beginning_and_behind_flags() {
        let table: [(&[&str], &str, &[&str]); 9] = [
            (&["get", "k"], "get", &["k"]),
            (&["g", "put"], "get", &["put"]),
            (&["mem", "l"], "member list", &[]),
            (&["--endpoints", "get", "put", "k"], "put", &["--endpoints", "get", "k"]),
            (&["-w", "json", "--debug", "e", "s"], "endpoint status", &["-w", "json", "--debug"]),
            (&["endpoint", "--cluster", "health"], "endpoint health", &["--cluster"]),
            (&["endpoint", "nonsense"], "group endpoint", &[]),
            (&["-w=json"], "group -", &["-w=json"]),
            (&["help", "get"], "get", &["--help"]),
        ];
        for (args, expected, rest) in table {
            let rest: Vec<OsString> = rest.iter().map(OsString::from).collect();
            assert_eq!(found(args), (expected.to_owned(), rest), "{args:?}");
        }
        assert_eq!(found(&["gett"]).0, "unknown gett");
        assert_eq!((near("gett"), near("watch")), (Some("get"), None));
    }
}
