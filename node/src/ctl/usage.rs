//! The pages of help, built from the same tables that the arguments are read with.

use std::fmt::Write as _;

use super::command::Command;
use super::flags::{Flag, Kind};
use super::settings::GLOBAL;
use super::{api_version, go};
use crate::serve::version;

/// The page of one command.
pub fn of_command(command: &Command) -> String {
    let name = command.words.join(" ");
    let mut page = format!("NAME:\n\t{name} - {}\n\n", command.summary);
    let arguments = command.arguments;
    page.push_str(&format!("USAGE:\n\tetcdctl {name}{arguments} [flags]\n\n"));
    push_flags(&mut page, "OPTIONS", command.flags);
    push_flags(&mut page, "GLOBAL OPTIONS", &GLOBAL);
    page
}

/// The page of a word that only stands before others, or of the whole program.
pub fn of_group(word: Option<&str>, commands: &[Command]) -> String {
    let api = api_version();
    let mut page = match word {
        Some(word) => format!("NAME:\n\t{word}\n\nUSAGE:\n\tetcdctl {word} <subcommand>\n\n"),
        None => format!(
            "NAME:\n\tetcdctl - a client for Quorate and etcd\n\nUSAGE:\n\tetcdctl [flags]\n\n\
             VERSION:\n\t{}\n\n",
            version::ETCD
        ),
    };
    page.push_str(&format!("API VERSION:\n\t{api}\n\nCOMMANDS:\n"));
    for command in commands.iter().filter(|it| word.is_none_or(|word| it.words[0] == word)) {
        let words = if word.is_some() { &command.words[1..] } else { command.words };
        push(&mut page, format_args!("\t{:<20}{}\n", words.join(" "), command.summary));
    }
    page.push('\n');
    push_flags(&mut page, "GLOBAL OPTIONS", &GLOBAL);
    page
}

fn push_flags(page: &mut String, title: &str, flags: &[Flag]) {
    if flags.is_empty() {
        return;
    }
    push(page, format_args!("{title}:\n"));
    for flag in flags {
        let letter = flag.short.map_or("    ".to_owned(), |letter| format!("-{letter}, "));
        let default = match flag.kind {
            Kind::Bool => format!("[={}]", flag.default),
            Kind::Text => format!("={}", go::quote(flag.default.as_bytes())),
            Kind::List => format!("=[{}]", flag.default),
            Kind::Int | Kind::Duration => format!("={}", flag.default),
        };
        let form = format!("{letter}--{}{default}", flag.name);
        push(page, format_args!("  {form:<40}{}\n", flag.help));
    }
    page.push('\n');
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a String takes any text");
}
