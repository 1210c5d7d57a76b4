//! Judges a history file: `cargo run -p quorate-checks --example judge -- [--wgl] FILE`.
//!
//! Prints what was checked, or explains what is wrong. `--wgl` asks the judge that searches for an
//! order by trial, and no other. Exit code 0: legal; 1: illegal; 2: undecided, or no history to
//! judge.

use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;

use quorate_checks::examine;
use quorate_checks::explain::explain;
use quorate_checks::history::History;
use quorate_checks::lease::Bounds;
use quorate_checks::linearizable::{Budget, Verdict, wgl};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (search, file) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [file] if file != "--wgl" => (false, file),
        ["--wgl", file] | [file, "--wgl"] => (true, file),
        _ => return cannot("usage: judge [--wgl] FILE"),
    };
    let read = File::open(file).map_err(|error| error.to_string());
    let read = read
        .and_then(|input| History::read(BufReader::new(input)).map_err(|error| error.to_string()));
    let history = match read {
        Ok(history) => history,
        Err(error) => return cannot(&format!("{file}: {error}")),
    };
    if search {
        let verdict = wgl::judge(&history, Budget::default());
        println!("{verdict}");
        return code(&verdict);
    }
    match examine(&history, Bounds::default()) {
        Ok(report) => {
            println!("{report}");
            code(&report.order)
        }
        Err(finding) => {
            print!("{}", explain(&history, &finding));
            ExitCode::from(1)
        }
    }
}

fn code(verdict: &Verdict) -> ExitCode {
    match verdict {
        Verdict::Linearizable(_) => ExitCode::SUCCESS,
        Verdict::Illegal(_) => ExitCode::from(1),
        Verdict::Unknown(_) => ExitCode::from(2),
    }
}

fn cannot(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(2)
}
