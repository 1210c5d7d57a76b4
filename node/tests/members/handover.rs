//! Leadership that is handed around under load: no client of any member loses a put to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::common::{Client, SOON, Server};
use quorate_core::api::etcdserverpb::MoveLeaderRequest;

/// How often leadership changes hands.
const MOVES: usize = 30;
/// Clients of each member, each with one put at a time.
const CLIENTS: usize = 4;
/// A put that was lost ends after 11 s, with an error. Nothing here takes as long as that.
const PROMPT: Duration = Duration::from_secs(5);
/// No member may lose patience on a busy machine: here leaders change by being told to.
const PATIENT: &str = "--election-timeout=3000";

/// Puts one after the other until told to stop. Returns how many, and how long the longest took.
async fn put_on(client: Client, name: String, stop: Arc<AtomicBool>) -> (u64, Duration) {
    let (mut count, mut longest) = (0, Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let put = client.put(&name, &count.to_string()).await;
        longest = longest.max(begin.elapsed());
        put.unwrap_or_else(|status| panic!("put {count} of {name}: {status}"));
        count += 1;
    }
    (count, longest)
}

/// The member that leads, as itself believes.
async fn leader(clients: &[Client]) -> Option<usize> {
    for (at, client) in clients.iter().enumerate() {
        let status = client.status().await.unwrap();
        if status.leader == status.header.unwrap().member_id {
            return Some(at);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn no_put_is_lost_while_leadership_is_handed_around() {
    let members = Server::cluster(3).into_iter().map(|member| member.with(PATIENT));
    let mut members: Vec<Server> = members.collect();
    members.iter_mut().for_each(Server::start);
    members.iter().for_each(Server::wait_ready);
    let mut clients = Vec::new();
    let mut ids = Vec::new();
    for member in &members {
        let client = member.client().await;
        ids.push(client.status().await.unwrap().header.unwrap().member_id);
        clients.push(client);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let load = |at: usize| {
        let (client, stop) = (clients[at % 3].clone(), stop.clone());
        tokio::spawn(put_on(client, format!("key{at}"), stop))
    };
    let load: Vec<_> = (0..3 * CLIENTS).map(load).collect();
    let (mut moves, begin) = (0, Instant::now());
    while moves < MOVES {
        assert!(begin.elapsed() < 2 * SOON, "only {moves} moves came about");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let Some(from) = leader(&clients).await else { continue };
        let to = ids[(from + 1) % 3];
        let wish = MoveLeaderRequest { target_id: to };
        let moved = clients[from].maintenance.clone().move_leader(wish).await;
        moves += usize::from(moved.is_ok());
    }
    stop.store(true, Ordering::Relaxed);
    let mut all = 0;
    for (at, load) in load.into_iter().enumerate() {
        let (count, longest) = load.await.unwrap();
        assert!(longest < PROMPT, "a put took {longest:?}");
        println!("client {at}: {count} puts, the longest took {longest:?}");
        let value = (count - 1).to_string();
        assert_eq!(clients[0].get(&format!("key{at}")).await.unwrap(), Some(value));
        all += count;
    }
    // A put that was applied twice would have taken a revision of its own.
    let revision = clients[0].put("last", "").await.unwrap();
    assert_eq!(revision.unsigned_abs(), 1 + all + 1);
}
