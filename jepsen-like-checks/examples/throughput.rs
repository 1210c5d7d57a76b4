//! How fast the guided judge is: a million operations by a hundred clients, made up and judged.
//!
//! `cargo run --release -p quorate-checks --example throughput [OPERATIONS] [CLIENTS] [UNKNOWN]`,
//! the last one the operations of unknown outcome out of a thousand.

use std::time::Instant;

use quorate_checks::linearizable::{Budget, guided};

#[path = "../tests/checks/generate.rs"]
mod generate;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().ok());
    let mut number = |default| arguments.next().flatten().unwrap_or(default);
    let shape = generate::Shape {
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
        ..generate::Shape::default()
    };
    let history = generate::history(shape, 1);
    println!("{shape:?}");
    for _ in 0..3 {
        let start = Instant::now();
        let verdict = guided::judge(&history, Budget::default());
        let seconds = start.elapsed().as_secs_f64();
        let speed = history.operations().len() as f64 / seconds;
        println!("{seconds:.3} s, {speed:.0} operations a second: {verdict}");
    }
}
