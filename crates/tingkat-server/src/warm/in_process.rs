//! Into Redis, without a node: for a job that runs before nodes start.

use std::sync::Arc;
use std::time::Duration;

use tingkat::Mode;
use tingkat::ports::Remote;
use tingkat::warm::{Plan, PlanEntity, Report, Warmer, ordered};
use tokio_util::sync::CancellationToken;

use super::begin::{Begun, Start};

use super::told::Progress;
use super::{Accesses, Orders, listed};
use crate::cli::Warm;
use crate::config::{Config, Loaded};
use crate::exit::{Code, Failure};
use crate::logging;
use crate::serve::Parts;
use crate::signals::Interrupts;

/// Keys of each entity that are compared with the database.
const CHECKED: usize = 100;

/// Redis gets so long to be there.
const REDIS_PATIENCE: Duration = Duration::from_secs(5);

/// Warms Redis from the database of the configuration.
pub(super) async fn warm(
    arguments: &Warm,
    loaded: Loaded,
    progress: &Progress,
    interrupts: &Interrupts,
) -> Result<Report, Failure> {
    let settings = loaded.into_settings()?;
    logging::start(&settings);
    let config = Config::build(settings)?;
    let limits = config.warm.limits(arguments);
    let start = Start::now(Some(limits.timeout), interrupts);
    // Nothing is lost when one of these is left where it is.
    let (parts, prefix) = match start.with(Parts::assemble(&config, false)).await? {
        Begun::Well(assembled) => assembled,
        Begun::Ended(report) => return Ok(report),
    };
    let outcome = with_parts(arguments, &config, &parts, &prefix, (progress, &start)).await;
    parts.close().await;
    outcome
}

async fn with_parts(
    arguments: &Warm,
    config: &Config,
    parts: &Parts,
    prefix: &str,
    (progress, start): (&Progress, &Start<'_>),
) -> Result<Report, Failure> {
    let entities = match start.with(wanted(arguments, config, parts, prefix)).await? {
        Begun::Well(entities) => entities,
        Begun::Ended(report) => return Ok(report),
    };
    let mut limits = config.warm.limits(arguments);
    limits.timeout = start.left().unwrap_or(limits.timeout);
    let plan = Plan {
        entities,
        limits,
        check: if arguments.validate { CHECKED } else { 0 },
        dry_run: arguments.dry_run,
        only_remote: true,
    };
    let (stop, warmer) = (CancellationToken::new(), Warmer::new(&parts.node));
    let tell = |report: &Report| progress.tell(report);
    let mut run = std::pin::pin!(warmer.run(plan, &stop, tell));
    let interrupts = start.interrupts();
    tokio::select! {
        report = &mut run => return Ok(start.whole(report)),
        () = interrupts.first() => stop.cancel(),
    }
    tokio::select! {
        report = &mut run => Ok(start.whole(report)),
        () = interrupts.second() => Err(Failure::new(Code::Interrupted, "stopped at once")),
    }
}

/// What is to be warmed, once it is known that it can be.
async fn wanted(
    arguments: &Warm,
    config: &Config,
    parts: &Parts,
    prefix: &str,
) -> Result<Vec<PlanEntity>, Failure> {
    if parts.database.ends_with_us() && !arguments.dry_run {
        let line = "no other process has the database file open, and what is warmed now is believed \
                    by nobody after this command: start the node, and name it by --url, or set \
                    warm.on_start";
        return Err(Failure::new(Code::Usage, line));
    }
    let remote = usable_redis(parts).await?;
    let accesses = Arc::new(Accesses::new(config.warm.accesses));
    accesses.read(&parts.node, &*remote, prefix).await;
    let orders = Orders::new(Arc::new(parts.database.clone()), accesses);
    entities(arguments, config, parts, &orders).await
}

/// Redis, once it can be used.
async fn usable_redis(parts: &Parts) -> Result<Arc<dyn Remote>, Failure> {
    let Some(redis) = parts.redis.clone() else {
        let line = "redis is off, and without it nothing outlives this command; \
                    name a node that runs by --url";
        return Err(Failure::new(Code::Usage, line));
    };
    let mut state = redis.state();
    let usable = state.wait_for(tingkat_redis::State::is_usable);
    let came = tokio::time::timeout(REDIS_PATIENCE, usable).await;
    if !matches!(came, Ok(Ok(_))) {
        let state = redis.state().borrow().clone();
        let why = state.trouble().unwrap_or("it does not answer");
        return Err(Failure::new(
            Code::Unreachable,
            format!("failed to reach redis: {why}"),
        ));
    }
    drop(came);
    Ok(redis)
}

/// What is to be warmed.
async fn entities(
    arguments: &Warm,
    config: &Config,
    parts: &Parts,
    orders: &Orders,
) -> Result<Vec<PlanEntity>, Failure> {
    let caches = parts.node.registry().all();
    let known: Vec<&'static str> = caches.iter().map(|cache| cache.name()).collect();
    if let Some(odd) = arguments
        .entities
        .iter()
        .find(|it| !known.contains(&it.as_str()))
    {
        let known = known.join(", ");
        let line = format!("--entity {odd}: there is no such entity; there are {known}");
        return Err(Failure::new(Code::Usage, line));
    }
    let named = arguments.entities.clone();
    let is_entity = move |name: &str| {
        let is_wanted = named.is_empty() || named.iter().any(|it| it == name);
        is_wanted && known.contains(&name)
    };
    let top = arguments.top.unwrap_or(config.warm.top);
    if let Some(listed) = listed::given(arguments, top, is_entity).await? {
        let named = listed.into_iter().map(|(entity, keys)| PlanEntity {
            entity,
            keys,
            ..PlanEntity::default()
        });
        return Ok(named.collect());
    }
    let wanted = caches.iter().filter(|cache| {
        // What Redis does not keep has no place here, unless somebody insists.
        let is_named = arguments.entities.iter().any(|it| it == cache.name());
        let is_kept = cache.mode() == Mode::Cache && cache.policy().placement.in_remote();
        is_named || (arguments.entities.is_empty() && is_kept)
    });
    let wanted = wanted.map(|cache| cache.name().to_owned());
    Ok(ordered(orders, wanted, top).await)
}
