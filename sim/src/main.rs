//! The simulator at the command line: one run, many runs, the hunt for planted bugs, shrinking.
//!
//! Exit codes: 0, everything held, or the failure is shrunk; 1, it did not; 2, the question could
//! not be asked, or nobody reads the answer.

/// `println!`, but for the end when nobody reads any more.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::show(&format_args!("{}\n", format_args!($($text)*)))
    };
}

mod cli {
    pub mod bugs;
    pub mod shrink;
}

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use quorate_core::planted::Bug;
use quorate_sim::clock::SECOND;
use quorate_sim::page::Recorder;
use quorate_sim::sweep::{Sweep, Tally};
use quorate_sim::trace::Reader;
use quorate_sim::{Engine, Outcome, Plan, bugs, engine, run};

/// Runs a Quorate cluster in one process, under faults drawn from a seed.
#[derive(Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run one seed and show every event, the verdict, the counters and the hash.
    Run(One),
    /// Run many seeds and show what they add up to.
    Sweep(Many),
    /// Put each planted bug in, see how many seeds it takes to catch it, and shrink what caught it.
    Bugs(cli::bugs::Hunts),
    /// Take out of a failing plan whatever it can do without, and print what is left.
    Shrink(cli::shrink::Failing),
    /// Print the plan of a seed.
    Plan {
        /// The seed.
        #[arg(long)]
        seed: u64,
    },
    /// Print one hash per engine for some seeds, to compare builds.
    Hash {
        /// The seeds, as 1..100.
        #[arg(long, value_parser = seeds, default_value = "1..50")]
        seeds: Range<u64>,
        /// Only this engine.
        #[arg(long)]
        engine: Option<Engine>,
    },
}

#[derive(Args)]
struct One {
    /// The seed.
    #[arg(long, required_unless_present = "plan")]
    seed: Option<u64>,
    /// Who decides when an actor runs: raw or madsim.
    #[arg(long, default_value_t = Engine::Raw)]
    engine: Engine,
    /// Run the plan in this file instead of the seed's.
    #[arg(long)]
    plan: Option<PathBuf>,
    /// Put this bug in (planted builds only).
    #[arg(long = "bug", value_parser = bug)]
    planted: Option<Bug>,
    /// Show neither the plan nor the events.
    #[arg(long)]
    quiet: bool,
    /// Write the run to this file as a page to look at.
    #[arg(long)]
    html: Option<PathBuf>,
    /// Write what the clients saw to this file, for the judges.
    #[arg(long)]
    history: Option<PathBuf>,
}

#[derive(Args)]
struct Many {
    /// The seeds, as 1..1000 (the end is not included).
    #[arg(long, value_parser = seeds, default_value = "1..1001")]
    seeds: Range<u64>,
    /// Who decides when an actor runs: raw or madsim.
    #[arg(long, default_value_t = Engine::Raw)]
    engine: Engine,
    /// Put this bug in (planted builds only).
    #[arg(long = "bug", value_parser = bug)]
    planted: Option<Bug>,
    /// Shrink the first plan that fails.
    #[arg(long)]
    shrink: bool,
    /// How many runs at once; all processors unless said otherwise.
    #[arg(long)]
    threads: Option<usize>,
    /// End after so many failures.
    #[arg(long, default_value_t = 10)]
    failures: usize,
}

/// Why a question could not be asked.
struct Trouble(String);

type Answer = Result<bool, Trouble>;

fn main() -> ExitCode {
    let answer = match Cli::parse().command {
        Command::Run(one) => run_one(&one),
        Command::Sweep(many) => run_many(&many),
        Command::Bugs(hunts) => cli::bugs::hunt_all(&hunts),
        Command::Shrink(failing) => cli::shrink::shrink_one(&failing),
        Command::Plan { seed } => {
            show(&Plan::draw(seed));
            Ok(true)
        }
        Command::Hash { seeds, engine } => print_hashes(&seeds, engine),
    };
    match answer {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(Trouble(why)) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

fn run_one(one: &One) -> Answer {
    check_build(one.engine, one.planted)?;
    let plan = match &one.plan {
        Some(file) => read_plan(file)?,
        None => Plan::draw(one.seed.unwrap_or_default()),
    };
    let mut reader: Option<Reader> = None;
    if !one.quiet {
        show(&plan);
        reader = Some(Box::new(|line| say!("{line}")));
    }
    let recorder = Recorder::default();
    if one.html.is_some() {
        reader = Some(recorder.reader(reader));
    }
    let outcome = run(plan.clone(), one.engine, one.planted, reader);
    say!("{outcome}");
    if let Some(explanation) = outcome.explanation(&plan) {
        say!("\n{explanation}\n");
    }
    if let Some(file) = &one.html {
        let page = recorder.page(&plan, &origin(one), &outcome);
        fs::write(file, page).map_err(|error| trouble(file, &error))?;
        say!("page: {}", file.display());
    }
    if outcome.verdict.is_err() {
        say!("{}", cli::shrink::offer(one));
    }
    if let Some(file) = &one.history {
        write_history(&outcome, file)?;
    }
    Ok(outcome.verdict.is_ok())
}

/// How a run is had again, in the words of `make`.
fn origin(one: &One) -> String {
    let what = match (&one.plan, one.seed) {
        (Some(file), _) => format!("PLAN={}", file.display()),
        (None, seed) => format!("SEED={}", seed.unwrap_or_default()),
    };
    let bug = one.planted.map_or_else(String::new, |bug| format!(" BUG={bug}"));
    format!("make sim {what}{bug} ENGINE={}", one.engine)
}

/// Prints, and ends when nobody reads any more.
fn show(text: &dyn Display) {
    if write!(io::stdout(), "{text}").is_err() {
        process::exit(2);
    }
}

fn run_many(many: &Many) -> Answer {
    check_build(many.engine, many.planted)?;
    let mut sweep = Sweep::new(many.seeds.clone(), many.engine);
    (sweep.planted, sweep.enough) = (many.planted, many.failures);
    sweep.threads = many.threads.unwrap_or(sweep.threads);
    let bar = progress(many.seeds.end.saturating_sub(many.seeds.start), "seeds");
    let start = Instant::now();
    let tally = sweep.run(|| bar.inc(1));
    bar.finish_and_clear();
    show(&tally.counters);
    tally.failures.iter().for_each(|failure| say!("{failure}"));
    say!("{}", summary(&tally, start.elapsed()));
    say!("hash: {:016x}", tally.hash);
    if let Some(first) = tally.failures.first().filter(|_| many.shrink) {
        cli::shrink::shrink_failure(first)?;
    }
    Ok(tally.failures.is_empty())
}

fn print_hashes(seeds: &Range<u64>, only: Option<Engine>) -> Answer {
    let asked = |engine: &Engine| only.is_none_or(|only| only == *engine);
    for engine in Engine::ALL.into_iter().filter(asked) {
        check_build(engine, None)?;
        let tally = Sweep::new(seeds.clone(), engine).run(|| {});
        say!("{engine} {}..{} {:016x}", seeds.start, seeds.end, tally.hash);
    }
    Ok(true)
}

fn check_build(engine: Engine, planted: Option<Bug>) -> Result<(), Trouble> {
    if !engine.is_built() {
        return Err(Trouble(engine::NO_MADSIM.to_owned()));
    }
    if planted.is_some() && !bugs::is_planted() {
        return Err(Trouble(bugs::NOT_PLANTED.to_owned()));
    }
    Ok(())
}

fn read_plan(file: &Path) -> Result<Plan, Trouble> {
    let text = fs::read_to_string(file).map_err(|error| trouble(file, &error))?;
    text.parse().map_err(|error| trouble(file, &error))
}

fn write_history(outcome: &Outcome, file: &Path) -> Result<(), Trouble> {
    let Some(history) = &outcome.history else { return Ok(()) };
    let out = fs::File::create(file).map_err(|error| trouble(file, &error))?;
    history.write(out).map(drop).map_err(|error| trouble(file, &error))
}

fn trouble(file: &Path, why: &dyn Display) -> Trouble {
    Trouble(format!("{}: {why}", file.display()))
}

fn summary(tally: &Tally, took: Duration) -> String {
    let wall = took.as_secs_f64();
    let simulated = tally.simulated as f64 / SECOND as f64;
    format!(
        "{} seeds, {} failed; {simulated:.0} simulated seconds in {wall:.1} s: {:.0} seeds a \
         minute, {:.0} simulated seconds a second",
        tally.runs,
        tally.failures.len(),
        tally.runs as f64 * 60.0 / wall,
        simulated / wall
    )
}

/// A bar on a terminal, and nothing elsewhere.
fn progress(length: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(what);
    let style = "{msg} [{bar:40}] {pos}/{len} {per_sec} {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("seeds are written 1..1000")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("\"{text}\": {error}"));
    Ok(number(from)?..number(to)?)
}

fn bug(name: &str) -> Result<Bug, String> {
    let names: Vec<&str> = Bug::ALL.iter().map(|bug| bug.name()).collect();
    let found = Bug::ALL.iter().copied().find(|bug| bug.name() == name);
    found.ok_or_else(|| format!("no bug is called {name}: {}", names.join(", ")))
}
