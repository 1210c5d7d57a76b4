//! One run: a plan, an engine, an outcome.
//!
//! Not here: many runs (`sweep.rs`), what happens in one (`world/`).

use std::fmt;
use std::panic;
use std::str::FromStr;
use std::sync::Once;
use std::thread;

use quorate_core::planted::Bug;

use crate::engine;
use crate::plan::Plan;
use crate::trace::Reader;
use crate::verdict::Outcome;
use crate::world::World;

/// Who decides when an actor runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// A heap of events, in order. About ten times faster.
    Raw,
    /// The madsim runtime: a task per actor, on virtual time.
    Madsim,
}

impl Engine {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Raw, Self::Madsim];

    /// The name in commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Madsim => "madsim",
        }
    }

    /// Whether this build has it.
    #[must_use]
    pub const fn is_built(self) -> bool {
        match self {
            Self::Raw => true,
            Self::Madsim => cfg!(madsim),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|engine| engine.name() == name);
        found.ok_or_else(|| format!("no engine is called {name}: raw, madsim"))
    }
}

/// Runs a plan to its end. With a reader, every event is shown as it happens.
///
/// # Panics
/// If this build does not have the engine.
#[must_use]
pub fn run(plan: Plan, engine: Engine, planted: Option<Bug>, reader: Option<Reader>) -> Outcome {
    let seed = plan.settings.seed;
    assert!(engine.is_built(), "{}", engine::NO_MADSIM);
    quiet_panics();
    // A fresh thread: nothing that is kept per thread can leak from one run into the next.
    let name = format!("seed {seed}");
    let body = move || {
        let world = World::new(plan, planted, reader);
        match engine {
            Engine::Raw => engine::raw::run(world),
            Engine::Madsim => engine::mad::run(world, seed),
        }
    };
    let thread = thread::Builder::new().name(format!("{RUN}{name}")).stack_size(STACK).spawn(body);
    let thread = thread.expect("the system has room for a thread");
    thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
}

/// Threads with such names run simulations.
const RUN: &str = "run of ";
const STACK: usize = 4 << 20;

/// A failed assertion inside a run is a verdict, and no news for the terminal.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !thread::current().name().is_some_and(|name| name.starts_with(RUN)) {
                before(info);
            }
        }));
    });
}
