//! What a member is told by its flags: checked, complete, and nothing that contradicts itself.
//!
//! Not here: how the command line is read (`serve/flags.rs`), which ids follow
//! (`serve/identity.rs`), and what an existing data directory makes of it (`serve/boot.rs`).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{CommandFactory, Parser};
use quorate_core::types::Ticks;
use tracing_subscriber::filter::LevelFilter;

use crate::ctl::go::parse_duration;
use crate::serve::flags::{self, Misuse};
use crate::serve::logging::Format;
use crate::serve::url::{Url, same_places};

const DEFAULT_CLIENT_URL: &str = "http://localhost:2379";
/// etcd's default.
const CATCHUP_ENTRIES: u64 = 5000;
const DEFAULT_PEER_URL: &str = "http://localhost:2380";

/// One member of a Quorate cluster. Every flag can also be given as ETCD_NAME_OF_THE_FLAG, and
/// with one dash.
#[derive(Parser, Debug)]
#[command(name = "quorate", args_override_self = true, disable_version_flag = true)]
#[command(after_help = "Also: quorate ctl (the client), quorate bench (the load generator)")]
struct Flags {
    /// Human name of the member; its own key in --initial-cluster
    #[arg(long, default_value = "default")]
    name: String,
    /// Directory with the data; NAME.etcd, from --name, if not given
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Where to listen for clients (gRPC and HTTP)
    #[arg(long, value_delimiter = ',', value_name = "URLS")]
    listen_client_urls: Option<Vec<Url>>,
    /// What to tell clients
    #[arg(long, value_delimiter = ',', value_name = "URLS")]
    advertise_client_urls: Option<Vec<Url>>,
    /// Where to listen for other members
    #[arg(long, value_delimiter = ',', value_name = "URLS", default_value = DEFAULT_PEER_URL)]
    listen_peer_urls: Vec<Url>,
    /// Where other members find this one
    #[arg(long, value_delimiter = ',', value_name = "URLS", default_value = DEFAULT_PEER_URL)]
    initial_advertise_peer_urls: Vec<Url>,
    /// All founding members, name=url, separated by commas; a name may repeat
    #[arg(long, value_name = "NAME=URL,..")]
    initial_cluster: Option<String>,
    /// Whether the cluster is to be founded
    #[arg(long, default_value = "new", value_parser = PossibleValuesParser::new(["new", "existing"]))]
    initial_cluster_state: String,
    /// Keeps clusters apart that are founded with the same URLs
    #[arg(long, default_value = "etcd-cluster")]
    initial_cluster_token: String,
    /// Milliseconds between two heartbeats of a leader
    #[arg(long, default_value_t = 100, value_name = "MS")]
    heartbeat_interval: u64,
    /// Milliseconds without a leader before an election; at least 5 heartbeats
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    election_timeout: u64,
    /// Applied entries between two times that the log is shortened
    #[arg(long, default_value_t = 10_000, value_name = "ENTRIES")]
    snapshot_count: u64,
    /// Time between two messages that tell a watcher that nothing has changed, if it asked for them
    #[arg(long, default_value = "10m", value_name = "DURATION", value_parser = parse_duration)]
    watch_progress_notify_interval: Duration,
    /// The old name of --watch-progress-notify-interval
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, hide = true,
        conflicts_with = "watch_progress_notify_interval")]
    experimental_watch_progress_notify_interval: Option<Duration>,
    /// Log entries that are kept for members that are behind
    #[arg(long, value_name = "ENTRIES")]
    snapshot_catchup_entries: Option<u64>,
    /// The old name of --snapshot-catchup-entries
    #[arg(long, value_name = "ENTRIES")]
    experimental_snapshot_catchup_entries: Option<u64>,
    /// debug, info, warn, error, panic or fatal
    #[arg(long, default_value = "info", value_parser = PossibleValuesParser::new(
        ["debug", "info", "warn", "error", "panic", "fatal"]))]
    log_level: String,
    /// text (also called console) or json
    #[arg(long, value_parser = PossibleValuesParser::new(["text", "console", "json"]))]
    log_format: Option<String>,
    /// The same as --log-format; zap is accepted for etcd's scripts
    #[arg(long, default_value = "zap",
        value_parser = PossibleValuesParser::new(["zap", "text", "json"]))]
    logger: String,
    /// Print the version and leave
    #[arg(long)]
    version: bool,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Task {
    /// Print this and leave.
    Print(String),
    /// Be a member.
    Serve(Box<Config>),
}

/// Everything a member needs to know to start.
#[derive(Debug)]
pub struct Config {
    /// Its human name.
    pub name: String,
    /// Where its data is.
    pub data_dir: PathBuf,
    /// Where clients reach it.
    pub listen_client: Vec<Url>,
    /// What clients are told.
    pub advertise_client: Vec<Url>,
    /// Where members reach it.
    pub listen_peer: Vec<Url>,
    /// What members are told.
    pub advertise_peer: Vec<Url>,
    /// The founding members by name, with their URLs.
    pub founders: BTreeMap<String, Vec<Url>>,
    /// Whether `founders` was said and not guessed.
    pub founders_given: bool,
    /// Whether a cluster may be founded.
    pub may_found: bool,
    /// The cluster's token.
    pub token: String,
    /// Time between heartbeats.
    pub heartbeat: Ticks,
    /// Time without leader before an election.
    pub election: Ticks,
    /// Entries between two times that the log is shortened.
    pub snapshot_count: u64,
    /// Time between two progress messages to a watcher.
    pub watch_progress: Ticks,
    /// Entries that the log keeps for members that are behind.
    pub catchup_entries: u64,
    /// How the log looks.
    pub log_format: Format,
    /// What the log leaves out.
    pub log_level: LevelFilter,
}

/// Reads the command line and the environment.
pub fn read(line: &[OsString]) -> Result<Task, Misuse> {
    let arguments = flags::normalize(line, |name| std::env::var_os(name), &flag_names())?;
    let program = OsString::from("quorate");
    let flags = match Flags::try_parse_from(std::iter::once(program).chain(arguments)) {
        Ok(flags) => flags,
        Err(error) if !error.use_stderr() => return Ok(Task::Print(error.to_string())),
        Err(error) => return Err(flags::misuse(&error)),
    };
    if flags.version {
        return Ok(Task::Print(crate::serve::version::banner()));
    }
    check(flags).map(|config| Task::Serve(Box::new(config))).map_err(Misuse::new)
}

/// Names of `ETCD_` variables that no flag answers to.
pub fn unknown_variables() -> Vec<String> {
    flags::unknown_variables(&flag_names())
}

/// The flags that an environment variable can stand for.
fn flag_names() -> Vec<String> {
    let command = Flags::command();
    let long = command.get_arguments().filter_map(|argument| argument.get_long());
    long.filter(|name| *name != "version").map(str::to_owned).collect()
}

fn check(flags: Flags) -> Result<Config, String> {
    let (heartbeat, election) = (flags.heartbeat_interval, flags.election_timeout);
    check_times(heartbeat, election)?;
    if flags.listen_client_urls.is_some() && flags.advertise_client_urls.is_none() {
        return Err("--advertise-client-urls is required when --listen-client-urls is set \
                    explicitly"
            .to_owned());
    }
    let catchup_entries = catchup_entries(&flags)?;
    let advertise_peer = flags.initial_advertise_peer_urls;
    let founders_given = flags.initial_cluster.is_some();
    let founders = match &flags.initial_cluster {
        Some(text) => founders_of(text)?,
        None => BTreeMap::from([(flags.name.clone(), advertise_peer.clone())]),
    };
    Ok(Config {
        data_dir: flags.data_dir.unwrap_or_else(|| PathBuf::from(format!("{}.etcd", flags.name))),
        listen_client: flags.listen_client_urls.map_or_else(default_client_urls, Ok)?,
        advertise_client: flags.advertise_client_urls.map_or_else(default_client_urls, Ok)?,
        listen_peer: flags.listen_peer_urls,
        advertise_peer,
        founders,
        founders_given,
        may_found: flags.initial_cluster_state == "new",
        token: flags.initial_cluster_token,
        heartbeat: Ticks::from_millis(heartbeat),
        election: Ticks::from_millis(election),
        snapshot_count: flags.snapshot_count,
        watch_progress: progress(
            flags
                .experimental_watch_progress_notify_interval
                .unwrap_or(flags.watch_progress_notify_interval),
        ),
        catchup_entries,
        log_format: log_format(flags.log_format.as_deref(), &flags.logger),
        log_level: log_level(&flags.log_level),
        name: flags.name,
    })
}

/// The kept tail of the log, by either of its names.
fn catchup_entries(flags: &Flags) -> Result<u64, String> {
    match (flags.snapshot_catchup_entries, flags.experimental_snapshot_catchup_entries) {
        (Some(_), Some(_)) => Err("cannot set --experimental-snapshot-catchup-entries and \
                                   --snapshot-catchup-entries at the same time, please use \
                                   --snapshot-catchup-entries only"
            .to_owned()),
        (new, old) => Ok(new.or(old).unwrap_or(CATCHUP_ENTRIES)),
    }
}

fn check_times(heartbeat: u64, election: u64) -> Result<(), String> {
    if heartbeat == 0 {
        return Err("--heartbeat-interval must be >0 (set to 0ms)".to_owned());
    }
    if election < heartbeat.saturating_mul(5) {
        return Err(format!(
            "--election-timeout[{election}ms] should be at least as 5 times as \
             --heartbeat-interval[{heartbeat}ms]"
        ));
    }
    if election > 50_000 {
        return Err(format!(
            "--election-timeout[{election}ms] is too long, and should be set less than 50000ms"
        ));
    }
    Ok(())
}

/// No more often than every 100 ms.
fn progress(interval: Duration) -> Ticks {
    let interval = interval.max(Duration::from_millis(100));
    Ticks::from_millis(u64::try_from(interval.as_millis()).unwrap_or(u64::MAX / 2))
}

fn founders_of(text: &str) -> Result<BTreeMap<String, Vec<Url>>, String> {
    let mut founders: BTreeMap<String, Vec<Url>> = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((name, url)) = pair.split_once('=') else {
            return Err(format!("--initial-cluster: \"{pair}\" is not of the form name=url"));
        };
        let url: Url = url.parse().map_err(|error| format!("--initial-cluster: {error}"))?;
        if let Some(taken) = owner(&founders, &url) {
            return Err(format!("--initial-cluster: {url} is listed for {taken} and for {name}"));
        }
        founders.entry(name.to_owned()).or_default().push(url);
    }
    Ok(founders)
}

fn owner<'a>(founders: &'a BTreeMap<String, Vec<Url>>, url: &Url) -> Option<&'a str> {
    let mut with = founders.iter().filter(|(_, urls)| urls.contains(url));
    with.next().map(|(name, _)| name.as_str())
}

impl Config {
    /// Whether the founding members include this one, under exactly its own URLs (BO-2). It only
    /// matters when a cluster is founded: an existing member reads all of this from its disk.
    pub fn check_founders(&self) -> Result<(), String> {
        let Some(listed) = self.founders.get(&self.name) else {
            return Err(format!(
                "couldn't find local name \"{}\" in the initial cluster configuration; \
                 --initial-cluster names {}",
                self.name,
                self.founders.keys().cloned().collect::<Vec<_>>().join(", ")
            ));
        };
        if same_places(listed, &self.advertise_peer) {
            return Ok(());
        }
        Err(format!(
            "--initial-cluster has {} for member {}, but --initial-advertise-peer-urls is {}; the \
             two must be the same",
            texts(listed).join(","),
            self.name,
            texts(&self.advertise_peer).join(","),
        ))
    }
}

/// URLs as they were written.
pub fn texts(urls: &[Url]) -> Vec<String> {
    urls.iter().map(Url::to_string).collect()
}

fn default_client_urls() -> Result<Vec<Url>, String> {
    DEFAULT_CLIENT_URL.parse().map(|url| vec![url])
}

fn log_format(format: Option<&str>, logger: &str) -> Format {
    if format.unwrap_or(logger) == "json" { Format::Json } else { Format::Text }
}

fn log_level(name: &str) -> LevelFilter {
    match name {
        "debug" => LevelFilter::DEBUG,
        "warn" => LevelFilter::WARN,
        "error" => LevelFilter::ERROR,
        "panic" | "fatal" => LevelFilter::OFF,
        _ => LevelFilter::INFO,
    }
}
