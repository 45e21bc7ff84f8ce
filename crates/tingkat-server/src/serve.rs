//! `tingkat serve`: puts the parts together, answers, and stops in order.

mod favourites;
mod guard;
mod probe;
mod reload;
mod report;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tingkat::Node;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock;
use tingkat_health::Observed;
use tingkat_http::{App, Changes, Keeps, Limits, Scope, Tokens};
use tingkat_redis::Redis;
use tingkat_shop::{Documents, ProductWrites, Shop};
use tingkat_sql::Database;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::Serve;
use crate::config::{Config, Policies};
use crate::exit::{Code, Failure};

/// Loads under way when the last request has been answered get this long to end.
const LOADS_DEADLINE: Duration = Duration::from_secs(5);

/// Signals that follow the first one this closely say the same.
const SAME_WISH: Duration = Duration::from_millis(200);

pub(crate) use reload::Reload;

/// Runs until a signal; ends well when all requests were answered.
pub(crate) async fn run(arguments: &Serve, config: Config, reload: Reload) -> Result<(), Failure> {
    let (mut signals, hangup) = (Signals::new()?, handler(SignalKind::hangup())?);
    // First of all, so that a busy port stops the start before anything is created.
    let listener = listen(&config).await?;
    let database = Database::open(&config.source, &config.database).await?;
    let database = guard::first_look(database, arguments.allow_uncoherent).await?;
    let prefix = config
        .key_prefix
        .clone()
        .unwrap_or_else(|| default_prefix(&database, &config));

    let (shutdown, limits, tokens) = (CancellationToken::new(), config.limits, tokens(&config));
    let parts = Parts::new(&config, database, &prefix);
    let (refused, mut refusal) = oneshot::channel();
    let (policies, changed) = watch::channel(config.policies.clone());
    let observed = parts.watch(&config, changed, refused, shutdown.clone());
    report::started(&listener, &config, &prefix);
    let reloader = reload::Reloader {
        reload,
        started: config.settings,
        tokens: tokens.clone(),
        tls: config.tls.clone(),
        policies,
    };
    parts.tasks.spawn(reloader.listen(hangup, shutdown.clone()));

    let mut app = parts.app(tokens, &observed, limits, shutdown.clone());
    app.keeps = config.keeps;
    let (router, stop) = (tingkat_http::router(app), shutdown.clone());
    let serving = async {
        match config.tls {
            Some(tls) => tingkat_http::serve_tls(listener, tls, router, limits, stop).await,
            None => tingkat_http::serve(listener, router, limits, stop).await,
        }
    };
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
    tokio::select! {
        biased;
        () = parts.close() => tracing::info!("stopped"),
        () = &mut stopping => {}
    }
    refusal.try_recv().map_or(Ok(()), Err)
}

/// What is put together, and taken apart in order.
struct Parts {
    clock: Arc<dyn Clock>,
    database: Database,
    redis: Option<Arc<Redis>>,
    node: Node,
    shop: Shop,
    documents: Documents,
    changes: Arc<Changes>,
    tasks: TaskTracker,
}

impl Parts {
    fn new(config: &Config, database: Database, prefix: &str) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let redis = config.redis.clone().map(|settings| {
            let mut settings = settings.under(prefix);
            // One node of a cluster that is silent is to be noticed before the request gives up.
            settings.response_timeout = config.redis_budget * 4 / 5;
            Arc::new(Redis::start(settings, Arc::clone(&clock)))
        });
        let changes = Arc::new(Changes::new(config.limits.streams));
        let heard = Arc::clone(&changes);
        let mut node = Node::builder()
            .prefix(prefix)
            .clock(Arc::clone(&clock))
            .poll_interval(config.feed.poll_interval)
            .staleness_bound(config.feed.staleness_bound)
            .remote_budget(config.redis_budget)
            .on_event(report::event)
            .on_event(move |event| heard.hear(event));
        if let Some(redis) = &redis {
            node = node
                .remote(Arc::<Redis>::clone(redis))
                .breaker(config.breaker.clone());
        }
        if let Some(log) = database.change_log() {
            node = node.change_log(log);
        }
        #[cfg(feature = "broken-rules")]
        if let Some(rule) = config.switched_off {
            node = node.switch_off(rule);
        }
        let node = node.build();
        let policy = |entity: &str| config.policies.policy(entity).cloned();
        let privacy = &config.privacy;
        let on_private = |entity: &str| privacy.on_private(entity);
        let sources = database.sources();
        let shop = Shop::with_policies(&node, sources, policy, &privacy.names, on_private);
        let documents = Documents::new(&node, database.documents(), policy, &privacy.names);
        for cache in node.registry().all() {
            config.policies.set_mode(&*cache);
        }
        Self {
            shop,
            documents,
            clock,
            database,
            redis,
            node,
            changes,
            tasks: TaskTracker::new(),
        }
    }

    /// Begins to look after the neighbours.
    fn watch(
        &self,
        config: &Config,
        policies: watch::Receiver<Policies>,
        refused: oneshot::Sender<Failure>,
        stop: CancellationToken,
    ) -> Arc<watch::Sender<Observed>> {
        let neighbours = probe::Neighbours {
            database: self.database.clone(),
            redis: self.redis.clone(),
            node: self.node.clone(),
            clock: Arc::clone(&self.clock),
        };
        let observed = neighbours.watch(&self.tasks, stop.clone());
        let (waived, privacy) = (config.waived.clone(), config.privacy.withheld.clone());
        observed.send_modify(|observed| {
            observed.waived = waived;
            observed.privacy = privacy;
        });
        let favourites = favourites::Favourites {
            database: self.database.clone(),
            node: self.node.clone(),
            clock: Arc::clone(&self.clock),
            keep: config.popularity.keep,
            every: config.popularity.refresh,
            stop: stop.clone(),
        };
        self.tasks.spawn(favourites.keep());
        let guard = guard::Guard {
            database: self.database.clone(),
            node: self.node.clone(),
            clock: Arc::clone(&self.clock),
            observed: Arc::clone(&observed),
            policies,
            interval: config.feed.check_interval,
            refused,
            stop,
        };
        self.tasks.spawn(guard.watch());
        observed
    }

    fn app(
        &self,
        tokens: Tokens,
        observed: &watch::Sender<Observed>,
        limits: Limits,
        shutdown: CancellationToken,
    ) -> App {
        let products = &self.shop.products;
        let writer = self.database.product_writer();
        App {
            writes: Some(ProductWrites::new(&self.node, products, writer)),
            shop: self.shop.clone(),
            documents: self.documents.clone(),
            node: self.node.clone(),
            tokens,
            changes: Arc::clone(&self.changes),
            clock: Arc::clone(&self.clock),
            readiness: observed.subscribe(),
            keeps: Keeps::default(),
            limits,
            shutdown,
        }
    }

    async fn close(&self) {
        self.node.shut_down(LOADS_DEADLINE).await;
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(redis) = &self.redis {
            redis.close().await;
        }
        self.database.close().await;
    }
}

/// Who may write. A developer without tokens gets one for this run, on standard output and not in
/// the log.
#[expect(clippy::print_stdout, reason = "a secret does not belong into the log")]
fn tokens(config: &Config) -> Tokens {
    if !config.tokens.is_empty() || !config.is_development {
        return config.tokens.clone();
    }
    let token = format!("{:032x}", rand::random::<u128>());
    println!("token for writes, of this run alone: {token}");
    Tokens::default()
        .with(Scope::Write, &token)
        .with(Scope::Operate, &token)
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

fn handler(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::unexpected(format!("failed to handle signals: {error}")))
}

/// SIGTERM and Ctrl-C.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
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
