//! SIGHUP: reads the configuration again and changes what can be changed under way. What can not is
//! named; if anything is wrong, everything stays as it is.

use tingkat_http::{Edge, Tls, Tokens};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::report;
use crate::config::{
    CERTIFICATE, Config, Contents, Flags, Health, Key, Policies, Secrets, Settings, Surroundings,
    concerns_the_edge, concerns_tls, load,
};
use crate::exit::Failure;
use crate::logging::Level;
use crate::panics;

/// What is needed to read it again, and to log otherwise.
pub(crate) struct Reload {
    pub(crate) flags: Flags,
    pub(crate) level: Level,
}

/// Hears SIGHUP and obeys.
pub(super) struct Reloader {
    pub(super) reload: Reload,
    /// What the service was started with.
    pub(super) started: Settings,
    /// And what was in the files that it names.
    pub(super) contents: Contents,
    pub(super) tokens: Tokens,
    pub(super) edge: Edge,
    pub(super) tls: Option<Tls>,
    pub(super) policies: watch::Sender<Policies>,
    pub(super) health: watch::Sender<Health>,
}

impl Reloader {
    /// Obeys until the service stops.
    pub(super) async fn listen(self, mut hangup: Signal, stop: CancellationToken) {
        let mut running = self.started.clone();
        while let Some(Some(())) = stop.run_until_cancelled(hangup.recv()).await {
            match self.again() {
                Ok(config) => running = self.apply(config, &running),
                Err(failure) => {
                    for line in failure.lines() {
                        tracing::error!("{line}");
                    }
                    tracing::error!("the configuration is wrong and stays as it was");
                }
            }
        }
    }

    fn again(&self) -> Result<Config, Failure> {
        let loaded = load(&self.reload.flags, &Surroundings::here());
        panics::keep(Secrets::of(&loaded.settings));
        Config::build(loaded.into_settings()?)
    }

    fn apply(&self, config: Config, running: &Settings) -> Settings {
        // With a listener that speaks TLS, or without one, the service was started.
        let has_tls = self.tls.is_some() && config.tls.is_some();
        let reloads = |key: &Key| key.reloads && (has_tls || !concerns_tls(&key.path));
        let mut changed: Vec<&str> = config
            .settings
            .differences(running)
            .into_iter()
            .filter(|key| reloads(key))
            .map(|key| key.path.as_str())
            .collect();
        let mut waiting: Vec<&str> = config
            .settings
            .differences(&self.started)
            .into_iter()
            .filter(|key| !reloads(key))
            .map(|key| key.path.as_str())
            .collect();
        let contents = Contents::of(&config.settings);
        for path in contents.differences(&self.contents) {
            if !waiting.contains(&path) {
                waiting.push(path);
            }
        }
        if changed.contains(&"log.level") {
            self.reload.level.set(&config.settings);
        }
        if changed.contains(&"server.tokens") {
            self.tokens.replace(&config.tokens);
        }
        if changed.iter().any(|path| concerns_the_edge(path)) {
            self.edge.replace(&config.edge);
        }
        if changed.iter().any(|path| Health::is_about(path)) {
            self.health.send_replace(config.health);
        }
        if changed.iter().any(|path| path.starts_with("entity.")) {
            self.policies.send_replace(config.policies);
        }
        // The files may be others under the same names.
        if let (Some(tls), Some(new)) = (&self.tls, &config.tls)
            && tls.replace(new)
        {
            if !changed.contains(&CERTIFICATE) {
                changed.push(CERTIFICATE);
            }
            report::certificate(new);
        }
        if changed.is_empty() {
            tracing::info!("the configuration was read again: nothing to change");
        } else {
            tracing::info!("the configuration was read again: {}", changed.join(", "));
        }
        if !waiting.is_empty() {
            tracing::warn!("these differ and need a restart: {}", waiting.join(", "));
        }
        config.settings
    }
}
