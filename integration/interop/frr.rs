//! FRR's vrrpd as a peer. It advertises from a macvlan with the virtual MAC address that somebody has made before,
//! with the address on it, and takes that link in and out of service ("protodown") through zebra. Both daemons have
//! their sockets in a directory of their own, so any number of them runs on one machine.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::{User, chown};
use vipd::lab::{Host, Mac, Process};
use vipd::vrrp::Cidr;

use super::peer::{PATIENCE, Peer, eventually, wait_for_line};
use super::terms::{Checksum, Side, Terms, VRID, Version};

pub(crate) struct Frr {
    host: Host,
    dir: PathBuf,
    terms: Terms,
    /// vrrpd, then zebra: whoever needs the other goes first.
    daemons: Option<[Process; 2]>,
}

/// The link with the virtual MAC address.
const MACVLAN: &str = "vrrp-51";

impl Frr {
    /// Sets it up on `host`; it does not run yet.
    pub(crate) fn install(host: &Host, dir: &Path, terms: Terms, side: Side) -> Self {
        fs::create_dir_all(dir).expect("a directory");
        fs::write(dir.join("zebra.conf"), "hostname zebra\n").expect("written");
        fs::write(dir.join("vrrpd.conf"), config(terms, side)).expect("written");
        // The daemons drop to a user of their own before they make their sockets.
        let user = User::from_name("frr").expect("users").expect("the user frr: is FRR installed?");
        chown(dir, Some(user.uid), Some(user.gid)).expect("root, and a user frr in its user namespace");
        let frr = Self { host: host.clone(), dir: dir.to_owned(), terms, daemons: None };
        frr.make_link();
        frr
    }

    /// The link that vrrpd looks for by its MAC address, out of service. eth0 must not speak of its address, or the
    /// network would learn the wrong card: not answer for it (arp_ignore), not name it when it asks (arp_announce).
    fn make_link(&self) {
        for (setting, value) in [("arp_ignore", "1"), ("arp_announce", "2")] {
            let set = || fs::write(format!("/proc/sys/net/ipv4/conf/eth0/{setting}"), value);
            self.host.run(set).expect("inside").expect("a sysctl");
        }
        let mac = self.mac();
        self.ip(&format!("link add {MACVLAN} link eth0 address {mac} type macvlan mode bridge"));
        // In service for a moment: an IPv6 address is of no use before, and zebra does not see it.
        self.ip(&format!("link set {MACVLAN} up"));
        // vrrpd sends from any link-local address that the link has: the one that moves must not be there.
        let link_local = |cidr: &&Cidr| matches!(cidr.address, IpAddr::V6(ip) if ip.is_unicast_link_local());
        for address in self.terms.version.addresses().iter().filter(|cidr| !link_local(cidr)) {
            self.ip(&format!("address add {address} dev {MACVLAN}"));
        }
        self.ip(&format!("link set {MACVLAN} protodown on"));
    }

    fn ip(&self, line: &str) {
        let mut command = Command::new("ip");
        let output = self.host.run(|| command.args(line.split(' ')).output()).expect("inside").expect("ip");
        assert!(output.status.success(), "ip {line}: {output:?}");
    }

    /// A daemon of FRR with its own config, sockets and pid file, and without a TCP port.
    fn command(&self, daemon: &str) -> Command {
        let mut command = Command::new(Path::new("/usr/lib/frr").join(daemon));
        command.arg("--config_file").arg(self.dir.join(format!("{daemon}.conf")));
        command.arg("--vty_socket").arg(&self.dir).args(["--vty_port", "0"]);
        command.arg("--pid_file").arg(self.dir.join(format!("{daemon}.pid")));
        command.arg("--socket").arg(self.dir.join("zserv.api"));
        command.args(["--log", "stdout", "--log-level", "info"]);
        command
    }

    fn start_daemon(&self, daemon: &str) -> Process {
        let log = self.dir.join(format!("{daemon}.log"));
        let _absent = fs::remove_file(&log);
        Process::start(&self.host, &mut self.command(daemon), &log).expect("FRR: is it installed?")
    }

    fn daemons(&mut self) -> &mut [Process; 2] {
        self.daemons.as_mut().expect("it was started")
    }
}

impl Peer for Frr {
    /// It exits with 0 whatever it thinks of a line; its words tell.
    fn objections(&self) -> Option<String> {
        let mut command = self.command("vrrpd");
        let output = self.host.run(|| command.arg("--dryrun").output()).expect("inside").expect("vrrpd");
        let words = [output.stdout, output.stderr].concat();
        let words = String::from_utf8_lossy(&words).into_owned();
        (!output.status.success() || words.contains("on config line")).then_some(words)
    }

    fn start(&mut self) {
        self.daemons = None;
        let socket = self.dir.join("zserv.api");
        let _absent = fs::remove_file(&socket);
        let mut zebra = self.start_daemon("zebra");
        let listens = eventually(|| {
            assert!(zebra.is_running(), "zebra ended:\n{}", zebra.log_tail(40));
            socket.exists()
        });
        assert!(listens, "zebra never listened:\n{}", zebra.log_tail(40));
        let mut vrrpd = self.start_daemon("vrrpd");
        wait_for_line(&mut vrrpd, "Initialize -> Backup");
        self.daemons = Some([vrrpd, zebra]);
    }

    fn terminate(&mut self) {
        for at in 0..2 {
            let daemon = &mut self.daemons()[at];
            daemon.signal(Signal::SIGTERM).expect("signalled");
            let ended = daemon.wait(PATIENCE).expect("waited");
            assert!(ended.is_some(), "{} still runs {PATIENCE:?} after SIGTERM", daemon.name());
            // zebra has not read vrrpd's last word when that has ended, and would not any more.
            assert!(eventually(|| !self.holds()), "{MACVLAN} stays in service\n{}", self.explain());
        }
    }

    fn kill(&mut self) {
        for daemon in self.daemons() {
            daemon.kill().expect("killed");
        }
    }

    fn release(&self) {
        self.ip(&format!("link set {MACVLAN} protodown on"));
    }

    /// The address is always on the link; what counts is whether the link is in service.
    fn holds(&self) -> bool {
        let mut command = Command::new("ip");
        command.args(["-oneline", "link", "show", "dev", MACVLAN]);
        let output = self.host.run(|| command.output()).expect("inside").expect("ip");
        String::from_utf8_lossy(&output.stdout).contains("LOWER_UP")
    }

    fn mac(&self) -> Mac {
        self.terms.virtual_mac()
    }

    fn explain(&self) -> String {
        let logs = self.daemons.iter().flatten().map(|daemon| daemon.log_tail(40));
        format!("the ends of FRR's logs:\n{}", logs.collect::<Vec<_>>().join("\n"))
    }
}

/// It knows neither unicast nor passwords.
fn config(terms: Terms, side: Side) -> String {
    let (version, keyword) = match terms.version {
        Version::V3 => (3, "ip"),
        Version::V2 { .. } => (2, "ip"),
        Version::V3Ipv6 => (3, "ipv6"),
    };
    let mut lines = vec!["interface eth0".to_owned(), format!(" vrrp {VRID} version {version}")];
    lines.push(format!(" vrrp {VRID} priority {}", side.priority));
    lines.push(format!(" vrrp {VRID} advertisement-interval {}", side.interval.as_millis()));
    lines.extend((!side.preempt).then(|| format!(" no vrrp {VRID} preempt")));
    let message = terms.checksum == Checksum::Message;
    lines.extend(message.then(|| format!(" no vrrp {VRID} checksum-with-ipv4-pseudoheader")));
    let addresses = terms.version.addresses().iter().map(|cidr| cidr.address);
    lines.extend(addresses.map(|address| format!(" vrrp {VRID} {keyword} {address}")));
    lines.push(String::new());
    lines.join("\n")
}
