//! A database and a Redis that are not as they should be.

use std::collections::BTreeSet;
use std::sync::Arc;

use tingkat::clock::SystemClock;
use tingkat_lab::verify::{Group, Status};
use tingkat_testkit::free_port;

use super::{Break, How, QUICK, break_all};
use crate::installation::{Installation, PREFIX, SECOND, judge, those, told, url_at};
use crate::liar::Lie;
use crate::program::PATIENCE;
use crate::wiring::{Keys, Store};

/// A node that says that it has no Redis.
const WITHOUT_REDIS: Lie = Lie::of(|asked, told, _| {
    if asked.path == "/readyz" {
        told.replace("\"redis\":\"up\"", "\"redis\":\"off\"");
    }
});

pub(super) const BREAKS: &[Break] = &[
    Break {
        name: "one of the nodes was set up without the Redis of the others",
        // It shares what it says it has not, so that it loads less than is expected of such a node.
        fails: &["redis_connected", "redis_used", "one_load"],
        how: How::Lies(1, WITHOUT_REDIS),
    },
    Break {
        name: "the first node was set up without the Redis that is configured",
        fails: &[
            "redis_connected",
            "redis_round_trip",
            "redis_scripts",
            "redis_used",
            "redis_foreign_bytes",
            "one_load",
        ],
        how: How::Lies(0, WITHOUT_REDIS),
    },
    Break {
        name: "what is written into Redis is not what is read",
        fails: &["redis_round_trip"],
        how: How::Rewrites(" of run ", " of pun "),
    },
    Break {
        name: "a lease is shown as another one",
        fails: &["redis_scripts"],
        how: How::Rewrites("L1111111", "L1111112"),
    },
    Break {
        name: "the nodes write under another prefix",
        fails: &["redis_used", "warm_works"],
        how: How::Scene(|scene| scene.prefix = Ok("it:elsewhere:".to_owned())),
    },
    Break {
        name: "bytes that are no entry become an answer",
        fails: &["redis_foreign_bytes"],
        how: How::Lies(2, Lie::of(|asked, told, _| {
            if asked.path.contains("tingkat-verify-") && told.status == 200 {
                told.replace("\"name\":\"", "\"name\":\"V");
            }
        })),
    },
    Break {
        name: "a full Redis refuses what is new",
        fails: &["redis_policy"],
        how: How::Redis(
            &["CONFIG", "SET", "maxmemory-policy", "noeviction"],
            &["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"],
        ),
    },
    Break {
        name: "Redis is never full",
        fails: &["redis_policy"],
        how: How::Redis(
            &["CONFIG", "SET", "maxmemory", "0"],
            &["CONFIG", "SET", "maxmemory", "256mb"],
        ),
    },
    Break {
        name: "Redis is of an old release",
        fails: &["redis_version"],
        how: How::Rewrites("redis_version:7", "redis_version:5"),
    },
    Break {
        name: "Redis serves whoever comes",
        fails: &["redis_login"],
        how: How::Redis(
            &["ACL", "SETUSER", "default", "nopass"],
            &["ACL", "SETUSER", "default", "resetpass", ">of-the-redis"],
        ),
    },
    Break {
        name: "a column that popularity reads is called otherwise",
        fails: &["tables"],
        how: How::Sql(
            "ALTER TABLE wishlist_line RENAME COLUMN product_id TO product",
            "ALTER TABLE wishlist_line RENAME COLUMN product TO product_id",
        ),
    },
    Break {
        name: "the change log is of another release",
        fails: &["change_log"],
        how: How::Sql(
            "COMMENT ON SCHEMA tingkat IS 'Tingkat change log, version 0'",
            "COMMENT ON SCHEMA tingkat IS 'Tingkat change log, version 1'",
        ),
    },
    Break {
        name: "the triggers of a table are disabled",
        fails: &["change_log", "triggers"],
        how: How::Sql(
            "ALTER TABLE state DISABLE TRIGGER USER",
            "ALTER TABLE state ENABLE TRIGGER USER",
        ),
    },
    Break {
        name: "the triggers of products are disabled",
        fails: &["change_log", "triggers", "fresh", "no_cache", "own_writes"],
        how: How::Sql(
            "ALTER TABLE product DISABLE TRIGGER USER",
            "ALTER TABLE product ENABLE TRIGGER USER",
        ),
    },
    Break {
        name: "the second node reads the log, and hears only of what it wrote itself",
        fails: &["fresh", "no_cache", "own_writes", "forgotten"],
        how: How::Sql(
            "ALTER TABLE tingkat.change ENABLE ROW LEVEL SECURITY;
             CREATE POLICY deaf ON tingkat.change USING (xid = pg_current_xact_id_if_assigned())",
            "DROP POLICY deaf ON tingkat.change;
             ALTER TABLE tingkat.change DISABLE ROW LEVEL SECURITY",
        ),
    },
    Break {
        name: "nothing is folded",
        fails: &["pruning"],
        how: How::Sql(
            "ALTER FUNCTION tingkat.compact(interval, bigint) RENAME TO compact_kept;
             CREATE FUNCTION tingkat.compact(interval, bigint) RETURNS bigint LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$",
            "DROP FUNCTION tingkat.compact(interval, bigint);
             ALTER FUNCTION tingkat.compact_kept(interval, bigint) RENAME TO compact",
        ),
    },
    Break {
        name: "scratch rows can not be removed",
        fails: &["removed"],
        how: How::Sql(
            "CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER kept BEFORE DELETE ON product FOR EACH ROW EXECUTE FUNCTION kept()",
            "DROP TRIGGER kept ON product; DROP FUNCTION kept()",
        ),
    },
];

#[tokio::test]
async fn a_redis_that_is_not_as_it_should_be_fails_the_check_of_it_and_no_other() {
    break_all(&BREAKS[..10], &QUICK).await;
}

#[tokio::test]
async fn a_database_that_is_not_as_it_should_be_fails_the_checks_of_it_and_no_other() {
    break_all(&BREAKS[10..], &QUICK).await;
}

#[tokio::test]
async fn a_node_that_is_cut_off_from_the_database_fails_what_it_can_not_know() {
    let installation = Installation::start().await;
    installation.database_proxy.down().await.unwrap();
    let report = judge(&installation.scene(), &[Group::Freshness, Group::Health]).await;
    let mut failed = those(&report, Status::Failed);
    // It may still find in Redis what the other node has loaded.
    failed.remove("fresh");
    let fails = BTreeSet::from([
        "no_cache",
        "own_writes",
        "forgotten",
        "unmarked",
        "health_service",
        "health_data",
    ]);
    assert_eq!(failed, fails, "{}", told(&report));
}

/// It can load whatever it likes. The log is read after a write as well, which it can not do either.
#[tokio::test]
async fn a_node_whose_feed_alone_is_cut_fails_what_it_can_not_know() {
    let installation = Installation::start().await;
    let sql = format!("REVOKE SELECT ON tingkat.change FROM {SECOND}");
    installation.database.psql(&sql).await.unwrap();
    let report = judge(&installation.scene(), &QUICK).await;
    let fails = BTreeSet::from([
        "commit_clock",
        "no_cache",
        "own_writes",
        "forgotten",
        "unmarked",
        "health_service",
        "health_data",
        "token_right",
    ]);
    let mut failed = those(&report, Status::Failed);
    // What others have loaded it can not take for current: it loads as well, unless it came first.
    failed.remove("one_load");
    assert_eq!(failed, fails, "{}", told(&report));
}

/// What who folds holds.
const FOLDING: &str = "SELECT pg_advisory_lock(hashtextextended('tingkat compact', 0));";

/// An operator folds for long.
#[tokio::test]
async fn a_log_that_another_session_folds_is_not_known_to_be_kept_short() {
    let installation = Installation::start().await;
    let (server, name) = (installation.database.server(), installation.database.name());
    let mut session = server.session(name, PATIENCE).unwrap();
    session.run(FOLDING).await.unwrap();
    let report = judge(&installation.scene(), &[Group::Database]).await;
    assert_eq!(
        those(&report, Status::Failed),
        BTreeSet::new(),
        "{}",
        told(&report)
    );
    let skipped = BTreeSet::from(["pruning"]);
    assert_eq!(
        those(&report, Status::Skipped),
        skipped,
        "{}",
        told(&report)
    );
}

/// Who writes products for the scratch rows, and nothing else.
const WRITER: &str = "
    DO $$ BEGIN CREATE ROLE product_writer LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO product_writer;
    GRANT INSERT, UPDATE, DELETE ON product TO product_writer;
    GRANT USAGE ON SCHEMA tingkat TO product_writer;
    GRANT SELECT ON ALL TABLES IN SCHEMA tingkat TO product_writer";

#[tokio::test]
async fn tables_that_may_not_be_changed_are_not_known_to_be_told() {
    let installation = Installation::start().await;
    let database = &installation.database;
    database.psql(WRITER).await.unwrap();
    let url = database.url();
    let (_, place) = url.split_once('@').unwrap();
    let url = format!("postgres://product_writer@{place}");
    let url = url.parse().unwrap();
    let config = tingkat_sql::Config::default();
    let opened = tingkat_sql::Database::open(&url, &config);
    let probe = tingkat_sql::Probe::new(opened.await.unwrap());
    let mut scene = installation.scene();
    scene.store = Ok(Arc::new(Store(probe)));
    let report = judge(&scene, &[Group::Database]).await;
    let triggers = report.judged.iter().find(|it| it.check.id == "triggers");
    let triggers = triggers.unwrap();
    assert_eq!(triggers.status, Status::Skipped, "{}", told(&report));
    let why = "a change of category can not be made: ";
    assert!(triggers.detail.contains(why), "{}", triggers.detail);
    assert!(!triggers.detail.contains("no row"), "{}", triggers.detail);
}

const DOWN: Lie = Lie::of(|asked, told, _| {
    if asked.path == "/v1/health" {
        told.replace(
            "\"redis\":{\"status\":\"up\"",
            "\"redis\":{\"status\":\"down\"",
        );
    }
});

/// The other path leads to nobody, and the nodes have a Redis.
#[tokio::test]
async fn that_redis_is_away_is_true_where_it_is_and_a_lie_where_a_node_says_otherwise() {
    let installation = Installation::start().await;
    let mut scene = installation.scene();
    let at = url_at(&installation.redis, free_port().unwrap());
    let config = tingkat_redis::Config::new(at.parse().unwrap(), PREFIX);
    let probe = tingkat_redis::Probe::start(config, Arc::new(SystemClock));
    scene.redis = Ok(Arc::new(Keys(probe)));
    let report = judge(&scene, &[Group::Health]).await;
    let failed = those(&report, Status::Failed);
    assert!(failed.contains("health_redis"), "{}", told(&report));
    installation.liars[0].tell(DOWN);
    installation.liars[1].tell(DOWN);
    let report = judge(&scene, &[Group::Health]).await;
    let passed = those(&report, Status::Passed);
    assert!(passed.contains("health_redis"), "{}", told(&report));
}
