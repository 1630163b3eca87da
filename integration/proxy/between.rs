//! The PROXY protocol between us and HAProxy and Nginx, as Debian ships them, each as sender or receiver.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};
use vipd::config::{Frontend, Mode, Network};
use vipd::pool::{Rule, SendProxy, Snapshot};

use super::peer::{Peer, start, temporary};
use super::rig::{LAST, Wire, field, limits, pool, rig_of, site, web};

fn haproxy(sections: impl Fn(SocketAddr) -> String) -> Peer {
    start("haproxy", |address, _| {
        let defaults = "timeout connect 5s\n timeout client 20s\n timeout server 20s\n";
        format!("global\n maxconn 100\n nbthread 1\ndefaults\n mode http\n {defaults}{}", sections(address))
    })
}

fn nginx(server: impl Fn(SocketAddr) -> String) -> Peer {
    start("nginx", |address, home| {
        let temporary = temporary(home);
        format!(
            "user root; daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log;\n\
             events {{ worker_connections 100; }}\n\
             http {{ access_log off; {temporary} server {{ {} }} }}\n",
            server(address)
        )
    })
}

/// A client whose address no proxy here has.
fn from_afar(to: SocketAddr) -> Wire {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("sockets");
    socket.bind(&SocketAddr::from(([127, 0, 0, 9], 0)).into()).expect("all of 127/8 is here");
    socket.connect(&to.into()).expect("someone listens");
    Wire::new(socket.into())
}

#[test]
fn haproxy_tells_us() {
    let app = site("app");
    for mode in [Mode::Http, Mode::Tcp] {
        for send in ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"] {
            let haproxys = Network::new([127, 0, 0, 1].into(), 32).expect("one address");
            let front =
                Frontend { mode, defer_accept: mode == Mode::Http, accept_proxy: vec![haproxys], ..web() };
            // In TCP mode the application server would not hear of the client but for a header to it.
            let told = (mode == Mode::Tcp).then(|| {
                haproxy(|at| {
                    let answer = "http-request return status 200 hdr X-Forwarded-For %[src]";
                    format!("frontend app\n bind {at} accept-proxy\n {answer}\n")
                })
            });
            let server = told.as_ref().map_or(app.address, |told| told.address);
            let rule = Rule { send_proxy: told.as_ref().map(|_| SendProxy::V2), ..Rule::default() };
            let rig = rig_of(Snapshot::new([pool(&[(server, 1)], rule)]), front, limits(), 1);
            let peer = haproxy(|at| {
                let server = format!("server app1 {} {send} check inter 50ms check-send-proxy", rig.address);
                format!(
                    "frontend web\n bind {at}\n unique-id-format %rt\n default_backend app\nbackend app\n {server}\n"
                )
            });
            let mut client = from_afar(peer.address);
            client.say(LAST);
            let said = client.rest();
            assert!(said.starts_with("HTTP/1.1 200 "), "{mode:?} {send}: {said}");
            assert_eq!(field(&said, "x-forwarded-for"), Some("127.0.0.9"), "{mode:?} {send}: {said}");
            assert_eq!(rig.frontend().errors, 0, "its checks are no mistakes");
        }
    }
}

#[test]
fn haproxy_and_nginx_are_told_by_us() {
    for mode in [Mode::Http, Mode::Tcp] {
        for version in [SendProxy::V1, SendProxy::V2] {
            let receivers = [
                haproxy(|at| {
                    let answer = "http-request return status 200 content-type text/plain lf-string";
                    let what = "\"client %[src]:%[src_port] to %[dst]:%[dst_port]\"";
                    format!("frontend app\n bind {at} accept-proxy\n {answer} {what}\n")
                }),
                nginx(|at| {
                    let from = "$proxy_protocol_addr:$proxy_protocol_port";
                    let to = "$proxy_protocol_server_addr:$proxy_protocol_server_port";
                    format!(
                        "listen {at} proxy_protocol; location / {{ return 200 \"client {from} to {to}\"; }}"
                    )
                }),
            ];
            for receiver in &receivers {
                let rule = Rule { send_proxy: Some(version), ..Rule::default() };
                let frontend = Frontend { mode, defer_accept: false, ..web() };
                let servers = [(receiver.address, 1)];
                let rig = rig_of(Snapshot::new([pool(&servers, rule)]), frontend, limits(), 1);
                let mut client = from_afar(rig.address);
                let source = client.stream().local_addr().expect("it is connected");
                client.say(LAST);
                let said = client.rest();
                let expected = format!("client {source} to {}", rig.address);
                assert!(said.ends_with(&expected), "{mode:?} {version:?}: {said}, not {expected}");
            }
        }
    }
}
