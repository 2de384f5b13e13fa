use super::super::json::tests::{shown, survives};
use super::KIND;

const FIXTURE: &str = include_str!("../../../../fixtures/trails/auth0-log/events.jsonl");

#[test]
fn every_line_of_the_fixture_is_understood() {
    let expected = [
        "issued auth0:client/fakeportalclient0000000000000002 by ana@shop.example run rot-77",
        "issued auth0:client/fakeportalclient0000000000000002 by ana@shop.example",
        "-",
        "maybe-written auth0:client/fakeportalclient0000000000000002 by ana@shop.example",
        "issued auth0:client/fakeportalclient0000000000000002 failed by ana@shop.example",
        "issued auth0:client/fakeportalclient0000000000000002 throttled by ana@shop.example",
        "read auth0:client/fakeportalclient0000000000000002 by rotator",
        "-",
        "issued auth0:client/fakenewclient000000000000000003 by ana@shop.example",
        "destroyed auth0:client/fakenewclient000000000000000003 by ana@shop.example",
        "loaded auth0:client/fakeportalclient0000000000000002 by Portal",
        "refused auth0:client/fakeportalclient0000000000000002 by Portal",
        "-",
        "-",
        "-",
        "broken: it has no time",
    ];
    assert_eq!(shown(&KIND, FIXTURE), expected);
}

#[test]
fn any_bytes_are_read_or_broken() {
    survives(&KIND, FIXTURE);
}
