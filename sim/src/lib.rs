//! A Quorate cluster in one process, on simulated disks, links and clocks, from one seed.
//!
//! ```text
//!   seed --draw--> Plan --> World --turned by an engine--> Outcome
//!                  faults   members: the real core,        verdict, counters, hash
//!                  and      driven by actors
//!                  calls    oracle and judge look on
//! ```
//! The same core that the server runs is put under everything that can go wrong: lost, repeated
//! and late messages, cut links, killed processes, machines without power, torn writes, bent
//! clocks. Every decision of chance is a hash of the seed and of what it is about, so a run can be
//! repeated to the last event, and be taken apart.
//!
//! Reading order: [`fate`] and [`clock`]; [`plan`]; [`network`], [`disk`], [`vault`]; [`world`];
//! [`shadow`], [`oracle`], [`judge`], [`verdict`]; [`engine`], [`mod@run`], [`sweep`], [`bugs`];
//! [`mod@shrink`], [`mod@replay`], [`page`].
//!
//! Not here: the core (`core/`), the judges of histories (`jepsen-like-checks/`).

pub mod bugs;
pub mod clock;
pub mod counters;
pub mod disk;
pub mod engine;
pub mod fate;
pub mod judge;
pub mod network;
pub mod oracle;
pub mod page;
pub mod plan;
pub mod record;
pub mod replay;
pub mod run;
pub mod shadow;
pub mod shrink;
pub mod sweep;
pub mod trace;
pub mod vault;
pub mod verdict;
pub mod world;

pub use plan::Plan;
pub use run::{Engine, run};
pub use verdict::{Invariant, Outcome, Violation};
