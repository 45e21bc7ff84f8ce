//! Making the checks: one after the other, none for longer than its own time, and all of them for no
//! longer than the time of the run.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::check::{Check, Found, Group};
use super::checks::{CHECKS, REMOVED};
use super::end::End;
use super::node::{now, since};
use super::report::{Judged, Report, Status};
use super::scene::Scene;

/// Makes the checks of these groups, until `stop`, and for as long as `bound`: those that have no verdict
/// by then are skipped. `hear` is told of each.
///
/// What was written stays until [`clean_up`].
pub async fn run(
    scene: &Scene,
    groups: &[Group],
    bound: Duration,
    stop: &CancellationToken,
    hear: impl Fn(&Judged),
) -> Report {
    let mut report = Report::default();
    let began = now();
    let wanted = CHECKS.iter().filter(|check| check.id != REMOVED);
    for check in wanted.filter(|check| groups.contains(&check.group)) {
        let left = bound.saturating_sub(since(began));
        let judging = async {
            if left.is_zero() {
                return None;
            }
            tokio::time::timeout(left, judge(check, scene)).await.ok()
        };
        let asked = now();
        let Some(judged) = stop.run_until_cancelled(judging).await else {
            report.is_interrupted = true;
            break;
        };
        let judged = judged.unwrap_or_else(|| {
            report.is_out_of_time = true;
            let detail = format!("the run may take {bound:?} (--timeout), and they were over");
            Judged {
                check,
                status: Status::Skipped,
                took: since(asked),
                detail,
            }
        });
        hear(&judged);
        report.judged.push(judged);
    }
    report
}

/// Removes what was written, and judges whether that is gone. Whoever started scratch instances has
/// stopped them before, so that none writes again.
pub async fn clean_up(scene: &Scene, report: &mut Report, hear: impl Fn(&Judged)) {
    for check in CHECKS.iter().filter(|check| check.id == REMOVED) {
        let judged = judge(check, scene).await;
        hear(&judged);
        report.judged.push(judged);
    }
}

/// Makes one check, for as long as it may take.
async fn judge(check: &'static Check, scene: &Scene) -> Judged {
    let began = now();
    let found = tokio::time::timeout(check.within, (check.judge)(scene)).await;
    let found: Found = found.unwrap_or_else(|_| {
        let within = check.within;
        Err(End::Failed(format!("no verdict within {within:?}")))
    });
    let (status, detail) = match found {
        Ok(detail) => (Status::Passed, detail),
        Err(End::Failed(detail)) => (Status::Failed, detail),
        Err(End::Skipped(detail)) => (Status::Skipped, detail),
        Err(End::Moot(detail)) => (Status::Moot, detail),
    };
    Judged {
        check,
        status,
        took: since(began),
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::check::Group;

    const fn check(id: &'static str, judge: super::super::check::Judge) -> Check {
        Check {
            id,
            group: Group::Database,
            sentence: "it answers",
            remedy: "wait",
            within: Duration::from_millis(50),
            judge,
        }
    }

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn what_a_run_has_no_time_for_is_skipped_and_no_success() {
        let stop = CancellationToken::new();
        let mut scene = Scene::new("run", Vec::new());
        // The first check of the group would pass.
        scene.problems = Ok(Vec::new());
        let report = run(
            &scene,
            &[Group::Configuration],
            Duration::ZERO,
            &stop,
            |_| (),
        )
        .await;
        let made = CHECKS.iter().filter(|it| it.group == Group::Configuration);
        assert_eq!(report.judged.len(), made.count());
        assert_eq!(report.count(Status::Skipped), report.judged.len());
        assert!(report.judged[0].detail.contains("--timeout"));
        assert!(report.is_out_of_time && !report.is_success());
        let told = crate::verify::summary(&report).join("\n");
        assert!(told.contains("Its time was over"), "{told}");
    }

    #[tokio::test]
    async fn a_check_that_hangs_has_failed_when_its_time_is_over() {
        static HANGS: Check = check("hangs", |_| Box::pin(std::future::pending()));
        let judged = judge(&HANGS, &Scene::new("run", Vec::new())).await;
        assert_eq!(judged.status, Status::Failed);
        assert_eq!(judged.detail, "no verdict within 50ms");
        assert!(judged.took >= Duration::from_millis(50));
    }

    #[tokio::test]
    async fn a_run_that_is_stopped_makes_no_more_checks_and_is_no_success() {
        let stop = CancellationToken::new();
        let scene = Scene::new("run", Vec::new());
        let hear = |_: &Judged| stop.cancel();
        let report = run(&scene, &Group::ALL, LONG, &stop, hear).await;
        assert!(report.is_interrupted && !report.is_success());
        assert_eq!(report.judged.len(), 1);
    }

    #[tokio::test]
    async fn what_can_not_be_looked_at_is_skipped_and_no_success() {
        let stop = CancellationToken::new();
        let mut scene = Scene::new("run", Vec::new());
        scene.is_read_only = true;
        let report = run(&scene, &[Group::Database], LONG, &stop, |_| ()).await;
        assert_eq!(report.count(Status::Skipped), report.judged.len());
        assert!(!report.is_success());
        assert!(report.success_rate() < 0.001);
        for judged in &report.judged {
            assert!(!judged.detail.is_empty(), "{}", judged.check.id);
        }
    }
}
