//! What a process has used, as the kernel counts it in `/proc`.

use std::fs;
use std::time::Duration;

/// The kernel counts CPU time for `/proc` in hundredths of a second on every Linux platform.
const TICK: Duration = Duration::from_millis(10);

/// CPU time and memory of some processes together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// User and system time since they started.
    pub cpu: Duration,
    /// Resident memory, in KiB.
    pub rss: u64,
    /// The most that was ever resident, in KiB.
    pub peak: u64,
}

impl Usage {
    /// The sum over these processes.
    pub fn of(pids: &[u32]) -> Result<Self, String> {
        let mut sum = Self::default();
        for pid in pids {
            let gone = |why| format!("--pid {pid}: cannot read /proc/{pid}: {why}");
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(gone)?;
            let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(gone)?;
            let cpu = cpu(&stat).ok_or_else(|| format!("--pid {pid}: unknown form of stat"))?;
            sum.cpu += cpu;
            // A process that has ended but was not waited for has no memory lines.
            sum.rss += kilobytes(&status, "VmRSS:").unwrap_or(0);
            sum.peak += kilobytes(&status, "VmHWM:").unwrap_or(0);
        }
        Ok(sum)
    }
}

/// Fields 14 and 15 of `stat`, counted behind the program's name, which may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * user + TICK * system)
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_may_hold_brackets_and_blanks() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 1 2 3 4 150 50 9 9 20 0 8 0 5 6 7";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
    }

    #[test]
    fn this_process_is_resident() {
        let usage = Usage::of(&[std::process::id()]).unwrap();
        assert!(usage.rss > 0 && usage.peak >= usage.rss, "{usage:?}");
    }

    #[test]
    fn an_unknown_process_is_an_error_that_names_it() {
        let error = Usage::of(&[u32::MAX]).unwrap_err();
        assert!(error.contains("4294967295"), "{error}");
    }
}
