use super::super::json::tests::{shown, survives};
use super::KIND;

const FIXTURE: &str = include_str!("../../../../fixtures/trails/onepassword-usage/events.jsonl");

#[test]
fn every_line_of_the_fixture_is_understood() {
    let expected = [
        "written 1password:item/fakeitem00000000000000001 v1 by ana@shop.example",
        "maybe-written 1password:item/fakeitem00000000000000001 v3 by ana@shop.example",
        "read 1password:item/fakeitem00000000000000001 v3 by ana@shop.example",
        "read 1password:item/fakeitem00000000000000001 v3 by ana@shop.example",
        "read 1password:item/fakeitem00000000000000001 by ana@shop.example",
        "read 1password:item/fakeitem00000000000000001 v3 by FAKESERVICE",
        "-",
        "-",
        "maybe-written 1password:item/fakeitem00000000000000001 by ana@shop.example",
        "deleted 1password:item/fakeitem00000000000000001 by ana@shop.example",
        "destroyed 1password:item/fakeitem00000000000000001 by ana@shop.example",
        "restored 1password:item/fakeitem00000000000000001 by ana@shop.example",
        "-",
        "broken: it has no time",
    ];
    assert_eq!(shown(&KIND, FIXTURE), expected);
}

#[test]
fn any_bytes_are_read_or_broken() {
    survives(&KIND, FIXTURE);
}
