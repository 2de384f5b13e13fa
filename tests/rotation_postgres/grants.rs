//! What one role may do, the other one may do too.

use super::*;

/// Everything that a role can be given, and some of it by names that need quotes.
const GIVEN: &str = r#"
CREATE ROLE app_a LOGIN PASSWORD 'first-password';
CREATE ROLE "Some Group" NOLOGIN;
CREATE ROLE maker NOLOGIN;
CREATE TABLE t (a int, "b c" text);
CREATE SEQUENCE s;
CREATE SCHEMA "Sch";
CREATE VIEW "Sch"."V" AS SELECT 1 AS x;
CREATE TYPE pair AS (x int, y int);
CREATE FUNCTION f(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1';
REVOKE ALL ON FUNCTION f(int, text) FROM public;
REVOKE ALL ON TYPE pair FROM public;
REVOKE ALL ON DATABASE app FROM public;
SELECT lo_create(4711);
GRANT SELECT ON LARGE OBJECT 4711 TO app_a;
GRANT CONNECT, TEMPORARY ON DATABASE app TO app_a;
GRANT "Some Group" TO app_a;
GRANT SELECT, INSERT ON t TO app_a;
GRANT UPDATE ("b c") ON t TO app_a WITH GRANT OPTION;
GRANT USAGE ON SEQUENCE s TO app_a;
GRANT USAGE, CREATE ON SCHEMA "Sch" TO app_a;
GRANT SELECT ON "Sch"."V" TO app_a;
GRANT USAGE ON TYPE pair TO app_a;
GRANT EXECUTE ON FUNCTION f(int, text) TO app_a;
ALTER DEFAULT PRIVILEGES FOR ROLE maker IN SCHEMA "Sch" GRANT SELECT ON TABLES TO app_a;
ALTER DEFAULT PRIVILEGES FOR ROLE app_a GRANT SELECT ON TABLES TO public;
ALTER ROLE app_a CONNECTION LIMIT 50 CREATEDB;
ALTER ROLE app_a SET search_path = "$user", "Sch", public;
ALTER ROLE app_a SET my.text = 'it''s \ there';
ALTER ROLE app_a IN DATABASE app SET work_mem = '8MB';
"#;

/// All that the catalogs say of a role, with its own name taken out.
async fn powers(shop: &Shop, role: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (database, query) in [
        (
            "app",
            "SELECT 'relation', relname, a.privilege_type, a.is_grantable FROM pg_class, aclexplode(relacl) a WHERE grantee = @",
        ),
        (
            "app",
            "SELECT 'column', attname, a.privilege_type, a.is_grantable FROM pg_attribute, aclexplode(attacl) a WHERE grantee = @",
        ),
        (
            "app",
            "SELECT 'routine', proname, a.privilege_type, a.is_grantable FROM pg_proc, aclexplode(proacl) a WHERE grantee = @",
        ),
        (
            "app",
            "SELECT 'schema', nspname, a.privilege_type, a.is_grantable FROM pg_namespace, aclexplode(nspacl) a WHERE grantee = @",
        ),
        (
            "app",
            "SELECT 'type', typname, a.privilege_type, a.is_grantable FROM pg_type, aclexplode(typacl) a WHERE grantee = @",
        ),
        (
            "app",
            "SELECT 'object', m.oid, a.privilege_type FROM pg_largeobject_metadata m, aclexplode(lomacl) a WHERE grantee = @",
        ),
        (
            "app",
            "SELECT 'database', datname, a.privilege_type FROM pg_database, aclexplode(datacl) a WHERE grantee = @",
        ),
        ("other", "SELECT 'other', relname, a.privilege_type FROM pg_class, aclexplode(relacl) a WHERE grantee = @"),
        (
            "app",
            "SELECT 'default', CASE defaclrole WHEN @ THEN 0 ELSE defaclrole END, defaclnamespace, defaclobjtype, \
            CASE grantee WHEN @ THEN 1 ELSE grantee END, privilege_type FROM pg_default_acl, aclexplode(defaclacl) \
            WHERE defaclrole = @ OR grantee = @",
        ),
        ("app", "SELECT 'setting', setdatabase, s FROM pg_db_role_setting, unnest(setconfig) s WHERE setrole = @"),
        ("app", "SELECT 'group', roleid, admin_option FROM pg_auth_members WHERE member = @"),
        ("app", "SELECT 'role', rolcreatedb, rolconnlimit FROM pg_roles WHERE oid = @"),
    ] {
        all.extend(shop.ask(database, &query.replace('@', &format!("'{role}'::regrole"))).await);
    }
    all.sort();
    all
}

#[tokio::test]
async fn a_role_gets_all_that_the_other_has() {
    let shop = Shop::start().await;
    shop.sql("app", GIVEN).await;
    shop.sql("postgres", "CREATE DATABASE other").await;
    shop.sql("other", "CREATE TABLE elsewhere (); GRANT SELECT ON elsewhere TO app_a").await;
    let first = credential("app_a", "first-password");

    let turns = shop.issuer(json!({"alternating": ["app_a", "app_b"]}));
    let told = turns.preflight(&context(), Some(&first)).await.unwrap().concat();
    assert!(told.contains("app_b would not have what app_a has: ") && told.contains("EXECUTE on routine"), "{told}");
    let chosen = turns.choose(Some(&first)).unwrap().unwrap();
    assert!(turns.set(&context(), Some(&first), Some(&chosen)).await.unwrap_err().what.contains("would not have"));
    assert_eq!(shop.ask("app", "SELECT 1 FROM pg_roles WHERE rolname = 'app_b'").await, Vec::<String>::new());

    let copying = shop.issuer(json!({"alternating": ["app_a", "app_b"], "copy_grants": true}));
    assert_eq!(copying.preflight(&context(), Some(&first)).await.unwrap(), Vec::<String>::new());
    let second = copying.set(&context(), Some(&first), Some(&chosen)).await.unwrap();
    let expected = powers(&shop, "app_a").await;
    assert!(expected.len() > 20, "{expected:#?}");
    assert_eq!(powers(&shop, "app_b").await, expected);
    assert_eq!(turns.preflight(&context(), Some(&first)).await.unwrap(), Vec::<String>::new());

    // What the one was given since, the other gets at its next turn; what it has left, it loses.
    copying.revoke(&context(), &first, Some(&second)).await.unwrap();
    shop.sql("app", "GRANT DELETE ON t TO app_b; ALTER ROLE app_b RESET my.text; ALTER ROLE app_b CONNECTION LIMIT 7")
        .await;
    set(&*copying, &second).await;
    assert_eq!(powers(&shop, "app_a").await, powers(&shop, "app_b").await);
}

#[tokio::test]
async fn what_a_role_owns_is_given_away_only_where_that_is_wanted() {
    let shop = Shop::with_turns().await;
    shop.sql("app", "CREATE TABLE orders (); ALTER TABLE orders OWNER TO app_a").await;
    let first = credential("app_a", "first-password");
    let told = shop.turns().preflight(&context(), Some(&first)).await.unwrap().concat();
    assert!(told.contains("the ownership of 1 objects in app"), "{told}");
    let reassigning = shop.issuer(json!({"alternating": ["app_a", "app_b"], "owner": "app_owner", "reassign": true}));
    set(&*reassigning, &first).await;
    let owner = "SELECT relowner::regrole FROM pg_class WHERE relname = 'orders'";
    assert_eq!(shop.ask("app", owner).await, ["app_owner"]);
    assert_eq!(shop.ask("app", "SELECT pg_has_role('app_b', 'app_owner', 'MEMBER')").await, ["t"]);
    assert_eq!(
        shop.ask("app", "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'app_b'::regrole").await,
        ["{role=app_owner}"]
    );
}
