//! A service that runs, as the commands that operate it reach it.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tingkat_lab::{Answer, AskError, AskErrorKind, Method, StatusCode, Target};

use crate::cli;
use crate::config::{self, Loaded, Surroundings};
use crate::exit::{Code, Failure};

/// A service and what opens it.
pub(crate) struct RunningNode {
    url: String,
    token: Option<SecretString>,
}

impl RunningNode {
    /// The service of the flag, or the one that is configured here.
    pub(crate) fn find(
        flags: &cli::Service,
        loaded: Loaded,
        surroundings: &Surroundings,
    ) -> Result<Self, Failure> {
        let token = surroundings.token();
        let token = token.map_err(|problem| Failure::problems(vec![problem]))?;
        let url = match &flags.url {
            Some(url) => url.clone(),
            None => config::operators(&loaded.into_settings()?).ok_or_else(|| {
                Failure::configuration(
                    "operators are served over TLS here, which commands do not speak: set \
                     server.admin_listen to a loopback address such as 127.0.0.1:9091, where it is \
                     not needed",
                )
            })?,
        };
        Ok(Self { url, token })
    }

    #[cfg(test)]
    pub(crate) const fn at(url: String) -> Self {
        Self { url, token: None }
    }

    /// Asks for a path.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, path, String::new()).await
    }

    /// Sends a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(Method::POST, path, body.to_string()).await
    }

    /// Sends a JSON body; nothing where the answer is the problem of this code.
    pub(crate) async fn post_unless(
        &self,
        code: &str,
        path: &str,
        body: &Value,
    ) -> Result<Option<Value>, Failure> {
        let answer = self.send(Method::POST, path, body.to_string()).await?;
        let problem = answer.json().ok().filter(|_| !answer.status.is_success());
        let found = problem
            .as_ref()
            .and_then(|problem| problem.get("code")?.as_str());
        if found == Some(code) {
            return Ok(None);
        }
        read(&answer).map(Some)
    }

    /// Ends what a path stands for.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Failure> {
        let answer = self.send(Method::DELETE, path, String::new()).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(());
        }
        read(&answer).map(drop)
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> Result<Value, Failure> {
        read(&self.send(method, path, body).await?)
    }

    async fn send(&self, method: Method, path: &str, body: String) -> Result<Answer, Failure> {
        let unreached = |error: AskError| {
            let code = if error.kind() == AskErrorKind::Malformed {
                Code::Usage
            } else {
                Code::Unreachable
            };
            let url = config::without_logins(&self.url);
            Failure::chained(code, format!("failed to ask the service at {url}"), &error)
        };
        let target = Target::of_url(&self.url).await.map_err(unreached)?;
        let bearer = self.token.as_ref();
        let bearer = bearer.map(|token| format!("Bearer {}", token.expose_secret()));
        let headers: Vec<(&str, &str)> = bearer
            .iter()
            .map(|bearer| ("authorization", bearer.as_str()))
            .collect();
        let answer = target.send_with(method, path, &headers, body).await;
        answer.map_err(unreached)
    }
}

/// The JSON of an answer, or what its problem says.
fn read(answer: &Answer) -> Result<Value, Failure> {
    let status = answer.status;
    let body = answer.json().ok();
    if let Some(body) = body.as_ref().filter(|_| status.is_success()) {
        return Ok(body.clone());
    }
    let member = |name: &str| body.as_ref().and_then(|body| body.get(name)?.as_str());
    let line = match (member("title"), member("detail")) {
        (Some(title), Some(detail)) => format!("{title}: {detail}"),
        _ => format!("the service answered {status}, which is no answer of tingkat"),
    };
    let help = match member("code") {
        Some("token_required") => "; TINGKAT_TOKEN has the token that is sent",
        _ => "",
    };
    let code = if status.is_server_error() {
        Code::Unreachable
    } else {
        Code::Usage
    };
    Err(Failure::new(code, format!("{line}{help}")))
}
