use super::super::json::tests::{shown, survives};
use super::KIND;

const FIXTURE: &str = include_str!("../../../../fixtures/trails/github-audit/events.jsonl");

#[test]
fn every_line_of_the_fixture_is_understood() {
    let expected = [
        "written github:octo-org#DB_PASSWORD by ana run rot-6",
        "written github:octo-org#DB_PASSWORD by ana run rot-6",
        "written github:octo-org/shop#DB_PASSWORD by ana run rot-6",
        "destroyed github:octo-org/shop#DB_PASSWORD by ana run rot-6",
        "written github:octo-org/shop/prod#DB_PASSWORD by ana run rot-6",
        "maybe-written github:octo-org/shop by ana run rot-6",
        "written github:octo-org/shop#DB_PASSWORD by ana run rot-6",
        "written github:octo-org#DB_PASSWORD by ana run rot-6",
        "maybe-written github:octo-org/shop by ana run rot-6",
        "broken: it names no secret",
        "broken: it names no owner",
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
