//! The life of a client request, from the wire to the log.
//!
//! ```text
//!  put, delete, txn, compact  --check--> Command (encoded once) --> Request::Propose --> Member --> log
//!  range, txn that only reads --check--> Request::Read --> Member --> Readable --> Store
//!                             serializable: straight to the store
//! ```
//! A command is checked and encoded before consensus sees it; consensus carries bytes. The bytes
//! are right-sized: what was decoded from a connection shares its whole receive buffer and is
//! never kept.
//!
//! Not here: what a command does (`store/apply.rs`), who may wait for it (`actors.rs`).

mod txn;

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use prost::Message;

use crate::api::Refusal;
use crate::api::etcdserverpb::range_request::{SortOrder, SortTarget};
use crate::api::etcdserverpb::{
    self, CompactionRequest, DeleteRangeRequest, LeaseGrantRequest, LeaseRevokeRequest, PutRequest,
    RangeRequest, TxnRequest,
};
use crate::api::wire::command::Action;
use crate::api::wire::{Command, Configuration, Publish};
use crate::store::Digest;
use crate::types::{LeaseId, NodeId, RequestId, Seconds};

pub use self::txn::{MAX_TXN_DEPTH, MAX_TXN_OPS, TxnKind, check_txn, txn_kind};

/// etcd's default for `max-request-bytes`: 1.5 MiB.
pub const MAX_REQUEST_BYTES: usize = 1_572_864;

/// The longest TTL that may be granted (LE-2).
pub const MAX_TTL: Seconds = Seconds(9_000_000_000);

/// What a client asks of consensus.
#[derive(Clone, PartialEq, Debug)]
pub enum Request {
    /// Put this command into the log.
    Propose(Bytes),
    /// Say when the local store is recent enough for a linearizable read.
    Read,
    /// Renew a lease (LE-8).
    KeepAlive(LeaseId),
    /// Say how long a lease lasts (LE-11).
    TimeToLive(LeaseId),
    /// Have this member lead (MA-8).
    MoveLeader(NodeId),
    /// Have anybody else lead: this member is about to stop.
    Resign,
}

/// Checks a put and encodes it as the command of `id`. `limit` is in bytes of the encoded command.
pub fn put(id: RequestId, put: PutRequest, limit: usize) -> Result<Request, Refusal> {
    propose(id, Action::Put(put), limit)
}

/// Checks a delete and encodes it as the command of `id`.
pub fn delete_range(
    id: RequestId,
    delete: DeleteRangeRequest,
    limit: usize,
) -> Result<Request, Refusal> {
    propose(id, Action::DeleteRange(delete), limit)
}

/// Checks a grant and encodes it as the command of `id`. What must be equal on all members is
/// chosen here, before the proposal: a lease id where the client leaves it open (LE-1), and a TTL
/// of at least `floor` (LE-2).
pub fn lease_grant(
    id: RequestId,
    mut grant: LeaseGrantRequest,
    floor: Seconds,
    limit: usize,
) -> Result<Request, Refusal> {
    if grant.id == 0 {
        grant.id = fresh_lease(id).0;
    }
    grant.ttl = grant.ttl.max(floor.0);
    propose(id, Action::LeaseGrant(grant), limit)
}

/// Encodes a revoke as the command of `id`.
pub fn lease_revoke(
    id: RequestId,
    revoke: LeaseRevokeRequest,
    limit: usize,
) -> Result<Request, Refusal> {
    propose(id, Action::LeaseRevoke(revoke), limit)
}

/// A positive number that no other request gives, but for a chance of one in 2^62: who asks, in
/// which life and for the how manieth time, hashed.
fn fresh_lease(id: RequestId) -> LeaseId {
    let mut digest = Digest::new(0);
    [id.member.0, id.boot, id.n].into_iter().for_each(|word| digest.word(word));
    LeaseId((digest.finish() >> 1).max(1).cast_signed())
}

/// Checks a transaction and encodes it as the command of `id`. One that only reads need not go this
/// way ([`txn_kind`]).
pub fn txn(id: RequestId, txn: TxnRequest, limit: usize) -> Result<Request, Refusal> {
    propose(id, Action::Txn(txn), limit)
}

/// Encodes a compaction as the command of `id`.
pub fn compact(
    id: RequestId,
    compaction: CompactionRequest,
    limit: usize,
) -> Result<Request, Refusal> {
    propose(id, Action::Compact(compaction), limit)
}

/// The command by which a started member tells its name and client URLs.
pub fn publish(
    id: RequestId,
    name: String,
    client_urls: Vec<String>,
    limit: usize,
) -> Result<Request, Refusal> {
    propose(id, Action::Publish(Publish { id: id.member.0, name, client_urls }), limit)
}

/// The first command of every log. It is equal on all founding members, so nobody asks for it.
#[must_use]
pub fn found(members: Vec<etcdserverpb::Member>) -> Bytes {
    let action = Some(Action::Configuration(Configuration { members }));
    Bytes::from(Command { member: 0, boot: 0, n: 0, action }.encode_to_vec())
}

/// Checks a range request at the border. What depends on the store is checked when it is read.
pub fn check_range(range: &RangeRequest) -> Result<(), Refusal> {
    if range.key.is_empty() {
        return Err(Refusal::EmptyKey);
    }
    if SortOrder::try_from(range.sort_order).is_err()
        || SortTarget::try_from(range.sort_target).is_err()
    {
        return Err(Refusal::InvalidSortOption);
    }
    Ok(())
}

/// What a command must keep to on every member: checked where a client's call or another member's
/// forward comes in, relied upon where it is applied.
pub fn check(action: &Action) -> Result<(), Refusal> {
    match action {
        Action::Put(put) => check_put(put),
        Action::DeleteRange(delete) if delete.key.is_empty() => Err(Refusal::EmptyKey),
        Action::LeaseGrant(grant) => check_grant(grant),
        Action::Txn(txn) => check_txn(txn),
        Action::DeleteRange(_)
        | Action::Compact(_)
        | Action::LeaseRevoke(_)
        | Action::LeaseCheckpoint(_)
        | Action::LeaseEnd(_)
        | Action::Configuration(_)
        | Action::Publish(_) => Ok(()),
    }
}

fn check_put(put: &PutRequest) -> Result<(), Refusal> {
    if put.key.is_empty() {
        return Err(Refusal::EmptyKey);
    }
    if put.ignore_value && !put.value.is_empty() {
        return Err(Refusal::ValueProvided);
    }
    if put.ignore_lease && put.lease != 0 {
        return Err(Refusal::LeaseProvided);
    }
    Ok(())
}

fn check_grant(grant: &LeaseGrantRequest) -> Result<(), Refusal> {
    if Seconds(grant.ttl) > MAX_TTL {
        return Err(Refusal::LeaseTtlTooLarge);
    }
    Ok(())
}

/// Who asked for a command; none for the founding entry.
#[must_use]
pub fn requester(command: &Command) -> Option<RequestId> {
    let id = RequestId { member: NodeId(command.member), boot: command.boot, n: command.n };
    (command.n > 0).then_some(id)
}

/// Reads who asked for an encoded command, without decoding what was asked.
pub fn requester_of(command: &[u8]) -> Option<RequestId> {
    // The three fields come first and have fixed places: 0x09 u64, 0x11 u64, 0x18 varint.
    let (&[0x09, ref member @ ..], rest) = command.split_first_chunk::<9>()? else { return None };
    let (&[0x11, ref boot @ ..], rest) = rest.split_first_chunk::<9>()? else { return None };
    let (&0x18, mut rest) = rest.split_first()? else { return None };
    let n = prost::encoding::decode_varint(&mut rest).ok()?;
    let member = NodeId(u64::from_le_bytes(*member));
    Some(RequestId { member, boot: u64::from_le_bytes(*boot), n })
}

fn propose(id: RequestId, action: Action, limit: usize) -> Result<Request, Refusal> {
    assert!(id.n > 0, "request numbers count from 1");
    assert!(id.member.0 > 0 && id.boot > 0, "a zero field is left out on the wire: {id}");
    check(&action)?;
    let command = Command { member: id.member.0, boot: id.boot, n: id.n, action: Some(action) };
    if command.encoded_len() > limit {
        return Err(Refusal::TooLarge);
    }
    Ok(Request::Propose(Bytes::from(command.encode_to_vec())))
}
