//! HAProxy and Nginx, as Debian ships them, in front of a recording server.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, process, thread};

/// How long all three wait for a client; every connection of a test ends by this.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// A proxy that does not outlive the test.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    child: Child,
    home: PathBuf,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // SIGTERM, so that a master takes its workers along.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.home);
    }
}

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
        let home = home.display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {home}/{kind};\n"))
            .concat();
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

fn start(name: &str, config: impl Fn(SocketAddr, &Path) -> String) -> Peer {
    let home = env::temp_dir().join(format!("vipd-differential-{}-{name}", process::id()));
    fs::create_dir_all(&home).expect("a directory for configs");
    let address = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port");
    let file = home.join("config");
    fs::write(&file, config(address, &home)).expect("a config");
    let mut command = Command::new(name);
    match name {
        "nginx" => command.args(["-e", "stderr", "-c"]),
        _ => command.args(["-db", "-f"]),
    };
    let output = fs::File::create(home.join("output")).expect("a file");
    let child = command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).spawn();
    let child = child.unwrap_or_else(|error| panic!("{name} cannot be started: {error}: is it installed?"));
    let peer = Peer { address, child, home };
    for _ in 0..500 {
        if TcpStream::connect(address).is_ok() {
            return peer;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let output = fs::read_to_string(peer.home.join("output")).unwrap_or_default();
    panic!("{name} does not listen on {address}: {output}");
}
