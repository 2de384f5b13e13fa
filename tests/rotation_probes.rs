//! Probes of a rotation, with a real Prometheus.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use keytrail_rotation::context::Context;
use keytrail_rotation::probes::{Health, Moment, Probe, ProbeKind};
use keytrail_rotation::settings::Settings;
use keytrail_rotation::workloads::Values;
use serde_json::{Value, json};

use crate::support::prometheus::Prometheus;

fn open(table: Value) -> Box<dyn Probe> {
    let Value::Object(table) = table else { panic!("a table") };
    let settings = Settings(table);
    (ProbeKind::of(&settings).expect("a kind").open)(&settings).expect("a probe")
}

async fn check(probe: &dyn Probe, moment: &Moment) -> Health {
    probe.check(&Context::new("kt-1"), moment, &Values::new()).await.expect("an answer")
}

#[tokio::test]
async fn a_query_is_compared_with_before_and_no_data_is_not_well() {
    let server = Prometheus::start().await;
    let query = |query: &str, bound: &str, most: f64| {
        open(json!({ "prometheus": server.address, "query": query, bound: most, "window": "1 h" }))
    };
    assert_eq!(
        check(&*query("up{job=\"itself\"}", "max", 1.0), &Moment::Before).await,
        Health::Healthy("1".to_owned())
    );
    let said = Health::Unhealthy("the query gives 1, more than 0.5".to_owned());
    assert_eq!(check(&*query("up{job=\"itself\"}", "max", 0.5), &Moment::Before).await, said);
    for nothing in ["no_such_metric", "up / 0 - up / 0", "up{", "up[1m]", "\"text\""] {
        let health = check(&*query(nothing, "max", 1.0), &Moment::Before).await;
        assert!(matches!(health, Health::Unknown(_)), "{nothing}: {health:?}");
    }

    // What is counted of Prometheus' own requests only grows.
    let counter = query("sum(prometheus_http_requests_total)", "max_increase", 0.0);
    let Health::Healthy(before) = check(&*counter, &Moment::Before).await else { panic!("no number") };
    let after = Moment::After { before, since: Utc::now() };
    let end = Instant::now() + Duration::from_secs(60);
    while !matches!(check(&*counter, &after).await, Health::Unhealthy(_)) {
        assert!(Instant::now() < end, "it does not grow");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // The window starts at the switch: of half an hour there are many samples, of a second at most six.
    let samples = query("count_over_time(up[{window}]) or vector(0)", "max", 8.0);
    let since = |ago: TimeDelta| Moment::After { before: "0".to_owned(), since: Utc::now() - ago };
    while !matches!(check(&*samples, &since(TimeDelta::minutes(30))).await, Health::Unhealthy(_)) {
        assert!(Instant::now() < end, "there are no samples");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Ahead, so that it is one second however long this takes.
    let health = check(&*samples, &since(TimeDelta::hours(-1))).await;
    assert!(matches!(health, Health::Healthy(_)), "{health:?}");
}
