use crate::correlate::tests::support::{Estate, place};

#[test]
fn an_item_is_known_by_its_places_its_keys_and_its_id() {
    let mut estate = Estate::default();
    estate.secret("DB_PASSWORD").copies.push(place("vault:secret/shop/db#password"));
    estate.last().known_as.push(place("postgres:role/shop"));
    estate.secret("OTHER_KEY").copies.push(place("vault:secret/shop/db#other"));
    let names = estate.names();
    for known in [
        "vault:secret/shop/db#password",
        "vault:secret/shop/db",
        "postgres:role/shop",
        "env:DB_PASSWORD",
        "env:db-password",
        "item:DB_PASSWORD",
        "aws-rds:arn:aws:rds:eu-west-1:123456789012:db:shop",
    ] {
        assert!(names.may_be(&place(known)), "{known}");
    }
    for unknown in ["vault:secret/shop/db#pin", "vault:secret/shop", "postgres:role/other", "env:PASSWORD", "x:y"] {
        assert!(!names.may_be(&place(unknown)), "{unknown}");
    }
}

#[test]
fn an_arn_stands_for_the_name_in_it_and_the_other_way_round() {
    let mut estate = Estate::default();
    estate.secret("A").copies.push(place("aws-secrets-manager:prod/db#password"));
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/mail-AbC123";
    estate.secret("B").copies.push(place(&format!("aws-secrets-manager:{arn}")));
    let resolver = estate.resolved(&[
        &format!("aws-secrets-manager:{}", arn.replace("mail", "db")),
        &format!("aws-secrets-manager:{}#password", arn.replace("mail", "db")),
        "aws-secrets-manager:prod/mail",
        "aws-secrets-manager:prod/mail-AbC123",
    ]);
    assert_eq!(resolver, [vec![0], vec![0], vec![1], vec![]]);
}

#[test]
fn a_trail_may_say_that_two_names_are_one() {
    let mut estate = Estate::default();
    estate.secret("A").known_as.push(place("entra:application/one"));
    let same = [("x:two", "x:three"), ("entra:application/one", "x:two")];
    assert_eq!(estate.resolved_with(&same, &["x:three", "x:four"]), [vec![0], vec![]]);
}

#[test]
fn needles_are_in_every_spelling_that_a_record_may_use() {
    let mut estate = Estate::default();
    estate.secret("DB_PASSWORD").copies.push(place("vault:secret/shop/pay/main-db#password"));
    estate.last().known_as.push(place("postgres:role/shop"));
    let names = estate.names();
    let records = [
        r#"{"path":"secret\/data\/shop\/pay\/main-db"}"#,
        "ALTER ROLE shop",
        "loaded db-password",
        "DB_PASSWORD=",
        r#"{"key":"db_password"}"#,
    ];
    for record in records {
        assert!(names.needles().iter().any(|needle| record.contains(needle.as_str())), "{record}");
    }
    assert!(!names.needles().contains(""));
}
