//! Whatever instant it is killed at, a rotation ends as if it had not been.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::estate::{Estate, OLD};

/// How often it is killed, unless `KEYTRAIL_TEST_KILLS` says another number.
const KILLS: u32 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_killed_goes_on_and_ends_as_one_that_was_not() {
    let kills = std::env::var("KEYTRAIL_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let estate = Estate::start("").await;
    let begun = Instant::now();
    assert_eq!(estate.keytrail(&["rotate", "DB_PASSWORD", "--yes"]).status, Some(0));
    let whole = begun.elapsed();
    let mut values = vec![OLD.to_owned(), estate.consistent().await];
    let mut random = 0x9e37_79b9_u64;
    for _ in 0..kills {
        let mut process = estate.process(&["rotate", "DB_PASSWORD", "--yes"]);
        let process = process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = process.spawn().expect("the binary runs");
        // Any sequence that visits all of the time will do.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = f64::from(u32::try_from(random >> 32).expect("32 bits")) / f64::from(u32::MAX);
        tokio::time::sleep(Duration::from_secs_f64(whole.as_secs_f64() * share)).await;
        child.kill().expect("a kill");
        child.wait().expect("an end");
        let outcomes = estate.resume_to_the_end().await;
        let value = estate.consistent().await;
        estate.assert_siblings_are_untouched().await;
        if values.last() != Some(&value) {
            assert!(!values.contains(&value), "a value came back");
            values.push(value);
        }
        estate.assert_no_value_was_written(
            &values.iter().map(String::as_str).collect::<Vec<_>>(),
            &outcomes.iter().collect::<Vec<_>>(),
        );
        let counts = estate.ledger();
        let of = |status: &str| counts.iter().find(|(one, _)| one == status).map_or(0, |(_, count)| *count);
        assert_eq!(of("requested"), of("succeeded") + of("rolled-back"), "every run has one last row: {counts:?}");
    }
    assert!(values.len() > 2, "no kill hit a rotation that went on");
}
