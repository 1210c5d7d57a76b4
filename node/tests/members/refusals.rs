//! What a member refuses to start with: it names the thing, says what would be right, leaves with
//! an exit code that scripts can read, and overwrites nothing.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use crate::common::{Server, ended, files, quorate, wait};

fn refused(flags: &[&str]) -> (Option<i32>, String) {
    let mut command = quorate();
    command.args(flags);
    ended(command)
}

#[track_caller]
fn assert_says(answer: &(Option<i32>, String), code: i32, words: &[&str]) {
    assert_eq!(answer.0, Some(code), "{}", answer.1);
    for word in words {
        assert!(answer.1.contains(word), "\"{word}\" is not in: {}", answer.1);
    }
}

/// The data, without the lock that every attempt opens and the file of zeros that it prepares.
fn data(server: &Server) -> BTreeMap<PathBuf, u64> {
    let mut files = files(&server.data);
    files.retain(|path, _| {
        path.file_name().is_none_or(|name| name != "lock" && name != "wal.spare")
    });
    files
}

#[test]
fn flags_that_cannot_be_followed() {
    let unknown = refused(&["--nmae", "x"]);
    assert_says(&unknown, 2, &["flag provided but not defined: -nmae", "did you mean --name?"]);
    assert_says(&refused(&["-unknown-thing"]), 2, &["not defined: -unknown-thing"]);
    assert_says(&refused(&["start"]), 1, &["\"start\" is not a valid flag"]);
    assert_says(&refused(&["--heartbeat-interval=x"]), 1, &["heartbeat-interval"]);
    assert_says(
        &refused(&["--election-timeout", "200"]),
        1,
        &["--election-timeout[200ms] should be at least as 5 times as --heartbeat-interval[100ms]"],
    );
    assert_says(
        &refused(&["--listen-client-urls=http://127.0.0.1:1"]),
        1,
        &["--advertise-client-urls is required when --listen-client-urls is set explicitly"],
    );
    let tls = refused(&["--listen-peer-urls=https://127.0.0.1:1"]);
    assert_says(&tls, 1, &["https://127.0.0.1:1", "TLS is not supported yet"]);
    assert_says(&refused(&["--initial-cluster-state=old"]), 1, &["new, existing"]);
    assert_says(&refused(&["--initial-cluster=a"]), 1, &["not of the form name=url"]);
    let mut clash = quorate();
    clash.env("ETCD_NAME", "a").args(["--name", "b"]);
    assert_says(&ended(clash), 1, &["conflicting environment variable \"ETCD_NAME\""]);
}

#[test]
fn the_environment_is_as_good_as_a_flag() {
    let mut command = quorate();
    command.env("ETCD_ELECTION_TIMEOUT", "1");
    assert_says(&ended(command), 1, &["--election-timeout[1ms]"]);
}

#[test]
fn a_used_port() {
    let server = Server::single();
    let address = server.client_url.strip_prefix("http://").unwrap();
    let _taken = TcpListener::bind(address).unwrap();
    let answer = server.refused();
    assert_says(&answer, 1, &["--listen-client-urls", address, "in use"]);
    assert!(!server.data.exists(), "it made a data directory for nothing");
}

#[test]
fn an_initial_cluster_without_oneself() {
    let server = Server::single();
    let mut command = server.command();
    command.arg("--name=other");
    assert_says(&ended(command), 1, &["couldn't find local name \"other\"", "m0"]);
    let mut command = server.command();
    command.arg("--initial-cluster=m0=http://127.0.0.1:1");
    assert_says(&ended(command), 1, &["http://127.0.0.1:1", "must be the same"]);
    let mut command = server.command();
    command.arg("--initial-cluster-state=existing");
    assert_says(&ended(command), 1, &["existing", "not supported yet"]);
    assert!(data(&server).is_empty(), "a refused start left something behind");
}

#[tokio::test]
async fn a_data_directory_that_somebody_uses() {
    let mut server = Server::single();
    server.run();
    let rival = Server::single();
    let mut command = rival.command();
    command.arg(format!("--data-dir={}", server.data.display()));
    assert_says(
        &ended(command),
        1,
        &["is in use by another process", server.data.to_str().unwrap()],
    );
    server.client().await.put("a", "still there").await.unwrap();
}

#[test]
fn the_data_directory_of_another_member() {
    let mut members = Server::cluster(2);
    for member in &mut members {
        member.start();
    }
    members[0].wait_ready();
    for member in &mut members {
        assert!(member.stop("TERM").success());
    }
    let before = data(&members[0]);
    let mut command = members[1].command();
    command.arg(format!("--data-dir={}", members[0].data.display()));
    let answer = ended(command);
    let (mine, theirs) = (&members[1].peer_url, &members[0].peer_url);
    assert_says(&answer, 1, &[mine, theirs, "(m0", "(m1)", "its own --data-dir"]);
    assert_eq!(before, data(&members[0]), "somebody else's data changed");
}

#[test]
fn flags_of_another_cluster_lose_against_the_data() {
    let mut server = Server::single();
    server.run();
    assert!(server.stop("TERM").success());
    let mut command = server.command();
    let mut child = command.arg("--initial-cluster-token=other").spawn().unwrap();
    wait("health", || std::net::TcpStream::connect(&server.client_url[7..]).ok());
    assert_eq!(server.get("/health?serializable=true").0, 200);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Flips a bit in the first place of the log that looks so; the answer is the file.
fn flip_a_bit(wal: &Path, pattern: &[u8]) -> PathBuf {
    for path in files(wal).into_keys() {
        let mut bytes = fs::read(&path).unwrap();
        let place = bytes.windows(pattern.len()).position(|window| window == pattern);
        if let Some(place) = place {
            bytes[place] ^= 1;
            fs::write(&path, &bytes).unwrap();
            return path;
        }
    }
    panic!("the log does not hold what was put");
}

#[tokio::test]
async fn a_flipped_bit_in_the_log() {
    let mut server = Server::single();
    server.run();
    let client = server.client().await;
    for n in 0..50 {
        client.put(&format!("k{n}"), &"v".repeat(100)).await.unwrap();
    }
    server.kill();
    let path = flip_a_bit(&server.data.join("member/wal"), &[b'v'; 40]);
    let before = data(&server);
    let answer = server.refused();
    assert_says(&answer, 1, &[path.file_name().unwrap().to_str().unwrap()]);
    assert_eq!(before, data(&server), "a damaged log was changed");
}

#[test]
fn a_key_space_without_its_log() {
    let mut server = Server::single();
    server.run();
    assert!(server.stop("TERM").success());
    fs::remove_dir_all(server.data.join("member/wal")).unwrap();
    let before = data(&server);
    assert_says(&server.refused(), 1, &["member/wal", "no log"]);
    assert_eq!(before, data(&server), "an orphaned key space was changed");
}
