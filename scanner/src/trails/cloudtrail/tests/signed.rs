//! Log files with a chain of signed digests, as AWS lays them into a bucket.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use chrono::TimeDelta;
use tempfile::TempDir;

use super::*;

/// A bucket that was copied into a folder: every hour one log file and one digest, from 2026-02-01 on.
pub(super) struct Bucket {
    pub(super) folder: TempDir,
    key: KeyPair,
    /// Keys of the objects, in the order in which they were written.
    pub(super) digests: Vec<String>,
    pub(super) logs: Vec<String>,
    /// Key, hash and signature of the last digest.
    previous: Option<(String, String, String)>,
}

const FOLDER: &str = "org/AWSLogs/o-1/111122223333";
const KEYS: &str = "keys.json";

pub(super) fn hour(number: i64) -> Time {
    at("2026-02-01T00:00:00Z") + TimeDelta::hours(number)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn time(time: Time) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Bucket {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let bucket =
            Self { folder: tempfile::tempdir().unwrap(), key, digests: Vec::new(), logs: Vec::new(), previous: None };
        bucket.publish_key();
        bucket
    }

    /// A chain of so many hours, with the signature of the last digest beside it.
    pub(super) fn of_hours(hours: i64) -> Self {
        let mut bucket = Self::new();
        (0..hours).for_each(|number| bucket.hour(number));
        bucket.keep_signature();
        bucket
    }

    fn publish_key(&self) {
        let value = base64::engine::general_purpose::STANDARD.encode(self.key.public_key());
        let list = json!({"PublicKeyList": [{"Value": value, "Fingerprint": "f1", "ValidityStartTime": 0}]});
        fs::write(self.folder.path().join(KEYS), list.to_string()).unwrap();
    }

    /// Signs with another key from now on, under the fingerprint of the first; the public keys stay those of the first.
    pub(super) fn change_key(&mut self) {
        self.key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    }

    /// The next digest names none before it.
    pub(super) fn restart(&mut self) {
        self.previous = None;
    }

    pub(super) fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join(key)
    }

    pub(super) fn write(&self, key: &str, bytes: &[u8]) {
        let path = self.path(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// One hour: a log file with one write at its tenth minute, and the digest.
    pub(super) fn hour(&mut self, number: i64) {
        let (from, to) = (hour(number), hour(number + 1));
        let written = from + TimeDelta::minutes(10);
        let mut record = put(u32::try_from(number).unwrap());
        record["eventTime"] = time(written).into();
        let text = file(&[record]);
        let (day, stamp) = (from.format("%Y/%m/%d"), (written + TimeDelta::minutes(5)).format("%Y%m%dT%H%MZ"));
        let log =
            format!("{FOLDER}/CloudTrail/eu-west-1/{day}/111122223333_CloudTrail_eu-west-1_{stamp}_r{number}.json.gz");
        self.write(&log, &gzip(&text));

        let name = format!("111122223333_CloudTrail-Digest_eu-west-1_main_eu-west-1_{}", to.format("%Y%m%dT%H%M%SZ"));
        let key = format!("{FOLDER}/CloudTrail-Digest/eu-west-1/{day}/{name}.json.gz");
        let previous = self.previous.clone();
        let of_previous = |part: fn(&(String, String, String)) -> &String| previous.as_ref().map(part);
        let body = json!({
            "awsAccountId": "111122223333", "digestStartTime": time(from), "digestEndTime": time(to),
            "digestS3Bucket": "logs", "digestS3Object": key, "digestPublicKeyFingerprint": "f1",
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": time(written), "oldestEventTime": time(written),
            "previousDigestS3Bucket": previous.as_ref().map(|_| "logs"),
            "previousDigestS3Object": of_previous(|previous| &previous.0),
            "previousDigestHashValue": of_previous(|previous| &previous.1),
            "previousDigestHashAlgorithm": previous.as_ref().map(|_| "SHA-256"),
            "previousDigestSignature": of_previous(|previous| &previous.2),
            "logFiles": [{
                "s3Bucket": "logs", "s3Object": log, "hashValue": hex(digest(&SHA256, &text).as_ref()),
                "hashAlgorithm": "SHA-256", "newestEventTime": time(written), "oldestEventTime": time(written),
            }],
        });
        let body = serde_json::to_vec(&body).unwrap();
        self.write(&key, &gzip(&body));
        let hash = hex(digest(&SHA256, &body).as_ref());
        let before = previous.map_or("null".to_owned(), |previous| previous.2);
        let signed = format!("{}\nlogs/{key}\n{hash}\n{before}", time(to));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        self.previous = Some((key.clone(), hash, hex(&signature)));
        self.digests.push(key);
        self.logs.push(log);
    }

    /// Lays the signature of the last digest beside it.
    pub(super) fn keep_signature(&self) {
        let (key, _, signature) = self.previous.as_ref().unwrap();
        let head =
            json!({"ContentLength": 1, "Metadata": {"signature": signature, "signature-algorithm": "SHA256withRSA"}});
        self.write(&format!("{key}.metadata.json"), head.to_string().as_bytes());
    }

    /// Reads the trail with all files that are there.
    pub(super) fn read(&self) -> Given {
        let config = TrailConfig { public_keys: Some(KEYS.into()), ..config(self.folder.path()) };
        self.read_with(&config)
    }

    pub(super) fn read_with(&self, config: &TrailConfig) -> Given {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().join("org")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        let names = files.iter().map(|path| path.strip_prefix(self.folder.path()).unwrap().to_str().unwrap());
        read_trail(config, &names.collect::<Vec<_>>())
    }
}
