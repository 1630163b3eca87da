//! keepalived as a peer: its config, and how it is started, stopped and killed.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vipd::lab::{Host, Mac, Process};
use vipd::vrrp::Cidr;

use super::peer::{PATIENCE, Peer, holds, wait_for_line};
use super::terms::{Checksum, Side, Terms, Transport, VRID, Version};

pub(crate) struct Keepalived {
    host: Host,
    dir: PathBuf,
    terms: Terms,
    process: Option<Process>,
}

impl Keepalived {
    /// Sets it up on `host` to compete with the router on `other`; it does not run yet.
    pub(crate) fn install(host: &Host, dir: &Path, other: IpAddr, terms: Terms, side: Side) -> Self {
        fs::create_dir_all(dir).expect("a directory");
        fs::write(dir.join("keepalived.conf"), config(host.address().into(), other, terms, side))
            .expect("written");
        if terms.vmac {
            // It sets arp_ignore itself, and leaves it to the operator that eth0 does not ask in the address's name.
            let set = || fs::write("/proc/sys/net/ipv4/conf/eth0/arp_announce", "2");
            host.run(set).expect("inside").expect("a sysctl");
        }
        Self { host: host.clone(), dir: dir.to_owned(), terms, process: None }
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it was started")
    }
}

impl Peer for Keepalived {
    fn objections(&self) -> Option<String> {
        let log = self.dir.join("objections");
        let mut command = Command::new("keepalived");
        command.arg(format!("--config-test={}", log.display()));
        command.arg("--use-file").arg(self.dir.join("keepalived.conf"));
        let status =
            self.host.run(|| command.status()).expect("inside").expect("keepalived: is it installed?");
        let words = || format!("{status}: {}", fs::read_to_string(log).unwrap_or_default());
        (!status.success()).then(words)
    }

    fn start(&mut self) {
        // What a killed one left behind.
        for file in ["keepalived.pid", "vrrp.pid", "keepalived.log"] {
            let _absent = fs::remove_file(self.dir.join(file));
        }
        let mut command = Command::new("keepalived");
        command.args(["--dont-fork", "--log-console", "--log-detail", "--vrrp"]);
        command.arg("--use-file").arg(self.dir.join("keepalived.conf"));
        command.arg("--pid").arg(self.dir.join("keepalived.pid"));
        command.arg("--vrrp_pid").arg(self.dir.join("vrrp.pid"));
        let log = self.dir.join("keepalived.log");
        let mut process =
            Process::start(&self.host, &mut command, &log).expect("keepalived: is it installed?");
        wait_for_line(&mut process, "Entering BACKUP STATE");
        self.process = Some(process);
    }

    fn terminate(&mut self) {
        self.process().signal(Signal::SIGTERM).expect("signalled");
        let ended = self.process().wait(PATIENCE).expect("waited");
        assert!(ended.is_some(), "keepalived still runs {PATIENCE:?} after SIGTERM\n{}", self.explain());
    }

    /// The parent is stopped first: it would start another child, and its own death would end the child in order.
    fn kill(&mut self) {
        let child = fs::read_to_string(self.dir.join("vrrp.pid")).expect("the child's process id");
        let child = child.trim().parse().expect("a process id");
        self.process().signal(Signal::SIGSTOP).expect("stopped");
        kill(Pid::from_raw(child), Signal::SIGKILL).expect("killed");
        self.process().kill().expect("killed");
    }

    fn release(&self) {
        if self.terms.vmac {
            let mut command = Command::new("ip");
            command.args(["link", "delete", "vrrp.51"]);
            let deleted = self.host.run(|| command.status()).expect("inside").expect("ip");
            assert!(deleted.success(), "it was left there");
            return;
        }
        for address in self.terms.version.addresses() {
            self.host.delete_address(*address).expect("it was left there");
        }
    }

    fn holds(&self) -> bool {
        holds(&self.host, self.terms.version.vip())
    }

    fn mac(&self) -> Mac {
        if self.terms.vmac { self.terms.virtual_mac() } else { self.host.mac() }
    }

    fn explain(&self) -> String {
        let log = self.process.as_ref().map(|process| process.log_tail(40)).unwrap_or_default();
        format!("the end of keepalived's log:\n{log}")
    }
}

fn config(own: IpAddr, other: IpAddr, terms: Terms, side: Side) -> String {
    let (version, password) = match terms.version {
        Version::V3 | Version::V3Ipv6 => (3, None),
        Version::V2 { password } => (2, password),
    };
    let addresses: Vec<_> = terms.version.addresses().iter().map(Cidr::to_string).collect();
    let mut lines = vec!["global_defs {".to_owned(), format!("vrrp_version {version}")];
    lines.extend((terms.checksum == Checksum::Message).then(|| "v3_checksum_as_v2".to_owned()));
    lines.extend(["}", "vrrp_instance web {", "state BACKUP", "interface eth0"].map(str::to_owned));
    lines.extend(terms.vmac.then(|| "use_vmac vrrp.51".to_owned()));
    lines.push(format!("virtual_router_id {VRID}"));
    lines.push(format!("priority {}", side.priority));
    lines.push(format!("advert_int {}", side.interval.as_secs_f64()));
    lines.extend((!side.preempt).then(|| "nopreempt".to_owned()));
    if terms.transport == Transport::Unicast {
        lines.push(format!("unicast_src_ip {own}"));
        lines.push(format!("unicast_peer {{\n{other}\n}}"));
    }
    if let Some(password) = password {
        lines.push(format!("authentication {{\nauth_type PASS\nauth_pass {password}\n}}"));
    }
    lines.push(format!("virtual_ipaddress {{\n{}\n}}", addresses.join("\n")));
    lines.push("}\n".to_owned());
    lines.join("\n")
}
