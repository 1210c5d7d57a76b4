//! The lines of a run, taken apart: when, in whose lane, of which kind, and what caused it.
//!
//! ```text
//!   "   2.041337 n2 send 2 -> 1 @4 vote yes"      [2041337, lane 1, kind vote, "send 2 -> 1 .."]
//!   "   2.043010 n1 receive 2 -> 1 @4 vote yes"   [2043010, lane 0, kind vote, place of the send]
//! ```
//! A message that arrives says the same as when it was sent, so the two are found by their words:
//! an arrival belongs to the newest message of these words that has not arrived yet, or else is a
//! second copy.
//!
//! Not here: what follows from the lines (`lives.rs`).

use std::collections::HashMap;

use serde::Serialize;

use crate::clock::{Micros, SECOND};

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Event {
    pub(super) at: Micros,
    /// Whose it is; nobody's, if it happened outside of the cluster.
    pub(super) lane: Option<usize>,
    /// What was said of it, without time and name.
    pub(super) text: String,
}

/// All events, and the same in the form of the page.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) list: Vec<Event>,
    pub(super) rows: Vec<Row>,
    pub(super) kinds: Vec<Kind>,
}

/// A kind of event: its name, and whether it is a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Kind(String, bool);

/// Time, lane (or null), place of the kind, and the words, or the place of the event that was sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Row(Micros, Option<usize>, usize, Said);

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
enum Said {
    Words(String),
    Sent(usize),
}

/// Sends of the same words: those still under way, and the last one of all.
#[derive(Debug, Default)]
struct Copies {
    under_way: Vec<usize>,
    last: Option<usize>,
}

/// Takes lines apart.
pub(super) fn read(lines: &[String], members: usize) -> Events {
    let mut events = Events::default();
    let mut copies: HashMap<String, Copies> = HashMap::new();
    for event in lines.iter().filter_map(|line| event(line, members)) {
        let place = events.list.len();
        let (verb, rest) = event.text.split_once(' ').unwrap_or((&event.text, ""));
        let kind = message_kind(rest).filter(|_| matches!(verb, "send" | "receive"));
        let kind = events.kind(kind.unwrap_or(verb_kind(verb, event.lane)), kind.is_some());
        let said = match verb {
            "send" => {
                let copies = copies.entry(rest.to_owned()).or_default();
                copies.under_way.push(place);
                copies.last = Some(place);
                Said::Words(event.text.clone())
            }
            "receive" => {
                let sent = copies.get_mut(rest).and_then(|same| same.under_way.pop().or(same.last));
                sent.map_or_else(|| Said::Words(event.text.clone()), Said::Sent)
            }
            _ => Said::Words(event.text.clone()),
        };
        events.rows.push(Row(event.at, event.lane, kind, said));
        events.list.push(event);
    }
    events
}

impl Events {
    fn kind(&mut self, name: &str, message: bool) -> usize {
        let found = self.kinds.iter().position(|kind| kind.0 == name);
        found.unwrap_or_else(|| {
            self.kinds.push(Kind(name.to_owned(), message));
            self.kinds.len() - 1
        })
    }
}

fn event(line: &str, members: usize) -> Option<Event> {
    let (time, rest) = line.trim_start().split_once(' ')?;
    let (seconds, micros) = time.split_once('.')?;
    let at = seconds.parse::<u64>().ok()? * SECOND + micros.parse::<u64>().ok()?;
    let lane = rest.split_once(' ').and_then(|(name, text)| Some((lane(name, members)?, text)));
    Some(match lane {
        Some((lane, text)) => Event { at, lane: Some(lane), text: text.to_owned() },
        None => Event { at, lane: None, text: rest.to_owned() },
    })
}

/// n1, n2, .. and behind them c0, c1, ..
fn lane(name: &str, members: usize) -> Option<usize> {
    let number = |rest: &str| rest.parse::<usize>().ok();
    match name.split_at_checked(1)? {
        ("n", rest) => number(rest)?.checked_sub(1).filter(|place| *place < members),
        ("c", rest) => number(rest).map(|place| members + place),
        _ => None,
    }
}

/// The word behind the term in `2 -> 1 @4 vote yes`.
fn message_kind(rest: &str) -> Option<&str> {
    let (_, said) = rest.split_once('@')?;
    said.split(' ').nth(1)
}

/// Clients call their operations by number, and the outside needs no distinction.
fn verb_kind(verb: &str, lane: Option<usize>) -> &str {
    match lane {
        None => "world",
        Some(_) if verb.starts_with('#') => "outcome",
        Some(_) => verb.trim_end_matches(':'),
    }
}

/// The numbers in a text that follow a word that begins so, each once.
pub(super) fn numbers_after(text: &str, word: &str) -> Vec<u64> {
    let mut found = Vec::new();
    for (place, _) in text.match_indices(word) {
        let begins = text[..place].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        let rest = &text[place + word.len()..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number = rest[..digits].parse().ok().filter(|number| begins && !found.contains(number));
        found.extend(number);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(lines: &[&str]) -> Vec<String> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let events = read(&lines, 3);
        let show = |row: &Row| serde_json::to_string(row).expect("a row is plain data");
        events.rows.iter().map(show).collect()
    }

    #[test]
    fn an_arrival_is_found_by_its_words() {
        let rows = rows(&[
            "   0.000010 n1 send 1 -> 2 @2 vote yes",
            "   0.000020 n1 send 1 -> 2 @2 vote yes",
            "   1.000030 n2 receive 1 -> 2 @2 vote yes",
            "   1.000031 n2 receive 1 -> 2 @2 vote yes",
            "   1.000032 n2 receive 1 -> 2 @2 vote yes",
            "   1.000033 n2 receive 3 -> 2 @2 vote yes",
        ]);
        let ends: Vec<&str> = rows.iter().filter_map(|row| row.rsplit(',').next()).collect();
        assert_eq!(ends[2..5], ["1]", "0]", "1]"], "the newest, the one before, a second copy");
        assert_eq!(rows[5], r#"[1000033,1,0,"receive 3 -> 2 @2 vote yes"]"#, "from nowhere");
    }

    #[test]
    fn lanes_are_members_then_clients_then_nobody() {
        let rows = rows(&[
            "0.000005 n3 start 1",
            "0.000005 c2 #7 ok",
            "0.000005 heal",
            "0.000005 n4 start 1",
            "?",
        ]);
        assert_eq!(rows[0], r#"[5,2,0,"start 1"]"#);
        assert_eq!(rows[1], r##"[5,5,1,"#7 ok"]"##);
        assert_eq!(rows[2], r#"[5,null,2,"heal"]"#);
        assert_eq!(rows[3], r#"[5,null,2,"n4 start 1"]"#, "there is no such member");
        assert_eq!(rows.len(), 4);
    }

    #[test]
    fn numbers_follow_their_word() {
        let text = "operation 125 (client 1) was after operation 7; n2 and n2, not in0";
        assert_eq!(numbers_after(text, "operation "), [125, 7]);
        assert_eq!(numbers_after(text, "n"), [2]);
    }
}
