//! A server that refuses verifiers: a proxy in front of a real one, which spoils every statement that has one.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use keytrail_rotation::failure::Outcome;

use super::*;

/// A port whose connections go to the server, where a query with a verifier becomes one that fails.
fn refusing_verifiers(server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", server)).unwrap());
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            // Either side ends by closing its connection.
            thread::spawn(move || io::copy(&mut from, &mut to));
            thread::spawn(move || forward(client, server));
        }
    });
    port
}

/// Frontend messages: a length and a body, after the first one with a byte that says what it is before them. Source:
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html>.
fn forward(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let mut kind = Vec::new();
    loop {
        from.read_exact(&mut kind)?;
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() - 4];
        from.read_exact(&mut body)?;
        if kind == b"Q" && String::from_utf8_lossy(&body).contains("SCRAM-SHA-256$") {
            let end = body.len() - 1;
            body[..end].fill(b' ');
            body[..10].copy_from_slice(b"SELECT 1/0");
        }
        to.write_all(&[kind.as_slice(), &length, &body].concat())?;
        kind = vec![0];
    }
}

#[tokio::test]
async fn a_server_that_refuses_verifiers_gets_the_password_where_that_is_allowed() {
    let shop = Shop::start().await;
    shop.sql(
        "app",
        "CREATE ROLE \"50%\" LOGIN PASSWORD 'old-password'; CREATE ROLE maker LOGIN CREATEROLE PASSWORD 'maker-password'",
    )
    .await;
    fs::write(shop.folder.path().join("maker"), "maker-password").unwrap();
    let port = refusing_verifiers(shop.server.port());
    let through = |admin: &str, file: &str, plaintext: bool| {
        let url = format!("postgres://{admin}@127.0.0.1:{port}/app?sslmode=disable");
        let admin = json!({"url": url, "password": {"file": shop.folder.path().join(file)}});
        issuer(json!({"admin": admin, "role": "50%", "plaintext": plaintext}))
    };
    let old = credential("50%", "old-password");
    let strict = through("keytrail", "admin", false);
    let chosen = strict.choose(Some(&old)).unwrap().unwrap();
    let refused = strict.set(&context(), Some(&old), Some(&chosen)).await.unwrap_err();
    assert_eq!(refused.outcome, Outcome::NotDone);

    // All statements are logged here, which this admin may not turn off.
    let told = through("maker", "maker", true).set(&context(), Some(&old), Some(&chosen)).await.unwrap_err();
    assert!(told.what.contains("its log would hold the password"), "{told}");
    assert_eq!(check(&*strict, &old).await, Answer::Works);

    let given = through("keytrail", "admin", true).set(&context(), Some(&old), Some(&chosen)).await.unwrap();
    assert_eq!((check(&*strict, &given).await, check(&*strict, &old).await), (Answer::Works, Answer::Rejected));
    assert_ne!(part(&given, "verifier"), part(&chosen, "verifier"));
    assert!(shop.kept("50%").await.ends_with(part(&given, "verifier")), "the server's own verifier is known");
    let log = shop.server.log();
    assert!(log.contains("division by zero") && !log.contains(part(&given, "value")), "{log}");
}
