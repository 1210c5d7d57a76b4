//! Debian's etcdctl (3.4) with endpoints that are URLs, against this server. Some of its commands
//! send the URL where HTTP/2 has a host.

use std::process::Command;

use crate::common::etcd::is_installed;
use crate::common::{Server, wait};

/// What the genuine etcdctl says; its error, if it fails.
fn etcdctl(endpoints: &[&str], words: &[&str]) -> Result<String, String> {
    let mut command = Command::new("etcdctl");
    command.env("ETCDCTL_API", "3").args(["--endpoints", &endpoints.join(",")]).args(words);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[test]
fn commands_that_send_a_url_for_a_host_work() {
    if !is_installed("commands_that_send_a_url_for_a_host_work") {
        return;
    }
    let mut members = Server::cluster(3);
    members.iter_mut().for_each(Server::start);
    members.iter().for_each(Server::wait_ready);
    let urls: Vec<&str> = members.iter().map(|member| member.client_url.as_str()).collect();
    assert_eq!(etcdctl(&urls, &["put", "key", "value"]).as_deref(), Ok("OK"));
    // URL, id, version, size, whether it leads, ..
    let status = |url: &str| {
        let line = etcdctl(&[url], &["endpoint", "status"]).unwrap();
        line.split(", ").map(str::to_owned).collect::<Vec<String>>()
    };
    let leads = |url: &str| status(url)[4] == "true";
    let leader = wait("a leader", || urls.iter().position(|url| leads(url)));
    let hashes = etcdctl(&urls, &["endpoint", "hashkv"]).unwrap();
    assert_eq!(hashes.lines().count(), 3, "{hashes}");
    let target = (leader + 1) % 3;
    let moved = etcdctl(&urls, &["move-leader", &status(urls[target])[1]]).unwrap();
    assert!(moved.starts_with("Leadership transferred from"), "{moved}");
    wait("the other one to lead", || leads(urls[target]).then_some(()));
}
