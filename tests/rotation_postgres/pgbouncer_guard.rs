//! Whoever pauses PgBouncer may die at it: clients go on all the same.

use std::env;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::pgbouncer::is_paused;
use super::*;
use crate::support::pgbouncer::PgBouncer;

/// Set for the process that is to die: the table of its workload.
const DOOMED: &str = "KEYTRAIL_TEST_DOOMED";

/// Not a test but the program of the process that dies, which is this one with only this to do.
#[tokio::test]
async fn doomed() {
    let Ok(table) = env::var(DOOMED) else { return };
    let workload = workload(serde_json::from_str(&table).unwrap());
    let (old, new) = (credential("app_a", "first-password"), credential("app_b", "second-password"));
    let (values, others) = (BTreeMap::from([(ITEM, &new)]), BTreeMap::from([(ITEM, &old)]));
    let _ = workload.load(&context(), &values, &others).await;
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Lets a process pause the database while a transaction is open, and sends it a signal then. The clients that came since
/// are served before that transaction ends.
async fn clients_go_on_after(signal: Signal, pause_limit: u64) {
    let shop = Shop::with_turns().await;
    let forced =
        format!("app = host=127.0.0.1 port={} dbname=app user=app_a password=first-password", shop.server.port());
    let pooler = PgBouncer::start(&forced, "pool_mode = transaction", "\"client\" \"client-password\"\n");
    let mut table = pooler.workload("app", guard());
    table["pause_limit"] = json!(pause_limit);
    let before = pooler.text("pgbouncer.ini");
    let mut endless = shop.through(&pooler).await;
    endless.execute("BEGIN").await.unwrap();

    let mut command = Command::new(env::current_exe().unwrap());
    let name = module_path!().split_once("::").map_or("", |(_, module)| module);
    command.args(["--exact", &format!("{name}::doomed"), "--nocapture"]).env(DOOMED, table.to_string());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("it is paused", async || is_paused(&pooler).await).await;
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();

    let mut waiting = shop.through(&pooler).await;
    waiting.execute("SELECT 1").await.expect("an answer");
    assert!(!is_paused(&pooler).await);
    assert_eq!(pooler.text("pgbouncer.ini"), before);
    endless.execute("COMMIT").await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The limit is longer than a client waits for (`query_wait_timeout`), so that it is not what let them go on.
#[tokio::test]
async fn after_a_kill_clients_go_on_at_once() {
    clients_go_on_after(Signal::KILL, 60).await;
}

#[tokio::test]
async fn while_the_process_is_stopped_clients_go_on_at_the_limit() {
    clients_go_on_after(Signal::STOP, 3).await;
}
