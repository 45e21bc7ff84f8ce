//! What systemd is told, where it is the one that started the program: that it serves, that it
//! lives, that it is about to end. Anywhere else nothing happens.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tingkat::ports::Clock;
use tingkat_http::Heartbeat;

/// It serves.
pub(super) fn ready() {
    tell(&NotifyState::Ready);
}

/// It is about to end.
pub(super) fn stopping() {
    tell(&NotifyState::Stopping);
}

/// Goes on telling that it lives, as often as it is wanted and while the heart beats.
pub(super) async fn reassure(clock: Arc<dyn Clock>, heartbeat: Heartbeat) {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return;
    };
    let pause = (patience / 3).max(Duration::from_millis(10));
    loop {
        if heartbeat.is_alive(&*clock) {
            tell(&NotifyState::Watchdog);
        }
        clock.sleep(pause).await;
    }
}

fn tell(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!("failed to tell the supervisor: {error}");
    }
}
