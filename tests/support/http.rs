//! Servers that misbehave: a hand-written HTTP server, and a proxy that holds requests back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, watch};
use tokio::task::JoinHandle;

/// What a [`Server`] does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Status, further header lines, body.
    Full(u16, &'static str, String),
    /// Headers of a JSON answer, and then nothing.
    Hang,
    /// A JSON answer that never ends.
    Endless,
    /// The connection is closed.
    Close,
    /// A reply that waits until others are under way too.
    Together(Arc<Meeting>, Box<Reply>),
}

/// Where replies wait for each other.
#[derive(Debug)]
pub(crate) struct Meeting {
    barrier: Barrier,
    here: AtomicUsize,
    /// The most that were ever there.
    pub(crate) most: AtomicUsize,
}

impl Meeting {
    /// A meeting that goes on whenever that many are there.
    pub(crate) fn of(count: usize) -> Arc<Self> {
        Arc::new(Self { barrier: Barrier::new(count), here: AtomicUsize::new(0), most: AtomicUsize::new(0) })
    }

    async fn join(&self) {
        let here = self.here.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(here, Ordering::SeqCst);
        self.barrier.wait().await;
        self.here.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Reply {
    pub(crate) fn json(body: &str) -> Self {
        Self::Full(200, "Content-Type: application/json\r\n", body.to_owned())
    }
}

/// A server on a free port of 127.0.0.1. It stops when it is dropped.
pub(crate) struct Server {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `reply` of the target (`/v1/sys/health?x=y`) of each request.
    pub(crate) async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (reply, seen) = (Arc::new(reply), requests.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, reply.clone(), seen.clone()));
            }
        });
        Self { address, requests, task }
    }

    /// The heads of all requests, as they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    reply: Arc<impl Fn(&str) -> Reply + Send + Sync + 'static>,
    requests: Arc<Mutex<Vec<String>>>,
) {
    while let Some(head) = head(&mut stream).await {
        let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
        requests.lock().unwrap_or_else(PoisonError::into_inner).push(head);
        let mut answer = reply(&target);
        if let Reply::Together(meeting, then) = answer {
            meeting.join().await;
            answer = *then;
        }
        let sent = match answer {
            Reply::Full(status, headers, body) => {
                let length = body.len();
                let head = format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\n\r\n");
                stream.write_all(format!("{head}{body}").as_bytes()).await
            }
            Reply::Hang => {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
                let _ = stream.write_all(head.as_bytes()).await;
                // Until the client gives up.
                let _ = stream.read(&mut [0; 1]).await;
                return;
            }
            Reply::Endless => {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"data\":\"";
                let mut sent = stream.write_all(head.as_bytes()).await;
                while sent.is_ok() {
                    sent = stream.write_all(&[b'x'; 64 * 1024]).await;
                }
                return;
            }
            Reply::Close | Reply::Together(..) => return,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// The next request up to its empty line. Bodies are only those that come with it.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8192];
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A proxy before a server that lets so many requests for a path through, and holds the next until it is told.
pub(crate) struct Gate {
    pub(crate) address: String,
    held: watch::Receiver<bool>,
    open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Gate {
    /// A gate before `server` (`http://…`) that closes after `free` requests that have `needle` in their head.
    pub(crate) async fn before(server: &str, needle: &'static str, free: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let server = server.trim_start_matches("http://").to_owned();
        let (open, opened) = watch::channel(false);
        let (hold, held) = watch::channel(false);
        let passed = Arc::new(Mutex::new(0_usize));
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect(&server).await.expect("the server");
                let (passed, hold, mut opened) = (passed.clone(), hold.clone(), opened.clone());
                tokio::spawn(async move {
                    let (mut from_client, mut to_client) = client.split();
                    let (mut from_server, mut to_server) = server.split();
                    let requests = async {
                        let mut chunk = [0; 8192];
                        while let Ok(count @ 1..) = from_client.read(&mut chunk).await {
                            let matches = String::from_utf8_lossy(&chunk[..count]).contains(needle);
                            let is_free = !matches || {
                                let mut passed = passed.lock().unwrap_or_else(PoisonError::into_inner);
                                *passed += 1;
                                *passed <= free
                            };
                            if !is_free {
                                let _ = hold.send(true);
                                let _ = opened.wait_for(|open| *open).await;
                            }
                            if to_server.write_all(&chunk[..count]).await.is_err() {
                                break;
                            }
                        }
                    };
                    let answers = tokio::io::copy(&mut from_server, &mut to_client);
                    tokio::select! { () = requests => {}, _ = answers => {} }
                });
            }
        });
        Self { address, held, open, task }
    }

    /// Waits until a request is held.
    pub(crate) async fn closed(&mut self) {
        self.held.wait_for(|held| *held).await.expect("a request reaches the gate");
    }

    /// Lets everything through.
    pub(crate) fn open(&self) {
        let _ = self.open.send(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}
