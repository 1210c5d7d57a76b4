//! Metrics about leases: they say what happened, in the words of etcd, and each member counts its
//! own.

use std::time::Duration;

use crate::common::etcd::Etcd;
use crate::common::{Client, Server, http_get, wait};
use quorate_core::api::etcdserverpb::{
    LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest,
};

/// The metrics that are told of.
const TOLD: [&str; 5] = [
    "etcd_debugging_lease_granted_total",
    "etcd_debugging_lease_renewed_total",
    "etcd_debugging_lease_revoked_total",
    "etcd_debugging_lease_ttl_total",
    "etcd_debugging_server_lease_expired_total",
];

/// What a server tells of leases: names and values, sorted, without the help.
fn told(url: &str) -> Vec<String> {
    let (_, page) = http_get(url, "/metrics");
    let about_leases = |line: &&str| TOLD.iter().any(|name| line.contains(name));
    let lines = page.lines().filter(|line| !line.starts_with("# HELP"));
    let mut lines: Vec<String> = lines.filter(about_leases).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// One number of a member's page.
fn number(server: &Server, name: &str) -> u64 {
    let (_, page) = server.get("/metrics");
    let of = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
    page.lines().find_map(of).unwrap_or_else(|| panic!("{name} is missing in\n{page}"))
}

async fn grant(client: &Client, id: i64, ttl: i64) {
    client.lease.clone().lease_grant(LeaseGrantRequest { id, ttl }).await.unwrap();
}

async fn renew(client: &Client, id: i64) -> i64 {
    let asked = tokio_stream::once(LeaseKeepAliveRequest { id });
    let mut answers = client.lease.clone().lease_keep_alive(asked).await.unwrap().into_inner();
    answers.message().await.unwrap().unwrap().ttl
}

/// Grants of all sizes, one of them twice, renewals, one of them of no lease, a revoke, an end.
async fn use_leases(url: &str) {
    let client = Client::connect(url).await;
    for (id, ttl) in [(1, 3), (2, 4), (3, 100), (4, 2_000_000), (5, 9_000_000_000)] {
        grant(&client, id, ttl).await;
    }
    let again = LeaseGrantRequest { id: 5, ttl: 60 };
    client.lease.clone().lease_grant(again).await.unwrap_err();
    for (id, ttl) in [(3, 100), (3, 100), (4, 2_000_000), (77, 0)] {
        assert_eq!(renew(&client, id).await, ttl);
    }
    client.lease.clone().lease_revoke(LeaseRevokeRequest { id: 2 }).await.unwrap();
    wait("the end of a lease", || {
        let ended = "etcd_debugging_server_lease_expired_total 1";
        told(url).iter().any(|line| line == ended).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_are_counted_as_etcd_counts_them() {
    let mut ours = Server::single();
    ours.run();
    use_leases(&ours.client_url).await;
    let counted = told(&ours.client_url);
    for line in [
        "etcd_debugging_lease_granted_total 5",
        "etcd_debugging_lease_renewed_total 3",
        "etcd_debugging_lease_revoked_total 2",
        "etcd_debugging_lease_ttl_total_bucket{le=\"2\"} 0",
        "etcd_debugging_lease_ttl_total_bucket{le=\"4\"} 2",
        "etcd_debugging_lease_ttl_total_bucket{le=\"64\"} 2",
        "etcd_debugging_lease_ttl_total_bucket{le=\"128\"} 3",
        "etcd_debugging_lease_ttl_total_bucket{le=\"1.048576e+06\"} 3",
        "etcd_debugging_lease_ttl_total_bucket{le=\"2.097152e+06\"} 4",
        "etcd_debugging_lease_ttl_total_bucket{le=\"8.388608e+06\"} 4",
        "etcd_debugging_lease_ttl_total_bucket{le=\"+Inf\"} 5",
        "etcd_debugging_server_lease_expired_total 1",
    ] {
        assert!(counted.iter().any(|have| have == line), "{line} is missing in {counted:#?}");
    }
    let Some(etcd) = Etcd::start("leases_are_counted_as_etcd_counts_them") else { return };
    let url = format!("http://{}", etcd.endpoint);
    use_leases(&url).await;
    let printed = |line: &String| !line.contains("_sum ");
    let [ours, theirs] = [counted, told(&url)]
        .map(|lines| lines.into_iter().filter(printed).collect::<Vec<String>>());
    assert_eq!(ours, theirs);
}

/// Every member applies grants and ends; only the leader renews and finds leases to be over.
#[tokio::test(flavor = "multi_thread")]
async fn renewals_and_ends_are_counted_by_the_leader() {
    let mut members = Server::cluster(3);
    members.iter_mut().for_each(Server::start);
    members.iter().for_each(Server::wait_ready);
    let leads = |member: &Server| number(member, "etcd_server_is_leader") == 1;
    let leader = wait("a leader", || members.iter().position(leads));
    let client = members[(leader + 1) % 3].client().await;
    grant(&client, 5, 3).await;
    for _ in 0..4 {
        assert_eq!(renew(&client, 5).await, 3);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    wait("the end of the lease everywhere", || {
        let ended = |member: &Server| number(member, "etcd_debugging_lease_revoked_total") == 1;
        members.iter().all(ended).then_some(())
    });
    for (name, of_leader, of_others) in [
        ("etcd_debugging_lease_renewed_total", 4, 0),
        ("etcd_debugging_server_lease_expired_total", 1, 0),
        ("etcd_debugging_lease_granted_total", 1, 1),
        ("etcd_debugging_lease_ttl_total_count", 1, 1),
        ("etcd_debugging_lease_ttl_total_sum", 3, 3),
    ] {
        for (at, member) in members.iter().enumerate() {
            let expected = if at == leader { of_leader } else { of_others };
            assert_eq!(number(member, name), expected, "{name} of member {at}");
        }
    }
}
