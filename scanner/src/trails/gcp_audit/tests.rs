use super::super::json::tests::{shown, survives};
use super::KIND;

const FIXTURE: &str = include_str!("../../../../fixtures/trails/gcp-audit/events.jsonl");

#[test]
fn every_line_of_the_fixture_is_understood() {
    let expected = [
        "-",
        "created gcp-secret-manager:projects/739100000001/secrets/shop-db-password v1 by ana@shop.example run rot-2026-03-01",
        "same gcp-secret-manager:projects/739100000001/secrets/shop-db-password gcp-secret-manager:projects/shop-prod/secrets/shop-db-password",
        "written gcp-secret-manager:projects/739100000001/secrets/shop-db-password failed by ana@shop.example",
        "same gcp-secret-manager:projects/739100000001/secrets/shop-db-password gcp-secret-manager:projects/shop-prod/secrets/shop-db-password",
        "written gcp-secret-manager:projects/739100000001/secrets/shop-db-password throttled by ana@shop.example",
        "same gcp-secret-manager:projects/739100000001/secrets/shop-db-password gcp-secret-manager:projects/shop-prod/secrets/shop-db-password",
        "read gcp-secret-manager:projects/739100000001/secrets/shop-db-password by api@shop-prod.iam.gserviceaccount.com run 0a1b2c3d-0000-4000-8000-00000000abcd",
        "same gcp-secret-manager:projects/739100000001/secrets/shop-db-password gcp-secret-manager:projects/shop-prod/secrets/shop-db-password",
        "read gcp-secret-manager:projects/739100000001/secrets/shop-db-password v1 by api@shop-prod.iam.gserviceaccount.com",
        "same gcp-secret-manager:projects/739100000001/secrets/shop-db-password gcp-secret-manager:projects/shop-prod/secrets/shop-db-password",
        "-",
        "deleted gcp-secret-manager:projects/739100000001/secrets/shop-db-password v1 by ana@shop.example",
        "same gcp-secret-manager:projects/739100000001/secrets/shop-db-password gcp-secret-manager:projects/shop-prod/secrets/shop-db-password",
        "restored gcp-secret-manager:projects/739100000001/secrets/shop-db-password v1 by ana@shop.example",
        "same gcp-secret-manager:projects/739100000001/secrets/shop-db-password gcp-secret-manager:projects/shop-prod/secrets/shop-db-password",
        "deleted gcp-secret-manager:projects/739100000001/secrets/shop-db-password v1 by ana@shop.example",
        "same gcp-secret-manager:projects/739100000001/secrets/shop-db-password gcp-secret-manager:projects/shop-prod/secrets/shop-db-password",
        "destroyed gcp-secret-manager:projects/739100000001/secrets/shop-db-password v2 by ana@shop.example",
        "same gcp-secret-manager:projects/739100000001/secrets/shop-db-password gcp-secret-manager:projects/shop-prod/secrets/shop-db-password",
        "written gcp-secret-manager:projects/shop-prod/locations/europe-west3/secrets/regional v4 by ana@shop.example",
        "destroyed gcp-secret-manager:projects/739100000001/secrets/shop-db-password by ana@shop.example",
        "same gcp-secret-manager:projects/739100000001/secrets/shop-db-password gcp-secret-manager:projects/shop-prod/secrets/shop-db-password",
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
