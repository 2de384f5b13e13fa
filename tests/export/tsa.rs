//! A timestamp authority: openssl behind a little HTTP server.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use tempfile::TempDir;

use super::company::Company;
use super::{instructions, sh};

/// What an authority makes of a request.
type Answer = fn(&[u8]) -> Vec<u8>;

/// It answers as long as the test runs.
pub(super) struct Authority {
    folder: TempDir,
    pub(super) url: String,
}

impl Authority {
    pub(super) fn start() -> Self {
        Self::answering(|folder, request| {
            fs::write(folder.join("q"), request).expect("a file");
            sh(folder, "openssl ts -reply -config tsa.cnf -section tsa -queryfile q -out r").expect("an answer");
            fs::read(folder.join("r")).expect("an answer")
        })
    }

    fn answering(answer: impl Fn(&Path, &[u8]) -> Vec<u8> + Send + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = include_str!("../../reporters/src/sign/testdata/tsa.cnf");
        fs::write(folder.path().join("tsa.cnf"), config).expect("a file");
        let make = "openssl req -x509 -newkey rsa:2048 -nodes -config tsa.cnf -keyout tsa.key -out tsa.pem -days 2 && echo 01 > serial";
        sh(folder.path(), make).expect("an authority");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let place = folder.path().to_owned();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.expect("a client"));
                let (mut length, mut line) = (0, String::new());
                while stream.read_line(&mut line).expect("a line") > 2 {
                    let lower = line.to_lowercase();
                    length = lower
                        .strip_prefix("content-length: ")
                        .map_or(length, |text| text.trim().parse().expect("a length"));
                    line.clear();
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).expect("a body");
                let answer = answer(&place, &body);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
                let stream = stream.get_mut();
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer)).expect("it is sent");
            }
        });
        Self { folder, url }
    }
}

#[test]
fn a_timestamp_is_checked_and_verified_by_openssl() {
    let company = Company::new();
    let authority = Authority::start();
    let out = company.export("evidence", &["--timestamp", &authority.url]);
    let block = instructions(out.path()).pop().expect("how to verify the timestamp");
    assert!(block.contains("openssl ts -verify"), "{block}");
    fs::copy(authority.folder.path().join("tsa.pem"), out.path().join("tsa-ca.pem")).expect("a copy");
    assert!(sh(out.path(), &block).expect("it verifies").contains("OK"));
    fs::remove_file(out.path().join("tsa-ca.pem")).expect("gone");
    let verified = company.keytrail(&["verify", "evidence"]);
    assert_eq!(verified.status, Some(0), "{}", verified.stdout);
    assert!(verified.stdout.contains("evidence.tsr is a timestamp of it"), "{}", verified.stdout);
    fs::remove_file(out.path().join("evidence.tsr")).expect("gone");
    let failed = company.keytrail(&["verify", "evidence"]);
    assert!(failed.stdout.contains("FAILED evidence.tsr is missing"), "{}", failed.stdout);
}

#[test]
fn an_authority_that_answers_something_else_is_refused() {
    let company = Company::new();
    // The request itself, a refusal (RFC 3161, section 2.4.2), nothing.
    let answers: [Answer; 3] = [<[u8]>::to_vec, |_| vec![0x30, 5, 0x30, 3, 2, 1, 2], |_| Vec::new()];
    for answer in answers {
        let authority = Authority::answering(move |_, request| answer(request));
        let out = company.try_export("evidence", &["--timestamp", &authority.url]);
        assert_eq!(out.status, Some(2), "{}", out.stdout);
        assert!(out.stderr.contains("did not answer as one"), "{}", out.stderr);
    }
    // A timestamp of another request.
    let authority = Authority::answering(|folder, request| {
        let mut other = request.to_vec();
        // The nonce is what stands before the last three bytes, which ask for the certificate.
        let at = other.len() - 4;
        other[at] ^= 1;
        fs::write(folder.join("q"), other).expect("a file");
        sh(folder, "openssl ts -reply -config tsa.cnf -section tsa -queryfile q -out r").expect("an answer");
        fs::read(folder.join("r")).expect("an answer")
    });
    let out = company.try_export("evidence", &["--timestamp", &authority.url]);
    assert!(out.stderr.contains("answered something else than was asked"), "{}", out.stderr);
    assert!(!company.path().join("evidence").exists());
}
