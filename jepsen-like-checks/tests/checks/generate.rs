//! Legal histories from a seed: clients that overlap, lose answers and read stale members.
//!
//! First the times are drawn: when each operation is invoked, when it returns, and at which moment
//! between them it takes effect. Then the model serves the requests in the order of these moments,
//! so there is an order that explains the answers: the history is legal by construction.
//!
//! Not here: illegal histories (`mutate.rs`).

use std::num::NonZeroU64;
use std::sync::Arc;

use quorate_checks::history::{
    ByteString, ClientId, CompactRequest, Compare, Comparison, DeleteRangeRequest, History, Lease,
    LeaseEnd, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseLeasesRequest, LeaseRevokeRequest,
    LeaseTimeToLiveRequest, Micros, OpNumber, Operation, Outcome, PutRequest, RangeRequest, Record,
    Refusal, Request, Response, Revision, Target, TxnOperation, TxnRequest, WatchEvent,
};
use quorate_checks::model::kv::State;

/// A generator of numbers (splitmix64).
pub struct Rng(pub u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A number below `end`, for where revisions and counts are signed.
    pub fn signed(&mut self, end: i64) -> i64 {
        self.below(end as u64) as i64
    }

    pub fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }
}

/// What kind of history to make. Shares are out of a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    pub clients: u64,
    pub operations: u64,
    pub keys: u64,
    pub writes: u64,
    /// Of the writes.
    pub deletes: u64,
    /// Of the reads and the deletes: those that speak of more than one key.
    pub ranges: u64,
    pub serializable: u64,
    pub unknown: u64,
    pub refused: u64,
    /// Different values to write; few make writes that look alike.
    pub values: u64,
    /// The longest time between two operations of a client, as against their length of up to 100.
    pub pause: u64,
    /// Transactions among all operations.
    pub txns: u64,
    /// Grants, revokes and questions among all operations; without any, leases are mere labels.
    pub leases: u64,
    /// Ends of leases that nobody asked for, one drawn before each operation.
    pub expiries: u64,
    /// Of these: those of which the log tells.
    pub told: u64,
    /// Compactions among all operations.
    pub compactions: u64,
}

/// The times of an operation, drawn before anything is known of its content.
struct Slot {
    client: u64,
    invoked: u64,
    returned: u64,
    /// The moment of its effect, and whether it has one.
    effect: u64,
    effective: bool,
    unknown: bool,
    write: bool,
}

/// Makes a legal history.
pub fn history(shape: Shape, seed: u64) -> History {
    timeline(shape, seed).0
}

/// Makes a legal history. With the changes of each revision, and the moment of each.
pub fn timeline(shape: Shape, seed: u64) -> (History, Vec<(u64, Vec<WatchEvent>)>) {
    let mut rng = Rng(seed);
    let slots = slots(shape, &mut rng);
    let mut order: Vec<usize> = (0..slots.len()).collect();
    order.sort_by_key(|slot| slots[*slot].effect);
    let mut state = State::new();
    if shape.leases == 0 {
        state = state.granted(lease(7), 60).expect("the first of its kind");
    }
    // A store never chooses an id that some client chooses by itself.
    for id in 1..=4 {
        let granted = state.granted(lease(id), 60).expect("the first of its kind");
        state = granted.end_lease(lease(id)).expect("it was granted");
    }
    let mut records: Vec<Option<Record>> = slots.iter().map(|_| None).collect();
    let mut events = Vec::new();
    for slot in order {
        let at = slots[slot].effect;
        let (after, told) = expire(shape, &mut rng, &state, at);
        if after.revision() > state.revision() {
            events.push((at, after.events()));
        }
        records.extend(told.map(|end| Some(Record::LeaseEnd(end))));
        let (served, operation) = operate(shape, &mut rng, &after, slot, &slots[slot]);
        if served.revision() > after.revision() {
            events.push((at, served.events()));
        }
        records[slot] = Some(Record::Operation(operation));
        state = served;
    }
    let history = History::of(records.into_iter().flatten()).expect("well formed");
    (history, events)
}

/// Now and then a lease ends, and now and then the log tells of it.
fn expire(shape: Shape, rng: &mut Rng, state: &State, at: u64) -> (State, Option<LeaseEnd>) {
    let alive = state.leases();
    if shape.leases == 0 || alive.is_empty() || !rng.chance(shape.expiries) {
        return (state.clone(), None);
    }
    let lease = alive[rng.below(alive.len() as u64) as usize];
    let after = state.end_lease(lease).expect("it is alive");
    let revision = (after.revision() > state.revision()).then(|| after.revision());
    let end = LeaseEnd { lease, at: Micros(at + rng.below(50)), revision };
    (after, rng.chance(shape.told).then_some(end))
}

pub fn lease(id: i64) -> Lease {
    Lease::new(id).expect("not 0")
}

fn slots(shape: Shape, rng: &mut Rng) -> Vec<Slot> {
    let mut clocks: Vec<u64> = (0..shape.clients).map(|_| rng.below(100)).collect();
    let slots = (0..shape.operations).map(|number| {
        let client = number % shape.clients;
        let clock = &mut clocks[client as usize];
        let invoked = *clock;
        let returned = invoked + rng.below(100);
        *clock = returned + rng.below(shape.pause);
        let unknown = rng.chance(shape.unknown);
        let refused = !unknown && rng.chance(shape.refused);
        // Without an answer, the effect may come much later, or never.
        let late = if rng.chance(300) { 3_000 } else { 150 };
        let effect =
            invoked + if unknown { rng.below(late) } else { rng.below(returned - invoked + 1) };
        let effective = if unknown { rng.chance(500) } else { !refused };
        let write = rng.chance(shape.writes);
        Slot { client, invoked, returned, effect, effective, unknown, write }
    });
    slots.collect()
}

fn operate(
    shape: Shape,
    rng: &mut Rng,
    state: &State,
    number: usize,
    slot: &Slot,
) -> (State, Operation) {
    let number = number as u64;
    let request = request(shape, rng, state, number, slot.write);
    let (after, told) = if slot.effective {
        match serve(rng, state, &request) {
            Ok((after, response)) => (after, Ok(response)),
            Err(text) => (state.clone(), Err(text)),
        }
    } else {
        (state.clone(), Err("etcdserver: too many requests".to_owned()))
    };
    let returned = Micros(slot.returned);
    let outcome = match told {
        _ if slot.unknown => Outcome::Unknown { why: "timeout".to_owned() },
        Ok(response) => Outcome::Ok { returned, response },
        Err(message) => {
            Outcome::Refused { returned, refusal: Refusal { code: "Any".to_owned(), message } }
        }
    };
    let operation = Operation {
        number: OpNumber(number),
        client: ClientId(slot.client),
        endpoint: rng.chance(500).then(|| Arc::from("n1")),
        invoked: Micros(slot.invoked),
        request,
        outcome,
    };
    (after, operation)
}

fn request(shape: Shape, rng: &mut Rng, state: &State, number: u64, writes: bool) -> Request {
    if rng.chance(shape.txns) {
        return Request::Txn(txn(shape, rng, state, number, 2));
    }
    if rng.chance(shape.leases) {
        return about_leases(shape, rng, state);
    }
    if rng.chance(shape.compactions) {
        let near = state.revision().0 - rng.signed(6) + i64::from(rng.chance(100));
        return Request::Compact(CompactRequest { revision: Revision(near), physical: false });
    }
    if writes { write(shape, rng, number) } else { Request::Range(read(shape, rng, state)) }
}

fn serve(rng: &mut Rng, state: &State, request: &Request) -> Result<(State, Response), String> {
    let member = Revision((state.revision().0 - rng.signed(4)).max(1));
    let stale = request.is_serializable().then(|| state.read_as_of(member, request)).flatten();
    match stale {
        Some(told) => told.map(|told| (state.clone(), told)).map_err(|refused| refused.to_string()),
        None => state.step(request).map_err(|refused| refused.to_string()),
    }
}

fn about_leases(shape: Shape, rng: &mut Rng, state: &State) -> Request {
    let alive = state.leases();
    let some = alive.get(rng.below(alive.len() as u64) as usize).copied();
    let one = some.filter(|_| rng.chance(700)).unwrap_or_else(|| lease(1 + rng.signed(4)));
    match rng.below(8) {
        0..=3 => Request::LeaseGrant(LeaseGrantRequest {
            ttl: 5,
            lease: rng.chance(800).then(|| lease(1 + rng.signed(4))),
        }),
        4 | 5 => Request::LeaseRevoke(LeaseRevokeRequest { lease: one }),
        6 => Request::LeaseKeepAlive(LeaseKeepAliveRequest { lease: one }),
        _ if shape.leases > 500 => Request::LeaseLeases(LeaseLeasesRequest {}),
        _ => Request::LeaseTimeToLive(LeaseTimeToLiveRequest { lease: one, keys: true }),
    }
}

/// A transaction of which most are served: each key is written once, whatever is taken.
fn txn(shape: Shape, rng: &mut Rng, state: &State, number: u64, depth: u64) -> TxnRequest {
    let compare = (0..rng.below(3)).map(|_| compare(shape, rng, number)).collect();
    let list = |rng: &mut Rng| -> Vec<TxnOperation> {
        let count = rng.below(4);
        (0..count).map(|at| inner(shape, rng, state, number * 8 + at, depth)).collect()
    };
    let (success, failure) = (list(rng), list(rng));
    TxnRequest { compare, success, failure }
}

fn inner(shape: Shape, rng: &mut Rng, state: &State, number: u64, depth: u64) -> TxnOperation {
    match rng.below(8) {
        0..=2 => TxnOperation::Put(put(shape, rng, number)),
        3 => TxnOperation::DeleteRange(delete(shape, rng)),
        4 if depth > 0 => TxnOperation::Txn(txn(shape, rng, state, number, depth - 1)),
        _ => TxnOperation::Range(read(shape, rng, state)),
    }
}

fn compare(shape: Shape, rng: &mut Rng, number: u64) -> Compare {
    let result = [Comparison::Equal, Comparison::Greater, Comparison::Less, Comparison::NotEqual];
    let small = rng.signed(3);
    let near = Revision(rng.signed(20));
    let target = match rng.below(5) {
        0 => Target::Version(small),
        1 => Target::CreateRevision(if rng.chance(500) { Revision(0) } else { near }),
        2 => Target::ModRevision(near),
        3 => Target::Value(ByteString::from(format!("v{}", number % shape.values))),
        _ => Target::Lease(small),
    };
    let (key, range_end) = (key(shape, rng), range_end(shape, rng));
    Compare { key, range_end, result: result[rng.below(4) as usize], target }
}

fn key(shape: Shape, rng: &mut Rng) -> ByteString {
    ByteString::from(format!("k{:03}", rng.below(shape.keys)))
}

/// One key, all from a key on, or an interval that may be empty.
fn range_end(shape: Shape, rng: &mut Rng) -> ByteString {
    if !rng.chance(shape.ranges) {
        return ByteString::default();
    }
    if rng.chance(300) { ByteString::from(&b"\0"[..]) } else { key(shape, rng) }
}

fn write(shape: Shape, rng: &mut Rng, number: u64) -> Request {
    if rng.chance(shape.deletes) {
        Request::DeleteRange(delete(shape, rng))
    } else {
        Request::Put(put(shape, rng, number))
    }
}

fn delete(shape: Shape, rng: &mut Rng) -> DeleteRangeRequest {
    let (key, range_end) = (key(shape, rng), range_end(shape, rng));
    DeleteRangeRequest { key, range_end, prev_kv: rng.chance(500) }
}

fn put(shape: Shape, rng: &mut Rng, number: u64) -> PutRequest {
    let attach = if shape.leases == 0 {
        rng.chance(100).then(|| lease(7))
    } else {
        rng.chance(300).then(|| lease(1 + rng.signed(6)))
    };
    let keeps = shape.txns > 0 && rng.chance(100);
    let value = if keeps { String::new() } else { format!("v{}", number % shape.values) };
    PutRequest {
        key: key(shape, rng),
        value: ByteString::from(value),
        lease: attach,
        prev_kv: rng.chance(300),
        ignore_value: keeps,
        ignore_lease: attach.is_none() && shape.txns > 0 && rng.chance(60),
    }
}

fn read(shape: Shape, rng: &mut Rng, state: &State) -> RangeRequest {
    let newest = state.revision().0;
    // Now and then one of the future.
    let old = Revision(1 + rng.signed(newest + newest / 8 + 1));
    let mut filter =
        || (shape.txns > 0 && rng.chance(40)).then(|| Revision(rng.signed(newest + 1)));
    let (min_mod_revision, max_create_revision) = (filter(), filter());
    RangeRequest {
        key: key(shape, rng),
        range_end: range_end(shape, rng),
        limit: if rng.chance(200) { NonZeroU64::new(rng.below(4)) } else { None },
        revision: rng.chance(150).then_some(old),
        serializable: rng.chance(shape.serializable),
        count_only: rng.chance(80),
        keys_only: rng.chance(80),
        min_mod_revision,
        max_create_revision,
        ..RangeRequest::default()
    }
}
