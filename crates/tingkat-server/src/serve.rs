//! `tingkat serve`: puts the parts together, answers, and stops in order.

mod probe;
mod report;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tingkat::Node;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock;
use tingkat_http::{App, Limits};
use tingkat_redis::Redis;
use tingkat_shop::Shop;
use tingkat_sql::Database;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::Serve;
use crate::config::Config;
use crate::exit::{Code, Failure};

/// Loads under way when the last request has been answered get this long to end.
const LOADS_DEADLINE: Duration = Duration::from_secs(5);

/// Signals that follow the first one this closely say the same.
const SAME_WISH: Duration = Duration::from_millis(200);

/// Runs until a signal; ends well when all requests were answered.
pub(crate) async fn run(arguments: &Serve) -> Result<(), Failure> {
    let config = Config::load(arguments)?;
    let mut signals = Signals::new()?;
    // First of all, so that a busy port stops the start before anything is created.
    let listener = listen(&config).await?;
    let database = Database::open(&config.source, &tingkat_sql::Config::default()).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let prefix = config
        .key_prefix
        .clone()
        .unwrap_or_else(|| default_prefix(&database, &config));
    let redis = config.redis.as_ref().map(|address| {
        let settings = tingkat_redis::Config::new(address.clone(), &prefix);
        Arc::new(Redis::start(settings, Arc::clone(&clock)))
    });
    let node = node(&prefix, &clock, redis.as_ref());
    let shop = Shop::new(&node, database.sources());

    let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
    let neighbours = probe::Neighbours {
        database: database.clone(),
        redis: redis.clone(),
        clock: Arc::clone(&clock),
    };
    let readiness = neighbours.watch(&tasks, shutdown.clone());
    report::started(&listener, &config, &prefix);

    let limits = Limits::default();
    let app = App {
        shop,
        clock,
        readiness,
        limits,
    };
    let serving = tingkat_http::serve(
        listener,
        tingkat_http::router(app),
        limits,
        shutdown.clone(),
    );
    let stopping = async {
        signals.first().await;
        tracing::info!("stopping: no new connections; requests under way are finished");
        shutdown.cancel();
        // Some supervisors signal a process and then its group: that is one wish, told twice.
        let _ = tokio::time::timeout(SAME_WISH, signals.all()).await;
        signals.first().await;
        tracing::warn!("stopping at once");
    };
    let mut serving = std::pin::pin!(serving);
    let mut stopping = std::pin::pin!(stopping);
    tokio::select! {
        biased;
        () = &mut serving => {}
        // The second signal does not wait for anybody.
        () = &mut stopping => return Ok(()),
    }
    let last = async {
        node.shut_down(LOADS_DEADLINE).await;
        tasks.close();
        tasks.wait().await;
        if let Some(redis) = redis {
            redis.close().await;
        }
        database.close().await;
    };
    tokio::select! {
        biased;
        () = last => tracing::info!("stopped"),
        () = &mut stopping => {}
    }
    Ok(())
}

fn node(prefix: &str, clock: &Arc<dyn Clock>, redis: Option<&Arc<Redis>>) -> Node {
    let mut builder = Node::builder()
        .prefix(prefix)
        .clock(Arc::clone(clock))
        .on_event(report::event);
    if let Some(redis) = redis {
        builder = builder.remote(Arc::<Redis>::clone(redis));
    }
    builder.build()
}

async fn listen(config: &Config) -> Result<TcpListener, Failure> {
    TcpListener::bind(config.listen).await.map_err(|error| {
        let remedy = if error.kind() == ErrorKind::AddrInUse {
            "; another program listens there: choose a port with --listen or PORT"
        } else if error.kind() == ErrorKind::PermissionDenied {
            "; ports below 1024 need a right that this user has not"
        } else {
            ""
        };
        Failure::new(
            Code::Configuration,
            format!("failed to listen on {}: {error}{remedy}", config.listen),
        )
    })
}

/// Stores of one developer that share a Redis must not see each other's keys.
fn default_prefix(database: &Database, config: &Config) -> String {
    let id = match database.file_id() {
        Some(id) => id.short(),
        None => tingkat::key::fingerprint(&config.source.to_string()),
    };
    format!("tingkat:dev:{id}:")
}

/// SIGTERM and Ctrl-C.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let handler = |kind| {
            signal(kind)
                .map_err(|error| Failure::unexpected(format!("failed to handle signals: {error}")))
        };
        Ok(Self {
            terminate: handler(SignalKind::terminate())?,
            interrupt: handler(SignalKind::interrupt())?,
        })
    }

    /// Takes in signals for ever.
    async fn all(&mut self) {
        loop {
            self.first().await;
        }
    }

    async fn first(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
