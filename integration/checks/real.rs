//! Servers out of Debian's packages, on the test's own address and in its own directory; they end with it.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::process::World;

pub(crate) const HTTP: u16 = 8080;
pub(crate) const HTTPS: u16 = 8443;
/// HTTP/2 in clear, by prior knowledge.
pub(crate) const H2: u16 = 8082;

/// The user that owns nothing, as Debian numbers it.
const NOBODY: u32 = 65_534;

/// A server's process.
struct Daemon(Child);

impl Daemon {
    /// Starts it and waits until it listens.
    fn start(command: &mut Command, address: Ipv4Addr, port: u16) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        while TcpStream::connect((address, port)).is_err() {
            let ended = child.try_wait().expect("it is ours");
            assert_eq!(ended, None, "{command:?} has ended");
            std::thread::yield_now();
        }
        Self(child)
    }

    fn signal(&self, signal: Signal) {
        let _gone = kill(Pid::from_raw(i32::try_from(self.0.id()).expect("a pid")), signal);
    }

    fn stop(&mut self, signal: Signal) {
        self.signal(signal);
        let _status = self.0.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both PostgreSQL and Nginx take their children with them.
        self.stop(Signal::SIGQUIT);
    }
}

/// Runs a command to its end, and says what is wrong with it when it fails.
fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// The same command, as nobody when we are root: some servers refuse to be root.
fn harmless(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/");
    command
}

/// A directory of nobody's.
fn directory(world: &World, name: &str) -> PathBuf {
    let dir = world.dir().join(name);
    fs::create_dir(&dir).expect("the world is ours");
    fs::set_permissions(&dir, Permissions::from_mode(0o700)).expect("it is ours");
    if geteuid().is_root() {
        chown(&dir, Some(NOBODY), Some(NOBODY)).expect("it is ours");
    }
    dir
}

/// Nginx with health pages in clear and by TLS.
pub(crate) struct Nginx {
    dir: PathBuf,
    _daemon: Daemon,
}

impl Nginx {
    pub(crate) fn start(world: &World) -> Self {
        let (dir, address) = (world.dir().to_owned(), world.address());
        let (key, certificate) = (dir.join("key.pem"), dir.join("certificate.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ]);
        openssl.args(["-subj", "/CN=app.example", "-addext", "subjectAltName=DNS:app.example"]);
        // A server does not take the certificate of an authority for that of a server.
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        run(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate));
        let config = dir.join("nginx.conf");
        fs::write(&config, nginx_config(&dir, address)).expect("the directory is ours");
        let mut nginx = Command::new("nginx");
        nginx.arg("-c").arg(&config).arg("-p").arg(&dir).args(["-e", "stderr"]);
        Self { dir, _daemon: Daemon::start(&mut nginx, address, HTTPS) }
    }

    /// A certificate that has signed itself.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.dir.join("certificate.pem")
    }

    /// A line a request: X-Probe, the number of the connection, that of the request on it.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("access.log")).expect("Nginx writes it")
    }
}

fn nginx_config(dir: &Path, address: Ipv4Addr) -> String {
    let dir = dir.display();
    format!(
        r#"
        daemon off;
        worker_processes 1;
        pid {dir}/nginx.pid;
        events {{ worker_connections 64; }}
        http {{
            log_format numbers '$http_x_probe $connection $connection_requests $server_protocol';
            access_log {dir}/access.log numbers;
            client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
            uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
            default_type application/json;
            server {{
                listen {address}:{HTTP};
                listen {address}:{H2} http2;
                listen {address}:{HTTPS} ssl http2;
                ssl_certificate {dir}/certificate.pem;
                ssl_certificate_key {dir}/key.pem;
                add_header X-Ready yes;
                location = /health {{ return 200 '{{"status":"healthy","server":"us-east"}}'; }}
                location = /sick {{ return 200 '{{"status":"overloaded","server":"us-east"}}'; }}
                location = /common {{
                    default_type application/octet-stream;
                    add_header Content-Type application/json;
                    return 200 '{{"status":"unhealthy","server":"us-east"}}';
                }}
                location / {{ return 404; }}
            }}
        }}
        "#
    )
}

/// A Redis server.
pub(crate) struct Redis {
    pub(crate) port: u16,
    address: Ipv4Addr,
    daemon: Daemon,
}

impl Redis {
    pub(crate) fn start(world: &World, port: u16, settings: &[&str]) -> Self {
        let address = world.address();
        let dir = directory(world, &format!("redis-{port}"));
        let mut redis = harmless("redis-server");
        redis.args([
            "--port",
            &port.to_string(),
            "--bind",
            &address.to_string(),
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        redis.args(["--repl-diskless-sync-delay", "0", "--dir"]).arg(dir).args(settings);
        Self { port, address, daemon: Daemon::start(&mut redis, address, port) }
    }

    /// Ends it.
    pub(crate) fn stop(&mut self) {
        self.daemon.stop(Signal::SIGKILL);
    }

    /// Gives it a command, which it carries out.
    pub(crate) fn say(&self, command: &str) {
        let stream = TcpStream::connect((self.address, self.port)).expect("it listens");
        (&stream).write_all(format!("{command}\r\n").as_bytes()).expect("it reads");
        let mut answer = String::new();
        BufReader::new(&stream).read_line(&mut answer).expect("it answers");
        assert_eq!(answer, "+OK\r\n");
    }
}

/// A PostgreSQL server that lets everybody in but the user `asked`, whom it asks for a password.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    address: Ipv4Addr,
    dir: PathBuf,
    daemon: Daemon,
}

impl Postgres {
    /// A server with a new, empty cluster.
    pub(crate) fn primary(world: &World, port: u16) -> Self {
        let dir = directory(world, "primary");
        run(harmless(program("initdb")).args(["-A", "trust", "-U", "postgres", "--no-sync", "-D"]).arg(&dir));
        let rules = "host all asked 127.0.0.0/8 scram-sha-256\nhost all all 127.0.0.0/8 trust\n\
                     host replication all 127.0.0.0/8 trust\n";
        fs::write(dir.join("pg_hba.conf"), rules).expect("the world is ours");
        Self::start(world, dir, port)
    }

    /// A server that follows this one.
    pub(crate) fn standby(&self, world: &World, port: u16) -> Self {
        let dir = directory(world, "standby");
        let mut backup = harmless(program("pg_basebackup"));
        backup.args(["-h", &self.address.to_string(), "-p", &self.port.to_string(), "-U", "postgres"]);
        run(backup.args(["-R", "-c", "fast", "--no-sync", "-D"]).arg(&dir));
        Self::start(world, dir, port)
    }

    fn start(world: &World, dir: PathBuf, port: u16) -> Self {
        let address = world.address();
        let mut postgres = harmless(program("postgres"));
        postgres.arg("-D").arg(&dir).args(["-p", &port.to_string(), "-k", "", "-c", "fsync=off", "-h"]);
        let daemon = Daemon::start(postgres.arg(address.to_string()), address, port);
        // It listens before it serves.
        let mut ready = Command::new(program("pg_isready"));
        ready.args(["-q", "-h", &address.to_string(), "-p", &port.to_string()]);
        while !ready.status().expect("it is in the same package").success() {
            std::thread::yield_now();
        }
        Self { port, address, dir, daemon }
    }

    /// Ends it, whoever is connected.
    pub(crate) fn stop(&mut self) {
        self.daemon.stop(Signal::SIGQUIT);
    }

    /// Makes a standby a primary.
    pub(crate) fn promote(&self) {
        run(harmless(program("pg_ctl")).arg("-D").arg(&self.dir).arg("promote"));
    }
}

/// A program of the newest PostgreSQL here: Debian keeps them out of $PATH.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("the package postgresql is installed");
    let versions = versions.map(|version| version.expect("a directory").path().join("bin").join(name));
    versions.filter(|path| path.exists()).max().expect("the package postgresql is installed")
}
