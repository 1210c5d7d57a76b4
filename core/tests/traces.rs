//! Replays every trace under `traces/`: runs its commands and compares what they cause, byte for
//! byte, with what the file says.
//!
//! A trace is its own snapshot: script and expectation in one file, read as one text. So it is
//! compared here and not by `insta`, whose snapshots are files of their own with a header; the
//! switch is insta's, though. `INSTA_UPDATE=always` (`make traces`) rewrites what differs, to be
//! reviewed like code.
//!
//! Not here: the language (`script/mod.rs`) and its commands (`script/cluster.rs`).

mod script;

use std::fs;
use std::path::{Path, PathBuf};

const TRACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../traces");

#[test]
fn every_trace_tells_what_happens() {
    let update = std::env::var_os("INSTA_UPDATE").is_some_and(|mode| mode == "always");
    let traces = traces_under(Path::new(TRACES));
    assert!(!traces.is_empty(), "no traces under {TRACES}");
    let complaints: Vec<String> =
        traces.iter().filter_map(|path| judge(path, update).err()).collect();
    assert!(
        complaints.is_empty(),
        "{} of {} traces differ; if that is right, `make traces` rewrites them:\n\n{}",
        complaints.len(),
        traces.len(),
        complaints.join("\n")
    );
}

/// Whoever writes a script wrongly is told where.
#[test]
fn a_wrong_script_is_refused_with_its_line() {
    for (command, complaint) in [
        ("dance n1", "there is no command \"dance\""),
        ("sync n1 often", "\"often\" is no such number"),
        ("view n1 now", "what is \"now\" for?"),
        ("tick n7", "there is no n7"),
        ("put n1 key", "a word is missing"),
        ("deliver n2 vote", "no such message is on the wire"),
        ("cluster n1 patience=9", "\"patience=9\" is neither node nor option"),
    ] {
        let text = format!("# A header.\n\ncluster n1 n2 # A remark.\n{command}\n----\n");
        assert_eq!(script::replay(&text), Err((4, complaint.to_string())));
    }
}

fn traces_under(folder: &Path) -> Vec<PathBuf> {
    let mut traces = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder of the traces") {
        let path = entry.expect("what is in it").path();
        if path.is_dir() {
            traces.extend(traces_under(&path));
        } else if path.extension().is_some_and(|extension| extension == "trace") {
            traces.push(path);
        }
    }
    traces.sort();
    traces
}

fn judge(path: &Path, update: bool) -> Result<(), String> {
    let name = path.strip_prefix(TRACES).unwrap_or(path).display();
    let expected = fs::read_to_string(path).map_err(|error| format!("traces/{name}: {error}"))?;
    let actual = script::replay(&expected)
        .map_err(|(line, complaint)| format!("traces/{name}:{line}: {complaint}\n"))?;
    if actual == expected {
        return Ok(());
    }
    if update {
        return fs::write(path, actual).map_err(|error| format!("traces/{name}: {error}"));
    }
    Err(format!("traces/{name}:\n{}", difference(&expected, &actual)))
}

/// The first line that differs, and the one before it.
fn difference(expected: &str, actual: &str) -> String {
    let equal = expected.lines().zip(actual.lines()).take_while(|(old, new)| old == new).count();
    let line = |text: &str, at| text.lines().nth(at).unwrap_or("(end of file)").to_string();
    let before = equal.checked_sub(1).map_or(String::new(), |at| line(expected, at));
    let (number, old, new) = (equal + 1, line(expected, equal), line(actual, equal));
    format!("{equal:>5}   {before}\n{number:>5} - {old}\n{number:>5} + {new}\n")
}
