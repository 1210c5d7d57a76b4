//! A watch against what operations and the log prove: nothing invented, nothing left out.
//!
//! ```text
//! start               first event          last event       bookmark
//!   |---- resumable ------|----- reliable -----|- bookmarkable -|      what it proves if left out
//! ```
//!
//! Inside a revision that is shown, a change that is left out, or that comes in another order,
//! breaks the revision apart: it is not atomic, or not ordered.
//!
//! Not here: pairs before and beginnings of lives (`before.rs`), other watches (`agree.rs`).

use super::chronicle::{Change, Chronicle, Page, Put, source};
use super::session::{Named, Session};
use super::{Counters, Fault, Guarantee};
use crate::history::{EventKind, KeyValue, Revision, WatchEvent};

/// The events of one revision, as a watch was told them.
pub(super) type Group<'s, 'h> = &'s [(usize, &'h WatchEvent)];

/// The events of a watch, revision by revision.
pub(super) fn groups<'s, 'h>(session: &'s Session<'h>) -> impl Iterator<Item = Group<'s, 'h>> {
    session.events.chunk_by(|(_, one), (_, other)| one.revision() == other.revision())
}

pub(super) fn check(
    session: &Session<'_>,
    chronicle: &Chronicle<'_>,
    counters: &mut Counters,
) -> Result<(), Box<Fault>> {
    let Some(start) = session.start else { return Ok(()) };
    let mut next = start;
    let mut guarantee = Guarantee::Resumable;
    for group in groups(session) {
        let (place, event) = group[0];
        let revision = event.revision();
        nothing_between(session, chronicle, (next, before(revision)), guarantee, place)?;
        if let Some(page) = chronicle.page(revision) {
            same(session, revision, page, group, counters)?;
        }
        next = Revision(revision.0.saturating_add(1));
        guarantee = Guarantee::Reliable;
    }
    if let Some((mark, place)) = session.bookmark {
        nothing_between(session, chronicle, (next, mark), Guarantee::Bookmarkable, place)?;
    }
    Ok(())
}

fn before(revision: Revision) -> Revision {
    Revision(revision.0.saturating_sub(1))
}

fn fault(
    session: &Session<'_>,
    guarantee: Guarantee,
    place: usize,
    change: &Change<'_>,
    what: String,
) -> Box<Fault> {
    let (watch, at) = (session.watch.number, session.watch.messages[place].at);
    Box::new(Fault { guarantee, watch, message: place, at, evidence: change.by, what })
}

/// Whether a watch had to show a change.
fn wants(session: &Session<'_>, change: &Change<'_>) -> bool {
    let request = &session.watch.request;
    let filtered = match change.kind {
        EventKind::Put => request.no_put,
        EventKind::Delete => request.no_delete,
    };
    !filtered && request.keys().contains(change.key)
}

/// No change that the watch must show may be in revisions that it passed over.
fn nothing_between(
    session: &Session<'_>,
    chronicle: &Chronicle<'_>,
    (from, to): (Revision, Revision),
    guarantee: Guarantee,
    place: usize,
) -> Result<(), Box<Fault>> {
    for (revision, page) in chronicle.pages(from, to) {
        if let Some(change) = page.changes.iter().find(|change| wants(session, change)) {
            let what = format!(
                "of what comes after revision {0}, but never of {1} {2} of revision {0}, for which \
                 {3} stands",
                revision.0,
                verb(change.kind),
                change.key,
                source(change.by),
            );
            return Err(fault(session, guarantee, place, change, what));
        }
    }
    Ok(())
}

fn verb(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Put => "put",
        EventKind::Delete => "delete",
    }
}

/// A revision that is shown must be what is proven of it.
fn same(
    session: &Session<'_>,
    revision: Revision,
    page: &Page<'_>,
    group: Group<'_, '_>,
    counters: &mut Counters,
) -> Result<(), Box<Fault>> {
    let (last, _) = group[group.len() - 1];
    for change in page.changes.iter().filter(|change| wants(session, change)) {
        let shown = group.iter().find(|(_, event)| event.kv.key == *change.key);
        let Some((place, event)) = shown else {
            if session.is_cut_short(last) {
                continue;
            }
            let what = format!(
                "of a part of revision {} only: {} {}, for which {} stands, is not there",
                revision.0,
                verb(change.kind),
                change.key,
                source(change.by),
            );
            return Err(fault(session, Guarantee::Atomic, last, change, what));
        };
        if let Some(wrong) = differs(event, change) {
            let what = format!("of {}, but {} {wrong}", Named(event), source(change.by));
            return Err(fault(session, Guarantee::Content, *place, change, what));
        }
        counters.confirmed += 1;
        counters.required += 1;
    }
    let Some(by) = page.whole else { return Ok(()) };
    let mut known = page.changes.iter();
    for (place, event) in group {
        if known.any(|change| *change.key == event.kv.key) {
            continue;
        }
        let named = Named(event);
        let other = page.changes.iter().find(|change| *change.key == event.kv.key);
        let (guarantee, what) = match other {
            Some(_) => (Guarantee::Ordered, format!("of {named} after a later change of it")),
            None => {
                let what = format!("of {named}, but {} made no such change", source(by));
                (Guarantee::Content, what)
            }
        };
        let (watch, at) = (session.watch.number, session.watch.messages[*place].at);
        return Err(Box::new(Fault { guarantee, watch, message: *place, at, evidence: by, what }));
    }
    Ok(())
}

/// What is wrong with an event, if it is not the change that is proven.
fn differs(event: &WatchEvent, change: &Change<'_>) -> Option<String> {
    if event.kind != change.kind {
        return Some(format!("says that it was a {}", verb(change.kind)));
    }
    match change.put {
        Put::Pair(pair) if shown(&event.kv) != shown(pair) => {
            Some(format!("says that it was put as {} with another value or lease", pair.value))
        }
        Put::Pair(pair) if event.kv != *pair && event.is_create() == is_create(pair) => {
            Some(format!("says that it was its version {}", pair.version))
        }
        Put::Asked(value, lease) if (&event.kv.value, event.kv.lease) != (value, lease) => {
            Some(format!("put {value} there, or another lease"))
        }
        Put::Pair(_) | Put::Asked(..) | Put::Unknown => None,
    }
}

fn is_create(pair: &KeyValue) -> bool {
    pair.create_revision == pair.mod_revision
}

fn shown(pair: &KeyValue) -> (&[u8], Option<crate::history::Lease>) {
    (&pair.value, pair.lease)
}
