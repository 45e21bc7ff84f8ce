//! Making one connection, looking at who is there, and pausing between attempts.

use std::net::SocketAddr;
use std::time::Duration;

use futures::FutureExt as _;
use redis::aio::MultiplexedConnection;
use redis::io::AsyncDNSResolver;
use redis::{
    AsyncConnectionConfig, Client, Pipeline, PushInfo, RedisError, RedisFuture, RedisResult, Value,
};
use rustls::crypto::CryptoProvider;
use tingkat::ports::Clock;

use crate::address::Address;
use crate::config::Config;
use crate::hello::Hello;
use crate::place::Place;
use crate::refusal;
use crate::rights::{self, Rights};

/// Pauses between attempts to connect. The longest is what a server that is back is left alone for
/// at most.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Connects and logs in.
///
/// # Errors
/// Why there is no connection, in one line for people.
pub(crate) async fn dial(
    place: &Place,
    address: &Address,
    config: &Config,
    pushed: impl Fn(PushInfo) + Send + Sync + 'static,
) -> Result<MultiplexedConnection, String> {
    // The client would panic.
    if address.is_encrypted() && CryptoProvider::get_default().is_none() {
        return Err(
            "rediss:// needs the process's default crypto provider of rustls, and none is installed"
                .to_owned(),
        );
    }
    let client = address
        .info(place, &config.tls)
        .and_then(Client::open)
        .map_err(|error| refusal::describe(&error))?;
    let mut settings = AsyncConnectionConfig::new()
        // The timeout below is for all of it.
        .set_connection_timeout(None)
        .set_response_timeout(Some(config.response_timeout))
        .set_push_sender(move |push: PushInfo| {
            pushed(push);
            Ok::<(), ()>(())
        });
    if let (Some(_), Some(host)) = (config.tls.server_name(), place.host()) {
        settings = settings.set_dns_resolver(RealHost(host.to_owned()));
    }
    let connecting = client.get_multiplexed_async_connection_with_config(&settings);
    match tokio::time::timeout(config.connect_timeout, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(failed(&error, address.is_encrypted())),
        Err(_) => {
            let hint = if address.is_encrypted() {
                "; does the port speak TLS?"
            } else {
                ""
            };
            Err(format!(
                "no answer within {:?}{hint}",
                config.connect_timeout
            ))
        }
    }
}

/// Why an attempt failed. A port that wants TLS hangs up on whoever speaks without.
fn failed(error: &RedisError, is_encrypted: bool) -> String {
    let why = refusal::describe(error);
    let hangs_up = refusal::is_connection_gone(error) && !error.is_connection_refusal();
    if hangs_up && !is_encrypted {
        return format!("{why}; if the port speaks TLS, use rediss://");
    }
    why
}

/// Leads the client to a server that shall prove another name than that of its host.
struct RealHost(String);

impl AsyncDNSResolver for RealHost {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _name: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        let found = tokio::net::lookup_host((self.0.as_str(), port));
        found
            .map(|found| {
                let found: Box<dyn Iterator<Item = SocketAddr> + Send> = Box::new(found?);
                Ok(found)
            })
            .boxed()
    }
}

/// Who is there, and what the user may do.
#[derive(Debug)]
pub(crate) struct Welcome {
    pub(crate) hello: Hello,
    pub(crate) rights: Rights,
}

/// Asks for a first answer: a server that loads its data or lacks a right says so now and not to a
/// customer.
///
/// # Errors
/// Why the server is of no use at the moment.
pub(crate) async fn greet(
    connection: &mut MultiplexedConnection,
    config: &Config,
) -> Result<Welcome, String> {
    let mut questions = Pipeline::new();
    questions.cmd("PING").cmd("HELLO");
    for question in rights::questions(config) {
        questions.add_command(question);
    }
    let asking = connection.send_packed_commands(&questions, 0, questions.len());
    let answers = match tokio::time::timeout(config.connect_timeout, asking).await {
        Ok(answers) => answers.map_err(|error| refusal::describe(&error))?,
        Err(_) => return Err(format!("no answer within {:?}", config.connect_timeout)),
    };
    let [pong, hello, tried @ ..] = answers.as_slice() else {
        return Err("an answer is missing".to_owned());
    };
    if let Err(error) = judge_ping(pong.clone().extract_error()) {
        return Err(refusal::describe(&error));
    }
    let hello = Hello::read(hello);
    Ok(Welcome {
        rights: rights::judge(tried, hello.kind, config),
        hello,
    })
}

/// Whether the server answers.
pub(crate) async fn ping(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    judge_ping(redis::cmd("PING").query_async(connection).await)
}

/// A server that can not save its data refuses PING as it does writes, and goes on reading; one
/// that does not let this user ping has answered.
pub(crate) fn judge_ping(answer: RedisResult<Value>) -> RedisResult<()> {
    match answer {
        Err(error) if refusal::can_not_save(&error) || refusal::is_forbidden(&error) => Ok(()),
        answer => answer.map(drop),
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
