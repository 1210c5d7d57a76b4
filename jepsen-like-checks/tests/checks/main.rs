//! The judges on trial.
//!
//! ```text
//! format      the history file: round trips, errors that help, no panic on any input
//! arbitrary   records of any content, for format and for judges that must not panic
//! model       the specification against a naive one that copies everything
//! legal       hand-made histories that look odd and are legal
//! illegal     hand-made histories that are not, each rejected for the reason it was made for
//! sessions    rules that need no model
//! watches       hand-made watches, one for each guarantee that they break; random correct ones
//! leases        the rules of time, each broken by name; random correct lives
//! explaining    what people read of broken histories, as snapshots
//! duel        both judges on thousands of random histories, legal and corrupted
//! ```

mod arbitrary;
mod build;
mod duel;
mod explaining;
mod format;
mod generate;
mod illegal;
mod leases;
mod legal;
mod model;
mod mutate;
mod sessions;
mod watches;
mod watching;
