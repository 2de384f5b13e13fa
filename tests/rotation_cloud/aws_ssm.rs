//! Parameters of AWS Systems Manager, in LocalEmu.

use keytrail::stores::aws_ssm::ParameterStore;

use super::*;
use crate::support::localemu::LocalEmu;

#[tokio::test]
async fn a_parameter_keeps_all_but_its_value() {
    let emulator = LocalEmu::start().await;
    let folder = tempfile::tempdir().unwrap();
    let store = ParameterStore::new(access(&emulator.address, folder.path()));
    let key = emulator.aws(&["kms", "create-key"])["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let created = [
        ["--name", "/app/db"],
        ["--value", "planted-old"],
        ["--type", "SecureString"],
        ["--key-id", &key],
        ["--tier", "Advanced"],
        ["--description", "of the shop"],
    ];
    emulator.aws(&[&["ssm", "put-parameter"], &created.concat()[..]].concat());
    let label = ["ssm", "label-parameter-version", "--name", "/app/db", "--labels", "live"];
    emulator.aws(&[&label[..], &["--parameter-version", "1"]].concat());
    let describe = || {
        let filter = "Key=Name,Option=Equals,Values=/app/db";
        let found = emulator.aws(&["ssm", "describe-parameters", "--parameter-filters", filter]);
        ["Type", "KeyId", "Tier", "Description"].map(|field| found["Parameters"][0][field].clone())
    };
    let before = describe();

    assert_eq!(obstacles(&store, "/app/db", &[""]).await, "");
    let (first, old) = read(&store, "/app/db", &[""]).await;
    assert_eq!((&*first.0, &*old[0]), ("1", "planted-old"));
    for _ in 0..2 {
        let second = write(&store, &run("one"), "/app/db", &[("", "planted-new")], &first).await.unwrap();
        assert_eq!(second.0, "2");
    }
    assert_eq!(describe(), before);
    // Who reads by label gets the value that works.
    let by_label = emulator.aws(&["ssm", "get-parameter", "--name", "/app/db:live", "--with-decryption"]);
    assert_eq!(by_label["Parameter"]["Value"], "planted-new");

    let late = write(&store, &run("late"), "/app/db", &[("", "planted-late")], &first).await;
    assert_eq!(outcome(late), Outcome::Conflict);
    let (second, new) = read(&store, "/app/db", &[""]).await;
    assert_eq!((&*second.0, &*new[0]), ("2", "planted-new"));
    let third = write(&store, &run("one"), "/app/db", &[("", "planted-old")], &second).await.unwrap();
    assert_eq!(read(&store, "/app/db", &[""]).await, (third, old));
}

#[tokio::test]
async fn members_are_written_one_by_one_and_lists_not_at_all() {
    let emulator = LocalEmu::start().await;
    let folder = tempfile::tempdir().unwrap();
    let store = ParameterStore::new(access(&emulator.address, folder.path()));
    let put = |name: &str, kind: &str, value: &str| {
        emulator.aws(&["ssm", "put-parameter", "--name", name, "--type", kind, "--value", value]);
    };
    put("/app/json", "String", "{\"n\":1.50, \"password\":\"planted-old\"}");
    put("/app/list", "StringList", "a,b");
    let (first, _) = read(&store, "/app/json", &["password"]).await;
    write(&store, &run("one"), "/app/json", &[("password", "planted-new")], &first).await.unwrap();
    let text = emulator.aws(&["ssm", "get-parameter", "--name", "/app/json"])["Parameter"]["Value"].clone();
    assert_eq!(text, "{\"n\":1.50, \"password\":\"planted-new\"}");

    assert!(obstacles(&store, "/app/list", &[""]).await.starts_with("the parameter /app/list is a list"));
    assert!(obstacles(&store, "/app/none", &[""]).await.starts_with("the parameter /app/none is not there"));
    assert_eq!(
        obstacles(&store, "/app/json", &["n"]).await,
        "the parameter /app/json has something other than a text as n"
    );
    let refused = write(&store, &run("one"), "/app/list", &[("", "planted")], &Version("1".into())).await;
    assert_eq!(outcome(refused), Outcome::NotDone);
}
