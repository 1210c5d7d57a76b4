//! Three members that run, and who of them leads.
//!
//! Not here: one process (`mod.rs`).

use std::time::{Duration, Instant};

use super::{Client, SOON, Server};

/// Three members that serve, each with these flags.
pub async fn started(flags: &[&str]) -> Vec<Server> {
    let members = Server::cluster(3).into_iter();
    let with = |member| flags.iter().fold(member, |member: Server, flag| member.with(flag));
    let mut members: Vec<Server> = members.map(with).collect();
    members.iter_mut().for_each(Server::start);
    members.iter().for_each(Server::wait_ready);
    members
}

/// The place of the leader among those that run.
pub async fn leader(members: &[Server]) -> usize {
    let begin = Instant::now();
    loop {
        for (n, member) in members.iter().enumerate().filter(|(_, member)| member.is_running()) {
            let Ok(status) = member.client().await.status().await else { continue };
            if status.leader != 0 && status.leader == status.header.unwrap().member_id {
                return n;
            }
        }
        assert!(begin.elapsed() < SOON, "no leader");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Puts until it works: what an operator's script does while a leader is elected.
pub async fn put_somehow(client: &Client, key: &str, value: &str) {
    let begin = Instant::now();
    while let Err(status) = client.put(key, value).await {
        assert!(begin.elapsed() < SOON, "{status}");
    }
}
