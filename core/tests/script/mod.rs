//! The language of the traces: how a file is read, and how its transcript is made anew.
//!
//! ```text
//! # A paragraph of comments.                                      kept as it is
//!
//! # Comments and                                                  kept as they are
//! cluster n1 n2 n3   # commands,
//! campaign n1
//! ----                                                            a rule,
//! n1: send n1 -> n2 @2 request-pre-vote last=1@1                  and what the commands caused,
//!                                                                 up to a blank line: made anew
//! ```
//! `traces/README.md` explains the commands. Those about the wire and the cluster are in
//! `cluster.rs`, those that a member carries out itself in `node.rs` and `snapshots.rs`, those
//! about its watchers in `watch.rs`.

mod cluster;
mod disk;
mod node;
mod snapshots;
mod watch;

use std::any::Any;
use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;

use bytes::Bytes;
use quorate_core::types::NodeId;

use cluster::Cluster;

const RULE: &str = "----";
/// Nodes print in hex, and "a1" stands nowhere else in a line: so it can become "n1" in all lines.
const FIRST_NODE: u64 = 0xa0;

/// Runs the commands of a trace. Returns the whole file as it should be, or the number of the line
/// that is wrong, and why.
pub fn replay(text: &str) -> Result<String, (usize, String)> {
    let at = Cell::new(0);
    let outcome = catch_unwind(AssertUnwindSafe(|| transcribe(text, &at)));
    let outcome =
        outcome.unwrap_or_else(|panic| Err(format!("the core panics: {}", told(&*panic))));
    outcome.map_err(|complaint| (at.get(), complaint))
}

fn transcribe(text: &str, at: &Cell<usize>) -> Result<String, String> {
    let mut cluster = Cluster::default();
    let mut transcript = String::new();
    let mut lines = text.lines().zip(1..).peekable();
    while lines.peek().is_some() {
        let mut has_commands = false;
        for (line, number) in lines.by_ref().take_while(|(line, _)| !["", RULE].contains(line)) {
            at.set(number);
            transcript += &format!("{line}\n");
            let command = line.split('#').next().unwrap_or_default().trim();
            if !command.is_empty() {
                has_commands = true;
                cluster.run(command)?;
            }
        }
        if has_commands {
            transcript += &format!("{RULE}\n{}\n", cluster.report());
            // The lines that stood there so far are either the same, or out of date.
            lines.by_ref().take_while(|(line, _)| !line.is_empty()).for_each(drop);
        }
        transcript += "\n";
    }
    Ok(transcript.trim_end().to_string() + "\n")
}

fn told(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}

fn with_names(line: &str) -> String {
    let name =
        |line: String, n| line.replace(&NodeId(FIRST_NODE + n).to_string(), &format!("n{n}"));
    (1..10).fold(line.to_string(), name)
}

fn number<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{word:?} is no such number"))
}

/// The words of a command that were not read yet.
#[derive(Clone)]
struct Words<'a>(VecDeque<&'a str>);

impl<'a> Words<'a> {
    fn of(command: &'a str) -> Self {
        Self(command.split_whitespace().collect())
    }

    fn next(&mut self) -> Result<&'a str, String> {
        self.0.pop_front().ok_or("a word is missing".to_string())
    }

    /// The next word, if it is a node.
    fn node(&mut self) -> Option<NodeId> {
        let n: u64 = self.0.front()?.strip_prefix('n')?.parse().ok()?;
        let word = self.0.pop_front_if(|_| (1..10).contains(&n));
        word.map(|_| NodeId(FIRST_NODE + n))
    }

    fn nodes(&mut self) -> Vec<NodeId> {
        std::iter::from_fn(|| self.node()).collect()
    }

    /// The next word as a number, or what is meant without one.
    fn count(&mut self, default: usize) -> Result<usize, String> {
        self.next().map_or(Ok(default), number)
    }

    /// The value of `name=value`.
    fn after(&mut self, name: &str) -> Result<&'a str, String> {
        let value = self.next()?.strip_prefix(name).and_then(|word| word.strip_prefix('='));
        value.ok_or(format!("{name}=.. is missing"))
    }

    /// The next word as a key or value: `x*9` is nine x.
    fn bytes(&mut self) -> Result<Bytes, String> {
        let word = self.next()?;
        match word.strip_prefix("x*") {
            Some(times) => Ok(vec![b'x'; number(times)?].into()),
            None => Ok(Bytes::copy_from_slice(word.as_bytes())),
        }
    }

    fn end(&self) -> Result<(), String> {
        self.0.front().map_or(Ok(()), |word| Err(format!("what is {word:?} for?")))
    }
}
