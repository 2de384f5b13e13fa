use super::super::json::tests::{shown, survives};
use super::KIND;

const FIXTURE: &str = include_str!("../../../../fixtures/trails/keycloak-events/events.jsonl");

#[test]
fn every_line_of_the_fixture_is_understood() {
    let expected = [
        "issued keycloak:shop/client/00000000-0000-0000-0000-0000000000f1 by 00000000-0000-0000-0000-0000000000aa",
        "same keycloak:shop/client/00000000-0000-0000-0000-0000000000f1 keycloak:shop/client/portal-api",
        "issued keycloak:shop/client/00000000-0000-0000-0000-0000000000f1 by 00000000-0000-0000-0000-0000000000aa",
        "maybe-written keycloak:shop/client/00000000-0000-0000-0000-0000000000f1 by 00000000-0000-0000-0000-0000000000aa",
        "same keycloak:shop/client/00000000-0000-0000-0000-0000000000f1 keycloak:shop/client/portal-api",
        "same keycloak:shop/client/00000000-0000-0000-0000-0000000000f1 keycloak:shop/client/portal-api",
        "maybe-written keycloak:shop/client/00000000-0000-0000-0000-0000000000f1 by 00000000-0000-0000-0000-0000000000aa",
        "issued keycloak:shop/client/00000000-0000-0000-0000-0000000000f1 failed by 00000000-0000-0000-0000-0000000000aa",
        "revoked keycloak:shop/client/00000000-0000-0000-0000-0000000000f1 by 00000000-0000-0000-0000-0000000000aa",
        "destroyed keycloak:shop/client/00000000-0000-0000-0000-0000000000f1 by 00000000-0000-0000-0000-0000000000aa",
        "same keycloak:shop/client/00000000-0000-0000-0000-0000000000f1 keycloak:shop/client/portal-api",
        "-",
        "-",
        "loaded keycloak:shop/client/portal-api by portal-api",
        "-",
        "refused keycloak:shop/client/portal-api by portal-api",
        "-",
        "loaded keycloak:shop/client/portal-api by portal-api",
        "-",
        "-",
        "-",
        "broken: its event is text in a message, not JSON",
        "broken: it has no time",
    ];
    assert_eq!(shown(&KIND, FIXTURE), expected);
}

#[test]
fn any_bytes_are_read_or_broken() {
    survives(&KIND, FIXTURE);
}
