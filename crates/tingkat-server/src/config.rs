//! What the operator says, in layers: defaults, presets, a file, the environment, flags.
//!
//! Nothing starts before all of it was read and judged, and whatever is wrong is told at once.

pub(crate) mod commands;
mod contents;
mod document;
mod edge;
mod health;
pub(crate) mod keys;
mod kind;
mod listeners;
mod origin;
mod policies;
mod presets;
mod privacy;
mod problem;
mod queries;
mod redact;
mod redis;
mod reference;
mod rules;
mod schedule;
mod second_path;
mod secrets;
mod settings;
mod suggest;
mod surroundings;
mod syntax;
mod tls;
mod warm;

#[cfg(test)]
pub(crate) mod tests;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tingkat::breaker;
use tingkat::clock::SystemClock;
use tingkat_health::Neighbour;
use tingkat_http::{Edge, Keeps, Limits, Tls, Tokens};
use tingkat_shop::popularity::{PostcodeWeights, ProductWeights, Weights};
use tingkat_sql::{Queries, Url};

use crate::exit::Failure;

pub(crate) use contents::Contents;
pub(crate) use edge::is_concerned as concerns_the_edge;
pub(crate) use health::{Health, with_limits};
pub(crate) use keys::Key;
pub(crate) use kind::{size, size_text, time};
pub(crate) use listeners::{Place, Socket, nearest, operators};
pub(crate) use policies::Policies;
pub(crate) use privacy::{Privacy, section_of};
pub(crate) use problem::Problem;
pub(crate) use redact::urls as without_logins;
pub(crate) use schedule::Schedule;
pub(crate) use second_path::SecondPath;
pub(crate) use secrets::Secrets;
pub(crate) use settings::{Environment, Flags, Settings};
pub(crate) use surroundings::{Surroundings, wants_no_colour};
pub(crate) use tls::{CERTIFICATE, Term, is_concerned as concerns_tls};
pub(crate) use warm::Warm;

/// Where the embedded database is unless said otherwise.
const DEFAULT_FILE: &str = "tingkat.db";

/// What was read, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    pub(crate) problems: Vec<Problem>,
    /// For how long clients believe the service's certificate.
    pub(crate) term: Option<Term>,
}

/// What `serve` needs to know.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// Where operators are served, if not with everybody.
    pub(crate) admin_listen: Option<SocketAddr>,
    /// Where scrapers are served, if not with operators.
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) socket: Option<Socket>,
    /// For how long it goes on serving once it is told to stop.
    pub(crate) shutdown_delay: Duration,
    /// What readiness insists on.
    pub(crate) required: Vec<Neighbour>,
    pub(crate) limits: Limits,
    /// What is decided about requests before any route.
    pub(crate) edge: Edge,
    pub(crate) source: Url,
    pub(crate) database: tingkat_sql::Config,
    /// Nothing when Redis is switched off.
    pub(crate) redis: Option<tingkat_redis::Config>,
    /// What one request may spend on Redis.
    pub(crate) redis_budget: Duration,
    pub(crate) breaker: breaker::Config,
    /// Nothing for the default, which depends on the database.
    pub(crate) key_prefix: Option<String>,
    /// Where hints are told; nothing for the usual channel of the key prefix.
    pub(crate) hint_channel: Option<String>,
    pub(crate) feed: Feed,
    pub(crate) popularity: Popularity,
    pub(crate) health: Health,
    pub(crate) warm: Warm,
    pub(crate) tokens: Tokens,
    /// Who the service proves to be, if it speaks TLS.
    pub(crate) tls: Option<Tls>,
    pub(crate) policies: Policies,
    pub(crate) keeps: Keeps,
    pub(crate) privacy: Privacy,
    /// Rules of the environment that are broken and waived.
    pub(crate) waived: Vec<&'static str>,
    /// Whether this is a developer's machine.
    pub(crate) is_development: bool,
    /// A rule of the protocol that a program for tests goes without.
    #[cfg(feature = "broken-rules")]
    pub(crate) switched_off: Option<tingkat::node::Rule>,
    /// What all of it was made from.
    pub(crate) settings: Settings,
}

/// What popularity is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Popularity {
    /// So many keys of an entity are kept.
    pub(crate) keep: usize,
    /// How often it is counted.
    pub(crate) refresh: Duration,
}

/// How the change log is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Feed {
    pub(crate) poll_interval: Duration,
    pub(crate) staleness_bound: Duration,
    /// How often it is looked whether the log is whole.
    pub(crate) check_interval: Duration,
    /// Whether the log is kept short by this node.
    pub(crate) compacts: bool,
}

/// Reads and judges everything.
pub(crate) fn load(flags: &Flags, from: &Surroundings) -> Loaded {
    let mut problems = Vec::new();
    let settings = Settings::read(flags, from, &mut problems);
    if problems.iter().any(Problem::is_about_the_file) {
        // What the file says is not known: nothing is told to be missing, or not to fit the rest.
        return Loaded {
            settings,
            problems,
            term: None,
        };
    }
    // Before the rules, which are silent about what is told already.
    redis::build(&settings, &mut problems);
    let tls = tls::build(&settings, &mut problems);
    queries::build(&settings, &mut problems);
    check_files(&settings, &mut problems);
    let term = tls.as_ref().and_then(|tls| Term::of(tls, &SystemClock));
    rules::check(&settings, from.memory, term.as_ref(), &mut problems);
    health::check(&settings, &mut problems);
    Loaded {
        settings,
        problems,
        term,
    }
}

impl Loaded {
    /// The settings, unless something is wrong with them that stops a service which is not started yet.
    pub(crate) fn for_start(self) -> Result<Settings, Failure> {
        self.judged()
    }

    /// The settings, unless something is wrong with them. A certificate whose time has passed stops
    /// nothing but a start: a node that runs must be found, probed, operated and told of other tokens
    /// all the same.
    pub(crate) fn into_settings(mut self) -> Result<Settings, Failure> {
        self.problems.retain(|problem| !problem.is_about_time());
        self.judged()
    }

    fn judged(self) -> Result<Settings, Failure> {
        if self.problems.is_empty() {
            Ok(self.settings)
        } else {
            Err(Failure::problems(self.problems))
        }
    }

    /// The database that is configured, or the embedded one, and the statements for it. What is wrong
    /// with the rest does not matter: a job that prepares a database has no Redis and no tokens.
    pub(crate) fn source(mut self) -> Result<Source, Failure> {
        self.problems.retain(|problem| {
            let is_concerned = ["source.", "log.", "file"]
                .iter()
                .any(|begin| problem.about.starts_with(begin))
                || [".load", ".tables"]
                    .iter()
                    .any(|end| problem.about.ends_with(end));
            is_concerned && problem.rule.is_none()
        });
        let settings = self.into_settings()?;
        Ok(Source {
            url: source(&settings),
            // Judged already.
            queries: queries::build(&settings, &mut Vec::new()),
        })
    }
}

/// What a job that prepares a database needs to know.
pub(crate) struct Source {
    pub(crate) url: Url,
    pub(crate) queries: Queries,
}

/// The files that the URL of the database names; what is wrong with the URL itself is told already.
fn check_files(settings: &Settings, problems: &mut Vec<Problem>) {
    const PATH: &str = "source.url";
    let Some(setting) = settings.get(PATH) else {
        return;
    };
    let read = |path: &Path| settings.files.bytes(path);
    if let Err(error) = source(settings).check_files(read) {
        let origin = setting.origin.clone();
        let message = format!("{}: {error}", origin.called(PATH));
        let help = "it names a file in PEM that this user may read";
        let told = Problem::new(PATH, Some(origin), message);
        problems.push(told.helped(Some(help.to_owned())));
    }
}

fn source(settings: &Settings) -> Url {
    let url = settings.secret("source.url");
    // The key takes nothing but a URL.
    url.and_then(|url| url.expose_secret().parse().ok())
        .unwrap_or_else(|| Url::sqlite(DEFAULT_FILE))
}

impl Config {
    /// Makes of the settings what the parts of the service take.
    pub(crate) fn build(settings: Settings) -> Result<Self, Failure> {
        let mut problems = Vec::new();
        let redis = redis::build(&settings, &mut problems);
        let tls = tls::build(&settings, &mut problems);
        let queries = queries::build(&settings, &mut problems);
        if !problems.is_empty() {
            return Err(Failure::problems(problems));
        }
        let term = tls.as_ref().and_then(|tls| Term::of(tls, &SystemClock));
        Ok(Self {
            listen: listeners::main(&settings),
            admin_listen: listeners::aside(&settings, "server.admin_listen"),
            metrics_listen: listeners::aside(&settings, "server.metrics_listen"),
            socket: listeners::socket(&settings),
            shutdown_delay: settings.time("server.shutdown_delay"),
            required: required(&settings),
            limits: limits(&settings),
            edge: edge::build(&settings),
            source: source(&settings),
            database: database(&settings, queries),
            redis,
            redis_budget: settings.time("redis.budget"),
            breaker: breaker(&settings),
            key_prefix: settings.text("redis.key_prefix").map(str::to_owned),
            hint_channel: None,
            feed: Feed {
                poll_interval: settings.time("feed.poll_interval"),
                staleness_bound: settings.time("feed.staleness_bound"),
                check_interval: settings.time("feed.check_interval"),
                compacts: true,
            },
            popularity: Popularity {
                keep: settings.size("popularity.keep"),
                refresh: settings.time("popularity.refresh"),
            },
            health: Health::of(&settings),
            warm: Warm::of(&settings),
            tokens: tokens(&settings),
            tls,
            policies: Policies::of(&settings),
            keeps: policies::keeps(&settings),
            privacy: Privacy::of(&settings),
            waived: rules::waived(&settings, term.as_ref()),
            is_development: settings.environment == Environment::Development,
            #[cfg(feature = "broken-rules")]
            switched_off: switched_off()?,
            settings,
        })
    }
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        body_timeout: settings.time("server.body_timeout"),
        request_timeout: settings.time("server.request_timeout"),
        head_timeout: settings.time("server.head_timeout"),
        idle_timeout: settings.time("server.idle_timeout"),
        send_timeout: settings.time("server.send_timeout"),
        drain_timeout: settings.time("server.drain_timeout"),
        connections: settings.size("server.connections"),
        connections_per_address: settings.size("server.connections_per_address"),
        in_flight: settings.size("server.max_in_flight"),
        streams: settings.size("server.streams"),
        uri_bytes: settings.size("server.uri_bytes"),
        head_bytes: settings.size("server.head_bytes"),
        body_bytes: settings.number("server.body_bytes"),
    }
}

fn required(settings: &Settings) -> Vec<Neighbour> {
    let named = settings.list("readiness.require");
    let is_named = |it: &Neighbour| named.iter().any(|name| name == it.name());
    Neighbour::ALL.into_iter().filter(is_named).collect()
}

fn database(settings: &Settings, queries: Queries) -> tingkat_sql::Config {
    tingkat_sql::Config {
        max_connections: settings.count("source.max_connections"),
        acquire_timeout: settings.time("source.acquire_timeout"),
        statement_timeout: settings.time("source.statement_timeout"),
        changes_kept_for: settings.time("source.changes_kept_for"),
        weights: weights(settings),
        queries,
        ..tingkat_sql::Config::default()
    }
}

fn weights(settings: &Settings) -> Weights {
    Weights {
        product: ProductWeights {
            orders: settings.count("popularity.product.orders"),
            carts: settings.count("popularity.product.carts"),
            wishes: settings.count("popularity.product.wishes"),
            window: settings.time("popularity.product.window"),
        },
        postcode: PostcodeWeights {
            deliveries: settings.count("popularity.postcode.deliveries"),
            customers: settings.count("popularity.postcode.customers"),
            window: settings.time("popularity.postcode.window"),
        },
    }
}

fn breaker(settings: &Settings) -> breaker::Config {
    breaker::Config {
        window: settings.time("redis.breaker.window"),
        minimum: settings.count("redis.breaker.minimum"),
        failure_share: settings.share("redis.breaker.failure_share"),
        slow: settings.time("redis.breaker.slow"),
        open_for: settings.time("redis.breaker.open_for"),
        open_for_most: settings.time("redis.breaker.open_for_most"),
        probes: settings.count("redis.breaker.probes"),
    }
}

fn tokens(settings: &Settings) -> Tokens {
    let tokens = settings.secret("server.tokens");
    // The key takes nothing else.
    tokens
        .and_then(|tokens| tokens.expose_secret().parse().ok())
        .unwrap_or_default()
}

#[cfg(feature = "broken-rules")]
#[expect(
    clippy::disallowed_methods,
    reason = "no key of the configuration switches a rule off"
)]
fn switched_off() -> Result<Option<tingkat::node::Rule>, Failure> {
    use tingkat::node::Rule;
    let Ok(text) = std::env::var("TINGKAT_SWITCH_OFF") else {
        return Ok(None);
    };
    Ok(Some(match text.as_str() {
        "" => return Ok(None),
        "r2" => Rule::Accept,
        "r3" => Rule::Anchor,
        "r4" => Rule::JudgeLoad,
        "r5" => Rule::Join,
        "r7" => Rule::ColdReset,
        "fold" => Rule::Fold,
        "order" => Rule::PublicationOrder,
        _ => {
            return Err(Failure::configuration(format!(
                "TINGKAT_SWITCH_OFF: there is no rule {text:?}"
            )));
        }
    }))
}
