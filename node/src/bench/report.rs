//! What a run is told as: a page for people, one JSON line for scripts. Both show one `Summary`.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::load::Outcome;
use super::process::Usage;

/// What was run.
#[derive(Clone, Serialize)]
pub struct Title {
    /// The name of the load.
    pub load: String,
    /// Whom it was put on.
    pub endpoints: Vec<String>,
    /// Who asked, or who was told.
    pub clients: u64,
    /// Over how many connections.
    pub conns: usize,
    /// Bytes of a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_size: Option<usize>,
    /// Bytes of a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_size: Option<usize>,
    /// Operations asked for.
    pub requests: u64,
}

/// The figures of one run.
#[derive(Serialize)]
pub struct Summary {
    #[serde(flatten)]
    title: Title,
    answered: u64,
    absent: u64,
    errors: BTreeMap<String, u64>,
    seconds: f64,
    ops_per_second: f64,
    p50_us: u64,
    p90_us: u64,
    p99_us: u64,
    p999_us: u64,
    max_us: u64,
    client_cpu_us_per_op: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Server>,
    #[serde(skip)]
    chart: String,
}

#[derive(Serialize)]
struct Server {
    cpu_us_per_op: f64,
    cores_busy: f64,
    rss_kib: u64,
    peak_kib: u64,
}

/// The use of the processes over a run: before and after.
pub struct Span {
    /// At the first request.
    pub before: Usage,
    /// After the last answer.
    pub after: Usage,
}

impl Span {
    fn cpu(&self) -> Duration {
        self.after.cpu.saturating_sub(self.before.cpu)
    }
}

impl Summary {
    /// Puts the figures of a run together. `server` only if its processes are known.
    pub fn new(title: Title, outcome: &Outcome, client: &Span, server: Option<&Span>) -> Self {
        let latencies = &outcome.tally.latencies;
        let answered = latencies.len();
        let seconds = outcome.elapsed.as_secs_f64();
        let per_op = |span: &Span| span.cpu().as_secs_f64() * 1e6 / answered.max(1) as f64;
        Self {
            title,
            answered,
            absent: outcome.tally.absent,
            errors: outcome.tally.errors.clone(),
            seconds,
            ops_per_second: answered as f64 / seconds,
            p50_us: latencies.value_at_quantile(0.5),
            p90_us: latencies.value_at_quantile(0.9),
            p99_us: latencies.value_at_quantile(0.99),
            p999_us: latencies.value_at_quantile(0.999),
            max_us: latencies.max(),
            client_cpu_us_per_op: per_op(client),
            server: server.map(|span| Server {
                cpu_us_per_op: per_op(span),
                cores_busy: span.cpu().as_secs_f64() / seconds,
                rss_kib: span.after.rss,
                peak_kib: span.after.peak,
            }),
            chart: chart(latencies),
        }
    }

    /// Gives the load another name.
    pub fn rename(&mut self, load: &str) {
        load.clone_into(&mut self.title.load);
    }

    /// Whether every request was answered.
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty() && self.answered == self.title.requests
    }

    /// One line of JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("numbers and texts always have a JSON form")
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Title { load, clients, conns, requests, .. } = &self.title;
        writeln!(f, "{load}: {requests} operations on {}", self.title.endpoints.join(","))?;
        writeln!(f, "  {clients} clients over {conns} connections")?;
        writeln!(f, "throughput  {:.0} op/s in {:.2} s", self.ops_per_second, self.seconds)?;
        if self.answered > 0 {
            writeln!(
                f,
                "latency     p50 {}  p90 {}  p99 {}  p99.9 {}  max {}",
                Micros(self.p50_us),
                Micros(self.p90_us),
                Micros(self.p99_us),
                Micros(self.p999_us),
                Micros(self.max_us)
            )?;
        }
        f.write_str(&self.chart)?;
        if let Some(server) = &self.server {
            write!(f, "server      {:.1} us of CPU per operation, ", server.cpu_us_per_op)?;
            write!(f, "{:.2} cores busy, ", server.cores_busy)?;
            let mib = |kib: u64| kib as f64 / 1024.0;
            writeln!(f, "{:.1} MiB, peak {:.1} MiB", mib(server.rss_kib), mib(server.peak_kib))?;
        }
        writeln!(f, "client      {:.1} us of CPU per operation", self.client_cpu_us_per_op)?;
        if self.absent > 0 {
            writeln!(f, "absent      {} reads found no key", self.absent)?;
        }
        for (text, count) in &self.errors {
            writeln!(f, "error       {count} x {text}")?;
        }
        let failed: u64 = self.errors.values().sum();
        match requests.saturating_sub(self.answered + failed) {
            0 => Ok(()),
            unsent => writeln!(f, "not sent    {unsent} requests: no connection was left"),
        }
    }
}

/// A latency, with the unit that leaves the fewest digits.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..1_000 => write!(f, "{} us", self.0),
            1_000..1_000_000 => write!(f, "{:.2} ms", self.0 as f64 / 1e3),
            1_000_000.. => write!(f, "{:.2} s", self.0 as f64 / 1e6),
        }
    }
}

/// One row for each doubling of the latency, as long as its share of the largest.
fn chart(latencies: &Histogram<u64>) -> String {
    const WIDTH: u64 = 40;
    let mut rows = Vec::new();
    let (mut from, mut end) = (0, 64);
    while from <= latencies.max() && !latencies.is_empty() {
        rows.push((end, latencies.count_between(from, end - 1)));
        (from, end) = (end, end * 2);
    }
    let first = rows.iter().position(|(_, count)| *count > 0).unwrap_or(rows.len());
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let mut text = String::new();
    for (end, count) in &rows[first..] {
        let bar = "#".repeat((count * WIDTH).div_ceil(most) as usize);
        let share = *count as f64 * 100.0 / latencies.len() as f64;
        let below = Micros(*end).to_string();
        writeln!(text, "  < {below:>9} {share:>6.2}% {bar}").expect("a String takes any text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_doubling_between_the_fastest_and_the_slowest() {
        let mut latencies = Histogram::new(3).unwrap();
        latencies.record_n(100, 3).unwrap();
        latencies.record(300).unwrap();
        let bar = "#".repeat(40);
        let third = "#".repeat(14);
        let expected = format!(
            "  <    128 us  75.00% {bar}\n  <    256 us   0.00% \n  <    512 us  25.00% {third}\n"
        );
        assert_eq!(chart(&latencies), expected);
        assert_eq!(chart(&Histogram::new(3).unwrap()), "");
    }

    #[test]
    fn latencies_are_printed_with_a_fitting_unit() {
        let shown = [999, 1_234, 5_678_901].map(|micros| Micros(micros).to_string());
        assert_eq!(shown, ["999 us", "1.23 ms", "5.68 s"]);
    }
}
