//! The log: to stderr, as text for people or as JSON for machines.
//!
//! Not here: what is logged at which level. As a rule: `info` once per event of the member's life,
//! `warn` for what somebody should look at, `debug` for every input and output of consensus.

use std::fmt;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One line of words per event.
    Text,
    /// One JSON object per event.
    Json,
}

/// Libraries whose daily work is not the member's.
const QUIET: [&str; 6] = ["fjall", "lsm_tree", "h2", "hyper", "hyper_util", "tonic"];

/// Starts logging. A second call changes nothing.
pub fn start(format: Format, level: LevelFilter) {
    let quiet = QUIET.map(|library| (library, LevelFilter::WARN.min(level)));
    let filter = Targets::new().with_default(level).with_targets(quiet);
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(false)
        .with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // An error means that somebody else has set a subscriber: theirs is as good.
    let _ = match format {
        Format::Text => registry.with(lines).try_init(),
        Format::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
}

/// Ends the process, because going on could break a promise. Nothing is cleaned up: what is
/// durable is in order at every moment, and what is not was promised to nobody.
pub fn die(what: impl fmt::Display) -> ! {
    tracing::error!("{what}");
    eprintln!("quorate: {what}");
    std::process::exit(1)
}
