//! No value of a secret in anything that is written: planted values are searched for, in every encoding, in every
//! output, file and error.

use std::fs;
use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use keytrail_reporters::FORMATS;

use crate::support::{Keytrail, tree};

/// One for each kind of source. They are as unlike as values are, so that nothing holds them by chance.
const PLANTED: &[&str] = &[
    "plantedEnvFile-7Qx",
    "plantedExport-8Wz",
    "plantedQuoted two words-9",
    "plantedUrl-p%40ss-3Rt",
    "plantedConfigMap-4Yu",
    "plantedStringData-5Io",
    "plantedData-6Pa",
    "plantedLiteral-1Sd",
    "plantedCompose-2Fg",
    "plantedDefault-3Hj",
    "plantedSchemaDefault-4Kl",
    "plantedCode-5Zx",
    "plantedBroken-6Cv",
    "plantedDuplicate-7Bn",
    "plantedMultiLine-8Mq",
    "plantedBadYaml-9We",
    "plantedConfigToken-1Er",
    "plantedKeyFile-2Ty",
    "plantedComposeDefault-3Ui",
    "planted<&\"mark>'up-5Nm",
];

fn estate() -> tempfile::TempDir {
    let data = BASE64_STANDARD.encode("plantedData-6Pa");
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\nstringData:\n  A_TOKEN: plantedStringData-5Io\ndata:\n  B_TOKEN: {data}\n"
    );
    let files = [
        (
            ".env.production",
            "A_TOKEN=plantedEnvFile-7Qx\nexport B_TOKEN=plantedExport-8Wz\nC_PASSWORD='plantedQuoted two words-9'\nA_URL=postgres://u:plantedUrl-p%40ss-3Rt@h/d\nPLAIN=plantedEnvFile-7Qx\nA_TOKEN=plantedDuplicate-7Bn\nplantedBroken-6Cv\nD_TOKEN=\"plantedMultiLine-8Mq\nmore\"\nE_PASSWORD=planted<&\"mark>'up-5Nm\n",
        ),
        (
            "k8s/config.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app\ndata:\n  A_TOKEN: plantedConfigMap-4Yu\n  B_URL: https://u:plantedUrl-p%40ss-3Rt@h\n",
        ),
        ("k8s/secret.yaml", &secret),
        ("k8s/bad.yaml", "apiVersion: v1\nkind: Secret\nstringData:\n  A_TOKEN: [plantedBadYaml-9We\n"),
        (
            "k8s/shape.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData:\n  A_TOKEN: {a: plantedBadYaml-9We}\ndata:\n  B_TOKEN: plantedBadYaml-9We!\n",
        ),
        (
            "k8s/deployment.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec:\n  template:\n    spec:\n      containers:\n        - name: app\n          env:\n            - {name: A_TOKEN, value: plantedLiteral-1Sd}\n",
        ),
        (
            "compose.yaml",
            "services:\n  app:\n    environment:\n      A_TOKEN: plantedCompose-2Fg\n      B_TOKEN: ${B_TOKEN:-plantedComposeDefault-3Ui}\n",
        ),
        (
            ".env.schema",
            "key: A_TOKEN\ndefault: plantedSchemaDefault-4Kl\nclassification: secret\n\nkey: PLAIN\ndefault: plantedDefault-3Hj\nclassification: plain\n\nkey: C_PASSWORD\nclassification: plantedDefault-3Hj\n",
        ),
        ("src/app.py", "URL = 'postgres://u:plantedCode-5Zx@h/d'\n"),
        ("deploy/.vault-keys", "plantedKeyFile-2Ty\n"),
        ("keytrail.toml", "[inventory]\ncode = [\"src/*.py\"]\ngenerated = [\".env.production\"]\n"),
    ];
    tree(files)
}

/// What a value may look like in an output.
fn encodings(value: &str) -> Vec<String> {
    let hex = |upper: bool| {
        value.bytes().map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") }).collect::<String>()
    };
    let mut all = vec![
        value.to_owned(),
        hex(false),
        hex(true),
        value.chars().rev().collect(),
        value.to_lowercase(),
        value.to_uppercase(),
    ];
    all.push(value.replace(' ', "%20").replace('%', "%25"));
    all.push(value.replace("%40", "@"));
    // Percent-encoded: what RFC 3986 reserves, and everything.
    let percent = |plain: &dyn Fn(u8) -> bool, upper: bool| {
        let encode = |b: u8| if upper { format!("%{b:02X}") } else { format!("%{b:02x}") };
        value.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { encode(b) }).collect::<String>()
    };
    for upper in [false, true] {
        all.push(percent(&|b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b), upper));
        all.push(percent(&|_| false, upper));
    }
    // As a string of JSON, twice as well, and with every character spelt out.
    let json = |text: &str| serde_json::to_string(text).expect("JSON").trim_matches('"').to_owned();
    all.push(json(value));
    all.push(json(&json(value)));
    all.push(value.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect());
    // As text of HTML and XML.
    for (apostrophe, quote) in
        [("'", "\""), ("&#39;", "&quot;"), ("&#x27;", "&#34;"), ("&apos;", "&quot;"), ("'", "&quot;")]
    {
        let amp = value.replace('&', "&amp;");
        all.push(amp.replace('<', "&lt;").replace('>', "&gt;").replace('\'', apostrophe).replace('"', quote));
        all.push(amp.replace('<', "&lt;").replace('\'', apostrophe).replace('"', quote));
    }
    all.push(value.chars().map(|c| format!("&#{};", u32::from(c))).collect());
    all.push(value.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect());
    // Base64 at the three alignments, without the characters that depend on what stands around.
    for skip in 0..3 {
        let padded = format!("{}{value}", "x".repeat(skip));
        for encoded in [BASE64_STANDARD_NO_PAD.encode(&padded), BASE64_URL_SAFE_NO_PAD.encode(&padded)] {
            all.push(encoded[if skip == 0 { 0 } else { 4 }..encoded.len() - 4].to_owned());
        }
    }
    all
}

fn assert_clean(what: &str, bytes: &[u8]) {
    assert_free_of(what, bytes, PLANTED);
}

fn assert_free_of<T: AsRef<str>>(what: &str, bytes: &[u8], values: &[T]) {
    let text = String::from_utf8_lossy(bytes);
    for value in values {
        for encoded in encodings(value.as_ref()) {
            assert!(!text.contains(&encoded), "{what} holds {} as {encoded}", value.as_ref());
        }
    }
}

/// The bytes of a file; those of the members of an archive, such as a workbook.
fn unpacked(file: &Path) -> Vec<u8> {
    let bytes = fs::read(file).expect("a file");
    let Ok(mut archive) = zip::ZipArchive::new(std::io::Cursor::new(&bytes)) else { return bytes };
    let mut all = Vec::new();
    for at in 0..archive.len() {
        archive.by_index(at).expect("a member").read_to_end(&mut all).expect("unpacked");
        all.push(b'\n');
    }
    all
}

/// Runs a command with every format that there is, each into a file, and searches these files.
fn assert_every_format_is_free_of<T: AsRef<str>>(folder: &Path, command: &[&str], values: &[T]) {
    let out = folder.join("out");
    fs::create_dir(&out).expect("a folder");
    let mut args: Vec<String> = command.iter().map(|arg| (*arg).to_owned()).collect();
    for format in FORMATS {
        args.extend(["--format".to_owned(), format!("{0}=out/{0}", format.name)]);
    }
    let account = ["--aws-account", "123456789012", "--aws-region", "eu-central-1"];
    let run = Keytrail::new(folder).args(&args).args(account).run();
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    assert_free_of("standard output", run.stdout.as_bytes(), values);
    assert_free_of("standard error", run.stderr.as_bytes(), values);
    for format in FORMATS {
        let bytes = unpacked(&out.join(format.name));
        assert!(!bytes.is_empty(), "{}", format.name);
        assert_free_of(format.name, &bytes, values);
    }
    assert_eq!(files(&out).len(), FORMATS.len(), "nothing else is left there");
}

/// Every file below a folder that was not there before, with its bytes.
fn written(folder: &Path, before: &[std::path::PathBuf]) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    files(folder)
        .into_iter()
        .filter(|path| !before.contains(path))
        .map(|path| (path.clone(), fs::read(path).expect("a file")))
        .collect()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.expect("an entry"));
    entries.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

#[test]
fn the_search_finds_what_is_there() {
    for encoded in encodings(PLANTED[0]) {
        let found = std::panic::catch_unwind(|| assert_clean("it", format!("x{encoded}y").as_bytes()));
        assert!(found.is_err(), "{encoded}");
    }
}

#[test]
fn no_output_and_no_file_holds_a_value() {
    let folder = estate();
    let before = files(folder.path());
    let baseline = Keytrail::new(folder.path()).args(["scan", "--format", "json"]).run();
    fs::write(folder.path().join("baseline.json"), &baseline.stdout).expect("a file");
    for args in [
        vec!["scan"],
        vec!["scan", "--verbose", "--color", "always"],
        vec!["scan", "--format", "json=report.json", "--format", "sarif=report.sarif", "--format", "table"],
        vec!["scan", "--fix", "--dry-run"],
        vec!["scan", "--baseline", "baseline.json", "--format", "json"],
        vec!["inventory"],
        vec!["inventory", "--format", "json"],
        vec!["init", "--stdout"],
        // What is no baseline and no config is not shown.
        vec!["scan", "--baseline", ".env.production"],
        vec!["scan", "--config", ".env.production"],
        vec!["scan", "--config", "k8s/config.yaml"],
    ] {
        let out = Keytrail::new(folder.path()).args(&args).run();
        assert!(out.status.is_some_and(|status| status < 4), "{args:?}: {:?}\n{}", out.status, out.stderr);
        assert_clean(&format!("{args:?}, standard output"), out.stdout.as_bytes());
        assert_clean(&format!("{args:?}, standard error"), out.stderr.as_bytes());
    }
    let written = written(folder.path(), &before);
    let names: Vec<_> = written.iter().filter_map(|(path, _)| path.file_name()).collect();
    assert!(names.contains(&"keytrail.db".as_ref()) || names.contains(&"state.db".as_ref()), "{names:?}");
    for (path, bytes) in &written {
        assert_clean(&path.display().to_string(), bytes);
    }
}

/// Records of a log, one of them with a value in it, one with the base64 of one, and one with none.
const LOG: &str = r#"{"ts":"2026-03-01T12:00:00Z","kind":"written","target":"A_TOKEN","version":"1","actor":"jo","debug":"VALUE"}
{"ts":"2026-03-02T12:00:00Z","kind":"written","target":"A_TOKEN","version":"2","actor":"jo","debug":"BASE64"}
{"ts":"2026-03-03T12:00:00Z","kind":"written","target":"A_TOKEN","version":"3","actor":"jo"}
"#;

#[test]
fn no_file_of_an_export_holds_a_value_though_its_trails_do() {
    let folder = estate();
    let log = LOG.replace("VALUE", PLANTED[1]).replace("BASE64", &BASE64_STANDARD.encode(PLANTED[5]));
    fs::write(folder.path().join("store.jsonl"), log).expect("a file");
    let config = folder.path().join("keytrail.toml");
    let trail = "[[trail]]\nname = \"store\"\nkind = \"json-log\"\nrole = \"store\"\npath = \"store.jsonl\"\n";
    let text = fs::read_to_string(&config).expect("a config");
    fs::write(&config, text + trail).expect("a config");
    let run = |args: &[&str]| Keytrail::new(folder.path()).args(args).run();
    assert_eq!(run(&["keys", "new"]).status, Some(0));
    let before = files(folder.path());
    let out = run(&["export", "--out", "evidence"]);
    assert!(matches!(out.status, Some(0 | 3)), "{}{}", out.stdout, out.stderr);
    assert_clean("standard output", out.stdout.as_bytes());
    assert_clean("standard error", out.stderr.as_bytes());
    for (path, bytes) in written(folder.path(), &before) {
        assert_clean(&path.display().to_string(), &bytes);
    }
    let index = fs::read_to_string(folder.path().join("evidence/raw/index.jsonl")).expect("an index");
    let states = |state: &str| index.matches(&format!(r#""state":"{state}""#)).count();
    assert_eq!((states("withheld"), states("included")), (2, 1), "{index}");
    let verified = run(&["verify", "evidence"]);
    assert_eq!(verified.status, Some(0), "{}", verified.stdout);
    assert_clean("what verify says", verified.stdout.as_bytes());
}

#[test]
fn no_format_holds_a_value() {
    let folder = estate();
    assert_every_format_is_free_of(folder.path(), &["scan", "--verbose"], PLANTED);
}

#[test]
fn no_format_holds_a_leaked_value() {
    // Put together here, so that nobody takes this file for a leak.
    let digits = |at: u64| (0..64).map(|n| format!("{:x}", (n * n * 7 + n * at + at) % 16)).collect::<String>();
    let (cloud, known) = (format!("dop_v1_{}", digits(3)), "plantedKnown<&>value-7Hj9");
    let password = format!("plantedGeneric{}", &digits(5)[..12]);
    let files = [
        ("src/a.py", format!("client = Client('{cloud}')\nDB_PASSWORD = \"{password}\"\n")),
        ("src/<b> &.md", format!("[x](https://user:{password}@example.com/) {known}\n")),
        ("app.log", format!("login with {known}\n")),
        (".env", format!("A_TOKEN={known}\n")),
    ];
    let folder = tree(files.iter().map(|(path, text)| (*path, text.as_str())));
    let found = Keytrail::new(folder.path()).args(["leaks", "--env-file", ".env", "--format", "json"]).run().json();
    assert!(found["leaks"].as_array().is_some_and(|leaks| leaks.len() >= 3), "{found:#}");
    let values = [cloud[7..].to_owned(), known.to_owned(), password];
    assert_every_format_is_free_of(folder.path(), &["leaks", "--env-file", ".env", "--verbose"], &values);
}

#[test]
fn a_config_with_a_token_in_it_is_refused_without_showing_it() {
    let config = "[[store]]\nname = \"vault\"\nkind = \"vault\"\nauth = { method = \"token\", token = \"plantedConfigToken-1Er\" }\n";
    let folder = tree([("keytrail.toml", config)]);
    let out = Keytrail::new(folder.path()).args(["scan"]).run();
    assert_eq!(out.status, Some(2), "{}", out.stdout);
    assert_clean("the error", out.stderr.as_bytes());
}
