//! A genuine etcd on ports of its own, ended with its owner.
//!
//! Without an installed etcd there is nothing to compare with: a test says so and passes.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::ports::free_port;

/// A flag that both servers take: watchers who asked for it are told soon how far they are.
pub const SOON_PROGRESS: &str = "--experimental-watch-progress-notify-interval=500ms";

/// One running member of a cluster of one.
pub struct Etcd {
    process: Child,
    /// Where it serves, without a scheme.
    pub endpoint: String,
    _data: tempfile::TempDir,
}

impl Etcd {
    /// `None` if it is not installed; then the test named here is told to be skipped.
    pub fn start(test: &str) -> Option<Self> {
        is_installed(test).then(Self::run)
    }

    /// Starts one and waits until it serves.
    pub fn run() -> Self {
        // Ports that were free may be taken by the time that they are used.
        let mut attempts = std::iter::repeat_with(Self::spawn).take(5);
        attempts.find_map(Self::ready).expect("etcd ends, whatever its ports")
    }

    fn spawn() -> Self {
        let data = tempfile::tempdir().unwrap();
        let (client, peer) = (free_address(), free_address());
        let (client_url, peer_url) = (format!("http://{client}"), format!("http://{peer}"));
        let process = Command::new("etcd")
            .args(["--name", "m0", "--log-level", "error", "--initial-cluster-state", "new"])
            .args(["--data-dir".as_ref(), data.path().as_os_str()])
            .args(["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url])
            .args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url])
            .arg(format!("--initial-cluster=m0={peer_url}"))
            .args(["--quota-backend-bytes", "16777216"])
            .arg(SOON_PROGRESS)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, endpoint: client, _data: data }
    }

    /// Itself when it serves; `None` if its process has ended instead.
    fn ready(mut self) -> Option<Self> {
        let give_up = Instant::now() + Duration::from_secs(20);
        while self.process.try_wait().unwrap().is_none() {
            let mut health = Command::new("etcdctl");
            health.args(["--endpoints", &self.endpoint, "endpoint", "health"]);
            if health.env("ETCDCTL_API", "3").output().unwrap().status.success() {
                return Some(self);
            }
            assert!(Instant::now() < give_up, "etcd did not come up");
            std::thread::sleep(Duration::from_millis(100));
        }
        None
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().expect("our own child");
    }
}

/// Whether etcd and etcdctl can be run. If not, the test named here is told to be skipped.
pub fn is_installed(test: &str) -> bool {
    let installed = Command::new("etcd").arg("--version").output();
    let Err(why) = installed.and_then(|_| Command::new("etcdctl").arg("version").output()) else {
        return true;
    };
    // Not `eprintln!`: that is only shown for a test that fails.
    let text = format!("SKIPPED {test}: etcd and etcdctl cannot be run: {why}\n");
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    false
}

/// An address on which nothing listened a moment ago.
pub fn free_address() -> String {
    format!("127.0.0.1:{}", free_port())
}
