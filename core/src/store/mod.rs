//! The replicated state as a value: the key space, the members, and how far the log is applied.
//!
//! ```text
//!   committed entries, in order                       reads, at any time
//!        |                                                 |
//!        v                                                 v
//!      apply -----> KeySpace   keys with their past <--- range
//!        |  \-----> Leases     their keys           <--- leases
//!        |  \-----> Cluster    members              <--- members
//!        |  \-----> position   applied, hashes
//!        v
//!      Applied { reply, rows } --rows--> Image --batches--> disk --rows--> Loader --> Store
//! ```
//! There is one `&mut Store`, and the applier holds it. Equal logs make equal stores: nothing here
//! depends on the member, the moment or chance, and the rolling hash shows it at every entry.
//!
//! Memory: a pair lives in one allocation, its encoded record (`mvcc/record.rs`); the index and the
//! list of revisions around it are packed pages.
//!
//! Invariants:
//! - S1. Stores that applied the same entries are equal, whether or not they were loaded from rows
//!   in between, but for what compaction gave up and removal has not reached.
//! - S2. The rows of all applied entries, and the position, are the whole of the store.
//!
//! Not here: watchers, users; when a lease is over (`member/lease.rs`); who waits for an answer
//! (`actors.rs`).

mod apply;
mod cluster;
mod compact;
mod digest;
mod image;
mod lease;
mod load;
mod mvcc;
mod refill;
mod rows;
mod snapshot;
mod txn;

use alloc::vec;
use alloc::vec::Vec;
use core::{fmt, iter};

use bytes::Bytes;

pub use self::apply::{Applied, Fact};
pub use self::compact::{Held, Swept};
pub use self::image::{Batch, Image};
pub use self::lease::Span;
pub use self::load::Loader;
pub use self::mvcc::{
    Cursor, Events, Found, Freeze, HashCursor, HashStep, Kind, KvHash, Left, Pin, Record, Revision,
    Step, TxnCursor, TxnStep, Written,
};
pub use self::refill::{Refill, RefillStep, position_key, position_of};
pub use self::rows::{Damage, Row};
pub use self::snapshot::{Blocks, Capture, Reader};

use self::cluster::Cluster;
pub(crate) use self::digest::Digest;
use self::lease::Leases;
use self::mvcc::KeySpace;
use self::rows::{Position, Tally};
use crate::api::Refusal;
use crate::api::etcdserverpb::{LeaseTimeToLiveResponse, Member, RangeRequest, TxnRequest};
use crate::planted;
use crate::planted::Bug;
use crate::types::{LeaseId, LeaseLife, LogId, NodeId};

/// The state that the log replicates.
#[derive(Clone)]
pub struct Store {
    applied: LogId,
    space: KeySpace,
    leases: Leases,
    cluster: Cluster,
    state_hash: u64,
    tally: Tally,
    size: u64,
    planted: Option<Bug>,
}

impl Store {
    /// The state before the first entry: no keys, revision 1.
    #[must_use]
    pub fn new() -> Self {
        Self::empty(None, None)
    }

    /// The same, with a bug in it if the build plants any. Bugs may depend on whose store it is.
    #[must_use]
    pub fn with_planted(planted: Option<Bug>, member: NodeId) -> Self {
        Self::empty(planted, Some(member))
    }

    fn empty(planted: Option<Bug>, member: Option<NodeId>) -> Self {
        Self {
            applied: LogId::default(),
            space: KeySpace::new(planted),
            leases: Leases::new(planted, member),
            cluster: Cluster::default(),
            state_hash: 0,
            tally: Tally::default(),
            size: 0,
            planted,
        }
    }

    /// The last entry that is applied; 0@0 before the first one.
    #[must_use]
    pub fn applied(&self) -> LogId {
        self.applied
    }

    /// The current revision.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.space.revision()
    }

    /// The oldest revision that may be read; 0 if nothing was ever compacted.
    #[must_use]
    pub fn compact_revision(&self) -> i64 {
        self.space.compacted()
    }

    /// The rolling hash of all effects so far: equal on all members at an equal applied index.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        self.state_hash
    }

    /// A hash of the whole state, read afresh: it finds what was changed without an entry. What
    /// compaction gave up does not count, whether it is removed or not.
    #[must_use]
    pub fn full_hash(&self) -> u64 {
        let mut tally = Tally::default();
        for (at, record) in self.space.settled() {
            tally.add(&Row::record(at, record).key, record.as_ref());
        }
        for row in self.other_rows().iter().filter(|row| row.key != position_key()) {
            tally.add_row(row);
        }
        let position = self.position();
        let (removed, sum, size) = (position.compacted, tally.sum, tally.bytes);
        let position = Position { removed, sum, size, ..position };
        let mut digest = Digest::new(0);
        digest.bytes(position.encode().value.as_deref().unwrap_or_default());
        digest.word(self.keys() as u64);
        digest.finish()
    }

    /// The members of the cluster, sorted by id.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        self.cluster.members()
    }

    /// All leases, by id.
    pub fn leases(&self) -> impl Iterator<Item = (LeaseId, Span)> {
        self.leases.spans()
    }

    /// What consensus must know of a store that it did not see becoming what it is: one that was
    /// loaded, or received from another member.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        let leases = self.leases().map(|(id, span)| Fact::LeaseGranted(id, span));
        iter::once(Fact::Restored).chain(leases).collect()
    }

    /// The keys that are attached to a lease, in order.
    pub fn keys_of(&self, lease: LeaseId) -> impl Iterator<Item = &[u8]> {
        self.leases.keys(lease)
    }

    /// What a client is told of a lease (LE-11), of which the leader knows `life`, at a state that
    /// is applied here. A lease that has ended since is gone.
    #[must_use]
    pub fn time_to_live(
        &self,
        lease: LeaseId,
        life: Option<LeaseLife>,
        keys: bool,
    ) -> LeaseTimeToLiveResponse {
        let life = life.filter(|_| self.leases.exists(lease));
        let keys = self.keys_of(lease).filter(|_| keys && life.is_some());
        LeaseTimeToLiveResponse {
            header: self.header(),
            id: lease.0,
            ttl: life.map_or(-1, |life| life.left.0),
            granted_ttl: life.map_or(0, |life| life.granted.0),
            keys: keys.map(Bytes::copy_from_slice).collect(),
        }
    }

    /// Bytes of all stored rows but the position.
    #[must_use]
    pub fn size_in_use(&self) -> u64 {
        self.tally.bytes
    }

    /// The most that [`Store::size_in_use`] ever was.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many keys exist.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.space.keys()
    }

    /// Reads a range from its beginning, or on from `cursor`, looking at no more than `budget`
    /// keys. All steps of one read see the same revision.
    pub fn range(
        &self,
        request: &RangeRequest,
        cursor: Option<Cursor>,
        budget: usize,
    ) -> Result<Step, Refusal> {
        self.space.range(request, cursor, budget)
    }

    /// As [`Store::range`], with the answer as the records that make it up.
    pub fn find(
        &self,
        request: &RangeRequest,
        cursor: Option<Cursor>,
        budget: usize,
    ) -> Result<Step<Found>, Refusal> {
        self.space.find(request, cursor, budget)
    }

    /// Carries out a transaction that only reads ([`txn_kind`](crate::request::txn_kind)), from its
    /// beginning or on from `cursor`, looking at no more than `budget` keys. All steps see the same
    /// revision.
    pub fn read_txn(
        &self,
        txn: &TxnRequest,
        cursor: Option<TxnCursor>,
        budget: usize,
    ) -> Result<TxnStep, Refusal> {
        self.space.read_txn(txn, cursor, budget)
    }

    /// Hashes the records up to a revision as etcd's HashKV does, from the beginning or on from
    /// `cursor`, looking at no more than `budget` records. 0 means the present.
    pub fn hash_kv(
        &self,
        revision: i64,
        cursor: Option<HashCursor>,
        budget: usize,
    ) -> Result<HashStep, Refusal> {
        self.space.hash(revision, cursor, budget)
    }

    /// Hashes every record that this member stores (MA-6), whether compaction gave it up or not: so
    /// members differ while they are at different points of removal.
    pub fn hash_stored(
        &self,
        cursor: Option<HashCursor>,
        budget: usize,
    ) -> Result<HashStep, Refusal> {
        self.space.hash_stored(cursor, budget)
    }

    /// All changes of the main revisions in `from..=to`, in order, each with the pair as of the
    /// revision before it; none for a creation, and none if compaction took it (WA-9). Looks at no
    /// more than `budget` changes, but always tells a main revision whole.
    pub fn events(&self, from: i64, to: i64, budget: usize) -> Result<Events, Refusal> {
        self.space.events(from, to, budget)
    }

    /// As [`Store::events`], for callers who may cut a main revision into parts: never more than
    /// `budget` changes, from any one on.
    pub fn events_in_parts(
        &self,
        from: Revision,
        to: i64,
        budget: usize,
    ) -> Result<Events, Refusal> {
        self.space.events_in_parts(from, to, budget)
    }

    /// Keeps everything that can be read at this moment, history above the compact revision
    /// included, from being removed until the pin is dropped. It delays physical removal only: the
    /// compact revision moves on regardless.
    #[must_use]
    pub fn pin(&self) -> Pin {
        self.space.pin()
    }

    /// Keeps every record as it is until the freeze is dropped, those included that compaction gave
    /// up: for whoever copies all of them.
    #[must_use]
    pub fn freeze(&self) -> Freeze {
        self.space.freeze()
    }

    /// The row that says how far the rows are. It goes into the batch with the last of them.
    #[must_use]
    pub fn position_row(&self) -> Row {
        self.position().encode()
    }

    /// Every row but the records, in the order of their keys: the small tables, and the position.
    fn other_rows(&self) -> Vec<Row> {
        let mut rows = vec![self.position_row()];
        rows.extend(self.leases.rows().chain(self.cluster.row()));
        // Negative leases come first by id and last by key.
        rows.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        rows
    }

    fn position(&self) -> Position {
        let forgets = planted!(self.planted, Bug::CompactionForgotten);
        let removed = self.space.removal().finished();
        Position {
            applied: self.applied,
            revision: self.revision(),
            compacted: if forgets { removed } else { self.space.removal().mark() },
            removed,
            state_hash: self.state_hash,
            sum: self.tally.sum,
            size: self.size,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (applied, revision, keys) = (self.applied, self.revision(), self.keys());
        write!(f, "Store({applied}, revision {revision}, {keys} keys, {:x})", self.state_hash)
    }
}
