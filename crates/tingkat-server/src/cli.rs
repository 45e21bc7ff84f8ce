//! The command line.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The caching tier of an online store.
#[derive(Debug, Parser)]
#[command(name = "tingkat", version, about, long_about = None, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) log: Log,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How the program logs.
#[derive(Debug, Args)]
pub(crate) struct Log {
    /// What is logged: a level, or directives such as `info,tingkat_redis=debug`
    #[arg(
        long,
        global = true,
        env = "TINGKAT__LOG__LEVEL",
        default_value = "info",
        value_name = "LEVEL"
    )]
    pub(crate) log_level: String,
    /// How a line of the log looks
    #[arg(
        long,
        global = true,
        env = "TINGKAT__LOG__FORMAT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub(crate) log_format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answer look-ups over HTTP
    #[command(after_help = SERVE_HELP)]
    Serve(Serve),
    /// Prepare a database
    #[command(subcommand)]
    Schema(Schema),
}

const SERVE_HELP: &str = "\
Without any configuration it listens on 127.0.0.1:8080, keeps the demo store in ./tingkat.db and
joins a Redis on localhost if one answers. Secrets are read from the environment, never from flags:

  DATABASE_URL       postgres://user:password@host/database, or sqlite:path   [sqlite:tingkat.db]
  REDIS_URL          redis://… or rediss://…, or `off`                        [redis://127.0.0.1:6379]
  REDIS_KEY_PREFIX   what every key in Redis begins with                      [tingkat:dev:<id>:]
  PORT               the port to listen on, unless --listen names it          [8080]
  TINGKAT_ENV        development, staging or production                       [development]

  TINGKAT__REDIS__BUDGET         what one request may spend on Redis          [50ms]
  TINGKAT__SERVER__TOKENS        who may write: write:<SHA-256 of a token in hexadecimal>, …
  TINGKAT__FEED__POLL_INTERVAL   how often the change log is asked            [100ms]
  TINGKAT__FEED__STALENESS_BOUND no answer is older; over twice the interval  [1s]
  TINGKAT__FEED__CHECK_INTERVAL  how often it is checked that the log is whole [1m]";

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen
    #[arg(long, env = "TINGKAT__SERVER__LISTEN", value_name = "ADDRESS:PORT")]
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
