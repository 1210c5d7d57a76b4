//! The tables of `scripts/bench.sh`: its JSON lines in, Markdown out. Each figure is the median over
//! the runs of one store under one load.
//!
//! ```text
//! {"kind":"load","store":"etcd","members":3,"run":{"load":"put","clients":64,...}}
//! ```

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::Deserialize;

const OURS: &str = "quorate";
const THEIRS: &str = "etcd";
const FLOOR: &str = "echo";

#[derive(Deserialize)]
struct Line {
    kind: Kind,
    store: String,
    members: u32,
    run: Run,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Load,
    Memory,
}

#[derive(Deserialize)]
struct Run {
    load: String,
    clients: u32,
    ops_per_second: f64,
    p50_us: f64,
    server: Server,
}

#[derive(Deserialize)]
struct Server {
    cpu_us_per_op: f64,
    rss_kib: f64,
}

/// A row of the comparison: members, load, clients.
type Row<'a> = (u32, &'a str, u32);

/// Figures of one store, all of one kind.
type Figure = fn(&Line) -> f64;

/// The tables for the lines of a file.
pub fn tables(lines: &str) -> Result<String, String> {
    let mut all = Vec::new();
    for (number, line) in lines.lines().enumerate() {
        let parsed = serde_json::from_str::<Line>(line);
        all.push(parsed.map_err(|why| format!("line {}: {why}", number + 1))?);
    }
    let (loads, memory): (Vec<_>, Vec<_>) = all.iter().partition(|it| it.kind == Kind::Load);
    let mut text = String::new();
    write_loads(&mut text, &loads)
        .and_then(|()| write_floor(&mut text, &loads))
        .and_then(|()| write_memory(&mut text, &memory))
        .map_err(|_| "a table could not be formatted".to_owned())?;
    Ok(text)
}

fn write_loads(text: &mut String, lines: &[&Line]) -> fmt::Result {
    let rows = rows(lines, |store| store != FLOOR);
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(text, "| members | load | clients | op/s | server CPU, us/op | p50, us | RSS, MiB |")?;
    writeln!(text, "|---|---|---:|---:|---:|---:|---:|")?;
    for ((members, load, clients), lines) in rows {
        let figures: [Figure; 4] = [ops, cpu, p50, rss];
        let cells = figures.map(|figure| versus(&lines, figure));
        writeln!(text, "| {members} | {load} | {clients} | {} |", cells.join(" | "))?;
    }
    writeln!(text, "\nEach cell: {OURS} / {THEIRS} (their ratio).\n")
}

fn write_floor(text: &mut String, lines: &[&Line]) -> fmt::Result {
    let rows = rows(lines, |store| store == FLOOR);
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "| the floor: a bare gRPC echo | clients | op/s | server CPU, us/op | p50, us |"
    )?;
    writeln!(text, "|---|---:|---:|---:|---:|")?;
    for ((_, load, clients), lines) in rows {
        let load = load.split(' ').next().unwrap_or(load);
        let figures: [Figure; 3] = [ops, cpu, p50];
        let cells = figures.map(|figure| shown(median(&lines, FLOOR, figure)));
        writeln!(text, "| {load} | {clients} | {} |", cells.join(" | "))?;
    }
    writeln!(text)
}

fn write_memory(text: &mut String, lines: &[&Line]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    let cell = versus(lines, rss);
    writeln!(text, "Resident memory of one member after the filling, MiB: {cell}.")
}

/// The lines of those stores, by row, in the order of members, load and clients.
fn rows<'a>(
    lines: &[&'a Line],
    is_wanted: impl Fn(&str) -> bool,
) -> BTreeMap<Row<'a>, Vec<&'a Line>> {
    let mut rows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in lines.iter().filter(|line| is_wanted(&line.store)) {
        let row = (line.members, line.run.load.as_str(), line.run.clients);
        rows.entry(row).or_default().push(*line);
    }
    rows
}

fn ops(line: &Line) -> f64 {
    line.run.ops_per_second
}

fn cpu(line: &Line) -> f64 {
    line.run.server.cpu_us_per_op
}

fn p50(line: &Line) -> f64 {
    line.run.p50_us
}

fn rss(line: &Line) -> f64 {
    line.run.server.rss_kib / 1024.0
}

fn versus(lines: &[&Line], figure: Figure) -> String {
    let (ours, theirs) = (median(lines, OURS, figure), median(lines, THEIRS, figure));
    let ratio = match (ours, theirs) {
        (Some(ours), Some(theirs)) if theirs > 0.0 => format!(" ({:.2})", ours / theirs),
        _ => String::new(),
    };
    format!("{} / {}{ratio}", shown(ours), shown(theirs))
}

fn median(lines: &[&Line], store: &str, figure: Figure) -> Option<f64> {
    let of_store = lines.iter().filter(|line| line.store == store);
    let mut values: Vec<_> = of_store.map(|line| figure(line)).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

fn shown(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value < 100.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &str, store: &str, load: &str, ops: u32) -> String {
        let server = r#"{"cpu_us_per_op":20.5,"cores_busy":1,"rss_kib":2048,"peak_kib":1}"#;
        let rest = format!(r#""ops_per_second":{ops},"p50_us":7,"server":{server}"#);
        format!(
            r#"{{"kind":"{kind}","store":"{store}","members":3,"run":{{"load":"{load}","clients":64,{rest}}}}}"#
        )
    }

    #[test]
    fn medians_of_both_stores_stand_side_by_side() {
        let lines = [
            line("load", "quorate", "put", 300),
            line("load", "etcd", "put", 100),
            line("load", "quorate", "put", 100),
            line("load", "quorate", "put", 200),
            line("load", "echo", "range l", 900),
            line("memory", "quorate", "range l", 1),
        ];
        let text = tables(&lines.join("\n")).unwrap();
        let row = "| 3 | put | 64 | 200 / 100 (2.00) | 20.5 / 20.5 (1.00) | 7.0 / 7.0 (1.00) |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| range | 64 | 900 | 20.5 | 7.0 |"), "{text}");
        assert!(text.contains("after the filling, MiB: 2.0 / -."), "{text}");
        assert_eq!(tables("x").unwrap_err(), "line 1: expected value at line 1 column 1");
    }
}
