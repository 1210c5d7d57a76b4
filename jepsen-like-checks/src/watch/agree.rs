//! Watches against each other: two that were told of the same revision were told the same.
//!
//! Where neither an operation nor the log says what a revision changed, watches are the only
//! witnesses. For each change that any of them was told, every other that asked for it and passed
//! that revision must have been told it too:
//!
//! ```text
//! revision         5       6       7
//! watch 1, a..c    a=1             b=2          6 is proven by watch 2 alone,
//! watch 2, b..c            c=3     b=2          and watch 1, which passed it, was not told
//! ```
//!
//! Not here: what operations and the log prove (`truth.rs`).

use std::collections::BTreeMap;

use super::chronicle::source;
use super::session::{Named, Session};
use super::truth::groups;
use super::{Counters, Evidence, Fault, Guarantee};
use crate::history::{KeyValue, Revision, WatchEvent};

/// A change as the first watch was told it.
struct Told<'h> {
    event: &'h WatchEvent,
    by: Evidence,
}

/// The changes that some watch was told, in the order in which it was told them.
type Tales<'h> = BTreeMap<Revision, Vec<Told<'h>>>;

pub(super) fn check(sessions: &[Session<'_>], counters: &mut Counters) -> Result<(), Box<Fault>> {
    let mut tales = Tales::new();
    for session in sessions {
        collect(session, &mut tales, counters)?;
    }
    sessions.iter().try_for_each(|session| complete(session, &tales))
}

/// Adds what a watch was told, and compares it with what others were told.
fn collect<'h>(
    session: &Session<'h>,
    tales: &mut Tales<'h>,
    counters: &mut Counters,
) -> Result<(), Box<Fault>> {
    for (place, event) in &session.events {
        let tale = tales.entry(event.revision()).or_default();
        match tale.iter().find(|told| told.event.kv.key == event.kv.key) {
            None => {
                tale.push(Told { event, by: Evidence::Watch(session.watch.number, *place) });
            }
            Some(told) => {
                counters.agreed += 1;
                if let Some(guarantee) = differs(event, told.event) {
                    let what = format!(
                        "of {}, but {} says {}",
                        Shown(event),
                        source(told.by),
                        Shown(told.event),
                    );
                    return Err(fault(session, guarantee, *place, told.by, what));
                }
            }
        }
    }
    Ok(())
}

fn fault(
    session: &Session<'_>,
    guarantee: Guarantee,
    place: usize,
    evidence: Evidence,
    what: String,
) -> Box<Fault> {
    let (watch, at) = (session.watch.number, session.watch.messages[place].at);
    Box::new(Fault { guarantee, watch, message: place, at, evidence, what })
}

/// Which guarantee is broken if both were told so.
fn differs(one: &WatchEvent, other: &WatchEvent) -> Option<Guarantee> {
    if one.kind != other.kind || (&one.kv.value, one.kv.lease) != (&other.kv.value, other.kv.lease)
    {
        return Some(Guarantee::Content);
    }
    if one.kv != other.kv {
        return Some(Guarantee::IsCreate);
    }
    match (&one.prev_kv, &other.prev_kv) {
        (Some(one), Some(other)) if one != other => Some(Guarantee::PrevKv),
        (Some(_) | None, _) => None,
    }
}

/// A watch must have been told all that others were told of revisions that it passed.
fn complete(session: &Session<'_>, tales: &Tales<'_>) -> Result<(), Box<Fault>> {
    let Some(start) = session.start else { return Ok(()) };
    let mut next = start;
    let mut guarantee = Guarantee::Resumable;
    for group in groups(session) {
        let (place, event) = group[0];
        let revision = event.revision();
        passed(session, tales, (next, revision), guarantee, place)?;
        let cut_short = session.is_cut_short(group[group.len() - 1].0);
        for told in tales.get(&revision).into_iter().flatten() {
            let has = group.iter().any(|(_, event)| event.kv.key == told.event.kv.key);
            if session.watch.request.wants(told.event) && !has && !cut_short {
                let what = format!(
                    "of a part of revision {} only: {}, of which {} tells, is not there",
                    revision.0,
                    Named(told.event),
                    source(told.by),
                );
                return Err(fault(session, Guarantee::Atomic, place, told.by, what));
            }
        }
        next = Revision(revision.0.saturating_add(1));
        guarantee = Guarantee::Reliable;
    }
    if let Some((mark, place)) = session.bookmark {
        let end = Revision(mark.0.saturating_add(1));
        passed(session, tales, (next, end), Guarantee::Bookmarkable, place)?;
    }
    Ok(())
}

/// Nothing that others were told may be in revisions that were passed over; the second is not one.
fn passed(
    session: &Session<'_>,
    tales: &Tales<'_>,
    (from, to): (Revision, Revision),
    guarantee: Guarantee,
    place: usize,
) -> Result<(), Box<Fault>> {
    if to <= from {
        return Ok(());
    }
    let told = tales.range(from..to).flat_map(|(_, tale)| tale);
    match told.into_iter().find(|told| session.watch.request.wants(told.event)) {
        Some(told) => {
            let what = format!(
                "of what comes after revision {}, but never of {}, of which {} tells",
                told.event.revision().0,
                Named(told.event),
                source(told.by),
            );
            Err(fault(session, guarantee, place, told.by, what))
        }
        None => Ok(()),
    }
}

/// An event with its numbers.
struct Shown<'e>(&'e WatchEvent);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let KeyValue { create_revision, version, .. } = &self.0.kv;
        write!(f, "{} (created at {}, version {version})", Named(self.0), create_revision.0)
    }
}
