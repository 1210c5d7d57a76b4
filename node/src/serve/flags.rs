//! The command line as etcd takes it, made into the one that clap takes.
//!
//! ```text
//!   -name n1, --name n1, --name=n1     one dash or two
//!   ETCD_NAME=n1                       the same from the environment; both at once is an error
//! ```
//!
//! Not here: what the flags mean (`serve/config.rs`).

use std::ffi::{OsStr, OsString};
use std::fmt;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A command line that cannot be followed: what to print, and the process's exit code.
#[derive(Debug)]
pub struct Misuse {
    /// The whole explanation.
    pub text: String,
    /// 2 for a flag that does not exist, as etcd has it; 1 for everything else.
    pub code: u8,
}

impl Misuse {
    /// Any misuse but an unknown flag.
    pub fn new(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), code: 1 }
    }
}

/// Puts the environment behind the command line and a second dash before every flag. `names` are
/// the flags that exist, `environment` what is set.
pub fn normalize(
    line: &[OsString],
    environment: impl Fn(&str) -> Option<OsString>,
    names: &[String],
) -> Result<Vec<OsString>, Misuse> {
    let mut arguments: Vec<OsString> = line.iter().map(|word| two_dashes(word)).collect();
    for name in names {
        let variable = variable(name);
        let Some(value) = environment(&variable).filter(|value| !value.is_empty()) else {
            continue;
        };
        if arguments.iter().any(|word| is_flag(word, name)) {
            return Err(Misuse::new(format_args!(
                "conflicting environment variable \"{variable}\" is shadowed by corresponding \
                 command-line flag --{name} (either unset environment variable or disable flag)"
            )));
        }
        let mut word = OsString::from(format!("--{name}="));
        word.push(value);
        arguments.push(word);
    }
    Ok(arguments)
}

/// The environment variable of a flag.
pub fn variable(name: &str) -> String {
    format!("ETCD_{}", name.replace('-', "_").to_uppercase())
}

/// Variables that look like ours and are no flag's, so that a typing error does not go unseen.
pub fn unknown_variables(names: &[String]) -> Vec<String> {
    let known: Vec<String> = names.iter().map(|name| variable(name)).collect();
    std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("ETCD_") && !known.contains(name))
        .collect()
}

/// What clap has to say, in etcd's words where scripts know them.
pub fn misuse(error: &clap::Error) -> Misuse {
    if error.kind() != ErrorKind::UnknownArgument {
        return Misuse::new(error);
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else {
        return Misuse { text: error.to_string(), code: 2 };
    };
    let Some(flag) = word.strip_prefix("--") else {
        return Misuse::new(format_args!("\"{word}\" is not a valid flag; see quorate --help"));
    };
    let hint = match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(near)) => format!("did you mean {near}? "),
        _ => String::new(),
    };
    let text = format!(
        "flag provided but not defined: -{flag}\n{hint}quorate --help lists the flags there are"
    );
    Misuse { text, code: 2 }
}

/// `-name` means `--name`; `-h` stays, and so does what is no flag.
fn two_dashes(word: &OsStr) -> OsString {
    let bytes = word.as_encoded_bytes();
    let single = bytes.len() > 2 && bytes[0] == b'-' && bytes[1].is_ascii_alphabetic();
    let mut out = OsString::from(if single { "-" } else { "" });
    out.push(word);
    out
}

fn is_flag(word: &OsStr, name: &str) -> bool {
    let Some(flag) = word.as_encoded_bytes().strip_prefix(b"--") else { return false };
    flag.strip_prefix(name.as_bytes()).is_some_and(|rest| matches!(rest.first(), None | Some(b'=')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        let names = ["name".to_owned(), "data-dir".to_owned()];
        let normal = normalize(&line(&["-name", "a", "--data-dir=-x", "-h"]), |_| None, &names);
        assert_eq!(normal.unwrap(), line(&["--name", "a", "--data-dir=-x", "-h"]));
    }

    #[test]
    fn the_environment_stands_in_for_a_flag_but_never_against_it() {
        let names = ["name".to_owned(), "data-dir".to_owned()];
        let set = |name: &str| (name == "ETCD_DATA_DIR").then(|| OsString::from("/d"));
        let normal = normalize(&line(&["--name=a"]), set, &names).unwrap();
        assert_eq!(normal, line(&["--name=a", "--data-dir=/d"]));
        let clash = normalize(&line(&["-data-dir", "x"]), set, &names).unwrap_err();
        assert!(clash.text.contains("ETCD_DATA_DIR"), "{}", clash.text);
        assert_eq!(clash.code, 1);
    }
}
