//! The application servers behind the pair: real Nginx where it is installed, otherwise [`super::builtin`].
//!
//! Both answer the same: port 8080 is the web site (`hello from app1 (web)`), port 8081 the API
//! (`{"server":"app1"}`), `/health` on both says `{"status":"healthy","server":"app1"}`; every answer carries
//! `X-Server: app1`.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use super::builtin::Builtin;
use super::{Error, Host, Lab, Process};

/// The port of the web site.
pub(super) const WEB: u16 = 8080;
/// The port of the API.
pub(super) const API: u16 = 8081;

/// Which program plays the application server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// The Nginx at this path.
    Nginx(PathBuf),
    /// A small server inside this process.
    Builtin,
}

impl Flavour {
    /// Nginx where `$PATH` or the usual `sbin` directories have it, otherwise the built-in server.
    pub fn found() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let usual = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
        let mut candidates = std::env::split_paths(&path).chain(usual).map(|dir| dir.join("nginx"));
        candidates.find(|candidate| candidate.is_file()).map_or(Self::Builtin, Self::Nginx)
    }
}

/// An application server on a host. Dropping it stops it.
#[derive(Debug)]
pub struct AppServer {
    host: Host,
    dir: PathBuf,
    flavour: Flavour,
    running: Option<Running>,
}

#[derive(Debug)]
enum Running {
    Nginx(Process),
    Builtin(Builtin),
}

/// How long a server may take to accept its first connection.
const START: Duration = Duration::from_secs(10);

impl AppServer {
    /// Starts the application server of `host` and waits until it accepts connections.
    ///
    /// # Errors
    /// When it cannot be started or does not accept; with the end of its log.
    pub fn start(lab: &Lab, host: &str, flavour: &Flavour) -> Result<Self, Error> {
        let host = lab.host(host).clone();
        let dir = lab.dir().join(host.name());
        std::fs::create_dir_all(&dir).map_err(Error::at(format_args!("creating {}", dir.display())))?;
        let mut server = Self { host, dir, flavour: flavour.clone(), running: None };
        server.restart()?;
        Ok(server)
    }

    /// What plays it.
    pub const fn flavour(&self) -> &Flavour {
        &self.flavour
    }

    /// The name of its host, which is in its answers.
    pub fn name(&self) -> &str {
        self.host.name()
    }

    /// Kills it (SIGKILL): connections break, new ones are refused.
    pub fn kill(&mut self) {
        match self.running.take() {
            Some(Running::Nginx(process)) => drop(process),
            Some(Running::Builtin(server)) => drop(server),
            None => {}
        }
    }

    /// Starts it again, killed before or not, and waits until it accepts connections.
    ///
    /// # Errors
    /// As [`AppServer::start`].
    pub fn restart(&mut self) -> Result<(), Error> {
        self.kill();
        self.running = Some(match &self.flavour {
            Flavour::Nginx(program) => Running::Nginx(start_nginx(program, &self.host, &self.dir)?),
            Flavour::Builtin => Running::Builtin(Builtin::start(&self.host)?),
        });
        self.wait_until_open()
    }

    /// Freezes it (SIGSTOP) or lets it run on (SIGCONT): connections are accepted by the kernel and not answered.
    ///
    /// # Errors
    /// When it is not running, or is the built-in server, which has no process of its own.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        match &self.running {
            Some(Running::Nginx(process)) => process.signal(signal),
            Some(Running::Builtin(_)) | None => {
                Err(Error::new(format!("{} has no process to send {signal} to", self.host.name())))
            }
        }
    }

    /// A server opens its ports without telling anyone: ask until both accept.
    fn wait_until_open(&self) -> Result<(), Error> {
        let deadline = Instant::now() + START;
        let ports = [WEB, API].map(|port| SocketAddr::from((self.host.address(), port)));
        let open = self.host.run(|| {
            ports.iter().all(|port| {
                loop {
                    if TcpStream::connect_timeout(port, START).is_ok() {
                        return true;
                    }
                    if Instant::now() > deadline {
                        return false;
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            })
        })?;
        match &self.running {
            _ if open => Ok(()),
            Some(Running::Nginx(process)) => {
                let log = process.log_tail(10);
                Err(Error::new(format!("{} does not accept connections:\n{log}", process.name())))
            }
            Some(Running::Builtin(_)) | None => {
                Err(Error::new(format!("{} does not accept connections", self.host.name())))
            }
        }
    }
}

/// One process (`master_process off`), so that killing it leaves no worker behind; it writes nothing outside `dir`.
/// `user root` keeps it from handing its directories to a user that a user namespace does not know.
fn start_nginx(program: &Path, host: &Host, dir: &Path) -> Result<Process, Error> {
    let config = dir.join("nginx.conf");
    std::fs::write(&config, nginx_config(host.name(), dir))
        .map_err(Error::at(format_args!("writing {}", config.display())))?;
    let mut command = Command::new(program);
    command.arg("-p").arg(dir).arg("-c").arg(&config);
    Process::start(host, &mut command, &dir.join("nginx.log"))
}

fn nginx_config(name: &str, dir: &Path) -> String {
    let dir = dir.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {dir}/{kind};\n"))
        .concat();
    let health =
        format!(r#"location = /health {{ return 200 '{{"status":"healthy","server":"{name}"}}\n'; }}"#);
    format!(
        r#"user root;
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000;
{temporary}  add_header X-Server {name} always;
  server {{
    listen {WEB} backlog=4096;
    default_type text/plain;
    {health}
    location / {{ return 200 'hello from {name} (web)\n'; }}
  }}
  server {{
    listen {API} backlog=4096;
    default_type application/json;
    {health}
    location / {{ return 200 '{{"server":"{name}"}}\n'; }}
  }}
}}
"#
    )
}
