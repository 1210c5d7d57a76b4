//! The tables of `scripts/bench.sh`: its JSON lines in, Markdown out. Each figure is the median
//! over the runs of one store under one load.
//!
//! ```text
//! {"kind":"load","store":"etcd","members":3,"run":{"load":"put","clients":64,...}}
//! {"kind":"restart","store":"etcd","members":1,"seconds":3.1}
//! {"kind":"catch-up","store":"etcd","members":3,"share":0.71,"share_of_three":0.9,"seconds":4.2}
//! ```

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::Deserialize;

const OURS: &str = "quorate";
const THEIRS: &str = "etcd";
const FLOOR: &str = "echo";

#[derive(Deserialize)]
struct Line {
    store: String,
    members: u32,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Kind {
    /// A load, and what it cost.
    Load { run: Run },
    /// What a filled store holds in memory.
    Memory { run: Run },
    /// From the start of a killed member to its first answer.
    Restart { seconds: f64 },
    /// The throughput that is left while a member is caught up, and how long that took.
    CatchUp { share: f64, share_of_three: f64, seconds: f64 },
}

#[derive(Deserialize)]
struct Run {
    load: String,
    clients: u32,
    ops_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    server: Server,
}

#[derive(Deserialize)]
struct Server {
    cpu_us_per_op: f64,
    rss_kib: f64,
}

/// A row of the comparison: members, load, clients.
type Row<'a> = (u32, &'a str, u32);

/// A line of a load.
struct Load<'a> {
    store: &'a str,
    members: u32,
    run: &'a Run,
}

/// A figure of a load.
type Figure = fn(&Run) -> f64;
/// A figure of a line that is no load, if the line has it.
type Other = fn(&Kind) -> Option<f64>;

/// The tables for the lines of a file.
pub fn tables(lines: &str) -> Result<String, String> {
    let mut all = Vec::new();
    for (number, line) in lines.lines().enumerate() {
        let parsed = serde_json::from_str::<Line>(line);
        all.push(parsed.map_err(|why| format!("line {}: {why}", number + 1))?);
    }
    let mut text = String::new();
    let loads: Vec<Load<'_>> = all.iter().filter_map(Line::load).collect();
    write_loads(&mut text, &loads)
        .and_then(|()| write_floor(&mut text, &loads))
        .and_then(|()| write_others(&mut text, &all))
        .map_err(|_| "a table could not be formatted".to_owned())?;
    Ok(text)
}

impl Line {
    fn load(&self) -> Option<Load<'_>> {
        match &self.kind {
            Kind::Load { run } => Some(Load { store: &self.store, members: self.members, run }),
            Kind::Memory { .. } | Kind::Restart { .. } | Kind::CatchUp { .. } => None,
        }
    }
}

fn write_loads(text: &mut String, lines: &[Load<'_>]) -> fmt::Result {
    let rows = rows(lines, |store| store != FLOOR);
    if rows.is_empty() {
        return Ok(());
    }
    text.push_str("| members | load | clients | op/s | server CPU, us/op ");
    writeln!(text, "| p50, us | p99, us | RSS, MiB |")?;
    writeln!(text, "|---|---|---:|---:|---:|---:|---:|---:|")?;
    for ((members, load, clients), lines) in rows {
        let figures: [Figure; 5] = [ops, cpu, p50, p99, rss];
        let cells = figures.map(|figure| versus(|store| of(&lines, store, figure)));
        writeln!(text, "| {members} | {load} | {clients} | {} |", cells.join(" | "))?;
    }
    writeln!(text, "\nEach cell: {OURS} / {THEIRS} (their ratio).\n")
}

fn write_floor(text: &mut String, lines: &[Load<'_>]) -> fmt::Result {
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
        let cells = figures.map(|figure| shown(median(of(&lines, FLOOR, figure))));
        writeln!(text, "| {load} | {clients} | {} |", cells.join(" | "))?;
    }
    writeln!(text)
}

fn write_others(text: &mut String, lines: &[Line]) -> fmt::Result {
    let figures: [(&str, Other); 5] = [
        ("Resident memory of one member after the filling, MiB", memory),
        ("From the start of a killed member with as many keys to its first answer, s", restart),
        ("Throughput while a member is caught up, as a share of what the others do before", share),
        ("The same, as a share of what all three do afterwards", share_of_three),
        ("From the start of that member to its first answer under this load, s", caught_up),
    ];
    for (title, figure) in figures {
        let of = |store: &str| -> Vec<f64> {
            let lines = lines.iter().filter(|line| line.store == store);
            lines.filter_map(|line| figure(&line.kind)).collect()
        };
        if !(of(OURS).is_empty() && of(THEIRS).is_empty()) {
            writeln!(text, "{title}: {}.\n", versus(of))?;
        }
    }
    Ok(())
}

/// The lines of those stores, by row, in the order of members, load and clients.
fn rows<'a>(
    lines: &'a [Load<'a>],
    is_wanted: impl Fn(&str) -> bool,
) -> BTreeMap<Row<'a>, Vec<&'a Load<'a>>> {
    let mut rows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in lines.iter().filter(|line| is_wanted(line.store)) {
        let row = (line.members, line.run.load.as_str(), line.run.clients);
        rows.entry(row).or_default().push(line);
    }
    rows
}

fn ops(run: &Run) -> f64 {
    run.ops_per_second
}

fn cpu(run: &Run) -> f64 {
    run.server.cpu_us_per_op
}

fn p50(run: &Run) -> f64 {
    run.p50_us
}

fn p99(run: &Run) -> f64 {
    run.p99_us
}

fn rss(run: &Run) -> f64 {
    run.server.rss_kib / 1024.0
}

fn memory(kind: &Kind) -> Option<f64> {
    if let Kind::Memory { run } = kind { Some(rss(run)) } else { None }
}

fn restart(kind: &Kind) -> Option<f64> {
    if let Kind::Restart { seconds } = kind { Some(*seconds) } else { None }
}

fn share(kind: &Kind) -> Option<f64> {
    if let Kind::CatchUp { share, .. } = kind { Some(*share) } else { None }
}

fn share_of_three(kind: &Kind) -> Option<f64> {
    if let Kind::CatchUp { share_of_three, .. } = kind { Some(*share_of_three) } else { None }
}

fn caught_up(kind: &Kind) -> Option<f64> {
    if let Kind::CatchUp { seconds, .. } = kind { Some(*seconds) } else { None }
}

/// A figure of all runs of one store.
fn of(lines: &[&Load<'_>], store: &str, figure: Figure) -> Vec<f64> {
    lines.iter().filter(|line| line.store == store).map(|line| figure(line.run)).collect()
}

fn versus(of: impl Fn(&str) -> Vec<f64>) -> String {
    let (ours, theirs) = (median(of(OURS)), median(of(THEIRS)));
    let ratio = match (ours, theirs) {
        (Some(ours), Some(theirs)) if theirs > 0.0 => format!(" ({:.2})", ours / theirs),
        _ => String::new(),
    };
    format!("{} / {}{ratio}", shown(ours), shown(theirs))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
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
        Some(value) if value < 10.0 => format!("{value:.2}"),
        Some(value) if value < 100.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &str, store: &str, load: &str, ops: u32) -> String {
        let server = r#"{"cpu_us_per_op":20.5,"cores_busy":1,"rss_kib":2048,"peak_kib":1}"#;
        let rest = format!(r#""ops_per_second":{ops},"p50_us":7,"p99_us":70,"server":{server}"#);
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
            r#"{"kind":"restart","store":"quorate","members":1,"seconds":1.5}"#.to_owned(),
            r#"{"kind":"restart","store":"etcd","members":1,"seconds":3}"#.to_owned(),
            r#"{"kind":"catch-up","store":"quorate","members":3,"share":0.9,"share_of_three":0.95,"seconds":4}"#
                .to_owned(),
        ];
        let text = tables(&lines.join("\n")).unwrap();
        let row = "| 3 | put | 64 | 200 / 100 (2.00) | 20.5 / 20.5 (1.00) | 7.00 / 7.00 (1.00) \
                   | 70.0 / 70.0 (1.00) | 2.00 / 2.00 (1.00) |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| range | 64 | 900 | 20.5 | 7.00 |"), "{text}");
        assert!(text.contains("after the filling, MiB: 2.00 / -."), "{text}");
        assert!(text.contains("to its first answer, s: 1.50 / 3.00 (0.50)."), "{text}");
        assert!(text.contains("what the others do before: 0.90 / -."), "{text}");
        assert!(text.contains("what all three do afterwards: 0.95 / -."), "{text}");
        assert!(text.contains("first answer under this load, s: 4.00 / -."), "{text}");
        assert_eq!(tables("x").unwrap_err(), "line 1: expected value at line 1 column 1");
    }
}
