//! `quorate bench`: puts a load on any etcd-compatible store and tells what it cost.
//!
//! Reading order: [`request`] (what is asked), [`wire`] (how it travels), [`load`] (who asks),
//! [`watch`] (who is told), [`keepalive`] (who stays),
//! [`process`] (what the server used), [`report`] (what is told), [`echo`] (the floor), [`compare`]
//! (the tables).
//!
//! Not here: the comparison itself, with members to start and stop: `scripts/bench.sh`.

mod compare;
mod echo;
mod keepalive;
mod load;
mod process;
mod report;
mod request;
mod watch;
mod wire;

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use keepalive::KeepingAlive;
use load::{Outcome, Plan, Progress};
use process::Usage;
use report::{Span, Summary, Title};
use request::{Keys, Kind};
use watch::Watching;

/// Puts a load on an etcd-compatible store.
#[derive(Parser)]
#[command(name = "quorate bench", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes keys.
    Put {
        #[command(flatten)]
        load: LoadArgs,
        /// Bytes of a value.
        #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(..=1 << 30))]
        val_size: u32,
    },
    /// Reads one key at a time, from those that `put` with the same key options writes.
    Range {
        #[command(flatten)]
        load: LoadArgs,
        /// l: linearizable; s: serializable, from the member that is asked.
        #[arg(long, value_enum, default_value_t = Consistency::L)]
        consistency: Consistency,
        /// Read every key of the store with each request.
        #[arg(long, conflicts_with_all = ["consistency", "sequential_keys"])]
        everything: bool,
    },
    /// Writes neighbouring keys in transactions, each guarded by a compare that always holds.
    Txn {
        #[command(flatten)]
        load: LoadArgs,
        /// Bytes of a value.
        #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(..=1 << 20))]
        val_size: u32,
        /// Puts in each transaction.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=128))]
        puts: u32,
    },
    /// Watches keys while they are written; an operation is an event that reached a watcher.
    Watch {
        #[command(flatten)]
        load: LoadArgs,
        /// Bytes of a value.
        #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(12..=1 << 20))]
        val_size: u32,
        /// Watchers, each of one key.
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
        watchers: u64,
        /// Streams that they share.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        streams: u64,
    },
    /// Renews leases, one to a client; or grants them.
    Lease {
        #[command(flatten)]
        load: LoadArgs,
        /// In seconds.
        #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(i64).range(1..=9_000_000_000))]
        ttl: i64,
        /// Grant a new lease with each request instead.
        #[arg(long)]
        grant: bool,
    },
    /// Makes the tables of scripts/bench.sh from its JSON lines.
    Compare {
        /// The file with the lines.
        results: PathBuf,
    },
    /// Serves fixed answers without any store: the floor under every figure.
    EchoServer {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:2379")]
        listen: SocketAddr,
        /// Bytes of the value that every read is answered with.
        #[arg(long, default_value_t = 256)]
        val_size: usize,
    },
}

#[derive(Args)]
struct LoadArgs {
    /// Where the store listens: host:port or http://host:port, more of them by comma.
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:2379", value_parser = authority)]
    endpoints: Vec<String>,
    /// Requests under way at a time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    clients: u32,
    /// Connections that they share, dealt to the endpoints in turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    conns: u32,
    /// Bytes of a key.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    key_size: u32,
    /// How many different keys there are.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    key_space_size: u64,
    /// Take the keys in their order instead of at random.
    #[arg(long)]
    sequential_keys: bool,
    /// Requests in all.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    total: u64,
    /// Requests per second; 0: as fast as the answers come.
    #[arg(long, default_value_t = 0)]
    rate: u64,
    /// Processes of the server, by comma: their CPU time and memory are told too.
    #[arg(long, value_delimiter = ',')]
    pid: Vec<u32>,
    /// What to call the load in the report.
    #[arg(long)]
    title: Option<String>,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Consistency {
    L,
    S,
}

/// Runs `quorate bench` with the arguments behind those two words.
pub fn run(args: &[OsString]) -> ExitCode {
    let program = OsString::from("quorate bench");
    let cli = match Cli::try_parse_from(std::iter::once(&program).chain(args)) {
        Ok(cli) => cli,
        Err(refusal) => {
            // Help goes to stdout with code 0, complaints to stderr with code 2.
            let code = refusal.exit_code();
            return match refusal.print() {
                Ok(()) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
                Err(_) => ExitCode::FAILURE,
            };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return complain(&format!("cannot start threads: {why}")),
    };
    match runtime.block_on(cli.command.run()) {
        Ok(code) => code,
        Err(text) => complain(&text),
    }
}

/// Writes to stdout, where nobody need be listening any more.
fn say(text: &str) {
    let _ = stdout().write_all(text.as_bytes());
}

fn complain(text: &str) -> ExitCode {
    eprintln!("quorate bench: {text}");
    ExitCode::FAILURE
}

impl Command {
    async fn run(self) -> Result<ExitCode, String> {
        let (load, kind) = match self {
            Self::Put { load, val_size } => (load, Kind::Put { value_size: val_size as usize }),
            Self::Range { load, everything: true, .. } => (load, Kind::Everything),
            Self::Range { load, consistency, .. } => {
                (load, Kind::Range { serializable: matches!(consistency, Consistency::S) })
            }
            Self::Txn { load, val_size, puts } => {
                let (value_size, puts) = (val_size as usize, puts as usize);
                if puts as u64 > load.key_space_size {
                    return Err(format!(
                        "--puts {puts} is more than --key-space-size: a \
                        transaction puts no key twice"
                    ));
                }
                (load, Kind::Txn { value_size, puts })
            }
            Self::Lease { load, ttl, grant: true } => (load, Kind::Grant { ttl }),
            Self::Lease { load, ttl, grant: false } => {
                load.check()?;
                return load.tell(measure_keep_alives(&load, ttl).await?);
            }
            Self::Watch { load, val_size, watchers, streams } => {
                load.check()?;
                let plan = load.watching(val_size as usize, watchers, streams)?;
                return load.tell(measure_watch(plan, &load.pid).await?);
            }
            Self::Compare { results } => {
                let named = |why| format!("{}: {why}", results.display());
                let lines = fs::read_to_string(&results).map_err(|why| named(why.to_string()))?;
                say(&compare::tables(&lines).map_err(named)?);
                return Ok(ExitCode::SUCCESS);
            }
            Self::EchoServer { listen, val_size } => {
                return echo::serve(listen, val_size).await.map(|()| ExitCode::SUCCESS);
            }
        };
        load.check()?;
        load.tell(measure(load.plan(kind), &load.pid).await?)
    }
}

impl LoadArgs {
    fn check(&self) -> Result<(), String> {
        let (clients, conns) = (self.clients as usize, self.conns as usize);
        if conns > clients {
            return Err(format!("--conns {conns} is more than --clients {clients} can use"));
        }
        if self.endpoints.len() > conns {
            let endpoints = self.endpoints.len();
            return Err(format!("--conns {conns} cannot reach {endpoints} --endpoints"));
        }
        let longest = (self.key_space_size - 1).to_string();
        if longest.len() > self.key_size as usize {
            let size = self.key_size;
            return Err(format!("--key-size {size} is too short for key number {longest}"));
        }
        Ok(())
    }

    fn plan(&self, kind: Kind) -> Plan {
        Plan {
            kind,
            keys: self.keys(),
            endpoints: self.endpoints.clone(),
            clients: self.clients as usize,
            conns: self.conns as usize,
            total: self.total,
            rate: (self.rate > 0).then_some(self.rate),
        }
    }

    /// Watchers and writers have the same connections, and the puts come as fast as they can.
    fn watching(&self, value_size: usize, watchers: u64, streams: u64) -> Result<Watching, String> {
        if streams > watchers {
            return Err(format!("--streams {streams} is more than --watchers {watchers} can use"));
        }
        if self.rate > 0 {
            return Err("--rate does not go with watch: events come as fast as they can".to_owned());
        }
        Ok(Watching {
            endpoints: self.endpoints.clone(),
            conns: self.conns as usize,
            watchers,
            streams,
            writers: u64::from(self.clients),
            puts: self.total,
            keys: self.keys(),
            value_size,
        })
    }

    fn keys(&self) -> Keys {
        let (size, space) = (self.key_size as usize, self.key_space_size);
        Keys { size, space, sequential: self.sequential_keys }
    }

    fn tell(&self, mut summary: Summary) -> Result<ExitCode, String> {
        if let Some(title) = &self.title {
            summary.rename(title);
        }
        let text = if self.json { summary.json() + "\n" } else { summary.to_string() };
        say(&text);
        Ok(if summary.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Takes `host:port` out of an endpoint.
fn authority(endpoint: &str) -> Result<String, String> {
    if endpoint.starts_with("https://") {
        return Err("TLS is not supported".to_owned());
    }
    let authority = endpoint.strip_prefix("http://").unwrap_or(endpoint);
    match authority.parse::<http::uri::Authority>() {
        Ok(parsed) if parsed.port_u16().is_some() => Ok(authority.to_owned()),
        Ok(_) | Err(_) => Err("expected host:port or http://host:port".to_owned()),
    }
}

async fn measure(plan: Plan, pids: &[u32]) -> Result<Summary, String> {
    let title = Title {
        load: plan.kind.name().to_owned(),
        endpoints: plan.endpoints.clone(),
        clients: plan.clients as u64,
        conns: plan.conns,
        key_size: Some(plan.keys.size),
        val_size: plan.kind.value_size(),
        requests: plan.total,
    };
    let connections = plan.connect().await?;
    let progress = progress(plan.total);
    account(title, pids, plan.run(connections, progress)).await
}

async fn measure_watch(plan: Watching, pids: &[u32]) -> Result<Summary, String> {
    let title = Title {
        load: "watch".to_owned(),
        endpoints: plan.endpoints.clone(),
        clients: plan.watchers,
        conns: plan.conns,
        key_size: Some(plan.keys.size),
        val_size: Some(plan.value_size),
        requests: plan.events(),
    };
    let watchers = plan.connect().await?;
    let progress = progress(plan.events());
    account(title, pids, plan.run(watchers, progress)).await
}

async fn measure_keep_alives(load: &LoadArgs, ttl: i64) -> Result<Summary, String> {
    let title = Title {
        load: "lease keep-alive".to_owned(),
        endpoints: load.endpoints.clone(),
        clients: u64::from(load.clients),
        conns: load.conns as usize,
        key_size: None,
        val_size: None,
        requests: load.total,
    };
    let plan = KeepingAlive {
        endpoints: load.endpoints.clone(),
        clients: load.clients as usize,
        conns: load.conns as usize,
        ttl,
        total: load.total,
    };
    let leases = plan.connect().await?;
    let progress = progress(load.total);
    account(title, &load.pid, plan.run(leases, progress)).await
}

/// Runs a load and takes down what it cost.
async fn account(
    title: Title,
    pids: &[u32],
    run: impl Future<Output = Result<Outcome, String>>,
) -> Result<Summary, String> {
    let own = [std::process::id()];
    let before = (Usage::of(&own)?, Usage::of(pids)?);
    let outcome = run.await?;
    let client = Span { before: before.0, after: Usage::of(&own)? };
    // A server that died under the load is a result too.
    let after = Usage::of(pids).inspect_err(|why| eprintln!("quorate bench: {why}")).ok();
    let server = after.map(|after| Span { before: before.1, after });
    Ok(Summary::new(title, &outcome, &client, server.filter(|_| !pids.is_empty()).as_ref()))
}

/// A bar on a terminal, nothing anywhere else.
fn progress(total: u64) -> Progress {
    if !stderr().is_terminal() {
        return Box::new(|_| ());
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {rate} {eta} left")
        .expect("the template is fixed")
        .with_key("rate", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            // A bar has no better place for an error than itself.
            let _ = write!(text, "{:.0}/s", state.per_sec());
        });
    let bar = ProgressBar::new(total).with_style(style);
    Box::new(move |done| {
        bar.set_position(done);
        if done >= total {
            bar.finish_and_clear();
        }
    })
}

/// An error with all its causes, since libraries like to hide the one that matters.
fn whole_story(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
