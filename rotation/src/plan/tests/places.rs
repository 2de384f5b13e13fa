//! What is to be done at each kind of place and for each kind of workload.

use keytrail_rules::model::CopyKind;
use keytrail_rules::report::ItemReport;
use keytrail_rules::value::Shape;

use super::{Build, commands, fresh, missing, overdue, report};
use crate::plan::{Action, Plan};

fn plan_of(item: ItemReport) -> Plan {
    Plan::new(&report(vec![item]))
}

/// The text of every step about copies.
fn promotions(plan: &Plan) -> Vec<String> {
    let steps = plan.groups.iter().flat_map(|group| &group.steps);
    let about_copies = |action: &Action| matches!(action, Action::Write(_) | Action::Move(_) | Action::Follow(_));
    steps.filter(|step| about_copies(&step.action)).map(|step| step.action.to_string()).collect()
}

#[test]
fn a_new_value_is_written_the_way_its_place_wants() {
    for (place, kind, command, reads) in [
        (
            "vault:secret/app/auth0#m2m_client_secret",
            CopyKind::VaultKv2,
            "vault kv patch -mount=secret -cas=3 app/auth0 m2m_client_secret=-",
            "the new value",
        ),
        ("vault:secret/a#k=v", CopyKind::VaultKv2, "vault kv patch -mount=secret -cas=3 a -", r#"{"k=v": …}"#),
        ("vault:secret/a#@k", CopyKind::VaultKv2, "vault kv patch -mount=secret -cas=3 a -", r#"{"@k": …}"#),
        (
            "vault:secret/a b/$(id)#it's",
            CopyKind::VaultKv2,
            r#"vault kv patch -mount=secret -cas=3 'a b/$(id)' "it's=-""#,
            "the new value",
        ),
        (
            "old:kv/app#token",
            CopyKind::VaultKv1,
            "vault kv put -mount=kv app -",
            r#"the whole object of the path with every other key as it is, and {"token": …}"#,
        ),
        (
            "kubernetes:shop/secret/db#password",
            CopyKind::KubernetesSecret,
            "kubectl -n shop patch secret db --type=merge --patch-file=/dev/stdin",
            r#"{"stringData": {"password": …}}"#,
        ),
        ("github:actions#API_KEY", CopyKind::GithubSecret, "gh secret set API_KEY", "the new value of API_KEY"),
        (
            "github:environment/live eu#API_KEY",
            CopyKind::GithubSecret,
            "gh secret set API_KEY '--env=live eu'",
            "the new value of API_KEY",
        ),
    ] {
        let plan = plan_of(overdue("A").copy(place, kind, Shape::Literal));
        assert_eq!(commands(&plan), [command]);
        let step = plan.groups[0].steps.iter().find(|step| matches!(step.action, Action::Write(_))).expect("a write");
        assert_eq!(step.commands[0].reads(), Some(reads));
    }
}

#[test]
fn a_place_that_no_command_fits_is_still_in_the_plan() {
    for (place, kind) in [
        ("vault:secret/app", CopyKind::VaultKv2),
        ("vault:secret#key", CopyKind::VaultKv2),
        ("vault:secret/-app#key", CopyKind::VaultKv2),
        ("vault:secret/a\u{1b}[2Jb#key", CopyKind::VaultKv2),
        ("kubernetes:-A/secret/db#key", CopyKind::KubernetesSecret),
        ("kubernetes:db#key", CopyKind::KubernetesSecret),
        ("github:org/shop#KEY", CopyKind::GithubSecret),
        ("env-file:.env#KEY", CopyKind::EnvFile),
    ] {
        let plan = plan_of(overdue("A").copy(place, kind, Shape::Literal));
        assert_eq!(commands(&plan), Vec::<String>::new(), "{place}");
        assert!(promotions(&plan)[0].contains(&format!("A to {place}")), "{place}");
        assert_eq!(missing(&plan).contains_key("no known key in its path"), place == "vault:secret/app");
    }
}

#[test]
fn check_and_set_counts_the_writes_before() {
    let items = ["A", "B", "C"].map(|name| {
        let place = format!("vault:secret/shop#{}", name.to_lowercase());
        overdue(name).copy(&place, CopyKind::VaultKv2, Shape::Literal)
    });
    let plan = Plan::new(&report(items.to_vec()));
    assert_eq!(
        commands(&plan),
        [
            "vault kv patch -mount=secret -cas=3 shop a=-",
            "vault kv patch -mount=secret -cas=4 shop b=-",
            "vault kv patch -mount=secret -cas=5 shop c=-",
        ]
    );
}

#[test]
fn siblings_that_change_together_are_written_at_once() {
    let (kv2, secret) = (CopyKind::VaultKv2, CopyKind::KubernetesSecret);
    let plan = Plan::new(&report(vec![
        overdue("PASSWORD").copy("vault:secret/shop#password", kv2, Shape::Literal).copy(
            "kubernetes:shop/secret/db#password",
            secret,
            Shape::Literal,
        ),
        fresh("A_URL").made_from(&["PASSWORD"]).copy("vault:secret/shop#url", kv2, Shape::Literal).copy(
            "kubernetes:shop/secret/db#url",
            secret,
            Shape::Literal,
        ),
    ]));
    assert_eq!(
        commands(&plan),
        [
            "vault kv patch -mount=secret -cas=3 shop -",
            "kubectl -n shop patch secret db --type=merge --patch-file=/dev/stdin",
        ]
    );
    let text = plan.render();
    assert!(text.contains(r#"standard input: {"password": …, "url": …}"#), "{text}");
    assert!(text.contains(r#"standard input: {"stringData": {"password": …, "url": …}}"#), "{text}");
}

#[test]
fn copies_that_hold_no_value_of_their_own_are_told_apart() {
    let plan = plan_of(
        overdue("KEY")
            .copy("compose:compose.yaml/api#KEY", CopyKind::ComposeEnv, Shape::Literal)
            .copy("compose:compose.yaml/job#KEY", CopyKind::ComposeEnv, Shape::Reference)
            .copy("kubernetes:shop/configmap/api#KEY", CopyKind::ConfigMap, Shape::Literal)
            .copy("kubernetes:shop/secret/api#KEY", CopyKind::ExternalSecret, Shape::Reference)
            .copy("kubernetes:shop/secret/web#KEY", CopyKind::SealedSecret, Shape::Encrypted)
            .copy("env-file:.env#KEY", CopyKind::EnvFile, Shape::Placeholder),
    );
    insta::assert_snapshot!(promotions(&plan).join("\n"), @r"
    Write the new KEY to env-file:.env#KEY (a placeholder now) at shop.yaml:7, with an editor: sed breaks on `/` and `&`, and on keys that end alike.
    Move KEY out of kubernetes:shop/configmap/api#KEY at shop.yaml:7: it is plain configuration. Refer to a place for secrets there, and do not copy the new value.
    Move KEY out of compose:compose.yaml/api#KEY at shop.yaml:7: it is plain configuration. Refer to a place for secrets there, and do not copy the new value.
    Seal the new KEY for kubernetes:shop/secret/web#KEY, put it into the manifest at shop.yaml:7 and apply that.
    See kubernetes:shop/secret/api#KEY at shop.yaml:7 follow with KEY: its operator fills it, and `refreshTime` must move; with `refreshInterval: 0` it never does by itself.
    See compose:compose.yaml/job#KEY at shop.yaml:7 follow with KEY: it only refers to another place.
    ");
    assert_eq!(commands(&plan), ["kubeseal --raw --namespace shop --name web --from-file=/dev/stdin"]);
    assert!(!missing(&plan).contains_key("no known place that keeps the value"));

    // Nothing but configuration and references: there is no place for the new value.
    let homeless =
        plan_of(overdue("KEY").copy("kubernetes:shop/configmap/api#KEY", CopyKind::ConfigMap, Shape::Literal).copy(
            "kubernetes:shop/secret/api#KEY",
            CopyKind::ExternalSecret,
            Shape::Reference,
        ));
    assert_eq!(missing(&homeless)["no known place that keeps the value"], ["KEY"]);
}

#[test]
fn every_kind_of_workload_is_made_to_load_the_new_value() {
    let compose = "up -d --no-deps --force-recreate api";
    for (consumer, says, lines) in [
        (
            "kubernetes:shop/deployment/api",
            "Restart",
            vec!["kubectl -n shop rollout restart deployment/api", "kubectl -n shop rollout status deployment/api"],
        ),
        (
            "kubernetes:shop/statefulset/db",
            "Restart",
            vec!["kubectl -n shop rollout restart statefulset/db", "kubectl -n shop rollout status statefulset/db"],
        ),
        ("kubernetes:shop/cronjob/nightly", "Let", vec![]),
        ("kubernetes:shop/job/migrate", "Run", vec![]),
        ("kubernetes:shop/pod/debug", "Delete", vec![]),
        ("kubernetes:shop/deployment/-x", "Restart", vec![]),
        ("kubernetes:--all/deployment/x", "Restart", vec![]),
        ("kubernetes:api", "Restart", vec![]),
        ("compose:compose.yaml/api", "Recreate", vec!["docker compose UP"]),
        ("compose:deploy/docker-compose.yml/api", "Recreate", vec!["docker compose --project-directory deploy UP"]),
        ("compose:deploy/compose.override.yaml/api", "Recreate", vec!["docker compose --project-directory deploy UP"]),
        ("compose:deploy/compose.prod.yaml/api", "Recreate", vec!["docker compose -f deploy/compose.prod.yaml UP"]),
        ("compose:api", "Recreate", vec!["docker compose UP"]),
        ("compose:deploy/compose.yaml", "Recreate", vec![]),
        ("github:.github/workflows/ci.yml", "Let", vec![]),
        ("systemd:shop.service", "Restart", vec![]),
        ("the night shift", "Restart", vec![]),
    ] {
        let plan = plan_of(overdue("A").consumers(&[consumer]));
        let lines: Vec<String> = lines.into_iter().map(|line| line.replace("UP", compose)).collect();
        assert_eq!(commands(&plan), lines, "{consumer}");
        let load = plan.groups[0].steps.iter().find(|step| matches!(step.action, Action::Load { .. })).expect("a load");
        assert!(load.action.to_string().starts_with(says), "{consumer}: {}", load.action);
    }
}

#[test]
fn what_a_terminal_could_be_deceived_by_is_spelt_out() {
    let mut item = overdue("KEY")
        .copy("vault:secret/a\u{202e}b#k\u{1b}[2J", CopyKind::VaultKv2, Shape::Literal)
        .consumers(&["kubernetes:shop/deployment/a\u{7}"]);
    item.owner = Some("ops\r\nnobody".to_owned());
    let text = plan_of(item).render();
    assert!(!text.contains(|c: char| c != '\n' && keytrail_rules::text::is_deceptive(c)), "{text:?}");
    assert!(text.contains(r"owner ops\r\nnobody") && text.contains(r"vault:secret/a\u{202e}b#k\u{1b}[2J"), "{text}");
    assert!(!text.contains("$ vault") && !text.contains("$ kubectl"), "{text}");
}
