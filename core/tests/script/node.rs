//! One member in the hands of a script. What the server's threads do by themselves happens here on
//! command: the log's thread is `sync`, the applier is `apply`, the storage thread is `store`; of
//! snapshots see `snapshots.rs`.
//!
//! ```text
//!   take_in --> Member --> writes --sync--> Wal::plan --> Disk --> receipt --> Member
//!                      --> apply --apply--> Store --> answers, applied --> Member
//! ```
//! A write becomes durable in `sync` and nowhere else. `crash` keeps the disk and what `store` kept
//! of the key space; all else is gone.

mod history;
mod lease;

use std::mem::take;

use bytes::Bytes;
use quorate_core::actors::{self, Answer, Waiters};
use quorate_core::api::etcdserverpb::{
    self, DeleteRangeRequest, PutRequest, RequestOp, ResponseHeader, TxnRequest, request_op,
};
use quorate_core::api::mvccpb::KeyValue;
use quorate_core::api::{Refusal, Response};
use quorate_core::courier::Order;
use quorate_core::member::{Config, Input, Member, Output};
use quorate_core::raft::{Entry, Envelope, View};
use quorate_core::request::{self, MAX_REQUEST_BYTES, Request};
use quorate_core::store::{Held, Row, Step, Store};
use quorate_core::types::{HardState, Index, LeaseCounts, LeaseId, NodeId, RequestId, Term, Ticks};
use quorate_core::wal::{Identity, Receipt, Recovered, Wal, Write};

use super::disk::{Disk, LAYOUT};
use super::snapshots::{self, Snapshots};
use super::watch::{self, Watches};
use super::{Words, number};

/// A member, its disk and its store.
pub struct Node {
    /// For the transcript.
    pub lines: Vec<String>,
    /// For the wire.
    pub sends: Vec<Envelope>,
    config: Config,
    member: Member,
    wal: Wal,
    disk: Disk,
    /// Handed over, and not durable.
    writes: Vec<Write>,
    /// Handed over, and not applied.
    committed: Vec<Entry>,
    store: Store,
    /// The store's durable copy.
    stored: Store,
    /// All rows that the store gave out, in order, and how many of them are in its copy.
    rows: Vec<Row>,
    stored_rows: usize,
    /// Answers that wait for removal to be durable.
    held: Held<Answer>,
    snapshots: Snapshots,
    /// Who waits, with the key that was asked for.
    waiters: Waiters<Bytes>,
    watches: Watches,
}

impl Node {
    /// A new member of a new cluster.
    pub fn found(config: Config) -> Self {
        let member = |id: &NodeId| etcdserverpb::Member { id: id.0, ..Default::default() };
        let command = request::found(config.voters.iter().map(member).collect());
        let founding = Entry { index: Index(1), term: Term(1), command };
        let (mut disk, mut plan) = (Disk::default(), Vec::new());
        let identity = Identity { cluster: config.cluster, member: config.id };
        Wal::create(identity, LAYOUT, founding, &mut plan);
        disk.execute(plan);
        Self::start(config, disk, (Store::new(), Vec::new()), Disk::default())
    }

    fn start(config: Config, mut disk: Disk, copy: (Store, Vec<Row>), snap: Disk) -> Self {
        let (stored, rows) = copy;
        let mut recovered = disk.recover().expect("a sound log");
        disk.execute(take(&mut recovered.repairs));
        let opened = snapshots::open(config.cluster, &snap, recovered.base, stored);
        let store = opened.expect("log, store and snapshots that fit together");
        let member = actors::start(config.clone(), &mut recovered, &store).expect("a sound disk");
        Self {
            lines: Vec::new(),
            sends: Vec::new(),
            member,
            wal: recovered.wal,
            disk,
            writes: Vec::new(),
            committed: Vec::new(),
            stored: store.clone(),
            watches: Watches::new(&config, &store),
            store,
            held: Held::default(),
            stored_rows: rows.len(),
            rows,
            snapshots: Snapshots::start(recovered.identity, snap),
            waiters: Waiters::new(config.id, config.boot),
            config,
        }
    }

    /// Carries out one command.
    pub fn run(&mut self, verb: &str, words: &mut Words<'_>) -> Result<(), String> {
        match verb {
            "given" => self.given(words)?,
            "tick" => (0..words.count(1)?).for_each(|_| self.tick()),
            "campaign" => self.campaign()?,
            "sync" => self.sync(words.count(usize::MAX)?),
            "apply" => self.apply(),
            "carry" => {
                let answers = self.snapshots.carry(&self.store);
                if !answers.is_empty() {
                    self.take_in(answers);
                }
            }
            "store" => self.keep_store(),
            "move" => {
                let to = words.next()? == "to";
                let target = words.node().filter(|_| to).ok_or("move n1 to which node?")?;
                let id = self.waiters.id();
                self.waiters.wait(id, Bytes::new());
                self.take_in([Input::Request(id, Request::MoveLeader(target))]);
            }
            "crash" => self.crash()?,
            "tear" => self.tear(words)?,
            "rot" => self.disk.rot(words.count(1)?)?,
            "put" | "delete" | "get" => {
                let mut requests = Vec::new();
                while !words.0.is_empty() {
                    requests.push(self.request(verb, words)?);
                }
                self.take_in(requests);
            }
            "read" => {
                while !words.0.is_empty() {
                    if self.waiters.may_read_locally(true) {
                        self.lines.push(format!("read {}", self.read(&words.bytes()?)));
                    } else {
                        let request = self.request("get", words)?;
                        self.take_in([request]);
                    }
                }
            }
            "together" => {
                let request = self.together(words)?;
                self.take_in([request]);
            }
            verb if watch::VERBS.contains(&verb) => {
                self.lines.extend(self.watches.run(verb, words, &self.store)?);
            }
            "txn" | "compact" | "sweep" | "past" | "changes" | "hash" => {
                self.run_history(verb, words)?;
            }
            "view" => self.lines.push(view(&self.member.view())),
            "log" => self.lines.push(match self.disk.recover() {
                Ok(recovered) => log(&recovered),
                Err(damage) => format!("log: {damage}"),
            }),
            about_leases => self.run_lease(about_leases, words)?,
        }
        Ok(())
    }

    /// Gives a new member a past: its term, and the term of each entry of its log.
    fn given(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let term = Term(number(words.after("term")?)?);
        let mut entries = Vec::new();
        for (text, index) in words.after("log")?.split(',').zip(1..) {
            let (index, term) = (Index(index), Term(number(text)?));
            entries.push(Entry { index, term, command: Bytes::new() });
        }
        entries.remove(0); // Every log begins with the founding entry, in term 1.
        let hard = HardState { term, vote: None };
        self.make_durable(&[Write { number: 1, hard, entries, discard: None }]);
        self.crash()
    }

    /// The power goes, and comes back.
    fn crash(&mut self) -> Result<(), String> {
        let recovered = self.disk.recover().map_err(|damage| format!("no start: {damage}"))?;
        let config = Config { boot: self.config.boot + 1, ..self.config.clone() };
        let snap = self.snapshots.files();
        self.rows.truncate(self.stored_rows);
        let copy = (self.stored.clone(), take(&mut self.rows));
        *self = Self::start(config, take(&mut self.disk), copy, snap);
        let last = self.member.view().last;
        self.lines.push(format!("restart {} last={last}", recovered.hard));
        Ok(())
    }

    /// The power goes while all waiting writes are written at once, and comes back.
    fn tear(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let kept = words.next()?.split(',').map(number).collect::<Result<Vec<usize>, _>>()?;
        let mut plan = Vec::new();
        let writes = take(&mut self.writes);
        if writes.is_empty() {
            return Err("nothing is being written".to_string());
        }
        let _never = self.wal.plan(&writes, &mut plan);
        self.disk.tear(plan, &kept)?;
        self.crash()
    }

    /// Time passes until the member has lost its patience.
    fn campaign(&mut self) -> Result<(), String> {
        let leads = self.member.view().leader == Some(self.config.id);
        for _ in 0..100 * self.config.election.0 {
            if leads || !self.lines.is_empty() {
                break;
            }
            self.tick();
        }
        let idle = leads || self.lines.is_empty();
        if idle { Err("it leads already, or waits for its disk".to_string()) } else { Ok(()) }
    }

    fn tick(&mut self) {
        self.take_in([Input::Tick(Ticks(1))]);
    }

    /// Takes inputs in and lets out what follows, as one step.
    pub fn take_in(&mut self, inputs: impl IntoIterator<Item = Input>) {
        for input in inputs {
            if !matches!(input, Input::Tick(_)) {
                self.lines.push(input.to_string()); // Of ticks the command tells.
            }
            self.member.handle(input);
        }
        let mut outputs = Vec::new();
        self.member.flush(&mut outputs);
        for output in outputs {
            self.lines.push(output.to_string());
            match output {
                Output::Persist(write) => self.writes.push(write),
                Output::Send(envelope) => self.sends.push(envelope),
                Output::Apply(group) => self.committed.extend(group.entries),
                Output::Readable(id) => self.answer(id, &Answer::Readable),
                Output::Lease(id, life) => self.answer(id, &Answer::Lease(life)),
                Output::Reply(id, why) => self.answer(id, &Answer::Failed(why)),
                Output::Moved(id) => self.answer(id, &Answer::Moved),
                Output::Install(snapshot) => self.snapshots.install = Some(snapshot),
                Output::Capture { shipment, offset } => {
                    self.snapshots.order(Order::Capture { shipment, offset });
                }
                Output::Release(shipment) => self.snapshots.order(Order::Release(shipment)),
                Output::Keep(piece) => self.snapshots.order(Order::Keep(piece)),
                Output::Forget(snapshot) => self.snapshots.order(Order::Forget(snapshot)),
            }
        }
    }

    /// The first `most` waiting writes become durable, with one sync.
    fn sync(&mut self, most: usize) {
        let writes: Vec<Write> = self.writes.drain(..most.min(self.writes.len())).collect();
        if !writes.is_empty() {
            let receipt = self.make_durable(&writes);
            self.take_in([Input::Persisted(receipt)]);
        }
    }

    fn make_durable(&mut self, writes: &[Write]) -> Receipt {
        let mut plan = Vec::new();
        let unsynced = self.wal.plan(writes, &mut plan);
        self.disk.execute(plan);
        unsynced.synced()
    }

    /// The store's files are synced.
    fn keep_store(&mut self) {
        (self.stored, self.stored_rows) = (self.store.clone(), self.rows.len());
        self.removal_is_durable();
        match self.snapshots.refill.take() {
            Some(snapshot) => self.take_in([Input::Installed(snapshot)]),
            None => self.take_in([Input::Stored(self.stored.applied().index)]),
        }
    }

    /// A whole snapshot takes the store's place; committed entries reach the store.
    fn apply(&mut self) {
        if let Some(snapshot) = self.snapshots.install.take() {
            let ready = self.snapshots.take_ready(snapshot);
            let (_, told) = actors::install(&mut self.store, ready);
            self.snapshots.refill = Some(snapshot);
            self.watches.installed(&self.store);
            self.take_in([told]);
        }
        let entries = take(&mut self.committed);
        if !entries.is_empty() {
            let effects = actors::apply(&mut self.store, &entries);
            self.watches.applied(effects.events, &self.store);
            for (id, answer) in &effects.answers {
                self.answer(*id, answer);
            }
            self.rows.extend(effects.rows);
            self.held.append(effects.held);
            self.take_in([Input::Applied { id: self.store.applied(), facts: effects.facts }]);
        }
    }

    fn request(&mut self, verb: &str, words: &mut Words<'_>) -> Result<Input, String> {
        let (id, key) = (self.waiters.id(), words.bytes()?);
        self.waiters.wait(id, key.clone());
        let request = match verb {
            "put" => {
                let put = PutRequest { key, value: words.bytes()?, ..Default::default() };
                request::put(id, put, MAX_REQUEST_BYTES)
            }
            "delete" => {
                let delete = DeleteRangeRequest { key, ..Default::default() };
                request::delete_range(id, delete, MAX_REQUEST_BYTES)
            }
            _ => Ok(Request::Read),
        };
        Ok(Input::Request(id, request.map_err(|refusal: Refusal| refusal.to_string())?))
    }

    /// Puts in one transaction.
    fn together(&mut self, words: &mut Words<'_>) -> Result<Input, String> {
        let id = self.waiters.id();
        self.waiters.wait(id, Bytes::new());
        let mut success = Vec::new();
        while !words.0.is_empty() {
            let (key, value) = (words.bytes()?, words.bytes()?);
            let put = PutRequest { key, value, ..Default::default() };
            success.push(RequestOp { request: Some(request_op::Request::RequestPut(put)) });
        }
        let txn = TxnRequest { success, ..Default::default() };
        let request = request::txn(id, txn, MAX_REQUEST_BYTES);
        Ok(Input::Request(id, request.map_err(|refusal| refusal.to_string())?))
    }

    /// The first answer counts; whoever was told already is told nothing more.
    fn answer(&mut self, id: RequestId, answer: &Answer) {
        let Some(key) = self.waiters.answer(id, answer) else { return };
        let told = match answer {
            Answer::Readable => self.read(&key),
            Answer::Moved => "moved".to_string(),
            Answer::Applied(Ok(Response::Put(done))) => format!("put{}", at(&done.header)),
            Answer::Applied(Ok(Response::DeleteRange(done))) => {
                format!("deleted {}{}", done.deleted, at(&done.header))
            }
            Answer::Applied(Ok(Response::Txn(done))) => {
                format!("{}{}", history::told(done), at(&done.header))
            }
            Answer::Applied(Ok(Response::Compact(done))) => {
                format!("compacted{}", at(&done.header))
            }
            Answer::Applied(Ok(Response::LeaseGrant(done))) => {
                format!("granted {} for {}s", LeaseId(done.id), done.ttl)
            }
            Answer::Applied(Ok(Response::LeaseRevoke(done))) => {
                format!("revoked{}", at(&done.header))
            }
            Answer::Applied(Ok(Response::Done)) => "done".to_string(),
            Answer::Applied(Err(refusal)) => refusal.to_string(),
            Answer::Lease(life) => {
                return self.lines.push(self.told_of_lease(id, &key, *life));
            }
            Answer::Failed(_) => return, // The line above says it.
        };
        self.lines.push(format!("answer {id} {told}"));
    }

    fn read(&self, key: &Bytes) -> String {
        let word = str::from_utf8(key).expect("keys of scripts are words");
        let request = history::range(word).expect("a key, or a key and a revision");
        let found = match self.store.range(&request, None, 1) {
            Ok(Step::Done(found)) => found,
            Ok(Step::More(_)) => panic!("one key is read in one step"),
            Err(refusal) => return refusal.to_string(),
        };
        let key = request.key.escape_ascii();
        found.kvs.first().map_or(format!("no {key}"), pair) + &at(&found.header)
    }
}

/// A pair, and what is known of it.
fn pair(kv: &KeyValue) -> String {
    let KeyValue { key, value, create_revision, mod_revision, version, .. } = kv;
    let (key, value) = (key.escape_ascii(), value.escape_ascii());
    format!("{key}={value} create={create_revision} mod={mod_revision} version={version}")
}

fn at(header: &Option<ResponseHeader>) -> String {
    header.as_ref().map_or(String::new(), |header| format!(", revision {}", header.revision))
}

fn log(Recovered { hard, base, entries, .. }: &Recovered) -> String {
    let entries: String = entries.iter().map(|entry| format!(" {}", entry.id())).collect();
    format!("log {hard} behind {base}:{entries}").replace(" behind 0@0", "")
}

fn view(view: &View) -> String {
    let View { term, vote, role, leader, commit, applied, base, last, durable, pending, leases } =
        view;
    let LeaseCounts { renewed, expired } = leases;
    let name = |node: &Option<NodeId>| node.map_or("-".to_string(), |node| node.to_string());
    let (vote, leader) = (name(vote), name(leader));
    format!(
        "view {role} term={term} vote={vote} leader={leader} log={base}..{last} durable={durable} \
         commit={commit} applied={applied} pending={pending} renewed={renewed} expired={expired}"
    )
    .replace(" log=0@0..", " last=") // What is usual is not worth a word.
    .replace(" pending=0", "")
    .replace(" renewed=0", "")
    .replace(" expired=0", "")
}
