use super::super::json::tests::{shown, survives};
use super::KIND;

const FIXTURE: &str = include_str!("../../../../fixtures/trails/okta-log/events.jsonl");

#[test]
fn every_line_of_the_fixture_is_understood() {
    let expected = [
        "issued okta:app/0oafake0000000000001 vocsfake0000000000001 by ana@shop.example run rot-4",
        "revoked okta:app/0oafake0000000000001 vocsfake0000000000001 by ana@shop.example",
        "restored okta:app/0oafake0000000000001 vocsfake0000000000001 by ana@shop.example",
        "revoked okta:app/0oafake0000000000001 vocsfake0000000000001 by ana@shop.example",
        "issued okta:app/0oafake0000000000001 failed by ana@shop.example",
        "read okta:app/0oafake0000000000001 by ana@shop.example",
        "issued okta:token/00Tfake0000000000001 by ana@shop.example",
        "revoked okta:token/00Tfake0000000000001 by ana@shop.example",
        "loaded okta:app/0oafake0000000000001 by 0oafake0000000000001",
        "refused okta:app/0oafake0000000000001 by 0oafake0000000000001",
        "-",
        "-",
        "-",
        "broken: it names no app and no token",
        "broken: it has no time",
    ];
    assert_eq!(shown(&KIND, FIXTURE), expected);
}

#[test]
fn any_bytes_are_read_or_broken() {
    survives(&KIND, FIXTURE);
}
