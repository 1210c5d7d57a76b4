//! The versions a client may ask for.
//!
//! Clients and test suites decide by etcd's version what a server can do, so a Quorate says which
//! etcd it stands in for, and its own version where only people look.

/// The etcd whose behaviour this server has.
pub const ETCD: &str = "3.6.14";
/// The version that all members of a cluster have in common.
pub const CLUSTER: &str = "3.6.0";
/// The version of the data that a snapshot has.
pub const STORAGE: &str = "3.6.0";
/// Our own.
pub const OWN: &str = env!("CARGO_PKG_VERSION");

/// What `--version` prints. Scripts read the first line.
pub fn banner() -> String {
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("etcd Version: {ETCD}\nQuorate Version: {OWN}\nOS/Arch: {system}/{processor}\n")
}

/// The answer of `/version`.
pub fn json() -> String {
    format!("{{\"etcdserver\":\"{ETCD}\",\"etcdcluster\":\"{CLUSTER}\",\"storage\":\"{STORAGE}\"}}")
}
