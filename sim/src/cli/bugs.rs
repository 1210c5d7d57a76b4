//! `bugs`: every planted bug is hunted and shrunk, and the stored plans that name one are replayed.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use quorate_core::planted::Bug;
use quorate_sim::bugs::{self, Hunt};
use quorate_sim::shrink::Budget;
use quorate_sim::{Engine, replay};

use super::shrink::watch;
use crate::{Answer, check_build, progress, read_plan, trouble};

#[derive(Args)]
pub struct Hunts {
    /// Give a bug up after so many seeds.
    #[arg(long, default_value_t = 20_000)]
    max_seeds: u64,
    /// Who decides when an actor runs: raw or madsim.
    #[arg(long, default_value_t = Engine::Raw)]
    engine: Engine,
    /// Only this bug.
    #[arg(long, value_parser = crate::bug)]
    bug: Option<Bug>,
    /// Shrink what caught a bug for so long; 0: do not shrink.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Where plans are stored.
    #[arg(long, default_value = "traces/regressions")]
    regressions: PathBuf,
}

pub fn hunt_all(args: &Hunts) -> Answer {
    check_build(args.engine, Some(Bug::ALL[0]))?;
    say!("{}", bugs::HEAD);
    let asked = |bug: &Bug| args.bug.is_none_or(|only| only == *bug);
    let mut hunts = Vec::new();
    for bug in Bug::ALL.iter().copied().filter(asked) {
        let hunt = hunt_one(bug, args);
        say!("{hunt}");
        hunts.push(hunt);
    }
    if let Some((faults, ops, seconds)) = bugs::medians(&hunts) {
        say!("median of the shrunk: {faults} faults, {ops} operations, {seconds:.1} s");
    }
    let caught = hunts.iter().filter(|hunt| hunt.is_good()).count();
    say!("{caught} of {} caught, by what speaks of them", hunts.len());
    Ok(replay_all(args)? && caught == hunts.len())
}

fn hunt_one(bug: Bug, args: &Hunts) -> Hunt {
    let bar = progress(args.max_seeds, bug.name());
    let mut hunt = bugs::hunt(bug, 1..args.max_seeds + 1, args.engine, || bar.inc(1));
    bar.finish_and_clear();
    if args.seconds > 0 {
        let time = Duration::from_secs(args.seconds);
        watch(|each| hunt.shrink(Budget { time, ..Budget::default() }, each));
    }
    hunt
}

/// The stored plans that name a bug must still be able to see it.
fn replay_all(args: &Hunts) -> Answer {
    let dir = &args.regressions;
    let mut all = true;
    for file in replay::stored(dir).map_err(|error| trouble(dir, &error))? {
        match replay::replay_planted(&read_plan(&file)?) {
            Ok(None) => {}
            Ok(Some(bug)) => say!("{} still breaks with {bug}", file.display()),
            Err(bad) => {
                say!("{} {bad}", file.display());
                all = false;
            }
        }
    }
    Ok(all)
}
