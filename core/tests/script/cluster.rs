//! Members side by side, and the wire between them.
//!
//! Messages wait on the wire in the order of sending until a command delivers, drops, repeats or
//! delays them. Which ones it means can be narrowed down: to a receiver (`n2`), a sender
//! (`from n1`), a kind (`append`), the how manieth of those (`3`). It must mean some message.
//!
//! Not here: what a member does by itself (`node.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;

use quorate_core::member::{Config, Input};
use quorate_core::planted::Bug;
use quorate_core::raft::{ARREARS_BYTES, Envelope, Message, WINDOW_BYTES};
use quorate_core::types::{ClusterId, NodeId, Ticks};

use super::node::Node;
use super::{Words, number, with_names};

#[derive(Default)]
pub struct Cluster {
    nodes: BTreeMap<NodeId, Node>,
    wire: Vec<Envelope>,
    /// Messages that are late.
    held: Vec<Envelope>,
    /// The side of a partition that a node is on.
    sides: BTreeMap<NodeId, usize>,
    lines: Vec<String>,
}

impl Cluster {
    /// What was caused since this was asked last.
    pub fn report(&mut self) -> String {
        let lines = take(&mut self.lines);
        if lines.is_empty() { "(nothing)".to_string() } else { lines.join("\n") }
    }

    /// Carries out one command.
    pub fn run(&mut self, command: &str) -> Result<(), String> {
        let mut words = Words::of(command);
        match words.next()? {
            "quietly" => {
                let before = self.lines.len();
                self.run(command.trim_start_matches("quietly"))?;
                self.lines.truncate(before);
                return Ok(());
            }
            "cluster" => self.found(&mut words)?,
            "deliver" => self.deliver(&mut words)?,
            "drop" => drop(self.take(&mut words)?),
            "duplicate" => {
                for at in self.chosen(&mut words)? {
                    self.wire.push(self.wire[at].clone());
                }
            }
            "hold" => {
                let late = self.take(&mut words)?;
                self.held.extend(late);
            }
            "spoil" => self.spoil(&mut words)?,
            "release" => self.wire.append(&mut self.held),
            "isolate" | "partition" => self.cut_off(&words.nodes()),
            "heal" => self.sides.clear(),
            "stabilize" => self.stabilize()?,
            verb => {
                let named = words.nodes();
                let all = || self.nodes.keys().copied().collect();
                let nodes: Vec<NodeId> = if named.is_empty() { all() } else { named };
                if nodes.is_empty() {
                    return Err("there is no cluster yet".to_string());
                }
                let rest = words.clone();
                for node in nodes {
                    words = rest.clone();
                    self.with(node, |node| node.run(verb, &mut words))??;
                }
            }
        }
        words.end()
    }

    fn found(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let voters: BTreeSet<NodeId> = words.nodes().into_iter().collect();
        let mut config = Config {
            id: NodeId(0),
            cluster: ClusterId(1),
            boot: 1,
            voters: voters.clone(),
            heartbeat: Ticks(5),
            election: Ticks(10),
            discard_batch: 1000,
            lease_checkpoint: Ticks::from_millis(300_000),
            kept_tail: 1000,
            window: WINDOW_BYTES,
            arrears: ARREARS_BYTES,
            seed: 0,
            planted: None,
        };
        while let Ok(word) = words.next() {
            match word.split_once('=') {
                Some(("heartbeat", ticks)) => config.heartbeat = Ticks(number(ticks)?),
                Some(("election", ticks)) => config.election = Ticks(number(ticks)?),
                Some(("planted", name)) => {
                    config.planted = Bug::ALL.iter().copied().find(|bug| bug.name() == name);
                }
                Some(("discard", entries)) => config.discard_batch = number(entries)?,
                Some(("tail", entries)) => config.kept_tail = number(entries)?,
                Some(("window", bytes)) => config.window = number(bytes)?,
                Some(("arrears", bytes)) => config.arrears = number(bytes)?,
                Some(_) | None => return Err(format!("{word:?} is neither node nor option")),
            }
        }
        for id in voters {
            self.nodes.insert(id, Node::found(Config { id, seed: id.0, ..config.clone() }));
        }
        Ok(())
    }

    fn deliver(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        for envelope in self.take(words)? {
            self.with(envelope.to, |node| node.take_in([Input::Receive(envelope)]))?;
        }
        Ok(())
    }

    fn take(&mut self, words: &mut Words<'_>) -> Result<Vec<Envelope>, String> {
        let chosen = self.chosen(words)?;
        let mut at = 0..;
        Ok(self.wire.extract_if(.., |_| chosen.contains(&at.next().unwrap_or(0))).collect())
    }

    /// Changes the last bit of parts of snapshots: what their sender read is not what it had
    /// written.
    fn spoil(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        for at in self.chosen(words)? {
            let Message::Snapshot { chunk, .. } = &mut self.wire[at].message else {
                return Err(format!("{} is no part of a snapshot", self.wire[at]));
            };
            let mut bytes = chunk.bytes.to_vec();
            *bytes.last_mut().ok_or("an empty part")? ^= 1;
            chunk.bytes = bytes.into();
        }
        Ok(())
    }

    /// The places of the messages that are meant.
    fn chosen(&self, words: &mut Words<'_>) -> Result<Vec<usize>, String> {
        let narrowed = !words.0.is_empty();
        let mut chosen: Vec<usize> = (0..self.wire.len()).collect();
        while !words.0.is_empty() {
            if let Some(to) = words.node() {
                chosen.retain(|at| self.wire[*at].to == to);
                continue;
            }
            let word = words.next()?;
            if word == "from" {
                let from = words.node();
                chosen.retain(|at| Some(self.wire[*at].from) == from);
            } else if let Ok(nth) = word.parse::<usize>() {
                chosen = chosen.get(nth.wrapping_sub(1)).copied().into_iter().collect();
            } else {
                chosen.retain(|at| self.wire[*at].message.kind() == word);
            }
        }
        let missed = narrowed && chosen.is_empty();
        if missed { Err("no such message is on the wire".to_string()) } else { Ok(chosen) }
    }

    /// Puts nodes on a side of their own. What is under way across the cut is lost.
    fn cut_off(&mut self, nodes: &[NodeId]) {
        let side = self.sides.values().max().map_or(1, |side| side + 1);
        self.sides.extend(nodes.iter().map(|node| (*node, side)));
        let sides = &self.sides;
        self.wire.retain(|envelope| sides.get(&envelope.from) == sides.get(&envelope.to));
    }

    /// Delivers, syncs, applies and carries until nothing is left to do.
    fn stabilize(&mut self) -> Result<(), String> {
        let mut before = None;
        while before != Some(self.lines.len()) {
            before = Some(self.lines.len());
            self.run("deliver")?;
            self.run("sync")?;
            self.run("apply")?;
            self.run("carry")?;
        }
        Ok(())
    }

    /// Has a node do something, notes what it said and puts on the wire what it sent.
    fn with<T>(&mut self, id: NodeId, act: impl FnOnce(&mut Node) -> T) -> Result<T, String> {
        let node = self.nodes.get_mut(&id).ok_or(with_names(&format!("there is no {id}")))?;
        let result = act(node);
        let said = take(&mut node.lines).into_iter();
        self.lines.extend(said.map(|line| with_names(&format!("{id}: {line}"))));
        let (sent, sides) = (take(&mut node.sends).into_iter(), &self.sides);
        self.wire.extend(sent.filter(|sent| sides.get(&sent.from) == sides.get(&sent.to)));
        Ok(result)
    }
}
