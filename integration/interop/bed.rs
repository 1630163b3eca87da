//! Our node on one host, a peer on another, and a third host that sees what users see.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use vipd::lab::{Capture, Frame, Host, Lab, Mac, Moment, Node, Setup, Topology};
use vipd::link::RouterStatus;
use vipd::vrrp::{Cidr, Role};

use super::case::{Case, Kind};
use super::frr::Frr;
use super::keepalived::Keepalived;
use super::peer::{PATIENCE, Peer, eventually, holds};
use super::terms::{BOTH, Side, Terms, Transport, Version, Who, our_config};

/// Two cores carry one pair at a time with adverts several times a second: those cases take turns.
static TURN: Mutex<()> = Mutex::new(());

/// Dropped from top to bottom: what runs first, the hosts last.
pub(crate) struct Bed {
    capture: Capture,
    /// Unicast adverts are heard where they go to alone: what hears ours, what hears theirs.
    eyes: Option<[Capture; 2]>,
    ours: Option<Node>,
    pub(crate) theirs: Box<dyn Peer>,
    kind: Kind,
    setup: Setup,
    sides: [Side; 2],
    terms: Terms,
    pub(crate) lab: Lab,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Bed {
    pub(crate) fn build(case: Case) -> Self {
        let busy = case.ours.interval.min(case.theirs.interval) < Duration::from_secs(1);
        let turn = busy.then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner));
        let addresses = match case.higher {
            Who::Ours => [2, 1],
            Who::Theirs => [1, 2],
        };
        let addresses = addresses.map(|last| Ipv4Addr::new(10, 77, 0, last));
        let client = Ipv4Addr::new(10, 77, 0, 50);
        let topology = Topology { hosts: Vec::new(), prefix: 24 }
            .with(Who::Ours.host(), addresses[0])
            .with(Who::Theirs.host(), addresses[1])
            .with("client", client);
        let lab = Lab::build(&topology).expect("namespaces: run this as root or through integration/run");
        if case.terms.version == Version::V3Ipv6 {
            lab.hosts().iter().for_each(speak_ipv6);
        }
        let hear = |host| Capture::start(lab.host(host)).expect("a capture");
        let eyes = match case.terms.transport {
            Transport::Multicast => None,
            Transport::Unicast => Some(BOTH.map(|who| hear(who.other().host()))),
        };
        let capture = hear("client");
        let config = lab.dir().join("vipd.toml");
        let sides = [case.ours, case.theirs];
        let text = our_config(addresses, case.terms, sides, case.serves.then_some(client));
        fs::write(&config, text).expect("written");
        let setup = Setup { binary: PathBuf::from(env!("CARGO_BIN_EXE_vipd")), config };
        let (host, dir) = (lab.host(Who::Theirs.host()), lab.dir().join("peer"));
        let theirs: Box<dyn Peer> = match case.kind {
            Kind::Keepalived => {
                Box::new(Keepalived::install(host, &dir, addresses[0].into(), case.terms, case.theirs))
            }
            Kind::Frr => Box::new(Frr::install(host, &dir, case.terms, case.theirs)),
        };
        Self {
            capture,
            eyes,
            ours: None,
            theirs,
            kind: case.kind,
            setup,
            sides,
            terms: case.terms,
            lab,
            _turn: turn,
        }
    }

    // What is done to a side

    /// Starts a side, and returns when it competes.
    pub(crate) fn start(&mut self, who: Who) {
        match who {
            Who::Ours => {
                self.ours = None;
                let node = Node::start(&self.lab, who.host(), &self.setup).expect("our node");
                let part = |router: &RouterStatus| router.role != Role::Initialize;
                node.wait_for("part in it", PATIENCE, |status| status.routers.iter().all(part))
                    .expect("our node competes");
                self.ours = Some(node);
            }
            Who::Theirs => self.theirs.start(),
        }
    }

    /// Starts `active` and lets it take the address; then starts the other side, which hears it.
    pub(crate) fn settle(&mut self, active: Who) {
        let from = Moment::now();
        self.start(active);
        self.taken_by(active, from);
        self.start(active.other());
        self.kept_by(active, Moment::now());
    }

    /// SIGTERM to what speaks VRRP; returns when it has ended.
    pub(crate) fn terminate(&mut self, who: Who) {
        match who {
            Who::Ours => {
                let node = self.ours.as_mut().expect("our node runs");
                node.signal(Signal::SIGTERM).expect("signalled");
                let ended = node.process().wait(PATIENCE).expect("waited");
                assert!(ended.is_some(), "our node still runs {PATIENCE:?} after SIGTERM");
            }
            Who::Theirs => self.theirs.terminate(),
        }
    }

    /// SIGKILL to what speaks VRRP; the address stays where it is.
    pub(crate) fn kill(&mut self, who: Who) {
        match who {
            Who::Ours => {
                self.ours.as_mut().expect("our node runs").kill().expect("killed");
            }
            Who::Theirs => self.theirs.kill(),
        }
    }

    /// Takes away what a killed side left behind: ours by `vipd release`, as the service manager does.
    pub(crate) fn release(&self, who: Who) {
        match who {
            Who::Ours => {
                let host = self.lab.host(who.host());
                let mut command = Command::new(&self.setup.binary);
                command.arg("release").arg("--config").arg(&self.setup.config).args(["--node", who.host()]);
                command.arg("--runtime-dir").arg(self.lab.dir().join(who.host()).join("run"));
                let output = host.run(|| command.output()).expect("inside").expect("the program");
                assert!(output.status.success(), "{output:?}");
            }
            Who::Theirs => self.theirs.release(),
        }
    }

    // What a third host sees

    /// The first advert of `who` at or after `from` that does not resign.
    pub(crate) fn advert_of(&self, who: Who, from: Moment) -> Frame {
        let serves = |frame: &Frame| self.priority(who, frame).is_some_and(|priority| priority > 0);
        let advert = self.hears(who).wait_for(from, PATIENCE, serves);
        advert.unwrap_or_else(|| panic!("no advert of {who:?} within {PATIENCE:?}\n{}", self.explain()))
    }

    /// The last advert of `who` before `to` that does not resign.
    pub(crate) fn last_advert_of(&self, who: Who, to: Moment) -> Frame {
        let serves = |frame: &Frame| self.priority(who, frame).is_some_and(|priority| priority > 0);
        self.hears(who).last_before(to, serves).expect("it advertised before")
    }

    /// The advert with which `who` resigned at or after `from`.
    pub(crate) fn resignation_of(&self, who: Who, from: Moment) -> Frame {
        let resigns = |frame: &Frame| self.priority(who, frame) == Some(0);
        let resigned = self.hears(who).wait_for(from, PATIENCE, resigns);
        resigned.unwrap_or_else(|| panic!("{who:?} did not resign within {PATIENCE:?}\n{}", self.explain()))
    }

    /// The address came to `who` after `from`: its advert, an announcement (gratuitous ARP, neighbour advertisement) from its card, the client's neighbour
    /// table, one holder, and an answer. Returns the advert.
    pub(crate) fn taken_by(&self, who: Who, from: Moment) -> Frame {
        let advert = self.announced_by(who, from);
        self.held_by(who);
        advert
    }

    /// The part of [`Bed::taken_by`] that the other side has no say in: it may still have the address.
    pub(crate) fn announced_by(&self, who: Who, from: Moment) -> Frame {
        let mac = self.mac(who);
        let advert = self.advert_of(who, from);
        let announced = self.capture.wait_for(from, PATIENCE, |frame| {
            frame.source == mac && frame.announcement() == Some((self.vip(), mac))
        });
        assert!(announced.is_some(), "nothing announced by {who:?}\n{}", self.explain());
        advert
    }

    /// `who` alone has the address, the client knows where it is, and gets an answer from there.
    pub(crate) fn held_by(&self, who: Who) {
        self.held_alone_by(who);
        // Where it had the address in its table, an announcement alone must have corrected that: it asks nobody yet.
        let right = eventually(|| self.known().is_none_or(|mac| mac == self.mac(who)));
        assert!(right, "the client's table says {:?}\n{}", self.known(), self.explain());
        self.found_at(who);
    }

    /// The address stayed with `who` or came to it when both had served at once: as [`Bed::taken_by`], as far as the
    /// program is able to.
    pub(crate) fn kept_through_conflict_by(&self, who: Who, from: Moment) {
        if who == Who::Ours || self.kind.announces_again() {
            self.taken_by(who, from);
        } else {
            self.advert_of(who, from);
            self.held_alone_by(who);
            self.found_at(who);
        }
    }

    fn held_alone_by(&self, who: Who) {
        let expected = BOTH.map(|side| side == who);
        let alone = eventually(|| BOTH.map(|side| self.holds(side)) == expected);
        let holders = BOTH.map(|side| self.holds(side));
        assert!(alone, "(ours, theirs) hold it: {holders:?}, not {expected:?}\n{}", self.explain());
    }

    fn found_at(&self, who: Who) {
        assert!(
            eventually(|| self.answers()),
            "{} does not answer the client\n{}",
            self.vip(),
            self.explain()
        );
        assert_eq!(self.known(), Some(self.mac(who)), "the client's table\n{}", self.explain());
    }

    /// Where the client sends what is for the address.
    fn known(&self) -> Option<Mac> {
        self.lab.host("client").neighbour(self.vip()).expect("netlink")
    }

    /// Five adverts of `who` from `from` on, longer than any Backup is silent, and none of the other side.
    pub(crate) fn kept_by(&self, who: Who, from: Moment) {
        let mut seen = 0;
        let end = self.hears(who).wait_for(from, PATIENCE, |frame| {
            seen += usize::from(self.priority(who, frame).is_some());
            seen >= 5
        });
        let end = end.unwrap_or_else(|| panic!("{who:?} fell silent\n{}", self.explain()));
        let heard = self.hears(who.other()).between(from, end.at);
        let intruder = heard.iter().find(|frame| self.priority(who.other(), frame).is_some());
        assert_eq!(intruder, None, "{}", self.explain());
        self.held_by(who);
    }

    /// What hears the adverts of `who`.
    fn hears(&self, who: Who) -> &Capture {
        self.eyes.as_ref().map_or(&self.capture, |eyes| &eyes[who as usize])
    }

    /// The advert interval of `who`.
    pub(crate) const fn interval(&self, who: Who) -> Duration {
        self.sides[who as usize].interval
    }

    /// Three times as long as `who` needs to notice that the other side is silent.
    pub(crate) fn silence(&self, who: Who) -> Duration {
        3 * self.sides[who as usize].down_interval(self.interval(who.other()))
    }

    /// Our router's status.
    pub(crate) fn status(&self) -> RouterStatus {
        self.node().status().expect("a status").routers.remove(0)
    }

    pub(crate) fn node(&self) -> &Node {
        self.ours.as_ref().expect("our node runs")
    }

    pub(crate) fn explain(&self) -> String {
        let ours = self.ours.as_ref().map(Node::explain).unwrap_or_default();
        let seen = self.capture.frames().read(|frames| {
            let last = frames.len().saturating_sub(20);
            frames[last..].iter().map(|frame| format!("{frame:?}\n")).collect::<String>()
        });
        format!("{ours}\n{}\nwhat the client saw last:\n{seen}", self.theirs.explain())
    }

    fn holds(&self, who: Who) -> bool {
        match who {
            Who::Ours => holds(self.lab.host(who.host()), self.vip()),
            Who::Theirs => self.theirs.holds(),
        }
    }

    fn mac(&self, who: Who) -> Mac {
        match who {
            Who::Ours if self.terms.vmac => self.terms.virtual_mac(),
            Who::Ours => self.lab.host(who.host()).mac(),
            Who::Theirs => self.theirs.mac(),
        }
    }

    /// The address that clients use.
    fn vip(&self) -> IpAddr {
        self.terms.version.vip()
    }

    /// Where the adverts of `who` come from.
    fn source(&self, who: Who) -> IpAddr {
        match (self.terms.version, self.kind, who) {
            (Version::V3 | Version::V2 { .. }, ..) => self.lab.host(who.host()).address().into(),
            (Version::V3Ipv6, Kind::Frr, Who::Theirs) => link_local(self.mac(who)),
            // That of the interface, whatever the MAC address of what sends.
            (Version::V3Ipv6, ..) => link_local(self.lab.host(who.host()).mac()),
        }
    }

    /// The priority in `frame` if it is an advert of `who`.
    fn priority(&self, who: Who, frame: &Frame) -> Option<u8> {
        let own = self.source(who);
        frame.advert().filter(|advert| advert.source == own).map(|advert| advert.priority)
    }

    /// Whether the address answers the client: a port that nobody listens on refuses.
    fn answers(&self) -> bool {
        let vip = self.vip();
        let ask = || -> std::io::Result<()> {
            let any = if vip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any)?;
            socket.set_read_timeout(Some(Duration::from_millis(500)))?;
            socket.connect((vip, 9))?;
            socket.send(b"?")?;
            socket.recv(&mut [0; 1]).map(drop)
        };
        let answer = self.lab.host("client").run(ask).expect("inside");
        answer.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    }
}

/// Gives a host an address of its own in the IPv6 network of the one that moves.
fn speak_ipv6(host: &Host) {
    let [.., last] = host.address().octets();
    let address = [0xfd77, 0, 0, 0, 0, 0, 0, last.into()];
    host.add_address(Cidr { address: address.into(), prefix: 64 }).expect("netlink");
}

/// The address that the kernel makes of a card's (RFC 4291, appendix A).
fn link_local(Mac([a, b, c, d, e, f]): Mac) -> IpAddr {
    let pair = |high, low| u16::from_be_bytes([high, low]);
    IpAddr::from([0xfe80, 0, 0, 0, pair(a ^ 2, b), pair(c, 0xff), pair(0xfe, d), pair(e, f)])
}
