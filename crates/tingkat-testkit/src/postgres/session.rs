//! A connection that stays open: one `psql` that is fed statement by statement.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::error::{Error, Result};
use crate::program::Program;

/// A connection with its transaction, which ends with this value.
#[derive(Debug)]
pub struct Session {
    /// Kills it when dropped.
    _psql: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    asked: u64,
    deadline: Duration,
}

/// Why a statement has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The server refused it; the connection goes on.
    #[error("{message} (SQLSTATE {state})")]
    Refused {
        /// Its SQLSTATE.
        state: String,
        /// Its words.
        message: String,
    },
    /// The connection has ended, or did not answer in time. Whether the statement was carried out
    /// is not known.
    #[error("the connection has ended")]
    Ended,
}

impl Session {
    /// Starts this `psql`, which has everything but its input.
    pub(crate) fn start(psql: Program, deadline: Duration) -> Result<Self> {
        let mut psql = psql.spawn(|command| {
            // Its errors are asked for with each statement.
            command.stderr(Stdio::null());
        })?;
        let missing = || Error::new("psql has no input or no output");
        let input = psql.stdin.take().ok_or_else(missing)?;
        let output = psql.stdout.take().ok_or_else(missing)?;
        Ok(Self {
            _psql: psql,
            input,
            output: BufReader::new(output).lines(),
            asked: 0,
            deadline,
        })
    }

    /// Runs statements, each closed by `;`, and returns what they print: a line per row, columns
    /// parted by `|`.
    ///
    /// # Errors
    /// The last of them was refused (as is all that follows an error in a transaction, but for its
    /// `COMMIT`, which ends it as a `ROLLBACK` would), or the connection has ended.
    pub async fn run(&mut self, sql: &str) -> Result<String, SessionError> {
        self.asked += 1;
        let end = format!("end-of-answer-{} ", self.asked);
        let script = format!("{sql}\n\\echo {end} :ERROR :SQLSTATE :LAST_ERROR_MESSAGE\n");
        let answer = tokio::time::timeout(self.deadline, self.exchange(&script, &end)).await;
        let (answer, fate) = answer.ok().flatten().ok_or(SessionError::Ended)?;
        let mut fate = fate.splitn(3, ' ');
        if fate.next() == Some("true") {
            let mut next = || fate.next().unwrap_or_default().to_owned();
            return Err(SessionError::Refused {
                state: next(),
                message: next(),
            });
        }
        Ok(answer.join("\n"))
    }

    /// What is printed before the line with this beginning, and the rest of that line.
    async fn exchange(&mut self, script: &str, end: &str) -> Option<(Vec<String>, String)> {
        self.input.write_all(script.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        loop {
            let line = self.output.next_line().await.ok()??;
            match line.strip_prefix(end) {
                Some(fate) => return Some((answer, fate.trim().to_owned())),
                None => answer.push(line),
            }
        }
    }
}
