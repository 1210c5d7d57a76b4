//! `watch`: shows changes as they happen, and runs a program for each.
//!
//! ```text
//! watch key [end] [-- program args]         one watcher, until the server ends it
//! watch -i   <  "watch key ...", "progress" any number of them, until there are no more lines
//! ```
//!
//! The key may come from the environment instead.
//!
//! Not here: what survives a broken connection (`watchers.rs`).

use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::{Command, Stdio};

use bytes::Bytes;
use quorate_core::api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use quorate_core::api::mvccpb::Event;
use tokio::sync::mpsc::{Receiver, channel};

use super::client::Client;
use super::flags::{Flag, Flags, Kind, Refused};
use super::print::Printer;
use super::settings::Settings;
use super::watchers::{News, Watchers};
use super::{Exit, Failure, go, kv, line};

/// The flags of `watch`.
pub static FLAGS: [Flag; 5] = [
    Flag::switch("interactive", "read what to watch from stdin, line by line").short('i'),
    Flag::switch("prefix", "all keys that begin with this"),
    Flag::switch("prev-kv", "show what a pair was before the change, too"),
    Flag::switch("progress-notify", "have the server tell from time to time how far it is"),
    Flag::new("rev", Kind::Int, "0", "first revision to show"),
];

/// The texts of the server for two ends without words of their own.
const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";
const FUTURE: &str = "etcdserver: mvcc: required revision is a future revision";

/// `watch`
pub async fn watch(
    flags: &Flags,
    args: &[Vec<u8>],
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let variables = Variables::read()?;
    let watchers = Watchers::new(Client::patient(settings)?);
    let mut session = Session { variables, watchers, programs: Vec::new(), printer };
    if flags.bool("interactive") {
        return session.obey_lines(typed_lines()).await;
    }
    let subject = Subject::new(flags, args, &session.variables)?;
    session.start(subject.request(flags).map_err(bad)?, subject.program);
    loop {
        let news = session.watchers.next().await;
        if session.show(news).await? {
            return Err(Failure::new(Exit::Interrupted, "watch is canceled by the server"));
        }
    }
}

/// What the environment says about the key.
struct Variables {
    key: Vec<u8>,
    end: Vec<u8>,
}

impl Variables {
    fn read() -> Result<Self, Failure> {
        let read = |name| std::env::var_os(name).unwrap_or_default().into_vec();
        let (key, end) = (read("ETCDCTL_WATCH_KEY"), read("ETCDCTL_WATCH_RANGE_END"));
        if key.is_empty() && !end.is_empty() {
            let end = go::quote(&end);
            let text = format!("ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END={end}");
            return Err(bad(&text));
        }
        Ok(Self { key, end })
    }
}

/// What is to be watched, and the program to be run.
struct Subject {
    keys: Vec<Vec<u8>>,
    program: Vec<OsString>,
}

impl Subject {
    fn new(flags: &Flags, args: &[Vec<u8>], variables: &Variables) -> Result<Self, Failure> {
        let (keys, program) = match flags.before_dashes() {
            Some(place) => args.split_at(place),
            None => (args, [].as_slice()),
        };
        if flags.before_dashes().is_some() && program.is_empty() {
            return Err(bad("bad number of arguments (found separator --, but no commands)"));
        }
        let mut keys = keys.to_vec();
        if !variables.key.is_empty() {
            if !keys.is_empty() {
                return Err(bad("bad number of arguments (found conflicting environment key)"));
            }
            keys.push(variables.key.clone());
            keys.extend(Some(variables.end.clone()).filter(|end| !end.is_empty()));
        } else if keys.is_empty() && program.is_empty() {
            return Err(bad("bad number of arguments"));
        }
        let program = program.iter().cloned().map(OsString::from_vec).collect();
        Ok(Self { keys, program })
    }

    /// The request, or what is wrong with a line that is otherwise well formed. As with etcdctl,
    /// an end counts only if nothing stands behind it.
    fn request(&self, flags: &Flags) -> Result<WatchCreateRequest, &'static str> {
        let prefix = flags.bool("prefix");
        let (key, range_end) = match self.keys.as_slice() {
            [] => return Err("bad number of arguments"),
            [_, _] if prefix => return Err("`range_end` and `--prefix` are mutually exclusive"),
            [key, ..] if prefix => kv::prefix(key),
            [key, end] => (Bytes::copy_from_slice(key), Bytes::copy_from_slice(end)),
            [key, ..] => (Bytes::copy_from_slice(key), Bytes::new()),
        };
        Ok(WatchCreateRequest {
            key,
            range_end,
            start_revision: flags.int("rev"),
            progress_notify: flags.bool("progress-notify"),
            prev_kv: flags.bool("prev-kv"),
            ..WatchCreateRequest::default()
        })
    }
}

/// The watchers of one run, and what is to be done with their news.
struct Session<'a, W> {
    variables: Variables,
    watchers: Watchers,
    /// One for each watcher; empty if there is nothing to run.
    programs: Vec<Vec<OsString>>,
    printer: &'a mut Printer<W>,
}

impl<W: Write> Session<'_, W> {
    fn start(&mut self, request: WatchCreateRequest, program: Vec<OsString>) {
        self.watchers.add(request);
        self.programs.push(program);
    }

    async fn obey_lines(
        &mut self,
        mut lines: Receiver<Result<Vec<u8>, String>>,
    ) -> Result<(), Failure> {
        loop {
            tokio::select! {
                line = lines.recv() => match line {
                    Some(Ok(line)) => self.obey(&line)?,
                    Some(Err(why)) => {
                        let text = format!("error reading watch request line: {why}");
                        return Err(Failure::new(Exit::Input, text));
                    }
                    None => unreachable!("what comes last is an error, and ends the run"),
                },
                news = self.watchers.next() => drop(self.show(news).await?),
            }
        }
    }

    /// A line that is no command is told of; one whose arguments make no sense ends the run.
    fn obey(&mut self, line: &[u8]) -> Result<(), Failure> {
        let shown = String::from_utf8_lossy(line);
        let words = line::words(line)?;
        let (command, args) = match words.split_first() {
            Some((command, args)) => (command.as_slice(), args),
            None => {
                eprintln!("Invalid command: {shown} (watch and progress supported)");
                return Ok(());
            }
        };
        match command {
            b"watch" if args.is_empty() && self.variables.key.is_empty() => {
                eprintln!("Invalid command {shown} (command type or key is not provided)");
            }
            b"watch" => {
                if let Err(why) = self.obey_watch(args)? {
                    eprintln!("Invalid command {shown} ({why})");
                }
            }
            b"progress" => self.watchers.ask_progress(),
            _ => eprintln!("Invalid command {shown} (only support watch)"),
        }
        Ok(())
    }

    fn obey_watch(&mut self, args: &[Vec<u8>]) -> Result<Result<(), &'static str>, Failure> {
        let mut flags = Flags::new(FLAGS.iter().collect());
        let args: Vec<_> = args.iter().cloned().map(OsString::from_vec).collect();
        let args = flags.parse(&args).map_err(|refused| match refused {
            Refused::Help => bad("pflag: help requested"),
            Refused::Bad(text) => bad(&text),
        })?;
        let subject = Subject::new(&flags, &args, &self.variables)?;
        Ok(subject.request(&flags).map(|request| self.start(request, subject.program)))
    }

    /// Tells whether it was the last of this watcher.
    async fn show(&mut self, news: News) -> Result<bool, Failure> {
        let News { watcher, answer } = news;
        if answer.canceled {
            eprintln!("watch was canceled ({})", reason(&answer));
        }
        self.printer.watch(&answer)?;
        let program = &self.programs[watcher];
        if let Some((name, args)) = program.split_first() {
            let revision = answer.header.map_or(0, |header| header.revision);
            for event in &answer.events {
                let command = command(name, args, revision, event);
                run(command, program).await?;
            }
        }
        Ok(answer.canceled)
    }
}

fn reason(answer: &WatchResponse) -> &str {
    if answer.compact_revision != 0 {
        COMPACTED
    } else if answer.cancel_reason.is_empty() {
        FUTURE
    } else {
        &answer.cancel_reason
    }
}

fn command(name: &OsStr, args: &[OsString], revision: i64, event: &Event) -> Command {
    let pair = event.kv.clone().unwrap_or_default();
    let quoted = |bytes: &[u8]| go::quote(bytes);
    let mut command = Command::new(name);
    command
        .args(args)
        .stdin(Stdio::null())
        .env("ETCD_WATCH_REVISION", revision.to_string())
        .env("ETCD_WATCH_EVENT_TYPE", quoted(event.r#type().as_str_name().as_bytes()))
        .env("ETCD_WATCH_KEY", quoted(&pair.key))
        .env("ETCD_WATCH_VALUE", quoted(&pair.value));
    command
}

/// Runs a program to its end, while the connection goes on. Its failure ends everything.
async fn run(mut command: Command, words: &[OsString]) -> Result<(), Failure> {
    let status = tokio::task::spawn_blocking(move || command.status()).await;
    let why = match status {
        Ok(Ok(status)) if status.success() => return Ok(()),
        Ok(Ok(status)) => match status.code() {
            Some(code) => format!("exit status {code}"),
            None => status.to_string(),
        },
        Ok(Err(why)) => not_started(&words[0], &why),
        Err(why) => why.to_string(),
    };
    let words: Vec<_> = words.iter().map(|word| go::quote(word.as_bytes())).collect();
    eprintln!("command [{}] error ({why})", words.join(" "));
    Err(Failure::silent(Exit::Error))
}

fn not_started(name: &OsStr, why: &std::io::Error) -> String {
    let is_path = name.as_bytes().contains(&b'/');
    match why.kind() {
        ErrorKind::NotFound if !is_path => {
            format!("exec: {}: executable file not found in $PATH", go::quote(name.as_bytes()))
        }
        kind => {
            let text = match kind {
                ErrorKind::NotFound => "no such file or directory".to_owned(),
                ErrorKind::PermissionDenied => "permission denied".to_owned(),
                _ => why.to_string(),
            };
            format!("fork/exec {}: {text}", name.to_string_lossy())
        }
    }
}

/// Lines as they are typed; behind the last one comes why there are no more.
fn typed_lines() -> Receiver<Result<Vec<u8>, String>> {
    let (lines, typed) = channel(1);
    // Reading a terminal cannot be given up, so it has a thread that nobody waits for.
    std::thread::spawn(move || {
        loop {
            let line = line::read(&mut std::io::stdin().lock());
            let is_last = line.is_err();
            if lines.blocking_send(line).is_err() || is_last {
                break;
            }
        }
    });
    typed
}

fn bad(text: &str) -> Failure {
    Failure::new(Exit::Arguments, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(args: &[&str], key: &str, end: &str) -> Result<(String, Vec<OsString>), String> {
        let variables = Variables { key: key.into(), end: end.into() };
        let mut flags = Flags::new(FLAGS.iter().collect());
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let args = flags.parse(&args).expect("known flags");
        let subject = Subject::new(&flags, &args, &variables).map_err(|failure| failure.text)?;
        let request = subject.request(&flags)?;
        Ok((format!("{:?} {:?}", request.key, request.range_end), subject.program))
    }

    /// Arguments, the key and the end in the environment, the range, the program.
    type Case<'a> = (&'a [&'a str], &'a str, &'a str, &'a str, &'a [&'a str]);

    #[test]
    fn keys_ends_and_programs() {
        let good: [Case<'_>; 8] = [
            (&["k"], "", "", "b\"k\" b\"\"", &[]),
            (&["a", "c", "--", "p", "--rev"], "", "", "b\"a\" b\"c\"", &["p", "--rev"]),
            (&["a", "c", "x"], "", "", "b\"a\" b\"\"", &[]),
            (&["ab", "--prefix"], "", "", "b\"ab\" b\"ac\"", &[]),
            (&["", "--prefix"], "", "", "b\"\\0\" b\"\\0\"", &[]),
            (&[], "a", "c", "b\"a\" b\"c\"", &[]),
            (&["--", "p"], "a", "", "b\"a\" b\"\"", &["p"]),
            (&["--prefix"], "a", "", "b\"a\" b\"b\"", &[]),
        ];
        for (args, key, end, expected, program) in good {
            let program = program.iter().map(OsString::from).collect();
            assert_eq!(subject(args, key, end), Ok((expected.to_owned(), program)), "{args:?}");
        }
        let bad: [(&[&str], &str, &str); 5] = [
            (&[], "", "bad number of arguments"),
            (&["--", "p"], "", "bad number of arguments"),
            (&["k", "--"], "", "bad number of arguments (found separator --, but no commands)"),
            (&["k"], "a", "bad number of arguments (found conflicting environment key)"),
            (&["a", "c", "--prefix"], "", "`range_end` and `--prefix` are mutually exclusive"),
        ];
        for (args, key, text) in bad {
            assert_eq!(subject(args, key, ""), Err(text.to_owned()), "{args:?}");
        }
    }
}
