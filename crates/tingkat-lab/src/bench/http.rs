//! A service that runs, as its customers ask it: over HTTP/1.1, on connections that stay open.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::nobody::{self, Nobody};
use super::subject::{
    Counters, Operation, Outcome, Session, Stage, Start, State, Subject, SubjectError, Tier, Way,
};
use super::workload::Entity;
use crate::answer::{Answer, AskError};
use crate::target::Target;

/// Keys are listed, and the tiers filled, by so many at once.
const PAGE: usize = 100;

/// A service behind a URL.
pub struct HttpSubject {
    name: String,
    about: String,
    target: Arc<Target>,
    entity: Entity,
    /// What opens it, as the value of the header.
    authorization: Option<String>,
    /// Whether a phase may begin with empty tiers, for which every node forgets the entity.
    may_forget: bool,
    keys: OnceCell<Arc<Listed>>,
    /// How old it says that an answer may be, once it was asked.
    bound: OnceLock<Option<Duration>>,
}

/// The keys of a service.
struct Listed {
    keys: Vec<String>,
    /// Where the product of a sku is.
    skus: HashMap<String, usize>,
}

impl HttpSubject {
    /// The service of a URL such as `http://shop.internal:8080`, with the token that opens it if it
    /// needs one. `shown` is the URL as it may be printed.
    ///
    /// # Errors
    /// It is no such URL, or its host has no address.
    pub async fn of_url(
        url: &str,
        shown: &str,
        entity: Entity,
        token: Option<&str>,
    ) -> Result<Self, AskError> {
        Ok(Self {
            name: "http".to_owned(),
            about: format!("the service at {shown}, over HTTP/1.1 with connections kept open"),
            target: Arc::new(Target::of_url(url).await?),
            entity,
            authorization: token.map(|token| format!("Bearer {token}")),
            may_forget: false,
            keys: OnceCell::new(),
            bound: OnceLock::new(),
        })
    }

    /// Lets phases begin with empty tiers: every node forgets the entity, and customers of the service
    /// wait for the database.
    pub const fn may_forget(mut self, may: bool) -> Self {
        self.may_forget = may;
        self
    }

    /// Whether the service is on this machine.
    pub fn is_here(&self) -> bool {
        self.target.address().ip().to_canonical().is_loopback()
    }

    fn asker(&self) -> Asker {
        Asker {
            target: Arc::clone(&self.target),
            authorization: self.authorization.clone(),
        }
    }

    async fn list(&self, most: usize) -> Result<Arc<Listed>, SubjectError> {
        let asker = self.asker();
        let (path, member) = match self.entity {
            Entity::Product => ("/v1/products?sort=newest&limit=100", "id"),
            Entity::Postcode => ("/v1/postcodes?limit=100", "code"),
        };
        let mut keys: Vec<String> = Vec::new();
        let mut skus = HashMap::new();
        let mut cursor = String::new();
        while keys.len() < most {
            let page = asker.json(&format!("{path}{cursor}")).await?;
            let items = page.get("items").and_then(Value::as_array);
            let items = items.map_or(&[][..], Vec::as_slice);
            for item in items {
                if let Some(key) = key_of(item, member) {
                    skus.extend(skus_of(item).map(|sku| (sku.to_owned(), keys.len())));
                    keys.push(key);
                }
            }
            match page.get("next").and_then(Value::as_str) {
                Some(next) if !items.is_empty() => {
                    let next = utf8_percent_encode(next, NON_ALPHANUMERIC);
                    cursor = format!("&cursor={next}");
                }
                _ => break,
            }
        }
        keys.truncate(most);
        skus.retain(|_, place| *place < keys.len());
        if keys.is_empty() {
            let what = format!("the service has no {} to look up", self.entity.name());
            return Err(SubjectError::unsuited(what));
        }
        Ok(Arc::new(Listed { keys, skus }))
    }

    /// How old an answer may be, as the service says; nothing where it follows no change log.
    async fn ask_for_bound(&self) {
        // It answers with 503 when it is not ready, and tells all the same.
        let asker = self.asker();
        let Ok(answer) = asker.send(Method::GET, "/readyz", String::new()).await else {
            return;
        };
        let body = answer.json().unwrap_or_default();
        let bound = body.pointer("/feed/bound_ms").and_then(Value::as_u64);
        let _ = self.bound.set(bound.map(Duration::from_millis));
    }

    async fn forget_all(&self) -> Result<(), SubjectError> {
        if !self.may_forget {
            return Err(SubjectError::unsuited(
                "to begin with empty tiers every node of the service forgets all of them, and its \
                 customers wait for the database; --allow-forget does it",
            ));
        }
        let body = json!({ "entity": self.entity.name(), "all": true }).to_string();
        let answer = self.asker().send(Method::POST, "/v1/forget", body).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(SubjectError::unsuited(format!(
            "empty tiers need a token with the scope `operate` in TINGKAT_TOKEN: the service \
             answered {} to POST /v1/forget",
            answer.status
        )))
    }

    async fn fill(&self, keys: &[String]) -> Result<(), SubjectError> {
        let asker = self.asker();
        match self.entity {
            Entity::Product => {
                for keys in keys.chunks(PAGE) {
                    asker
                        .json(&format!("/v1/products?ids={}", keys.join(",")))
                        .await?;
                }
            }
            Entity::Postcode => {
                for key in keys {
                    asker.json(&format!("/v1/postcodes/{key}")).await?;
                }
            }
        }
        Ok(())
    }

    async fn ready(&self, stage: &Stage) -> Result<Arc<dyn Session>, SubjectError> {
        let is_as_it_is = matches!(stage.way, Way::All | Way::Network);
        if !is_as_it_is || stage.memory_bytes.is_some() || stage.start == Start::Restarted {
            let what = "this phase changes how the service is set up, which is done in process \
                        alone: leave --url out";
            return Err(SubjectError::unsuited(what));
        }
        if stage.lag {
            let what = "the service that is written to is the one that is read, and knows its own \
                        writes at once: leave --url out";
            return Err(SubjectError::unsuited(what));
        }
        if stage.imports {
            let what = "there is no route that writes many products at once: leave --url out";
            return Err(SubjectError::unsuited(what));
        }
        let keys = self.keys.get_or_try_init(|| self.list(stage.keys)).await?;
        if self.bound.get().is_none() {
            self.ask_for_bound().await;
        }
        match stage.start {
            Start::Empty => self.forget_all().await?,
            Start::Filled => self.fill(&keys.keys).await?,
            Start::AsIs | Start::Restarted => {}
        }
        Ok(Arc::new(Asking {
            asker: self.asker(),
            entity: self.entity,
            listed: Arc::clone(keys),
            nobody: None,
        }))
    }
}

/// The skus of a product and of its versions.
fn skus_of(item: &Value) -> impl Iterator<Item = &str> {
    let variants = item.get("variants").and_then(Value::as_array);
    let variants = variants.map_or(&[][..], Vec::as_slice);
    let all = std::iter::once(item).chain(variants);
    all.filter_map(|it| it.get("sku")?.as_str())
}

fn key_of(item: &Value, member: &str) -> Option<String> {
    let key = item
        .get(member)
        .or_else(|| item.get("formatted"))
        .or_else(|| item.pointer("/postcode"))?;
    let key = key.as_str()?;
    // What goes into a path must not change its meaning.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    key.chars().all(is_plain).then(|| key.to_owned())
}

impl Subject for HttpSubject {
    fn name(&self) -> &str {
        &self.name
    }

    fn about(&self) -> &str {
        &self.about
    }

    fn prepare<'a>(
        &'a self,
        stage: &'a Stage,
    ) -> BoxFuture<'a, Result<Arc<dyn Session>, SubjectError>> {
        Box::pin(self.ready(stage))
    }

    fn staleness_bound(&self) -> Option<Duration> {
        *self.bound.get()?
    }

    fn idle(&self) -> BoxFuture<'_, std::io::Result<Option<Arc<dyn Session>>>> {
        Box::pin(async {
            let nobody = Nobody::listen().await?;
            let asking = Asking {
                asker: Asker {
                    target: Arc::new(Target::new(nobody.address)),
                    authorization: None,
                },
                entity: Entity::Product,
                listed: Arc::new(Listed {
                    keys: vec![nobody::KEY.to_owned()],
                    skus: HashMap::new(),
                }),
                nobody: Some(nobody),
            };
            let session: Arc<dyn Session> = Arc::new(asking);
            Ok(Some(session))
        })
    }

    /// There is one address for both.
    fn knows_writes(&self) -> bool {
        true
    }
}

/// Asks, with the token.
struct Asker {
    target: Arc<Target>,
    authorization: Option<String>,
}

impl Asker {
    async fn send(&self, method: Method, path: &str, body: String) -> Result<Answer, SubjectError> {
        self.try_send(method, path, body).await.map_err(|error| {
            SubjectError::unreachable(format!("no answer to {path}")).caused_by(error)
        })
    }

    async fn try_send(&self, method: Method, path: &str, body: String) -> Result<Answer, AskError> {
        let header = self.authorization.as_deref();
        let headers = header.map(|value| ("authorization", value));
        self.target
            .send_with(method, path, headers.as_slice(), body)
            .await
    }

    async fn json(&self, path: &str) -> Result<Value, SubjectError> {
        let answer = self.send(Method::GET, path, String::new()).await?;
        let body = answer.json().ok().filter(|_| answer.status.is_success());
        body.ok_or_else(|| {
            SubjectError::unsuited(format!(
                "the service answered {} to {path}, which is no answer of tingkat",
                answer.status
            ))
        })
    }
}

/// The service, ready for a phase.
struct Asking {
    asker: Asker,
    entity: Entity,
    listed: Arc<Listed>,
    /// Who answers, where it is not the service.
    #[expect(dead_code, reason = "it is there for as long as it is asked")]
    nobody: Option<Nobody>,
}

impl Asking {
    fn key(&self, place: usize) -> &str {
        self.listed.keys.get(place).map_or("", String::as_str)
    }

    fn path(&self, operation: &Operation) -> String {
        match (self.entity, operation) {
            (Entity::Product, Operation::Read(key) | Operation::Write(key)) => {
                format!("/v1/products/{}", self.key(*key))
            }
            (Entity::Product, Operation::Absent(number)) => {
                format!("/v1/products/none-{number}")
            }
            (Entity::Product, Operation::Batch(keys)) => {
                let keys: Vec<&str> = keys.iter().map(|key| self.key(*key)).collect();
                format!("/v1/products?ids={}", keys.join(","))
            }
            (Entity::Postcode, Operation::Absent(number)) => {
                // None begins with two zeros.
                format!("/v1/postcodes/{:05}", number % 1000)
            }
            (Entity::Postcode, Operation::Read(key) | Operation::Write(key)) => {
                format!("/v1/postcodes/{}", self.key(*key))
            }
            // There is no route for many postcodes: each is asked for, as customers do. No phase with
            // imports gets here.
            (Entity::Postcode, Operation::Batch(_)) | (_, Operation::Import(_)) => String::new(),
        }
    }

    async fn ask(&self, operation: &Operation) -> Outcome {
        let (method, body) = match operation {
            // It changes nothing but the version.
            Operation::Write(_) => (Method::PATCH, r#"{"stock_delta":0}"#.to_owned()),
            Operation::Read(_)
            | Operation::Absent(_)
            | Operation::Batch(_)
            | Operation::Import(_) => (Method::GET, String::new()),
        };
        let path = self.path(operation);
        match self.asker.try_send(method, &path, body).await {
            Ok(answer) => {
                let outcome = outcome(operation, &answer);
                outcome.if_right(outcome.state.is_failure() || self.is_right(operation, &answer))
            }
            Err(_) => Outcome::error(),
        }
    }

    /// Whether an answer that has a value has that of the key that was asked for.
    fn is_right(&self, operation: &Operation, answer: &Answer) -> bool {
        let (Operation::Read(key), true) = (operation, answer.status.is_success()) else {
            return true;
        };
        let quoted = format!("\"{}\"", self.key(*key));
        let named = match self.entity {
            Entity::Product => format!("\"id\":{quoted}"),
            Entity::Postcode => quoted,
        };
        let parts = answer.body.windows(named.len());
        parts.into_iter().any(|part| part == named.as_bytes())
    }
}

impl Session for Asking {
    fn keys(&self) -> usize {
        self.listed.keys.len()
    }

    fn place_of(&self, sku: &str) -> Option<usize> {
        self.listed.skus.get(sku).copied()
    }

    fn perform<'a>(&'a self, operation: &'a Operation) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match (self.entity, operation) {
                (Entity::Postcode, Operation::Batch(keys)) => {
                    let keys: Vec<Operation> = keys.iter().copied().map(Operation::Read).collect();
                    let each = join_all(keys.iter().map(|key| self.ask(key))).await;
                    Outcome::of_all(each)
                }
                _ => self.ask(operation).await,
            }
        })
    }

    fn counters(&self) -> BoxFuture<'_, Option<Counters>> {
        Box::pin(async move {
            let path = format!("/v1/caches/{}", self.entity.name());
            let answer = self.asker.json(&path).await.ok()?;
            let number = |at: &str| {
                answer
                    .pointer(at)
                    .and_then(Value::as_u64)
                    .unwrap_or_default()
            };
            Some(Counters {
                memory_hits: number("/memory/hits"),
                redis_hits: number("/redis/hits"),
                loads: number("/source/batches"),
                loaded_keys: number("/source/keys"),
                joined: number("/counts/joined"),
                evictions: number("/counts/evictions"),
                redis_failures: number("/counts/redis_failures"),
                overloads: number("/counts/overloads"),
                entries: number("/entries"),
                bytes: number("/bytes"),
            })
        })
    }
}

/// What an answer says.
fn outcome(operation: &Operation, answer: &Answer) -> Outcome {
    let way = answer.header("cache-status").unwrap_or_default();
    let tier = if matches!(operation, Operation::Write(_)) || way.contains("source;") {
        Tier::Database
    } else if way.contains("redis; hit") {
        Tier::Redis
    } else if way.starts_with("memory; hit") {
        Tier::Memory
    } else {
        Tier::Unknown
    };
    let state = match answer.status {
        // Without its header it was somebody else who does not know the path.
        StatusCode::NOT_FOUND if !way.is_empty() && !matches!(operation, Operation::Write(_)) => {
            State::Absent
        }
        status if !status.is_success() => return Outcome::error(),
        _ if way.contains("detail=stale") => State::Stale,
        _ => State::Current,
    };
    let version = match operation {
        Operation::Read(_) | Operation::Write(_) => version(&answer.body),
        Operation::Absent(_) | Operation::Batch(_) | Operation::Import(_) => None,
    };
    Outcome {
        tier,
        state,
        version,
    }
}

/// The version of a product, without reading the rest of it.
fn version(body: &[u8]) -> Option<i64> {
    const NAME: &[u8] = b"\"version\":";
    let at = body.windows(NAME.len()).rposition(|part| part == NAME)?;
    let rest = body.get(at + NAME.len()..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use hyper::HeaderMap;

    use super::*;

    fn answer(status: StatusCode, way: &'static str, body: &'static str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("cache-status", way.parse().unwrap());
        Answer {
            status,
            headers,
            body: Bytes::from_static(body.as_bytes()),
            took: Duration::ZERO,
        }
    }

    #[test]
    fn the_headers_of_an_answer_say_who_gave_it() {
        let read = Operation::Read(0);
        let of = |status, way| {
            let outcome = outcome(&read, &answer(status, way, "{}"));
            (outcome.tier, outcome.state)
        };
        let ok = StatusCode::OK;
        assert_eq!(of(ok, "memory; hit"), (Tier::Memory, State::Current));
        assert_eq!(
            of(ok, "memory; hit; detail=stale"),
            (Tier::Memory, State::Stale)
        );
        let remote = "memory; fwd=uri-miss, redis; hit";
        assert_eq!(of(ok, remote), (Tier::Redis, State::Current));
        let loaded = "memory; fwd=uri-miss, redis; fwd=uri-miss, source; fwd=uri-miss; stored";
        assert_eq!(of(ok, loaded), (Tier::Database, State::Current));
        let absent = of(StatusCode::NOT_FOUND, "memory; hit");
        assert_eq!(absent, (Tier::Memory, State::Absent));
        let of_another = of(StatusCode::NOT_FOUND, "");
        assert_eq!(of_another, (Tier::Unknown, State::Error));
        let failed = of(StatusCode::SERVICE_UNAVAILABLE, "");
        assert_eq!(failed, (Tier::Unknown, State::Error));
    }

    #[test]
    fn the_version_is_read_from_the_end_of_a_body() {
        assert_eq!(
            version(br#"{"id":"7","version":12,"updated_at":"x"}"#),
            Some(12)
        );
        assert_eq!(version(br#"{"name":"\"version\":3","version":4}"#), Some(4));
        assert_eq!(version(b"{}"), None);
        assert_eq!(version(br#"{"version":"#), None);
    }
}
