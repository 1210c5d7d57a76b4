//! `quorate ctl` beside the genuine `etcdctl`, both against a genuine etcd: what scripts see
//! (stdout, the lines "Error: ...", the exit code) must be the same.
//!
//! Debian's programs are 3.4, `quorate ctl` speaks as 3.6 does; where the two are known to differ
//! (more columns of `endpoint status`, `del --range`) the common part is compared.
//!
//! Without an installed etcd there is nothing to compare with: the test says so and passes.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::common::etcd::{Etcd, free_address};
use crate::common::wait;

impl Etcd {
    fn etcdctl(&self, args: &[&str]) -> Command {
        self.program("etcdctl", args)
    }

    fn quorate(&self, args: &[&str]) -> Command {
        let mut all = vec!["ctl"];
        all.extend(args);
        self.program(env!("CARGO_BIN_EXE_quorate"), &all)
    }

    fn program(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).env("ETCDCTL_API", "3");
        if !args.contains(&"--endpoints") {
            command.env("ETCDCTL_ENDPOINTS", &self.endpoint);
        }
        command
    }

    /// Runs both programs with these arguments.
    fn both(&self, args: &[&str]) -> (Seen, Seen) {
        let run = |mut command: Command| Seen::new(&command.output().unwrap());
        (run(self.etcdctl(args)), run(self.quorate(args)))
    }

    fn assert_same(&self, args: &[&str]) {
        let (theirs, ours) = self.both(args);
        assert_eq!(ours, theirs, "{args:?}");
    }

    /// The same after a put of the same pairs, but for small numbers: each put moves the revision.
    fn assert_alike(&self, pairs: &[(&str, &str)], args: &[&str]) {
        let run = |mut command: Command| {
            for (key, value) in pairs {
                output_of(self.quorate(&["put", key, value]));
            }
            Seen::new(&command.output().unwrap())
        };
        let (theirs, ours) = (run(self.etcdctl(args)), run(self.quorate(args)));
        assert_eq!(ours.without_small_numbers(), theirs.without_small_numbers(), "{args:?}");
    }
}

/// What a script sees of a command.
#[derive(PartialEq, Eq, Debug)]
struct Seen {
    stdout: String,
    error: String,
    code: Option<i32>,
}

impl Seen {
    fn new(output: &Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr);
        // 3.4 repeats the line of a usage error.
        let error = stderr.lines().find(|line| line.starts_with("Error: "));
        // So does 3.4 with the usage itself, whose words are everybody's own.
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stdout = if stdout.starts_with("NAME:") { "usage" } else { &stdout };
        Self {
            stdout: stdout.to_owned(),
            error: error.unwrap_or_default().to_owned(),
            code: output.status.code(),
        }
    }

    fn without_small_numbers(mut self) -> Self {
        self.stdout = replace_numbers(&self.stdout, |digits| digits.len() < 9);
        self
    }
}

fn replace_numbers(text: &str, is_replaced: impl Fn(&str) -> bool) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let length =
            rest[start..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - start);
        let digits = &rest[start..start + length];
        out.push_str(&rest[..start]);
        out.push_str(if is_replaced(digits) { "#" } else { digits });
        rest = &rest[start + length..];
    }
    out + rest
}

#[test]
fn ctl_and_etcdctl_are_taken_for_each_other() {
    let Some(etcd) = Etcd::start("ctl_against_etcd") else { return };
    writes(&etcd);
    reads(&etcd);
    refusals(&etcd);
    cluster(&etcd);
    unreachable_endpoints(&etcd);
    stdin_and_environment(&etcd);
    etcd_3_6(&etcd);
    alarms(&etcd);
}

fn writes(etcd: &Etcd) {
    let odd = ("key", "<odd> \u{e9} \"q\" \u{1}\n");
    let pairs = [odd, ("d1", "v"), ("d2", "w")];
    for format in ["simple", "json", "fields", "table"] {
        etcd.assert_alike(&[], &["put", "-w", format, "key", "first"]);
        etcd.assert_alike(&pairs, &["put", "-w", format, "key", odd.1, "--prev-kv"]);
        etcd.assert_alike(
            &pairs,
            &["put", "key", "--ignore-value", "--prev-kv=true", "-w", format],
        );
        etcd.assert_alike(&[], &["put", "key", "-w", format, "--", "-dashed"]);
        etcd.assert_alike(&[], &["del", "nothing", "-w", format]);
        etcd.assert_alike(&pairs, &["del", "key", "-w", format]);
        etcd.assert_alike(&pairs, &["del", "--prev-kv", "--prefix", "d", "-w", format]);
        etcd.assert_alike(&pairs, &["del", "--prev-kv", "--from-key", "d", "-w", format]);
    }
    etcd.assert_alike(&pairs, &["put", "key", "v", "--prev-kv", "--hex"]);
    etcd.assert_alike(&pairs, &["put", "key", "v", "--prev-kv", "--hex", "-w", "json"]);
    etcd.assert_alike(&pairs, &["del", "d", "--prefix", "--prev-kv", "--hex"]);
    let lease = output_of(etcd.etcdctl(&["lease", "grant", "600"]));
    let lease = lease.split_whitespace().nth(1).unwrap().to_owned();
    for (format, key) in [("json", "leased"), ("fields", "leased")] {
        etcd.assert_alike(&[], &["put", key, "v", "--lease", &lease, "-w", format]);
        etcd.assert_alike(&[], &["put", key, "v", "--ignore-lease", "--prev-kv", "-w", format]);
    }
}

fn output_of(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command shows that is told something on stdin.
fn typed(mut command: Command, stdin: &str) -> Seen {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    Seen::new(&child.wait_with_output().unwrap())
}

fn reads(etcd: &Etcd) {
    for (key, value) in [("a", "3"), ("ab", "2"), ("abc", "1"), ("b", "bin\u{7}"), ("a", "4")] {
        output_of(etcd.quorate(&["put", key, value]));
    }
    let lines = "
        get a | get a c | get a --prefix | get --prefix=true a | get b --from-key | get nothing
        get --prefix --keys-only a | get --prefix --limit 2 a | get --limit=1 a c
        get --prefix --print-value-only a | get leased | get a --rev 2
        get --prefix a --order DESCEND | get --prefix a --order ascend --sort-by VALUE
        get --prefix a --sort-by create | get --prefix a --sort-by MODIFY --order descend
        get --prefix a --sort-by VERSION --order DESCEND | get --prefix a --sort-by key
        get --consistency s a | get --consistency=l a | get a c extra | g a
        get --prefix -- a | get -- --prefix";
    for line in lines.split(['\n', '|']).map(str::trim).filter(|line| !line.is_empty()) {
        let args: Vec<_> = line.split(' ').collect();
        etcd.assert_same(&args);
        if !line.contains("print-value-only") {
            for format in ["json", "fields", "protobuf", "table"] {
                etcd.assert_same(&[&args[..], &["-w", format]].concat());
            }
            for format in ["simple", "json"] {
                etcd.assert_same(&[&["--hex", "-w", format], &args[..]].concat());
            }
        }
    }
    etcd.assert_same(&["get", "", "--prefix"]);
    etcd.assert_same(&["get", "", "--from-key", "--keys-only"]);
    etcd.assert_same(&["get", ""]);
}

fn refusals(etcd: &Etcd) {
    let lines = "
        get | put | put k | del | del a b c | get --zz k | get k -z | get --rev k | get k --rev abc
        get k --limit 99999999999999999999 | get k --prefix=maybe | get --prefix --from-key k
        get k z --prefix | get k z --from-key | get k --order UP
        get k --sort-by FOO | get k --consistency x 
        get k --print-value-only -w json | get k -w xml | put k v -w xml | put k v --ignore-value
        put k v --lease zz | put k v --lease 7 | put nokey --ignore-value | get k --rev 999999
        del --prefix --from-key k | del k z --prefix | get k --dial-timeout 5 | get k --hex=2
        get k --command-timeout x | nonsense | gett k | endpoint nonsense | endpoint | member
        get --help | help | get k -w | --zz";
    for line in lines.split(['\n', '|']).map(str::trim).filter(|line| !line.is_empty()) {
        etcd.assert_same(&line.split(' ').collect::<Vec<_>>());
    }
    output_of(etcd.etcdctl(&["compaction", "5"]));
    etcd.assert_same(&["get", "a", "--rev", "4"]);
}

/// 3.4 writes this line to stderr.
const HEALTHY: &str = " is healthy: successfully committed proposal: took = ";

fn cluster(etcd: &Etcd) {
    for format in ["simple", "json", "table", "protobuf"] {
        etcd.assert_same(&["member", "list", "-w", format]);
    }
    etcd.assert_same(&["endpoint", "status", "-w", "json"]);
    etcd.assert_same(&["endpoint", "status", "-w", "protobuf"]);
    etcd.assert_same(&["endpoint", "hashkv", "--cluster", "-w", "json"]);
    etcd.assert_same(&["endpoint", "health", "-w", "protobuf"]);
    // 3.6 shows columns in between that 3.4 does not know.
    let (theirs, ours) = etcd.both(&["endpoint", "status", "--cluster"]);
    let ours: Vec<_> = ours.stdout.trim_end().split(", ").collect();
    let common = [&ours[..3], &ours[4..5], &ours[8..14]].concat().join(", ");
    assert_eq!(common, theirs.stdout.trim_end_matches('\n'), "{ours:?}");
    let line = output_of(etcd.quorate(&["endpoint", "health"]));
    assert!(line.starts_with(&etcd.endpoint) && line.contains(HEALTHY), "{line}");
    for format in ["table", "json"] {
        // All that is left to differ is how long it took.
        etcd.assert_health_alike(&["endpoint", "health", "-w", format]);
        etcd.assert_health_alike(&["endpoint", "health", "--cluster", "-w", format]);
    }
}

impl Etcd {
    fn assert_health_alike(&self, args: &[&str]) {
        let (mut theirs, mut ours) = self.both(args);
        for seen in [&mut theirs, &mut ours] {
            seen.stdout = seen.stdout.replace("µs", "ms");
            seen.stdout = replace_numbers(&seen.stdout, |_| true).replace("#.#", "#");
            seen.stdout = seen.stdout.replace(['-', ' '], "");
        }
        assert_eq!(ours, theirs, "{args:?}");
    }
}

fn unreachable_endpoints(etcd: &Etcd) {
    let dead = free_address();
    let both = format!("{dead},{}", etcd.endpoint);
    etcd.assert_same(&["--endpoints", &both, "get", "a"]);
    etcd.assert_same(&["--endpoints", &format!("http://{}", etcd.endpoint), "get", "a"]);
    etcd.assert_same(&["--endpoints", "", "get", "a"]);
    let start = Instant::now();
    etcd.assert_same(&["--endpoints", &dead, "get", "a", "--command-timeout", "1s"]);
    etcd.assert_same(&["put", "a", "b", "--endpoints", &dead, "--command-timeout=500ms"]);
    assert!(start.elapsed() > Duration::from_secs(3), "both programs wait for the time given");
    let status = ["endpoint", "status", "--command-timeout=500ms", "--endpoints", &both];
    let (_, ours) = etcd.both(&status);
    assert_eq!((ours.code, ours.error.as_str()), (Some(1), ""));
    assert!(ours.stdout.starts_with(&etcd.endpoint), "the others are shown: {ours:?}");
    let health = ["endpoint", "health", "--command-timeout=500ms", "--endpoints", &both];
    let (theirs, ours) = etcd.both(&health);
    assert_eq!((ours.code, ours.error), (theirs.code, theirs.error));
}

fn stdin_and_environment(etcd: &Etcd) {
    typed(etcd.quorate(&["put", "from-stdin"]), "line\n");
    etcd.assert_same(&["get", "from-stdin", "-w", "json"]);
    for program in [Etcd::etcdctl, Etcd::quorate] {
        let mut get = program(etcd, &["get", "a"]);
        let output =
            get.env("ETCDCTL_WRITE_OUT", "fields").env("ETCDCTL_HEX", "").output().unwrap();
        assert!(output.stdout.starts_with(b"\"ClusterID\""), "{output:?}");
        let mut get = program(etcd, &["get", "a", "-w", "json"]);
        let output = get.env("ETCDCTL_WRITE_OUT", "").output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
    }
}

/// What 3.4 has not got, by the words of the reference.
fn etcd_3_6(etcd: &Etcd) {
    let quorate = |args: &[&str]| output_of(etcd.quorate(args));
    for key in ["r1", "r2", "r3"] {
        quorate(&["put", key, "v"]);
    }
    let start = Instant::now();
    assert_eq!(quorate(&["del", "r1", "r3", "--range"]), "2\n");
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(quorate(&["del", "r1", "r4"]), "1\n");
    assert!(start.elapsed() > Duration::from_secs(2), "there is time to think again");
    assert_eq!(quorate(&["get", "a", "--prefix", "--min-create-rev", "100000"]), "");
    assert_eq!(quorate(&["get", "a", "--max-mod-rev", "100000"]), "a\n4\n");
    let count = quorate(&["get", "a", "--prefix", "--count-only", "-w", "fields"]);
    assert!(count.ends_with("\"RaftTerm\" : 2\n\"More\" : false\n\"Count\" : 3\n"), "{count}");
    let refused = Seen::new(&etcd.quorate(&["get", "a", "--count-only"]).output().unwrap());
    assert_eq!(refused.error, "Error: --count-only is only for `--write-out=fields`");
    assert_eq!((refused.stdout.as_str(), refused.code), ("", Some(128)));
    let refused = etcd.quorate(&["get", "a", "--count-only", "--keys-only"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(128));
    let fields = quorate(&["endpoint", "status", "-w", "fields"]);
    assert!(fields.contains("\"DBSizeQuota\" : 0\n"), "{fields}");
    assert!(fields.contains("\"DowngradeEnabled\" : false\n"), "{fields}");
    let fields = quorate(&["member", "list", "-w", "fields"]);
    assert!(!fields.contains("Revision") && fields.contains("\"IsLearner\" : false\n"), "{fields}");
    let hex = quorate(&["get", "a", "-w", "fields", "--hex"]);
    assert!(hex.contains("\"Key\" : \"a\"\n") && hex.contains("\"Lease\" : 0000000000000000\n"));
    let hex = quorate(&["member", "list", "-w", "json", "--hex"]);
    assert!(hex.starts_with("{\"header\":{\"cluster_id\":\""), "{hex}");
    let health = quorate(&["endpoint", "health", "-w", "fields"]);
    assert!(health.contains("\"Health\" : true\n") && health.ends_with("\"Error\" : \n\n"));
    let hash = quorate(&["endpoint", "hashkv"]);
    assert!(hash.ends_with(", 0\n") && hash.split(", ").count() == 3, "{hash}");
    let table = quorate(&["endpoint", "hashkv", "-w", "table"]);
    assert!(table.contains("|    ENDPOINT     |") && table.contains("| HASH REVISION |\n"));
    let version = quorate(&["version", "-w", "json"]);
    assert!(version.starts_with("etcdctl version: 3.6."), "{version}");
    assert!(version.ends_with("API version: 3.6\n"), "{version}");
}

/// Last, since nothing can be put afterwards.
fn alarms(etcd: &Etcd) {
    let value = "v".repeat(120_000);
    for n in 0..400 {
        let key = format!("fill{n}");
        let output = etcd.quorate(&["put", &key, &value]).output().unwrap();
        if !output.status.success() {
            break;
        }
    }
    etcd.assert_same(&["put", "one", "more"]);
    // etcd writes behind its answers, in turns of 100 ms: the size of its file must have come to
    // rest.
    let status = ["endpoint", "status", "-w", "json"];
    let mut before = String::new();
    wait("the size to settle", || {
        std::thread::sleep(Duration::from_millis(500));
        let size = output_of(etcd.etcdctl(&status));
        let is_settled = size == before;
        before = size;
        is_settled.then_some(())
    });
    etcd.assert_same(&status);
    let output = etcd.quorate(&["endpoint", "health"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let reason = "is unhealthy: failed to commit proposal: Active Alarm(s): NOSPACE \n";
    assert!(output.status.code() == Some(1) && text.contains(reason), "{output:?}");
}
