use serde_json::json;

use super::*;

fn given(table: serde_json::Value) -> Result<Given, String> {
    serde_json::from_value(table).map_err(|error| error.to_string())
}

#[test]
fn where_a_credential_comes_from_is_read_and_written() {
    for table in [json!({"env": "TOKEN"}), json!({"file": "run/token"})] {
        assert_eq!(serde_json::to_value(given(table.clone()).unwrap()).unwrap(), table);
    }
}

#[test]
fn a_credential_in_the_config_is_refused_without_being_quoted() {
    for table in [json!("lantern-whisper"), json!(["lantern-whisper"]), json!({"env": "A", "file": "B"}), json!({})] {
        let error = given(table).unwrap_err();
        assert!(error.starts_with("no credential is part of the config") && !error.contains("lantern"), "{error}");
    }
    assert!(given(json!({"value": "lantern-whisper"})).unwrap_err().contains("unknown field `value`"));
}

#[test]
fn a_file_loses_one_line_end_and_an_empty_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    for (text, value) in
        [("whisper", "whisper"), ("whisper\n", "whisper"), ("whisper\r\n", "whisper"), ("a\n\n", "a\n")]
    {
        std::fs::write(&path, text).unwrap();
        assert_eq!(Given::File(path.clone()).get().unwrap().expose(), value);
    }
    std::fs::write(&path, "\n").unwrap();
    assert!(Given::File(path).get().is_err());
}

#[test]
fn lengths_of_time_are_read_as_people_write_them() {
    let span = |text: &str| serde_json::from_value::<Span>(json!(text)).map(|span| span.0.as_secs());
    let read = [("90s", 90), ("15 minutes", 900), ("24h", 86_400), ("30 days", 2_592_000), ("PT1H", 3_600), ("0", 0)];
    for (text, seconds) in read {
        assert_eq!(span(text).ok(), Some(seconds), "{text}");
    }
    for text in ["", "soon", "-1h", "24"] {
        assert!(span(text).is_err(), "{text}");
    }
}

#[test]
fn files_of_credentials_start_from_the_scanned_folder() {
    let table =
        json!({"admin": {"password": {"file": "run/admin"}}, "list": [{"file": "/abs"}], "file": {"x": "file"}});
    let settings: Settings = serde_json::from_value(table).unwrap();
    let rooted = serde_json::to_value(settings.rooted(Path::new("estate"))).unwrap();
    let wanted =
        json!({"admin": {"password": {"file": "estate/run/admin"}}, "list": [{"file": "/abs"}], "file": {"x": "file"}});
    assert_eq!(rooted, wanted);
}
