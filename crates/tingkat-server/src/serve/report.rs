//! What an operator reads in the log: where everything is, and one line when something changes.

use std::sync::Arc;
use std::time::Duration;

use tingkat::breaker::State as BreakerState;
use tingkat::clock::SystemClock;
use tingkat::event::Event;
use tingkat::ports::Clock;
use tingkat_health::Withheld;
use tingkat_http::Tls;
use tokio_util::sync::CancellationToken;

use super::doors::Doors;
use crate::config::{Config, Term};

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
    if let Some(tls) = &config.tls {
        certificate(tls);
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

/// For how long clients believe who the service is.
pub(super) fn certificate(tls: &Tls) {
    match Term::of(tls, &SystemClock) {
        Some(term) if term.is_due() => tracing::warn!("tls: {}", term.told()),
        Some(term) => tracing::info!("tls: {}", term.told()),
        None => {}
    }
}

/// Says each day that somebody has to renew the certificate, for as long as that is so: a node runs longer
/// than many a certificate.
pub(super) async fn remind(tls: Tls, clock: Arc<dyn Clock>, stop: CancellationToken) {
    const DAY: Duration = Duration::from_hours(24);
    while stop.run_until_cancelled(clock.sleep(DAY)).await.is_some() {
        if let Some(term) = Term::of(&tls, &*clock).filter(Term::is_due) {
            tracing::warn!("tls: {}", term.told());
        }
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use tingkat_testkit::{Certificates, Identity, TestClock};

    use super::*;

    /// What is logged on this thread.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_to_renew_the_certificate_is_reminded_each_day() {
        let certificates = Certificates::generate().unwrap();
        for (who, expected) in [(Identity::Expired, 3), (Identity::Server, 0)] {
            let (log, stop) = (Log::default(), CancellationToken::new());
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
            let _guard = tracing::subscriber::set_default(subscriber.finish());
            let (certificate, key) = (certificates.certificate(who), certificates.key(who));
            let tls = Tls::read(&certificate, &key, |path| std::fs::read(path)).unwrap();
            let clock: Arc<dyn Clock> = Arc::new(TestClock::new());
            let days = async {
                clock.sleep(Duration::from_hours(3 * 24 + 1)).await;
                stop.cancel();
            };
            tokio::join!(remind(tls, Arc::clone(&clock), stop.clone()), days);
            let said = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
            let words = "tls: the certificate has expired at 2001-01-01T00:00:00Z";
            assert_eq!(said.matches(words).count(), expected, "{said}");
            assert_eq!(said.lines().count(), expected, "{said}");
        }
    }
}
