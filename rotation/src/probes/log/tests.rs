use std::fs;

use serde_json::json;

use super::*;

const REFUSED: &str = "FATAL: password authentication failed for user \"app\" (planted-value)\n";

fn open(table: serde_json::Value) -> Box<dyn Probe> {
    let serde_json::Value::Object(table) = table else { panic!("a table") };
    (KIND.open)(&Settings(table)).unwrap()
}

/// A folder with a log, its probe, and what the probe said before.
struct Place {
    folder: tempfile::TempDir,
    context: Context,
    probe: Box<dyn Probe>,
    before: String,
}

impl Place {
    async fn new(table: serde_json::Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("api.log"), format!("started\n{REFUSED}")).unwrap();
        let context = Context { folder: folder.path().to_owned(), ..Context::new("kt-1") };
        let probe = open(table);
        let health = probe.check(&context, &Moment::Before, &Values::new()).await.unwrap();
        let Health::Healthy(before) = health else { panic!("{health:?}") };
        Self { folder, context, probe, before }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn add(&self, name: &str, text: &str) {
        use std::io::Write;
        let mut file = fs::OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    async fn after(&self) -> Health {
        let moment = Moment::After { before: self.before.clone(), since: chrono::Utc::now() };
        self.probe.check(&self.context, &moment, &Values::new()).await.unwrap()
    }
}

#[tokio::test]
async fn lines_from_before_do_not_count_and_later_ones_do() {
    let place = Place::new(json!({ "log": "api.log" })).await;
    assert_eq!(place.after().await, Health::Healthy("0 lines".to_owned()));
    place.add("api.log", "GET /health 200\n");
    assert_eq!(place.after().await, Health::Healthy("0 lines".to_owned()));
    place.add("api.log", REFUSED);
    let said = Health::Unhealthy("1 lines of api.log tell of refused logins; 0 may".to_owned());
    assert_eq!(place.after().await, said, "counts, and no line");
    assert_eq!(place.after().await, said, "looking again counts nothing twice");
}

#[tokio::test]
async fn a_line_that_has_not_ended_counts() {
    let place = Place::new(json!({ "log": "api.log", "patterns": ["refused"], "max": 1 })).await;
    place.add("api.log", "refused\nrefu");
    assert_eq!(place.after().await, Health::Healthy("1 lines".to_owned()));
    place.add("api.log", "sed");
    assert!(matches!(place.after().await, Health::Unhealthy(_)));
}

#[tokio::test]
async fn a_log_that_was_renamed_is_followed() {
    let place = Place::new(json!({ "log": "api.log" })).await;
    place.add("api.log", REFUSED);
    fs::rename(place.path("api.log"), place.path("api.log.1")).unwrap();
    place.add("api.log", REFUSED);
    assert_eq!(place.after().await, Health::Unhealthy("2 lines of api.log tell of refused logins; 0 may".to_owned()));
}

#[tokio::test]
async fn where_lines_are_lost_nothing_is_healthy() {
    let place = Place::new(json!({ "log": "api.log" })).await;
    fs::write(place.path("api.log"), "cut\n").unwrap();
    assert!(matches!(place.after().await, Health::Unknown(_)), "cut off");
    fs::remove_file(place.path("api.log")).unwrap();
    place.add("api.log", "another file that is longer than the one before, so that only what it is tells\n");
    let health = place.after().await;
    // The file system may give the new file the number of the old one; then it reads on from the mark.
    assert!(!matches!(health, Health::Unhealthy(_)), "{health:?}");
    fs::remove_file(place.path("api.log")).unwrap();
    assert!(matches!(place.after().await, Health::Unknown(_)), "gone");
}

#[tokio::test]
async fn files_are_named_by_a_pattern() {
    let place = Place::new(json!({ "log": "*.log" })).await;
    place.add("worker.log", REFUSED);
    place.add("notes.txt", REFUSED);
    assert_eq!(place.after().await, Health::Unhealthy("1 lines of *.log tell of refused logins; 0 may".to_owned()));
    let probe = open(json!({ "log": "*.out" }));
    let health = probe.check(&place.context, &Moment::Before, &Values::new()).await.unwrap();
    assert_eq!(health, Health::Unknown("0 files match *.out".to_owned()));
}

#[tokio::test]
async fn of_a_line_without_end_the_start_is_looked_at() {
    let place = Place::new(json!({ "log": "api.log", "patterns": ["^start", "end$"] })).await;
    place.add("api.log", &format!("start{}end\nother\n", "x".repeat(3 * MAX_LINE)));
    assert_eq!(place.after().await, Health::Unhealthy("1 lines of api.log tell of refused logins; 0 may".to_owned()));
}

#[test]
fn what_servers_say_of_refused_logins_is_known() {
    let log = Log::new(&Settings(json!({ "log": "x" }).as_object().unwrap().clone())).unwrap();
    for line in [
        "FATAL:  password authentication failed for user \"app\"",
        "Access denied for user 'app'@'10.0.0.1' (using password: YES)",
        "ReplyError: WRONGPASS invalid username-password pair or user is disabled.",
        "server login has been failing, try again later (server_login_retry)",
        "{\"error\":\"invalid_client\"}",
        "HTTP/1.1 401 Unauthorized",
    ] {
        assert!(log.patterns.is_match(line.as_bytes()), "{line}");
    }
    for line in ["GET /login 200", "connection authenticated: user=app", "401 rows"] {
        assert!(!log.patterns.is_match(line.as_bytes()), "{line}");
    }
}

#[test]
fn names_fit_patterns() {
    for (pattern, name, fits) in [
        ("*", "", true),
        ("a*b?", "axxbc", true),
        ("a*b?", "axxb", false),
        ("?", "é", true),
        ("*.log*", "x.log.1", true),
    ] {
        assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
    }
}
