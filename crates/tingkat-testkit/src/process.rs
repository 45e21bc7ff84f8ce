//! A server process: spawned, signalled and reaped by its own process id.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::children::children_of;
use crate::deadline::eventually;
use crate::error::{Error, Result};
use crate::home::Home;

/// How long a server may take until it answers, and until it has ended.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(20);

/// How many ports are tried before we believe that something else is wrong.
pub(crate) const PORT_ATTEMPTS: usize = 5;

/// How much of a server's log goes into an error.
const LOG_LINES: usize = 40;

/// What a server writes when its port is taken.
const TAKEN: &str = "Address already in use";

/// How a server is ended when nobody needs it any more.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// SIGKILL to it and its children (a Redis that saves has one). What they could still write
    /// would not outlive their folder.
    KillGroup,
    /// SIGQUIT, which is `PostgreSQL`'s immediate shutdown: children and shared memory go too.
    Quit,
}

/// A running server. Dropping it ends it and waits until it is gone.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    ending: Ending,
    home: Arc<Home>,
    /// Where in the log this process begins.
    log_from: usize,
}

impl Process {
    /// Starts `command` with its output appended to the log of `home`.
    pub(crate) fn spawn(
        name: &'static str,
        mut command: Command,
        ending: Ending,
        home: &Arc<Home>,
    ) -> Result<Self> {
        let log_from = fs::read(home.log()).map_or(0, |log| log.len());
        let log = File::options()
            .create(true)
            .append(true)
            .open(home.log())
            .map_err(Error::io("open the server's log"))?;
        let errors = log
            .try_clone()
            .map_err(Error::io("open the server's log"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .current_dir(home.path())
            // Messages in English, whatever the developer speaks.
            .env("LC_ALL", "C")
            .process_group(0)
            .spawn()
            .map_err(Error::running(name))?;
        let process = Self {
            name,
            child,
            ending,
            home: Arc::clone(home),
            log_from,
        };
        home.guard(ending.signal_name(), &ending.target(process.id()))?;
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `probe` gets an answer.
    ///
    /// # Errors
    /// The process has exited, or nothing came in time; with its log.
    pub(crate) async fn ready<T, F>(&mut self, mut probe: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Option<T>>,
    {
        let answer = eventually(READY_WITHIN, || {
            let (status, answer) = (self.exit_status(), probe());
            async move {
                match status {
                    Some(status) => Some(Err(status)),
                    None => answer.await.map(Ok),
                }
            }
        })
        .await;
        let name = self.name;
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(status)) => {
                let problem = format!("{name} ended with {status}; {}", self.log());
                Err(if problem.contains(TAKEN) {
                    Error::lost_port(problem)
                } else {
                    Error::new(problem)
                })
            }
            Err(_) => Err(Error::new(format!(
                "{name} did not answer within {READY_WITHIN:?}; {}",
                self.log()
            ))),
        }
    }

    /// How the process has ended, if it has.
    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        // Fails only for a process that is not our child.
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal, unless the process has ended. Until we reap it, its number is its own.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.exit_status().is_none() {
            kill_process(Pid::from_child(&self.child), signal)
                .map_err(|e| Error::io(format!("signal {}", self.name))(e.into()))?;
        }
        Ok(())
    }

    /// Sends a signal to the process and those of its children that have not left its group.
    fn signal_group(&mut self, signal: Signal) -> Result<()> {
        if self.exit_status().is_none() {
            kill_process_group(Pid::from_child(&self.child), signal)
                .map_err(|e| Error::io(format!("signal {}", self.name))(e.into()))?;
        }
        Ok(())
    }

    /// Sends a signal to the children of the process. While it is stopped it reaps none of them, so
    /// that their numbers are their own.
    pub(crate) fn signal_children(&self, signal: Signal) -> Result<()> {
        for child in children_of(self.id())? {
            match kill_process(child, signal) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(e) => {
                    return Err(Error::io(format!("signal a child of {}", self.name))(
                        e.into(),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Sends a signal that ends the process, and waits until it has.
    pub(crate) async fn end_by(mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        eventually(READY_WITHIN, || {
            std::future::ready(self.exit_status().is_some())
        })
        .await
        .map_err(|_| {
            let name = self.name;
            Error::new(format!("{name} did not end; {}", self.log()))
        })
    }

    /// The end of what this process has logged.
    fn log(&self) -> String {
        let log = fs::read(self.home.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(log.get(self.log_from..).unwrap_or_default());
        let skipped = log.lines().count().saturating_sub(LOG_LINES);
        let lines: Vec<&str> = log.lines().skip(skipped).collect();
        format!("the end of its log:\n{}", lines.join("\n"))
    }
}

/// Repeats a start on a fixed port while somebody has it: the kernel may have lent it to a passing
/// connection while the server was down.
pub(crate) async fn once_port_is_free<F>(mut start: impl FnMut() -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    eventually(READY_WITHIN, || {
        let started = start();
        async move {
            match started.await {
                Err(e) if e.is_lost_port() => None,
                done => Some(done),
            }
        }
    })
    .await?
}

impl Drop for Process {
    fn drop(&mut self) {
        // A stopped process takes no signal but KILL. All of this fails only for a process that has
        // ended, which is what we want.
        let _ = self.signal(Signal::CONT);
        let _ = match self.ending {
            Ending::KillGroup => self.signal_group(Signal::KILL),
            Ending::Quit => self.signal(Signal::QUIT),
        };
        let _ = self.child.wait();
        let _ = self.home.release();
    }
}

impl Ending {
    fn signal_name(self) -> &'static str {
        match self {
            Self::KillGroup => "KILL",
            Self::Quit => "QUIT",
        }
    }

    /// What gets the signal, in the words of `kill`.
    fn target(self, pid: u32) -> String {
        match self {
            Self::KillGroup => format!("-{pid}"),
            Self::Quit => pid.to_string(),
        }
    }
}
