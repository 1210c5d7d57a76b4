//! A run as one page that can be looked at: lanes, messages, terms, faults, calls and the verdict.
//!
//! ```text
//!   plan, trace lines, outcome --read--> Story --JSON--> page.html + style + scripts --> a page
//!
//!   faults     |    [isolate leader]
//!   n1 #### term 2 leads ####\ down |~~ term 3 ~~      arrows: messages
//!   n2 ~~~~~~~~~~~~~~~~~~~~~~~\~~~~~~### term 3 ###    bars: calls and their outcomes
//!   c0    [put k1 ok r2]   [range k1 ?.....
//! ```
//! The lines that a run prints already say everything; so a run that nobody looks at pays nothing,
//! and a run that is looked at is the same run. What is drawn is read from the same lines that a
//! person reads: a new kind of message or fault is shown without a change here.
//!
//! Invariants:
//! - G1. A page names no other file and no address: it can be opened anywhere, for ever.
//! - G2. No text of a run can end the script element that the data are in.
//!
//! Not here: reading lines (`page/lines.rs`), who led when (`page/lives.rs`). And what a browser
//! does: it reads the story (`story.js`), gives everything a colour and a place (`place.js`), draws
//! (`picture.js`), and lets a person look around (`hands.js`).

mod lines;
mod lives;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::plan::Plan;
use crate::trace::Reader;
use crate::verdict::{Outcome, Violation};

/// Longer texts of keys and values are cut.
const LONGEST: usize = 48;
const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
/// In the order in which they run.
const SCRIPTS: [&str; 4] = [
    include_str!("page/story.js"),
    include_str!("page/place.js"),
    include_str!("page/picture.js"),
    include_str!("page/hands.js"),
];

/// Keeps the lines of a run.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    /// What the run is to be read along with. Each line is also handed to `other`.
    #[must_use]
    pub fn reader(&self, mut other: Option<Reader>) -> Reader {
        let lines = Arc::clone(&self.0);
        Box::new(move |line| {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
            if let Some(other) = &mut other {
                other(line);
            }
        })
    }

    /// The page of the run that was recorded. `origin` says how to run it again.
    #[must_use]
    pub fn page(&self, plan: &Plan, origin: &str, outcome: &Outcome) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let data = story(plan, origin, outcome, &lines).to_string();
        // G2: JSON needs no angle bracket.
        let data = data.replace('<', "\\u003c");
        // What a run says comes last: nothing of it is looked through again.
        PAGE.replace("@STYLE@\n", STYLE)
            .replace("@SCRIPT@\n", &SCRIPTS.concat())
            .replace("@ORIGIN@", &escaped(origin))
            .replace("@STORY@", &data)
    }
}

/// All that the page shows. Times are in microseconds; places of lanes count from 0, members first.
fn story(plan: &Plan, origin: &str, outcome: &Outcome, lines: &[String]) -> Value {
    let members = plan.settings.members as usize;
    let events = lines::read(lines, members);
    json!({
        "origin": origin,
        "plan": plan.to_string(),
        "members": members,
        "clients": plan.settings.clients,
        "end": outcome.simulated,
        "verdict": outcome.verdict.as_ref().err().map(verdict),
        "explanation": outcome.explanation(plan).map(|explanation| explanation.to_string()),
        "kinds": events.kinds,
        "events": events.rows,
        "spans": lives::spans(&events, members, outcome.simulated),
        "faults": lives::faults(&events, outcome.simulated),
        "ops": operations(outcome),
    })
}

fn verdict(violation: &Violation) -> Value {
    json!({
        "invariant": violation.invariant.name(),
        "what": violation.what,
        "ops": lines::numbers_after(&violation.what, "operation "),
        "members": lines::numbers_after(&violation.what, "n"),
    })
}

/// What the clients saw, as their record has it.
fn operations(outcome: &Outcome) -> Vec<Value> {
    let mut text = Vec::new();
    if let Some(history) = &outcome.history {
        let written = history.write(&mut text);
        written.expect("memory takes whatever is written");
    }
    let text = String::from_utf8(text).expect("JSON is UTF-8");
    let records = text.lines().map(serde_json::from_str::<Value>);
    let records = records.map(|record| record.expect("the writer writes JSON"));
    records.filter(|record| record.get("op").is_some()).map(cut).collect()
}

/// The same with shorter texts.
fn cut(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > LONGEST => {
            let short: String = text.chars().take(LONGEST).collect();
            Value::String(short + "…")
        }
        Value::Array(all) => Value::Array(all.into_iter().map(cut).collect()),
        Value::Object(all) => {
            Value::Object(all.into_iter().map(|(name, value)| (name, cut(value))).collect())
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => value,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
