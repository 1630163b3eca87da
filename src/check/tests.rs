//! The engine on real sockets: what it sends, and that it ends with its receiver.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use super::*;
use crate::config::CheckKind;

fn tcp(server: usize, address: SocketAddr) -> Target {
    let interval = Duration::from_millis(20);
    let check = Check { interval, timeout: interval, ..Check::new(CheckKind::Tcp) };
    Target { server: ServerId(server), name: "app1".into(), address, check, send_proxy: None }
}

#[test]
fn every_server_is_observed_again_and_again_until_nobody_listens() {
    Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async {
        let alive = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let gone = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let addresses = [&alive, &gone].map(|listener| listener.local_addr().expect("it is bound"));
        drop(gone);
        let (sender, mut seen) = mpsc::channel(1);
        let begun = clock::now();
        let engine = tokio::spawn(run(vec![tcp(7, addresses[0]), tcp(3, addresses[1])], sender));
        let mut counts = [0; 2];
        let mut last = begun;
        while counts[0] < 3 || counts[1] < 3 {
            let seen = seen.recv().await.expect("the engine runs");
            let (at, expected) = match seen.server {
                ServerId(7) => (0, Observation::Pass),
                ServerId(3) => (1, Observation::Fail),
                ServerId(other) => panic!("server {other} is not ours"),
            };
            assert_eq!(seen.observation, expected, "{}", seen.why);
            assert!(seen.started >= begun && seen.started <= clock::now());
            last = last.max(seen.started);
            counts[at] += 1;
        }
        assert!(last > begun);
        drop(seen);
        engine.await.expect("it ends in order");
    });
}

#[test]
fn a_server_that_wants_a_proxy_header_is_told_that_nobody_is_behind_a_check() {
    Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async {
        for version in [SendProxy::V1, SendProxy::V2] {
            let server = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
            let address = server.local_addr().expect("it is bound");
            let check = Check::new(CheckKind::Http(crate::config::HttpCheck::get("/health")));
            let target = Target { check, send_proxy: Some(version), ..tcp(0, address) };
            let (sender, seen) = mpsc::channel(1);
            let engine = tokio::spawn(run(vec![target], sender));
            let (mut stream, _) = server.accept().await.expect("a check");
            let expected = [version.nobody(), b"GET /health HTTP/1.1\r\n"].concat();
            let mut said = vec![0; expected.len()];
            stream.read_exact(&mut said).await.expect("the beginning of the check");
            assert_eq!(said, expected);
            drop((stream, seen));
            engine.await.expect("it ends in order");
        }
    });
}
