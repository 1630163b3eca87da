//! keepalived beside HAProxy, as they are set up together: version 3, a script that looks for HAProxy once a second,
//! and one delayed repetition of the gratuitous ARPs after a second.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use vipd::lab::{Error, Lab, Process};

use super::haproxy::HaProxy;

pub(crate) struct Pair {
    lb1: Side,
    lb2: Side,
}

/// One of the two hosts.
struct Side {
    keepalived: Process,
    haproxy: HaProxy,
    host: &'static str,
    dir: PathBuf,
}

/// How long keepalived may take to end after SIGTERM.
const END: Duration = Duration::from_secs(20);

impl Pair {
    pub(super) fn start(lab: &Lab, interval: Duration) -> Result<Self, Error> {
        Ok(Self {
            lb1: Side::start(lab, "lb1", 200, interval)?,
            lb2: Side::start(lab, "lb2", 100, interval)?,
        })
    }

    pub(super) fn explain(&self) -> String {
        format!("{}\n{}", self.lb1.explain(), self.lb2.explain())
    }

    pub(super) fn speakers(&self) -> Result<[Vec<u32>; 2], Error> {
        Ok([self.lb1.speakers()?, self.lb2.speakers()?])
    }

    pub(super) fn terminate(&mut self) -> Result<(), Error> {
        self.lb1.keepalived.signal(Signal::SIGTERM)?;
        let ended = self.lb1.keepalived.wait(END)?;
        ended.map(drop).ok_or_else(|| Error::new(format!("keepalived still runs {END:?} after SIGTERM")))
    }

    pub(super) fn kill_proxy(&mut self) -> Result<(), Error> {
        self.lb1.haproxy.kill()
    }

    pub(super) fn revive(&mut self, lab: &Lab) -> Result<(), Error> {
        self.lb1.haproxy.revive(lab)?;
        if !self.lb1.keepalived.is_running() {
            self.lb1.keepalived = start_keepalived(lab, self.lb1.host, &self.lb1.dir)?;
        }
        Ok(())
    }
}

impl Side {
    /// keepalived and its child that does the work.
    fn speakers(&self) -> Result<Vec<u32>, Error> {
        let file = self.dir.join("vrrp.pid");
        let unreadable = || Error::new(format!("{} has no process id", file.display()));
        let child = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
        Ok(vec![self.keepalived.pid(), child.ok_or_else(unreadable)?])
    }

    fn explain(&self) -> String {
        let keepalived = &self.keepalived;
        format!("{}:\n{}\n{}", keepalived.name(), keepalived.log_tail(20), self.haproxy.explain())
    }

    fn start(lab: &Lab, host: &'static str, priority: u32, interval: Duration) -> Result<Self, Error> {
        let dir = lab.dir().join(host);
        let haproxy = HaProxy::start(lab, host, &dir)?;
        let config = config(priority, interval, &dir);
        let written = std::fs::write(dir.join("keepalived.conf"), config);
        written.map_err(|error| Error::new(format!("writing {}: {error}", dir.display())))?;
        Ok(Self { keepalived: start_keepalived(lab, host, &dir)?, haproxy, host, dir })
    }
}

fn start_keepalived(lab: &Lab, host: &str, dir: &Path) -> Result<Process, Error> {
    let mut command = Command::new("keepalived");
    command.args(["--dont-fork", "--log-console", "--vrrp"]);
    command.arg("--use-file").arg(dir.join("keepalived.conf"));
    command.arg("--pid").arg(dir.join("keepalived.pid")).arg("--vrrp_pid").arg(dir.join("vrrp.pid"));
    Process::start(lab.host(host), &mut command, &dir.join("keepalived.log"))
}

fn config(priority: u32, interval: Duration, dir: &Path) -> String {
    let seconds = interval.as_secs_f64();
    let dir = dir.display();
    format!(
        r#"global_defs {{
  vrrp_version 3
  vrrp_garp_master_delay 1
  enable_script_security
  script_user root
}}
vrrp_script haproxy {{
  script "/usr/bin/pgrep -F {dir}/haproxy.pid"
  interval 1
}}
vrrp_instance web {{
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority {priority}
  advert_int {seconds}
  virtual_ipaddress {{
    10.77.0.100/24
  }}
  track_script {{
    haproxy
  }}
}}
"#
    )
}
