//! Making one connection, and pausing between attempts.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, PushInfo, RedisError, RedisResult};
use rustls::crypto::CryptoProvider;
use tingkat::ports::Clock;

use crate::link::Config;
use crate::refusal;

/// Pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Connects, logs in and asks for a first answer: a server that loads its data or lacks a right says
/// so now and not to a customer.
///
/// # Errors
/// Why there is no connection, in one line for people.
pub(crate) async fn dial(
    config: &Config,
    pushed: impl Fn(PushInfo) + Send + Sync + 'static,
) -> Result<MultiplexedConnection, String> {
    // The client would panic.
    if config.address.is_encrypted() && CryptoProvider::get_default().is_none() {
        return Err(
            "rediss:// needs the process's default crypto provider of rustls, and none is installed"
                .to_owned(),
        );
    }
    let client = Client::open(config.address.info()).map_err(|error| refusal::describe(&error))?;
    let settings = AsyncConnectionConfig::new()
        // The timeout below is for all of it.
        .set_connection_timeout(None)
        .set_response_timeout(Some(config.response_timeout))
        .set_push_sender(move |push: PushInfo| {
            pushed(push);
            Ok::<(), ()>(())
        });
    let connecting = async {
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&settings)
            .await?;
        ping(&mut connection).await?;
        Ok::<_, RedisError>(connection)
    };
    match tokio::time::timeout(config.connect_timeout, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(refusal::describe(&error)),
        Err(_) => Err(format!("no answer within {:?}", config.connect_timeout)),
    }
}

/// Whether the server answers. One that can not save its data refuses PING as it does writes, and
/// goes on reading.
pub(crate) async fn ping(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    match redis::cmd("PING").query_async(connection).await {
        Err(error) if refusal::can_not_save(&error) => Ok(()),
        result => result,
    }
}

/// How long to wait before the next attempt: longer each time, and never in step with other nodes.
#[derive(Debug)]
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) const fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    /// Takes in how long a connection held: one that ends as soon as it is made is as good as none.
    pub(crate) fn held(&mut self, time: Duration) {
        if time >= LONGEST_PAUSE {
            self.0 = FIRST_PAUSE;
        }
    }

    /// The next pause, spread over half to one and a half times its length.
    pub(crate) fn next(&mut self, clock: &dyn Clock) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        // Nanoseconds of a running clock are random enough for that.
        let share = clock.now().as_nanos() % 1_000;
        pause / 2 + pause.mul_f64(f64::from(u32::try_from(share).unwrap_or(0)) / 1_000.0)
    }
}
