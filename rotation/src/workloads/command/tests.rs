use serde_json::json;

use super::*;
use crate::credential::Credential;
use crate::failure::Outcome;
use crate::settings::Settings;

fn open(script: &str, with_values: bool) -> Box<dyn Workload> {
    let table = json!({ "program": "sh", "args": ["-c", script], "values": with_values, "timeout": "60s" });
    (KIND.open)("edge", &Settings(table.as_object().unwrap().clone())).unwrap()
}

/// Loads with an old and a new value.
async fn load(workload: &dyn Workload) -> Result<Mark, Failure> {
    let [new, old] = ["planted-new", "planted-old"].map(|value| Credential::of_value(value.into()));
    let (values, others) = (Values::from([("KEY", &new)]), Values::from([("KEY", &old)]));
    workload.load(&Context::new("kt-1"), &values, &others).await
}

#[tokio::test]
async fn it_is_told_the_act_and_values_only_where_that_is_wanted() {
    // What it is told is what it answers with, escaped once more.
    let script = r#"printf '{"version":1,"ok":true,"mark":"%s"}' "$(cat | sed 's/"/'"'"'/g')""#;
    let mark = load(&*open(script, false)).await.unwrap();
    assert_eq!(mark.0, "{'version':1,'act':'load','run':'kt-1','consumer':'edge'}");
    let failure = load(&*open(script, true)).await.unwrap_err();
    assert_eq!(failure.what, "the mark of sh is not one short line, or holds a value");
    let told = r#"test "$(cat)" = '{"version":1,"act":"load","run":"kt-1","consumer":"edge","values":{"KEY":{"value":"planted-new"}},"others":{"KEY":{"value":"planted-old"}}}' && echo '{"version":1,"ok":true}'"#;
    assert_eq!(load(&*open(told, true)).await.unwrap(), Mark::default());
}

#[tokio::test]
async fn a_failure_is_what_the_program_is_sure_of() {
    for (script, outcome, what) in [
        (
            r#"echo '{"version":1,"ok":false,"outcome":"not-done","message":"it is locked"}'"#,
            Outcome::NotDone,
            "sh failed to load: it is locked",
        ),
        (
            r#"echo '{"version":1,"ok":false,"outcome":"conflict","message":"x"}'"#,
            Outcome::Conflict,
            "sh failed to load: x",
        ),
        (
            r#"echo '{"version":1,"ok":false,"message":"it had planted-old"}'"#,
            Outcome::Unknown,
            "sh failed to load: (not shown: it holds a value)",
        ),
        (r#"echo '{"version":1,"ok":true}'; exit 1"#, Outcome::Unknown, "sh failed to load: "),
        (
            r#"echo '{"version":2,"ok":true}'"#,
            Outcome::Unknown,
            "sh gave no reply to load and ended with exit status 0",
        ),
        ("echo planted-new", Outcome::Unknown, "sh gave no reply to load and ended with exit status 0"),
        ("exit 9", Outcome::Unknown, "sh gave no reply to load and ended with exit status 9"),
    ] {
        let failure = load(&*open(script, true)).await.unwrap_err();
        assert_eq!((failure.outcome, &*failure.what), (outcome, what), "{script}");
    }
}

#[tokio::test]
async fn how_far_it_is_and_what_is_in_its_way_are_its_own_words() {
    let script = r#"case "$(cat)" in
        *'"act":"preflight"'*) echo '{"version":1,"ok":true,"obstacles":["no\\nroute"]}';;
        *'"act":"progress"'*'"mark":"done"'*) echo '{"version":1,"ok":true,"progress":"done"}';;
        *'"act":"progress"'*'"mark":"bad"'*) echo '{"version":1,"ok":true,"progress":"failed","message":"no"}';;
        *'"act":"progress"'*'"mark":""'*) echo '{"version":1,"ok":true}';;
        *'"act":"progress"'*) echo '{"version":1,"ok":true,"progress":"waiting","message":"soon"}';;
        *'"act":"forget"'*) echo '{"version":1,"ok":true}';;
    esac"#;
    let (workload, context, none) = (open(script, false), Context::new("kt-1"), Values::new());
    assert_eq!(workload.preflight(&context).await.unwrap(), ["no"]);
    for (mark, progress) in [
        ("done", Progress::Done),
        ("bad", Progress::Failed("no".to_owned())),
        ("other", Progress::Waiting("soon".to_owned())),
    ] {
        assert_eq!(workload.progress(&context, &Mark(mark.to_owned()), &none).await.unwrap(), progress);
    }
    assert_eq!(workload.progress(&context, &Mark::default(), &none).await.unwrap_err().outcome, Outcome::Unknown);
    workload.forget(&context, &none, &none).await.unwrap();
}
