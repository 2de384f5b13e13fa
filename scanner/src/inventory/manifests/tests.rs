use keytrail_rules::model::{Facts, Fingerprint, FingerprintKey, Secret};
use proptest::prelude::*;

use super::KIND;
use crate::inventory::testing::{fixture, holdings, read, read_text};
use crate::source::SourceFile;

fn of(text: &str) -> String {
    holdings(&read_text(&KIND, "deploy/app.yaml", text))
}

#[test]
fn a_believable_manifest() {
    let file = fixture("manifests/shop.yaml");
    assert!((KIND.claims)(&file));
    insta::assert_snapshot!(holdings(&read(&KIND, &file)), @"
    9: kubernetes-secret kubernetes:shop-production/secret/shop-database#username [production] Literal
    10: kubernetes-secret kubernetes:shop-production/secret/shop-database#password [production] Literal, a long random token
    11: kubernetes-secret kubernetes:shop-production/secret/shop-database#url [production] Literal, a URL or connection string with a password in it
    12: kubernetes-secret kubernetes:shop-production/secret/shop-database#keystore.p12 [production] Literal
    13: kubernetes-secret kubernetes:shop-production/secret/shop-database#spare [production] Placeholder
    15: kubernetes-secret kubernetes:shop-production/secret/shop-database#jwt-signing-key [production] Reference
    16: kubernetes-secret kubernetes:shop-production/secret/shop-database#session_key [production] Encrypted
    17: kubernetes-secret kubernetes:shop-production/secret/shop-database#empty [production] Empty
    25: config-map kubernetes:shop-production/configmap/shop-config#LOG_LEVEL [production] Literal
    26: config-map kubernetes:shop-production/configmap/shop-config#PAYMENT_URL [production] Literal, a URL or connection string with a password in it
    27: config-map kubernetes:shop-production/configmap/shop-config#FEATURES [production] Literal
    38: sealed-secret kubernetes:shop-production/secret/shop-mail#SMTP_PASSWORD [production] Encrypted
    80: external-secret kubernetes:shop-production/secret/shop-stripe#api_key [production] Reference
    84: external-secret kubernetes:shop-production/secret/shop-stripe#webhook_secret [production] Reference
    88: external-secret kubernetes:shop-production/secret/shop-stripe#region [production] Reference
    96: external-secret kubernetes:shop-production/secret/shop-stripe [production] Reference
    98: external-secret kubernetes:shop-production/secret/shop-stripe [production] Reference
    78: external-secret kubernetes:shop-production/secret/shop-stripe#stripe.ini [production] Reference
    124: workload-env kubernetes:shop-production/deployment/shop-api#PORT [production] Literal
    126: workload-env kubernetes:shop-production/deployment/shop-api#ADMIN_TOKEN [production] Literal, a long random token
    180: kubernetes-secret kubernetes:default/secret/shop-report#key Literal, a long random token
    115: kubernetes:shop-production/deployment/shop-api [production] loads secret DATABASE_URL from kubernetes:shop-production/secret/shop-database#url
    124: kubernetes:shop-production/deployment/shop-api [production] loads PORT from kubernetes:shop-production/deployment/shop-api#PORT
    126: kubernetes:shop-production/deployment/shop-api [production] loads ADMIN_TOKEN from kubernetes:shop-production/deployment/shop-api#ADMIN_TOKEN
    128: kubernetes:shop-production/deployment/shop-api [production] loads LOG_LEVEL from kubernetes:shop-production/configmap/shop-config#LOG_LEVEL
    139: kubernetes:shop-production/deployment/shop-api [production] loads secret SHOP_STRIPE from kubernetes:shop-production/secret/shop-stripe
    142: kubernetes:shop-production/deployment/shop-api [production] loads SHOP_CONFIG from kubernetes:shop-production/configmap/shop-config
    146: kubernetes:shop-production/deployment/shop-api [production] loads secret SHOP_TLS from kubernetes:shop-production/secret/shop-tls
    151: kubernetes:shop-production/deployment/shop-api [production] loads secret SHOP_MAIL from kubernetes:shop-production/secret/shop-mail
    173: kubernetes:default/cronjob/shop-report loads secret REPORT_KEY from kubernetes:default/secret/shop-report#key
    82: kubernetes:shop-production/secret/shop-stripe#api_key = vault:team/kv/shop/stripe#api_key
    86: kubernetes:shop-production/secret/shop-stripe#webhook_secret = vault:team/kv/shop/stripe#webhook
    94: kubernetes:shop-production/secret/shop-stripe#region = aws:/shop/region
    97: kubernetes:shop-production/secret/shop-stripe = vault:team/kv/shop/stripe-extra
    ");
}

#[test]
fn a_helm_template_is_one_gap_and_its_plain_parts_are_read() {
    let file = fixture("manifests/chart.yaml");
    assert!((KIND.claims)(&file));
    insta::assert_snapshot!(holdings(&read(&KIND, &file)), @"
    35: config-map kubernetes:default/configmap/shop-defaults#LOG_LEVEL Literal
    1: gap, Unsupported: a Helm template: documents that are no YAML before they are rendered were not read, and of the others only the plain values (render it with `helm template` and scan the result)
    ");
}

#[test]
fn a_document_with_a_block_action_is_told_to_be_unread() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  {{- with .Values.a }}\n  A: b\n  {{- end }}\n---\n\
                apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {A: b}\n";
    insta::assert_snapshot!(of(text), @"
    12: config-map kubernetes:default/configmap/b#A Literal
    5: gap, Unsupported: a Helm template: documents that are no YAML before they are rendered were not read, and of the others only the plain values (render it with `helm template` and scan the result)
    ");
}

#[test]
fn generators_of_a_kustomization_are_read() {
    let file = fixture("manifests/kustomization.yaml");
    assert!((KIND.claims)(&file));
    insta::assert_snapshot!(holdings(&read(&KIND, &file)), @"
    7: kubernetes-secret kubernetes:shop-production/secret/shop-mail#SMTP_USER [production] Literal
    8: kubernetes-secret kubernetes:shop-production/secret/shop-mail#SMTP_PASSWORD [production] Literal, a long random token
    14: kubernetes-secret kubernetes:shop-production/secret/shop-mail#tls.key [production] Reference
    15: kubernetes-secret kubernetes:shop-production/secret/shop-mail#ca.pem [production] Reference
    21: config-map kubernetes:shop-production/configmap/shop-settings#LOG_LEVEL [production] Literal
    11: kubernetes:shop-production/secret/shop-mail [production] loads MANIFESTS_MAIL_ENV from env-file:manifests/mail.env
    22: kubernetes:shop-production/configmap/shop-settings [production] loads MANIFESTS_SETTINGS_ENV from env-file:manifests/settings.env
    9: gap, Malformed: an entry of `literals` has no `=`
    12: gap, Unreachable: the file '../../../outside.env' of a generator is not in the scanned folder (scan the folder that holds it)
    16: gap, Malformed: `name` is missing
    24: gap, Malformed: `literals` is text, not a list
    ");
    let typed =
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Component\nsecretGenerator: [{name: a, literals: [A=b]}]\n";
    assert_eq!(of(typed), "3: kubernetes-secret kubernetes:default/secret/a#A Literal");
}

#[test]
fn the_template_of_a_sealed_secret_is_in_plain_text() {
    let text = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: a}\nspec:\n  encryptedData: {k: AgB}\n  \
                template:\n    data:\n      TOKEN: Vr7qTzW2mLx94KdHsPe81bYc\n      url: 'db://u:{{ .k }}@h'\n      \
                other: 'db://u:hunter2-x9@{{ .h }}'\n";
    insta::assert_snapshot!(of(text), @"
    5: sealed-secret kubernetes:default/secret/a#k Encrypted
    8: kubernetes-secret kubernetes:default/secret/a#TOKEN Literal, a long random token
    9: kubernetes-secret kubernetes:default/secret/a#url Reference
    10: kubernetes-secret kubernetes:default/secret/a#other Literal, a URL or connection string with a password in it
    ");
}

#[test]
fn odd_shapes_are_gaps_and_nothing_else_is_lost() {
    insta::assert_snapshot!(holdings(&read(&KIND, &fixture("manifests/broken.yaml"))), @"
    11: kubernetes-secret kubernetes:default/secret/shapes#good Literal
    39: workload-env kubernetes:default/deployment/shapes#GOOD Literal
    62: config-map kubernetes:default/configmap/after-all#A Literal
    39: kubernetes:default/deployment/shapes loads GOOD from kubernetes:default/deployment/shapes#GOOD
    11: gap, Malformed: this key was already given in line 6; the last one counts (remove one of the two)
    50: gap, Malformed: this is not valid YAML: while scanning a quoted scalar, found unexpected end of stream
    45: gap, Malformed: this document is no Kubernetes object
    7: gap, Malformed: the value of this key is not base64 (write plain text under `stringData`)
    8: gap, Malformed: the value of this key is a mapping, not text
    9: gap, Malformed: the key is a list, not text
    13: gap, Malformed: `stringData` is a list, not a mapping
    15: gap, Malformed: `metadata` is missing
    29: gap, Malformed: `name` is missing
    31: gap, Malformed: `value` is a list, not text
    35: gap, Malformed: `key` is missing
    38: gap, Unsupported: `valueFrom` names no secret, config map or field
    41: gap, Malformed: `envFrom` is text, not a list
    43: gap, Malformed: `secretName` is missing
    52: gap, Unsupported: an ExternalSecret of another operator than external-secrets.io
    ");
}

#[test]
fn manifests_are_told_from_other_files() {
    let cases = [
        ("apiVersion: v1\nkind: Secret\n", true),
        ("# c\n---\nkind: Secret\r\napiVersion: v1\r\n", true),
        ("{\"apiVersion\": \"v1\",\n \"kind\": \"Secret\"}\n", true),
        ("kind: Secret\n", false),
        ("config: |\n  apiVersion: v1\n  kind: Config\n", false),
        ("apiVersions: v1\nkinds: x\n", false),
        ("", false),
    ];
    for (text, expected) in cases {
        assert_eq!((KIND.claims)(&SourceFile::from_bytes("a.yaml", text.into())), expected, "{text:?}");
    }
}

fn secret(metadata: &str, data: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {metadata}\ndata: {data}\n")
}

#[test]
fn the_environment_is_that_of_the_namespace_then_of_the_path() {
    let cases = [
        ("overlays/prod/a.yaml", "{name: a}", "production"),
        ("overlays/prod/a.yaml", "{name: a, namespace: shop-staging}", "staging"),
        ("overlays/prod/a.yaml", "{name: a, namespace: shop}", "production"),
        ("base/a.yaml", "{name: a, namespace: shop}", ""),
    ];
    for (path, metadata, expected) in cases {
        let facts = read_text(&KIND, path, secret(metadata, "{k: dg==}"));
        let environment = facts.copies[0].environment.as_ref().map_or("", |environment| environment.as_str());
        assert_eq!(environment, expected, "{path} {metadata}");
    }
}

fn fingerprints(facts: &Facts) -> Vec<Option<Fingerprint>> {
    facts.copies.iter().map(|copy| copy.value.fingerprint.clone()).collect()
}

#[test]
fn data_is_decoded_before_it_is_observed() {
    let value = "Vr7-qTzW2mLx94KdHsPe";
    let expected = Some(FingerprintKey::new([7; 32]).fingerprint(&Secret::from(value)));
    let encodings = ["VnI3LXFUelcybUx4OTRLZEhzUGU=", "\"VnI3LXFUelcy\\nbUx4OTRLZEhzUGU=\\n\""];
    for text in encodings {
        assert_eq!(
            fingerprints(&read_text(&KIND, "a.yaml", secret("{name: a}", &format!("{{k: {text}}}")))),
            std::slice::from_ref(&expected)
        );
    }
    let plain = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\nstringData: {{k: {value}}}\n");
    assert_eq!(fingerprints(&read_text(&KIND, "a.yaml", plain)), [expected]);
}

#[test]
fn a_vault_key_becomes_the_path_that_the_store_lists() {
    // The provider of the store, the key of the remote reference, the place.
    let cases = [
        ("", "secret/app", "vault:secret/app#p"),
        ("", "secret/data/app", "vault:secret/app#p"),
        ("", "/secret/data/app/", "vault:secret/app#p"),
        ("", "app", "vault:app#p"),
        ("vault: {path: secret}", "app", "vault:secret/app#p"),
        ("vault: {path: secret}", "data/app", "vault:secret/data/app#p"),
        ("vault: {path: secret}", "secret/data/app", "vault:secret/app#p"),
        ("vault: {path: secret/}", "secret/app", "vault:secret/app#p"),
        ("vault: {path: a/b, version: v1}", "a/b/data/app", "vault:a/b/data/app#p"),
        ("vault: {version: v1}", "secret/data/app", "vault:secret/data/app#p"),
        ("azurekv: {vaultUrl: u}", "secret/data/app", "azurekv:secret/data/app#p"),
    ];
    for (provider, key, expected) in cases {
        let store = format!(
            "apiVersion: external-secrets.io/v1beta1\nkind: SecretStore\nmetadata: {{name: s}}\nspec: {{provider: {{{provider}}}}}\n---\n"
        );
        let external = format!(
            "apiVersion: external-secrets.io/v1beta1\nkind: ExternalSecret\nmetadata: {{name: e}}\n\
             spec: {{secretStoreRef: {{name: s}}, data: [{{secretKey: k, remoteRef: {{key: {key}, property: p}}}}]}}\n"
        );
        let facts = read_text(&KIND, "a.yaml", if provider.is_empty() { external } else { store + &external });
        assert_eq!(facts.links[0].b.as_str(), expected, "{provider} {key}");
        assert_eq!(facts.links[0].a.as_str(), "kubernetes:default/secret/e#k");
        assert_eq!(facts.gaps, []);
    }
}

#[test]
fn every_kind_of_workload_is_read() {
    let pod = "{containers: [{env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]}]}";
    let template = format!("{{template: {{spec: {pod}}}}}");
    let cases = [
        ("v1", "Pod", pod.to_owned()),
        ("apps/v1", "Deployment", template.clone()),
        ("apps/v1", "StatefulSet", template.clone()),
        ("apps/v1", "DaemonSet", template.clone()),
        ("apps/v1", "ReplicaSet", template.clone()),
        ("batch/v1", "Job", template.clone()),
        ("batch/v1", "CronJob", format!("{{jobTemplate: {{spec: {template}}}}}")),
    ];
    for (version, kind, spec) in cases {
        let text = format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: w, namespace: n}}\nspec: {spec}\n");
        let expected = format!("3: kubernetes:n/{}/w loads secret A from kubernetes:n/secret/s#k", kind.to_lowercase());
        assert_eq!(of(&text).replace("4: ", "3: "), expected);
    }
    // A patch of the number of replicas, and a kind of the same name from somewhere else.
    assert_eq!(of("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\nspec: {replicas: 2}\n"), "");
    assert_eq!(of("apiVersion: batch.volcano.sh/v1\nkind: Job\nmetadata: {name: w}\nspec: {tasks: []}\n"), "");
}

#[test]
fn hostile_files_end_in_gaps() {
    let long = "n".repeat(300);
    let cases = [
        (secret(&format!("{{name: {long}}}"), "{k: dg==}"), "3: gap, Malformed: the name is longer than 253 bytes"),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: &m {name: *m}\n".to_owned(),
            "3: gap, Malformed: this alias stands inside of its own anchor",
        ),
        (
            secret("{name: a}", &format!("{}{}", "{a: ".repeat(200), "}".repeat(200))),
            "4: gap, TooLarge: the nesting is deeper than 128 levels",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(of(&text), expected);
    }
    // Many keys on one line, and a value that is not UTF-8.
    let keys: String = (0..30_000).map(|at| format!("k{at}: dg==, ")).collect();
    assert_eq!(read_text(&KIND, "a.yaml", secret("{name: a}", &format!("{{{keys}}}"))).copies.len(), 30_000);
    let facts = read_text(&KIND, "a.yaml", [secret("{name: a}", "{k: dg==}").as_bytes(), b"# \xff\n"].concat());
    assert_eq!((facts.copies.len(), facts.gaps.len()), (1, 1));
}

proptest! {
    #[test]
    fn no_manifest_panics_or_shows_a_value(
        kind in prop::sample::select(vec!["Secret", "ConfigMap", "SealedSecret", "ExternalSecret", "Deployment", "Pod", "List"]),
        version in prop::sample::select(vec!["v1", "apps/v1", "bitnami.com/v1alpha1", "external-secrets.io/v1"]),
        parts in prop::collection::vec(prop::sample::select(vec![
            "\n", "\n  ", "\n    ", "- ", "metadata: ", "{name: a}", "spec: ", "data: ", "stringData: ", "template: ", "containers: ",
            "env: ", "name: ", "value: ", "valueFrom: ", "secretKeyRef: ", "items: ", "hunter2hunter3", "[", "]", "{", "}", ", ", "~", "{{", "---\n",
        ]), 0..40),
    ) {
        let text = format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n{}", parts.concat());
        let facts = read_text(&KIND, "a.yaml", &text);
        for gap in &facts.gaps {
            prop_assert!(!gap.message.contains("hunter2hunter3"), "{}", gap.message);
        }
    }
}
