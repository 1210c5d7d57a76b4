//! `quorate bench`: puts a load on any etcd-compatible store and tells what it cost.
//!
//! Reading order: [`request`] (what is asked), [`wire`] (how it travels), [`load`] (who asks),
//! [`process`] (what the server used), [`report`] (what is told), [`echo`] (the floor), [`compare`]
//! (the tables).
//!
//! Not here: the comparison itself, with members to start and stop: `scripts/bench.sh`.

mod compare;
mod echo;
mod load;
mod process;
mod report;
mod request;
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

use load::{Plan, Progress};
use process::Usage;
use report::{Span, Summary};
use request::{Keys, Kind};

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
            Self::Range { load, consistency } => {
                (load, Kind::Range { serializable: matches!(consistency, Consistency::S) })
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
        let summary = measure(load.plan(kind)?, &load.pid).await?;
        let text = if load.json { summary.json() + "\n" } else { summary.to_string() };
        say(&text);
        Ok(if summary.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl LoadArgs {
    fn plan(&self, kind: Kind) -> Result<Plan, String> {
        let (clients, conns) = (self.clients as usize, self.conns as usize);
        if conns > clients {
            return Err(format!("--conns {conns} is more than --clients {clients} can use"));
        }
        if self.endpoints.len() > conns {
            let endpoints = self.endpoints.len();
            return Err(format!("--conns {conns} cannot reach {endpoints} --endpoints"));
        }
        let size = self.key_size as usize;
        let longest = (self.key_space_size - 1).to_string();
        if longest.len() > size {
            return Err(format!("--key-size {size} is too short for key number {longest}"));
        }
        Ok(Plan {
            kind,
            keys: Keys { size, space: self.key_space_size, sequential: self.sequential_keys },
            endpoints: self.endpoints.clone(),
            clients,
            conns,
            total: self.total,
            rate: (self.rate > 0).then_some(self.rate),
        })
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
    let own = [std::process::id()];
    let connections = plan.connect().await?;
    let progress = progress(plan.total);
    let before = (Usage::of(&own)?, Usage::of(pids)?);
    let outcome = plan.clone().run(connections, progress).await?;
    let client = Span { before: before.0, after: Usage::of(&own)? };
    // A server that died under the load is a result too.
    let after = Usage::of(pids).inspect_err(|why| eprintln!("quorate bench: {why}")).ok();
    let server = after.map(|after| Span { before: before.1, after });
    Ok(Summary::new(&plan, &outcome, &client, server.filter(|_| !pids.is_empty()).as_ref()))
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
