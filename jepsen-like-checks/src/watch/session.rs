//! What can be told from one watch alone: the order of its messages and of the events in them.
//!
//! ```text
//! created      events     events     progress     events     canceled
//! once, first  [ 5 5 7 ]  [ 8 ... ]  nothing up to  > 9      nothing after
//!                 whole revisions    9 any more
//! ```
//!
//! A message that is cut comes in parts with nothing in between. Its parts are one message here.
//!
//! Not here: whether the events happened (`truth.rs`), and whether any is missing.

use std::collections::HashSet;

use super::{Counters, Evidence, Fault, Guarantee};
use crate::history::{
    CompactRequest, EventKind, History, Micros, Outcome, Request, Response, Revision, Watch,
    WatchEvent, WatchMessage,
};

/// A watch whose own messages agree with each other.
pub(super) struct Session<'h> {
    pub(super) watch: &'h Watch,
    /// The first revision that it must show; none if it never came to be.
    pub(super) start: Option<Revision>,
    /// All events, in order, each with the place of its message.
    pub(super) events: Vec<(usize, &'h WatchEvent)>,
    /// The highest revision of a progress message, and the place of that message.
    pub(super) bookmark: Option<(Revision, usize)>,
    /// The highest mark that compactions may have set by the time of each message.
    marks: Vec<Option<Revision>>,
}

impl Session<'_> {
    /// Whether a message is a part and the last that came: the others were lost with the stream, so
    /// nobody can say what they would have told of its last revision.
    pub(super) fn is_cut_short(&self, place: usize) -> bool {
        let last = self.watch.messages.last();
        place + 1 == self.watch.messages.len() && last.is_some_and(|message| message.fragment)
    }

    /// Whether what was before a revision may have been given up when a message was made.
    pub(super) fn may_be_compacted(&self, place: usize, revision: Revision) -> bool {
        self.marks[place].is_some_and(|mark| revision <= mark)
    }
}

/// A compaction that may have been the end of a watch.
struct Mark {
    mark: Revision,
    invoked: Micros,
    /// The revision of the store when it took effect, if it was answered.
    at: Option<Revision>,
}

/// Checks each watch by itself.
pub(super) fn all<'h>(
    history: &'h History,
    counters: &mut Counters,
) -> Result<Vec<Session<'h>>, Box<Fault>> {
    let marks: Vec<Mark> = history
        .operations()
        .iter()
        .filter_map(|operation| match (&operation.request, &operation.outcome) {
            (_, Outcome::Refused { .. }) => None,
            (Request::Compact(CompactRequest { revision, .. }), _) => Some(Mark {
                mark: *revision,
                invoked: operation.invoked,
                at: operation.response().map(Response::revision),
            }),
            (_, Outcome::Ok { .. } | Outcome::Unknown { .. }) => None,
        })
        .collect();
    let sessions =
        history.watches().iter().map(|watch| Walk::new(watch, &marks).run(&marks, counters));
    sessions.collect()
}

/// A walk over the messages of one watch.
struct Walk<'h> {
    watch: &'h Watch,
    session: Session<'h>,
    /// The revision of the newest event, and the message that it is in.
    newest: Option<(Revision, usize)>,
    /// The first part of the message that is being put together.
    parts: Option<usize>,
    shown: HashSet<(Revision, &'h [u8])>,
    ended: Option<usize>,
}

impl<'h> Walk<'h> {
    fn new(watch: &'h Watch, marks: &[Mark]) -> Self {
        let mark = |message: &WatchMessage| {
            let before = marks.iter().filter(|mark| mark.invoked <= message.at);
            before.map(|mark| mark.mark).max()
        };
        let marks = watch.messages.iter().map(mark).collect();
        let session = Session { watch, start: None, events: Vec::new(), bookmark: None, marks };
        let shown = HashSet::new();
        Self { watch, session, newest: None, parts: None, shown, ended: None }
    }

    fn fault<T>(
        &self,
        guarantee: Guarantee,
        message: usize,
        evidence: Evidence,
        what: String,
    ) -> Result<T, Box<Fault>> {
        let Watch { number, messages, .. } = self.watch;
        let at = messages[message].at;
        Err(Box::new(Fault { guarantee, watch: *number, message, at, evidence, what }))
    }

    fn run(mut self, marks: &[Mark], counters: &mut Counters) -> Result<Session<'h>, Box<Fault>> {
        counters.resumed += usize::from(self.watch.request.start_revision.is_some());
        counters.messages += self.watch.messages.len();
        for (place, message) in self.watch.messages.iter().enumerate() {
            self.in_time(place, message)?;
            self.part(place, message, counters)?;
            if message.created {
                self.created(message);
            }
            for event in &message.events {
                self.event(place, message, event)?;
            }
            if message.is_progress() {
                self.progress(place, message)?;
                counters.bookmarks += 1;
            }
            if message.canceled {
                self.canceled(place, message, marks)?;
                counters.cancels += 1;
                counters.compacted += usize::from(message.compact_revision.is_some());
            }
        }
        counters.events += self.session.events.len();
        self.compacted(marks)?;
        Ok(self.session)
    }

    /// The message that says that the watch exists is the first, and the end is the last.
    fn in_time(&self, place: usize, message: &WatchMessage) -> Result<(), Box<Fault>> {
        if let Some(end) = self.ended {
            let what = format!("something more, though message {end} had ended it");
            return self.fault(Guarantee::Cancel, place, Evidence::Message(end), what);
        }
        if message.created != (place == 0) {
            let what = match message.created {
                true => "that it was created, a second time".to_owned(),
                false => "something before it was told that it was created".to_owned(),
            };
            return self.fault(Guarantee::Created, place, Evidence::Message(0), what);
        }
        Ok(())
    }

    /// Puts the parts of a message together.
    fn part(
        &mut self,
        place: usize,
        message: &WatchMessage,
        counters: &mut Counters,
    ) -> Result<(), Box<Fault>> {
        if message.fragment && !self.watch.request.fragment {
            let what = "a part of a message, though it had not asked for parts".to_owned();
            return self.fault(Guarantee::Fragment, place, Evidence::Request, what);
        }
        if let Some(first) = self.parts.filter(|_| message.events.is_empty()) {
            let what = format!("something else while parts of message {first} were to come");
            return self.fault(Guarantee::Fragment, place, Evidence::Message(first), what);
        }
        if message.fragment && message.events.is_empty() {
            let what = "a part of a message without events".to_owned();
            return self.fault(Guarantee::Fragment, place, Evidence::Message(place), what);
        }
        if !message.fragment {
            counters.fragmented += usize::from(self.parts.is_some());
        }
        self.parts = message.fragment.then(|| self.parts.unwrap_or(place));
        Ok(())
    }

    fn created(&mut self, message: &WatchMessage) {
        if !message.canceled {
            let next = Revision(message.revision.0.saturating_add(1));
            self.session.start = self.watch.request.start_revision.or(Some(next));
        }
    }

    fn event(
        &mut self,
        place: usize,
        message: &WatchMessage,
        event: &'h WatchEvent,
    ) -> Result<(), Box<Fault>> {
        let revision = event.revision();
        let name = Named(event);
        if !self.watch.request.wants(event) {
            let what = format!("of {name}, which it had not asked for");
            return self.fault(Guarantee::Filter, place, Evidence::Request, what);
        }
        if let Some(start) = self.session.start.filter(|start| revision < *start) {
            let what = format!("of {name}, though it starts at revision {}", start.0);
            return self.fault(Guarantee::Resumable, place, Evidence::Request, what);
        }
        if let Some((mark, earlier)) = self.session.bookmark.filter(|(mark, _)| revision <= *mark) {
            let what = format!(
                "of {name}, though message {earlier} had said that all up to revision {} was told",
                mark.0,
            );
            return self.fault(Guarantee::Bookmarkable, place, Evidence::Message(earlier), what);
        }
        if !self.shown.insert((revision, &event.kv.key)) {
            let earlier = self
                .session
                .events
                .iter()
                .find(|(_, old)| old.revision() == revision && old.kv.key == event.kv.key);
            let earlier = earlier.map_or(place, |(place, _)| *place);
            let what = format!("of {name}, which message {earlier} had told already");
            return self.fault(Guarantee::Unique, place, Evidence::Message(earlier), what);
        }
        self.in_order(place, &name, revision)?;
        if revision > message.revision {
            let what = format!("of {name} under the header of revision {}", message.revision.0);
            return self.fault(Guarantee::Ordered, place, Evidence::Message(place), what);
        }
        self.newest = Some((revision, self.parts.unwrap_or(place)));
        self.session.events.push((place, event));
        Ok(())
    }

    fn in_order(
        &self,
        place: usize,
        name: &Named<'_>,
        revision: Revision,
    ) -> Result<(), Box<Fault>> {
        let Some((newest, earlier)) = self.newest else { return Ok(()) };
        if revision < newest {
            let what = format!("of {name} after one of revision {} in message {earlier}", newest.0);
            return self.fault(Guarantee::Ordered, place, Evidence::Message(earlier), what);
        }
        // Parts of one message count as one, and so does a part and the last one.
        let whole = self.parts.unwrap_or(place);
        let open = self
            .session
            .events
            .last()
            .is_some_and(|(last, _)| self.watch.messages[*last].fragment && *last + 1 == place);
        if revision == newest && earlier != whole && !open {
            let what = format!(
                "of {name}, though message {earlier} had told another change of that revision",
            );
            return self.fault(Guarantee::Atomic, place, Evidence::Message(earlier), what);
        }
        Ok(())
    }

    fn progress(&mut self, place: usize, message: &WatchMessage) -> Result<(), Box<Fault>> {
        let revision = message.revision;
        if let Some((newest, earlier)) = self.newest.filter(|(newest, _)| revision < *newest) {
            let what = format!(
                "that it knows all up to revision {}, after message {earlier} had told it of \
                 revision {}",
                revision.0, newest.0,
            );
            return self.fault(Guarantee::Bookmarkable, place, Evidence::Message(earlier), what);
        }
        if let Some((mark, earlier)) = self.session.bookmark.filter(|(mark, _)| revision < *mark) {
            let what = format!(
                "that it knows all up to revision {}, after message {earlier} had said {}",
                revision.0, mark.0,
            );
            return self.fault(Guarantee::Bookmarkable, place, Evidence::Message(earlier), what);
        }
        if let Some(start) = self.watch.request.start_revision.filter(|start| revision < *start) {
            let what = format!(
                "that it knows all up to revision {}, before its start at {}",
                revision.0, start.0,
            );
            return self.fault(Guarantee::Bookmarkable, place, Evidence::Request, what);
        }
        self.session.bookmark = Some((revision, place));
        Ok(())
    }

    fn canceled(
        &mut self,
        place: usize,
        message: &WatchMessage,
        marks: &[Mark],
    ) -> Result<(), Box<Fault>> {
        self.ended = Some(place);
        let Some(mark) = message.compact_revision else { return Ok(()) };
        let made = marks.iter().any(|other| other.mark >= mark && other.invoked <= message.at);
        if !made {
            let what = format!(
                "that all below revision {} was given up, though nobody had asked for that",
                mark.0,
            );
            return self.fault(Guarantee::Compaction, place, Evidence::Compactions, what);
        }
        let next = self.next();
        if next.is_some_and(|next| mark <= next) {
            let what = format!(
                "that it ends because all below revision {} was given up, though it needs nothing \
                 before revision {}",
                mark.0,
                next.map_or(0, |next| next.0),
            );
            return self.fault(Guarantee::Compaction, place, Evidence::Request, what);
        }
        Ok(())
    }

    /// The first revision that it surely has not seen yet.
    fn next(&self) -> Option<Revision> {
        let after = |revision: Revision| Revision(revision.0.saturating_add(1));
        let newest = self.newest.map(|(newest, _)| after(newest));
        let bookmark = self.session.bookmark.map(|(mark, _)| after(mark));
        self.session.start.max(newest).max(bookmark)
    }

    /// A watch that starts below a mark which its member knew must not go on as if nothing were.
    fn compacted(&self, marks: &[Mark]) -> Result<(), Box<Fault>> {
        let (Some(start), Some(first)) = (self.session.start, self.watch.messages.first()) else {
            return Ok(());
        };
        // A write behind the compaction in the log was applied, so the compaction was.
        let known = |mark: &&Mark| start < mark.mark && mark.at < Some(first.revision);
        let Some(mark) = marks.iter().find(|mark| mark.at.is_some() && known(mark)) else {
            return Ok(());
        };
        let told = |message: &WatchMessage| !message.events.is_empty() || message.is_progress();
        match self.watch.messages.iter().position(told) {
            Some(place) => {
                let what = format!(
                    "something, though it starts at revision {} and all below {} had been given up",
                    start.0, mark.mark.0,
                );
                self.fault(Guarantee::Compaction, place, Evidence::Compactions, what)
            }
            None => Ok(()),
        }
    }
}

/// An event in a few words.
pub(super) struct Named<'e>(pub(super) &'e WatchEvent);

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(WatchEvent { kind, kv, .. }) = self;
        match kind {
            EventKind::Put => {
                write!(f, "put {} = {} of revision {}", kv.key, kv.value, kv.mod_revision.0)
            }
            EventKind::Delete => write!(f, "delete {} of revision {}", kv.key, kv.mod_revision.0),
        }
    }
}
