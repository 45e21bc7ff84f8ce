//! Into Redis, without a node: for a job that runs before nodes start.

use std::sync::Arc;
use std::time::Duration;

use tingkat::Mode;
use tingkat::ports::Remote;
use tingkat::warm::{Plan, PlanEntity, Report, Warmer, ordered};
use tokio_util::sync::CancellationToken;

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
    let (parts, prefix) = Parts::assemble(&config, false).await?;
    let heard = (progress, interrupts);
    let outcome = with_parts(arguments, &config, &parts, &prefix, heard).await;
    parts.close().await;
    outcome
}

async fn with_parts(
    arguments: &Warm,
    config: &Config,
    parts: &Parts,
    prefix: &str,
    (progress, interrupts): (&Progress, &Interrupts),
) -> Result<Report, Failure> {
    let remote = usable_redis(parts).await?;
    let accesses = Arc::new(Accesses::new(config.warm.accesses));
    accesses.read(&parts.node, &*remote, prefix).await;
    let orders = Orders::new(Arc::new(parts.database.clone()), accesses);
    let plan = Plan {
        entities: entities(arguments, config, parts, &orders).await?,
        limits: config.warm.limits(arguments),
        check: if arguments.validate { CHECKED } else { 0 },
        dry_run: arguments.dry_run,
        only_remote: true,
    };
    let (stop, warmer) = (CancellationToken::new(), Warmer::new(&parts.node));
    let tell = |report: &Report| progress.tell(report);
    let mut run = std::pin::pin!(warmer.run(plan, &stop, tell));
    tokio::select! {
        report = &mut run => return Ok(report),
        () = interrupts.first() => stop.cancel(),
    }
    tokio::select! {
        report = &mut run => Ok(report),
        () = interrupts.second() => Err(Failure::new(Code::Interrupted, "stopped at once")),
    }
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
    let known: Vec<&str> = caches.iter().map(|cache| cache.name()).collect();
    if let Some(odd) = arguments
        .entities
        .iter()
        .find(|it| !known.contains(&it.as_str()))
    {
        let known = known.join(", ");
        let line = format!("--entity {odd}: there is no such entity; there are {known}");
        return Err(Failure::new(Code::Usage, line));
    }
    let is_entity = |name: &str| {
        let is_wanted =
            arguments.entities.is_empty() || arguments.entities.iter().any(|it| it == name);
        is_wanted && known.contains(&name)
    };
    let top = arguments.top.unwrap_or(config.warm.top);
    if let Some(listed) = listed::given(arguments, top, is_entity)? {
        let named = listed.into_iter().map(|(entity, keys)| PlanEntity {
            entity,
            keys,
            has_no_order: false,
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
