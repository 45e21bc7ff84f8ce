//! Wrong answers to operators and strangers.

use tingkat_lab::verify::{Group, Status};

use super::{Break, How, QUICK, break_all};
use crate::installation::{Installation, judge, those};
use crate::liar::{Asked, Lie};

fn is_write(asked: &Asked) -> bool {
    asked.method == "PATCH" || asked.is("POST", "/v1/forget") || asked.is("POST", "/v1/warm")
}

/// A node on which no run has been, until its check has asked.
const NEVER_WARMED: Lie = Lie::of(|asked, told, memory| {
    let asked_before = memory.entry("asked".to_owned()).or_default();
    if asked.is("GET", "/v1/warm") && asked_before.len() < 2 {
        asked_before.push('1');
        told.becomes(200, "{\"running\":null,\"last\":null,\"next_runs\":[]}");
    }
});

/// The same, of one that need not warm when it starts.
const NEVER_WARMED_AT_START: Lie = Lie::of(|asked, told, memory| {
    (NEVER_WARMED.tells)(asked, told, memory);
    if asked.path == "/readyz" {
        for state in ["done", "incomplete"] {
            told.replace(&format!("\"warm\":\"{state}\""), "\"warm\":null");
        }
    }
});

pub(super) const BREAKS: &[Break] = &[
    Break {
        name: "the configuration has a problem",
        fails: &["config_sound"],
        how: How::Scene(|scene| {
            scene.problems = Ok(vec!["redis.bugdet: there is no such key".to_owned()]);
        }),
    },
    Break {
        name: "a node takes no requests",
        fails: &["ready"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.path == "/readyz" {
                    told.status = 503;
                }
            }),
        ),
    },
    Break {
        name: "an entity goes straight to the database",
        fails: &["cached"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.path == "/v1/caches" {
                    told.body = told
                        .body
                        .replacen("\"mode\":\"cache\"", "\"mode\":\"bypass\"", 1);
                }
            }),
        ),
    },
    Break {
        name: "a node lacks a right in Redis",
        fails: &["redis_connected"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.path == "/readyz" {
                    told.replace("\"redis\":\"up\"", "\"redis\":\"limited\"");
                }
            }),
        ),
    },
    Break {
        name: "the position of a write is of another database",
        fails: &["commit_clock"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.method == "PATCH" {
                    for (name, value) in &mut told.headers {
                        if name == "tingkat-position" {
                            value.push_str("000");
                        }
                    }
                }
            }),
        ),
    },
    Break {
        name: "a warmer never ends",
        fails: &["warm_told", "warm_works"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.is("GET", "/v1/warm") {
                    told.becomes(200, "{\"running\":null,\"last\":null,\"next_runs\":[]}");
                }
            }),
        ),
    },
    Break {
        name: "a warmer that was to run at the start never did",
        fails: &["warm_told"],
        how: How::Lies(1, NEVER_WARMED),
    },
    Break {
        name: "the last run of warming failed",
        fails: &["warm_told"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, memory| {
                // Only what its check asks, so that the next one sees its own run.
                let asked_before = memory.entry("asked".to_owned()).or_default();
                if asked.is("GET", "/v1/warm") && asked_before.len() < 2 {
                    asked_before.push('1');
                    told.replace("\"success\":true", "\"success\":false");
                }
            }),
        ),
    },
    Break {
        name: "health says that the service is not ready",
        fails: &["health_service"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.path == "/v1/health" {
                    told.replace("\"status\":\"ready\"", "\"status\":\"degraded\"");
                }
            }),
        ),
    },
    Break {
        name: "the log is read too seldom",
        fails: &["health_data"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.path == "/v1/health" {
                    told.replace("\"poll_age_ms\":", "\"poll_age_ms\":9999");
                }
            }),
        ),
    },
    Break {
        name: "health says that Redis is away, and it is there",
        fails: &["health_redis"],
        how: How::Lies(
            0,
            Lie::of(|asked, told, _| {
                if asked.path == "/v1/health" {
                    told.replace(
                        "\"redis\":{\"status\":\"up\"",
                        "\"redis\":{\"status\":\"down\"",
                    );
                }
            }),
        ),
    },
    Break {
        name: "an alert is raised",
        fails: &["health_alerts"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.path == "/v1/health" {
                    told.replace(
                        "\"alerts\":[",
                        "\"alerts\":[{\"id\":\"cpu\",\"status\":\"critical\"},",
                    );
                    told.replace("},]", "}]");
                }
            }),
        ),
    },
    Break {
        name: "a page of metrics breaks off",
        fails: &["metrics"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.path == "/metrics" {
                    // Between two lines, so that each of those that are left is whole.
                    let half = told.body.len() / 2;
                    let end = told.body[..half].rfind('\n').unwrap() + 1;
                    told.body.truncate(end);
                }
            }),
        ),
    },
    Break {
        name: "every path is a route",
        fails: &["malformed"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.path == "/v1/nowhere" {
                    told.becomes(200, "{}");
                }
            }),
        ),
    },
    Break {
        name: "a body of any size is read",
        fails: &["oversized"],
        how: How::Lies(
            0,
            Lie::of(|_, told, _| {
                if told.status == 413 {
                    told.becomes(200, "{\"items\":[],\"missing\":[]}");
                }
            }),
        ),
    },
    Break {
        name: "who has no token is let in",
        fails: &["token_missing"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if is_write(asked) && asked.header("authorization").is_none() {
                    told.becomes(200, "{}");
                }
            }),
        ),
    },
    Break {
        name: "a token is accepted by everyone",
        fails: &["token_wrong"],
        how: How::Lies(
            0,
            Lie::of(|asked, told, _| {
                if is_write(asked)
                    && asked
                        .header("authorization")
                        .is_some_and(|it| it.starts_with("Bearer wrong-"))
                {
                    told.becomes(200, "{}");
                }
            }),
        ),
    },
    Break {
        name: "a token is accepted by nobody",
        fails: &["token_right"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.method == "PATCH" && asked.path.ends_with("-absent") && told.status == 404
                {
                    told.becomes(401, "{}");
                }
            }),
        ),
    },
    Break {
        name: "a page shows the token",
        fails: &["secrets"],
        how: How::Lies(
            1,
            Lie::of(|asked, told, _| {
                if asked.path == "/" {
                    told.body.push_str(crate::installation::TOKEN);
                }
            }),
        ),
    },
];

#[tokio::test]
async fn a_node_that_is_not_as_it_should_be_fails_the_check_of_it_and_no_other() {
    break_all(&BREAKS[..10], &QUICK).await;
}

#[tokio::test]
async fn a_door_that_is_open_to_everyone_fails_the_check_of_it_and_no_other() {
    break_all(&BREAKS[10..], &QUICK).await;
}

#[tokio::test]
async fn a_schedule_by_which_nothing_is_to_run_fails_the_check_of_it() {
    let installation = Installation::start().await;
    for (has_schedule, status) in [(false, Status::Passed), (true, Status::Failed)] {
        installation.liars[1].tell(NEVER_WARMED_AT_START);
        let mut scene = installation.scene();
        scene.has_schedule = has_schedule;
        let report = judge(&scene, &[Group::Warming]).await;
        let told = those(&report, status);
        assert!(told.contains("warm_told"), "{has_schedule}: {report:?}");
    }
}
