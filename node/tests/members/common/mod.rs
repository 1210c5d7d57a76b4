//! Real processes of the built binary, on free loopback ports, with directories of their own.
//!
//! Not here: what is tested.

pub mod cluster;
pub mod etcd;
pub mod ports;
pub mod proxy;
pub mod session;
pub mod watch;
pub mod writers;

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use quorate_core::api::etcdserverpb::{
    DeleteRangeRequest, MemberListRequest, PutRequest, RangeRequest, RangeResponse, StatusRequest,
    StatusResponse,
};
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use etcdserverpb::cluster_client::ClusterClient;
use etcdserverpb::kv_client::KvClient;
use etcdserverpb::lease_client::LeaseClient;
use etcdserverpb::maintenance_client::MaintenanceClient;
use ports::free_port;

#[allow(missing_docs, unused_qualifications, clippy::all)]
pub mod etcdserverpb {
    tonic::include_proto!("etcdserverpb");
}

/// How long anything may take that should happen soon. Test machines are slow and shared.
pub const SOON: Duration = Duration::from_secs(30);

/// One member: its flags, its directory, and its process while it runs.
pub struct Server {
    pub client_url: String,
    pub peer_url: String,
    pub data: PathBuf,
    flags: Vec<String>,
    log: PathBuf,
    process: Option<Child>,
    _directory: TempDir,
}

impl Server {
    /// A cluster of one, not yet started.
    pub fn single() -> Self {
        Self::cluster(1).remove(0)
    }

    /// The members of one cluster, not yet started.
    pub fn cluster(size: usize) -> Vec<Self> {
        Self::cluster_by(size, str::to_owned)
    }

    /// The same, where the others reach each member at the URL that `way` gives for its own.
    pub fn cluster_by(size: usize, way: impl Fn(&str) -> String) -> Vec<Self> {
        let ports: Vec<u16> = (0..2 * size).map(|_| free_port()).collect();
        let url = |port: &u16| format!("http://127.0.0.1:{port}");
        let peers: Vec<String> = ports[..size].iter().map(url).collect();
        let reached: Vec<String> = peers.iter().map(|url| way(url)).collect();
        let list = reached.iter().enumerate().map(|(n, url)| format!("m{n}={url}"));
        let list = list.collect::<Vec<_>>().join(",");
        let new = |n: usize| {
            let client = url(&ports[size + n]);
            Self::new(&format!("m{n}"), (&peers[n], &reached[n]), &client, &list)
        };
        (0..size).map(new).collect()
    }

    fn new(name: &str, (peer, reached): (&str, &str), client: &str, list: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let flags = [
            format!("--name={name}"),
            format!("--data-dir={}", data.display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={reached}"),
            format!("--initial-cluster={list}"),
        ];
        let log = directory.path().join("log");
        Self {
            client_url: client.to_owned(),
            peer_url: peer.to_owned(),
            data,
            flags: flags.to_vec(),
            log,
            process: None,
            _directory: directory,
        }
    }

    /// The same with one more flag.
    pub fn with(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Starts the process. It may not be ready yet.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let log = fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = self.command();
        self.process = Some(command.stderr(log).stdout(Stdio::null()).spawn().unwrap());
    }

    /// The command that starts it.
    pub fn command(&self) -> Command {
        let mut command = quorate();
        command.args(&self.flags);
        command
    }

    /// Waits for the line that says that it serves.
    pub fn wait_ready(&self) {
        let lines = || self.log().matches("ready to serve client requests").count();
        wait("the server to be ready", || (lines() > 0).then_some(()));
    }

    /// Starts and waits.
    pub fn run(&mut self) {
        fs::remove_file(&self.log).ok();
        self.start();
        self.wait_ready();
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("it does not run");
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Sends a signal and waits for the end.
    pub fn stop(&mut self, signal: &str) -> ExitStatus {
        let mut process = self.process.take().expect("it does not run");
        let pid = process.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        process.wait().unwrap()
    }

    /// Runs it to its end, for starts that must fail.
    pub fn refused(&self) -> (Option<i32>, String) {
        ended(self.command())
    }

    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    pub async fn client(&self) -> Client {
        Client::connect(&self.client_url).await
    }

    /// A page over HTTP/1: status and body.
    pub fn get(&self, path: &str) -> (u16, String) {
        http_get(&self.client_url, path)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("--- log of {} ---\n{}", self.client_url, self.log());
        }
    }
}

/// The binary, without the caller's environment.
pub fn quorate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.env_clear();
    command
}

/// Runs a command to its end: exit code, and what it printed on both channels.
pub fn ended(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// Asks until there is an answer.
pub fn wait<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begin.elapsed() < SOON, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Every file below a directory with a hash of its content: what differs shall fit on a screen.
pub fn files(root: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let mut hasher = DefaultHasher::new();
                fs::read(&path).unwrap().hash(&mut hasher);
                found.insert(path, hasher.finish());
            }
        }
    }
    found
}

/// Asks as a client of HTTP/1.0, so that the answer does not come in chunks.
pub fn http_get(url: &str, path: &str) -> (u16, String) {
    use std::io::{Read, Write};
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body)
}

/// A client of one member.
#[derive(Clone)]
pub struct Client {
    pub kv: KvClient<Channel>,
    pub lease: LeaseClient<Channel>,
    pub cluster: ClusterClient<Channel>,
    pub maintenance: MaintenanceClient<Channel>,
}

impl Client {
    pub async fn connect(url: &str) -> Self {
        let channel = Endpoint::from_shared(url.to_owned()).unwrap().connect_lazy();
        Self {
            kv: KvClient::new(channel.clone()).max_decoding_message_size(usize::MAX),
            lease: LeaseClient::new(channel.clone()),
            cluster: ClusterClient::new(channel.clone()),
            maintenance: MaintenanceClient::new(channel),
        }
    }

    /// Puts; the answer is the revision.
    pub async fn put(&self, key: &str, value: &str) -> Result<i64, Status> {
        let put = PutRequest {
            key: key.to_owned().into(),
            value: value.to_owned().into(),
            ..PutRequest::default()
        };
        let response = self.kv.clone().put(put).await?.into_inner();
        Ok(response.header.unwrap().revision)
    }

    /// The value of a key.
    pub async fn get(&self, key: &str) -> Result<Option<String>, Status> {
        let range = RangeRequest { key: key.to_owned().into(), ..RangeRequest::default() };
        let mut response = self.range(range).await?;
        Ok(response.kvs.pop().map(|pair| String::from_utf8(pair.value.to_vec()).unwrap()))
    }

    pub async fn range(&self, range: RangeRequest) -> Result<RangeResponse, Status> {
        Ok(self.kv.clone().range(range).await?.into_inner())
    }

    /// Every pair, from this member's own store.
    pub async fn all(&self) -> RangeResponse {
        let everything = vec![0u8];
        let range = RangeRequest {
            key: everything.clone().into(),
            range_end: everything.into(),
            serializable: true,
            ..RangeRequest::default()
        };
        let mut response = self.range(range).await.unwrap();
        response.header = None;
        response
    }

    /// Deletes a key; the answer is the number of keys deleted.
    pub async fn delete(&self, key: &str) -> Result<i64, Status> {
        let delete = DeleteRangeRequest { key: key.to_owned().into(), ..Default::default() };
        Ok(self.kv.clone().delete_range(delete).await?.into_inner().deleted)
    }

    pub async fn status(&self) -> Result<StatusResponse, Status> {
        Ok(self.maintenance.clone().status(StatusRequest {}).await?.into_inner())
    }

    pub async fn members(&self) -> Result<Vec<quorate_core::api::etcdserverpb::Member>, Status> {
        let request = MemberListRequest { linearizable: true };
        Ok(self.cluster.clone().member_list(request).await?.into_inner().members)
    }
}
