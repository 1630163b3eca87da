//! The client against an agent that the test plays.

use std::path::PathBuf;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixListener;
use tokio::runtime::Builder;
use tokio::task::JoinHandle;

use super::*;

/// A directory of the test's own, gone with it.
struct Dir(PathBuf);

impl Dir {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vipd-client-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary directory can be made");
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("agent.sock")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn within(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), test).await.expect("in time") });
}

fn report(connections: u64) -> Report {
    Report { connections, ..Report::default() }
}

fn client(socket: PathBuf) -> (watch::Sender<Report>, JoinHandle<()>) {
    let (sender, receiver) = watch::channel(report(1));
    let (maintenance, _) = watch::channel(Vec::new());
    (sender, tokio::spawn(async move { run(&socket, receiver, &maintenance).await }))
}

/// The next report on a connection, as its number of connections.
async fn next(stream: &mut BufReader<UnixStream>) -> u64 {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await.expect("the client speaks");
    let Request::Report(report) = frame::decode(&line).expect("a message of ours") else {
        panic!("the client only reports, but said {}", String::from_utf8_lossy(&line));
    };
    report.connections
}

async fn accept(listener: &UnixListener) -> BufReader<UnixStream> {
    BufReader::new(listener.accept().await.expect("the client connects").0)
}

#[test]
fn the_agent_hears_how_things_stand_and_then_every_change() {
    within(async {
        let dir = Dir::new("changes");
        let listener = UnixListener::bind(dir.socket()).expect("the directory is ours");
        let (reports, client) = client(dir.socket());
        let mut agent = accept(&listener).await;
        assert_eq!(next(&mut agent).await, 1);
        reports.send_replace(report(2));
        assert_eq!(next(&mut agent).await, 2);
        drop(reports);
        client.await.expect("it ends when nothing will be reported any more");
    });
}

#[test]
fn an_agent_that_comes_late_and_one_that_comes_back_hear_the_latest() {
    within(async {
        let dir = Dir::new("late");
        let (reports, _client) = client(dir.socket());
        tokio::task::yield_now().await;
        reports.send_replace(report(5));
        let listener = UnixListener::bind(dir.socket()).expect("the directory is ours");
        let mut agent = accept(&listener).await;
        assert_eq!(next(&mut agent).await, 5);
        drop((agent, listener));
        reports.send_replace(report(6));
        std::fs::remove_file(dir.socket()).expect("the socket is there");
        let listener = UnixListener::bind(dir.socket()).expect("the directory is ours");
        let mut agent = accept(&listener).await;
        assert_eq!(next(&mut agent).await, 6);
    });
}

#[test]
fn a_refusal_ends_the_connection_and_the_client_tries_again() {
    within(async {
        let dir = Dir::new("refused");
        let listener = UnixListener::bind(dir.socket()).expect("the directory is ours");
        let (_reports, _client) = client(dir.socket());
        let mut agent = accept(&listener).await;
        next(&mut agent).await;
        let refused = Reply::Refused { why: "pid 1 is not my proxy".into() };
        agent.get_mut().write_all(&frame::encode(&refused)).await.expect("the client listens");
        let mut rest = Vec::new();
        let _ = agent.read_to_end(&mut rest).await;
        assert_eq!(next(&mut accept(&listener).await).await, 1, "after a pause it is there again");
    });
}

#[test]
fn an_agent_that_does_not_read_gets_the_latest_report_only() {
    within(async {
        let dir = Dir::new("slow");
        let listener = UnixListener::bind(dir.socket()).expect("the directory is ours");
        let (reports, _client) = client(dir.socket());
        let mut agent = accept(&listener).await;
        for nth in 2..5_000 {
            let name = "x".repeat(1_000);
            reports.send_replace(Report {
                frontends: vec![crate::link::FrontendReport { name, ..Default::default() }],
                ..report(nth)
            });
            tokio::task::yield_now().await;
        }
        let mut heard = vec![next(&mut agent).await];
        while heard.last() != Some(&4_999) {
            heard.push(next(&mut agent).await);
        }
        assert!(heard.is_sorted(), "never an older one after a newer one");
        assert!(heard.len() < 4_000, "{} reports were kept for an agent that does not read", heard.len());
    });
}

#[test]
fn what_is_not_a_reply_ends_the_connection() {
    let (maintenance, said) = watch::channel(Vec::new());
    let mut done = b"{\"reply\":\"done\",\"message\":\"thanks\"}\n".to_vec();
    assert!(hear(Ok(1), &mut done, &maintenance).is_ok());
    let mut close = b"{\"reply\":\"close\",\"frontends\":[\"web\"]}\n".to_vec();
    assert!(hear(Ok(1), &mut close, &maintenance).is_ok());
    assert_eq!(*said.borrow(), ["web"]);
    let broken = |mut bytes: Vec<u8>| hear(Ok(1), &mut bytes, &maintenance).is_err();
    assert!(broken(b"GET / HTTP/1.1\n".to_vec()));
    assert!(broken(vec![b'x'; MAX_REPLY + 1]));
    assert!(hear(Ok(0), &mut Vec::new(), &maintenance).is_err());
}
