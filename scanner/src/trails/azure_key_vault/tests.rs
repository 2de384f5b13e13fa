use super::super::json::tests::{shown, survives};
use super::KIND;

const FIXTURE: &str = include_str!("../../../../fixtures/trails/azure-key-vault/events.jsonl");

#[test]
fn every_line_of_the_fixture_is_understood() {
    let expected = [
        "-",
        "-",
        "written azure-key-vault:shopvault/db-password v0123456789abcdef0123456789abcde1 by ana@shop.example run 5c2f0000-0000-4000-8000-000000000001",
        "written azure-key-vault:shopvault/db-password failed by ana@shop.example run 5c2f0000-0000-4000-8000-000000000002",
        "written azure-key-vault:shopvault/db-password throttled by ana@shop.example",
        "read azure-key-vault:shopvault/db-password v0123456789abcdef0123456789abcde1 by 00000000-0000-0000-0000-0000000000cc",
        "read azure-key-vault:shopvault/db-password failed v0123456789abcdef0123456789abcde1 by ana@shop.example",
        "same azure-key-vault:shopvault/db-password azure-key-vault:ShopVault/DB-Password",
        "-",
        "deleted azure-key-vault:shopvault/db-password v0123456789abcdef0123456789abcde1 by ana@shop.example",
        "deleted azure-key-vault:shopvault/db-password by ana@shop.example",
        "restored azure-key-vault:shopvault/db-password by ana@shop.example",
        "destroyed azure-key-vault:shopvault/db-password by ana@shop.example",
        "-",
        "broken: it names no secret",
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
