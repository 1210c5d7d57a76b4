//! A member that comes back when the others have discarded what it needs: it is refilled while the
//! load goes on, and however often it is killed meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::common::{Client, SOON, Server, wait};
use tokio::task::JoinHandle;

/// Bytes of a value: enough of them make a snapshot of many parts.
const VALUE: usize = 8 << 10;
/// Pairs before the member goes.
const PAIRS: usize = 1500;

async fn started() -> Vec<Server> {
    let members = Server::cluster(3).into_iter();
    let flags =
        |member: Server| member.with("--snapshot-count=20").with("--snapshot-catchup-entries=10");
    let mut members: Vec<Server> = members.map(flags).collect();
    members.iter_mut().for_each(Server::start);
    members.iter().for_each(Server::wait_ready);
    members
}

/// The place of the leader.
async fn leader(members: &[Server]) -> usize {
    let leads = async |member: &Server| {
        let status = member.client().await.status().await.unwrap();
        status.leader == status.header.unwrap().member_id
    };
    for (n, member) in members.iter().enumerate() {
        if leads(member).await {
            return n;
        }
    }
    panic!("a cluster that serves has a leader")
}

/// Writes until it is told to stop. Returns the keys that were acknowledged.
fn load(client: Client, name: &'static str, stop: &Arc<AtomicBool>) -> JoinHandle<Vec<String>> {
    let stop = Arc::clone(stop);
    tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        for n in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let key = format!("{name}/{n}");
            match client.put(&key, "under load").await {
                Ok(_) => acknowledged.push(key),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        acknowledged
    })
}

/// Whether there is a file of this ending among the received snapshots.
fn has_file(member: &Server, ending: &str) -> bool {
    let files = fs::read_dir(member.data.join("member/snap")).unwrap();
    files.flatten().any(|file| file.file_name().to_string_lossy().ends_with(ending))
}

/// Every member has applied and holds the same.
async fn assert_equal(members: &[Server]) {
    let begin = Instant::now();
    let mut all = Vec::new();
    loop {
        all.clear();
        for member in members {
            all.push(member.client().await.all().await);
        }
        if all.iter().all(|pairs| *pairs == all[0]) {
            return;
        }
        let sizes: Vec<usize> = all.iter().map(|pairs| pairs.kvs.len()).collect();
        assert!(begin.elapsed() < SOON, "they differ: {sizes:?} pairs");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_behind_the_log_is_refilled_under_load_and_under_kills() {
    let mut members = started().await;
    // A follower goes: the load would wait for an election otherwise.
    let last = (leader(&members).await + 1) % 3;
    members.swap(last, 2);
    let client = members[0].client().await;
    let value = "v".repeat(VALUE);
    let puts = (0..PAIRS).map(|n| {
        let (client, value) = (client.clone(), value.clone());
        tokio::spawn(async move { client.put(&format!("pair/{n}"), &value).await })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap().unwrap();
    }
    members[2].kill();
    let stop = Arc::new(AtomicBool::new(false));
    let writers = [load(client, "one", &stop), load(members[1].client().await, "other", &stop)];
    // The others sync their stores every 3 s, and discard what they need no more.
    tokio::time::sleep(Duration::from_secs(5)).await;

    for (moment, reached) in MOMENTS {
        members[2].start();
        wait(moment, || reached(&members[2]).then_some(()));
        members[2].kill();
    }
    members[2].start();
    let ended = ["installing a snapshot again, which was cut short", "stored a snapshot"];
    let has_ended = || ended.iter().any(|line| members[2].log().contains(line));
    wait("an installation", || has_ended().then_some(()));
    wait("the file to go", || (!has_file(&members[2], ".snap")).then_some(()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    assert!(acknowledged.len() > 200, "too little happened: {}", acknowledged.len());
    assert_equal(&members).await;
    let refilled = members[2].client().await.all().await;
    let kept: BTreeSet<&[u8]> = refilled.kvs.iter().map(|pair| pair.key.as_ref()).collect();
    for key in &acknowledged {
        assert!(kept.contains(key.as_bytes()), "{key} is lost");
    }

    // What it was refilled with outlives it.
    members[2].kill();
    members[2].start();
    assert_equal(&members).await;
}

type Moment = fn(&Server) -> bool;

/// When the member is killed.
const MOMENTS: [(&str, Moment); 4] = [
    ("a part of a snapshot", |member| has_file(member, ".tmp")),
    ("another part", |member| has_file(member, ".tmp")),
    ("a whole snapshot", |member| has_file(member, ".snap")),
    ("the store to be replaced", |member| member.log().contains("installed a snapshot")),
];

/// A member that is told to stop does not leave the others without a leader.
#[tokio::test]
async fn a_leader_that_stops_hands_over_first() {
    let mut members = started().await;
    let leader = leader(&members).await;
    let former = members[leader].client().await.status().await.unwrap().leader;
    assert!(members[leader].stop("TERM").success());
    assert!(members[leader].log().contains("handed leadership over"));
    // No election timeout (1 s) passes: the other two have a leader at once.
    let survivor = members[(leader + 1) % 3].client().await;
    let begin = Instant::now();
    survivor.put("a", "2").await.unwrap();
    assert!(begin.elapsed() < Duration::from_millis(700), "{:?}", begin.elapsed());
    assert_ne!(survivor.status().await.unwrap().leader, former);
}
