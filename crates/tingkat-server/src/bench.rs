//! `tingkat bench`: how fast this installation is, tier by tier.
//!
//! What is measured and how it is judged is in `tingkat-lab`; here is what it is measured on.

mod bare;
mod clean;
mod in_process;
mod keys;
mod onlooker;
mod outputs;
mod place;
mod plain_redis;
mod ready;

use std::sync::Arc;

use secrecy::ExposeSecret;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat_lab::AskErrorKind;
use tingkat_lab::bench::workload::preset_text;
use tingkat_lab::bench::{
    BenchError, Environment, HttpSubject, Plan, Progress, Report, Subject, run as measure,
};
use tokio_util::sync::CancellationToken;

use bare::Loads;
use in_process::InProcess;
use onlooker::Onlooker;
use place::Place;
use plain_redis::PlainRedis;

use crate::cli::bench::{Against, Bench, Wanted, listed};
use crate::config::{self, Environment as Profile, Loaded, Surroundings};
use crate::exit::{Code, Failure};
use crate::output::print;
use crate::signals::Interrupts;

/// Measures, tells, and cleans up.
pub(crate) async fn run(
    arguments: &Bench,
    loaded: Loaded,
    surroundings: &Surroundings,
) -> Result<(), Failure> {
    if arguments.list {
        print(&listed());
        return Ok(());
    }
    if arguments.print_workload {
        let text = preset_text(&arguments.name);
        print(text.map_err(|error| Failure::new(Code::Usage, error.to_string()))?);
        return Ok(());
    }
    let wanted = arguments.wanted()?;
    if loaded.settings.environment == Profile::Unknown {
        return Err(Failure::problems(loaded.problems));
    }
    let is_production = loaded.settings.environment == Profile::Production;
    if is_production && !arguments.allow_production {
        let line = "this is configured for production, where a benchmark takes its time from \
                    customers; --allow-production measures all the same";
        return Err(Failure::new(Code::Usage, line));
    }
    let (interrupts, stop) = (Interrupts::listen()?, CancellationToken::new());
    let outcome = {
        let work = work(arguments, &wanted, loaded, surroundings, &stop);
        let mut work = std::pin::pin!(work);
        tokio::select! {
            outcome = &mut work => outcome,
            () = interrupts.first() => {
                stop.cancel();
                tokio::select! {
                    outcome = &mut work => outcome,
                    () = interrupts.second() => {
                        let line = "stopped at once; keys that are left in redis end by themselves";
                        Err(Failure::new(Code::Interrupted, line))
                    }
                }
            }
        }
    };
    outputs::tell(arguments, &wanted, outcome?)
}

async fn work(
    arguments: &Bench,
    wanted: &Wanted,
    loaded: Loaded,
    surroundings: &Surroundings,
    stop: &CancellationToken,
) -> Result<Report, Failure> {
    match &arguments.url {
        Some(url) => {
            let subject = over_http(arguments, wanted, url, surroundings);
            let subject = stop.run_until_cancelled(subject).await;
            let subject = subject.ok_or_else(stopped)??;
            let environment = environment().with("target", subject.about());
            Box::pin(with(wanted, arguments, &[subject], environment, stop)).await
        }
        None => Box::pin(here(arguments, wanted, loaded, stop)).await,
    }
}

fn environment() -> Environment {
    Environment::here(SystemClock.wall_ms())
}

async fn over_http(
    arguments: &Bench,
    wanted: &Wanted,
    url: &str,
    surroundings: &Surroundings,
) -> Result<Arc<dyn Subject>, Failure> {
    if !arguments.against.is_empty() {
        let line = "--against measures beside this process and not beside --url; leave one out";
        return Err(Failure::new(Code::Usage, line));
    }
    if wanted.workload.breaks_redis() {
        let line = format!(
            "{} breaks the way to Redis, which is done in process alone; leave --url out",
            wanted.workload.name
        );
        return Err(Failure::new(Code::Usage, line));
    }
    if wanted.workload.writes() && !arguments.allow_writes {
        return Err(no_writes(&wanted.workload.name, "the service"));
    }
    let token = surroundings.token();
    let token = token.map_err(|problem| Failure::problems(vec![problem]))?;
    let shown = config::without_logins(url);
    let subject = HttpSubject::of_url(
        url,
        &shown,
        wanted.workload.entity,
        token.as_ref().map(ExposeSecret::expose_secret),
    );
    let subject = subject.await.map_err(|error| {
        let code = if error.kind() == AskErrorKind::Malformed {
            Code::Usage
        } else {
            Code::Unreachable
        };
        Failure::chained(
            code,
            format!("failed to ask the service at {shown}"),
            &error,
        )
    })?;
    if !subject.is_here() && !arguments.allow_production {
        let line = format!(
            "{shown} is another machine, whose customers a benchmark takes time from, and it does not \
             tell whether it is for production; --allow-production measures it"
        );
        return Err(Failure::new(Code::Usage, line));
    }
    Ok(Arc::new(subject.may_forget(arguments.allow_forget)))
}

fn stopped() -> Failure {
    Failure::new(Code::Interrupted, "stopped before anything was measured")
}

/// Writes change the versions of products that belong to somebody.
fn no_writes(workload: &str, whose: &str) -> Failure {
    let line = format!(
        "{workload} writes products of {whose}: each write adds 0 to the stock, so that only the \
         version and the time of the last change differ; --allow-writes does it"
    );
    Failure::new(Code::Usage, line)
}

/// Measures the caches of the service in this process.
async fn here(
    arguments: &Bench,
    wanted: &Wanted,
    loaded: Loaded,
    stop: &CancellationToken,
) -> Result<Report, Failure> {
    // Nothing is written to Redis by it that would have to be removed.
    let preparing = Box::pin(Place::prepare(wanted, loaded));
    let place = stop.run_until_cancelled(preparing).await;
    let place = Arc::new(place.ok_or_else(stopped)??);
    if wanted.workload.writes() && !place.is_own() && !arguments.allow_writes {
        return Err(no_writes(&wanted.workload.name, "the configured database"));
    }
    let outcome = Box::pin(measured_at(&place, arguments, wanted, stop)).await;
    // Also after a failure and after Ctrl-C: nothing is left behind.
    let cleaned = place.clean().await;
    let report = outcome?;
    cleaned?;
    Ok(report)
}

async fn measured_at(
    place: &Arc<Place>,
    arguments: &Bench,
    wanted: &Wanted,
    stop: &CancellationToken,
) -> Result<Report, Failure> {
    let mut subjects: Vec<Arc<dyn Subject>> = vec![Arc::new(InProcess::new(place, wanted)?)];
    for against in &arguments.against {
        subjects.push(match against {
            Against::Redis => Arc::new(PlainRedis::new(place, wanted)?),
            Against::Database => Arc::new(Loads::new(place, wanted)?),
        });
    }
    let mut environment = environment();
    for (name, value) in &place.details {
        environment = environment.with(name, value);
    }
    let report = with(wanted, arguments, &subjects, environment, stop).await;
    for subject in &subjects {
        subject.close().await;
    }
    report
}

async fn with(
    wanted: &Wanted,
    arguments: &Bench,
    subjects: &[Arc<dyn Subject>],
    environment: Environment,
    stop: &CancellationToken,
) -> Result<Report, Failure> {
    let plan = Plan {
        workload: wanted.workload.clone(),
        trace: wanted.trace.clone(),
        seed: arguments.seed,
        runs: arguments.runs,
        environment,
    };
    let onlooker = Onlooker::new(!arguments.quiet, !arguments.no_progress);
    let progress = |progress: Progress<'_>| onlooker.hear(progress);
    let report = measure(&plan, subjects, stop, &progress).await;
    onlooker.end();
    report.map_err(|error| {
        let code = if let BenchError::Subject { source, .. } = &error
            && source.is_unreachable()
        {
            Code::Unreachable
        } else if matches!(error, BenchError::Subject { .. } | BenchError::Workload(_)) {
            Code::Usage
        } else {
            Code::Unexpected
        };
        Failure::chained(code, "nothing was measured", &error)
    })
}
