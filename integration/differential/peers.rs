//! HAProxy and Nginx, as Debian ships them, in front of a recording server.

use std::net::SocketAddr;
use std::time::Duration;

use crate::peer::{Peer, start, temporary};

/// How long all three wait for a client; every connection of a test ends by this.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) fn haproxy(server: SocketAddr) -> Peer {
    let seconds = TIMEOUT.as_secs();
    start("haproxy", |address, _| {
        format!(
            "global\n maxconn 4000\n nbthread 1\n\
             defaults\n mode http\n option forwardfor\n timeout connect 5s\n timeout client {seconds}s\n \
             timeout http-request {seconds}s\n timeout http-keep-alive {seconds}s\n timeout server 20s\n\
             frontend web\n bind {address}\n default_backend app\nbackend app\n server app1 {server}\n"
        )
    })
}

pub(crate) fn nginx(server: SocketAddr) -> Peer {
    let seconds = TIMEOUT.as_secs();
    start("nginx", |address, home| {
        let temporary = temporary(home);
        format!(
            "user root; daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log;\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; {temporary}\
             client_header_timeout {seconds}s; client_body_timeout {seconds}s; keepalive_timeout {seconds}s;\n\
             server {{ listen {address} backlog=4096;\n location / {{ proxy_pass http://{server}; \
             proxy_http_version 1.1; proxy_request_buffering off; proxy_set_header Connection \"\"; \
             proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr; }} }} }}\n"
        )
    })
}
