//! How fast the guided judge is: a million operations by a hundred clients, made up and judged.
//!
//! `cargo run --release -p quorate-checks --example speed [OPERATIONS] [CLIENTS] [UNKNOWN] [SEED]`,
//! where UNKNOWN are the operations of unknown outcome out of a thousand. It judges two mixes:
//! puts, deletes and reads only, and one with transactions, leases and compactions. A large history
//! is judged by two threads in part: the first time is that on the wall, the second that of all
//! threads on the processors. The memory is the most that the process ever held, made-up history
//! included (`/proc/self`, Linux only).

use std::time::Instant;

use quorate_checks::linearizable::{Budget, guided};

#[path = "../tests/checks/generate.rs"]
mod generate;

use generate::Shape;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().ok());
    let mut number = |default| arguments.next().flatten().unwrap_or(default);
    let plain = Shape {
        operations: number(1_000_000),
        clients: number(100),
        unknown: number(2),
        keys: 1_000,
        writes: 500,
        deletes: 100,
        ranges: 10,
        serializable: 100,
        refused: 5,
        values: u64::MAX,
        pause: 50,
        ..Shape::default()
    };
    let seed = number(1);
    let mixed = Shape { txns: 150, leases: 50, expiries: 5, told: 1000, compactions: 1, ..plain };
    for (name, shape) in [("plain", plain), ("mixed", mixed)] {
        measure(name, shape, seed);
    }
}

fn measure(name: &str, shape: Shape, seed: u64) {
    let history = generate::history(shape, seed);
    println!("{name}, seed {seed}: {shape:?}");
    println!("history made, {} MiB in all", resident().unwrap_or(0));
    for _ in 0..3 {
        let (start, before) = (Instant::now(), on_processors());
        let verdict = guided::judge(&history, Budget::default());
        let seconds = start.elapsed().as_secs_f64();
        let busy = on_processors().zip(before).map_or(seconds, |(after, before)| after - before);
        let speed = history.operations().len() as f64 / seconds;
        println!(
            "{seconds:.3} s, {busy:.3} s on the processors, {speed:.0} operations a second: {verdict}"
        );
    }
    println!("{} MiB in all", resident().unwrap_or(0));
}

/// How long all threads of this process have been running so far, those that ended included, in
/// seconds; Linux counts in hundredths.
fn on_processors() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The command's name may hold anything, so count from behind it.
    let (_, numbers) = stat.rsplit_once(')')?;
    let mut numbers = numbers.split_whitespace().skip(11);
    let user: u64 = numbers.next()?.parse().ok()?;
    let system: u64 = numbers.next()?.parse().ok()?;
    Some((user + system) as f64 / 100.0)
}

/// The most memory that this process has held so far, in MiB.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}
