//! The same plan is the same run: twice in a process, and in another process.

use std::process::Command;

use quorate_sim::engine::NO_MADSIM;
use quorate_sim::sweep::Sweep;
use quorate_sim::{Engine, Plan, run};

/// One hash for some seeds, whatever the order in which they ran.
fn hash(engine: Engine, seeds: std::ops::Range<u64>, threads: usize) -> u64 {
    assert!(engine.is_built(), "{NO_MADSIM}");
    Sweep { threads, ..Sweep::new(seeds, engine) }.run(|| {}).hash
}

#[test]
fn a_run_repeats_itself_within_a_process() {
    for engine in Engine::ALL {
        assert_eq!(hash(engine, 1..21, 1), hash(engine, 1..21, 3), "{engine}");
        assert_ne!(hash(engine, 1..2, 1), hash(engine, 2..3, 1), "{engine}: seeds differ");
    }
}

#[test]
fn a_run_repeats_itself_in_another_process() {
    let binary = env!("CARGO_BIN_EXE_quorate-sim");
    let output = Command::new(binary).args(["hash", "--seeds", "1..21"]).output();
    let output = String::from_utf8(output.unwrap().stdout).unwrap();
    for engine in Engine::ALL {
        let line = format!("{engine} 1..21 {:016x}", hash(engine, 1..21, 2));
        assert!(output.contains(&line), "here {line}, there:\n{output}");
    }
}

#[test]
fn reading_along_changes_nothing() {
    for engine in Engine::ALL {
        let silent = run(Plan::draw(3), engine, None, None);
        let told = run(Plan::draw(3), engine, None, Some(Box::new(|_| {})));
        assert_eq!((silent.hash, silent.lines), (told.hash, told.lines), "{engine}");
    }
}
