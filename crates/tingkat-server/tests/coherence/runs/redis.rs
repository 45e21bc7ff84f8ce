//! Redis, or the way to it, does not work: nobody notices but the database.

use std::time::Duration;

use tingkat_faults::{Control, Direction};

use crate::history::{Harm, Once};
use crate::probes::Probes;
use crate::scene::{Plan, Scene};

/// Much more than a request may spend on Redis.
const SLOW: Duration = Duration::from_millis(200);

/// An answer to a look-up is longer; many are cut in the middle.
const CUT_AFTER_BYTES: u64 = 3_000;

/// For so long it is looked whether a fault keeps nodes from each other's cells.
const BITE: Duration = Duration::from_millis(500);

/// Without Redis each node loads what it needs, once.
fn counted(name: &'static str) -> Plan {
    Plan {
        counts_loads: Some(Once::EachNode),
        ..Plan::new(name)
    }
}

/// For longer than the bound Redis is as `hurt` leaves it; `mend` makes it well. Meanwhile no node
/// finds what another one has loaded, and soon after each does.
async fn hurt_for_a_while(
    plan: Plan,
    hurt: impl AsyncFnOnce(&Scene),
    mend: impl AsyncFnOnce(&Scene),
) {
    let bites = async |scene: &Scene, probes: &Probes| {
        let is_used = probes.hit(0, BITE, scene).await;
        assert!(!is_used, "the fault keeps nobody from Redis");
    };
    hurt_and_look(plan, hurt, bites, mend).await;
}

async fn hurt_and_look(
    plan: Plan,
    hurt: impl AsyncFnOnce(&Scene),
    look: impl AsyncFnOnce(&Scene, &Probes),
    mend: impl AsyncFnOnce(&Scene),
) {
    let scene = Scene::begin(plan).await;
    let probes = Probes::of_one_place();
    probes.answer(&scene).await;
    let fault = scene.fault(scene.plan.name, Harm::Redis, None);
    hurt(&scene).await;
    look(&scene, &probes).await;
    scene
        .goes_on(scene.plan.bound + Duration::from_secs(1))
        .await;
    mend(&scene).await;
    probes.come_again(&scene, fault).await;
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

/// The same, where all ways to Redis are hurt.
async fn hurt_ways(name: &'static str, hurt: impl AsyncFn(Control)) {
    let hurt = async |scene: &Scene| {
        for node in &scene.nodes {
            hurt(node.redis().control().await).await;
        }
    };
    hurt_for_a_while(counted(name), hurt, heal_ways).await;
}

async fn heal_ways(scene: &Scene) {
    for node in &scene.nodes {
        node.redis().control().await.heal().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_killed() {
    let kill = async |scene: &Scene| scene.redis.kill();
    let restart = async |scene: &Scene| scene.redis.restart().await.unwrap();
    hurt_for_a_while(counted("redis: killed"), kill, restart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_a_black_hole() {
    hurt_ways("redis: black hole", async |way| {
        way.pause(Direction::Both);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn redis_refuses_connections() {
    hurt_ways("redis: refused", async |way| way.down().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn redis_resets_connections() {
    hurt_ways("redis: reset", async |way| way.reset().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn redis_is_slow() {
    hurt_ways("redis: 200 ms slow", async |way| {
        way.delay(Direction::Down, SLOW, SLOW / 10);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn redis_is_cut_in_the_middle_of_replies() {
    let cut = async |scene: &Scene| {
        for node in &scene.nodes {
            let way = node.redis().control().await;
            way.cut_after(Direction::Down, CUT_AFTER_BYTES);
        }
    };
    // Between two cuts some answers get through.
    let look = async |_: &Scene, _: &Probes| {};
    hurt_and_look(counted("redis: cut in mid-reply"), cut, look, heal_ways).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn redis_is_away_for_one_node_alone() {
    let cut = async |scene: &Scene| {
        let node = scene.nodes.first().unwrap();
        node.redis().control().await.down().await.unwrap();
    };
    let heal = async |scene: &Scene| {
        let node = scene.nodes.first().unwrap();
        node.redis().control().await.heal().await.unwrap();
    };
    hurt_for_a_while(counted("redis: away for one node"), cut, heal).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn redis_is_stopped() {
    let stop = async |scene: &Scene| scene.redis.stop().unwrap();
    let cont = async |scene: &Scene| scene.redis.cont().unwrap();
    hurt_for_a_while(counted("redis: SIGSTOP"), stop, cont).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn redis_is_read_only() {
    // The replica of a master that is not there takes no writes.
    let demote = async |scene: &Scene| {
        let nobody = tingkat_testkit::free_port().unwrap().to_string();
        let command = ["REPLICAOF", "127.0.0.1", &nobody];
        scene.redis.cmd(&command).await.unwrap();
    };
    let promote = async |scene: &Scene| {
        let command = ["REPLICAOF", "NO", "ONE"];
        scene.redis.cmd(&command).await.unwrap();
    };
    hurt_for_a_while(counted("redis: READONLY"), demote, promote).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn redis_is_loading() {
    // About a hundred keys: it loads for as long as the others last.
    let per_key = Duration::from_millis(40);
    let plan = Plan {
        redis: tingkat_testkit::Redis::config().slow_load(per_key),
        ..counted("redis: LOADING")
    };
    let reload = async |scene: &Scene| {
        scene.redis.cmd(&["SAVE"]).await.unwrap();
        scene.redis.restart_loading().await.unwrap();
        assert_eq!(scene.redis.info("loading").await.unwrap(), "1");
    };
    hurt_for_a_while(plan, reload, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn redis_wants_another_password() {
    const PASSWORD: &str = "changed";
    let change = async |scene: &Scene| {
        let redis = &scene.redis;
        let command = ["CONFIG", "SET", "requirepass", PASSWORD];
        redis.cmd(&command).await.unwrap();
        // Those who are logged in would stay so.
        let command = ["CLIENT", "KILL", "TYPE", "normal"];
        redis.cmd_as("default", PASSWORD, &command).await.unwrap();
    };
    let change_back = async |scene: &Scene| {
        let command = ["CONFIG", "SET", "requirepass", ""];
        let answer = scene.redis.cmd_as("default", PASSWORD, &command);
        answer.await.unwrap();
    };
    hurt_for_a_while(counted("redis: wrong password"), change, change_back).await;
}
