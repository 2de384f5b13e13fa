//! Zero downtime: pgbench through PgBouncer and direct, on a busy machine, while the role is rotated ten times.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::*;
use crate::support::pgbouncer::PgBouncer;

const ROTATIONS: usize = 10;
/// How long one pgbench runs, in seconds: each sees several rotations, and its exit status tells of aborted clients.
const RUN: &str = "15";
/// Between promotion and revocation: a client that read the old credential has logged in with it by then.
const GRACE: Duration = Duration::from_secs(2);

/// Clients that come and go until they are told to stop.
struct Load(JoinHandle<u64>);

impl Load {
    /// Starts pgbench again and again.
    ///
    /// # Panics
    /// In its thread, when a client was aborted. pgbench's own count of failures does not count those.
    fn start(stop: &Arc<AtomicBool>, arguments: &[&str], environment: &[(&str, String)]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let environment: Vec<(String, String)> =
            environment.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        let stop = stop.clone();
        Self(thread::spawn(move || {
            let mut transactions = 0;
            while !stop.load(Ordering::Relaxed) {
                let mut command = Command::new(pgbench());
                command.env_remove("PGPASSWORD").envs(environment.clone()).stdin(Stdio::null());
                let output = command.args(["-n", "-T", RUN]).args(&arguments).output().unwrap();
                let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && !text.contains("abort"), "{arguments:?}: {text}");
                let processed = text.split_once("actually processed: ").expect("a report").1;
                let digits: String = processed.chars().take_while(char::is_ascii_digit).collect();
                transactions += digits.parse::<u64>().unwrap();
            }
            transactions
        }))
    }

    fn end(self) -> u64 {
        self.0.join().expect("no client was aborted")
    }
}

/// What direct clients read at each login: the place that the rotation writes to.
fn promote(path: &Path, shop: &Shop, pooler: &PgBouncer, credential: &Credential) {
    let (user, password) = (part(credential, "user"), part(credential, "value"));
    let service = |name: &str, port: u16, database: &str| {
        format!("[{name}]\nhost=127.0.0.1\nport={port}\ndbname={database}\nuser={user}\npassword={password}\n")
    };
    let text = service("direct", shop.server.port(), "app") + &service("pooled", pooler.port(), "users");
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_notices_ten_rotations() {
    let shop = Shop::with_turns().await;
    let port = shop.server.port();
    let pooler = PgBouncer::start(
        &format!(
            "app = host=127.0.0.1 port={port} dbname=app user=app_a password=first-password\n\
             users = host=127.0.0.1 port={port} dbname=app"
        ),
        "pool_mode = transaction\ndefault_pool_size = 10\nmax_client_conn = 200\nserver_idle_timeout = 1\n\
         server_lifetime = 10",
        "\"client\" \"client-password\"\n\"app_a\" \"first-password\"\n",
    );
    let console = pooler.workload("app", guard())["admin"].clone();
    let issuer = shop.issuer(json!({"alternating": ["app_a", "app_b"], "owner": "app_owner", "poolers": [console]}));
    let workloads = ["app", "users"].map(|database| workload(pooler.workload(database, guard())));
    let probes = [
        probe(json!({"postgres": format!("postgres://127.0.0.1:{port}/app"), "password_from": ITEM})),
        probe(json!({"postgres": format!("postgres://127.0.0.1:{}/users", pooler.port()), "password_from": ITEM})),
    ];
    let service = shop.folder.path().join("pg_service.conf");
    let mut current = credential("app_a", "first-password");
    promote(&service, &shop, &pooler, &current);

    let files = [("PGSERVICEFILE", service.display().to_string())];
    let tables = Command::new(pgbench()).args(["-q", "-i", "-s", "2", "service=direct"]).envs(files.clone()).output();
    let tables = tables.unwrap();
    assert!(tables.status.success(), "{}", String::from_utf8_lossy(&tables.stderr));

    let stop = Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = (0..3)
        .map(|_| {
            let stop = stop.clone();
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    let client = [("PGPASSWORD", "client-password".to_owned())];
    let pooled_port = pooler.port().to_string();
    let through = ["-h", "127.0.0.1", "-p", &pooled_port, "-U", "client", "app"];
    let loads = [
        Load::start(&stop, &[&["-c", "20", "-j", "2"], through.as_slice()].concat(), &client),
        Load::start(&stop, &[&["-S", "-C", "-c", "5"], through.as_slice()].concat(), &client),
        Load::start(&stop, &["-S", "-C", "-c", "3", "service=direct"], &files),
        Load::start(&stop, &["-S", "-C", "-c", "3", "service=pooled"], &files),
    ];

    for _ in 0..ROTATIONS {
        let problems = issuer.preflight(&context(), Some(&current)).await.unwrap();
        assert_eq!(problems, Vec::<String>::new());
        for workload in &workloads {
            assert_eq!(workload.preflight(&context()).await.unwrap(), Vec::<String>::new());
        }
        let new = set(&*issuer, &current).await;
        assert_eq!(check(&*issuer, &new).await, Answer::Works);
        // The poolers know it before any client that reads the new credential.
        for workload in &workloads {
            load(&**workload, &new, &current).await;
        }
        promote(&service, &shop, &pooler, &new);
        for probe in &probes {
            assert!(matches!(health(&**probe, &new).await, Health::Healthy(_)));
        }
        tokio::time::sleep(GRACE).await;
        issuer.revoke(&context(), &current, Some(&new)).await.unwrap();
        let (values, old) = (BTreeMap::from([(ITEM, &new)]), BTreeMap::from([(ITEM, &current)]));
        for workload in &workloads {
            workload.forget(&context(), &values, &old).await.unwrap();
        }
        assert_eq!(check(&*issuer, &current).await, Answer::Rejected);
        current = new;
    }
    stop.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    let transactions = loads.map(Load::end);
    assert!(transactions.iter().all(|count| *count > 0), "{transactions:?}");
}
