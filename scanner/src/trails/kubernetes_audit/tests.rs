use keytrail_rules::model::{EventKind, Outcome};
use proptest::prelude::*;

use super::super::Draft;
use super::super::vault_audit::tests::{assert_shown, config, events, mutated, read_as};
use super::KIND;

const LOG: &str = include_str!("../../../../fixtures/trails/kubernetes-audit/audit.jsonl");

fn lines(text: &str) -> impl Iterator<Item = &[u8]> {
    text.lines().map(str::as_bytes)
}

/// A real line, with parts replaced.
fn line(number: usize, replace: &[(&str, &str)]) -> String {
    let line = LOG.lines().nth(number - 1).expect("a line").to_owned();
    replace.iter().fold(line, |line, (from, to)| {
        assert!(line.contains(from), "{from}");
        line.replace(from, to)
    })
}

fn told(lines: &[String]) -> Vec<String> {
    let found = events(&KIND, lines.iter().map(String::as_bytes));
    found.iter().map(|event| format!("{} {} {}", event.kind.as_str(), event.outcome.as_str(), event.target)).collect()
}

#[test]
fn every_line_is_understood() {
    let outs = read_as(&KIND, &config(&KIND), lines(LOG));
    assert!(outs[..outs.len() - 1].iter().all(|out| out.broken.is_none() && out.time.is_some()));
    assert_shown(&events(&KIND, lines(LOG)), include_str!("../../../../fixtures/trails/kubernetes-audit/audit.events"));
}

#[test]
fn no_value_is_copied() {
    let shown = format!("{:?}", read_as(&KIND, &config(&KIND), lines(LOG)));
    for value in ["T0xE", "\\\"NEW\\\"", "TkVX", "leaked-by-runbook"] {
        assert!(!shown.contains(value), "{value}");
    }
}

/// A patch whose content is in the log.
const PATCH: usize = 15;
const SENT: &str = "{\"stringData\":{\"client_secret\":\"NEW\"}}";

#[test]
fn a_patch_says_which_keys_it_writes() {
    let of = |sent: &str| told(&[line(PATCH, &[(SENT, sent)])]);
    let one = "kubernetes:demo-rr/secret/auth0#client_secret";
    assert_eq!(of(SENT), [format!("written done {one}")]);
    assert_eq!(of("{\"metadata\":{\"labels\":{\"a\":\"b\"}}}"), [""; 0]);
    assert_eq!(of("{\"data\":{\"client_secret\":null}}"), [format!("deleted done {one}")]);
    let patch = "[{\"op\":\"replace\",\"path\":\"/data/client_secret\",\"value\":\"Tg==\"}]";
    assert_eq!(of(patch), [format!("written done {one}")]);
    assert_eq!(of("[{\"op\":\"test\",\"path\":\"/data/a~1b\",\"value\":\"\"}]"), [""; 0]);
    assert_eq!(
        of("[{\"op\":\"remove\",\"path\":\"/data/a~1b\"}]"),
        ["deleted done kubernetes:demo-rr/secret/auth0#a/b"]
    );
    assert_eq!(of("\"x\""), ["written done kubernetes:demo-rr/secret/auth0"], "nobody knows");
}

#[test]
fn a_whole_object_writes_what_is_new_in_it() {
    let put = |id: &str, client: &str| {
        let sent = format!("{{\"kind\":\"Secret\",\"data\":{{\"client_secret\":\"{client}\",\"other\":\"eA==\"}}}}");
        line(
            PATCH,
            &[
                (SENT, &sent),
                ("\"verb\":\"patch\"", "\"verb\":\"update\""),
                ("\"auditID\":\"", &format!("\"auditID\":\"{id}")),
            ],
        )
    };
    let targets = |lines: &[String]| told(lines).len();
    assert_eq!(targets(&[put("a", "MQ==")]), 2);
    assert_eq!(targets(&[put("a", "MQ=="), put("b", "MQ==")]), 2, "a new label, perhaps");
    assert_eq!(targets(&[put("a", "MQ=="), put("b", "Mg==")]), 3);
    assert_eq!(targets(&[put("a", "MQ=="), put("b", "Mg=="), put("c", "MQ==")]), 4);
}

#[test]
fn what_failed_or_was_tried_out_changes_nothing() {
    let code = |code: &str| told(&[line(PATCH, &[("\"code\":200", &format!("\"code\":{code}"))])]);
    let target = "kubernetes:demo-rr/secret/auth0#client_secret";
    assert_eq!(code("409"), [format!("written failed {target}")]);
    assert_eq!(code("403"), [format!("written failed {target}")]);
    assert_eq!(code("429"), [format!("written throttled {target}")]);
    let dry = line(PATCH, &[("?fieldManager=kubectl-patch", "?dryRun=All\\u0026fieldManager=kubectl-patch")]);
    assert_eq!(told(&[dry]), [""; 0]);
    let started = line(PATCH, &[("\"stage\":\"ResponseComplete\"", "\"stage\":\"RequestReceived\"")]);
    assert_eq!(told(&[started]), [""; 0]);
    let token = line(PATCH, &[("\"resource\":\"secrets\"", "\"resource\":\"secrets\",\"subresource\":\"token\"")]);
    assert_eq!(told(&[token]), [""; 0]);
}

#[test]
fn a_field_manager_that_is_no_program_is_a_run() {
    let run = |manager: &str| {
        let line = line(PATCH, &[("fieldManager=kubectl-patch", &format!("fieldManager={manager}"))]);
        events(&KIND, [line.as_bytes()]).swap_remove(0).run
    };
    assert_eq!(run("wr-7f3a"), Some("wr-7f3a".to_owned()));
    assert_eq!(run("wr%2F7f3a"), Some("wr/7f3a".to_owned()));
    assert_eq!(run("run-traced"), Some("run-traced".to_owned()));
    assert_eq!(run("kubectl-patch"), None);
    assert_eq!(run("trunk-manager"), None);
}

#[test]
fn a_kubelet_reads_one_secret_by_watching_it() {
    let watch = line(4, &[("\"verb\":\"get\"", "\"verb\":\"watch\"")]);
    assert_eq!(told(&[watch]), ["read done kubernetes:demo/secret/auth0"]);
    assert_eq!(told(&[line(32, &[])]), [""; 0], "all secrets");
    assert_eq!(told(&[line(4, &[("\"code\":200", "\"code\":403")])]), [""; 0]);
}

#[test]
fn a_template_that_changes_starts_a_workload_anew() {
    let restarts: Vec<Draft> =
        events(&KIND, lines(LOG)).into_iter().filter(|event| event.kind == EventKind::Restarted).collect();
    assert_eq!(restarts.len(), 2, "a rollout, and a new variable");
    assert!(restarts.iter().all(|event| event.consumer.as_deref() == Some("kubernetes:demo/deployment/core")));
    let scaled = line(25, &[("\"spec\":{\"template\":", "\"spec\":{\"other\":")]);
    assert_eq!(told(&[scaled]), [""; 0]);
    let failed = line(25, &[("\"code\":200", "\"code\":409")]);
    assert!(events(&KIND, [failed.as_bytes()]).iter().all(|event| event.outcome == Outcome::Failed));
}

#[test]
fn what_is_no_record_is_said() {
    let out = |bytes: &[u8]| read_as(&KIND, &config(&KIND), [bytes]).swap_remove(0);
    let good = line(PATCH, &[]);
    let no_id = line(PATCH, &[("\"auditID\"", "\"other\"")]);
    let twice = line(PATCH, &[("\"verb\":\"patch\"", "\"verb\":\"get\",\"verb\":\"patch\"")]);
    for bad in ["{}", "x", "[1]", &good[..good.len() - 3], &good[80..], &no_id, &twice] {
        let out = out(bad.as_bytes());
        assert!(out.broken.is_some() && out.events.is_empty(), "{bad}");
    }
    assert!(out(b" \r").broken.is_none());
    assert_eq!(out(format!("\u{feff}{good}\r").as_bytes()).events.len(), 1);
}

#[test]
fn a_name_that_holds_a_record_is_a_name() {
    let fake = "x\\\"},\\n\\\"objectRef\\\":{\\\"resource\\\":\\\"secrets\\\",\\\"name\\\":\\\"y\\\"}";
    let user = "system:serviceaccount:keytrail:rotator";
    let found = events(&KIND, [line(PATCH, &[(user, fake)]).as_bytes()]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].target.as_str(), "kubernetes:demo-rr/secret/auth0#client_secret");
}

proptest! {
    #[test]
    fn anything_is_read(records in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
        events(&KIND, records.iter().map(Vec::as_slice));
    }

    #[test]
    fn a_damaged_record_is_read_or_said_to_be_broken(records in prop::collection::vec(mutated(LOG), 1..4)) {
        for out in read_as(&KIND, &config(&KIND), records.iter().map(Vec::as_slice)) {
            prop_assert!(out.broken.is_none() || out.events.is_empty());
        }
    }
}
