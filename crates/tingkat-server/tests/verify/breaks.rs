//! Each promise, broken.

mod answers;
mod failures;
mod neighbours;
mod operations;

use std::collections::BTreeSet;

use tingkat_lab::verify::{CHECKS, Group, Scene, Status};

use crate::installation::{Installation, PASSWORD, USER, judge, those, told};
use crate::liar::Lie;

/// What is done to a sound installation, and the checks that must fail then.
pub(crate) struct Break {
    pub(crate) name: &'static str,
    pub(crate) fails: &'static [&'static str],
    pub(crate) how: How,
}

/// How it is broken.
pub(crate) enum How {
    /// A node, by its number, lies.
    Lies(usize, Lie),
    /// An operator changes the database; how he changes it back.
    Sql(&'static str, &'static str),
    /// An operator changes Redis; how he changes it back.
    Redis(&'static [&'static str], &'static [&'static str]),
    /// Words in the answers of Redis, and others of the same length.
    Rewrites(&'static str, &'static str),
    /// The faults happen to somebody else.
    Elsewhere,
    /// It is set up otherwise.
    Scene(fn(&mut Scene)),
}

/// All groups but that of failures, which takes its time.
const QUICK: [Group; 11] = [
    Group::Configuration,
    Group::Redis,
    Group::Database,
    Group::Postcodes,
    Group::Products,
    Group::Categories,
    Group::Freshness,
    Group::Stampede,
    Group::Warming,
    Group::Health,
    Group::Limits,
];

/// Breaks one thing after the other, and asserts that exactly the right checks fail.
async fn break_all(breaks: &[Break], groups: &[Group]) {
    let installation = Installation::start().await;
    let mut wrong = Vec::new();
    for one in breaks {
        let mut scene = installation.scene();
        begin(&installation, &one.how, &mut scene).await;
        let report = judge(&scene, groups).await;
        end(&installation, &one.how).await;
        let failed = those(&report, Status::Failed);
        if failed != one.fails.iter().copied().collect() {
            let (name, fails) = (one.name, one.fails);
            wrong.push(format!(
                "{name}: {fails:?} must fail, and this did not pass:\n{}",
                told(&report)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let report = judge(&installation.scene(), groups).await;
    assert_eq!(
        those(&report, Status::Failed),
        BTreeSet::new(),
        "{}",
        told(&report)
    );
}

async fn begin(installation: &Installation, how: &How, scene: &mut Scene) {
    match how {
        How::Lies(node, lie) => installation.liars[*node].tell(*lie),
        How::Sql(sql, _) => drop(installation.database.psql(sql).await.unwrap()),
        How::Redis(command, _) => as_shop(installation, command).await,
        How::Rewrites(what, by) => installation.rewriter.rewrite(Some((what, by))),
        How::Elsewhere => {
            if let Ok(failing) = &mut scene.failing {
                failing.proxy = installation.idle();
            }
        }
        How::Scene(change) => change(scene),
    }
}

async fn end(installation: &Installation, how: &How) {
    match how {
        How::Lies(node, _) => installation.liars[*node].tell_the_truth(),
        How::Sql(_, sql) => drop(installation.database.psql(sql).await.unwrap()),
        How::Redis(_, command) => as_shop(installation, command).await,
        How::Rewrites(..) => installation.rewriter.rewrite(None),
        How::Elsewhere | How::Scene(_) => {}
    }
}

async fn as_shop(installation: &Installation, command: &[&str]) {
    let redis = &installation.redis;
    let answer = redis.cmd_as(USER, PASSWORD, command).await.unwrap();
    assert_eq!(answer.text().as_deref(), Some("OK"), "{command:?}");
}

#[test]
fn every_check_has_been_seen_to_fail() {
    let all = [
        answers::BREAKS,
        failures::BREAKS,
        neighbours::BREAKS,
        operations::BREAKS,
        crate::command::BREAKS,
    ];
    let broken: BTreeSet<&str> = all
        .into_iter()
        .flatten()
        .flat_map(|it| it.fails)
        .copied()
        .collect();
    let checks: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
    let never: Vec<&&str> = checks.difference(&broken).collect();
    assert!(
        never.is_empty(),
        "no test breaks what these promise: {never:?}"
    );
    let unknown: Vec<&&str> = broken.difference(&checks).collect();
    assert!(unknown.is_empty(), "there are no such checks: {unknown:?}");
}
