//! A node under judgement: what it is asked, and what was odd about its answers.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tingkat::clock::SystemClock;
use tingkat::ports::{Clock as _, Tick};

use super::end::{End, failed, skipped};
use super::scene::text;
use crate::answer::Answer;
use crate::chained::chained;
use crate::target::Target;

/// More odd answers than this are not remembered.
const MOST_REMEMBERED: usize = 32;

/// A node that hangs up each of so many times says nothing in words.
const HUNG_UP: usize = 5;

/// Between two looks at something that is to come.
const LOOK: Duration = Duration::from_millis(20);

/// A node of the service.
pub struct Node {
    name: String,
    target: Target,
    token: Option<SecretString>,
    /// Answers that were marked as stale.
    marked: Mutex<Vec<String>>,
}

impl Node {
    /// The node at `target`, which lets the holder of this token operate it.
    pub fn new(name: impl Into<String>, target: Target, token: Option<SecretString>) -> Self {
        Self {
            name: name.into(),
            target,
            token,
            marked: Mutex::new(Vec::new()),
        }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether there is a token to operate it with.
    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Waits until it answers at all.
    ///
    /// # Errors
    /// It does not within the time; the text says why.
    pub async fn is_there(&self, within: Duration) -> Result<(), String> {
        self.answers("/livez", within).await
    }

    /// Waits until it takes requests.
    ///
    /// # Errors
    /// It does not within the time; the text says why.
    pub async fn is_ready(&self, within: Duration) -> Result<(), String> {
        self.answers("/readyz", within).await
    }

    /// Waits, for so long at most, until it has reached what it needs or knows that it can not: a node that
    /// has just started is ready before that. What it lacks then is for the checks.
    pub(crate) async fn settles(&self, within: Duration) {
        let began = now();
        while since(began) < within {
            let answer = self.target.get("/readyz").await;
            let body = answer.ok().and_then(|it| it.json().ok());
            let is_connecting = |body: &Value| {
                text(body, "/redis") == "connecting"
                    || body.pointer("/feed/anchored") == Some(&Value::Bool(false))
            };
            if body.is_some_and(|body| !is_connecting(&body)) {
                return;
            }
            pause(LOOK).await;
        }
    }

    async fn answers(&self, path: &str, within: Duration) -> Result<(), String> {
        let began = now();
        loop {
            let why = match self.target.get(path).await {
                Ok(answer) if answer.status == StatusCode::OK => return Ok(()),
                Ok(answer) => {
                    let told = answer.json().unwrap_or_default();
                    let reasons = told.get("reasons").and_then(Value::as_array);
                    let reasons = reasons.into_iter().flatten().filter_map(Value::as_str);
                    let reasons: Vec<&str> = reasons.collect();
                    let status = answer.status.as_u16();
                    format!("{path} answers {status}: {}", reasons.join("; "))
                }
                Err(error) => chained(&error),
            };
            if since(began) >= within {
                return Err(format!("{}: {why}", self.name));
            }
            pause(LOOK * 5).await;
        }
    }

    /// Asks as any client does, with the token.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, End> {
        self.ask(Method::GET, path, &[], "", true).await
    }

    /// The same, with further headers.
    pub(crate) async fn get_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, End> {
        self.ask(Method::GET, path, headers, "", true).await
    }

    /// Sends a body.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Answer, End> {
        self.ask(method, path, &[], &body.to_string(), true).await
    }

    /// The same, of a body that need not be JSON.
    pub(crate) async fn send_text(
        &self,
        method: Method,
        path: &str,
        body: &str,
    ) -> Result<Answer, End> {
        self.ask(method, path, &[], body, true).await
    }

    /// The same, of what is so large that the node may hang up on it: who still writes then may lose the
    /// answer that came before the end, and asks again.
    pub(crate) async fn send_large(
        &self,
        method: Method,
        path: &str,
        body: &str,
    ) -> Result<Answer, End> {
        // So that the connection is not used again.
        let headers = [("connection", "close")];
        let mut asked = 0;
        loop {
            let answer = self.ask(method.clone(), path, &headers, body, true).await;
            asked += 1;
            match answer {
                Err(End::Failed(_)) if asked < HUNG_UP => pause(LOOK).await,
                answer => return answer,
            }
        }
    }

    /// Asks as somebody else does: with these headers and no token.
    pub(crate) async fn stranger(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, End> {
        self.ask(method, path, headers, body, false).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
        with_token: bool,
    ) -> Result<Answer, End> {
        let token = self.token.as_ref().filter(|_| with_token);
        let bearer = token.map(|token| format!("Bearer {}", token.expose_secret()));
        let mut all: Vec<(&str, &str)> = headers.to_vec();
        all.extend(bearer.iter().map(|it| ("authorization", it.as_str())));
        let body = Bytes::copy_from_slice(body.as_bytes());
        let answer = self.target.send_with(method, path, &all, body).await;
        let answer = answer.map_err(|error| match End::from(error) {
            End::Failed(why) | End::Skipped(why) | End::Moot(why) => {
                End::Failed(format!("{}: {}: {why}", self.name, brief(path)))
            }
        })?;
        self.take_in(path, &answer)?;
        Ok(answer)
    }

    fn take_in(&self, path: &str, answer: &Answer) -> Result<(), End> {
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return skipped(format!(
                "{} limits how often this client may ask (server.rate_limit)",
                self.name
            ));
        }
        if let Some(way) = answer
            .header("cache-status")
            .filter(|it| it.contains("stale"))
        {
            let mut marked = self.marked.lock().unwrap_or_else(PoisonError::into_inner);
            if marked.len() < MOST_REMEMBERED {
                marked.push(format!("{}: {}: {way}", self.name, brief(path)));
            }
        }
        Ok(())
    }

    /// Answers that were marked as stale so far.
    pub(crate) fn marked(&self) -> Vec<String> {
        self.marked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The JSON of an answer with this status.
    pub(crate) async fn json(&self, path: &str) -> Result<Value, End> {
        let answer = self.get(path).await?;
        self.read(path, &answer, StatusCode::OK)
    }

    /// The same of an answer that is there already.
    pub(crate) fn read(
        &self,
        path: &str,
        answer: &Answer,
        status: StatusCode,
    ) -> Result<Value, End> {
        let path = brief(path);
        if answer.status != status {
            let code = answer.json().ok();
            let code = code.as_ref().and_then(|it| it.get("code")?.as_str());
            let code = code.map_or_else(String::new, |code| format!(" ({code})"));
            return failed(format!(
                "{}: {path} answers {}{code}, and has to answer {}",
                self.name,
                answer.status.as_u16(),
                status.as_u16()
            ));
        }
        answer.json().or_else(|error| {
            failed(format!(
                "{}: the answer of {path} is no JSON: {error}",
                self.name
            ))
        })
    }

    /// What operators see. Where they are served elsewhere, or a token is missing, it can not be
    /// looked at.
    pub(crate) async fn operators(&self, path: &str) -> Result<Value, End> {
        let answer = self.get(path).await?;
        self.is_open(&answer)?;
        self.read(path, &answer, StatusCode::OK)
    }

    /// Whether an answer came from a door that operators come in by.
    pub(crate) fn is_open(&self, answer: &Answer) -> Result<(), End> {
        let body = answer.json().ok();
        let code = body.as_ref().and_then(|it| it.get("code")?.as_str());
        match code {
            Some("route_unknown") => skipped(format!(
                "{} does not serve operators; name the address of server.admin_listen",
                self.name
            )),
            Some("token_required" | "token_scope") => skipped(format!(
                "{}: TINGKAT_TOKEN has no token with the scopes operate and write",
                self.name
            )),
            Some("tokens_unset") => skipped(format!(
                "{} has no tokens, so nobody may write or operate",
                self.name
            )),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The beginning of a path that may be very long.
fn brief(path: &str) -> &str {
    path.get(..80).unwrap_or(path)
}

/// The time of the system.
pub(crate) fn now() -> Tick {
    SystemClock.now()
}

/// How long ago that was.
pub(crate) fn since(then: Tick) -> Duration {
    SystemClock.now().since(then)
}

/// Lets time go by.
pub(crate) async fn pause(time: Duration) {
    SystemClock.sleep(time).await;
}

/// Looks again and again, until it is so or the time is over; tells what was seen last.
pub(crate) async fn eventually<T, E>(
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<Result<T, E>, End>,
) -> Result<Result<T, E>, End> {
    let began = now();
    loop {
        let seen = look().await?;
        if seen.is_ok() || since(began) >= within {
            return Ok(seen);
        }
        pause(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const REFUSAL: &[u8] = b"HTTP/1.1 413 Too large\r\ncontent-length: 2\r\n\r\n{}";

    /// Hangs up so often on whoever asks, and refuses then.
    async fn answers(hangs_up: usize) -> Result<Answer, End> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::new(listener.local_addr().unwrap());
        let node = Node::new("node", target, None);
        let serves = async {
            for turn in 0.. {
                let (mut client, _) = listener.accept().await.unwrap();
                let _ = client.read(&mut [0; 64]).await;
                if turn >= hangs_up {
                    let _ = client.write_all(REFUSAL).await;
                }
            }
        };
        tokio::select! {
            answer = node.send_large(Method::POST, "/v1/large", "{}") => answer,
            () = serves => unreachable!("it serves for ever"),
        }
    }

    #[tokio::test]
    async fn who_is_hung_up_on_before_the_answer_asks_again_and_not_for_ever() {
        let answer = answers(HUNG_UP - 1).await.unwrap();
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        let End::Failed(why) = answers(HUNG_UP).await.unwrap_err() else {
            panic!("it is no failure");
        };
        assert!(why.contains("the connection ended"), "{why}");
    }
}
