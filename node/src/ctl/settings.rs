//! What every command knows: the global flags, each of which may come from the environment too.
//!
//! **Departure**: etcdctl ignores a value in the environment that it cannot read; here it is an
//! error, because nobody wants a timeout of his to be silently another.

use std::ffi::OsString;
use std::time::Duration;

use super::flags::{Flag, Flags, Kind};
use super::{Exit, Failure};

/// The global flags.
pub static GLOBAL: [Flag; 20] = [
    Flag::new("cacert", Kind::Text, "", "CA certificates to check servers with (not yet)"),
    Flag::new("cert", Kind::Text, "", "certificate of this client (not yet)"),
    Flag::new("command-timeout", Kind::Duration, "5s", "time for one short command"),
    Flag::switch("debug", "print the settings to stderr"),
    Flag::new("dial-timeout", Kind::Duration, "2s", "time for one attempt to connect"),
    Flag::new("discovery-srv", Kind::Text, "", "domain whose SRV records name endpoints (not yet)")
        .short('d'),
    Flag::new("discovery-srv-name", Kind::Text, "", "suffix of the SRV service name (not yet)"),
    Flag::new("endpoints", Kind::List, "127.0.0.1:2379", "where the cluster listens"),
    Flag::switch("hex", "write bytes and ids in hex"),
    Flag::new("insecure-discovery", Kind::Bool, "true", "take plain endpoints from SRV records"),
    Flag::switch("insecure-skip-tls-verify", "do not check the certificate of a server"),
    Flag::new("insecure-transport", Kind::Bool, "true", "connect without TLS"),
    Flag::new("keepalive-time", Kind::Duration, "2s", "idle time before a ping"),
    Flag::new("keepalive-timeout", Kind::Duration, "6s", "wait for the answer to a ping"),
    Flag::new("key", Kind::Text, "", "private key of this client (not yet)"),
    Flag::new("max-recv-bytes", Kind::Int, "0", "largest answer (not yet)"),
    Flag::new("max-request-bytes", Kind::Int, "0", "largest request (not yet)"),
    Flag::new("password", Kind::Text, "", "password of the user (not yet)"),
    Flag::new("user", Kind::Text, "", "name[:password] to log in with (not yet)"),
    Flag::new("write-out", Kind::Text, "simple", "fields, json, protobuf, simple or table")
        .short('w'),
];

/// Declared so that nobody's `--user` is taken for a misprint, or worse, for granted.
const NOT_YET: [&str; 9] = [
    "cacert",
    "cert",
    "discovery-srv",
    "discovery-srv-name",
    "key",
    "max-recv-bytes",
    "max-request-bytes",
    "password",
    "user",
];

/// Read by other means than as a flag.
const OTHER_VARIABLES: [&str; 2] = ["ETCDCTL_WATCH_KEY", "ETCDCTL_WATCH_RANGE_END"];

/// The values of the global flags.
#[derive(Clone, Debug)]
pub struct Settings {
    /// As the user wrote them.
    pub endpoints: Vec<String>,
    /// For one attempt to connect.
    pub dial_timeout: Duration,
    /// For one short command.
    pub command_timeout: Duration,
    /// Whether that was asked for: then it counts for the long commands too.
    pub is_timeout_given: bool,
    /// Idle time before a ping.
    pub keepalive_time: Duration,
    /// Wait for the answer to a ping.
    pub keepalive_timeout: Duration,
    /// Of the output.
    pub format: Format,
    /// Bytes and ids in hex.
    pub hex: bool,
}

/// Of the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Lines for people.
    Simple,
    /// One line of Go's JSON.
    Json,
    /// `"Name" : value` per line.
    Fields,
    /// A frame of dashes.
    Table,
    /// The message as it came.
    Protobuf,
}

impl Settings {
    /// From the flags and, where they are not given, the variables.
    pub fn new(
        flags: &mut Flags,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Failure> {
        take_variables(flags, variables)?;
        if flags.bool("debug") {
            for flag in &GLOBAL {
                eprintln!("{}={}", variable(flag.name), flags.text(flag.name));
            }
        }
        for name in NOT_YET {
            if flags.is_given(name) {
                return Err(Failure::new(
                    Exit::Arguments,
                    format!("--{name} is not supported yet"),
                ));
            }
        }
        if !flags.bool("insecure-transport") {
            return Err(Failure::new(Exit::Arguments, "TLS is not supported yet"));
        }
        let Some(format) = Format::named(flags.text("write-out")) else {
            return Err(Failure::new(Exit::Feature, "unsupported output format"));
        };
        Ok(Self {
            endpoints: flags.list("endpoints"),
            dial_timeout: flags.duration("dial-timeout"),
            command_timeout: flags.duration("command-timeout"),
            is_timeout_given: flags.is_given("command-timeout"),
            keepalive_time: flags.duration("keepalive-time"),
            keepalive_timeout: flags.duration("keepalive-timeout"),
            format,
            hex: flags.bool("hex"),
        })
    }
}

impl Format {
    /// The name on the command line, which is also that of the message about it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Json => "json",
            Self::Fields => "fields",
            Self::Table => "table",
            Self::Protobuf => "protobuf",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all = [Self::Simple, Self::Json, Self::Fields, Self::Table, Self::Protobuf];
        all.into_iter().find(|format| format.name() == name)
    }
}

fn variable(flag: &str) -> String {
    format!("ETCDCTL_{}", flag.to_ascii_uppercase().replace('-', "_"))
}

fn take_variables(
    flags: &mut Flags,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(), Failure> {
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with("ETCDCTL_")) else {
            continue;
        };
        let value = value.to_string_lossy();
        let Some(flag) = GLOBAL.iter().find(|flag| variable(flag.name) == name) else {
            if !OTHER_VARIABLES.contains(&name) {
                log("warn", "unrecognized environment variable", &format!("{name}={value}"));
            }
            continue;
        };
        if flags.is_given(flag.name) {
            let text = "conflicting environment variable is shadowed by corresponding \
                        command-line flag (either unset environment variable or disable flag))";
            log("fatal", text, name);
            return Err(Failure::silent(Exit::Error));
        }
        if !value.is_empty() {
            flags.set(flag.name, &value).map_err(|why| {
                Failure::new(
                    Exit::Arguments,
                    format!("invalid value \"{value}\" for {name}: {why}"),
                )
            })?;
        }
    }
    Ok(())
}

/// A line in the form of etcdctl's log.
fn log(level: &str, text: &str, variable: &str) {
    let variable = serde_json::Value::from(variable);
    eprintln!("{{\"level\":\"{level}\",\"msg\":\"{text}\",\"environment-variable\":{variable}}}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(args: &[&str], variables: &[(&str, &str)]) -> Result<Settings, Failure> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let mut flags = Flags::new(GLOBAL.iter().collect());
        flags.parse(&args).map_err(|_| Failure::silent(Exit::Error))?;
        Settings::new(&mut flags, variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn a_variable_stands_in_for_a_flag() {
        let variables = [("ETCDCTL_ENDPOINTS", "a:1,b:2"), ("ETCDCTL_API", "3"), ("OTHER", "x")];
        let settings = settings(&["-w", "json"], &variables).unwrap();
        assert_eq!(settings.endpoints, ["a:1", "b:2"]);
        assert_eq!(settings.format, Format::Json);
    }

    #[test]
    fn a_flag_with_its_variable_is_refused_even_when_that_is_empty() {
        let failure = settings(&["--hex"], &[("ETCDCTL_HEX", "")]).unwrap_err();
        assert_eq!(failure, Failure::silent(Exit::Error));
    }

    #[test]
    fn what_is_not_there_yet_is_said_and_not_ignored() {
        let failure = settings(&["--user", "root"], &[]).unwrap_err();
        assert_eq!(failure, Failure::new(Exit::Arguments, "--user is not supported yet"));
        let failure = settings(&["-w", "xml"], &[]).unwrap_err();
        assert_eq!(failure, Failure::new(Exit::Feature, "unsupported output format"));
        let failure = settings(&[], &[("ETCDCTL_DIAL_TIMEOUT", "abc")]).unwrap_err();
        assert_eq!(failure.exit, Exit::Arguments);
    }
}
