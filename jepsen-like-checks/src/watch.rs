//! The guarantees of watches, each a check of its own.
//!
//! A watch is held against the sequence of revisions, as far as the history proves it: answers of
//! writes say what they changed, reads show what some revision wrote, the log may be revealed, and
//! other watchers saw the same revisions.
//!
//! ```text
//! revision   2      3      4      5      6      7
//! proven     a=1    ?      b=2    del a  ?      a=3        ?: nobody says what it changed
//! watch a           [ from 3      del a         a=3 ]      must show 5 and 7, may show 3 and 6
//! watch a, b        [ from 3  b=2 del a         a=3 ]      must agree with the one above on 3 and 6
//! ```
//!
//! Where nobody says what a revision changed, nothing is missed there, and the counters say how
//! many such revisions there are: a history of which most are unknown proves little.
//!
//! Not here: when a message must come at all. A watcher that shows nothing breaks no rule; a
//! progress message that it asks for makes it answer for everything before.

use std::fmt;

use crate::history::{History, Micros, OpNumber, Revision, WatchNumber};

mod agree;
mod before;
mod chronicle;
mod session;
mod truth;

use chronicle::Chronicle;

/// What a watch promises.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Guarantee {
    /// The first message says that the watch exists, and nothing comes before it (WA-2).
    Created,
    /// Only what was asked for.
    Filter,
    /// In the order of revisions, and inside one in the order of its changes.
    Ordered,
    /// Nothing twice.
    Unique,
    /// All of a revision in one message, or in its fragments.
    Atomic,
    /// Behind a progress message of revision R, nothing up to R is still to come.
    Bookmarkable,
    /// From the start revision on, nothing below it and nothing left out.
    Resumable,
    /// Between two events that are shown, nothing is left out.
    Reliable,
    /// An event says that a key begins its life exactly if it does.
    IsCreate,
    /// The pair before is the pair before.
    PrevKv,
    /// An event is what the revision did.
    Content,
    /// Only asked for, all parts but the last say so, and nothing comes between them.
    Fragment,
    /// Nothing comes after the end.
    Cancel,
    /// A watch that needs what was given up ends with the mark, and no other does.
    Compaction,
}

impl Guarantee {
    /// All of them, in the order in which they are explained.
    pub const ALL: [Self; 14] = [
        Self::Created,
        Self::Filter,
        Self::Ordered,
        Self::Unique,
        Self::Atomic,
        Self::Bookmarkable,
        Self::Resumable,
        Self::Reliable,
        Self::IsCreate,
        Self::PrevKv,
        Self::Content,
        Self::Fragment,
        Self::Cancel,
        Self::Compaction,
    ];

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Filter => "filter",
            Self::Ordered => "ordered",
            Self::Unique => "unique",
            Self::Atomic => "atomic",
            Self::Bookmarkable => "bookmarkable",
            Self::Resumable => "resumable",
            Self::Reliable => "reliable",
            Self::IsCreate => "is-create",
            Self::PrevKv => "prev-kv",
            Self::Content => "content",
            Self::Fragment => "fragment",
            Self::Cancel => "cancel",
            Self::Compaction => "compaction",
        }
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A guarantee that was broken: what a watch was told, and what cannot be true beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Which.
    pub guarantee: Guarantee,
    /// The watch that it was broken for.
    pub watch: WatchNumber,
    /// The message that shows it, by its place from 0.
    pub message: usize,
    /// When that message came.
    pub at: Micros,
    /// What contradicts it.
    pub evidence: Evidence,
    /// The contradiction in words.
    pub what: String,
}

/// What a message of a watch contradicts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// What was asked for.
    Request,
    /// An earlier message of the same watch, or the message itself.
    Message(usize),
    /// A message of another watch.
    Watch(WatchNumber, usize),
    /// What an operation was answered.
    Operation(OpNumber),
    /// The log.
    Log(Revision),
    /// All compactions of the history together: none of them is the reason.
    Compactions,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guarantee, watch: WatchNumber(watch), message, at: Micros(at), what, .. } = self;
        write!(
            f,
            "not {guarantee}: watch {watch} was told in its message {message}, at {at} us, "
        )?;
        f.write_str(what)
    }
}

impl std::error::Error for Fault {}

/// What was really checked. A history of which half these numbers are zero proves little.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Watches.
    pub watches: usize,
    /// Of these: those that asked for a revision to start from.
    pub resumed: usize,
    /// Messages.
    pub messages: usize,
    /// Events.
    pub events: usize,
    /// Revisions from 2 to the newest that is shown anywhere, of which all changes are proven.
    pub revisions_known: usize,
    /// And those of which they are not.
    pub revisions_unknown: usize,
    /// Events that were held against the answer of an operation, or the log.
    pub confirmed: usize,
    /// Changes that a watch had to show, and did.
    pub required: usize,
    /// Events that were held against another watch.
    pub agreed: usize,
    /// Progress messages.
    pub bookmarks: usize,
    /// Events whose say on the beginning of a life was held against the key's past.
    pub creations: usize,
    /// Pairs before that were held against the key's past.
    pub prev_kvs: usize,
    /// Messages that were cut into parts.
    pub fragmented: usize,
    /// Watches that ended with a message.
    pub cancels: usize,
    /// Of these: because of a compaction.
    pub compacted: usize,
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} watches ({} from a revision), {} messages, {} events: {} confirmed by operations \
             or the log, {} agreed on with other watches; {} required changes shown; {} revisions \
             known, {} unknown; {} bookmarks, {} creations, {} pairs before, {} fragmented \
             messages, {} cancels ({} by compaction)",
            self.watches,
            self.resumed,
            self.messages,
            self.events,
            self.confirmed,
            self.agreed,
            self.required,
            self.revisions_known,
            self.revisions_unknown,
            self.bookmarks,
            self.creations,
            self.prev_kvs,
            self.fragmented,
            self.cancels,
            self.compacted,
        )
    }
}

/// Checks all watches of a history.
///
/// # Errors
/// A guarantee was broken: the first, in the order of watches.
pub fn check(history: &History) -> Result<Counters, Box<Fault>> {
    let mut counters = Counters { watches: history.watches().len(), ..Counters::default() };
    if history.watches().is_empty() {
        return Ok(counters);
    }
    let sessions = session::all(history, &mut counters)?;
    let chronicle = Chronicle::new(history);
    (counters.revisions_known, counters.revisions_unknown) = chronicle.extent();
    for session in &sessions {
        truth::check(session, &chronicle, &mut counters)?;
        before::check(session, &chronicle, &mut counters)?;
    }
    agree::check(&sessions, &mut counters)?;
    Ok(counters)
}
