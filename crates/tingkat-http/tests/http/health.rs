//! `GET /v1/health`: three answers, with what they rest on.

use std::time::Duration;

use axum::http::header;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tingkat_health::{
    Data, DataState, Entity, Field, Look, Monitor, Neighbour, Observed, Redis, RedisState, Server,
    SourceState, Withheld,
};

use crate::store::Store;

async fn health(store: &Store) -> Value {
    serde_json::from_str(&store.body("/v1/health").await).unwrap()
}

fn members(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// A server that refuses writes, and a cache that was asked.
pub(crate) fn look(at: u64) -> Look {
    let mut server = Server::unknown("10.0.0.1:6379");
    server.is_reached = true;
    server.policy = Some("noeviction".into());
    for (field, value) in [
        (Field::UsedMemory, 95.0),
        (Field::MaxMemory, 100.0),
        (Field::ConnectedClients, 9.0),
        (Field::MaxClients, 10_000.0),
    ] {
        server.set(field, value);
    }
    Look {
        at: Duration::from_secs(at),
        wall_ms: 1_777_636_800_000 + at * 1_000,
        redis: Some(Redis {
            servers: vec![server],
            is_usable: true,
            ..Redis::default()
        }),
        entities: vec![Entity {
            name: "product".into(),
            memory_hits: at * 30,
            memory_misses: at * 10,
            redis_hits: at * 5,
            redis_misses: at * 5,
            absent_answers: at,
            entries: 12,
            bytes: 3_456,
            ..Entity::default()
        }],
        data: Data::default(),
        observed: Observed {
            source: SourceState::Up,
            source_was_ever_up: true,
            redis: RedisState::Up,
            data: DataState::Whole,
            ..Observed::default()
        },
        facts: vec![tingkat_health::look::Fact {
            entity: "product".into(),
            name: "low_stock".into(),
            value: 7,
        }],
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_first_look_it_is_collecting_and_no_error() {
    let store = Store::new();
    let told = health(&store).await;
    assert_eq!(
        members(&told),
        [
            "alerts",
            "cache",
            "checks",
            "data",
            "entities",
            "looked_at",
            "recommendations",
            "redis",
            "service"
        ]
    );
    assert_eq!(told["service"], json!({ "status": "ready" }));
    assert_eq!(told["looked_at"], Value::Null);
    assert_eq!(told["cache"]["grade"], Value::Null);
    assert_eq!(told["redis"]["status"], "off");
    assert_eq!(
        store.header("/v1/health", header::CACHE_CONTROL).await,
        "no-store"
    );
    assert!(store.get("/v1/health?x=1").await.starts_with("400"));
}

#[tokio::test(start_paused = true)]
async fn what_was_judged_is_told_with_evidence_and_what_to_do() {
    let store = Store::new();
    let mut monitor = Monitor::default();
    for at in 0..3 {
        store.report.send_replace(Some(monitor.take(look(at * 10))));
    }
    let told = health(&store).await;
    let checks = told["checks"].as_array().unwrap();
    for check in checks {
        assert_eq!(
            members(check),
            [
                "docs",
                "evidence",
                "id",
                "recommendation",
                "status",
                "threshold",
                "unit",
                "value",
                "window_s"
            ]
        );
    }
    let full = checks
        .iter()
        .find(|check| check["id"] == "memory_cannot_evict")
        .unwrap();
    assert_snapshot!(full, @r#"{"docs":"docs/health.md#memory_cannot_evict","evidence":["maxmemory=100","used_memory=95","maxmemory_policy=noeviction"],"id":"memory_cannot_evict","recommendation":"Memory is 95 % full and the policy noeviction can not make room: at 100 % every write is refused. Set `maxmemory-policy allkeys-lfu`, or raise `maxmemory`.","status":"critical","threshold":90.0,"unit":"%","value":95.0,"window_s":null}"#);
    assert_snapshot!(told["alerts"], @r#"[{"count":3,"id":"memory_cannot_evict","since":"2026-05-01T12:00:00Z","status":"critical","value":95.0}]"#);
    assert_snapshot!(told["entities"], @r#"[{"absent_share":0.025,"bytes":3456,"entity":"product","entries":12,"facts":{"low_stock":7},"hit_ratio":0.875,"mean_age_ms":null,"memory_hit_ratio":0.75,"objective":{"hit_ratio":0.5,"p99_ms":10},"p99_ms":0.001,"redis_hit_ratio":0.5}]"#);
    assert_eq!(told["recommendations"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_changes_between_two_looks_is_told_at_once() {
    let store = Store::new();
    let mut monitor = Monitor::default();
    store.report.send_replace(Some(monitor.take(look(10))));
    store
        .observed
        .send_modify(|observed| observed.redis = RedisState::Up);
    assert_eq!(
        health(&store).await["redis"]["since"],
        "2026-05-01T12:00:10Z"
    );
    store.observed.send_modify(|observed| {
        observed.redis = RedisState::Down {
            why: "refused".into(),
        };
    });
    let told = health(&store).await;
    assert_eq!(told["redis"], json!({ "status": "down", "since": null }));
    assert_eq!(
        told["service"]["status"], "ready",
        "Redis has no part in that"
    );
    store.observed.send_modify(|observed| {
        observed.source = SourceState::Down {
            why: "refused".into(),
            since_ms: 1,
        };
    });
    assert_eq!(health(&store).await["service"]["status"], "degraded");
}

#[tokio::test(start_paused = true)]
async fn a_report_of_another_time_is_no_word_on_anything() {
    let store = Store::new();
    store
        .observed
        .send_modify(|observed| observed.redis = RedisState::Up);
    let mut monitor = Monitor::default();
    store.report.send_replace(Some(monitor.take(look(0))));
    store.report.send_replace(Some(monitor.take(look(10))));
    let told = health(&store).await;
    assert_eq!(told["data"]["status"], "ok");
    assert_eq!(told["looked_at"], "2026-05-01T12:00:10Z");
    tokio::time::advance(Duration::from_mins(4)).await;
    let told = health(&store).await;
    assert_eq!(told["data"]["status"], "unknown");
    assert_eq!(told["looked_at"], "2026-05-01T12:00:10Z");
    assert_eq!(told["cache"]["score"], Value::Null);
    assert_eq!(told["cache"]["coverage"], 0.0);
    let checks = told["checks"].as_array().unwrap();
    let known = checks.iter().filter(|check| check["status"] != "unknown");
    let known: Vec<&Value> = known.map(|check| &check["id"]).collect();
    assert_eq!(known, ["change_log"], "which is seen at any time");
    assert_eq!(told["alerts"], json!([]));
    // What shows without a look is told as it is.
    assert_eq!(told["service"]["status"], "ready");
    assert_eq!(
        told["redis"],
        json!({ "status": "up", "since": "2026-05-01T12:00:00Z" })
    );
    let metrics = store.body("/metrics").await;
    assert!(!metrics.contains("\ntingkat_health_score "), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn the_service_is_what_its_operator_insists_on_and_what_is_waived_shows() {
    let store = Store::new();
    store.observed.send_modify(|observed| {
        observed.redis = RedisState::Connecting;
        observed.required = vec![Neighbour::Redis];
        observed.waived = vec!["tokens-unset"];
        observed.privacy = vec![Withheld {
            entity: "product",
            policy: "strip",
            fields: vec!["email".to_owned()],
            values: 2,
        }];
    });
    let told = health(&store).await;
    assert_eq!(told["service"]["status"], "not_ready");
    assert_eq!(told["waived"], json!(["tokens-unset"]));
    assert_eq!(
        told["privacy"],
        json!([{ "entity": "product", "policy": "strip", "fields": ["email"], "values": 2 }])
    );
}
