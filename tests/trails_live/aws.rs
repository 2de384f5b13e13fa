//! An AWS emulator that records CloudTrail: asked over its API, and as the files that it delivers to S3.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Estate, check_evidence, findings, verdicts};
use crate::support::localemu::{LocalEmu, REGION, environment};

/// The trail, as files.
const FILES: &str = "\
[[trail]]
name = \"cloudtrail\"
kind = \"cloudtrail\"
path = \"AWSLogs\"
COVERS
";

/// The trail, asked for.
const ASKED: &str = "\
[[trail]]
name = \"cloudtrail\"
kind = \"cloudtrail-api\"
url = \"ADDRESS\"
regions = [\"REGION\"]
COVERS
";

/// Changes a value, as part of a run.
fn put(aws: &LocalEmu, name: &str, token: &str) {
    let args = ["secretsmanager", "put-secret-value", "--secret-id", name, "--secret-string", "planted-second"];
    aws.aws(&[args.as_slice(), &["--client-request-token", token]].concat());
}

/// A UUID that ends in a number.
fn token(number: u8) -> String {
    format!("00000000-0000-4000-8000-0000000000{number:02}")
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudtrail_says_the_same_in_files_and_when_asked() {
    let aws = LocalEmu::start().await;
    aws.aws(&["s3api", "create-bucket", "--bucket", "trail"]);
    aws.aws(&["cloudtrail", "create-trail", "--name", "main", "--s3-bucket-name", "trail"]);
    aws.aws(&["cloudtrail", "start-logging", "--name", "main"]);
    let mut estate = Estate::new();
    for name in ["traced", "silent", "refused", "labelled"] {
        let secret = format!("app-{name}");
        aws.aws(&["secretsmanager", "create-secret", "--name", &secret, "--secret-string", "planted-first"]);
        estate.secret(&name.to_uppercase(), &format!("aws-secrets-manager:{secret}"), "");
    }
    estate.request("run-traced", "TRACED");
    put(&aws, "app-traced", &token(1));
    estate.load("TRACED");
    put(&aws, "app-silent", &token(2));
    let wrong =
        ["secretsmanager", "put-secret-value", "--secret-id", "app-refused-not", "--secret-string", "planted-x"];
    assert!(!aws.try_aws(&wrong).status.success());
    aws.aws(&["secretsmanager", "tag-resource", "--secret-id", "app-labelled", "--tags", "Key=team,Value=pay"]);
    aws.aws(&["secretsmanager", "get-secret-value", "--secret-id", "app-silent"]);

    estate.write(&ASKED.replace("ADDRESS", &aws.address).replace("REGION", REGION));
    let asked = estate.scan(&environment()).json();
    judge(&asked);

    delivered(&aws, &estate);
    estate.write(FILES);
    let files = estate.scan(&[]).json();
    judge(&files);
    assert_eq!(verdicts(&asked), verdicts(&files));
    assert_eq!(findings(&asked), findings(&files));
    assert!(inflated_evidence(&estate, &files) >= 3);
}

fn judge(report: &Value) {
    let found = verdicts(report);
    assert_eq!(found.get("TRACED"), Some(&vec!["traced".to_owned()]), "{found:#?} {:#?}", report["gaps"]);
    assert_eq!(found.get("SILENT"), Some(&vec!["silent no-request".to_owned()]), "{found:#?}");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!(findings(report), ["silent-rotation SILENT"]);
    assert!(!report.to_string().contains("planted-"), "a value of the trail is in the report");
}

/// Fetches what the emulator delivers, once the last change is among it.
fn delivered(aws: &LocalEmu, estate: &Estate) {
    let folder = estate.folder.path().display().to_string();
    let end = Instant::now() + Duration::from_secs(150);
    loop {
        aws.aws(&["s3", "cp", "--recursive", "--quiet", "s3://trail", &folder]);
        let all: String = files(estate).iter().map(|(_, text)| text.as_str()).collect();
        if all.contains(&token(2)) && all.contains(&token(1)) {
            return;
        }
        assert!(Instant::now() < end, "the emulator delivers nothing");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// The files of the trail, inflated.
fn files(estate: &Estate) -> Vec<(std::path::PathBuf, String)> {
    let entries = walkdir::WalkDir::new(estate.folder.path().join("AWSLogs")).into_iter().filter_map(Result::ok);
    let logs = entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "gz"));
    let inflate = |path: std::path::PathBuf| {
        let mut text = String::new();
        let file = fs::File::open(&path).expect("a file");
        std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(file), &mut text).expect("gzip data");
        (path, text)
    };
    logs.map(|entry| inflate(entry.into_path())).collect()
}

/// Offsets count in what was compressed: the evidence is checked against inflated files.
fn inflated_evidence(estate: &Estate, report: &Value) -> usize {
    for (path, text) in files(estate) {
        fs::write(path, text).expect("a file");
    }
    check_evidence(estate.folder.path(), report)
}
