//! The workload: PgBouncer's copy of a credential, in each place that it can be in.

use std::os::unix::fs::MetadataExt;

use keytrail_rotation::failure::{Failure, Outcome};

use super::*;
use crate::support::pgbouncer::{ADMIN, PgBouncer};

/// A client's password that nobody rotates.
const CLIENT: &str = "client-password";

impl Shop {
    /// A line of `[databases]`.
    fn database(&self, name: &str, more: &str) -> String {
        format!("{name} = host=127.0.0.1 port={} dbname=app {more}", self.server.port())
    }
}

/// A command of the console.
pub(super) async fn console(pooler: &PgBouncer, command: &str) -> Vec<PgRow> {
    let options = sqlx::postgres::PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(pooler.port())
        .username("admin")
        .password(ADMIN)
        .database("pgbouncer")
        .extra_float_digits(None);
    let mut connection = PgConnection::connect_with(&options).await.expect("the console");
    connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(command.to_owned()))).await.expect("an answer")
}

/// Whether `app` is paused.
pub(super) async fn is_paused(pooler: &PgBouncer) -> bool {
    let text = |row: &PgRow, name| row.try_get_unchecked::<String, _>(name).unwrap_or_default();
    let rows = console(pooler, "SHOW DATABASES").await;
    rows.iter().any(|row| text(row, "name") == "app" && text(row, "paused") == "1")
}

/// Whether clients with this credential get through.
async fn lets_in(pooler: &PgBouncer, database: &str, credential: &Credential) -> bool {
    let url = format!("postgres://127.0.0.1:{}/{database}", pooler.port());
    let probe = probe(json!({"postgres": url, "password_from": ITEM, "query": "SELECT 41 + 1", "expect": "42"}));
    matches!(health(&*probe, credential).await, Health::Healthy(_))
}

async fn preflight(workload: &dyn Workload) -> Vec<String> {
    workload.preflight(&context()).await.unwrap()
}

async fn refusal(workload: &dyn Workload, new: &Credential, old: &Credential) -> Failure {
    let (values, others) = (BTreeMap::from([(ITEM, new)]), BTreeMap::from([(ITEM, old)]));
    workload.load(&context(), &values, &others).await.unwrap_err()
}

#[tokio::test]
async fn the_user_that_a_database_is_given_is_switched() {
    let shop = Shop::with_turns().await;
    let issuer = shop.turns();
    let pooler = PgBouncer::start(
        &format!(
            "{}\n{}",
            shop.database("app", "password='first-password' user=app_a pool_size=3"),
            shop.database("other", "user=app_a")
        ),
        "pool_mode = transaction",
        &format!("\"client\" \"{CLIENT}\" \n"),
    );
    let ini = pooler.text("pgbouncer.ini");
    let workload = workload(pooler.workload("app", guard()));
    assert_eq!(preflight(&*workload).await, Vec::<String>::new());
    let metadata = fs::metadata(pooler.file("pgbouncer.ini")).unwrap();

    let first = credential("app_a", "first-password");
    let second = set(&*issuer, &first).await;
    let users = pooler.text("userlist.txt");
    for _ in 0..2 {
        load(&*workload, &second, &first).await;
        let switched = ini.replace("'first-password' user=app_a", &format!("{} user=app_b", part(&second, "value")));
        assert_eq!(pooler.text("pgbouncer.ini"), switched, "nothing else is another byte");
        assert_eq!(pooler.text("userlist.txt"), users);
    }
    let after = fs::metadata(pooler.file("pgbouncer.ini")).unwrap();
    assert_eq!((after.mode(), after.uid(), after.gid()), (metadata.mode(), metadata.uid(), metadata.gid()));
    let client = credential("client", CLIENT);
    assert!(lets_in(&pooler, "app", &client).await && !is_paused(&pooler).await);
    let values = (BTreeMap::from([(ITEM, &second)]), BTreeMap::from([(ITEM, &first)]));
    workload.forget(&context(), &values.0, &values.1).await.unwrap();
    issuer.revoke(&context(), &first, Some(&second)).await.unwrap();
    assert!(lets_in(&pooler, "app", &client).await);
    let log = pooler.text("log");
    assert!(!log.contains(part(&second, "value")), "{log}");

    // A dead run left it paused.
    console(&pooler, "PAUSE app").await;
    assert_eq!(preflight(&*workload).await, ["app is paused: RESUME app"]);
    let mark = keytrail_rotation::workloads::Mark::default();
    assert_eq!(workload.progress(&context(), &mark, &values.0).await.unwrap(), Progress::Done);
    assert!(!is_paused(&pooler).await);
}

#[tokio::test]
async fn users_of_the_file_are_added_and_forgotten() {
    for verifiers in [false, true] {
        let shop = Shop::with_turns().await;
        let issuer = shop.turns();
        let first = credential("app_a", "first-password");
        let secret = if verifiers {
            shop.kept("app_a").await.split_once('|').unwrap().1.to_owned()
        } else {
            "first-password".to_owned()
        };
        let users = format!("; by hand\n\"client\" \"{CLIENT}\" \"\"\n\"app_a\" \"{secret}\"");
        let pooler = PgBouncer::start(&shop.database("app", ""), "pool_mode = transaction", &users);
        let workload = workload(pooler.workload("app", guard()));
        assert_eq!(preflight(&*workload).await, Vec::<String>::new());
        assert!(lets_in(&pooler, "app", &first).await);
        let (ini, before) = (pooler.text("pgbouncer.ini"), pooler.text("userlist.txt"));

        let second = set(&*issuer, &first).await;
        for _ in 0..2 {
            load(&*workload, &second, &first).await;
            let added = part(&second, if verifiers { "verifier" } else { "value" });
            assert_eq!(pooler.text("userlist.txt"), format!("{before}\n\"app_b\" \"{added}\"\n"));
        }
        assert!(lets_in(&pooler, "app", &first).await && lets_in(&pooler, "app", &second).await, "both are in use");
        assert_eq!(pooler.text("pgbouncer.ini"), ini);
        let values = (BTreeMap::from([(ITEM, &second)]), BTreeMap::from([(ITEM, &first)]));
        for _ in 0..2 {
            workload.forget(&context(), &values.0, &values.1).await.unwrap();
            assert!(!pooler.text("userlist.txt").contains("app_a"));
        }
        assert!(!lets_in(&pooler, "app", &first).await && lets_in(&pooler, "app", &second).await);
    }
}

#[tokio::test]
async fn one_password_of_one_role_is_replaced_and_put_back() {
    let shop = Shop::start().await;
    shop.sql("app", "CREATE ROLE app LOGIN PASSWORD 'old-password'").await;
    let issuer = shop.issuer(json!({"role": "app"}));
    let verifier = shop.kept("app").await.split_once('|').unwrap().1.to_owned();
    let pooler =
        PgBouncer::start(&shop.database("app", ""), "pool_mode = transaction", &format!("\"app\" \"{verifier}\"\n"));
    let workload = workload(pooler.workload("app", guard()));
    let (old, before) = (credential("app", "old-password"), pooler.text("userlist.txt"));
    let new = set(&*issuer, &old).await;
    load(&*workload, &new, &old).await;
    assert_eq!(pooler.text("userlist.txt"), before.replace(&verifier, part(&new, "verifier")));
    assert!(lets_in(&pooler, "app", &new).await && !lets_in(&pooler, "app", &old).await);
    // On the way back the old verifier, which nobody but the new credential knows, is found again.
    load(&*workload, &old, &new).await;
    issuer.withdraw(&context(), Some(&old), Some(&new)).await.unwrap();
    assert_eq!(pooler.text("userlist.txt"), before);
    assert!(lets_in(&pooler, "app", &old).await && !lets_in(&pooler, "app", &new).await);
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_anything_is_written() {
    let shop = Shop::with_turns().await;
    let first = credential("app_a", "first-password");
    let second = credential("app_b", "second-password");
    let md5 = "\"app_a\" \"md500000000000000000000000000000000\"\n";
    let pooler = PgBouncer::start(&shop.database("app", "user=app_a"), "", md5);
    let workload_of = |more: &str| {
        let mut table = pooler.workload("app", guard());
        table["database"] = json!(more);
        workload(table)
    };
    let before = pooler.text("userlist.txt");
    assert!(preflight(&*workload_of("app")).await.concat().contains("MD5"));
    let refused = refusal(&*workload_of("app"), &second, &first).await;
    assert!(refused.what.contains("MD5") && refused.outcome == Outcome::NotDone, "{refused}");
    assert_eq!(refusal(&*workload_of("nope"), &second, &first).await.what, "the ini of PgBouncer has no database nope");
    assert!(refusal(&*workload_of("app"), &credential("app_b", "two\nlines"), &first).await.what.contains("line end"));
    assert_eq!(pooler.text("userlist.txt"), before);
}

#[tokio::test]
async fn with_auth_query_there_is_nothing_to_write() {
    let shop = Shop::with_turns().await;
    let issuer = shop.turns();
    shop.sql("app", "CREATE ROLE asker LOGIN SUPERUSER PASSWORD 'asker-password'").await;
    let pooler = PgBouncer::start(
        &shop.database("app", "auth_user=asker"),
        "pool_mode = transaction",
        "\"asker\" \"asker-password\"\n",
    );
    let workload = workload(pooler.workload("app", guard()));
    let first = credential("app_a", "first-password");
    let second = set(&*issuer, &first).await;
    let before = (pooler.text("pgbouncer.ini"), pooler.text("userlist.txt"));
    load(&*workload, &second, &first).await;
    assert_eq!((pooler.text("pgbouncer.ini"), pooler.text("userlist.txt")), before);
    assert!(lets_in(&pooler, "app", &first).await && lets_in(&pooler, "app", &second).await);
}

#[tokio::test]
async fn a_transaction_that_does_not_end_is_waited_for_no_longer_than_said() {
    let shop = Shop::with_turns().await;
    let forced = shop.database("app", "user=app_a password=first-password");
    let pooler = PgBouncer::start(&forced, "pool_mode = transaction", &format!("\"client\" \"{CLIENT}\"\n"));
    let mut table = pooler.workload("app", guard());
    table["pause_limit"] = json!(2);
    let workload = workload(table);
    let mut endless = shop.through(&pooler).await;
    endless.execute("BEGIN").await.unwrap();
    let before = pooler.text("pgbouncer.ini");
    let (first, second) = (credential("app_a", "first-password"), credential("app_b", "second-password"));
    let refused = refusal(&*workload, &second, &first).await;
    assert!(refused.outcome == Outcome::NotDone && refused.what.contains("did not end within"), "{refused}");
    assert!(!is_paused(&pooler).await && pooler.text("pgbouncer.ini") == before);
    endless.execute("COMMIT").await.unwrap();
}

impl Shop {
    /// A client of PgBouncer.
    pub(super) async fn through(&self, pooler: &PgBouncer) -> PgConnection {
        let options = sqlx::postgres::PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(pooler.port())
            .username("client")
            .password(CLIENT)
            .database("app")
            .extra_float_digits(None)
            .statement_cache_capacity(0);
        PgConnection::connect_with(&options).await.expect("a login through PgBouncer")
    }
}
