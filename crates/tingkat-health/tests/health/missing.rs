//! What nobody was told is unknown, what is gone stays gone, and what is full is no better than what
//! fills up.

use std::time::Duration;

use tingkat_health::check::Status;
use tingkat_health::{
    DataState, Field, Look, Monitor, Neighbour, Observed, RedisState, Server, SourceState,
    readiness,
};

use crate::stage::{Stage, bad, busy, look, said};

#[test]
fn of_several_servers_one_that_is_silent_leaves_unknown_what_the_others_are_well_at() {
    let (mut stage, server) = Stage::busy();
    let mut with_silent = |change: fn(&mut Server)| {
        let mut other = server.clone();
        change(&mut other);
        stage.look(other, |look| {
            let servers = &mut look.redis.as_mut().unwrap().servers;
            servers.push(Server::unknown("10.0.0.2:6379"));
        });
        said(&stage.last, "clients").clone()
    };
    let told = with_silent(|_| {});
    assert_eq!(told.status, Status::Unknown);
    assert_eq!(told.evidence, ["server=10.0.0.2:6379"]);
    let told = with_silent(|it| it.set(Field::ConnectedClients, 9_900.0));
    assert_eq!(told.status, Status::Critical);
}

#[test]
fn a_server_that_is_silent_is_named_and_hides_what_the_others_say_from_nobody() {
    let (mut stage, server) = Stage::busy();
    let whole = stage.last.cache;
    stage.look(server, |look| {
        let servers = &mut look.redis.as_mut().unwrap().servers;
        servers.push(Server::unknown("10.0.0.2:6379"));
    });
    assert_eq!(bad(&stage.last), [("redis_limited", Status::Warning)]);
    let told = said(&stage.last, "redis_limited");
    assert_eq!(told.evidence, ["silent=10.0.0.2:6379"]);
    let advice = told.recommendation.as_deref().unwrap();
    assert!(advice.contains("10.0.0.2:6379 does not answer"), "{advice}");
    let half = stage.last.cache;
    assert!(half.score < whole.score, "{half:?}");
    assert!(half.coverage < 0.75 * whole.coverage, "{half:?}");
}

#[test]
fn whether_a_server_is_of_a_cluster_is_unknown_unless_it_says_so() {
    let status = |change: fn(&mut Server)| {
        let mut server = busy();
        server.is_clustered = None;
        change(&mut server);
        said(&Stage::seen(&server, 3).last, "cluster_state").status
    };
    assert_eq!(status(|_| {}), Status::Unknown);
    assert_eq!(status(|it| it.is_clustered = Some(false)), Status::Skipped);
    // It may be asked about the cluster, and not for INFO.
    let failed = |it: &mut Server| it.set(Field::ClusterFailed, 1.0);
    assert_eq!(status(failed), Status::Critical);
}

#[test]
fn a_cluster_that_calls_itself_down_is_bad_however_many_of_it_are_silent() {
    let mut server = busy();
    server.is_clustered = Some(true);
    server.set(Field::ClusterFailed, 1.0);
    let mut stage = Stage::seen(&server, 7);
    stage.look(server, |look| {
        let servers = &mut look.redis.as_mut().unwrap().servers;
        servers.extend((2..9).map(|n| Server::unknown(format!("10.0.0.{n}:6379"))));
    });
    let cache = stage.last.cache;
    assert!(cache.coverage < 0.5, "{cache:?}");
    assert!(cache.score.unwrap() <= 19.0, "{cache:?}");
}

#[test]
fn without_a_name_of_the_process_and_its_age_nobody_knows_of_restarts() {
    let status = |change: fn(&mut Server)| {
        let mut server = busy();
        change(&mut server);
        said(&Stage::seen(&server, 3).last, "redis_restarts").status
    };
    assert_eq!(status(|_| {}), Status::Ok);
    assert_eq!(status(|it| it.run_id = None), Status::Ok);
    let neither = |it: &mut Server| {
        it.run_id = None;
        it.unset(Field::Uptime);
    };
    assert_eq!(status(neither), Status::Unknown);
}

#[test]
fn what_was_not_written_and_not_compared_is_neither_well_nor_ill() {
    let (mut stage, server) = Stage::busy();
    let status = |stage: &Stage, id| said(&stage.last, id).status;
    assert_eq!(status(&stage, "big_values"), Status::Unknown);
    assert_eq!(status(&stage, "audit"), Status::Unknown);
    assert_eq!(status(&stage, "tier_failures"), Status::Unknown);
    stage.look(server, |look| {
        look.data.audited = 1;
        look.redis.as_mut().unwrap().written.record(100);
        look.redis.as_mut().unwrap().round_trips.record(100);
    });
    assert_eq!(status(&stage, "big_values"), Status::Ok);
    assert_eq!(status(&stage, "audit"), Status::Ok);
    assert_eq!(status(&stage, "tier_failures"), Status::Ok);
}

#[test]
fn without_what_carries_it_nobody_knows_how_true_the_data_is() {
    let data = |change: fn(&mut Look)| {
        let (mut stage, server) = Stage::busy();
        stage.look(server, change).data
    };
    assert_eq!(data(|_| {}), Status::Ok);
    let unknown = |look: &mut Look| look.observed.data = DataState::Unknown;
    assert_eq!(data(unknown), Status::Unknown);
    assert_eq!(data(|look| look.data.poll_age = None), Status::Unknown);
    // What is wrong all the same is told.
    let ill = |look: &mut Look| {
        look.data.poll_age = None;
        look.data.differing = 1;
        look.data.audited = 1;
    };
    assert_eq!(data(ill), Status::Critical);
}

#[test]
fn the_service_is_not_ready_without_what_its_operator_insists_on() {
    use readiness::Status::{NotReady, Ready};
    let observed = |required| Observed {
        source: SourceState::Up,
        source_was_ever_up: true,
        redis: RedisState::Down {
            why: "refused".into(),
        },
        data: DataState::Unknown,
        required,
        ..Observed::default()
    };
    let service = |required| tingkat_health::report::service(&observed(required));
    assert_eq!(service(vec![]), Ready);
    assert_eq!(service(vec![Neighbour::Redis]), NotReady);
    assert_eq!(service(vec![Neighbour::Data]), NotReady);
    assert_eq!(service(vec![Neighbour::Source]), Ready);
}

#[test]
fn replicas_that_are_gone_are_missed_until_they_are_back_or_nobody_knew_them() {
    let mut server = busy();
    server.set(Field::Replicas, 2.0);
    let mut stage = Stage::seen(&server, 7);
    server.set(Field::Replicas, 1.0);
    // An hour later as well.
    stage.see_again(&server, 360);
    assert_eq!(bad(&stage.last), [("replicas_lost", Status::Warning)]);
    let told = said(&stage.last, "replicas_lost");
    assert_eq!(told.evidence[1], "connected_slaves_before=2");
    let mut back = server.clone();
    back.set(Field::Replicas, 2.0);
    assert_eq!(bad(stage.see(back)), []);
    server.run_id = Some("b".repeat(40));
    stage.see_again(&server, 40);
    assert_eq!(bad(&stage.last), []);
}

#[test]
fn what_is_full_has_no_time_left() {
    let mut server = busy();
    server.policy = Some("noeviction".into());
    for used in [2e9, 2.1e9] {
        server.set(Field::UsedMemory, used);
        let stage = Stage::seen(&server, 2);
        let told = said(&stage.last, "memory_time_to_full");
        assert_eq!((told.status, told.value), (Status::Critical, Some(0.0)));
    }
}

#[test]
fn the_window_that_is_told_is_the_one_that_was_seen() {
    let mut monitor = Monitor::default();
    let mut window = |at| {
        let report = monitor.take(look(Duration::from_secs(at), busy()));
        let told = said(&report, "rejected_connections");
        (told.status, told.window_s)
    };
    assert_eq!(window(0), (Status::Unknown, Some(60)));
    assert_eq!(window(10), (Status::Ok, Some(10)));
    // A minute apart and a little more: there is something to compare with all the same.
    assert_eq!(window(76), (Status::Ok, Some(66)));
    assert_eq!(window(141), (Status::Ok, Some(65)));
    assert_eq!(window(300), (Status::Unknown, Some(60)));
}

#[test]
fn a_server_that_answers_and_may_not_be_used_is_told_from_one_that_is_away() {
    let (mut stage, server) = Stage::busy();
    let report = stage.look(server, |look| {
        let redis = look.redis.as_mut().unwrap();
        redis.is_usable = false;
        redis.limit = Some("the user lacks the command GET".into());
    });
    let told = said(report, "redis_reachable");
    assert!(told.status.is_bad());
    assert!(
        told.evidence
            .contains(&"why=the user lacks the command GET".to_owned())
    );
    let advice = told.recommendation.as_ref().unwrap();
    assert!(
        advice.contains("answers, but may not be used: the user lacks")
            && !advice.contains("firewall"),
        "{advice}"
    );
}

#[test]
fn calls_of_our_own_that_fail_are_a_share_of_all_of_them() {
    let (mut stage, server) = Stage::busy();
    let mut with = |answered: u64, failures| {
        let report = stage.look(server.clone(), |look| {
            let redis = look.redis.as_mut().unwrap();
            (0..answered).for_each(|_| redis.round_trips.record(100));
            redis.failures = failures;
        });
        let told = said(report, "tier_failures");
        (told.status, told.value)
    };
    assert_eq!(with(980, 20), (Status::Warning, Some(2.0)));
    assert_eq!(with(980, 980), (Status::Critical, Some(50.0)));
    // One among three is none of a third.
    assert_eq!(with(2, 1), (Status::Ok, Some(1.0)));
}
