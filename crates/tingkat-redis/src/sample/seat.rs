//! The sampler's own connection to one server, and what may be asked there.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue as _, Pipeline, ServerError, Value};
use tingkat::ports::{Clock, Tick};
use tingkat_health::{Field, Server};

use crate::config::{Config, Mode};
use crate::dial::dial;
use crate::place::Place;
use crate::{info, refusal};

use super::exposure::is_public;
use super::spikes::Spikes;

/// So many keys are looked at each time, to find out whose they are.
const KEYS_A_LOOK: usize = 8;

/// Rights may be granted under way; this often what was refused is tried again.
const TRIED_AGAIN: Duration = Duration::from_hours(1);

pub(super) struct Seat {
    place: Place,
    connection: Option<Connection>,
    /// Keys that were looked at, and those among them that do not have our prefix.
    looked_at: u64,
    of_others: u64,
    spikes: Spikes,
    refusals: Refusals,
}

/// What the server refused this seat: its own questions are no trouble of anybody.
#[derive(Default)]
struct Refusals {
    run_id: Option<String>,
    denied: u32,
    others: u32,
}

impl Refusals {
    fn count(&mut self, error: &ServerError) {
        let counter = match error.code() {
            "NOPERM" => &mut self.denied,
            "ERR" => &mut self.others,
            // One that loads or is busy, which is no error that is counted.
            _ => return,
        };
        *counter = counter.saturating_add(1);
    }

    /// Leaves them out of what the server counted. Whoever resets its counters is owed a few.
    fn leave_out(&mut self, server: &mut Server) {
        if self.run_id != server.run_id {
            *self = Self {
                run_id: server.run_id.clone(),
                ..Self::default()
            };
        }
        for (field, own) in [
            (Field::Denied, self.denied),
            (Field::OtherErrors, self.others),
        ] {
            if let Some(counted) = server.number(field) {
                server.set(field, (counted - f64::from(own)).max(0.0));
            }
        }
    }
}

/// A connection and what it is good for.
struct Connection {
    wire: MultiplexedConnection,
    able: Able,
    since: Tick,
    is_public: Option<bool>,
}

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Able {
    info: Info,
    /// Whether it is a node of a cluster; any other server refuses to be asked about one.
    is_clustered: bool,
    /// What is not asked again.
    refused: Vec<Question>,
}

/// How much INFO may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Info {
    Everything,
    /// The server does not know the word.
    Usual,
    Nothing,
}

impl Able {
    fn all(config: &Config) -> Self {
        Self {
            info: Info::Everything,
            is_clustered: config.mode == Mode::Cluster,
            refused: Vec::new(),
        }
    }

    fn may(&self, question: Question) -> bool {
        !self.refused.contains(&question) && (question != Question::Cluster || self.is_clustered)
    }
}

/// What was asked, in the order of the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Ping,
    Info,
    Cluster,
    SlowLog,
    Latency,
    RandomKey,
}

impl Seat {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            connection: None,
            looked_at: 0,
            of_others: 0,
            spikes: Spikes::default(),
            refusals: Refusals::default(),
        }
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// What the server says now; one that does not answer says nothing.
    pub(super) async fn look(&mut self, config: &Config, clock: &dyn Clock) -> Server {
        let mut server = Server::unknown(self.place.to_string());
        // One that the server has closed since the last look is no answer.
        for _ in 0..2 {
            let was_there = self.connection.is_some();
            if self.look_once(config, clock, &mut server).await.is_ok() {
                return server;
            }
            self.connection = None;
            server = Server::unknown(self.place.to_string());
            if !was_there {
                break;
            }
        }
        server
    }

    async fn look_once(
        &mut self,
        config: &Config,
        clock: &dyn Clock,
        server: &mut Server,
    ) -> Result<(), ()> {
        let now = clock.now();
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.place, config, now).await?,
        };
        if now.since(connection.since) > TRIED_AGAIN {
            let is_clustered = connection.able.is_clustered;
            connection.able = Able {
                is_clustered,
                ..Able::all(config)
            };
            connection.since = now;
        }
        let before = connection.able.info;
        let (questions, answers) = connection.ask(self.keys()).await?;
        let took = clock.now().since(now);
        self.take_in(&questions, &answers, &mut connection.able, config, server);
        if connection.able.info != before && connection.able.info != Info::Nothing {
            // The server knows INFO, and not the word behind it.
            let (questions, answers) = connection.ask(self.keys()).await?;
            self.take_in(&questions, &answers, &mut connection.able, config, server);
        }
        connection.tell_of_itself(config, server);
        server.is_reached = true;
        server.answer_ms = Some(took.as_secs_f64() * 1_000.0);
        self.connection = Some(connection);
        Ok(())
    }

    fn take_in(
        &mut self,
        questions: &[Question],
        answers: &[Value],
        able: &mut Able,
        config: &Config,
        server: &mut Server,
    ) {
        for (question, answer) in questions.iter().zip(answers) {
            if let Value::ServerError(error) = answer {
                self.refusals.count(error);
                able.was_refused(*question, error);
                continue;
            }
            match question {
                Question::Ping => {}
                // It comes first, and so tells of refusals before this look.
                Question::Info => {
                    able.read_info(answer, server);
                    self.refusals.leave_out(server);
                }
                Question::Cluster => {
                    if let Ok(text) = String::from_redis_value_ref(answer) {
                        info::read(&text, server);
                    }
                }
                Question::SlowLog => {
                    if let Some(count) = slow_commands(answer) {
                        server.set(Field::SlowCommands, f64::from(count));
                    }
                }
                Question::Latency => self.spikes.take(answer),
                Question::RandomKey => self.look_at_key(answer, config),
            }
        }
        if able.may(Question::Latency) {
            server.set(Field::LatencyEvents, f64::from(self.spikes.count));
            let worst = u32::try_from(self.spikes.worst_ms).unwrap_or(u32::MAX);
            server.set(Field::LatencyWorst, f64::from(worst));
        }
        if able.may(Question::RandomKey) {
            // Far below what a double holds exactly.
            let exact = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            server.set(Field::KeysLookedAt, exact(self.looked_at));
            server.set(Field::KeysOfOthers, exact(self.of_others));
        }
    }

    /// How many keys are looked at: one, until that is known to be allowed.
    const fn keys(&self) -> usize {
        if self.looked_at > 0 { KEYS_A_LOOK } else { 1 }
    }

    /// Whose a key is; the key itself is nobody's business.
    fn look_at_key(&mut self, answer: &Value, config: &Config) {
        let Value::BulkString(key) = answer else {
            return;
        };
        self.looked_at += 1;
        if !key.starts_with(config.prefix.as_bytes()) {
            self.of_others += 1;
        }
    }
}

/// How many commands ever were in the slow log, by the number of the last one. Nothing else of it is
/// looked at: arguments are nobody's business.
fn slow_commands(answer: &Value) -> Option<u32> {
    let Value::Array(entries) = answer else {
        return None;
    };
    match entries.first() {
        None => Some(0),
        Some(Value::Array(parts)) => match parts.first() {
            Some(Value::Int(number)) => u32::try_from(number.saturating_add(1)).ok(),
            _ => None,
        },
        Some(_) => None,
    }
}

impl Connection {
    async fn open(place: &Place, config: &Config, now: Tick) -> Result<Self, ()> {
        let dialed = dial(place, &config.address, config, |_| ()).await;
        let mut wire = dialed.map_err(|why| tracing::debug!("no look at {place}: {why}"))?;
        // A server that is busy answers late, and that is what is to be seen.
        wire.set_response_timeout(config.connect_timeout);
        // A name that nobody answers for holds up no look.
        let public = tokio::time::timeout(config.connect_timeout, is_public(place));
        let is_public = public.await.ok().flatten();
        Ok(Self {
            wire,
            able: Able::all(config),
            since: now,
            is_public,
        })
    }

    /// Who else may be on the way, and what keeps them out.
    fn tell_of_itself(&self, config: &Config, server: &mut Server) {
        let flag = |is_so| f64::from(u8::from(is_so));
        if let Some(is_public) = self.is_public {
            server.set(Field::IsPublic, flag(is_public));
        }
        server.set(Field::IsEncrypted, flag(config.address.is_encrypted()));
        server.set(Field::HasLogin, flag(config.address.has_credentials()));
    }

    /// All that may be asked, in one round trip.
    async fn ask(&mut self, keys: usize) -> Result<(Vec<Question>, Vec<Value>), ()> {
        let questions = self.able.questions(keys);
        let mut commands = Pipeline::with_capacity(questions.len());
        for question in &questions {
            self.able.put(*question, &mut commands);
        }
        let asked = self.wire.send_packed_commands(&commands, 0, commands.len());
        let answers = asked.await.map_err(|error| {
            tracing::debug!("a look had no answer: {}", refusal::describe(&error));
        })?;
        Ok((questions, answers))
    }
}

impl Able {
    fn questions(&self, keys: usize) -> Vec<Question> {
        use Question::{Cluster, Latency, RandomKey, SlowLog};
        let mut questions = Vec::new();
        if self.info == Info::Nothing {
            // Whether it answers is worth knowing as well.
            questions.push(Question::Ping);
        } else {
            questions.push(Question::Info);
        }
        for (question, times) in [(Cluster, 1), (SlowLog, 1), (Latency, 1), (RandomKey, keys)] {
            let times = if self.may(question) { times } else { 0 };
            questions.extend(std::iter::repeat_n(question, times));
        }
        questions
    }

    fn put(&self, question: Question, commands: &mut Pipeline) {
        match question {
            Question::Ping => commands.cmd("PING"),
            Question::Info if self.info == Info::Everything => {
                commands.cmd("INFO").arg("everything")
            }
            Question::Info => commands.cmd("INFO"),
            Question::Cluster => commands.cmd("CLUSTER").arg("INFO"),
            Question::SlowLog => commands.cmd("SLOWLOG").arg("GET").arg(1),
            Question::Latency => commands.cmd("LATENCY").arg("LATEST"),
            Question::RandomKey => commands.cmd("RANDOMKEY"),
        };
    }

    fn read_info(&mut self, answer: &Value, server: &mut Server) {
        let text = String::from_redis_value_ref(answer).unwrap_or_default();
        if text.trim().is_empty() {
            self.less_info();
            return;
        }
        info::read(&text, server);
        if let Some(is_clustered) = server.is_clustered {
            self.is_clustered = is_clustered;
        }
    }

    /// What is forbidden or not known is not asked again; a server that is busy, or loads, answers
    /// another time.
    fn was_refused(&mut self, question: Question, error: &ServerError) {
        if !matches!(error.code(), "NOPERM" | "ERR") {
            return;
        }
        match question {
            Question::Info => self.less_info(),
            Question::Ping => {}
            Question::Cluster | Question::SlowLog | Question::Latency | Question::RandomKey => {
                if !self.refused.contains(&question) {
                    self.refused.push(question);
                }
            }
        }
    }

    const fn less_info(&mut self) {
        self.info = match self.info {
            Info::Everything => Info::Usual,
            Info::Usual | Info::Nothing => Info::Nothing,
        };
    }
}
