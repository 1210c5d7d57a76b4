//! Every check must be able to fail: one small wrong world for each.

use bytes::Bytes;
use quorate_core::api::etcdserverpb::PutRequest;
use quorate_core::raft::Message;
use quorate_core::request::{MAX_REQUEST_BYTES, Request, put};
use quorate_core::types::LeaseCounts;

use super::*;

/// Three members, seen from outside.
struct Cluster(Oracle, [u64; 3]);

impl Cluster {
    fn new() -> Self {
        let hard = HardState { term: Term(1), vote: None };
        Self(Oracle::new(3, hard, &entry(1, 1, "founding")), [0; 3])
    }

    /// A member asks for a write, and it becomes durable.
    fn write(&mut self, at: usize, term: u64, vote: u64, entries: &[Entry]) -> Check {
        self.ask(at, term, vote, entries)?;
        self.0.on_receipt(at, self.1[at], true)
    }

    fn ask(&mut self, at: usize, term: u64, vote: u64, entries: &[Entry]) -> Check {
        self.1[at] += 1;
        let vote = (vote > 0).then_some(NodeId(vote));
        let hard = HardState { term: Term(term), vote };
        let write = Write { number: self.1[at], hard, entries: entries.to_vec(), discard: None };
        self.0.on_write(at, &write, &still(term, RoleKind::Follower, 1)).map(drop)
    }

    /// A member votes for itself and leads.
    fn elect(&mut self, at: usize, term: u64) -> Check {
        self.write(at, term, at as u64 + 1, &[])?;
        self.lead(at, term)
    }

    fn lead(&mut self, at: usize, term: u64) -> Check {
        let turn = Turn {
            before: view(term, RoleKind::Candidate, 1),
            after: view(term, RoleKind::Leader, 1),
        };
        self.0.on_turn(at, &turn)
    }

    fn commit(&mut self, at: usize, term: u64, role: RoleKind, commit: u64) -> Check {
        let turn = Turn { before: view(term, role, 1), after: view(term, role, commit) };
        self.0.on_turn(at, &turn)
    }
}

fn view(term: u64, role: RoleKind, commit: u64) -> View {
    View {
        term: Term(term),
        vote: None,
        role,
        leader: None,
        commit: Index(commit),
        applied: Index(0),
        base: LogId::default(),
        last: LogId::default(),
        durable: Index(0),
        pending: 0,
        leases: LeaseCounts::default(),
    }
}

fn still(term: u64, role: RoleKind, commit: u64) -> Turn {
    Turn { before: view(term, role, commit), after: view(term, role, commit) }
}

fn entry(index: u64, term: u64, command: &str) -> Entry {
    let command = Bytes::from(command.to_owned());
    Entry { index: Index(index), term: Term(term), command }
}

fn breaks<T: std::fmt::Debug>(check: Result<T, Violation>, invariant: Invariant) {
    assert_eq!(check.expect_err("something is wrong").invariant, invariant);
}

#[test]
fn two_leaders_of_a_term() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.elect(0, 2), Ok(()));
    breaks(cluster.elect(1, 2), Invariant::ElectionSafety);
}

#[test]
fn a_leader_whose_own_vote_is_not_durable() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.ask(0, 2, 1, &[]), Ok(()));
    breaks(cluster.lead(0, 2), Invariant::Durability);
}

#[test]
fn one_place_in_the_log_with_two_contents_or_two_pasts() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.write(0, 2, 1, &[entry(2, 2, "a"), entry(3, 2, "b")]), Ok(()));
    breaks(cluster.write(1, 2, 1, &[entry(2, 2, "c")]), Invariant::LogMatching);
    let mut cluster = Cluster::new();
    assert_eq!(cluster.write(0, 2, 1, &[entry(2, 2, "a"), entry(3, 2, "b")]), Ok(()));
    assert_eq!(cluster.write(1, 1, 0, &[entry(2, 1, "x")]), Ok(()));
    breaks(cluster.write(1, 2, 1, &[entry(3, 2, "b")]), Invariant::LogMatching);
}

#[test]
fn a_leader_that_replaces_its_own_entries() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.write(0, 2, 1, &[entry(2, 2, "a")]), Ok(()));
    let hard = HardState { term: Term(2), vote: Some(NodeId(1)) };
    let entries = vec![entry(2, 2, "a")];
    let write = Write { number: 9, hard, entries, discard: None };
    let led = still(2, RoleKind::Leader, 1);
    breaks(cluster.0.on_write(0, &write, &led), Invariant::LeaderAppendOnly);
}

#[test]
fn commits_that_do_not_hold() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.write(0, 2, 1, &[entry(2, 1, "old"), entry(3, 2, "new")]), Ok(()));
    breaks(cluster.commit(0, 2, RoleKind::Leader, 2), Invariant::CommitRule);
    breaks(cluster.commit(0, 2, RoleKind::Leader, 3), Invariant::Durability);
    breaks(cluster.commit(1, 2, RoleKind::Follower, 2), Invariant::AppliedIsCommitted);
}

#[test]
fn a_commit_and_an_application_of_something_else() {
    let mut cluster = Cluster::new();
    for at in [0, 1] {
        assert_eq!(cluster.write(at, 2, 1, &[entry(2, 2, "a")]), Ok(()));
    }
    assert_eq!(cluster.commit(0, 2, RoleKind::Leader, 2), Ok(()));
    assert_eq!(cluster.write(2, 3, 0, &[entry(2, 1, "z")]), Ok(()));
    breaks(cluster.commit(2, 3, RoleKind::Follower, 2), Invariant::StateMachineSafety);
    breaks(cluster.0.on_apply(2, &entry(2, 1, "z")), Invariant::StateMachineSafety);
    breaks(cluster.0.on_apply(1, &entry(3, 2, "b")), Invariant::AppliedIsCommitted);
    breaks(cluster.0.on_apply(1, &entry(2, 2, "a")), Invariant::AppliedIsCommitted);
}

#[test]
fn a_later_leader_without_a_committed_entry() {
    let mut cluster = Cluster::new();
    for at in [0, 1] {
        assert_eq!(cluster.write(at, 2, 1, &[entry(2, 2, "a")]), Ok(()));
    }
    assert_eq!(cluster.commit(0, 2, RoleKind::Leader, 2), Ok(()));
    assert_eq!(cluster.elect(1, 3), Ok(()));
    breaks(cluster.elect(2, 4), Invariant::LeaderCompleteness);
}

#[test]
fn terms_commits_and_votes_that_go_back() {
    let mut cluster = Cluster::new();
    let role = RoleKind::Follower;
    let back = |before, after| Turn { before, after };
    let commit = back(view(2, role, 3), view(2, role, 2));
    breaks(cluster.0.on_turn(0, &commit), Invariant::NoRegress);
    breaks(cluster.0.on_turn(0, &back(view(2, role, 1), view(1, role, 1))), Invariant::NoRegress);
    let voted = |id| View { vote: Some(NodeId(id)), ..view(2, role, 1) };
    breaks(cluster.0.on_turn(0, &back(voted(1), voted(2))), Invariant::NoRegress);
    let ahead = View { applied: Index(2), ..view(2, role, 1) };
    breaks(cluster.0.on_turn(0, &back(ahead, ahead)), Invariant::AppliedIsCommitted);
    let believes = View { durable: Index(7), ..view(2, role, 1) };
    breaks(cluster.0.on_turn(0, &back(believes, believes)), Invariant::Durability);
}

#[test]
fn a_request_applied_twice() {
    let mut cluster = Cluster::new();
    let id = RequestId { member: NodeId(1), boot: 1, n: 1 };
    let ask = PutRequest { key: Bytes::from("k"), ..PutRequest::default() };
    let Ok(Request::Propose(command)) = put(id, ask, MAX_REQUEST_BYTES) else { panic!("a put") };
    let twice = [2, 3].map(|index| Entry { command: command.clone(), ..entry(index, 2, "") });
    for at in [0, 1] {
        assert_eq!(cluster.write(at, 2, 1, &twice), Ok(()));
    }
    assert_eq!(cluster.commit(0, 2, RoleKind::Leader, 3), Ok(()));
    assert_eq!(cluster.0.on_apply(0, &twice[0]), Ok(()));
    breaks(cluster.0.on_apply(0, &twice[1]), Invariant::AppliedOnce);
}

#[test]
fn states_and_revisions_that_differ() {
    let state = |hash, revision, mark| State { hash, revision, mark, kv: None };
    let mut cluster = Cluster::new();
    assert_eq!(cluster.0.on_state(0, Index(5), state(77, 3, 1)), Ok(()));
    breaks(cluster.0.on_state(1, Index(5), state(78, 3, 1)), Invariant::ReplicaEquality);
    breaks(cluster.0.on_state(1, Index(5), state(77, 3, 2)), Invariant::ReplicaEquality);
    breaks(cluster.0.on_state(0, Index(6), state(79, 2, 1)), Invariant::RevisionMonotonicity);
    assert_eq!(cluster.0.on_load(0, Index(5), state(77, 3, 1)), Ok(()));
    breaks(cluster.0.on_load(0, Index(5), state(70, 3, 1)), Invariant::ReplicaEquality);
    breaks(cluster.0.on_load(0, Index(5), state(77, 2, 1)), Invariant::RevisionMonotonicity);
}

#[test]
fn a_restart_may_find_more_than_was_durable_and_nothing_else() {
    let founded = |entries: &[Entry]| {
        let hard = HardState { term: Term(2), vote: None };
        let all: Vec<Entry> = [entry(1, 1, "founding")].iter().chain(entries).cloned().collect();
        Shadow::new(hard, LogId::default(), &all)
    };
    let prepared = || {
        let mut cluster = Cluster::new();
        assert_eq!(cluster.write(0, 2, 0, &[entry(2, 2, "a")]), Ok(()));
        assert_eq!(cluster.ask(0, 2, 0, &[entry(3, 2, "b")]), Ok(()));
        cluster
    };
    let (a, b) = (entry(2, 2, "a"), entry(3, 2, "b"));
    assert_eq!(prepared().0.on_start(0, founded(std::slice::from_ref(&a))), Ok(()));
    assert_eq!(prepared().0.on_start(0, founded(&[a.clone(), b])), Ok(()));
    breaks(prepared().0.on_start(0, founded(&[])), Invariant::Durability);
    let torn = founded(&[a, entry(3, 2, "half of b")]);
    breaks(prepared().0.on_start(0, torn), Invariant::Durability);
}

#[test]
fn promises_that_are_not_durable() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.ask(1, 2, 1, &[entry(2, 2, "a")]), Ok(()));
    let tell = |message| Envelope { from: NodeId(2), to: NodeId(1), term: Term(2), message };
    let vote = tell(Message::Vote { granted: true });
    let accepted = tell(Message::AppendAccepted { matched: Index(2) });
    breaks(cluster.0.on_send(1, &vote), Invariant::Durability);
    breaks(cluster.0.on_send(1, &accepted), Invariant::Durability);
    breaks(cluster.0.on_receipt(1, 1, false), Invariant::Durability);
    assert_eq!(cluster.0.on_receipt(1, 1, true), Ok(()));
    assert_eq!(cluster.0.on_send(1, &vote), Ok(()));
    assert_eq!(cluster.0.on_send(1, &accepted), Ok(()));
    let other = Envelope { to: NodeId(3), ..vote };
    breaks(cluster.0.on_send(1, &other), Invariant::Durability);
}
