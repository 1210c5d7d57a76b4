//! What the kernel knows about this process, from `/proc`. Where there is none, all of it is 0.

use std::fs;
use std::time::Duration;

/// One look at the process.
#[derive(Debug, Default)]
pub struct Process {
    /// CPU time of all threads, in the kernel and outside.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub resident: u64,
    /// Virtual memory in bytes.
    pub virtual_memory: u64,
    /// Open files.
    pub open_files: u64,
    /// Limit of open files.
    pub max_files: u64,
    /// When it was started, in seconds of Unix time.
    pub start_seconds: u64,
}

/// The unit of times in `/proc`: USER_HZ, which is 100 on every Linux that exists.
const HERTZ: u64 = 100;

impl Process {
    /// Looks.
    pub fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The second field is the name in brackets and may hold blanks; count behind it.
        let fields: Vec<&str> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3).and_then(|text| text.parse().ok());
        let ticks = number(14).unwrap_or(0) + number(15).unwrap_or(0);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            cpu: Duration::from_millis(ticks * 1000 / HERTZ),
            resident: labelled(&status, "VmRSS:") * 1024,
            virtual_memory: labelled(&status, "VmSize:") * 1024,
            open_files: fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64),
            max_files: max_files(),
            start_seconds: boot_time() + number(22).unwrap_or(0) / HERTZ,
        }
    }
}

fn labelled(text: &str, label: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn max_files() -> u64 {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    labelled(&limits, "Max open files")
}

fn boot_time() -> u64 {
    labelled(&fs::read_to_string("/proc/stat").unwrap_or_default(), "btime")
}
