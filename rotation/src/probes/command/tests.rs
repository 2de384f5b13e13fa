use serde_json::json;

use super::*;
use crate::credential::Credential;

async fn check(script: &str, with_values: bool) -> Health {
    let settings = json!({ "command": ["sh", "-c", script], "values": with_values, "timeout": "60s" });
    let probe = (KIND.open)(&Settings(settings.as_object().unwrap().clone())).unwrap();
    let credential = Credential::of_value("planted-value".into());
    let values = Values::from([("KEY", &credential)]);
    let moment = Moment::After { before: String::new(), since: chrono::Utc::now() };
    probe.check(&Context::new("kt-1"), &moment, &values).await.unwrap()
}

#[tokio::test]
async fn the_exit_status_tells() {
    assert_eq!(check("exit 0", false).await, Health::Healthy("ended with exit status 0".to_owned()));
    assert_eq!(check("exit 3", false).await, Health::Unhealthy("sh ended with exit status 3".to_owned()));
    assert!(matches!(check("kill -9 $$", false).await, Health::Unknown(_)));
}

#[tokio::test]
async fn it_is_told_the_run_and_values_only_where_that_is_wanted() {
    let healthy = Health::Healthy("ended with exit status 0".to_owned());
    assert_eq!(check("test \"$KEYTRAIL_RUN $KEYTRAIL_MOMENT\" = 'kt-1 after'", false).await, healthy);
    assert_eq!(check("test -z \"$(cat)\"", false).await, healthy);
    let script = r#"test "$(cat)" = '{"version":1,"values":{"KEY":{"value":"planted-value"}}}'"#;
    assert_eq!(check(script, true).await, healthy);
}

#[tokio::test]
async fn what_is_not_there_is_a_mistake_of_the_config() {
    for command in [json!([]), json!(["no-such-program"])] {
        let settings = Settings(json!({ "command": command }).as_object().unwrap().clone());
        let failure = match (KIND.open)(&settings) {
            Err(failure) => failure,
            Ok(probe) => probe.check(&Context::new("kt-1"), &Moment::Before, &Values::new()).await.unwrap_err(),
        };
        assert_eq!(failure.outcome, Outcome::NotDone);
    }
}
