use keytrail_rules::model::{FingerprintKey, Secret};
use proptest::prelude::*;

use super::KIND;
use crate::inventory::manifests;
use crate::inventory::testing::{fixture, holdings, read, read_text};
use crate::source::SourceFile;

fn of(text: &str) -> String {
    holdings(&read_text(&KIND, "deploy/compose.yaml", text))
}

fn service(settings: &str) -> String {
    of(&format!("services:\n  api:\n    {settings}\n"))
}

#[test]
fn a_believable_compose_file() {
    let file = fixture("compose/docker-compose.prod.yml");
    assert!((KIND.claims)(&file));
    insta::assert_snapshot!(holdings(&read(&KIND, &file)), @"
    17: compose-env compose:compose/docker-compose.prod.yml/api#ADMIN_TOKEN [production] Literal, a long random token
    18: compose-env compose:compose/docker-compose.prod.yml/api#LOG_LEVEL [production] Literal
    20: compose-env compose:compose/docker-compose.prod.yml/api#MAIL_URL [production] Literal, a URL or connection string with a password in it
    21: compose-env compose:compose/docker-compose.prod.yml/api#DEBUG [production] Literal
    23: compose-env compose:compose/docker-compose.prod.yml/api#PRICE [production] Literal
    8: compose-env compose:compose/docker-compose.prod.yml/api#TZ [production] Literal
    9: compose-env compose:compose/docker-compose.prod.yml/api#DATABASE_URL [production] Reference
    37: compose-env compose:compose/docker-compose.prod.yml/worker#QUEUE_PASSWORD [production] Literal, a long random token
    40: compose-env compose:compose/docker-compose.prod.yml/worker#EMPTY [production] Empty
    48: compose-secret compose:compose/docker-compose.prod.yml#db_password [production] Reference
    50: compose-secret compose:compose/docker-compose.prod.yml#tls_key [production] Reference
    52: compose-secret compose:compose/docker-compose.prod.yml#api_key [production] Reference
    53: compose:compose/docker-compose.prod.yml [production] loads secret PAYMENT_API_KEY
    17: compose:compose/docker-compose.prod.yml/api [production] loads ADMIN_TOKEN from compose:compose/docker-compose.prod.yml/api#ADMIN_TOKEN
    25: compose:compose/docker-compose.prod.yml/api [production] loads COMPOSE_ENV from env-file:compose/.env
    28: compose:compose/docker-compose.prod.yml/api [production] loads COMPOSE_ENV_PROD from env-file:compose/.env.prod
    9: compose:compose/docker-compose.prod.yml/api [production] loads DATABASE_URL from compose:compose/docker-compose.prod.yml/api#DATABASE_URL
    30: compose:compose/docker-compose.prod.yml/api [production] loads secret DB_PASSWORD from compose:compose/docker-compose.prod.yml#db_password
    9: compose:compose/docker-compose.prod.yml/api [production] loads DB_PASSWORD
    21: compose:compose/docker-compose.prod.yml/api [production] loads DEBUG from compose:compose/docker-compose.prod.yml/api#DEBUG
    19: compose:compose/docker-compose.prod.yml/api [production] loads JWT_SIGNING_KEY
    18: compose:compose/docker-compose.prod.yml/api [production] loads LOG_LEVEL from compose:compose/docker-compose.prod.yml/api#LOG_LEVEL
    20: compose:compose/docker-compose.prod.yml/api [production] loads MAIL_HOST
    20: compose:compose/docker-compose.prod.yml/api [production] loads MAIL_URL from compose:compose/docker-compose.prod.yml/api#MAIL_URL
    23: compose:compose/docker-compose.prod.yml/api [production] loads PRICE from compose:compose/docker-compose.prod.yml/api#PRICE
    22: compose:compose/docker-compose.prod.yml/api [production] loads SENTRY_DSN
    26: compose:compose/docker-compose.prod.yml/api [production] loads SHARED_COMMON_ENV from env-file:shared/common.env
    13: compose:compose/docker-compose.prod.yml/api [production] loads SHOP_VERSION
    28: compose:compose/docker-compose.prod.yml/api [production] loads STAGE
    31: compose:compose/docker-compose.prod.yml/api [production] loads secret TLS_KEY from compose:compose/docker-compose.prod.yml#tls_key
    8: compose:compose/docker-compose.prod.yml/api [production] loads TZ from compose:compose/docker-compose.prod.yml/api#TZ
    33: compose:compose/docker-compose.prod.yml/api [production] loads WORKERS
    45: compose:compose/docker-compose.prod.yml/db [production] loads DB_PASSWORD
    45: compose:compose/docker-compose.prod.yml/db [production] loads POSTGRES_PASSWORD
    41: compose:compose/docker-compose.prod.yml/worker [production] loads COMPOSE_ENV from env-file:compose/.env
    40: compose:compose/docker-compose.prod.yml/worker [production] loads EMPTY from compose:compose/docker-compose.prod.yml/worker#EMPTY
    39: compose:compose/docker-compose.prod.yml/worker [production] loads HOSTNAME
    37: compose:compose/docker-compose.prod.yml/worker [production] loads QUEUE_PASSWORD from compose:compose/docker-compose.prod.yml/worker#QUEUE_PASSWORD
    38: compose:compose/docker-compose.prod.yml/worker [production] loads QUEUE_USER
    ");
}

#[test]
fn a_file_is_of_one_kind() {
    let cases = [
        ("services:\n  a: {}\n", true, false),
        ("secrets:\r\n  a: {file: b}\r\n", true, false),
        ("apiVersion: v1\nkind: Kompose\nservices: {}\n", false, true),
        ("  services: a\n", false, false),
        ("include:\n  - a.yaml\n", true, false),
    ];
    for (text, compose, manifest) in cases {
        let file = SourceFile::from_bytes("compose.yaml", text.into());
        assert_eq!(((KIND.claims)(&file), (manifests::KIND.claims)(&file)), (compose, manifest), "{text:?}");
    }
}

#[test]
fn a_variable_with_its_own_name_as_default_is_loaded_once() {
    let expected = "3: compose-env compose:deploy/compose.yaml/api#QUEUE_TOKEN Literal\n\
                    3: compose:deploy/compose.yaml/api loads QUEUE_TOKEN from compose:deploy/compose.yaml/api#QUEUE_TOKEN";
    assert_eq!(service("environment: {QUEUE_TOKEN: '${QUEUE_TOKEN:-battery-9}'}"), expected);
}

#[test]
fn build_args_are_copies_and_other_files_are_told_of() {
    insta::assert_snapshot!(service("build: {args: {NPM_TOKEN: Vr7qTzW2mLx94KdHsPe81bYc, V: '${V}'}}\n    extends: {file: base.yaml, service: b}"), @"
    3: compose-env compose:deploy/compose.yaml/api/build#NPM_TOKEN Literal, a long random token
    3: compose:deploy/compose.yaml/api loads NPM_TOKEN from compose:deploy/compose.yaml/api/build#NPM_TOKEN
    3: compose:deploy/compose.yaml/api loads V
    4: gap, Unsupported: `extends` takes settings from 'base.yaml', which are not read as part of this file (scan the output of `docker compose config`)
    ");
    insta::assert_snapshot!(service("build: {args: [A=b, C]}\n    extends: {service: b}"), @"
    3: compose-env compose:deploy/compose.yaml/api/build#A Literal
    3: compose:deploy/compose.yaml/api loads A from compose:deploy/compose.yaml/api/build#A
    3: compose:deploy/compose.yaml/api loads C
    ");
    insta::assert_snapshot!(of("include: [a.yaml, {path: [b.yaml, ../c.yaml]}]\n"), @"
    1: gap, Unsupported: `include` takes settings from 'a.yaml', which are not read as part of this file (scan the output of `docker compose config`)
    1: gap, Unsupported: `include` takes settings from 'b.yaml', which are not read as part of this file (scan the output of `docker compose config`)
    1: gap, Unsupported: `include` takes settings from '../c.yaml', which are not read as part of this file (scan the output of `docker compose config`)
    ");
    assert_eq!(service("build: ."), "");
}

#[test]
fn env_files_are_resolved_from_the_folder_and_never_leave_the_root() {
    let cases = [
        (".env", "env-file:deploy/.env"),
        ("./a//b/../.env", "env-file:deploy/a/.env"),
        ("../.env", "env-file:.env"),
        ("'${STAGE:-dev}.env'", "env-file:deploy/dev.env"),
        ("../../.env", ""),
        ("../../deploy/.env", ""),
        ("/etc/app.env", ""),
        ("~/app.env", ""),
        ("'${STAGE}.env'", ""),
        ("..", ""),
    ];
    for (path, expected) in cases {
        let facts = read_text(&KIND, "deploy/compose.yaml", format!("services: {{api: {{env_file: {path}}}}}\n"));
        let from = facts.uses.iter().find_map(|one| one.from.as_ref());
        assert_eq!(from.map_or("", |place| place.as_str()), expected, "{path}");
        assert_eq!(facts.gaps.len(), usize::from(expected.is_empty()), "{path}");
    }
}

#[test]
fn a_default_is_a_value_and_a_reference_is_none() {
    let key = FingerprintKey::new([7; 32]);
    // The text of the variable, and the value that its copy has; none where there is no copy.
    let cases = [
        ("battery-horse-9", Some(Some("battery-horse-9"))),
        ("${X:-battery-horse-9}", Some(Some("battery-horse-9"))),
        ("battery-$$horse", Some(Some("battery-$horse"))),
        ("db://u:pw-9$$x@h", Some(Some("db://u:pw-9$x@h"))),
        ("${X}", None),
        ("$X", None),
        ("${X:?no}", None),
        ("a-${X}-b", Some(None)),
        ("db://u:${X}@h", Some(None)),
        ("db://u:pw-9x@${X}", Some(Some("db://u:pw-9x@${X}"))),
        ("db://u:${X:-pw-9x}@h", Some(Some("db://u:pw-9x@h"))),
        ("battery-$(horse)", Some(Some("battery-$(horse)"))),
    ];
    for (text, expected) in cases {
        let facts = read_text(&KIND, "compose.yaml", format!("services: {{api: {{environment: {{V: '{text}'}}}}}}\n"));
        let expected = expected.map(|value| value.map(|value: &str| key.fingerprint(&Secret::from(value))));
        let copies: Vec<_> = facts.copies.iter().map(|copy| copy.value.fingerprint.clone()).collect();
        assert_eq!(copies, Vec::from_iter(expected), "{text}");
    }
}

#[test]
fn odd_shapes_are_gaps_and_nothing_else_is_lost() {
    let cases = [
        ("environment: text", "3: gap, Malformed: `environment` is text, not a mapping"),
        (
            "environment: {A: [1], B: 2}",
            "3: compose-env compose:deploy/compose.yaml/api#B Literal\n\
             3: compose:deploy/compose.yaml/api loads B from compose:deploy/compose.yaml/api#B\n\
             3: gap, Malformed: the value of this variable is a list, not text",
        ),
        ("environment: [{A: 1}]", "3: gap, Malformed: an entry of `environment` is a mapping, not text"),
        ("env_file: [[a]]", "3: gap, Malformed: an entry of `env_file` is a list, not text"),
        ("env_file: {required: true}", "3: gap, Malformed: `path` is missing"),
        ("secrets: a", "3: gap, Malformed: `secrets` is text, not a list"),
        ("secrets: [{target: a}]", "3: gap, Malformed: `source` is missing"),
        ("command: echo $(date)", "3: gap, Malformed: a `$` that starts no variable (write `$$` for a dollar sign)"),
        (
            "image: [",
            "4: gap, Malformed: this is not valid YAML: while parsing a node, did not find expected node content",
        ),
    ];
    for (settings, expected) in cases {
        assert_eq!(service(settings), expected, "{settings}");
    }
    assert_eq!(of("services: [a]\n"), "1: gap, Malformed: `services` is a list, not a mapping");
    assert_eq!(of("services: {a: b}\n"), "1: gap, Malformed: this service is no mapping");
    assert_eq!(of("services: {a: ~}\n"), "");
    assert_eq!(of("secrets: {a: ~}\n"), "1: gap, Malformed: this secret has no `file`, `environment` or `external`");
    assert_eq!(of("- services\n"), "1: gap, Malformed: this document is no compose file");
}

#[test]
fn a_file_with_endless_references_is_read_in_part() {
    let references: String = (0..30_000).map(|at| format!("$V{at}")).collect();
    let facts = read_text(&KIND, "compose.yaml", format!("services: {{a: {{command: '{references}'}}}}\n"));
    assert_eq!((facts.uses.len(), facts.copies.len()), (super::MAX_USES, 0));
    assert!(!facts.gaps.is_empty());
}

proptest! {
    #[test]
    fn no_compose_file_panics_or_shows_a_value(
        parts in prop::collection::vec(prop::sample::select(vec![
            "\n", "\n  ", "\n    ", "\n      ", "- ", "api: ", "environment: ", "env_file: ", "secrets: ", "path: ", "file: ", "source: ",
            "A", "=", "hunter2hunter3", "${", "}", "$A", ":-", "[", "]", "{", "}", ", ", "~", "<<: ", "&a ", "*a", "---\n", "../",
        ]), 0..40),
    ) {
        let facts = read_text(&KIND, "compose.yaml", format!("services:\n  api:\n    {}", parts.concat()));
        for one in &facts.uses {
            prop_assert!(one.from.as_ref().is_none_or(|place| !place.path().starts_with("..")));
        }
        for gap in facts.gaps.iter().filter(|gap| !gap.message.contains("env file")) {
            prop_assert!(!gap.message.contains("hunter2hunter3"), "{}", gap.message);
        }
    }
}
