//! The log: to stderr, as text for people or as JSON for machines.
//!
//! Not here: what is logged at which level. As a rule: `info` once per event of the member's life,
//! `warn` for what somebody should look at, `debug` for every input and output of consensus.

use std::fmt;

use tracing_subscriber::filter::LevelFilter;

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One line of words per event.
    Text,
    /// One JSON object per event.
    Json,
}

/// Starts logging. A second call changes nothing.
pub fn start(format: Format, level: LevelFilter) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(false)
        .with_writer(std::io::stderr);
    // An error means that somebody else has set a subscriber: theirs is as good.
    let _ = match format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
}

/// Ends the process, because going on could break a promise. Nothing is cleaned up: what is
/// durable is in order at every moment, and what is not was promised to nobody.
pub fn die(what: impl fmt::Display) -> ! {
    tracing::error!("{what}");
    eprintln!("quorate: {what}");
    std::process::exit(1)
}
