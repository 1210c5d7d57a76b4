//! What is left is made plain: settings to their simplest, words left out, numbers rounded.
//!
//! ```text
//!   jitter 1730us                                      jitter 0s
//!   op 31 client 2 think 325427us put k4 size 15 prev  op 31 client 2 think 300ms put k4 size 0
//! ```
//! It works on the text of a plan and knows nothing of what the words mean. Whatever reads back as
//! a plan is a candidate, so that new kinds of faults and operations shrink like the old ones.
//!
//! Invariants:
//! - W1. Numbers of faults and operations stay: chance speaks of them by number.
//! - W2. A candidate has fewer words, or a number with fewer digits, or a smaller one with as many:
//!   it comes to an end.

use super::Shrinker;
use crate::clock::{MILLI, Micros, SECOND};
use crate::plan::{Plan, Span};

/// Values that a reader can pass over.
const PLAIN: [(&str, u64); 14] = [
    ("jitter", 0),
    ("moves", 0),
    ("latency", MILLI),
    ("service", 10),
    ("disk-write", 100),
    ("disk-sync", MILLI),
    ("segment", 64 << 10),
    ("discard", 1000),
    ("store-every", 10 * MILLI),
    ("store-sync", SECOND),
    ("page", 100),
    ("patience", SECOND),
    ("heartbeat", 50 * MILLI),
    ("election", 500 * MILLI),
];

/// Settings that are no matter of taste.
const FIXED: [&str; 3] = ["seed", "members", "clients"];

impl Shrinker<'_> {
    /// All settings at once, or one by one.
    pub(super) fn simplify_settings(&mut self) {
        let mut all = self.plan.clone();
        for (name, value) in PLAIN {
            set(&mut all, name, value);
        }
        if self.attempt(all) {
            return;
        }
        for (name, value) in PLAIN {
            let mut candidate = self.plan.clone();
            set(&mut candidate, name, value);
            self.attempt(candidate);
        }
    }

    pub(super) fn simplify_words(&mut self) {
        let lines = self.plan.to_string().lines().count();
        // The first line is the head.
        for line in 1..lines {
            self.simplify_line(line);
        }
    }

    fn simplify_line(&mut self, at: usize) {
        let mut place = 0;
        while let Some(words) = self.line(at) {
            let (fixed, setting) = match words[0].as_str() {
                "fault" | "op" => (2, false), // W1.
                name if FIXED.contains(&name) => return,
                _ => (1, true),
            };
            place = place.max(fixed);
            if place >= words.len() {
                return;
            }
            let simpler = candidates(&words, place, setting);
            if !simpler.into_iter().any(|words| self.attempt_line(at, &words)) {
                place += 1;
            }
        }
    }

    fn line(&self, at: usize) -> Option<Vec<String>> {
        let text = self.plan.to_string();
        Some(text.lines().nth(at)?.split_whitespace().map(str::to_owned).collect())
    }

    fn attempt_line(&mut self, at: usize, words: &[String]) -> bool {
        let text = self.plan.to_string();
        let mut lines: Vec<&str> = text.lines().collect();
        let line = words.join(" ");
        lines[at] = &line;
        // Most candidates are no plans, and the reader says so.
        lines.join("\n").parse().is_ok_and(|candidate| self.attempt(candidate))
    }
}

fn set(plan: &mut Plan, name: &str, value: u64) {
    if let Some((place, _)) = plan.settings.place(name) {
        *place = value;
    }
}

/// The line with less at this place. A setting is only rounded: it says how fast something is, and
/// a run with a much smaller one may have no end.
fn candidates(words: &[String], place: usize, setting: bool) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let most = if setting { 0 } else { 2 };
    for count in (1..=most).rev().filter(|count| place + count <= words.len()) {
        all.push([&words[..place], &words[place + count..]].concat());
    }
    for number in simpler_numbers(&words[place], setting) {
        let mut line = words.to_vec();
        line[place] = number;
        all.push(line);
    }
    all
}

/// Simpler numbers or spans (W2) in words, the simplest first; rounded ones only, if so asked.
fn simpler_numbers(word: &str, rounded: bool) -> Vec<String> {
    let digits = word.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: Option<Micros> = match &word[digits.len()..] {
        "" => None,
        "us" => Some(1),
        "ms" => Some(MILLI),
        "s" => Some(SECOND),
        _ => return Vec::new(),
    };
    let Ok(number) = digits.parse::<u64>() else { return Vec::new() };
    let value = number * unit.unwrap_or(1);
    let mut found: Vec<u64> =
        [(1, 0), (1, 1), (2, 0), (2, 1)].map(|(digits, up)| round(value, digits, up)).into();
    if !rounded {
        found.extend([0, round(value / 2, 1, 0)]);
    }
    found.retain(|simpler| weight(*simpler) < weight(value));
    found.sort_by_key(|simpler| weight(*simpler));
    found.dedup();
    let show = |value: u64| unit.map_or_else(|| value.to_string(), |_| Span(value).to_string());
    found.into_iter().map(show).collect()
}

/// How many digits of a number are no zeros at its end, and then its size.
fn weight(value: u64) -> (u32, u64) {
    let mut figures = value;
    while figures > 0 && figures.is_multiple_of(10) {
        figures /= 10;
    }
    (if value == 0 { 0 } else { figures.ilog10() + 1 }, value)
}

/// The first digits of a number, as they are or one more, and zeros.
fn round(value: u64, digits: u32, up: u64) -> u64 {
    let length = value.checked_ilog10().map_or(1, |log| log + 1);
    let step = 10_u64.pow(length.saturating_sub(digits));
    (value / step + up) * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_simpler_and_come_to_an_end() {
        let words = |word| simpler_numbers(word, false).join(" ");
        assert_eq!(words("325427us"), "0s 100ms 300ms 400ms 320ms 330ms");
        assert_eq!(simpler_numbers("325427us", true).join(" "), "300ms 400ms 320ms 330ms");
        assert_eq!(words("800ms"), "0s 400ms");
        assert_eq!(words("1500"), "0 700 1000 2000");
        for (word, simpler) in [("1", "0"), ("0", ""), ("leader", ""), ("k4", "")] {
            assert_eq!(words(word), simpler);
        }
        for start in [1_u64, 9, 10, 99, 123_456, 999_999_999_999] {
            let mut word = start.to_string();
            let mut steps = 0;
            while let Some(simpler) = simpler_numbers(&word, false).pop() {
                (word, steps) = (simpler, steps + 1);
            }
            assert!(word == "0" && steps < 100, "{start} took {steps} steps");
        }
    }

    #[test]
    fn the_number_of_an_operation_stays() {
        let words: Vec<String> = "op 31 client 2 think 1s get".split(' ').map(Into::into).collect();
        assert!(candidates(&words, 3, false).iter().all(|line| line[..2] == words[..2]));
    }
}
