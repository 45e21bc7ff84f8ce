//! What the command does, whoever does the work: asks for keys, tells progress, ends as it should.

use std::path::Path;

use tingkat::warm::End;

use super::on_node::Broken;
use super::told::Progress;
use super::{in_process, on_node, told};
use crate::cli::Warm;
use crate::config::{Loaded, Surroundings};
use crate::exit::{Code, Failure};
use crate::output::tell;
use crate::signals::Interrupts;

/// Warms, and tells what came of it.
pub(crate) async fn run(
    arguments: &Warm,
    loaded: Loaded,
    surroundings: &Surroundings,
) -> Result<(), Failure> {
    let interrupts = Interrupts::listen()?;
    let progress = Progress::new(!arguments.no_progress);
    let outcome = if arguments.url.is_some() {
        on_node::warm(arguments, loaded, surroundings, &progress, &interrupts).await
    } else {
        let report = in_process::warm(arguments, loaded, &progress, &interrupts).await;
        report.map_err(Broken::from)
    };
    progress.end();
    let (report, failure) = match outcome {
        Ok(report) => (report, None),
        // What was done is told, whatever came then.
        Err(Broken { failure, so_far }) => match so_far {
            Some(report) => (report, Some(failure)),
            None => return Err(failure),
        },
    };
    let object = serde_json::to_value(&report)
        .map_err(|error| Failure::unexpected(format!("failed to write the report: {error}")))?;
    tell(&arguments.report, &told::lines(&report), &object);
    if let Some(failure) = failure {
        return Err(failure);
    }
    if report.end == End::Cancelled {
        return Err(Failure::said(Code::Interrupted));
    }
    if report.success || report.dry_run {
        return Ok(());
    }
    Err(Failure::said(Code::Failed))
}

/// What a file is called in messages.
pub(super) fn name_of(path: &Path) -> String {
    if path.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}
