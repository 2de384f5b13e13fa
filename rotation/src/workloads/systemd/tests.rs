use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::*;

/// Stands in for `systemctl`, since no systemd runs where the tests do: `show` prints the file `state`, everything else
/// is written down and runs the script `on-VERB`.
const SYSTEMCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 9
printf '%s\n' "$*" >> calls
for word in "$@"; do
    case $word in
        show) exec cat state;;
        restart|reload) exec sh "./on-$word";;
    esac
done
"#;

struct Stub {
    folder: tempfile::TempDir,
    context: Context,
}

impl Stub {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("systemctl");
        fs::write(&program, SYSTEMCTL).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let context = Context { folder: folder.path().to_owned(), ..Context::new("kt-1") };
        let stub = Self { folder, context };
        stub.state("active", "running", "aaaa");
        stub.put("on-restart", "exit 0");
        stub.put("on-reload", "exit 0");
        stub
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn state(&self, active: &str, sub: &str, invocation: &str) {
        self.put("state", &format!("LoadState=loaded\nActiveState={active}\nSubState={sub}\nResult=exit-code\nInvocationID={invocation}\nCanReload=no\n"));
    }

    fn open(&self, mut table: serde_json::Value) -> Box<dyn Workload> {
        table["systemctl"] = json!("./systemctl");
        (KIND.open)("api@1.service", &Settings(table.as_object().unwrap().clone())).unwrap()
    }

    async fn progress(&self, workload: &dyn Workload, mark: &Mark) -> Progress {
        workload.progress(&self.context, mark, &Values::new()).await.unwrap()
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.folder.path().join("calls")).unwrap()
    }
}

async fn load(workload: &dyn Workload, context: &Context) -> Result<Mark, Failure> {
    workload.load(context, &Values::new(), &Values::new()).await
}

#[tokio::test]
async fn a_restart_is_done_with_another_invocation_that_is_active() {
    let stub = Stub::new();
    let workload = stub.open(json!({ "user": true }));
    assert_eq!(workload.preflight(&stub.context).await.unwrap(), [""; 0]);
    let mark = load(&*workload, &stub.context).await.unwrap();
    assert_eq!(mark.0, "aaaa");
    assert!(stub.calls().ends_with("--no-pager --no-ask-password --user restart --no-block -- api@1.service\n"));
    let waits = |progress: Progress| matches!(progress, Progress::Waiting(_));
    assert!(waits(stub.progress(&*workload, &mark).await), "the one from before");
    stub.state("activating", "auto-restart", "bbbb");
    assert!(waits(stub.progress(&*workload, &mark).await));
    stub.put("state", "ActiveState=active\nInvocationID=bbbb\nJob=17\n");
    assert!(waits(stub.progress(&*workload, &mark).await));
    stub.state("active", "running", "bbbb");
    assert_eq!(stub.progress(&*workload, &mark).await, Progress::Done);
    stub.state("failed", "failed", "bbbb");
    let said = Progress::Failed("the unit api@1.service has failed (exit-code)".to_owned());
    assert_eq!(stub.progress(&*workload, &mark).await, said);
}

#[tokio::test]
async fn a_reload_keeps_the_invocation() {
    let stub = Stub::new();
    let workload = stub.open(json!({ "action": "reload" }));
    let said = ["the unit api@1.service cannot be reloaded: write action = \"restart\""];
    assert_eq!(workload.preflight(&stub.context).await.unwrap(), said);
    let mark = load(&*workload, &stub.context).await.unwrap();
    assert!(stub.calls().ends_with("reload -- api@1.service\n"));
    assert_eq!(stub.progress(&*workload, &mark).await, Progress::Done);
    stub.state("reloading", "reload", "aaaa");
    assert!(matches!(stub.progress(&*workload, &mark).await, Progress::Waiting(_)));
    stub.put("on-reload", "exit 1");
    assert_eq!(load(&*workload, &stub.context).await.unwrap_err().outcome, crate::failure::Outcome::Unknown);
}

#[tokio::test]
async fn a_unit_that_does_not_run_is_an_obstacle() {
    let stub = Stub::new();
    let workload = stub.open(json!({}));
    stub.state("inactive", "dead", "");
    let said = ["the unit api@1.service is inactive (dead), not active"];
    assert_eq!(workload.preflight(&stub.context).await.unwrap(), said);
    stub.put("state", "LoadState=not-found\nActiveState=inactive\n");
    assert_eq!(workload.preflight(&stub.context).await.unwrap(), ["the unit api@1.service is not-found, not loaded"]);
    stub.put("state", "LoadState=\u{1b}[31mred\n");
    assert_eq!(workload.preflight(&stub.context).await.unwrap(), ["the unit api@1.service is ?, not loaded"]);
}

#[test]
fn a_pattern_or_an_option_is_no_unit() {
    for unit in ["api", "*.service", "-H.service", "a b.service", ".service", "api.", "a/b.service", ""] {
        assert!((KIND.open)(unit, &Settings::default()).is_err(), "{unit}");
    }
    assert!((KIND.open)(r"dev-disk\x2dby.mount", &Settings::default()).is_ok());
}
