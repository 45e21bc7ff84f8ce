//! The one table of checks.

use std::time::Duration;

use super::check::{Check, Group};
use super::{
    categories, configuration, failure, freshness, health, limits, postcodes, products, redis_tier,
    stampede, store, warming,
};

/// The check that is made when all others were and their nodes are stopped.
pub(crate) const REMOVED: &str = "removed";

macro_rules! checks {
    ($($group:ident { $($id:literal $seconds:literal $judge:expr, $sentence:literal, $remedy:literal;)* })*) => {
        /// Every check, in the order in which they are made.
        pub const CHECKS: &[Check] = &[$($(Check {
            id: $id,
            group: Group::$group,
            sentence: $sentence,
            remedy: $remedy,
            within: Duration::from_secs($seconds),
            judge: |scene| Box::pin($judge(scene)),
        },)*)*];
    };
}

checks! {
    Configuration {
        "config_sound" 5 configuration::sound,
            "the configuration has no problem",
            "run `tingkat config check`, which tells the place of each problem";
        "ready" 10 configuration::ready,
            "every node takes requests",
            "ask /readyz for its reasons";
        "cached" 5 configuration::cached,
            "every entity is cached",
            "set entity.<name>.mode to \"cache\"";
    }
    Redis {
        "redis_connected" 5 redis_tier::connected,
            "every node is connected to Redis and lacks nothing there",
            "grant what /readyz names, or mend redis.url";
        "redis_round_trip" 5 redis_tier::round_trip,
            "what is written into Redis can be read and removed",
            "see whether Redis is a replica, full, or denies this user writing";
        "redis_scripts" 5 redis_tier::scripts,
            "a lease is held by one node at a time",
            "grant eval, evalsha, getrange, pttl and pexpire";
        "redis_used" 15 redis_tier::used,
            "what a node has loaded lies in Redis for the others",
            "see whether the nodes and this configuration have one Redis and one key prefix";
        "redis_foreign_bytes" 15 redis_tier::foreign_bytes,
            "bytes that are no entry are a miss and never an answer",
            "let nobody else write keys under the prefix, and report this as a bug";
        "redis_policy" 5 redis_tier::policy,
            "a full Redis evicts instead of refusing",
            "CONFIG SET maxmemory-policy allkeys-lfu, and a maxmemory";
        "redis_version" 5 redis_tier::version,
            "Redis is of a release that has all that is needed",
            "use Redis 6.2 or later, or Valkey";
        "redis_login" 5 redis_tier::login,
            "Redis serves nobody who does not log in",
            "ACL SETUSER default off";
        "redis_tls" 5 redis_tier::tls,
            "Redis serves nobody who speaks without TLS",
            "set `port 0` and `tls-port` in the configuration of Redis";
    }
    Database {
        "tables" 10 store::tables,
            "the store's tables are there and can be read",
            "run `tingkat schema check`";
        "change_log" 10 store::change_log,
            "the change log is there, with all its triggers and rights",
            "run `tingkat schema install`";
        "triggers" 15 store::triggers,
            "what is committed by anything is told in the change log",
            "run `tingkat schema install`, then `tingkat schema check`";
        "pruning" 15 store::pruning,
            "the change log is kept short",
            "run `tingkat schema compact`, which says what stands in its way";
        "commit_clock" 10 store::commit_clock,
            "the position of a write is its transaction in this database",
            "give the nodes and this command the same source.url, of the primary";
    }
    Postcodes {
        "postcodes_true" 10 postcodes::true_to_the_store,
            "postcodes are answered as the database has them",
            "run `tingkat forget postcode --all --yes`, and report this as a bug";
        "postcode_unknown" 5 postcodes::unknown,
            "a postcode that there is not is answered with 404 and valid: false",
            "look for what stands between this command and the service";
        "postcode_written" 5 postcodes::written,
            "what is no postcode is refused, and white space is ignored",
            "look for what stands between this command and the service";
    }
    Products {
        "products_true" 15 products::true_to_the_store,
            "products are answered as the database has them",
            "see whether the nodes read this database, and report this as a bug if they do";
        "product_ways" 10 products::ways,
            "a product is the same by every way to it",
            "run `tingkat forget product --all --yes`, and report this as a bug";
        "product_unknown" 5 products::unknown,
            "a product that there is not is answered with 404",
            "look for what stands between this command and the service";
        "product_revalidation" 5 products::revalidation,
            "who has the answer is told by 304 that it holds",
            "let no proxy take the headers ETag and If-None-Match away";
    }
    Categories {
        "categories_true" 10 categories::true_to_the_store,
            "categories are answered as the database has them",
            "run `tingkat forget categories --all --yes`, and report this as a bug";
        "category_listing" 15 categories::listing,
            "a listing shows what the database has in the category, as it is",
            "run `tingkat schema check`, and report this as a bug if it passes";
        "category_unknown" 5 categories::unknown,
            "a category that there is not is answered with 404",
            "look for what stands between this command and the service";
    }
    Freshness {
        "fresh" 20 freshness::everywhere,
            "a value that is changed in the database is seen on every node within the bound",
            "see /readyz of that node, and `tingkat schema check`";
        "no_cache" 10 freshness::insisted,
            "who sends no-cache gets what was committed before",
            "let no proxy take Cache-Control from requests or answer by itself";
        "own_writes" 15 freshness::own_writes,
            "who writes reads what he wrote, on every node",
            "give all nodes the same source.url, and pass Tingkat-Position on";
        "forgotten" 15 freshness::forgotten,
            "what is forgotten is served by no node",
            "see whether all nodes follow the change log of one database";
        "unmarked" 5 freshness::unmarked,
            "no answer is marked as stale while the database is there",
            "see why the nodes lose the database: its log, its connections, the network";
    }
    Stampede {
        "one_load" 15 stampede::one_load,
            "many who ask for one cold key are one load",
            "see whether Redis is connected: without it every node loads once";
    }
    Warming {
        "warm_told" 5 warming::told,
            "the last run of warming was a success",
            "run `tingkat warm`, which tells why keys failed";
        "warm_works" 15 warming::works,
            "what is warmed is a hit in memory and lies in Redis",
            "run `tingkat warm`, which tells why keys failed";
    }
    Health {
        "health_service" 10 health::service,
            "the service says that it can answer",
            "run `tingkat health`";
        "health_data" 10 health::data,
            "the data is as true as was promised",
            "run `tingkat health`";
        "health_redis" 10 health::redis,
            "what the service says of Redis is so",
            "see whether the nodes and this configuration have one Redis";
        "health_alerts" 5 health::alerts,
            "no alert is raised",
            "run `tingkat health`, which says what to do about each";
        "metrics" 5 health::metrics,
            "what is counted can be scraped",
            "look for what stands between this command and the service";
    }
    Failure {
        "redis_refused" 25 failure::refused,
            "answers are right and in time while Redis refuses connections",
            "report this as a bug";
        "redis_reset" 25 failure::reset,
            "answers are right and in time while Redis resets connections",
            "report this as a bug";
        "redis_black_hole" 25 failure::black_hole,
            "answers are right and in time while Redis says nothing",
            "see redis.budget and redis.breaker, and report this as a bug";
        "redis_slow" 25 failure::slow,
            "answers are right and in time while Redis is slow",
            "see redis.budget and redis.breaker, and report this as a bug";
        "redis_cut" 25 failure::cut,
            "answers are right and in time while the answers of Redis break off",
            "report this as a bug";
    }
    Limits {
        "malformed" 5 limits::malformed,
            "what can not be read is refused in words",
            "look for what stands between this command and the service";
        "oversized" 5 limits::oversized,
            "what is too large is refused",
            "see server.uri_bytes and server.body_bytes";
        "token_missing" 5 limits::token_missing,
            "nobody writes or operates without a token",
            "set server.tokens, and let no proxy add a token";
        "token_wrong" 5 limits::token_wrong,
            "a token that is none opens nothing",
            "set server.tokens, and let no proxy replace a token";
        "token_right" 5 limits::token_right,
            "a token opens what it is for",
            "give TINGKAT_TOKEN a token with the scopes operate and write";
        "secrets" 10 limits::secrets,
            "no page shows a secret",
            "replace the secret, and report this as a bug";
        "removed" 30 limits::removed,
            "what this command wrote is gone",
            "delete products tingkat-verify-*; keys go by themselves";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PAGE: &str = include_str!("../../../../docs/verify.md");

    #[test]
    fn the_page_tells_every_check_in_order_and_no_other() {
        let told: Vec<&str> = PAGE
            .lines()
            .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
            .collect();
        let checks: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
        assert_eq!(told, checks);
        let groups: Vec<&str> = PAGE
            .lines()
            .filter_map(|it| it.strip_prefix("## "))
            .collect();
        let titles: Vec<&str> = Group::ALL.iter().map(|group| group.title()).collect();
        assert!(
            groups.windows(titles.len()).any(|some| some == titles),
            "{groups:?}"
        );
    }

    #[test]
    fn the_page_says_of_each_check_what_is_promised_and_what_to_do() {
        for check in CHECKS {
            let (_, rest) = PAGE.split_once(&format!("### `{}`\n", check.id)).unwrap();
            let section = rest.split("\n#").next().unwrap().replace('\n', " ");
            for text in [check.sentence, check.remedy] {
                assert!(
                    section.contains(text),
                    "{}: {text:?} is not in {section}",
                    check.id
                );
            }
        }
    }

    #[test]
    fn checks_are_in_the_order_of_their_groups_and_have_names_of_their_own() {
        assert!(CHECKS.is_sorted_by_key(|check| check.group));
        let names: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
        assert_eq!(names.len(), CHECKS.len());
        let last = CHECKS.last().map(|check| check.id);
        assert_eq!(last, Some(REMOVED));
    }
}
