//! A member that comes back when the others have discarded what it needs: it is refilled while the
//! load goes on, and however often it is killed meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use crate::common::cluster::started;
use crate::common::writers::Writers;
use crate::common::{SOON, Server, wait};

/// Bytes of a value: enough of them make a snapshot of many parts.
const VALUE: usize = 8 << 10;
/// Between two puts of a writer: a load that goes on, and leaves the processor to other tests.
const PAUSE: Duration = Duration::from_millis(10);
/// How long members wait before they elect a leader by themselves: long for a busy machine, too.
const ELECTION: Duration = Duration::from_secs(4);
/// What a member says of a snapshot that has replaced its store, in memory and on disk.
const INSTALLED: &str = "installed a snapshot";
const STORED: &str = "stored a snapshot";
/// Pairs before the member goes.
const PAIRS: usize = 1500;

/// The place of the leader: a cluster that serves has one at once.
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

/// Whether there is a file of this ending among the received snapshots.
fn has_file(member: &Server, ending: &str) -> bool {
    let files = fs::read_dir(member.data.join("member/snap")).unwrap();
    files.flatten().any(|file| file.file_name().to_string_lossy().ends_with(ending))
}

/// Waits until the two others have discarded all that the third, which is down, may have got. They
/// sync their stores every 3 s, and discard what they need no more.
async fn leave_behind(members: &[Server]) {
    for member in &members[..2] {
        let reached = member.client().await.status().await.unwrap().raft_index;
        wait("the log's head to be discarded", || (discarded(member) > reached).then_some(()));
    }
}

/// The newest index that is not in the log any more, by what the member says; 0 if it is silent.
fn discarded(member: &Server) -> u64 {
    let log = member.log();
    let through = log.rsplit_once("discarded the head of the log through=");
    through.map_or(0, |(_, rest)| rest.split('@').next().unwrap().parse().unwrap())
}

/// Starts a member and kills it when it has come so far.
fn kill_at(member: &mut Server, moment: &str, reached: fn(&Server) -> bool) {
    member.start();
    wait(moment, || reached(member).then_some(()));
    member.kill();
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
    let mut members = started(&["--snapshot-count=20", "--snapshot-catchup-entries=10"]).await;
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
    let writers = Writers::start([client, members[1].client().await], "under load", PAUSE);

    leave_behind(&members).await;
    kill_at(&mut members[2], "a part of a snapshot", |member| has_file(member, ".tmp"));
    kill_at(&mut members[2], "another part", |member| has_file(member, ".tmp"));
    kill_at(&mut members[2], "a whole snapshot", |member| has_file(member, ".snap"));
    // At its next start it installs what it has got. Only then does it need another one.
    leave_behind(&members).await;
    let replaced = |member: &Server| member.log().contains(INSTALLED);
    kill_at(&mut members[2], "the store to be replaced", replaced);
    leave_behind(&members).await;
    let before = members[2].log().len();
    members[2].start();
    wait("an installation", || members[2].log()[before..].contains(STORED).then_some(()));
    wait("the file to go", || (!has_file(&members[2], ".snap")).then_some(()));
    let acknowledged = writers.stop().await;
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

/// A member that is told to stop does not leave the others without a leader.
#[tokio::test]
async fn a_leader_that_stops_hands_over_first() {
    let mut members = started(&[&format!("--election-timeout={}", ELECTION.as_millis())]).await;
    let leader = leader(&members).await;
    let former = members[leader].client().await.status().await.unwrap().leader;
    assert!(members[leader].stop("TERM").success());
    assert!(members[leader].log().contains("handed leadership over"));
    // No election timeout passes: the other two have a leader at once.
    let survivor = members[(leader + 1) % 3].client().await;
    let begin = Instant::now();
    survivor.put("a", "2").await.unwrap();
    assert!(begin.elapsed() < ELECTION, "{:?}", begin.elapsed());
    assert_ne!(survivor.status().await.unwrap().leader, former);
}
