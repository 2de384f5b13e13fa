use proptest::prelude::*;

use super::super::TrailConfig;
use super::super::vault_audit::tests::{assert_shown, config, events, mutated, read_as};
use super::KIND;

const LOG: &str = include_str!("../../../../fixtures/trails/pgbouncer-log/pgbouncer.log");

fn lines(text: &str) -> impl Iterator<Item = &[u8]> {
    text.lines().map(str::as_bytes)
}

/// What lines give, each `kind target`.
fn told(messages: &[&str]) -> Vec<String> {
    let text: Vec<String> = messages.iter().map(|one| format!("2026-11-21 07:00:00.001 UTC [1] {one}")).collect();
    let found = events(&KIND, text.iter().map(String::as_bytes));
    found.iter().map(|event| format!("{} {}", event.kind.as_str(), event.target)).collect()
}

#[test]
fn every_line_is_understood() {
    let outs = read_as(&KIND, &config(&KIND), lines(LOG));
    assert!(outs[..outs.len() - 1].iter().all(|out| out.broken.is_none() && out.time.is_some()));
    assert_shown(
        &events(&KIND, lines(LOG)),
        include_str!("../../../../fixtures/trails/pgbouncer-log/pgbouncer.events"),
    );
}

#[test]
fn a_login_is_one_that_nothing_speaks_against() {
    let login = "LOG C-0x55aa01: d/app@10.0.0.1:1 login attempt: db=d user=app tls=no";
    let closing = |why: &str| format!("LOG C-0x55aa01: d/app@10.0.0.1:1 closing because: {why} (age=0s)");
    assert_eq!(told(&[login]), ["loaded postgres:role/app"]);
    assert_eq!(told(&[login, &closing("client close request")]), ["loaded postgres:role/app"]);
    assert_eq!(told(&[login, &closing("client unexpected eof")]), [""; 0]);
    assert_eq!(told(&[login, &closing("SASL authentication failed")]), ["refused postgres:role/app"]);
    let failed = "ERROR C-0x55aa01: d/app@10.0.0.1:1 password authentication failed";
    assert_eq!(told(&[login, failed, &closing("SASL authentication failed")]), ["refused postgres:role/app"], "once");
    let other = "ERROR C-0x55aa01: d/app@10.0.0.1:2 password authentication failed";
    assert_eq!(told(&[login, other]), ["refused postgres:role/app", "loaded postgres:role/app"], "another client");
    assert_eq!(
        told(&["LOG C-0x55aa01: pgbouncer/admin@10.0.0.1:1 login attempt: db=pgbouncer user=admin tls=no"]),
        [""; 0]
    );
}

#[test]
fn a_login_does_not_wait_for_ever() {
    let at = |second: u32, message: &str| {
        format!("2026-11-21 07:0{}:{:02}.000 UTC [1] LOG {message}", second / 60, second % 60)
    };
    let lines = [
        at(0, "C-0x55aa01: d/app@10.0.0.1:1 login attempt: db=d user=app tls=no"),
        at(59, "stats: x"),
        at(60, "stats: x"),
    ];
    let outs = read_as(&KIND, &config(&KIND), lines.iter().map(String::as_bytes));
    assert_eq!(outs.iter().map(|out| out.events.len()).collect::<Vec<_>>(), [0, 0, 1, 0]);
}

#[test]
fn the_pooler_is_what_the_config_calls_it() {
    let line = b"2026-11-21 07:00:00.001 UTC [1] LOG RELOAD command issued";
    let config = TrailConfig { consumer: Some("kubernetes:shop/deployment/pgbouncer".to_owned()), ..config(&KIND) };
    let outs = read_as(&KIND, &config, [line.as_slice()]);
    assert_eq!(outs[0].events[0].target.as_str(), "kubernetes:shop/deployment/pgbouncer");
}

#[test]
fn a_name_that_holds_a_record_forges_none() {
    let fake = "2026-11-21 07:00:00.001 UTC [1] LOG C-0x55aa09: d/y@10.0.0.1:1 login attempt: db=d user=y tls=no";
    for name in
        [format!("x\n{fake}"), format!("x\n{fake}\nz"), format!("x\n{fake}\n2026-11-21 07:00:00.001 UTC [1] LOG z")]
    {
        let text = format!(
            "2026-11-21 07:00:00.001 UTC [1] LOG C-0x55aa01: d/{name}@10.0.0.1:1 login attempt: db=d user={name} tls=no\n"
        );
        let outs = read_as(&KIND, &config(&KIND), lines(&text));
        assert!(!outs.iter().flat_map(|out| &out.events).any(|event| event.target.path() == "role/y"), "{name}");
        assert!(outs[0].broken.is_some());
    }
}

proptest! {
    #[test]
    fn anything_is_read(records in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
        events(&KIND, records.iter().map(Vec::as_slice));
    }

    #[test]
    fn a_damaged_record_is_read_or_said_to_be_broken(records in prop::collection::vec(mutated(LOG), 1..6)) {
        for out in read_as(&KIND, &config(&KIND), records.iter().map(Vec::as_slice)).split_last().expect("an end").1 {
            prop_assert!(out.broken.is_some() || out.time.is_some());
        }
    }
}
