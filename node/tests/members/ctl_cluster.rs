//! `quorate ctl` and `etcdctl` with three members of Quorate: leaders that are moved, and watches
//! and leases that outlive the member that served them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use crate::common::{SOON, Server, etcd, wait};

fn running_cluster() -> Vec<Server> {
    let mut servers = Server::cluster(3);
    servers.iter_mut().for_each(Server::start);
    servers.iter().for_each(Server::wait_ready);
    servers
}

/// Without the scheme: etcdctl 3.4 would call the member by a name that HTTP/2 does not allow.
fn endpoint(server: &Server) -> &str {
    server.client_url.strip_prefix("http://").unwrap()
}

/// The program, with all these members to choose from.
fn command(program: &[&str], servers: &[&Server], line: &str) -> Command {
    let endpoints: Vec<_> = servers.iter().copied().map(endpoint).collect();
    let mut command = Command::new(program[0]);
    command
        .args(&program[1..])
        .args(line.split(' '))
        .env("ETCDCTL_API", "3")
        .env("ETCDCTL_ENDPOINTS", endpoints.join(","))
        .stdin(Stdio::null());
    command
}

const QUORATE: [&str; 2] = [env!("CARGO_BIN_EXE_quorate"), "ctl"];

fn ctl(servers: &[&Server], line: &str) -> Output {
    command(&QUORATE, servers, line).output().unwrap()
}

/// The place and the id of each member, and whether it leads.
fn members(servers: &[Server]) -> Vec<(usize, String, bool)> {
    let statuses = servers.iter().enumerate().map(|(place, server)| {
        let output = ctl(&[server], "endpoint status");
        let line = String::from_utf8(output.stdout).unwrap();
        let cells: Vec<_> = line.trim_end().split(", ").collect();
        (place, cells[1].to_owned(), cells[8] == "true")
    });
    statuses.collect()
}

#[test]
fn the_leadership_goes_where_it_is_sent() {
    let servers = running_cluster();
    let all: Vec<_> = servers.iter().collect();
    let mut programs = vec![QUORATE.to_vec()];
    if etcd::is_installed("the_leadership_goes_where_it_is_sent, for etcdctl") {
        programs.push(vec!["etcdctl"]);
    }
    for program in programs {
        let before = wait("a leader", || {
            let members = members(&servers);
            members.iter().any(|member| member.2).then_some(members)
        });
        let (_, old, _) = before.iter().find(|member| member.2).unwrap();
        let (place, new, _) = before.iter().find(|member| !member.2).unwrap();
        // A member that does not lead cannot do it.
        let follower = &servers[*place];
        let refused =
            command(&program, &[follower], &format!("move-leader {new}")).output().unwrap();
        let text = format!("Error: no leader endpoint given at [{}]\n", endpoint(follower));
        assert_eq!(refused.status.code(), Some(128), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).ends_with(&text), "{refused:?}");
        let moved = command(&program, &all, &format!("move-leader {new}")).output().unwrap();
        let text = format!("Leadership transferred from {old} to {new}\n");
        assert_eq!(String::from_utf8_lossy(&moved.stdout), text, "{moved:?}");
        wait("the new leader to say so", || members(&servers)[*place].2.then_some(()));
    }
}

/// A running program whose lines are read as they come.
struct Stream {
    child: Child,
    lines: Receiver<String>,
}

impl Stream {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        Self { child, lines }
    }

    fn lines(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.lines.recv_timeout(SOON).unwrap()).collect()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn watches_and_leases_outlive_the_member_that_served_them() {
    let mut servers = running_cluster();
    let all: Vec<_> = servers.iter().collect();
    let granted = String::from_utf8(ctl(&all, "lease grant 20").stdout).unwrap();
    let lease = granted.split(' ').nth(1).unwrap().to_owned();
    ctl(&all, &format!("put leased v --lease {lease}"));
    let watch = Stream::start(command(&QUORATE, &all, "watch key --rev 1"));
    let keeper = Stream::start(command(&QUORATE, &all, &format!("lease keep-alive {lease}")));
    let alive = format!("lease {lease} keepalived with TTL(20)");
    assert_eq!(keeper.lines(1)[0], alive);
    ctl(&all, "put key 0");
    assert_eq!(watch.lines(3), ["PUT", "key", "0"]);
    // Both are on the first member of the list, and go on at the next.
    for round in ["1", "2", "3"] {
        servers[0].kill();
        let others: Vec<_> = servers[1..].iter().collect();
        let put = || ctl(&others, &format!("put key {round}")).status.success().then_some(());
        wait("the others to take a put", put);
        // A put that was not answered may have been done, so there may be more than one.
        assert_eq!(watch.lines(3), ["PUT", "key", round]);
        servers[0].start();
        servers[0].wait_ready();
        servers.rotate_left(1);
    }
    assert_eq!(keeper.lines(1)[0], alive);
    let all: Vec<_> = servers.iter().collect();
    let left = ctl(&all, "get leased --print-value-only");
    assert_eq!(String::from_utf8_lossy(&left.stdout), "v\n");
}
