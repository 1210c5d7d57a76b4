//! What is counted, and how Prometheus reads it.
//!
//! Counting is one relaxed atomic addition, so that a request does not pay for being counted; a
//! scrape does the work. Names and meanings are etcd's: dashboards and alerts know them.
//!
//! Not here: how values are sorted into buckets (`histogram.rs`); names without a truth behind them
//! yet. A metric that is always 0 would be a lie.

use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quorate_core::api::Response;
use quorate_core::api::etcdserverpb::response_op::Response as Operation;
use quorate_core::api::etcdserverpb::{ResponseOp, TxnResponse};
use quorate_core::raft::RoleKind;
use quorate_core::store::Fact;

use crate::peer::link::Peers;
use crate::serve::histogram::{Histogram, Spans, Times};
use crate::serve::hub::Watchers;
use crate::serve::process::Process;
use crate::serve::replica::Replica;
use crate::serve::version;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// Everything that is counted where it happens.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Syncs of the log.
    pub wal_syncs: Times,
    /// Bytes written to the log.
    pub wal_bytes: Counter,
    /// Syncs of the durable key space.
    pub store_syncs: Times,
    /// Puts applied.
    pub puts: Counter,
    /// Leases that began.
    pub leases_granted: Counter,
    /// The TTLs of those.
    pub lease_ttls: Spans,
    /// Leases that ended, by whatever.
    pub leases_revoked: Counter,
    /// Keys deleted.
    pub deletes: Counter,
    /// Ranges served.
    pub ranges: Counter,
    /// Transactions of more than one operation.
    pub txns: Counter,
    /// Records that compaction gave up and that are removed.
    pub removed: Counter,
    /// Proposals that ended without an answer of the store.
    pub failed_proposals: Counter,
    /// Reads that could not be confirmed.
    pub failed_confirmations: Counter,
    /// Bytes from clients, of all protocols.
    pub client_received: Counter,
    /// Bytes to clients, of all protocols.
    pub client_sent: Counter,
    /// Bytes of envelopes from other members.
    pub peer_received: Counter,
    /// Good answers of `/health`.
    pub health_good: Counter,
    /// Bad answers of `/health`.
    pub health_bad: Counter,
}

impl Counter {
    /// Counts `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// How much was counted.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Metrics {
    /// Counts what an applied command did.
    pub fn count_applied(&self, response: &Response) {
        match response {
            Response::Put(_) => self.puts.add(1),
            Response::DeleteRange(done) => self.deletes.add(done.deleted.unsigned_abs()),
            Response::Txn(done) => self.count_txn(done),
            Response::Compact(_)
            | Response::LeaseGrant(_)
            | Response::LeaseRevoke(_)
            | Response::Done => {}
        }
    }

    /// Counts what an applied command meant for leases.
    pub fn count_fact(&self, fact: &Fact) {
        match fact {
            Fact::LeaseGranted(_, span) => {
                self.leases_granted.add(1);
                self.lease_ttls.count(span.ttl.0.unsigned_abs());
            }
            Fact::LeaseRevoked(_) | Fact::LeaseExpired(_) => self.leases_revoked.add(1),
            Fact::LeaseRemaining(..) | Fact::Restored => {}
        }
    }

    /// Counts what a transaction did, on all its levels.
    pub fn count_txn(&self, txn: &TxnResponse) {
        if self.count_operations(txn) > 1 {
            self.txns.add(1);
        }
    }

    fn count_operations(&self, txn: &TxnResponse) -> usize {
        let count = |operation: &ResponseOp| match &operation.response {
            Some(Operation::ResponseTxn(nested)) => self.count_operations(nested),
            Some(Operation::ResponseRange(_)) => {
                self.ranges.add(1);
                1
            }
            Some(Operation::ResponsePut(_)) => {
                self.puts.add(1);
                1
            }
            Some(Operation::ResponseDeleteRange(done)) => {
                self.deletes.add(done.deleted.unsigned_abs());
                1
            }
            None => 0,
        };
        txn.responses.iter().map(count).sum()
    }
}

/// Prometheus' text format.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.line(format_args!("{name} {value}"));
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "counter", help);
        self.line(format_args!("{name} {value}"));
    }

    fn histogram<const FIRST: u64, const BOUNDS: usize>(
        &mut self,
        name: &str,
        help: &str,
        histogram: &Histogram<FIRST, BOUNDS>,
        printed: impl Fn(u64) -> f64,
    ) {
        self.head(name, "histogram", help);
        let reading = histogram.read();
        for (bound, count) in reading.up_to {
            let bound = plain_or_scientific(printed(bound));
            self.line(format_args!("{name}_bucket{{le=\"{bound}\"}} {count}"));
        }
        self.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {}", reading.count));
        self.line(format_args!("{name}_sum {}", printed(reading.sum)));
        self.line(format_args!("{name}_count {}", reading.count));
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// A bound as etcd writes it: it is a label, and so a text that queries compare.
fn plain_or_scientific(bound: f64) -> String {
    if bound < 1e6 {
        return bound.to_string();
    }
    let scientific = format!("{bound:e}");
    scientific
        .split_once('e')
        .map_or_else(String::new, |(digits, exponent)| format!("{digits}e+{exponent:0>2}"))
}

fn seconds_of_nanoseconds(count: u64) -> f64 {
    Duration::from_nanos(count).as_secs_f64()
}

fn seconds(count: u64) -> f64 {
    Duration::from_secs(count).as_secs_f64()
}

/// The whole page.
pub fn page(replica: &Replica, peers: &Peers) -> String {
    let mut page = Page(String::with_capacity(16 * 1024));
    server(&mut page, replica);
    store(&mut page, replica);
    leases(&mut page, replica);
    watches(&mut page, &replica.watchers);
    disk(&mut page, &replica.metrics);
    network(&mut page, replica, peers);
    process(&mut page, &Process::read());
    page.0
}

fn server(page: &mut Page, replica: &Replica) {
    let applied = replica.store().applied().index;
    let (view, metrics) = (replica.vitals.view(), &replica.metrics);
    let leads = u8::from(matches!(view.role, RoleKind::Leader));
    let knows = u8::from(view.leader.is_some());
    page.gauge("etcd_server_has_leader", "1 if this member knows a leader.", knows);
    page.gauge("etcd_server_is_leader", "1 if this member is the leader.", leads);
    page.gauge("etcd_server_is_learner", "1 if this member is a learner.", 0);
    let changes = replica.vitals.leader_changes();
    page.counter("etcd_server_leader_changes_seen_total", "Leader changes noticed.", changes);
    page.gauge("etcd_server_proposals_committed_total", "Committed index.", view.commit.0);
    page.gauge("etcd_server_proposals_applied_total", "Applied index.", applied.0);
    let waiting = view.pending;
    page.gauge("etcd_server_proposals_pending", "Requests waiting for consensus.", waiting);
    let failed = metrics.failed_proposals.get();
    page.counter("etcd_server_proposals_failed_total", "Proposals that failed.", failed);
    let failed = metrics.failed_confirmations.get();
    page.counter("etcd_server_read_indexes_failed_total", "Failed read confirmations.", failed);
    let (good, bad) = (metrics.health_good.get(), metrics.health_bad.get());
    page.counter("etcd_server_health_success", "Good /health answers.", good);
    page.counter("etcd_server_health_failures", "Failed /health answers.", bad);
    labelled(page, "etcd_server_version", "server_version", version::ETCD);
    labelled(page, "etcd_cluster_version", "cluster_version", "3.6");
    labelled(page, "etcd_server_id", "server_id", replica.identity.member);
}

fn labelled(page: &mut Page, name: &str, label: &str, value: impl Display) {
    page.head(name, "gauge", "Always 1; the label carries the value.");
    page.line(format_args!("{name}{{{label}=\"{value}\"}} 1"));
}

fn store(page: &mut Page, replica: &Replica) {
    let store = replica.store();
    let (size, in_use, keys) = (store.size(), store.size_in_use(), store.keys());
    let (revision, compacted) = (store.revision(), store.compact_revision());
    drop(store);
    let metrics = &replica.metrics;
    page.gauge("etcd_mvcc_db_total_size_in_bytes", "Size of the key space.", size);
    let help = "Bytes of the key space that hold records.";
    page.gauge("etcd_mvcc_db_total_size_in_use_in_bytes", help, in_use);
    page.gauge("etcd_debugging_mvcc_current_revision", "Present revision.", revision);
    page.gauge("etcd_debugging_mvcc_compact_revision", "Latest compaction.", compacted);
    page.gauge("etcd_debugging_mvcc_keys_total", "Live keys.", keys);
    page.counter("etcd_mvcc_put_total", "Puts applied.", metrics.puts.get());
    page.counter("etcd_mvcc_delete_total", "Keys deleted.", metrics.deletes.get());
    page.counter("etcd_mvcc_range_total", "Ranges served.", metrics.ranges.get());
    page.counter("etcd_mvcc_txn_total", "Transactions carried out.", metrics.txns.get());
    let (name, removed) = ("etcd_debugging_mvcc_db_compaction_keys_total", metrics.removed.get());
    page.counter(name, "Stored revisions removed by compaction.", removed);
    let quota = crate::service::QUOTA_BYTES;
    page.gauge("etcd_server_quota_backend_bytes", "Quota in force.", quota);
}

fn leases(page: &mut Page, replica: &Replica) {
    let (metrics, led) = (&replica.metrics, replica.vitals.view().leases);
    let (granted, revoked) = (metrics.leases_granted.get(), metrics.leases_revoked.get());
    page.counter("etcd_debugging_lease_granted_total", "Leases granted.", granted);
    page.counter("etcd_debugging_lease_revoked_total", "Leases revoked.", revoked);
    let help = "Leases renewed by this member as the leader.";
    page.counter("etcd_debugging_lease_renewed_total", help, led.renewed);
    let help = "Leases that ended because their time was over, with this member as the leader.";
    page.counter("etcd_debugging_server_lease_expired_total", help, led.expired);
    let (name, help) =
        ("etcd_debugging_lease_ttl_total", "TTLs of the granted leases, in seconds.");
    page.histogram(name, help, &metrics.lease_ttls, seconds);
}

fn disk(page: &mut Page, metrics: &Metrics) {
    let help = "Time of a write-ahead-log fsync.";
    page.histogram(
        "etcd_disk_wal_fsync_duration_seconds",
        help,
        &metrics.wal_syncs,
        seconds_of_nanoseconds,
    );
    let help = "Time of a sync of the durable key space.";
    page.histogram(
        "etcd_disk_backend_commit_duration_seconds",
        help,
        &metrics.store_syncs,
        seconds_of_nanoseconds,
    );
    let written = metrics.wal_bytes.get();
    page.gauge("etcd_disk_wal_write_bytes_total", "Bytes written to the log.", written);
}

fn watches(page: &mut Page, watchers: &Watchers) {
    let [streams, all, slow] =
        watchers.census.each_ref().map(|count| count.load(Ordering::Relaxed));
    page.gauge("etcd_debugging_mvcc_watch_stream_total", "Open watch streams.", streams);
    page.gauge("etcd_debugging_mvcc_watcher_total", "Open watchers.", all);
    page.gauge("etcd_debugging_mvcc_slow_watcher_total", "Watchers that are behind.", slow);
    let events = watchers.events.load(Ordering::Relaxed);
    page.counter("etcd_debugging_mvcc_events_total", "Watch events sent.", events);
}

fn network(page: &mut Page, replica: &Replica, peers: &Peers) {
    let (metrics, own) = (&replica.metrics, replica.identity.member);
    let (sent, received) = (metrics.client_sent.get(), metrics.client_received.get());
    page.counter("etcd_network_client_grpc_sent_bytes_total", "Bytes to clients.", sent);
    page.counter("etcd_network_client_grpc_received_bytes_total", "Bytes from clients.", received);
    if peers.links().next().is_none() {
        return;
    }
    page.head("etcd_network_active_peers", "gauge", "1 while there is a connection to the peer.");
    for (peer, link) in peers.links() {
        let active = u8::from(link.is_active());
        let labels = format!("{{Local=\"{own}\",Remote=\"{peer}\"}}");
        page.line(format_args!("etcd_network_active_peers{labels} {active}"));
    }
    page.head("etcd_network_peer_sent_bytes_total", "counter", "Bytes sent to the peer.");
    for (peer, link) in peers.links() {
        let sent = link.sent.get();
        page.line(format_args!("etcd_network_peer_sent_bytes_total{{To=\"{peer}\"}} {sent}"));
    }
    page.head("etcd_network_peer_sent_failures_total", "counter", "Messages dropped.");
    for (peer, link) in peers.links() {
        let lost = link.dropped.get();
        page.line(format_args!("etcd_network_peer_sent_failures_total{{To=\"{peer}\"}} {lost}"));
    }
    let name = "etcd_network_peer_received_bytes_total";
    page.head(name, "counter", "Bytes received from peers.");
    page.line(format_args!("{name}{{From=\"0\"}} {}", metrics.peer_received.get()));
}

fn process(page: &mut Page, process: &Process) {
    let cpu = process.cpu.as_secs_f64();
    page.counter("process_cpu_seconds_total", "CPU time of the process.", cpu);
    page.gauge("process_resident_memory_bytes", "Resident memory.", process.resident);
    page.gauge("process_virtual_memory_bytes", "Virtual memory.", process.virtual_memory);
    page.gauge("process_open_fds", "Open files.", process.open_files);
    page.gauge("process_max_fds", "Limit of open files.", process.max_files);
    let start = process.start_seconds;
    page.gauge("process_start_time_seconds", "Start, in Unix time.", start);
}
