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
    ByteString, ClientId, DeleteRangeRequest, History, Lease, Micros, OpNumber, Operation, Outcome,
    PutRequest, RangeRequest, Refusal, Request, Response, Revision,
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
#[derive(Clone, Copy, Debug)]
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
    let mut rng = Rng(seed);
    let slots = slots(shape, &mut rng);
    let mut order: Vec<usize> = (0..slots.len()).collect();
    order.sort_by_key(|slot| slots[*slot].effect);
    let mut state = State::new();
    let mut operations: Vec<Option<Operation>> = slots.iter().map(|_| None).collect();
    for slot in order {
        let (after, operation) = operate(shape, &mut rng, &state, slot, &slots[slot]);
        operations[slot] = Some(operation);
        state = after;
    }
    let operations = operations.into_iter().flatten().collect();
    History::new(operations).expect("generated operations are well formed")
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
    let request = if slot.write { write(shape, rng, number) } else { read(shape, rng, state) };
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

fn serve(rng: &mut Rng, state: &State, request: &Request) -> Result<(State, Response), String> {
    match request {
        Request::Range(range) if range.serializable => {
            let member = Revision((state.revision().0 - rng.signed(4)).max(1));
            let told = state.range_as_of(member, range).map_err(|refused| refused.to_string())?;
            Ok((state.clone(), Response::Range(told)))
        }
        _ => state.step(request).map_err(|refused| refused.to_string()),
    }
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
        let (key, range_end) = (key(shape, rng), range_end(shape, rng));
        return Request::DeleteRange(DeleteRangeRequest {
            key,
            range_end,
            prev_kv: rng.chance(500),
        });
    }
    Request::Put(PutRequest {
        key: key(shape, rng),
        value: ByteString::from(format!("v{}", number % shape.values)),
        lease: if rng.chance(100) { Lease::new(7) } else { None },
        prev_kv: rng.chance(300),
        ..PutRequest::default()
    })
}

fn read(shape: Shape, rng: &mut Rng, state: &State) -> Request {
    let newest = state.revision().0;
    // Now and then one of the future.
    let old = Revision(1 + rng.signed(newest + newest / 8 + 1));
    Request::Range(RangeRequest {
        key: key(shape, rng),
        range_end: range_end(shape, rng),
        limit: if rng.chance(200) { NonZeroU64::new(rng.below(4)) } else { None },
        revision: rng.chance(150).then_some(old),
        serializable: rng.chance(shape.serializable),
        count_only: rng.chance(80),
        keys_only: rng.chance(80),
        ..RangeRequest::default()
    })
}
