//! How long a program takes from its start to its first right answer.

use std::process::ExitStatus;
use std::time::Duration;

use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::answer::Answer;
use crate::target::Target;

/// Between two questions; also how exact the measurement is.
const PAUSE: Duration = Duration::from_millis(1);

/// A program that has started. Dropping it kills the process.
#[derive(Debug)]
pub struct Start {
    /// The process; to have it gone before going on, `kill` it and wait.
    pub process: Child,
    /// Until it took a connection. Answers may still be a long way off.
    pub listening: Duration,
    /// Until its first right answer.
    pub answered: Duration,
}

/// Why there was no right answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The program can not be run.
    #[error("failed to run the program")]
    Run(#[source] std::io::Error),
    /// The program ended.
    #[error("the program ended with {0} before it gave a right answer")]
    Ended(ExitStatus),
    /// The program runs, and gave no right answer.
    #[error("no right answer within {0:?}")]
    Deadline(Duration),
}

/// Runs `command`, which shall serve `target`, and asks for `path` until the answer is right.
///
/// # Errors
/// The answer was not right `within` the time; the process is killed.
pub async fn measure(
    command: &mut Command,
    target: &Target,
    path: &str,
    mut is_right: impl FnMut(&Answer) -> bool,
    within: Duration,
) -> Result<Start, StartError> {
    let started = SystemClock.now();
    let mut process = command
        .kill_on_drop(true)
        .spawn()
        .map_err(StartError::Run)?;
    let (mut listening, mut answered) = (None, None);
    let asking = async {
        while answered.is_none() {
            if let Some(status) = process.try_wait().map_err(StartError::Run)? {
                return Err(StartError::Ended(status));
            }
            let since_start = || Some(SystemClock.now().since(started));
            if listening.is_none() && TcpStream::connect(target.address()).await.is_ok() {
                listening = since_start();
            }
            match target.get(path).await {
                Ok(answer) if is_right(&answer) => answered = since_start(),
                Ok(_) | Err(_) => SystemClock.sleep(PAUSE).await,
            }
        }
        Ok(())
    };
    tokio::time::timeout(within, asking)
        .await
        .unwrap_or(Err(StartError::Deadline(within)))?;
    // Whoever has answered has taken a connection.
    let answered = answered.unwrap_or(within);
    Ok(Start {
        process,
        listening: listening.unwrap_or(answered),
        answered,
    })
}
