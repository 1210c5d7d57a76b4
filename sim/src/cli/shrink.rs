//! `shrink`: what is left of a failing plan, as text that can be stored and run again.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use quorate_core::planted::Bug;
use quorate_sim::shrink::{Budget, Shrunk, Size, shrink};
use quorate_sim::sweep::Failure;
use quorate_sim::{Engine, Plan};

use crate::{Answer, One, Trouble, check_build, read_plan, show, trouble};

#[derive(Args)]
pub struct Failing {
    /// The seed.
    #[arg(long, required_unless_present = "plan")]
    seed: Option<u64>,
    /// Shrink the plan in this file instead of the seed's.
    #[arg(long)]
    plan: Option<PathBuf>,
    /// Put this bug in (planted builds only); a stored plan may name one itself.
    #[arg(long, value_parser = crate::bug)]
    bug: Option<Bug>,
    /// Write what is left to this file, too.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Take so long at most.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Run so many candidates at most.
    #[arg(long, default_value_t = Budget::default().runs)]
    runs: u64,
}

pub fn shrink_one(args: &Failing) -> Answer {
    let plan = match &args.plan {
        Some(file) => read_plan(file)?,
        None => Plan::draw(args.seed.unwrap_or_default()),
    };
    let bug = args.bug.or_else(|| plan.expect.broken.map(|broken| broken.bug));
    check_build(Engine::Raw, bug)?;
    let budget = Budget { runs: args.runs, time: Duration::from_secs(args.seconds) };
    let text = shrink_plan(plan, bug, budget)?;
    if let Some(file) = &args.out {
        fs::write(file, &text).map_err(|error| trouble(file, &error))?;
    }
    show(&text);
    Ok(true)
}

/// Shrinks the plan of a failed seed of a sweep.
pub fn shrink_failure(failure: &Failure) -> Result<(), Trouble> {
    let plan = Plan::draw(failure.seed);
    show(&shrink_plan(plan, failure.planted, Budget::default())?);
    Ok(())
}

/// The command that shrinks a run.
pub fn offer(one: &One) -> String {
    let mut command = "shrink: make shrink".to_owned();
    match (&one.plan, one.seed) {
        (Some(file), _) => command += &format!(" PLAN={}", file.display()),
        (None, seed) => command += &format!(" SEED={}", seed.unwrap_or_default()),
    }
    command + &one.planted.map_or_else(String::new, |bug| format!(" BUG={bug}"))
}

fn shrink_plan(plan: Plan, bug: Option<Bug>, budget: Budget) -> Result<String, Trouble> {
    let seed = plan.settings.seed;
    let shrunk = watch(|each| shrink(plan, bug, budget, each));
    let shrunk = shrunk.ok_or_else(|| {
        let why = "the plan holds on the plain engine: there is nothing to shrink".to_owned();
        Trouble(format!("seed {seed}: {why}"))
    })?;
    eprintln!(
        "{} runs in {:.1} s; {}",
        shrunk.runs,
        shrunk.took.as_secs_f64(),
        if shrunk.complete { "nothing more can be taken out" } else { "the budget is spent" }
    );
    Ok(text(&shrunk, seed, bug))
}

/// The plan, and above it, as remarks, where it comes from and what it shows.
fn text(shrunk: &Shrunk, seed: u64, bug: Option<Bug>) -> String {
    let with = bug.map_or_else(String::new, |bug| format!(" with {bug}"));
    let mut text = format!("# From seed {seed}{with}: {},\n", shrunk.before);
    // Writing into a string cannot fail.
    let _ = writeln!(text, "# shrunk to {}.", Size::of(&shrunk.plan));
    let violation = shrunk.violation.as_ref().map(ToString::to_string).unwrap_or_default();
    for line in violation.lines() {
        let _ = writeln!(text, "# {line}");
    }
    text + &shrunk.plan.to_string()
}

/// Lets something shrink, and shows on a terminal how far it has come.
pub fn watch<T>(work: impl FnOnce(&mut dyn FnMut(u64, Size)) -> T) -> T {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {pos} runs, {msg} left") {
        bar.set_style(style);
    }
    let done = work(&mut |runs, size| {
        bar.set_position(runs);
        bar.set_message(size.to_string());
    });
    bar.finish_and_clear();
    done
}
