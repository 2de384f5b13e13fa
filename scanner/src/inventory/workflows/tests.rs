use proptest::prelude::*;

use super::KIND;
use crate::inventory::testing::{fixture, holdings, read, read_text};
use crate::source::SourceFile;

fn of(text: &str) -> String {
    holdings(&read_text(&KIND, ".github/workflows/ci.yml", text))
}

#[test]
fn a_believable_workflow() {
    let file = fixture("workflows/.github/workflows/deploy.yml");
    assert!((KIND.claims)(&file));
    insta::assert_snapshot!(holdings(&read(&KIND, &file)), @"
    23: github-secret github:actions#NPM_TOKEN Unread
    56: github-secret github:actions#RELEASE_SIGNING_KEY Unread
    26: github-secret github:actions#TEST_API_KEY Unread
    39: github-secret github:environment/Production#DATABASE_URL [production] Unread
    41: github-secret github:environment/Production#DEPLOY_USER [production] Unread
    11: github-variable github:actions#REGION Unread
    31: github-variable github:environment/Production#DEPLOY_ENABLED [production] Unread
    37: github-variable github:environment/Production#DEPLOY_URL [production] Unread
    41: github-variable github:environment/Production#REGION [production] Unread
    23: github:workflows/.github/workflows/deploy.yml loads secret NPM_TOKEN from github:actions#NPM_TOKEN
    56: github:workflows/.github/workflows/deploy.yml loads secret RELEASE_SIGNING_KEY from github:actions#RELEASE_SIGNING_KEY
    26: github:workflows/.github/workflows/deploy.yml loads secret TEST_API_KEY from github:actions#TEST_API_KEY
    39: github:workflows/.github/workflows/deploy.yml [production] loads secret DATABASE_URL from github:environment/Production#DATABASE_URL
    41: github:workflows/.github/workflows/deploy.yml [production] loads secret DEPLOY_USER from github:environment/Production#DEPLOY_USER
    11: github:workflows/.github/workflows/deploy.yml loads REGION from github:actions#REGION
    31: github:workflows/.github/workflows/deploy.yml [production] loads DEPLOY_ENABLED from github:environment/Production#DEPLOY_ENABLED
    37: github:workflows/.github/workflows/deploy.yml [production] loads DEPLOY_URL from github:environment/Production#DEPLOY_URL
    41: github:workflows/.github/workflows/deploy.yml [production] loads REGION from github:environment/Production#REGION
    49: gap, Unsupported: the names that are read from `secrets` here are made at run time (name each one as it is)
    ");
}

#[test]
fn workflows_are_told_from_other_files() {
    for (text, expected) in [("on: push\njobs:\n", true), ("jobs: {}\r\n", true), ("  jobs:\n", false), ("", false)] {
        assert_eq!((KIND.claims)(&SourceFile::from_bytes("a.yml", text.into())), expected, "{text:?}");
    }
}

#[test]
fn a_name_counts_once_for_each_environment_at_its_first_line() {
    let text = "jobs:\n  a:\n    environment: prod\n    env:\n      X: ${{ secrets.K }}\n      Y: ${{ secrets.k }}\n  \
                b:\n    env:\n      X: ${{ secrets.K }}\n";
    assert_eq!(
        of(text),
        "9: github-secret github:actions#K Unread\n\
         5: github-secret github:environment/prod#K [production] Unread\n\
         9: github:.github/workflows/ci.yml loads secret K from github:actions#K\n\
         5: github:.github/workflows/ci.yml [production] loads secret K from github:environment/prod#K"
    );
}

#[test]
fn literals_of_env_are_copies_at_every_level() {
    let text = "env:\n  API_KEY: Vr7qTzW2mLx94KdHsPe81bYc\n  REF: ${{ secrets.K }}\n\
                jobs:\n  a:\n    environment: prod\n    env:\n      API_KEY: Kp3wXnB8vQz51RtJmGs60dUf\n    \
                container:\n      env: {C: c}\n    services:\n      db:\n        env: {D: 1}\n    steps:\n      \
                - env: {S: s}\n      - id: load\n        env:\n          URL: 'db://u:hunter2-x9@${{ vars.HOST }}/'\n          \
                SAFE: 'db://u:${{ secrets.P }}@h/'\n          BUILD: app-${{ github.sha }}\n          NOTHING:\n  \
                b:\n    env: ${{ matrix.env }}\n";
    insta::assert_snapshot!(of(text), @"
    8: workload-env github:.github/workflows/ci.yml/a#API_KEY [production] Literal, a long random token
    10: workload-env github:.github/workflows/ci.yml/a/container#C [production] Literal
    13: workload-env github:.github/workflows/ci.yml/a/services/db#D [production] Literal
    15: workload-env github:.github/workflows/ci.yml/a/1#S [production] Literal
    18: workload-env github:.github/workflows/ci.yml/a/load#URL [production] Literal, a URL or connection string with a password in it
    21: workload-env github:.github/workflows/ci.yml/a/load#NOTHING [production] Empty
    2: workload-env github:.github/workflows/ci.yml#API_KEY Literal, a long random token
    3: github-secret github:actions#K Unread
    19: github-secret github:environment/prod#P [production] Unread
    18: github-variable github:environment/prod#HOST [production] Unread
    8: github:.github/workflows/ci.yml [production] loads API_KEY from github:.github/workflows/ci.yml/a#API_KEY
    10: github:.github/workflows/ci.yml [production] loads C from github:.github/workflows/ci.yml/a/container#C
    13: github:.github/workflows/ci.yml [production] loads D from github:.github/workflows/ci.yml/a/services/db#D
    15: github:.github/workflows/ci.yml [production] loads S from github:.github/workflows/ci.yml/a/1#S
    18: github:.github/workflows/ci.yml [production] loads URL from github:.github/workflows/ci.yml/a/load#URL
    21: github:.github/workflows/ci.yml [production] loads NOTHING from github:.github/workflows/ci.yml/a/load#NOTHING
    2: github:.github/workflows/ci.yml loads API_KEY from github:.github/workflows/ci.yml#API_KEY
    3: github:.github/workflows/ci.yml loads secret K from github:actions#K
    19: github:.github/workflows/ci.yml [production] loads secret P from github:environment/prod#P
    18: github:.github/workflows/ci.yml [production] loads HOST from github:environment/prod#HOST
    ");
}

#[test]
fn lines_within_a_block_are_exact() {
    let text =
        "jobs:\n  a:\n    run: |\n\n\n      one\n      ${{ secrets.A }} ${{ secrets.B }}\n\n      ${{ secrets.C }}\r\n";
    let facts = read_text(&KIND, "ci.yml", text);
    let lines: Vec<u32> = facts.uses.iter().map(|one| one.location.line).collect();
    assert_eq!(lines, [7, 7, 9]);
}

#[test]
fn what_cannot_be_read_is_a_gap() {
    let cases = [
        ("jobs: [a]\n", "1: gap, Malformed: `jobs` is a list, not a mapping"),
        ("- jobs\n", "1: gap, Malformed: this document is no workflow"),
        ("jobs: {a: {environment: [x]}}\n", "1: gap, Malformed: `environment` is a list, not text"),
        ("jobs: {a: {environment: {url: x}}}\n", "1: gap, Malformed: `name` is missing"),
        ("jobs: {a: {env: [x]}}\n", "1: gap, Malformed: `env` is a list, not a mapping"),
        (
            "jobs: {a: {steps: [{env: {A: [x]}}]}}\n",
            "1: gap, Malformed: the value of this variable is a list, not text",
        ),
        (
            "jobs: {a: {run: 'x ${{ secrets'}}\n",
            "1: gap, Unsupported: the names that are read from `secrets` here are made at run time (name each one as it is)\n1: gap, Malformed: a `${{` is not closed",
        ),
        (
            "jobs: {a: {run: '${{ toJSON(vars) }}'}}\n",
            "1: gap, Unsupported: the names that are read from `vars` here are made at run time (name each one as it is)",
        ),
        (
            "jobs:\n  a: \"\n",
            "2: gap, Malformed: this is not valid YAML: while scanning a quoted scalar, found unexpected end of stream",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(of(text), expected, "{text:?}");
    }
}

#[test]
fn a_file_with_endless_names_is_read_in_part() {
    let names: String = (0..12_000).map(|at| format!("${{{{ secrets.N{at} }}}} ")).collect();
    let facts = read_text(&KIND, "ci.yml", format!("jobs: {{a: {{run: '{names}'}}}}\n"));
    assert_eq!(facts.uses.len(), super::MAX_NAMES);
    assert!(!facts.gaps.is_empty());
}

proptest! {
    #[test]
    fn no_workflow_panics(
        parts in prop::collection::vec(prop::sample::select(vec![
            "\n", "\n  ", "\n    ", "- ", "a: ", "if: ", "environment: ", "env: ", "steps: ", "name: ", "run: ", "|", ">", "${{", "}}", "secrets", "vars", ".", "A", "['", "']",
            "[", "]", "{", "}", ", ", "'", "\"", "~", "---\n",
        ]), 0..40),
    ) {
        let text = format!("jobs:\n  a:\n    {}", parts.concat());
        let lines = u32::try_from(text.matches('\n').count() + 1).unwrap();
        let facts = read_text(&KIND, "ci.yml", &text);
        prop_assert!(facts.uses.iter().all(|one| (1..=lines).contains(&one.location.line)));
        prop_assert_eq!(facts.uses.len(), facts.copies.len());
    }
}
