//! One member, from its first line to its last: the order in which things start and stop.
//!
//! ```text
//!   start: flags; listen (a used port changes nothing on disk); lock the data directory; read it;
//!          threads; peers; serve clients; publish name and URLs; "ready to serve client requests"
//!   stop:  let another member lead; answer those who wait; close the ports; consensus, then WAL
//!          and apply, then storage, each after the one that feeds it has ended
//! ```
//! A kill at any moment is as good as a stop, only slower at the next start.
//!
//! Not here: what each thread does.

mod apply;
mod boot;
mod config;
mod consensus;
mod courier;
mod datadir;
mod disk;
mod flags;
pub mod histogram;
pub mod hub;
mod identity;
mod logging;
pub mod mailbox;
pub mod metrics;
pub mod outlet;
mod process;
pub mod replica;
mod spare;
mod storage;
mod tap;
mod threads;
mod tray;
pub mod url;
pub mod version;
mod vitals;
mod waiters;
mod wal;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::raft::RoleKind;
use quorate_core::request::{self, MAX_REQUEST_BYTES};
use quorate_core::types::NodeId;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::listener::Port;
use crate::peer::link::Peers;
use crate::ports::{ClientPort, PeerPort};
use crate::serve::boot::boot;
use crate::serve::config::{Config, Task, texts};
use crate::serve::datadir::DataDir;
use crate::serve::hub::Errand;
use crate::serve::replica::Replica;
use crate::serve::threads::Threads;
use crate::serve::tray::{Bell, Tray};

/// Threads that serve connections.
const WORKERS: usize = 2;
/// How long a hand-over may take when the member stops, and then clients' connections to finish
/// their requests.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two attempts to publish.
const RETRY: Duration = Duration::from_millis(200);

/// Runs the server with this command line.
pub fn run(line: &[OsString]) -> ExitCode {
    match config::read(line) {
        Ok(Task::Print(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Ok(Task::Serve(config)) => finish(serve(&config)),
        Err(misuse) => {
            eprintln!("quorate: {}", misuse.text);
            ExitCode::from(misuse.code)
        }
    }
}

fn finish(served: Result<(), String>) -> ExitCode {
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("quorate: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: &Config) -> Result<(), String> {
    logging::start(config.log_format, config.log_level);
    abort_on_panic();
    for name in config::unknown_variables() {
        tracing::warn!("the environment variable {name} is not known and has no effect");
    }
    let runtimes =
        Runtimes { clients: runtime("clients", WORKERS)?, members: runtime("members", 1)? };
    let served = serve_on(&runtimes, config);
    // A name that is being looked up can take longer than anybody wants to wait.
    runtimes.members.shutdown_background();
    served
}

/// What drives connections. Clients and members stand apart: several workers wake each other for
/// every message, which is dear between members, where messages follow each other one by one.
struct Runtimes {
    clients: Runtime,
    members: Runtime,
}

fn runtime(name: &str, workers: usize) -> Result<Runtime, String> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(workers).thread_name(name).enable_all().build();
    runtime.map_err(|error| format!("cannot start threads: {error}"))
}

/// A broken expectation ends the process, whichever thread finds it: the others would go on with
/// something that is wrong.
fn abort_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        std::process::abort();
    }));
}

fn serve_on(runtimes: &Runtimes, config: &Config) -> Result<(), String> {
    let ports = Ports::bind(config, runtimes)?;
    let data = DataDir::open(&config.data_dir)?;
    let boot = boot(config, &data)?;
    let members: Vec<NodeId> = boot.members.iter().map(|member| NodeId(member.id)).collect();
    let own = boot.recovered.identity.member;
    let others = boot.members.iter().filter(|member| NodeId(member.id) != own);
    let others = others.map(|member| (NodeId(member.id), member.peer_ur_ls.clone()));
    let peers = Arc::new(Peers::new(others));
    let (tray, bell) = Tray::new().map_err(|error| format!("cannot make a pipe: {error}"))?;
    let (replica, threads) = Threads::start(config, boot, data.snap(), &peers, tray)?;
    let publish =
        publish(Arc::clone(&replica), config.name.clone(), texts(&config.advertise_client));
    runtimes.members.block_on(async { peers.connect(replica.identity) });
    let signalled = runtimes.clients.block_on(async {
        tokio::spawn(hand_out(Arc::clone(&replica), bell));
        tokio::spawn(publish);
        tokio::spawn(follow_leader(Arc::clone(&replica)));
        ports.serve(&runtimes.members, &replica, &peers, members).await
    });
    threads.stop(&replica);
    tracing::info!("stopped");
    signalled
}

/// Both ports, bound.
struct Ports {
    clients: Port,
    members: Port,
}

impl Ports {
    /// Each in the runtime that is to serve it.
    fn bind(config: &Config, runtimes: &Runtimes) -> Result<Self, String> {
        let clients = {
            let _inside = runtimes.clients.enter();
            Port::bind(&config.listen_client, "--listen-client-urls")?
        };
        let _inside = runtimes.members.enter();
        let members = Port::bind(&config.listen_peer, "--listen-peer-urls")?;
        Ok(Self { clients, members })
    }

    /// Serves until a signal comes, and then until the last answer is out.
    async fn serve(
        self,
        runtime: &Runtime,
        replica: &Arc<Replica>,
        peers: &Arc<Peers>,
        members: Vec<NodeId>,
    ) -> Result<(), String> {
        let (stop, stopped) = watch::channel(false);
        // A stream between members has no end to wait for.
        let end = (stopped.clone(), Duration::ZERO);
        let port = PeerPort::new(replica, members);
        let members = runtime.spawn(self.members.serve(port, None, end));
        let port = ClientPort::new(replica, Arc::clone(peers));
        let metrics = Some(Arc::clone(&replica.metrics));
        let clients = tokio::spawn(self.clients.serve(port, metrics, (stopped, PATIENCE)));
        let signal = wait_for_signal().await?;
        tracing::info!("stopping after {signal}");
        resign(replica).await;
        replica.waiters.stop();
        replica.watchers.stop();
        let _ = stop.send(true);
        // A port that panicked has ended the process.
        let _ = (clients.await, members.await);
        Ok(())
    }
}

async fn hand_out(replica: Arc<Replica>, bell: Bell) {
    replica.waiters.hand_out(bell).await;
}

/// Has the hub look when a leader is lost or found: some watchers want to know.
async fn follow_leader(replica: Arc<Replica>) {
    let mut leader = replica.vitals.leader();
    while leader.changed().await.is_ok() {
        replica.watchers.inbox.push(Errand::Nudge);
    }
}

/// Lets another member lead first, so that nobody has to wait for an election. Not for long: the
/// others may be gone.
async fn resign(replica: &Replica) {
    if replica.vitals.view().role != RoleKind::Leader {
        return;
    }
    match tokio::time::timeout(PATIENCE, replica.resign()).await {
        Ok(Ok(())) => tracing::info!("handed leadership over"),
        Ok(Err(failure)) => tracing::warn!("stopping as leader: {failure}"),
        Err(_) => tracing::warn!("stopping as leader: no other member took over in time"),
    }
}

async fn wait_for_signal() -> Result<&'static str, String> {
    let listen = |kind| signal(kind).map_err(|error| format!("cannot wait for signals: {error}"));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// Tells all members this one's name and client URLs, through the log. A member is ready when that
/// is applied: then it has a leader and its log works (BO-10).
async fn publish(replica: Arc<Replica>, name: String, urls: Vec<String>) {
    let mut leader = replica.vitals.leader();
    loop {
        // An error means that the member is gone, and so is this task.
        let _ = leader.wait_for(Option::is_some).await;
        let make = |id| request::publish(id, name.clone(), urls.clone(), MAX_REQUEST_BYTES);
        match replica.propose(make).await {
            Ok(_) => break,
            Err(failure) => tracing::warn!("cannot publish this member's name yet: {failure}"),
        }
        tokio::time::sleep(RETRY).await;
    }
    tracing::info!(name, urls = urls.join(","), "ready to serve client requests");
}
