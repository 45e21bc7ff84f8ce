//! What an operator reads in the log: where everything is, and one line when something changes.

use tingkat::breaker::State as BreakerState;
use tingkat::event::Event;
use tingkat_health::Withheld;

use super::doors::Doors;
use crate::config::Config;

/// Where everything is.
pub(super) fn started(doors: &Doors, config: &Config, prefix: &str) {
    let places = doors.places(config.tls.is_some());
    for (whose, place) in &places {
        // The first is for everybody, and has no colon.
        if *whose == Doors::SHOPPERS {
            tracing::info!("{whose} {place}");
        } else {
            tracing::info!("{whose}: {place}");
        }
    }
    tracing::info!("database: {}", config.source);
    if let Some(redis) = &config.redis {
        let address = &redis.address;
        tracing::info!("redis: {address}, keys under {prefix}");
    } else {
        tracing::info!("redis: off");
    }
    if config.privacy.names.is_empty() {
        tracing::warn!("privacy: no field is kept out of redis, as privacy.fields is empty");
    }
    for Withheld {
        entity,
        policy,
        fields,
        ..
    } in &config.privacy.withheld
    {
        let fields = if fields.is_empty() {
            "every private field".to_owned()
        } else {
            fields.join(", ")
        };
        tracing::info!("privacy: {entity} keeps {fields} out of redis ({policy})");
    }
    for rule in &config.waived {
        tracing::warn!("a rule of this environment is waived: {rule}");
    }
    if let Some((_, at)) = places.first() {
        tracing::info!("try {at}/v1/postcodes/50450 and {at}/v1/products/1");
    }
}

/// What happened in the tiers, as far as somebody would act on it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other events are counted, not logged"
)]
pub(super) fn event(event: Event<'_>) {
    match event {
        Event::Breaker {
            state: BreakerState::Closed,
            writes,
            ..
        } => {
            tracing::info!("redis answers again: {}", used_for(writes));
        }
        Event::Breaker { error, writes, .. } => {
            let error = error.unwrap_or("unknown");
            tracing::warn!("redis is left alone for {}: {error}", used_for(writes));
        }
        Event::LoadFailed { entity, error } => {
            let cause = std::error::Error::source(error)
                .map(ToString::to_string)
                .unwrap_or_default();
            tracing::debug!(entity, "a load failed: {error}: {cause}");
        }
        Event::LoadHung { entity } => {
            tracing::warn!(entity, "a load was given up at its hard deadline");
        }
        Event::ColdReset { reason } => tracing::warn!("the cache begins anew: {reason}"),
        Event::Feed { is_up: true, .. } => tracing::info!("the change log answers again"),
        Event::Feed {
            is_up: false,
            error,
        } => {
            tracing::warn!(
                "the change log does not answer: {}",
                error.unwrap_or("unknown")
            );
        }
        _ => {}
    }
}

const fn used_for(writes: bool) -> &'static str {
    if writes { "writes" } else { "everything" }
}
