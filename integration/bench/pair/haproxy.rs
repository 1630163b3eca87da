//! HAProxy with the frontends, servers and checks of the lab's config.

use std::path::{Path, PathBuf};
use std::process::Command;

use vipd::lab::{Error, Lab, Process};

pub(super) struct HaProxy {
    process: Process,
    host: &'static str,
    dir: PathBuf,
}

impl HaProxy {
    pub(super) fn start(lab: &Lab, host: &'static str, dir: &Path) -> Result<Self, Error> {
        let made =
            std::fs::create_dir_all(dir).and_then(|()| std::fs::write(dir.join("haproxy.cfg"), config()));
        made.map_err(|error| Error::new(format!("writing {}: {error}", dir.display())))?;
        Ok(Self { process: start(lab, host, dir)?, host, dir: dir.to_owned() })
    }

    pub(super) fn kill(&mut self) -> Result<(), Error> {
        self.process.kill().map(drop)
    }

    pub(super) fn explain(&self) -> String {
        format!("{}:\n{}", self.process.name(), self.process.log_tail(10))
    }

    /// Starts it again if it does not run.
    pub(super) fn revive(&mut self, lab: &Lab) -> Result<(), Error> {
        if !self.process.is_running() {
            self.process = start(lab, self.host, &self.dir)?;
        }
        Ok(())
    }
}

/// In the foreground it writes no pid file: the bench does, for keepalived's script.
fn start(lab: &Lab, host: &str, dir: &Path) -> Result<Process, Error> {
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(dir.join("haproxy.cfg"));
    let process = Process::start(lab.host(host), &mut command, &dir.join("haproxy.log"))?;
    let pid = dir.join("haproxy.pid");
    let written = std::fs::write(&pid, format!("{}\n", process.pid()));
    written.map_err(|error| Error::new(format!("writing {}: {error}", pid.display())))?;
    Ok(process)
}

fn config() -> String {
    let servers = |port: u16| -> String {
        (1..=3)
            .map(|n| format!("  server app{n} 10.77.0.1{n}:{port} check inter 200ms rise 2 fall 2\n"))
            .collect()
    };
    let pool = |name: &str, port: u16| {
        let servers = servers(port);
        format!("backend {name}\n  balance roundrobin\n  option httpchk GET /health\n{servers}")
    };
    format!(
        "global\n  maxconn 4000\n\
         defaults\n  mode http\n  timeout connect 1s\n  timeout client 60s\n  timeout server 30s\n  timeout check 200ms\n  \
         option redispatch\n\
         frontend web\n  bind :3000\n  default_backend web\n\
         frontend api\n  bind :5000\n  default_backend api\n\
         {}{}",
        pool("web", 8080),
        pool("api", 8081)
    )
}
