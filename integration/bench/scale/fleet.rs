//! The two contenders with many routers each, on the hosts lb1 (priority 200) and lb2 (priority 100).

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use vipd::lab::{Error, Lab, Node, Process, Setup};

/// Which contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Vipd,
    Keepalived,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Vipd => "vipd",
            Self::Keepalived => "keepalived",
        })
    }
}

/// What runs on one host.
pub(crate) enum Speaker {
    Vipd(Node),
    Keepalived { process: Process, dir: PathBuf },
}

impl Speaker {
    /// Starts it with `routers` routers that advertise every `interval`.
    pub(crate) fn start(
        kind: Kind,
        lab: &Lab,
        host: &str,
        routers: u8,
        interval: Duration,
    ) -> Result<Self, Error> {
        match kind {
            Kind::Vipd => start_vipd(lab, host, routers, interval),
            Kind::Keepalived => start_keepalived(lab, host, routers, interval),
        }
    }

    /// Its processes.
    pub(crate) fn pids(&self) -> Result<Vec<u32>, Error> {
        match self {
            Self::Vipd(node) => Ok(vec![node.pid()]),
            Self::Keepalived { process, dir } => {
                let file = dir.join("vrrp.pid");
                let child = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
                let unreadable = || Error::new(format!("{} has no process id", file.display()));
                Ok(vec![process.pid(), child.ok_or_else(unreadable)?])
            }
        }
    }

    /// The end of its log.
    pub(crate) fn explain(&self) -> String {
        match self {
            Self::Vipd(node) => node.explain(),
            Self::Keepalived { process, .. } => format!("{}:\n{}", process.name(), process.log_tail(20)),
        }
    }
}

fn write(file: &Path, text: String) -> Result<(), Error> {
    let dir = file.parent().map_or(Ok(()), fs::create_dir_all);
    let written = dir.and_then(|()| fs::write(file, text));
    written.map_err(|error| Error::new(format!("writing {}: {error}", file.display())))
}

fn start_vipd(lab: &Lab, host: &str, routers: u8, interval: Duration) -> Result<Speaker, Error> {
    let config = lab.dir().join("vipd.toml");
    let mut text = String::from(
        "[[node]]\nname = \"lb1\"\naddress = \"10.77.0.1\"\npriority = 200\n\
         [[node]]\nname = \"lb2\"\naddress = \"10.77.0.2\"\npriority = 100\n",
    );
    for vrid in 1..=routers {
        let addresses: Vec<_> = (1..=4).map(|last| format!("\"10.78.{vrid}.{last}/32\"")).collect();
        let addresses = addresses.join(", ");
        text += &format!(
            "[[vrrp]]\nname = \"r{vrid}\"\ninterface = \"eth0\"\nvrid = {vrid}\nadvert_interval = \"{}ms\"\nhold_down = \"0s\"\n\
             addresses = [{addresses}]\n",
            interval.as_millis()
        );
    }
    write(&config, text)?;
    let setup = Setup { binary: PathBuf::from(env!("CARGO_BIN_EXE_vipd")), config };
    Node::start(lab, host, &setup).map(Speaker::Vipd)
}

fn start_keepalived(lab: &Lab, host: &str, routers: u8, interval: Duration) -> Result<Speaker, Error> {
    let dir = lab.dir().join(host);
    let priority = if host == "lb1" { 200 } else { 100 };
    let mut text = String::from(
        "global_defs {\n vrrp_version 3\n vrrp_garp_master_delay 1\n vrrp_garp_master_repeat 1\n}\n",
    );
    for vrid in 1..=routers {
        let addresses: String = (1..=4).map(|last| format!("  10.78.{vrid}.{last}/32\n")).collect();
        text += &format!(
            "vrrp_instance r{vrid} {{\n state BACKUP\n interface eth0\n virtual_router_id {vrid}\n \
             priority {priority}\n advert_int {}\n virtual_ipaddress {{\n{addresses} }}\n}}\n",
            interval.as_secs_f64()
        );
    }
    write(&dir.join("keepalived.conf"), text)?;
    let mut command = Command::new("keepalived");
    command.args(["--dont-fork", "--log-console", "--vrrp"]);
    command.arg("--use-file").arg(dir.join("keepalived.conf"));
    command.arg("--pid").arg(dir.join("keepalived.pid")).arg("--vrrp_pid").arg(dir.join("vrrp.pid"));
    let process = Process::start(lab.host(host), &mut command, &dir.join("keepalived.log"))?;
    Ok(Speaker::Keepalived { process, dir })
}
