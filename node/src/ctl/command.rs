//! The commands: their words, flags and one line about each; and how words lead to one of them.
//!
//! Any beginning of a word does that belongs to one command only. Flags may stand before the
//! words, and whether the word behind a flag is its value depends on the flag.
//!
//! A command is a row of [`COMMANDS`] and an arm of `execute` (`mod.rs`).

use std::ffi::OsString;

use super::flags::{Flag, Flags};
use super::settings::GLOBAL;
use super::{compaction, endpoint, keep_alive, kv, lease, member, txn, watch};

/// One command.
pub struct Command {
    /// What it is called by.
    pub words: &'static [&'static str],
    /// What stands behind the words, for the page of help.
    pub arguments: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Its own flags.
    pub flags: &'static [Flag],
    /// What is done.
    pub action: Action,
}

/// What a command does.
#[derive(Clone, Copy)]
pub enum Action {
    Compaction,
    Del,
    EndpointHashKv,
    EndpointHealth,
    EndpointStatus,
    Get,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseList,
    LeaseRevoke,
    LeaseTimeToLive,
    MemberList,
    MoveLeader,
    Put,
    Txn,
    Version,
    Watch,
}

/// All of them, in the order of their words.
pub static COMMANDS: [Command; 17] = [
    Command {
        words: &["compaction"],
        arguments: " [options] <revision>",
        summary: "Gives up what was before a revision",
        flags: &compaction::FLAGS,
        action: Action::Compaction,
    },
    Command {
        words: &["del"],
        arguments: " [options] <key> [range_end]",
        summary: "Deletes a key, or the keys from one up to another",
        flags: &kv::DEL,
        action: Action::Del,
    },
    Command {
        words: &["endpoint", "hashkv"],
        arguments: "",
        summary: "Tells the hash of all pairs on each endpoint",
        flags: &endpoint::HASH_KV,
        action: Action::EndpointHashKv,
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
        words: &["lease", "grant"],
        arguments: " <ttl>",
        summary: "Makes a lease that lives for so many seconds",
        flags: &[],
        action: Action::LeaseGrant,
    },
    Command {
        words: &["lease", "keep-alive"],
        arguments: " [options] <leaseID>",
        summary: "Renews a lease again and again",
        flags: &keep_alive::FLAGS,
        action: Action::LeaseKeepAlive,
    },
    Command {
        words: &["lease", "list"],
        arguments: "",
        summary: "Lists all leases that live",
        flags: &[],
        action: Action::LeaseList,
    },
    Command {
        words: &["lease", "revoke"],
        arguments: " <leaseID>",
        summary: "Ends a lease and deletes its keys",
        flags: &[],
        action: Action::LeaseRevoke,
    },
    Command {
        words: &["lease", "timetolive"],
        arguments: " [options] <leaseID>",
        summary: "Tells how long a lease has to live",
        flags: &lease::TIME_TO_LIVE,
        action: Action::LeaseTimeToLive,
    },
    Command {
        words: &["member", "list"],
        arguments: "",
        summary: "Lists the members of the cluster",
        flags: &member::LIST,
        action: Action::MemberList,
    },
    Command {
        words: &["move-leader"],
        arguments: " <memberID>",
        summary: "Hands the leadership over to another member",
        flags: &[],
        action: Action::MoveLeader,
    },
    Command {
        words: &["put"],
        arguments: " [options] <key> <value> (<value> can also be given from stdin)",
        summary: "Writes a key",
        flags: &kv::PUT,
        action: Action::Put,
    },
    Command {
        words: &["txn"],
        arguments: " [options]",
        summary: "Makes several requests at once, depending on comparisons",
        flags: &txn::FLAGS,
        action: Action::Txn,
    },
    Command {
        words: &["version"],
        arguments: "",
        summary: "Prints the version",
        flags: &[],
        action: Action::Version,
    },
    Command {
        words: &["watch"],
        arguments: " [options] <key> [range_end] [-- <program> [arguments ...]]",
        summary: "Shows the changes of keys as they happen",
        flags: &watch::FLAGS,
        action: Action::Watch,
    },
];

/// What the words of a command line name.
pub enum Found {
    /// One of them.
    Command(&'static Command),
    /// A word that only stands before others; `None` is the program.
    Group(Option<&'static str>),
    /// No word of ours.
    Unknown(String),
}

/// The flags that may stand before all words are said.
pub fn before_command() -> Vec<&'static Flag> {
    GLOBAL.iter().chain(&endpoint::FLAGS).collect()
}

/// Takes the words of the command out of the arguments. Flags may stand before them, and whether
/// the word behind a flag is its value depends on the flag: one that is not known takes it.
pub fn find(args: &[OsString]) -> (Found, Vec<OsString>) {
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
pub fn near(word: &str) -> Option<&'static str> {
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
        assert_eq!((near("gett"), near("snapshot")), (Some("get"), None));
    }
}
