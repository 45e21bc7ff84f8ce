//! `tingkat healthcheck`: whether a service answers and takes requests, for those who restart it if
//! it does not. It takes no longer than it may.

use std::time::Duration;

use serde_json::{Value, json};
use tingkat_lab::{Answer, AskError, AskErrorKind, Target, ask_socket};

use crate::cli::Healthcheck;
use crate::config::{self, Loaded, Place};
use crate::exit::{Code, Failure};
use crate::output::tell;

impl Place {
    /// The one of the argument, or one where the service that is configured here is reached without
    /// TLS: what is on this machine has no name that a certificate could prove.
    pub(crate) fn find(url: Option<&str>, loaded: Loaded) -> Result<Self, Failure> {
        let Some(url) = url else {
            return config::nearest(&loaded.into_settings()?).ok_or_else(|| {
                Failure::configuration(
                    "server.listen speaks TLS, so that it can not be asked from here: set \
                     server.socket, or server.admin_listen to an address such as 127.0.0.1:9091",
                )
            });
        };
        Ok(match url.strip_prefix("unix:") {
            Some(path) => Self::Socket(path.into()),
            None => Self::Url(url.to_owned()),
        })
    }

    async fn ask(&self, path: &str, deadline: Duration) -> Result<Answer, AskError> {
        match self {
            Self::Socket(socket) => ask_socket(socket, path, deadline).await,
            Self::Url(url) => {
                let target = Target::of_url(url).await?.deadline(deadline);
                target.get(path).await
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Url(url) => config::without_logins(url).into_owned(),
            Self::Socket(path) => format!("unix:{}", path.display()),
        }
    }
}

/// Asks once, and ends as the answer was.
pub(crate) async fn run(arguments: &Healthcheck, place: Place) -> Result<(), Failure> {
    let path = if arguments.live { "/livez" } else { "/readyz" };
    let deadline = Duration::from_secs(arguments.timeout);
    // The name of a host is looked up before the deadline of the request begins.
    let asking = tokio::time::timeout(deadline, place.ask(path, deadline));
    let verdict = match asking.await {
        Ok(Err(error)) if error.kind() == AskErrorKind::Malformed => {
            let tried = format!("failed to ask {}", place.name());
            return Err(Failure::chained(Code::Usage, tried, &error));
        }
        Ok(Err(error)) => Verdict::unreached(&error.to_string()),
        Ok(Ok(answer)) => Verdict::of(&answer),
        Err(_) => Verdict::unreached("no answer within the deadline"),
    };
    let asked = format!("{}{path}", place.name());
    let object = json!({
        "asked": asked,
        "healthy": verdict.is_healthy,
        "status": verdict.status,
        "reasons": verdict.reasons,
    });
    tell(&arguments.report, &verdict.lines(&asked), &object);
    if verdict.is_healthy {
        Ok(())
    } else {
        Err(Failure::said(Code::Unreachable))
    }
}

struct Verdict {
    is_healthy: bool,
    /// The word of the service, or of whoever did not find it.
    status: String,
    reasons: Vec<String>,
}

impl Verdict {
    fn unreached(why: &str) -> Self {
        Self {
            is_healthy: false,
            status: "unreachable".to_owned(),
            reasons: vec![why.to_owned()],
        }
    }

    fn of(answer: &Answer) -> Self {
        let body = answer.json().unwrap_or_default();
        let word = body.get("status").and_then(Value::as_str);
        let reasons = body.get("reasons").and_then(Value::as_array);
        let reasons = reasons.into_iter().flatten();
        let reasons = reasons.filter_map(|reason| reason.as_str().map(str::to_owned));
        match word {
            Some(word) => Self {
                is_healthy: answer.status.is_success(),
                status: word.to_owned(),
                reasons: reasons.collect(),
            },
            // Something answers there, and it is not this service.
            None => Self {
                is_healthy: false,
                status: "foreign".to_owned(),
                reasons: vec![format!("the answer, {}, is none of tingkat", answer.status)],
            },
        }
    }

    fn lines(&self, asked: &str) -> Vec<String> {
        let mut line = format!("{asked}: {}", self.status);
        for reason in &self.reasons {
            line = format!("{line}; {reason}");
        }
        vec![line]
    }
}
