//! The issuer: one role, and two in turns.

use std::process::{Command, Stdio};
use std::time::Duration;

use keytrail_rotation::failure::Outcome;
use keytrail_rotation::issuers::{Chooser, Overlap};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// Whether the server lets somebody in, as `psql` with its own SCRAM and SASLprep finds.
fn psql(shop: &Shop, role: &str, password: &str) -> bool {
    let url = format!("host=127.0.0.1 port={} dbname=app", shop.server.port());
    let mut command = Command::new(programs().join("psql"));
    command.args(["-X", "-w", "-U", role, "-d", &url, "-c", "SELECT 1"]).env("PGPASSWORD", password);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

#[tokio::test]
async fn a_single_role_gets_a_new_password_and_its_old_one_back() {
    let shop = Shop::start().await;
    shop.sql("app", "CREATE ROLE app LOGIN PASSWORD 'old-password'").await;
    let issuer = shop.issuer(json!({"role": "app"}));
    assert_eq!((issuer.nature().chooser, issuer.nature().overlap), (Chooser::Keytrail, Overlap::One));
    let (old, before) = (credential("app", "old-password"), shop.kept("app").await);
    assert_eq!(issuer.preflight(&context(), Some(&old)).await.unwrap(), Vec::<String>::new());

    let chosen = issuer.choose(Some(&old)).unwrap().unwrap();
    let given = issuer.set(&context(), Some(&old), Some(&chosen)).await.unwrap();
    assert_eq!(check(&*issuer, &given).await, Answer::Works);
    assert_eq!(check(&*issuer, &old).await, Answer::Rejected);
    assert!(psql(&shop, "app", part(&given, "value")));
    let after = shop.kept("app").await;
    assert!(after.ends_with(part(&chosen, "verifier")), "the server keeps the verifier that was made here");
    issuer.set(&context(), Some(&old), Some(&chosen)).await.unwrap();
    assert_eq!(shop.kept("app").await, after, "setting it again writes nothing");
    issuer.revoke(&context(), &old, Some(&given)).await.unwrap();
    assert_eq!(shop.kept("app").await, after);

    issuer.withdraw(&context(), Some(&old), Some(&given)).await.unwrap();
    let verifier = |kept: &str| kept.split_once('|').unwrap().1.to_owned();
    assert_eq!(verifier(&shop.kept("app").await), verifier(&before), "the very verifier from before is back");
    issuer.withdraw(&context(), Some(&old), Some(&given)).await.unwrap();
    assert_eq!(check(&*issuer, &old).await, Answer::Works);
    assert_eq!(check(&*issuer, &given).await, Answer::Rejected);

    let log = shop.server.log();
    assert!(log.contains("<kt-20261121t183000z-0f3a9c21> "), "statements carry the name of the run");
    assert!(log.contains("ALTER ROLE \"app\" PASSWORD 'SCRAM-SHA-256$4096:"), "all statements are logged");
    assert!(!log.contains(part(&given, "value")) && log.matches("old-password").count() == 1, "{log}");
}

#[tokio::test]
async fn a_role_may_change_itself() {
    let shop = Shop::start().await;
    shop.sql("app", "CREATE ROLE app LOGIN PASSWORD 'old-password'").await;
    let url = format!("postgres://app@127.0.0.1:{}/app", shop.server.port());
    let issuer = issuer(json!({"admin": {"url": url}, "role": "app"}));
    let old = credential("app", "old-password");
    assert_eq!(issuer.preflight(&context(), Some(&old)).await.unwrap(), Vec::<String>::new());
    let chosen = issuer.choose(Some(&old)).unwrap().unwrap();
    for _ in 0..2 {
        issuer.set(&context(), Some(&old), Some(&chosen)).await.unwrap();
        assert_eq!(check(&*issuer, &chosen).await, Answer::Works);
    }
    for _ in 0..2 {
        issuer.withdraw(&context(), Some(&old), Some(&chosen)).await.unwrap();
        assert_eq!(check(&*issuer, &old).await, Answer::Works);
        assert_eq!(check(&*issuer, &chosen).await, Answer::Rejected);
    }
}

#[tokio::test]
async fn what_would_keep_a_rotation_from_working_is_told_before() {
    let shop = Shop::with_turns().await;
    let told = async |issuer: Box<dyn Issuer>, user: &str, password: &str| {
        issuer.preflight(&context(), Some(&credential(user, password))).await.unwrap().join("\n")
    };
    shop.sql(
        "app",
        "CREATE ROLE weak LOGIN PASSWORD 'weak-password'; CREATE ROLE ends LOGIN PASSWORD 'x' VALID UNTIL 'now'",
    )
    .await;
    assert_eq!(told(shop.issuer(json!({"role": "nobody"})), "nobody", "x").await, "there is no role nobody");
    assert_eq!(told(shop.issuer(json!({"role": "app_owner"})), "app_owner", "x").await, "app_owner may not log in");
    assert!(told(shop.issuer(json!({"role": "ends"})), "ends", "x").await.contains("VALID UNTIL"));
    assert!(told(shop.issuer(json!({"role": "weak"})), "weak", "y").await.contains("present password"));
    let url = format!("postgres://weak@127.0.0.1:{}/app", shop.server.port());
    fs::write(shop.folder.path().join("weak"), "weak-password").unwrap();
    let weak = json!({"url": url, "password": {"file": shop.folder.path().join("weak")}});
    let told_weak = told(issuer(json!({"admin": weak, "role": "app_a"})), "app_a", "first-password").await;
    assert_eq!(told_weak, "the admin role may not change app_a");

    assert_eq!(told(shop.turns(), "app_a", "first-password").await, "");
    shop.sql("app", "ALTER ROLE app_a RESET role; ALTER ROLE app_owner LOGIN").await;
    let turns = told(shop.turns(), "app_a", "first-password").await;
    assert!(turns.contains("app_a does not act as app_owner") && turns.contains("app_owner may log in"), "{turns}");
    let wrong = shop.turns().preflight(&context(), Some(&credential("weak", "x"))).await.unwrap_err();
    assert_eq!(wrong.what, "the role in use is neither app_a nor app_b");
    let own = issuer(json!({"admin": weak, "alternating": ["weak", "app_b"]}));
    let wrong = own.preflight(&context(), Some(&credential("weak", "weak-password"))).await.unwrap_err();
    assert!(wrong.what.contains("the admin role is weak"), "{wrong}");
}

#[tokio::test]
async fn only_a_refusal_of_the_credential_is_one() {
    let shop = Shop::with_turns().await;
    let issuer = shop.turns();
    let known = credential("app_a", "first-password");
    shop.sql("app", "ALTER ROLE app_a CONNECTION LIMIT 0").await;
    assert_eq!(check(&*issuer, &known).await, Answer::Unknown, "no connection left");
    shop.sql("app", "ALTER ROLE app_a CONNECTION LIMIT -1 NOLOGIN").await;
    assert_eq!(check(&*issuer, &known).await, Answer::Rejected, "may not log in");
    assert_eq!(check(&*issuer, &credential("app_b", "x")).await, Answer::Rejected, "is not there");
    shop.sql("app", "ALTER ROLE app_a LOGIN").await;
    shop.sql("postgres", "ALTER DATABASE app ALLOW_CONNECTIONS false").await;
    assert_eq!(check(&*issuer, &known).await, Answer::Unknown, "the database lets nobody in");
    let port = shop.server.port();
    drop(shop);
    let url = format!("postgres://app@127.0.0.1:{port}/app");
    let issuer = super::issuer(json!({"admin": {"url": url}, "role": "app"}));
    assert_eq!(check(&*issuer, &known).await, Answer::Unknown, "nobody answers");
    assert_eq!(issuer.set(&context(), None, Some(&known)).await.unwrap_err().outcome, Outcome::Unknown);
}

#[tokio::test]
async fn two_roles_take_turns() {
    let shop = Shop::with_turns().await;
    let issuer = shop.turns();
    let first = credential("app_a", "first-password");
    let second = set(&*issuer, &first).await;
    assert_eq!(part(&second, "user"), "app_b");
    assert_eq!((check(&*issuer, &first).await, check(&*issuer, &second).await), (Answer::Works, Answer::Works));
    let kept = shop.kept("app_b").await;
    issuer.set(&context(), Some(&first), Some(&second)).await.unwrap();
    assert_eq!(shop.kept("app_b").await, kept, "setting it again writes nothing");

    issuer.withdraw(&context(), Some(&first), Some(&second)).await.unwrap();
    issuer.withdraw(&context(), Some(&first), None).await.unwrap();
    assert_eq!((check(&*issuer, &first).await, check(&*issuer, &second).await), (Answer::Works, Answer::Rejected));

    let second = set(&*issuer, &first).await;
    let busy = shop.connect_as("app_a", "first-password").await;
    let strict = shop.issuer(json!({"alternating": ["app_a", "app_b"], "owner": "app_owner", "drain": 0}));
    let refused = strict.revoke(&context(), &first, Some(&second)).await.unwrap_err();
    assert_eq!(refused.outcome, Outcome::Unknown, "it is tried again, not turned back from");
    assert_eq!(check(&*issuer, &first).await, Answer::Works, "who is in use is not retired");
    busy.close().await.unwrap();
    for _ in 0..2 {
        issuer.revoke(&context(), &first, Some(&second)).await.unwrap();
    }
    assert_eq!((check(&*issuer, &first).await, check(&*issuer, &second).await), (Answer::Rejected, Answer::Works));
    let third = set(&*issuer, &second).await;
    assert_eq!((part(&third, "user"), check(&*issuer, &third).await), ("app_a", Answer::Works));

    let same = issuer.revoke(&context(), &third, Some(&third)).await.unwrap_err();
    assert_eq!(same.what, "both credentials are of app_a");
    let locked_out = credential("app_a", "not-the-password");
    assert!(issuer.revoke(&context(), &second, Some(&locked_out)).await.is_err());
    assert_eq!(check(&*issuer, &second).await, Answer::Works, "the last way in stays");
}

#[tokio::test]
async fn sessions_that_are_left_are_ended_where_that_is_wanted() {
    let shop = Shop::with_turns().await;
    let turns = json!({"alternating": ["app_a", "app_b"], "owner": "app_owner", "drain": 0});
    for more in [json!({"terminate": true}), json!({"idle": 0})] {
        shop.sql("app", "ALTER ROLE app_a LOGIN PASSWORD 'first-password'").await;
        let mut table = turns.clone();
        table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let issuer = shop.issuer(table);
        let first = credential("app_a", "first-password");
        let second = set(&*issuer, &first).await;
        let mut left = shop.connect_as("app_a", "first-password").await;
        left.execute("SELECT 1").await.unwrap();
        issuer.revoke(&context(), &first, Some(&second)).await.unwrap();
        assert!(left.execute("SELECT 1").await.is_err(), "{more}");
        issuer.withdraw(&context(), Some(&first), Some(&second)).await.unwrap();
    }
}

/// The issuer is cut off at some instant, as by the end of its process, and then told again.
#[tokio::test]
async fn whatever_is_cut_off_is_finished_by_doing_it_again() {
    let shop = Shop::with_turns().await;
    let issuer = shop.turns();
    let mut old = credential("app_a", "first-password");
    for milliseconds in (0..40).step_by(4) {
        let chosen = issuer.choose(Some(&old)).unwrap().unwrap();
        let (context, limit) = (context(), Duration::from_millis(milliseconds));
        let _ = tokio::time::timeout(limit, issuer.set(&context, Some(&old), Some(&chosen))).await;
        assert_eq!(check(&*issuer, &old).await, Answer::Works, "after {limit:?}");
        if milliseconds % 8 == 0 {
            let _ = tokio::time::timeout(limit, issuer.withdraw(&context, Some(&old), Some(&chosen))).await;
            assert_eq!(check(&*issuer, &old).await, Answer::Works, "after {limit:?}");
        }
        let new = issuer.set(&context, Some(&old), Some(&chosen)).await.unwrap();
        assert_eq!(check(&*issuer, &new).await, Answer::Works);
        let _ = tokio::time::timeout(limit, issuer.revoke(&context, &old, Some(&new))).await;
        assert_eq!(check(&*issuer, &new).await, Answer::Works, "after {limit:?}");
        issuer.revoke(&context, &old, Some(&new)).await.unwrap();
        assert_eq!(check(&*issuer, &old).await, Answer::Rejected);
        old = new;
    }
}

impl Shop {
    async fn connect_as(&self, role: &str, password: &str) -> PgConnection {
        let url = format!("postgres://{role}:{password}@127.0.0.1:{}/app", self.server.port());
        PgConnection::connect(&url).await.expect("a login")
    }
}

/// Names of roles with quotes and spaces, and passwords that SASLprep changes or refuses.
#[test]
fn every_name_and_every_password_is_taken_as_it_is() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let shop = runtime.block_on(Shop::start());
    let name = "[a-zA-Z0-9 '\"\\\\$%;:/?@&=#äß中-]{1,15}"
        .prop_filter("a name of PostgreSQL's own", |name| !name.starts_with("pg_"));
    let password = proptest::collection::vec(
        prop_oneof![
            any::<char>(),
            Just('\''),
            Just('\\'),
            Just('"'),
            Just('\u{ad}'),
            Just('\u{2168}'),
            Just('\u{640}')
        ],
        1..12,
    );
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let cases = (name.clone(), name, password);
    runner
        .run(&cases, |(one, other, password)| {
            let password: String = password.into_iter().filter(|c| *c != '\0').chain(['x']).collect();
            prop_assume!(one != other && ![&one, &other].contains(&&"keytrail".to_owned()));
            runtime.block_on(async {
                let quoted = |text: &str| text.replace('"', "\"\"");
                let (one_quoted, other_quoted) = (quoted(&one), quoted(&other));
                let drop = format!("DROP ROLE IF EXISTS \"{one_quoted}\", \"{other_quoted}\"");
                shop.sql("app", &drop).await;
                shop.sql("app", &format!("CREATE ROLE \"{one_quoted}\" LOGIN PASSWORD 'first'")).await;
                let single = shop.issuer(json!({"role": one}));
                single.withdraw(&context(), Some(&credential(&one, &password)), None).await.unwrap();
                assert!(psql(&shop, &one, &password), "{one:?} {password:?}");
                let turns = shop.issuer(json!({"alternating": [one, other]}));
                let old = credential(&one, &password);
                let new = set(&*turns, &old).await;
                assert_eq!(check(&*turns, &new).await, Answer::Works, "{other:?}");
                turns.revoke(&context(), &old, Some(&new)).await.unwrap();
                assert!(!psql(&shop, &one, &password), "{one:?}");
                shop.sql("app", &drop).await;
            });
            Ok(())
        })
        .unwrap();
}
