use super::super::json::tests::{shown, survives};
use super::KIND;

const FIXTURE: &str = include_str!("../../../../fixtures/trails/entra-audit/events.jsonl");

#[test]
fn every_line_of_the_fixture_is_understood() {
    let expected = [
        "issued entra:application/00000000-0000-0000-0000-00000000a001 v00000000-0000-0000-0000-0000000000e1 by ana@shop.example run rot-5",
        "same entra:application/00000000-0000-0000-0000-00000000a001 entra:application/00000000-0000-0000-0000-00000000b001",
        "-",
        "issued entra:application/00000000-0000-0000-0000-00000000a001 v00000000-0000-0000-0000-0000000000e2 by ana@shop.example",
        "issued entra:application/00000000-0000-0000-0000-00000000a001 v00000000-0000-0000-0000-0000000000e3 by ana@shop.example",
        "revoked entra:application/00000000-0000-0000-0000-00000000a001 v00000000-0000-0000-0000-0000000000e1 by ana@shop.example",
        "-",
        "issued entra:application/00000000-0000-0000-0000-00000000a001 failed by ana@shop.example",
        "maybe-written entra:application/00000000-0000-0000-0000-00000000a001 by ana@shop.example",
        "revoked entra:application/00000000-0000-0000-0000-00000000a002 v00000000-0000-0000-0000-0000000000e3 by rotator",
        "-",
        "broken: it names no application",
        "broken: it has no time",
    ];
    assert_eq!(shown(&KIND, FIXTURE), expected);
}

#[test]
fn any_bytes_are_read_or_broken() {
    survives(&KIND, FIXTURE);
}
