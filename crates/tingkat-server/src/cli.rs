//! The command line.

pub(crate) mod bench;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use self::bench::Bench;
use crate::config::Flags;

/// The caching tier of an online store.
#[derive(Debug, Parser)]
#[command(name = "tingkat", version, about, long_about = None, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) layers: Layers,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is configured by flags, for every command.
#[derive(Debug, Args)]
pub(crate) struct Layers {
    /// The configuration file, instead of ./tingkat.toml or /etc/tingkat/tingkat.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What the service is tuned for: high-throughput, low-latency, resilient, memory-constrained
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) scenario: Option<String>,
    /// What is logged: a level, or directives such as `info,tingkat_redis=debug` [default: info]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// How a line of the log looks [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

impl Cli {
    /// What the flags configure.
    pub(crate) fn flags(&self) -> Flags {
        let mut set = Vec::new();
        let layers = &self.layers;
        let mut put = |flag, key, value: Option<String>| {
            set.extend(value.map(|value| (flag, key, value)));
        };
        put("--scenario", "scenario", layers.scenario.clone());
        put("--log-level", "log.level", layers.log_level.clone());
        let format = layers.log_format.map(|format| format.name().to_owned());
        put("--log-format", "log.format", format);
        if let Command::Serve(serve) = &self.command {
            let listen = serve.listen.map(|it| it.to_string());
            put("--listen", "server.listen", listen);
        }
        Flags {
            config: layers.config.clone(),
            set,
        }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl LogFormat {
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answer look-ups over HTTP
    #[command(after_help = SERVE_HELP)]
    Serve(Serve),
    /// Find out whether a service is to be restarted, or sent requests; exits with 5 if not
    #[command(after_help = HEALTHCHECK_HELP)]
    Healthcheck(Healthcheck),
    /// Find out whether an installation keeps its promises; exits with 3 if not
    #[command(after_help = VERIFY_HELP)]
    Verify(Verify),
    /// Prepare a database
    #[command(subcommand)]
    Schema(Schema),
    /// Forget keys, a pattern, tags or all, on every node
    #[command(after_help = FORGET_HELP)]
    Forget(Forget),
    /// Tell how the service, the cache and the data are, and what to do
    #[command(after_help = HEALTH_HELP)]
    Health(Health),
    /// Tell what the caches of a node did, or what its tiers have under a key
    #[command(after_help = INSPECT_HELP)]
    Inspect(Inspect),
    /// Load what customers are about to ask for, before they do
    #[command(after_help = WARM_HELP)]
    Warm(Warm),
    /// Measure how fast it is, tier by tier; exits with 6 if an objective is missed
    #[command(after_help = BENCH_HELP)]
    Bench(Box<Bench>),
    /// Look at the configuration, without starting anything
    #[command(subcommand)]
    Config(Config),
}

const BENCH_HELP: &str = "\
Examples:
  tingkat bench                          products, as customers read them, in this process
  tingkat bench --list                   what else there is
  tingkat bench flash-sale --rate 2000   2,000 operations a second, whatever the target does
  tingkat bench --url http://127.0.0.1:8080 --slo 'p99<10ms'
  tingkat bench --against redis --against database --runs 5 --html report.html

It uses the database and the Redis that are configured, or a demo store of its own, with a prefix of
its own in Redis that it cleans up. docs/bench.md says how to read the numbers.";

const SERVE_HELP: &str = "\
Without any configuration it listens on 127.0.0.1:8080, keeps the demo store in ./tingkat.db and
joins a Redis on localhost if one answers. Secrets are read from the environment, never from flags:

  DATABASE_URL       postgres://user:password@host/database, or sqlite:path   [sqlite:tingkat.db]
  REDIS_URL          redis://… or rediss://…, or `off`                        [redis://127.0.0.1:6379]
  REDIS_KEY_PREFIX   what every key in Redis begins with                      [tingkat:dev:<id>:]
  PORT               the port to listen on, unless --listen names it          [8080]
  TINGKAT_ENV        development, staging or production                       [development]

  TINGKAT__SERVER__TOKENS  who may do what: operate:<SHA-256 of a token in hexadecimal>,write:…

Each is read from a file as well, named by the variable with _FILE. Every key of the configuration
has a variable: `tingkat config explain KEY` names it, `tingkat config init` prints them all.";

const WARM_HELP: &str = "\
Examples:
  tingkat warm                            what is popular, into Redis, before nodes start
  tingkat warm --top 500 --entity product 500 products
  tingkat warm --url http://10.0.0.7:8080 into the memory of a node that runs, and into Redis
  tingkat warm --from-file keys.txt       lines such as `product 7`; with one --entity, keys alone
  tingkat warm --from-access-log access.log  what was asked for most, by the log of any web server
  tingkat warm --dry-run                  what would be loaded

Without --url it needs Redis, and loads into Redis alone. With it, the token is read from
TINGKAT_TOKEN, or from the file that TINGKAT_TOKEN_FILE names; it needs the scope `operate`.

What is warm already is not loaded again, so that a run which was stopped goes on where it was.
Exit codes: 0 all is warm, 3 not all is, 130 stopped by Ctrl-C; what was done is told in any case.";

const FORGET_HELP: &str = "\
Examples:
  tingkat forget product 7 8              two products
  tingkat forget postcode --pattern '50*' the postcodes that begin so
  tingkat forget --tag state:SGR          all that shows a state; also zone:east, region:50,
                                          city:Klang, category:c7
  tingkat forget product --all --yes      every product
  tingkat forget --all --yes              everything

The token is read from TINGKAT_TOKEN, or from the file that TINGKAT_TOKEN_FILE names; it needs the
scope `operate`. What a node forgets every node forgets, through the change log.";

const HEALTH_HELP: &str = "\
Exits with 0 whatever the health is, or with 4 where something is not as it should be and --strict is
given, and with 5 where the service does not answer. docs/health.md explains each check.

Where look-ups need a token, it is read from TINGKAT_TOKEN, or from the file that
TINGKAT_TOKEN_FILE names.";

const INSPECT_HELP: &str = "\
Examples:
  tingkat inspect               what each cache did since the node started
  tingkat inspect product       one cache, with its policy and its counters
  tingkat inspect product 7     what memory and Redis have under a key, and whether it would be served

Where look-ups need a token, it is read from TINGKAT_TOKEN, or from the file that
TINGKAT_TOKEN_FILE names.";

const VERIFY_HELP: &str = "\
Examples:
  tingkat verify                            nodes are started from this configuration, and judged
  tingkat verify http://10.0.0.7:8080       a node that runs; several are judged together
  tingkat verify --read-only http://…       without writing anything
  tingkat verify --wait 60s http://…        a node that is about to start

The address is the one of server.admin_listen where there is one. The token is read from TINGKAT_TOKEN,
or from the file that TINGKAT_TOKEN_FILE names; it needs the scopes `operate` and `write`. If source.url
and redis.url are configured here, the database and Redis are read past the node.

Exit codes: 0 all passed · 3 something failed or was skipped · 5 no answer · 130 stopped";

const HEALTHCHECK_HELP: &str = "\
Examples:
  tingkat healthcheck                          the service that is configured here
  tingkat healthcheck --live                   whether it is to be restarted
  tingkat healthcheck http://127.0.0.1:8080    the one at an address
  tingkat healthcheck unix:/run/tingkat.sock   the one behind a socket

In an image: HEALTHCHECK CMD [\"/tingkat\", \"healthcheck\", \"--live\"]";

/// Arguments of `healthcheck`.
#[derive(Debug, Args)]
pub(crate) struct Healthcheck {
    /// Where it is, as `http://host:port` or `unix:path` [default: where this configuration listens]
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Ask /livez, whether it is alive, and not /readyz, whether it takes requests
    #[arg(long)]
    pub(crate) live: bool,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Nodes that run, as `http://host:port` [default: nodes are started from this configuration]
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// Write nothing; what would have to is skipped
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Wait so long until the database answers and the nodes are ready
    #[arg(long, value_name = "TIME", value_parser = wait)]
    pub(crate) wait: Option<Duration>,
    /// Look for so long at most; what was not looked at by then is skipped
    #[arg(long, value_name = "TIME", value_parser = wait, default_value = "3m")]
    pub(crate) timeout: Duration,
    /// How much is told
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        conflicts_with = "json"
    )]
    pub(crate) format: VerifyFormat,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// How much `verify` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyFormat {
    /// Every check as it is made, and a summary
    #[default]
    Whole,
    /// What failed, a line each
    Short,
}

fn wait(text: &str) -> Result<Duration, String> {
    let hour = Duration::from_hours(1);
    let time = crate::config::time(text.trim()).filter(|time| *time <= hour);
    time.ok_or_else(|| "expected a time up to 1h, such as 60s or 2m".to_owned())
}

/// Arguments of `forget`.
#[derive(Debug, Args)]
pub(crate) struct Forget {
    /// The entity, as `tingkat inspect` names it
    #[arg(value_name = "ENTITY", required_unless_present_any = ["tags", "all"], conflicts_with = "tags")]
    pub(crate) entity: Option<String>,
    /// Its keys
    #[arg(value_name = "KEY", conflicts_with_all = ["pattern", "all"])]
    pub(crate) keys: Vec<String>,
    /// The keys that match, with `*` at either end
    #[arg(
        long,
        value_name = "PATTERN",
        requires = "entity",
        conflicts_with = "all"
    )]
    pub(crate) pattern: Option<String>,
    /// All that shows a tag; may be given again
    #[arg(long = "tag", value_name = "TAG", conflicts_with = "all")]
    pub(crate) tags: Vec<String>,
    /// All of the entity, or everything
    #[arg(long)]
    pub(crate) all: bool,
    /// Do not ask before all is forgotten
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) service: Service,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// Arguments of `health`.
#[derive(Debug, Args)]
pub(crate) struct Health {
    /// Where the service is, such as `http://127.0.0.1:8080` [default: where this configuration listens]
    #[arg(value_name = "URL", env = "TINGKAT_URL", hide_env_values = true)]
    pub(crate) url: Option<String>,
    /// Exit with 4 where something is not as it should be
    #[arg(long)]
    pub(crate) strict: bool,
    /// Tell every check, also those that are well
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

impl Health {
    /// Which service is meant.
    pub(crate) fn service(&self) -> Service {
        Service {
            url: self.url.clone(),
        }
    }
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The entity; without one, all of them
    #[arg(value_name = "ENTITY")]
    pub(crate) entity: Option<String>,
    /// A key of it
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) service: Service,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// Arguments of `warm`.
#[derive(Debug, Args)]
pub(crate) struct Warm {
    /// The entity, as `tingkat inspect` names it; may be given again. Without one, all of them
    #[arg(long = "entity", value_name = "ENTITY")]
    pub(crate) entities: Vec<String>,
    /// So many keys of each entity [default: warm.top]
    #[arg(long, value_name = "N", value_parser = top, allow_hyphen_values = true)]
    pub(crate) top: Option<usize>,
    /// The keys in a file instead, a line each; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["top", "from_access_log"])]
    pub(crate) from_file: Option<PathBuf>,
    /// The keys that requests in an access log ask for most; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "from_file")]
    pub(crate) from_access_log: Option<PathBuf>,
    /// Loads at a time, and never more than half of what an entity may have [default: warm.concurrency]
    #[arg(long, value_name = "N", value_parser = at_a_time, allow_hyphen_values = true)]
    pub(crate) concurrency: Option<usize>,
    /// Keys loaded in a second at most; 0 for any number [default: warm.rate]
    #[arg(long, value_name = "N", value_parser = rate, allow_hyphen_values = true)]
    pub(crate) rate: Option<u64>,
    /// How long it may take, such as 5m [default: warm.timeout]
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub(crate) timeout: Option<Duration>,
    /// Bytes loaded at most, such as 256MiB; 0 for any number [default: warm.bytes]
    #[arg(long, value_name = "SIZE", value_parser = bytes, allow_hyphen_values = true)]
    pub(crate) bytes: Option<u64>,
    /// Compare some of what is warm with the database afterwards
    #[arg(long)]
    pub(crate) validate: bool,
    /// Load nothing, and tell what is warm
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Tell no progress
    #[arg(long)]
    pub(crate) no_progress: bool,
    /// A node that runs, such as `http://127.0.0.1:8080`
    #[arg(long, value_name = "URL", env = "TINGKAT_URL", hide_env_values = true)]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) report: Report,
}

fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = text.trim().parse().ok();
    let number = number.filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("expected a number from {least} to {most}"))
}

fn top(text: &str) -> Result<usize, String> {
    number(text, 1, 1_000_000).map(|it| usize::try_from(it).unwrap_or(usize::MAX))
}

fn at_a_time(text: &str) -> Result<usize, String> {
    number(text, 1, 1_000).map(|it| usize::try_from(it).unwrap_or(usize::MAX))
}

fn rate(text: &str) -> Result<u64, String> {
    number(text, 0, 1_000_000_000)
}

fn bytes(text: &str) -> Result<u64, String> {
    let bytes = crate::config::size(text.trim());
    bytes.ok_or_else(|| "expected a size, such as 256MiB, or 0".to_owned())
}

fn time(text: &str) -> Result<Duration, String> {
    let day = Duration::from_hours(24);
    let time = crate::config::time(text.trim());
    let time = time.filter(|time| !time.is_zero() && *time <= day);
    time.ok_or_else(|| "expected a time up to 24h, such as 90s or 5m".to_owned())
}

/// Which service that runs is meant.
#[derive(Debug, Args)]
pub(crate) struct Service {
    /// Where it is, such as `http://127.0.0.1:8080` [default: where this configuration listens]
    #[arg(long, value_name = "URL", env = "TINGKAT_URL", hide_env_values = true)]
    pub(crate) url: Option<String>,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Serve although the database has no change log, or does not answer at the start
    ///
    /// Freshness is by time alone then: a price may be an hour old.
    #[arg(long)]
    pub(crate) allow_uncoherent: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Schema {
    /// Create the change log and its triggers in the database that `DATABASE_URL` names
    ///
    /// May be run again, and on a store in use: it takes one table at a time and waits for each lock
    /// two seconds at most.
    Install(Install),
    /// Remove the change log and its triggers
    Uninstall(Uninstall),
    /// Find out whether everything is there, and whether triggers report what entries depend on
    ///
    /// Changes one row of each table and undoes it, which needs a role that may write.
    Check(Report),
    /// Fold old changes now; `serve` does it every minute
    Compact(Report),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Tell everything that is wrong with it; exits with 78 if anything is
    Check(Report),
    /// Show every value; of secrets a fingerprint
    Show(Show),
    /// Print a file to begin with: every key, its default and what it is for
    Init(Report),
    /// Print the JSON Schema of the file, for editors
    Schema(Report),
    /// Tell what a key is for, what it takes, and what it is now
    Explain(Explain),
    /// Print the reference of all keys in Markdown
    #[command(hide = true)]
    Reference,
}

/// Arguments of `config show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Tell where each value came from
    #[arg(long)]
    pub(crate) origin: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// Arguments of `config explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The key, such as redis.budget
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// Arguments of `schema install`.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// Create and fill the demo store first; refuses when one of its tables exists
    #[arg(long)]
    pub(crate) demo: bool,
    /// Print the SQL, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// Arguments of `schema uninstall`.
#[derive(Debug, Args)]
pub(crate) struct Uninstall {
    /// Print the SQL, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) report: Report,
}

/// How a command tells its result.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Tell the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
