//! One session of commands, run by `etcdctl` and by `quorate ctl`, on etcd and on Quorate.
//!
//! ```text
//!              etcdctl    quorate ctl
//!   etcd          A            B          each on a server of its own, started for it
//!   Quorate       C            D          A = B = C = D, but for what is masked
//! ```
//!
//! A server that begins empty answers the same to the same commands, revisions included. What must
//! differ is masked: ports, ids, and spans of time.
//!
//! Not here: the sessions.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::Server;
use super::etcd::{self, Etcd};
use super::proxy::Proxy;

/// How long a stream may take to tell what it must tell.
const SOON: Duration = Duration::from_secs(20);

/// How long a stream is watched for telling more than that.
const A_WHILE: Duration = Duration::from_millis(200);

/// One server, whichever it is, until it is dropped.
enum AnyServer {
    Etcd(Etcd),
    Quorate(Server),
}

/// A program, a server, and what was seen so far.
pub struct Session {
    program: &'static [&'static str],
    server: AnyServer,
    transcript: Vec<(String, String)>,
}

/// Runs a session with both programs on both servers and compares what they showed, step by step.
pub fn compare(name: &str, session: fn(&mut Session)) {
    compare_runs(name, &[&["etcdctl"], &QUORATE], session);
}

/// The same for what the installed etcdctl cannot do: ours alone, on both servers.
pub fn compare_servers(name: &str, session: fn(&mut Session)) {
    compare_runs(name, &[&QUORATE], session);
}

const QUORATE: [&str; 2] = [env!("CARGO_BIN_EXE_quorate"), "ctl"];

fn compare_runs(name: &str, programs: &[&'static [&'static str]], session: fn(&mut Session)) {
    if !etcd::is_installed(name) {
        return;
    }
    let mut runs = Vec::new();
    for is_ours in [false, true] {
        for program in programs.iter().copied() {
            let title = format!("{program:?} on {}", if is_ours { "Quorate" } else { "etcd" });
            runs.push((title, std::thread::spawn(move || Session::run(program, is_ours, session))));
        }
    }
    let mut transcripts = runs.into_iter().map(|(title, run)| {
        (title, run.join().unwrap_or_else(|why| std::panic::resume_unwind(why)))
    });
    let (first_title, first) = transcripts.next().unwrap();
    for (title, transcript) in transcripts {
        assert_eq!(transcript.len(), first.len());
        for ((step, seen), (_, expected)) in transcript.iter().zip(&first) {
            assert_eq!(seen, expected, "{step}\nleft: {title}\nright: {first_title}");
        }
    }
}

impl Session {
    fn run(
        program: &'static [&'static str],
        is_ours: bool,
        session: fn(&mut Self),
    ) -> Vec<(String, String)> {
        let server = if is_ours {
            let mut server = Server::single().with(etcd::SOON_PROGRESS);
            server.run();
            AnyServer::Quorate(server)
        } else {
            AnyServer::Etcd(Etcd::run())
        };
        let mut run = Self { program, server, transcript: Vec::new() };
        session(&mut run);
        run.transcript
    }

    fn endpoint(&self) -> &str {
        match &self.server {
            AnyServer::Etcd(etcd) => &etcd.endpoint,
            AnyServer::Quorate(server) => server.client_url.strip_prefix("http://").unwrap(),
        }
    }

    /// How many steps there have been.
    pub fn steps(&self) -> usize {
        self.transcript.len()
    }

    /// What was noted last.
    pub fn last(&self) -> &str {
        &self.transcript.last().unwrap().1
    }

    /// What a command shows, which is of no interest to the comparison.
    pub fn ask(&self, line: &str) -> String {
        let output = self.command(line).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A command with blanks between its words. It ends by itself.
    pub fn ctl(&mut self, line: &str) -> String {
        self.typed(line, "")
    }

    /// The same in every format.
    pub fn formats(&mut self, line: &str) {
        for format in ["simple", "json", "fields", "table"] {
            self.ctl(&format!("{line} -w {format}"));
        }
    }

    /// A command that is told something on stdin.
    pub fn typed(&mut self, line: &str, stdin: &str) -> String {
        self.with(line, &[], stdin)
    }

    /// A command with some variables set.
    pub fn with(&mut self, line: &str, variables: &[(&str, &str)], stdin: &str) -> String {
        let mut command = self.command(line);
        let mut child = command.envs(variables.iter().copied()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).ok();
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let step = format!("{line} {variables:?} < {stdin:?}");
        self.note(step, &output);
        stdout
    }

    /// A command that ends only if it is told to, or by itself.
    pub fn start(&mut self, line: &str) -> Stream {
        Stream::new(self.command(line).spawn().unwrap(), line)
    }

    /// The same through a way to the server that can be cut.
    pub fn start_behind(&mut self, proxy: &Proxy, line: &str) -> Stream {
        let mut command = self.command(line);
        Stream::new(command.env("ETCDCTL_ENDPOINTS", &proxy.address).spawn().unwrap(), line)
    }

    /// A way to the server that can be cut.
    pub fn proxy(&self) -> Proxy {
        Proxy::to(self.endpoint().to_owned())
    }

    /// Notes what a stream has shown: so many lines, and nothing more for a while. Then ends it.
    pub fn shows(&mut self, mut stream: Stream, lines: usize) {
        stream.wait_lines(lines);
        std::thread::sleep(A_WHILE);
        stream.child.kill().unwrap();
        self.ends(stream);
    }

    /// Notes what a stream has shown when it has ended by itself.
    pub fn ends(&mut self, mut stream: Stream) {
        drop(stream.stdin.take());
        let status = stream.child.wait().unwrap();
        stream.shown.extend(stream.lines.iter());
        let mut stderr = Vec::new();
        stream.child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        let stdout = stream.shown.concat().into_bytes();
        self.note(stream.title, &Output { status, stdout, stderr });
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(self.program[0]);
        command
            .args(&self.program[1..])
            .args(line.split(' ').filter(|word| !word.is_empty()))
            .env("ETCDCTL_API", "3")
            .env("ETCDCTL_ENDPOINTS", self.endpoint())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn note(&mut self, step: String, output: &Output) {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        // Usage has everybody's own words, and stands on another channel in 3.4.
        let stdout = if stdout.starts_with("NAME:") { "" } else { &stdout };
        let beginnings = ["Error: ", "watch was ", "Invalid command", "command [", "Failed to "];
        let mut told: Vec<_> = stderr
            .lines()
            .filter(|line| beginnings.iter().any(|beginning| line.starts_with(beginning)))
            .collect();
        // 3.4 repeats the line of a usage error.
        told.dedup();
        let seen = format!("{stdout}{}\n{:?}", told.join("\n"), output.status.code());
        let seen = mask(&as_3_6(&seen));
        self.transcript.push((step, seen));
    }
}

/// A running command whose lines are read as they come.
pub struct Stream {
    title: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    shown: Vec<String>,
}

impl Stream {
    fn new(mut child: Child, line: &str) -> Self {
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut line = Vec::new();
            while stdout.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                let text = String::from_utf8_lossy(&line).into_owned();
                if sender.send(text).is_err() {
                    break;
                }
                line.clear();
            }
        });
        let stdin = child.stdin.take();
        Self { title: line.to_owned(), child, stdin, lines, shown: Vec::new() }
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        self.title.push_str(&format!(" < {line:?}"));
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The first lines that are shown. Then ends it.
    pub fn first_lines(mut self, count: usize) -> Vec<String> {
        self.wait_lines(count);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.shown.truncate(count);
        self.shown
    }

    /// Waits until so many lines have been shown in all.
    pub fn wait_lines(&mut self, count: usize) {
        let give_up = Instant::now() + SOON;
        while self.shown.len() < count {
            let left = give_up.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.shown.push(line),
                Err(why) => panic!("{}: {why} after {:?}", self.title, self.shown),
            }
        }
    }
}

/// What 3.4 writes differently, or does not know.
fn as_3_6(text: &str) -> String {
    let mut parts = text.split(",\"hash_revision\":");
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts
        .fold(first, |text, part| text + part.trim_start_matches(|c: char| c.is_ascii_digit()));
    text.replace("\"ResponseRange\"", "\"response_range\"")
        .replace("\"ResponsePut\"", "\"response_put\"")
        .replace("\"ResponseDeleteRange\"", "\"response_delete_range\"")
        .replace("\"Revision\" : 0\n", "")
        .replace("Error: Error reading", "Error: error reading")
}

/// Replaces ids, as numbers or in hex, ports, what is left of a lease, and how long it took.
fn mask(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let is_span = out.ends_with("\"took\":\"");
        let length =
            rest.find(|c| if is_span { c == '"' } else { !is_hex(c) }).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(length);
        let beginnings = ["remaining(", "\"ttl\":", "\"TTL\" : ", "127.0.0.1:"];
        let is_masked = beginnings.iter().any(|beginning| out.ends_with(beginning)) || is_span;
        let is_id = length >= 13 && !word.starts_with("0000");
        out.push_str(if is_masked || is_id { "#" } else { word });
        let next = behind.chars().next().map_or(0, char::len_utf8);
        out.push_str(&behind[..next]);
        rest = &behind[next..];
    }
    out
}
