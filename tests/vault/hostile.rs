//! Servers that are no Vault, or worse.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keytrail::config::StoreConfig;
use keytrail_rules::model::{Facts, GapReason};
use tempfile::tempdir;

use super::{copies, gaps, only_gap, read, store};
use crate::support::http::{Meeting, Reply, Server};

const TOKEN: &str = "s.never-to-be-seen-elsewhere";
const HEALTH: &str = r#"{"initialized":true,"sealed":false,"standby":false}"#;
const MOUNTS: &str =
    r#"{"data":{"secret":{"secret/":{"type":"kv","options":{"version":"2"}},"sys/":{"type":"system"}}}}"#;
const METADATA: &str = r#"{"data":{"current_version":1,"versions":{"1":{"created_time":"2026-01-01T00:00:00Z"}}}}"#;
const VALUES: &str =
    r#"{"data":{"data":{"k":"planted"},"metadata":{"version":1,"created_time":"2026-01-01T00:00:00Z"}}}"#;

/// What a well-behaved server with the paths `a`, `b` and `c` answers.
fn vault(target: &str) -> Reply {
    Reply::json(match target {
        "/v1/sys/health" => HEALTH,
        "/v1/sys/internal/ui/mounts" => MOUNTS,
        "/v1/secret/metadata/?list=true" => r#"{"data":{"keys":["a","b","c"]}}"#,
        _ if target.starts_with("/v1/secret/metadata/") => METADATA,
        _ if target.starts_with("/v1/secret/data/") => VALUES,
        _ => return Reply::Full(404, "", r#"{"errors":[]}"#.into()),
    })
}

/// Scans a server that answers like [`vault`], but for the targets that start with `except`.
async fn scan(except: &'static str, reply: Reply) -> Facts {
    scan_server(
        &Server::start(move |target| if target.starts_with(except) { reply.clone() } else { vault(target) }).await,
    )
    .await
}

async fn scan_server(server: &Server) -> Facts {
    let folder = tempdir().expect("a folder");
    let mut config = store(&server.address, TOKEN, folder.path());
    config.timeout = Duration::from_secs(5);
    let start = Instant::now();
    let facts = read(&config).await;
    assert!(start.elapsed() < Duration::from_secs(30), "took {:?}", start.elapsed());
    facts
}

fn html() -> Reply {
    Reply::Full(200, "Content-Type: text/html\r\n", "<!doctype html><title>Log in with planted</title>".into())
}

#[tokio::test]
async fn the_well_behaved_one_is_read() {
    let facts = scan("/nothing", Reply::Close).await;
    assert_eq!((facts.copies.len(), gaps(&facts).as_str()), (3, ""));
    // A standby forwards what it is asked, and a performance standby answers itself.
    for status in [429, 473] {
        let facts = scan("/v1/sys/health", Reply::Full(status, "", HEALTH.replace("false}", "true}"))).await;
        assert_eq!((facts.copies.len(), gaps(&facts).as_str()), (3, ""));
    }
}

#[tokio::test]
async fn one_bad_answer_costs_one_path() {
    let big = Reply::json(&format!(r#"{{"data":"{}"}}"#, "x".repeat(33 << 20)));
    for (reply, told) in [
        (html(), "Malformed: the server answers with a web page, when asked for secret/b"),
        (
            Reply::json(r#"{"data":{"versions":"planted"}}"#),
            "Malformed: the server's answer has an unknown form, when asked for secret/b",
        ),
        (Reply::json("[[[[[[planted"), "Malformed: the server's answer has an unknown form, when asked for secret/b"),
        (Reply::json(""), "Malformed: the server's answer has an unknown form, when asked for secret/b"),
        (
            Reply::json(r#"{"data":{"current_version":7,"versions":{}}}"#),
            "Malformed: the current version is not the newest in the metadata of secret/b",
        ),
        (big, "TooLarge: the server's answer is larger than 32 MiB, when asked for secret/b"),
        (Reply::Hang, "TimedOut: the server did not answer within 5s, when asked for secret/b"),
        (Reply::Full(400, "", "planted".into()), "Unsupported: the server answers 400, when asked for secret/b"),
        (Reply::Full(500, "", "planted".into()), "Unreachable: the server answers 500, when asked for secret/b"),
    ] {
        let kind = format!("{reply:.40?}");
        let facts = scan("/v1/secret/metadata/b", reply).await;
        // The path is known from the listing, and its value is read all the same.
        assert_eq!(copies(&facts).lines().count(), 3, "{kind}");
        assert!(copies(&facts).contains("vault:secret/b#k vault-kv2 1:Live:a"), "{kind}");
        assert!(gaps(&facts).starts_with(told) || gaps(&facts).contains("TimedOut"), "{kind}\n{}", gaps(&facts));
        assert_eq!(facts.gaps.len(), 1, "{kind}");
    }
}

#[tokio::test]
async fn a_server_that_is_no_vault_is_one_gap() {
    for (except, reply, told) in [
        ("/v1/sys/health", html(), "Malformed: the server answers with a web page"),
        ("/v1/sys/health", Reply::json("{}"), "Malformed: the server's answer has an unknown form"),
        ("/v1/sys/health", Reply::Hang, "TimedOut: the server did not answer within 5s"),
        ("/v1/sys/health", Reply::Full(404, "", "<html>".into()), "Malformed: the server answers with a web page"),
        ("/v1/sys/health", Reply::Close, "Unreachable: the connection broke"),
        ("/v1/sys/health", Reply::Full(472, "", HEALTH.into()), "Standby: the server is a disaster-recovery secondary"),
        ("/v1/sys/internal", html(), "Malformed: the server answers with a web page"),
        (
            "/v1/sys/internal",
            Reply::json(r#"{"data":{"secret":{}}}"#),
            "PermissionDenied: the token can see no KV mount",
        ),
        ("/v1/secret/metadata/?list", html(), "Malformed: the server answers with a web page, when asked for secret/"),
        (
            "/v1/secret/metadata/?list",
            Reply::json(r#"{"data":{"keys":"planted"}}"#),
            "Malformed: the server's answer has an unknown form, when asked for secret/",
        ),
    ] {
        let facts = scan(except, reply).await;
        assert_eq!((facts.copies.len(), facts.gaps.len()), (0, 1), "{told}\n{}", gaps(&facts));
        assert!(gaps(&facts).starts_with(told), "{told}\n{}", gaps(&facts));
    }
}

#[tokio::test]
async fn an_endless_answer_ends() {
    // Slow machines reach the time limit before the size limit.
    let ends = |facts: &Facts| matches!(only_gap(facts).0, GapReason::TooLarge | GapReason::TimedOut);
    assert!(ends(&scan("/v1/sys/health", Reply::Endless).await));
    let facts = scan("/v1/secret/data/b", Reply::Endless).await;
    assert_eq!(facts.copies.len(), 3);
}

#[tokio::test]
async fn a_server_that_answers_too_little_ends_the_scan() {
    let keys: Vec<String> = (0..500).map(|n| format!("\"p{n}\"")).collect();
    let list = format!(r#"{{"data":{{"keys":[{}]}}}}"#, keys.join(","));
    // Half of the requests hang.
    let server = Server::start(move |target| match target {
        "/v1/secret/metadata/?list=true" => Reply::json(&list),
        _ if target.starts_with("/v1/secret/metadata/p") => Reply::Hang,
        _ => vault(target),
    });
    let facts = scan_server(&server.await).await;
    let last = facts.gaps.last().expect("a gap");
    assert_eq!(last.reason, GapReason::TimedOut);
    assert!(last.message.ends_with(" of 500 paths were not read"), "{}", gaps(&facts));
}

#[tokio::test]
async fn a_token_never_follows_a_redirect() {
    let other = Server::start(vault).await;
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = other.address.clone();
        for except in ["/v1/sys/health", "/v1/sys/internal", "/v1/secret/metadata/?list", "/v1/secret/data/b"] {
            let location: &'static str = format!("Location: {elsewhere}/v1/x?t={TOKEN}\r\n").leak();
            let reply = Reply::Full(status, location, String::new());
            let facts = scan(except, reply).await;
            let (reason, message) = only_gap(&facts);
            assert_eq!(reason, GapReason::Standby);
            assert!(message.contains(&format!("answers {status} and redirects to {elsewhere};")), "{message}");
        }
    }
    assert_eq!(other.requests(), [""; 0]);
}

#[tokio::test]
async fn a_listing_that_holds_itself_ends() {
    let server = Server::start(|target| match target {
        _ if target.starts_with("/v1/secret/metadata/") && target.ends_with("/?list=true") => {
            Reply::json(r#"{"data":{"keys":["a/"]}}"#)
        }
        _ => vault(target),
    });
    let server = server.await;
    let facts = scan_server(&server).await;
    let (reason, message) = only_gap(&facts);
    assert_eq!(reason, GapReason::TooLarge);
    assert!(message.starts_with("folders are nested deeper than 64"), "{message}");
    assert!(server.requests().len() < 100);
}

#[tokio::test]
async fn a_listing_that_multiplies_ends() {
    let keys: Vec<String> = (0..2_000).map(|n| format!("\"k{n}/\"")).collect();
    let list = format!(r#"{{"data":{{"keys":[{}]}}}}"#, keys.join(","));
    let server =
        Server::start(move |target| if target.ends_with("?list=true") { Reply::json(&list) } else { vault(target) });
    let server = server.await;
    let folder = tempdir().expect("a folder");
    let facts = read(&store(&server.address, TOKEN, folder.path())).await;
    assert!(facts.gaps.iter().all(|gap| gap.reason == GapReason::TooLarge), "{}", gaps(&facts));
    assert!(facts.gaps.len() <= 2, "{}", gaps(&facts));
}

#[tokio::test]
async fn keys_that_no_path_can_have_are_told() {
    let keys = r#"{"data":{"keys":["a","..","../","x/y","","/",".","b"]}}"#;
    let facts = scan("/v1/secret/metadata/?list", Reply::json(keys)).await;
    assert_eq!(facts.copies.len(), 2);
    let (reason, message) = (facts.gaps[0].reason, facts.gaps[0].message.as_str());
    assert_eq!((reason, message), (GapReason::Malformed, "a key that no path can have is in the listing of secret/"));
}

#[tokio::test]
async fn a_moment_of_overload_is_waited_out() {
    for reply in [
        Reply::Full(429, "Retry-After: 0\r\n", r#"{"errors":["request path: rate limit quota exceeded"]}"#.into()),
        Reply::Full(502, "", "<html>Bad gateway</html>".into()),
        Reply::Close,
    ] {
        let tries = Arc::new(AtomicUsize::new(0));
        let (counted, refusal) = (tries.clone(), reply.clone());
        let server = Server::start(move |target| match target {
            "/v1/secret/metadata/b" if counted.fetch_add(1, Ordering::Relaxed) == 0 => refusal.clone(),
            _ => vault(target),
        });
        let facts = scan_server(&server.await).await;
        assert_eq!((facts.copies.len(), gaps(&facts).as_str()), (3, ""), "{reply:?}");
        assert_eq!(tries.load(Ordering::Relaxed), 2, "{reply:?}");
    }
    // For ever is too long.
    let facts = scan("/v1/secret/metadata/b", Reply::Full(429, "Retry-After: 0\r\n", String::new())).await;
    assert_eq!(only_gap(&facts).1, "the server answers 429 (too many requests), when asked for secret/b");
}

/// Every answer waits until as many requests as the config allows are there: fewer would wait for ever.
#[tokio::test]
async fn as_many_requests_are_under_way_as_the_config_says() {
    let keys: Vec<String> = (0..16).map(|n| format!("\"p{n}\"")).collect();
    let list = format!(r#"{{"data":{{"keys":[{}]}}}}"#, keys.join(","));
    let meeting = Meeting::of(4);
    let here = meeting.clone();
    let server = Server::start(move |target| match target {
        "/v1/secret/metadata/?list=true" => Reply::json(&list),
        _ if target.starts_with("/v1/secret/metadata/p") => Reply::Together(here.clone(), Box::new(vault(target))),
        _ => vault(target),
    });
    let server = server.await;
    let folder = tempdir().expect("a folder");
    let config = store(&server.address, TOKEN, folder.path());
    assert_eq!(config.concurrency, 4);
    // Without values, each path is one request after another.
    let facts = read(&StoreConfig { read_values: false, ..config }).await;
    assert_eq!((facts.copies.len(), gaps(&facts).as_str()), (16, ""));
    assert_eq!(meeting.most.load(Ordering::SeqCst), 4);
}
