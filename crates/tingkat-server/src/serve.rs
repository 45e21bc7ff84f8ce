//! `tingkat serve`: puts the parts together, answers, and stops in order.

mod doors;
mod favourites;
mod guard;
mod health;
#[cfg(feature = "broken-rules")]
mod panicking;
mod probe;
mod reload;
mod report;
mod scratch;
mod signals;
mod socket;
mod supervisor;
mod warm;

#[cfg(test)]
mod bugs;

use std::sync::Arc;
use std::time::Duration;

use tingkat::Node;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock;
use tingkat_health::{Observed, Report};
use tingkat_http::{App, Changes, Edge, Heartbeat, Keeps, Limits, Metrics, Scope, Tokens};
use tingkat_redis::Redis;
use tingkat_shop::{Documents, ProductWrites, Shop};
use tingkat_sql::Database;
use tokio::signal::unix::SignalKind;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::Serve;
use crate::config::{Config, Contents, Health, Policies, Secrets};
use crate::exit::Failure;
use crate::panics;
use crate::serve::warm::Stove;

/// Loads under way when the last request has been answered get this long to end.
const LOADS_DEADLINE: Duration = Duration::from_secs(5);

/// Those loads, all tasks and the connections to the neighbours together get this long: whoever stops
/// the process would kill it by and by.
const CLOSE_DEADLINE: Duration = Duration::from_secs(15);

use doors::Doors;
pub(crate) use reload::Reload;
pub(crate) use scratch::{Instance, coherent_as_it_is};
use signals::{Leave, Signals, handler};

/// Runs until a signal; ends well when all requests were answered.
pub(crate) async fn run(arguments: &Serve, config: Config, reload: Reload) -> Result<(), Failure> {
    let (mut signals, hangup) = (Signals::new()?, handler(SignalKind::hangup())?);
    // First of all, so that a busy port stops the start before anything is created.
    let doors = Doors::open(&config).await?;
    let (parts, prefix) = Parts::assemble(&config, arguments.allow_uncoherent).await?;
    let stove = parts.stove(&config, &prefix);

    let (shutdown, limits, tokens) = (CancellationToken::new(), config.limits, tokens(&config));
    let (refused, mut refusal) = oneshot::channel();
    let (policies, changed) = watch::channel(config.policies.clone());
    let (judged_by, judged) = watch::channel(config.health.clone());
    let observed = parts.watch(&config, changed, refused, shutdown.clone());
    let health = parts.look_after(&observed, judged, &prefix, shutdown.clone());
    stove.light(&parts.tasks, &observed, &shutdown);
    report::started(&doors, &config, &prefix);
    let reloader = reload::Reloader {
        reload,
        contents: Contents::of(&config.settings),
        started: config.settings,
        tokens: tokens.clone(),
        edge: config.edge.clone(),
        tls: config.tls.clone(),
        policies,
        health: judged_by,
    };
    parts.tasks.spawn(reloader.listen(hangup, shutdown.clone()));
    if let Some(tls) = &config.tls {
        let (tls, clock) = (tls.clone(), Arc::clone(&parts.clock));
        let reminding = report::remind(tls, clock, shutdown.clone());
        parts.tasks.spawn(reminding);
    }

    let leave = Leave {
        clock: Arc::clone(&parts.clock),
        observed: Arc::clone(&observed),
        delay: config.shutdown_delay,
        shutdown: shutdown.clone(),
    };
    let (edge, stop) = (config.edge, shutdown.clone());
    let mut app = parts.app(tokens, &observed, limits, edge, &stove, stop);
    app.keeps = config.keeps;
    app.health = health;
    let mut serving = std::pin::pin!(doors.serve(app, config.tls, shutdown.clone()));
    let mut stopping = std::pin::pin!(signals.twice(leave));
    supervisor::ready();
    tokio::select! {
        biased;
        () = &mut serving => {}
        // The second signal does not wait for anybody.
        () = &mut stopping => return Ok(()),
    }
    tokio::select! {
        biased;
        closed = tokio::time::timeout(CLOSE_DEADLINE, parts.stop(&stove)) => {
            if closed.is_ok() {
                tracing::info!("stopped");
            } else {
                let seconds = CLOSE_DEADLINE.as_secs();
                tracing::warn!("not everything was closed within {seconds} s, the rest is cut");
            }
        }
        () = &mut stopping => {}
    }
    refusal.try_recv().map_or(Ok(()), Err)
}

/// What is put together, and taken apart in order.
pub(crate) struct Parts {
    clock: Arc<dyn Clock>,
    pub(crate) database: Database,
    pub(crate) redis: Option<Arc<Redis>>,
    pub(crate) node: Node,
    pub(crate) shop: Shop,
    documents: Documents,
    changes: Arc<Changes>,
    metrics: Metrics,
    heartbeat: Heartbeat,
    /// What health counts by events.
    counts: Arc<health::Counts>,
    tasks: TaskTracker,
}

impl Parts {
    /// All that is configured, and what its keys in Redis begin with.
    pub(crate) async fn assemble(
        config: &Config,
        may_be_uncoherent: bool,
    ) -> Result<(Self, String), Failure> {
        let database = Database::open(&config.source, &config.database).await?;
        let database = guard::first_look(database, may_be_uncoherent).await?;
        let prefix = config.key_prefix.clone();
        let prefix = prefix.unwrap_or_else(|| default_prefix(&database, config));
        Ok((Self::new(config, database, &prefix), prefix))
    }

    fn new(config: &Config, database: Database, prefix: &str) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let redis = config.redis.clone().map(|settings| {
            let mut settings = settings.under(prefix);
            if let Some(channel) = &config.hint_channel {
                channel.clone_into(&mut settings.hint_channel);
            }
            // One node of a cluster that is silent is to be noticed before the request gives up.
            settings.response_timeout = config.redis_budget * 4 / 5;
            Arc::new(Redis::start(settings, Arc::clone(&clock)))
        });
        let changes = Arc::new(Changes::new(config.limits.streams));
        let heard = Arc::clone(&changes);
        let metrics = Metrics::new(Arc::clone(&clock));
        let counted = metrics.clone();
        let counts = Arc::new(health::Counts::new(Arc::clone(&clock)));
        let judged = Arc::clone(&counts);
        let mut node = Node::builder()
            .prefix(prefix)
            .clock(Arc::clone(&clock))
            .poll_interval(config.feed.poll_interval)
            .staleness_bound(config.feed.staleness_bound)
            .remote_budget(config.redis_budget)
            .track_accesses(config.warm.accesses)
            .on_event(report::event)
            .on_event(move |event| counted.hear(event))
            .on_event(move |event| heard.hear(event))
            .on_event(move |event| judged.hear(event));
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
        #[cfg(feature = "broken-rules")]
        let sources = panicking::can_panic(sources);
        let shop = Shop::with_policies(&node, sources, policy, &privacy.names, on_private);
        let documents = database.documents();
        let documents = Documents::new(&node, documents, policy, &privacy.names, on_private);
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
            metrics,
            heartbeat: Heartbeat::default(),
            counts,
            tasks: TaskTracker::new(),
        }
    }

    fn stove(&self, config: &Config, prefix: &str) -> Stove {
        let (redis, popularity) = (self.redis.clone(), Arc::new(self.database.clone()));
        Stove::new(
            &self.node,
            &self.clock,
            redis,
            prefix,
            &config.warm,
            popularity,
        )
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
        let required = config.required.clone();
        observed.send_modify(|observed| {
            observed.required = required;
            observed.waived = waived;
            observed.privacy = privacy;
        });
        self.live(&stop);
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
            compacts: config.feed.compacts,
            refused,
            stop,
        };
        self.tasks.spawn(guard.watch());
        observed
    }

    /// Begins to judge how all of it is.
    fn look_after(
        &self,
        observed: &watch::Sender<Observed>,
        judged_by: watch::Receiver<Health>,
        prefix: &str,
        stop: CancellationToken,
    ) -> watch::Receiver<Option<Arc<Report>>> {
        let (report, reports) = watch::channel(None);
        let looker = health::Looker {
            database: self.database.clone(),
            redis: self.redis.clone(),
            node: self.node.clone(),
            clock: Arc::clone(&self.clock),
            observed: observed.subscribe(),
            counts: Arc::clone(&self.counts),
            judged_by,
            prefix: prefix.to_owned(),
            report,
            stop,
        };
        self.tasks.spawn(looker.watch());
        reports
    }

    /// Keeps the heart beating, and tells whoever restarts the program that it does.
    fn live(&self, stop: &CancellationToken) {
        let beating = self.heartbeat.clone().keep(Arc::clone(&self.clock));
        let telling = supervisor::reassure(Arc::clone(&self.clock), self.heartbeat.clone());
        let stop = stop.clone();
        self.tasks.spawn(async move {
            let both = async { tokio::join!(beating, telling) };
            stop.run_until_cancelled(both).await;
        });
    }

    fn app(
        &self,
        tokens: Tokens,
        observed: &watch::Sender<Observed>,
        limits: Limits,
        edge: Edge,
        stove: &Stove,
        shutdown: CancellationToken,
    ) -> App {
        let products = &self.shop.products;
        let writer = self.database.product_writer();
        App {
            writes: Some(ProductWrites::new(&self.node, products, writer)),
            shop: self.shop.clone(),
            documents: self.documents.clone(),
            node: self.node.clone(),
            warming: stove.warming(),
            usual_warming: stove.wish(),
            tokens,
            changes: Arc::clone(&self.changes),
            metrics: self.metrics.clone(),
            heartbeat: self.heartbeat.clone(),
            clock: Arc::clone(&self.clock),
            readiness: observed.subscribe(),
            // Nobody has looked yet.
            health: watch::channel(None).1,
            keeps: Keeps::default(),
            limits,
            edge,
            shutdown,
        }
    }

    /// Stops what serves, and remembers what it had in memory.
    async fn stop(&self, stove: &Stove) {
        self.node.shut_down(LOADS_DEADLINE).await;
        stove.remember().await;
        self.close().await;
    }

    /// Lets go of everything, in order.
    pub(crate) async fn close(&self) {
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
    panics::keep(Secrets::default().and(&token.as_str().into()));
    println!("token for writes, of this run alone: {token}");
    Tokens::default()
        .with(Scope::Write, &token)
        .with(Scope::Operate, &token)
}

/// Stores of one developer that share a Redis must not see each other's keys.
pub(crate) fn default_prefix(database: &Database, config: &Config) -> String {
    let id = match database.file_id() {
        Some(id) => id.short(),
        None => tingkat::key::fingerprint(&config.source.to_string()),
    };
    format!("tingkat:dev:{id}:")
}
