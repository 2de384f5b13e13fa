//! Digests of CloudTrail: where `aws cloudtrail validate-logs` finds logs whole or changed, Keytrail does.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::localemu::{LocalEmu, REGION, environment, program};
use crate::support::{Keytrail, Outcome, repository};

const FROM: &str = "2026-02-01T00:00:00Z";
const TO: &str = "2026-02-01T03:00:00Z";
const DIGESTS: &str = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/02/01";
/// The first log file of the second hour.
const LOG: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/02/01/111122223333_CloudTrail_us-east-1_20260201T0115Z_random10.json.gz";
/// The record in it, which is listed up to the next second.
const RECORD: (&str, &str) = ("2026-02-01T01:10:00Z", "2026-02-01T01:10:01Z");

const CONFIG: &str = "\
[[secret]]
key = \"DB\"
class = \"secret\"
copies = [\"aws-secrets-manager:prod/db\"]

[[trail]]
name = \"cloudtrail\"
kind = \"cloudtrail\"
path = \"AWSLogs\"
public_keys = \"keys.json\"
";

/// Buckets with logs and digests in an emulator, and a server of the keys of the digests.
struct Buckets {
    aws: LocalEmu,
    server: Child,
    /// `http://127.0.0.1:PORT`
    address: String,
}

impl Drop for Buckets {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Buckets {
    async fn make() -> Self {
        let aws = LocalEmu::start().await;
        let script = repository().join("tests/trails_live/digests.py");
        let mut python = Command::new(program("python"));
        python.arg(script).arg(&aws.address).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let mut server = python.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let mut port = String::new();
        let output = server.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut port).expect("a line");
        let address = format!("http://127.0.0.1:{}", port.trim().parse::<u16>().expect("the buckets are made"));
        Self { aws, server, address }
    }

    /// Runs AWS's own command line, which asks the server about CloudTrail; whether it did what it was asked, and what it
    /// printed.
    fn try_aws(&self, args: &[&str]) -> (bool, String) {
        let mut command = Command::new(program("aws"));
        command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", &self.address).env("AWS_ENDPOINT_URL_S3", &self.aws.address);
        command.envs(environment()).stdin(Stdio::null());
        let output = command.output().expect("the AWS command line runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    fn aws(&self, args: &[&str]) -> String {
        let (is_done, said) = self.try_aws(args);
        assert!(is_done, "aws {args:?}: {said}");
        said
    }

    /// What AWS's own validation says of a bucket.
    fn validate(&self, bucket: &str) -> (bool, String) {
        let arn = format!("arn:aws:cloudtrail:{REGION}:111122223333:trail/{bucket}");
        let args = ["cloudtrail", "validate-logs", "--verbose", "--start-time", FROM, "--end-time", TO, "--trail-arn"];
        self.try_aws(&[&args[..], &[&arn]].concat())
    }

    /// Copies a bucket, with the signatures of its digests and the public keys, as the documentation of the trail says.
    fn fetch(&self, bucket: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let target = path.display().to_string();
        self.aws(&["s3", "cp", "--recursive", "--quiet", &format!("s3://{bucket}"), &target]);
        for digest in fs::read_dir(path.join(DIGESTS)).expect("digests").map(|entry| entry.expect("a digest").path()) {
            let name = digest.file_name().and_then(|name| name.to_str()).expect("a name");
            let key = format!("{DIGESTS}/{name}");
            let head = self.aws(&["s3api", "head-object", "--bucket", bucket, "--key", &key]);
            fs::write(path.join(format!("{key}.metadata.json")), head).expect("a file");
        }
        let keys = self.aws(&["cloudtrail", "list-public-keys", "--start-time", FROM]);
        fs::write(path.join("keys.json"), keys).expect("a file");
        fs::write(path.join("keytrail.toml"), CONFIG).expect("a file");
        folder
    }

    /// Changes the secret's version in a log file of a bucket.
    fn tamper(&self, bucket: &str, folder: &Path) {
        let file = folder.join(LOG);
        let mut text = String::new();
        let inflated = &mut GzDecoder::new(fs::File::open(&file).expect("a log"));
        std::io::Read::read_to_string(inflated, &mut text).expect("gzip data");
        assert!(text.contains("alice"));
        let mut deflated = GzEncoder::new(fs::File::create(&file).expect("a log"), flate2::Compression::default());
        deflated.write_all(text.replace("alice", "mallo").as_bytes()).expect("a log");
        deflated.finish().expect("a log");
        self.aws(&["s3", "cp", "--quiet", &file.display().to_string(), &format!("s3://{bucket}/{LOG}")]);
    }
}

fn keytrail(folder: &Path, args: &[&str]) -> Outcome {
    Keytrail::new(folder).args(args).args(["--format", "json", "--as-of", "2026-02-02T00:00:00Z"]).run()
}

/// The stretches that are proven, the holes, and the rules of the findings.
struct Judged {
    covered: Value,
    holes: Vec<(bool, String, Value)>,
    rules: Vec<String>,
}

fn judge(folder: &Path) -> Judged {
    let scan = keytrail(folder, &["scan", "--only", "trails"]).json();
    let trail = keytrail(folder, &["trails"]).json()[0].clone();
    assert_eq!(scan["trails"][0], trail);
    let rules = scan["findings"].as_array().expect("findings").iter().map(|one| one["rule"].as_str().expect("a rule"));
    let rules = rules.filter(|rule| rule.starts_with("trail-")).map(str::to_owned).collect();
    let holes = trail["holes"].as_array().expect("holes").iter();
    let hole = |hole: &Value| {
        let reason = hole["reason"].as_str().expect("a reason").to_owned();
        (hole["tampered"] == true, reason, json!([hole["from"], hole["to"]]))
    };
    Judged { covered: trail["covered"].clone(), holes: holes.map(hole).collect(), rules }
}

/// Checks that there is one hole, and what is said of it.
#[track_caller]
fn assert_hole(judged: &Judged, tampered: bool, reason: &str, (from, to): (&str, &str)) {
    let [hole] = &judged.holes[..] else { panic!("{:#?}", judged.holes) };
    assert_eq!((hole.0, &hole.2), (tampered, &json!([from, to])), "{}", hole.1);
    assert!(hole.1.contains(reason), "{}", hole.1);
    let rule = if tampered { "trail-tampered" } else { "trail-gap" };
    assert!(judged.rules.iter().any(|one| one == rule), "{:?}", judged.rules);
}

fn proven(from: &str, to: &str) -> Value {
    json!({"from": from, "to": to, "proof": "digest-chain"})
}

#[tokio::test(flavor = "multi_thread")]
async fn keytrail_finds_what_validate_logs_finds() {
    let buckets = Buckets::make().await;

    let (is_valid, said) = buckets.validate("whole");
    assert!(is_valid && said.contains("3/3 digest files valid") && said.contains("6/6 log files valid"), "{said}");
    let folder = buckets.fetch("whole");
    let judged = judge(folder.path());
    // Records of the last minutes come with the next digest.
    assert_eq!(judged.covered, json!([proven(FROM, "2026-02-01T02:45:00Z")]));
    assert!(judged.holes.is_empty() && judged.rules.is_empty(), "{:?} {:?}", judged.holes, judged.rules);

    buckets.tamper("whole", folder.path());
    let (is_valid, said) = buckets.validate("whole");
    assert!(!is_valid && said.contains(&format!("{LOG}\tINVALID: hash value doesn't match")), "{said}");
    let judged = judge(folder.path());
    assert_hole(&judged, true, "is not the file that the digest", RECORD);

    fs::remove_file(folder.path().join(LOG)).expect("a log");
    buckets.aws(&["s3", "rm", "--quiet", &format!("s3://whole/{LOG}")]);
    let (is_valid, said) = buckets.validate("whole");
    assert!(!is_valid && said.contains(&format!("{LOG}\tINVALID: not found")), "{said}");
    let judged = judge(folder.path());
    assert_hole(&judged, false, "is missing", RECORD);

    let (is_valid, said) = buckets.validate("forged");
    assert!(!is_valid && said.contains("T020000Z.json.gz\tINVALID: signature verification failed"), "{said}");
    let folder = buckets.fetch("forged");
    let mut judged = judge(folder.path());
    let around = json!([proven(FROM, "2026-02-01T00:45:00Z"), proven("2026-02-01T02:00:00Z", "2026-02-01T02:45:00Z")]);
    assert_eq!(judged.covered, around);
    // What only that digest lists, none does.
    let unlisted = judged.holes.extract_if(.., |hole| hole.1.ends_with("is listed by no digest"));
    assert_eq!(unlisted.filter(|hole| hole.1.contains("_random1")).count(), 2);
    assert_hole(&judged, true, "does not fit its signature", ("2026-02-01T01:00:00Z", "2026-02-01T02:00:00Z"));
}
