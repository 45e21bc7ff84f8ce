//! `tingkat verify`: whether an installation keeps its promises.
//!
//! The lab judges. Here stands what it judges, and by what: nodes, the database, Redis.

mod stage;
mod wiring;

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::time::Duration;

use tingkat_lab::verify::{self, Group, Judged, Report, Scene};
use tokio_util::sync::CancellationToken;

use crate::cli::{Verify, VerifyFormat};
use crate::config::{Loaded, Surroundings, wants_no_colour};
use crate::exit::{Code, Failure};
use crate::output::{print, tell};
use crate::signals::Interrupts;
use stage::Stage;

/// A node that runs answers within this.
const THERE: Duration = Duration::from_secs(3);

/// A node that has just started has reached what it needs within this.
const SETTLED: Duration = Duration::from_secs(4);

/// The connections are closed within this, or left to the system.
const CLOSED: Duration = Duration::from_secs(5);

/// Judges what the arguments name.
pub(crate) async fn run(
    arguments: &Verify,
    loaded: Loaded,
    surroundings: &Surroundings,
) -> Result<(), Failure> {
    // It waits for start-up, and is given the time of a run as well.
    let within = arguments.wait.unwrap_or_default() + arguments.timeout;
    let interrupts = Interrupts::listen()?;
    let mut stage = Stage::empty();
    let set = tokio::time::timeout(within, stage.set(arguments, loaded, surroundings));
    let set = tokio::select! {
        set = set => set.unwrap_or_else(|_| {
            let line = format!("what the run needs was not there after {within:?}");
            Err(Failure::new(Code::Unreachable, line))
        }),
        () = interrupts.next() => Err(Failure::new(Code::Interrupted, "stopped")),
    };
    let report = judge(arguments, stage, set, &interrupts).await?;
    match arguments.format {
        _ if arguments.report.json => tell(&arguments.report, &[], &report.object()),
        VerifyFormat::Whole => print(&format!("\n{}\n", verify::summary(&report).join("\n"))),
        VerifyFormat::Short => {
            for line in verify::short(&report) {
                print(&format!("{line}\n"));
            }
        }
    }
    if report.is_interrupted {
        return Err(Failure::said(Code::Interrupted));
    }
    if report.is_success() {
        return Ok(());
    }
    Err(Failure::said(Code::Failed))
}

/// Makes all checks where all that they need is there, and removes what was written, however that ended.
async fn judge(
    arguments: &Verify,
    stage: Stage,
    set: Result<(), Failure>,
    interrupts: &Interrupts,
) -> Result<Report, Failure> {
    let list = List::new(arguments);
    let hear = |judged: &Judged| list.hear(judged);
    let mut report = match set {
        Ok(()) => until_stopped(arguments, &stage.scene, hear, interrupts).await,
        Err(failure) => Err(failure),
    };
    let cleaning = async {
        let stage = stage.leave().await;
        match &mut report {
            Ok(report) => verify::clean_up(&stage.scene, report, hear).await,
            // Nodes of the run may have written before a judged one was found not to answer.
            Err(_) => verify::clean_up(&stage.scene, &mut Report::default(), |_| ()).await,
        }
        drop(tokio::time::timeout(CLOSED, stage.close()).await);
        report
    };
    tokio::select! {
        report = cleaning => report,
        () = interrupts.next() => {
            let line = "stopped at once; products tingkat-verify-* may be left";
            Err(Failure::new(Code::Interrupted, line))
        }
    }
}

/// Makes the checks until they are made, or until Ctrl-C.
async fn until_stopped(
    arguments: &Verify,
    scene: &Scene,
    hear: impl Fn(&Judged),
    interrupts: &Interrupts,
) -> Result<Report, Failure> {
    let stop = CancellationToken::new();
    let judging = async {
        let there = are_there(scene, arguments.wait);
        let there = stop.run_until_cancelled(there).await;
        if let Some(Err(why)) = there {
            return Err(Failure::new(Code::Unreachable, why));
        }
        Ok(verify::run(scene, &Group::ALL, arguments.timeout, &stop, hear).await)
    };
    let mut judging = std::pin::pin!(judging);
    tokio::select! {
        report = &mut judging => return report,
        () = interrupts.next() => stop.cancel(),
    }
    judging.await
}

/// Waits until every node takes requests; where nobody asked for that, only whether it answers: that it is
/// not ready is for the checks. A node that has just started may still be about to connect.
async fn are_there(scene: &Scene, wait: Option<Duration>) -> Result<(), String> {
    let waits = scene.nodes.iter().map(async |node| match wait {
        Some(wait) => node.is_ready(wait).await,
        None => node.is_there(THERE).await,
    });
    let waits = futures::future::join_all(waits).await;
    let why: Vec<String> = waits.into_iter().filter_map(Result::err).collect();
    if !why.is_empty() {
        return Err(why.join("; "));
    }
    scene.settles(SETTLED).await;
    Ok(())
}

/// What is printed while checks are made.
struct List {
    is_wanted: bool,
    has_colour: bool,
    group: Cell<Option<Group>>,
}

impl List {
    fn new(arguments: &Verify) -> Self {
        let is_whole = arguments.format == VerifyFormat::Whole;
        Self {
            is_wanted: is_whole && !arguments.report.json,
            has_colour: std::io::stdout().is_terminal() && !wants_no_colour(),
            group: Cell::new(None),
        }
    }

    fn hear(&self, judged: &Judged) {
        if !self.is_wanted {
            return;
        }
        let group = judged.check.group;
        if self.group.replace(Some(group)) != Some(group) {
            print(&format!("{}\n", group.title()));
        }
        print(&format!("{}\n", verify::line(judged, self.has_colour)));
    }
}
