//! Flags as etcdctl takes them: before or behind the words of the command, `--name value` or
//! `--name=value`, `--` to end them. A bool takes its value only behind `=`.
//!
//! A flag is declared once, in a table; what it was given is checked when it is read from the
//! command line and stays text until somebody asks for it, so that a value is told apart from
//! a default.
//!
//! Not here: which flags there are (`settings.rs`, `mod.rs`).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::go;

/// One flag.
pub struct Flag {
    /// Without the dashes.
    pub name: &'static str,
    /// The letter that stands for it.
    pub short: Option<char>,
    /// What it takes.
    pub kind: Kind,
    /// The text that counts when it is not given.
    pub default: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
}

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// true or false.
    Bool,
    /// A whole number.
    Int,
    /// A span of time with its unit.
    Duration,
    /// Any text.
    Text,
    /// Texts by comma; given again, it grows.
    List,
}

/// The flags that a command knows, with what they were given.
pub struct Flags {
    known: Vec<&'static Flag>,
    given: BTreeMap<&'static str, String>,
    before_dashes: Option<usize>,
}

/// Why the arguments are not taken.
#[derive(PartialEq, Eq, Debug)]
pub enum Refused {
    /// `-h` or `--help`.
    Help,
    /// Something is wrong with them.
    Bad(String),
}

impl Flag {
    /// A flag without a letter.
    pub const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self { name, short: None, kind, default, help }
    }

    /// A bool that is false by default.
    pub const fn switch(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Bool, "false", help)
    }

    /// The same flag with a letter.
    pub const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    fn check(&self, value: &str) -> Result<(), String> {
        match self.kind {
            Kind::Bool => go::parse_bool(value).map(drop),
            Kind::Int => go::parse_int(value).map(drop),
            Kind::Duration => go::parse_duration(value).map(drop),
            Kind::Text | Kind::List => Ok(()),
        }
    }
}

impl Flags {
    /// Nothing given yet.
    pub fn new(known: Vec<&'static Flag>) -> Self {
        Self { known, given: BTreeMap::new(), before_dashes: None }
    }

    /// Takes the flags out of the arguments; hands back the others.
    pub fn parse(&mut self, args: &[OsString]) -> Result<Vec<Vec<u8>>, Refused> {
        let mut others = Vec::new();
        let mut args = args.iter().map(|arg| arg.as_bytes());
        while let Some(arg) = args.next() {
            match arg {
                b"--" => {
                    self.before_dashes = Some(others.len());
                    others.extend(args.map(<[u8]>::to_vec));
                    break;
                }
                [b'-', b'-', long @ ..] => self.take_long(&text(long), &mut args)?,
                [b'-', letters @ ..] if !letters.is_empty() => {
                    self.take_letters(&text(letters), &mut args)?;
                }
                other => others.push(other.to_vec()),
            }
        }
        Ok(others)
    }

    /// How many of the others stood before `--`, if that was there.
    pub const fn before_dashes(&self) -> Option<usize> {
        self.before_dashes
    }

    /// Whether this argument, found before the command is known, uses up the next one too.
    pub fn takes_next(&self, arg: &str) -> bool {
        if arg.contains('=') || arg == "--help" || arg == "-h" {
            return false;
        }
        let flag = match arg.strip_prefix("--") {
            Some(name) => self.known.iter().find(|flag| flag.name == name),
            None => self
                .known
                .iter()
                .find(|flag| flag.short.is_some() && flag.short == arg.chars().nth(1)),
        };
        // One letter alone; behind the letter stands its value otherwise.
        let alone = arg.starts_with("--") || arg.chars().count() == 2;
        alone && flag.is_none_or(|flag| flag.kind != Kind::Bool)
    }

    /// Sets a flag from somewhere else than the command line.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let flag = self.flag(name);
        self.store(flag, value)
    }

    /// Whether it was given.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(self.flag(name).name)
    }

    /// The value of a text.
    pub fn text(&self, name: &str) -> &str {
        let flag = self.flag(name);
        self.given.get(flag.name).map_or(flag.default, String::as_str)
    }

    /// The value of a switch.
    pub fn bool(&self, name: &str) -> bool {
        go::parse_bool(self.text(name)).expect("checked when it was set")
    }

    /// The value of a number.
    pub fn int(&self, name: &str) -> i64 {
        go::parse_int(self.text(name)).expect("checked when it was set")
    }

    /// The value of a span of time.
    pub fn duration(&self, name: &str) -> Duration {
        go::parse_duration(self.text(name)).expect("checked when it was set")
    }

    /// The values of a list.
    pub fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name);
        text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    fn take_long<'a>(
        &mut self,
        long: &str,
        rest: &mut impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), Refused> {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        if name.is_empty() || name.starts_with('-') {
            return Err(Refused::Bad(format!("bad flag syntax: --{long}")));
        }
        let Some(flag) = self.known.iter().copied().find(|flag| flag.name == name) else {
            return Err(unknown(name == "help", || format!("unknown flag: --{name}")));
        };
        let missing = || format!("flag needs an argument: --{name}");
        let value = value_of(flag, value, rest).ok_or_else(|| Refused::Bad(missing()))?;
        self.store_or_refuse(flag, &value)
    }

    /// `-w json`, `-w=json`, `-wjson`, and switches in front of it in the same word.
    fn take_letters<'a>(
        &mut self,
        letters: &str,
        rest: &mut impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), Refused> {
        let mut left = letters;
        while let Some(letter) = left.chars().next() {
            left = &left[letter.len_utf8()..];
            let Some(flag) = self.known.iter().copied().find(|flag| flag.short == Some(letter))
            else {
                let text = || format!("unknown shorthand flag: '{letter}' in -{letters}");
                return Err(unknown(letter == 'h', text));
            };
            let value = match left.strip_prefix('=') {
                Some(value) => Some(value.to_owned()),
                None if flag.kind == Kind::Bool || left.is_empty() => None,
                None => Some(left.to_owned()),
            };
            let is_last = value.is_some() || flag.kind != Kind::Bool;
            let missing = || format!("flag needs an argument: '{letter}' in -{letters}");
            let value = value_of(flag, value, rest).ok_or_else(|| Refused::Bad(missing()))?;
            self.store_or_refuse(flag, &value)?;
            if is_last {
                break;
            }
        }
        Ok(())
    }

    fn store_or_refuse(&mut self, flag: &'static Flag, value: &str) -> Result<(), Refused> {
        self.store(flag, value).map_err(|why| {
            let letter = flag.short.map_or(String::new(), |letter| format!("-{letter}, "));
            let value = go::quote(value.as_bytes());
            let name = flag.name;
            Refused::Bad(format!("invalid argument {value} for \"{letter}--{name}\" flag: {why}"))
        })
    }

    fn store(&mut self, flag: &'static Flag, value: &str) -> Result<(), String> {
        flag.check(value)?;
        match self.given.get_mut(flag.name) {
            Some(list) if flag.kind == Kind::List => {
                list.push(',');
                list.push_str(value);
            }
            Some(_) | None => drop(self.given.insert(flag.name, value.to_owned())),
        }
        Ok(())
    }

    fn flag(&self, name: &str) -> &'static Flag {
        self.known
            .iter()
            .copied()
            .find(|flag| flag.name == name)
            .unwrap_or_else(|| panic!("--{name} is not declared"))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn unknown(asks_for_help: bool, text: impl FnOnce() -> String) -> Refused {
    if asks_for_help { Refused::Help } else { Refused::Bad(text()) }
}

fn value_of<'a>(
    flag: &Flag,
    attached: Option<String>,
    rest: &mut impl Iterator<Item = &'a [u8]>,
) -> Option<String> {
    match (attached, flag.kind) {
        (Some(value), _) => Some(value),
        (None, Kind::Bool) => Some("true".to_owned()),
        (None, Kind::Int | Kind::Duration | Kind::Text | Kind::List) => rest.next().map(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static FLAGS: [Flag; 5] = [
        Flag::switch("prefix", ""),
        Flag::new("rev", Kind::Int, "0", ""),
        Flag::new("endpoints", Kind::List, "a", ""),
        Flag::new("write-out", Kind::Text, "simple", "").short('w'),
        Flag::switch("debug", "").short('d'),
    ];

    fn parse(args: &[&str]) -> Result<(Flags, Vec<String>), Refused> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let mut flags = Flags::new(FLAGS.iter().collect());
        let others = flags.parse(&args)?;
        Ok((flags, others.iter().map(|other| text(other)).collect()))
    }

    fn refusal(args: &[&str]) -> String {
        match parse(args) {
            Err(Refused::Bad(text)) => text,
            Err(Refused::Help) => "help".to_owned(),
            Ok(_) => "taken".to_owned(),
        }
    }

    #[test]
    fn flags_may_stand_anywhere_and_two_dashes_end_them() {
        let (flags, others) =
            parse(&["k", "--rev", "0x10", "--prefix", "-dwjson", "-", "--", "--rev"]).unwrap();
        assert_eq!(others, ["k", "-", "--rev"]);
        assert_eq!(flags.before_dashes(), Some(2));
        assert_eq!((flags.int("rev"), flags.bool("prefix"), flags.bool("debug")), (16, true, true));
        assert_eq!(flags.text("write-out"), "json");
        assert!(!flags.is_given("endpoints") && flags.list("endpoints") == ["a"]);
    }

    #[test]
    fn a_list_grows_and_a_switch_needs_the_equals_sign() {
        let (flags, others) =
            parse(&["--endpoints", "b,c", "--endpoints=d", "--prefix=false", "true"]).unwrap();
        assert_eq!(flags.list("endpoints"), ["b", "c", "d"]);
        assert_eq!((flags.bool("prefix"), others), (false, vec!["true".to_owned()]));
    }

    #[test]
    fn refusals_read_like_etcdctl() {
        let invalid = "strconv.ParseBool: parsing \"x\": invalid syntax";
        let table = [
            (vec!["--zz"], "unknown flag: --zz".to_owned()),
            (vec!["-dz"], "unknown shorthand flag: 'z' in -dz".to_owned()),
            (vec!["--rev"], "flag needs an argument: --rev".to_owned()),
            (vec!["-w"], "flag needs an argument: 'w' in -w".to_owned()),
            (vec!["--=1"], "bad flag syntax: --=1".to_owned()),
            (vec!["-d=x"], format!("invalid argument \"x\" for \"-d, --debug\" flag: {invalid}")),
            (vec!["--rev", "1", "-h"], "help".to_owned()),
        ];
        for (args, expected) in table {
            assert_eq!(refusal(&args), expected);
        }
    }
}
