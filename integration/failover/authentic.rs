//! Authenticated adverts on the wire: what they protect from, and that they cost nothing.

use std::net::{Ipv4Addr, SocketAddrV4};

use nix::sys::signal::Signal;
use socket2::{Domain, Protocol, Socket, Type};
use vipd::lab::Moment;
use vipd::link::Status;
use vipd::net::clock;
use vipd::vrrp::auth::{Auth, Binding, KeyId, Keys, Mode, Policy, Utc, Window};
use vipd::vrrp::wire::{self, Advert, Path};
use vipd::vrrp::{Centis, Dialect, Priority, Refusal, Role, Version, Vrid};

use super::RESIGNED;
use super::pair::{NODES, PATIENCE, Pair, VIP, advertising_every, is};

pub(super) const OURS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
pub(super) const THEIRS: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const LB1: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const LB2: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// A pair whose nodes enforce authentication, each with the key 1 that `key` gives it. None runs yet.
fn pair(key: impl Fn(&str) -> &'static str) -> Pair {
    pair_with(str::to_owned, key)
}

/// The same, with another config to begin with.
pub(super) fn pair_with(edit: impl FnOnce(&str) -> String, key: impl Fn(&str) -> &'static str) -> Pair {
    let pair = Pair::hosts_with(edit);
    for node in NODES {
        let file = pair.key_file(node, &format!("1 {}\n", key(node)));
        let auth = format!("vrid = 51\nauth = {{ key_file = {file:?}, active = 1 }}");
        pair.configure(node, |config| config.replace("vrid            = 51", &auth));
    }
    pair
}

fn refused(status: &Status, refusal: Refusal) -> u64 {
    let reason = refusal.to_string();
    status.refused.iter().find(|(known, _)| *known == reason).map_or(0, |(_, count)| *count)
}

fn verified(status: &Status) -> u64 {
    status.routers[0].auth.expect("it authenticates").verified
}

/// An advert of the lab's router from `source` at `priority`, signed by `auth`, as an IPv4 packet. The kernel fills in
/// the header's checksum (raw(7)).
fn packet(source: Ipv4Addr, priority: u8, auth: Option<(&mut Auth, Utc)>) -> Vec<u8> {
    let (version, vrid) = (Version::V3, Vrid::new(51).expect("not zero"));
    let interval = Centis::new(10).expect("valid");
    let advert = Advert { version, vrid, priority: Priority::new(priority), interval };
    let path = Path::to_group(source.into());
    let mut message = Vec::new();
    wire::emit(advert, &[VIP.into()], path, Dialect::Pseudo, None, &mut message);
    if let Some((auth, now)) = auth {
        let binding = Binding { version, vrid, source: path.source };
        let trailer = auth.sign(now, binding, &message).expect("it signs");
        wire::seal(&mut message, trailer, path);
    }
    let mut packet = vec![0x45, wire::TOS, 0, 0, 0, 0, 0, 0, wire::TTL, wire::PROTOCOL, 0, 0];
    packet.extend(source.octets());
    packet.extend(wire::GROUP.octets());
    packet.extend(message);
    packet
}

/// Lets the client send packets as if they came from somebody else.
fn inject(pair: &Pair, packets: &[Vec<u8>]) {
    let client = pair.lab.host("client");
    let send = || -> std::io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        socket.set_multicast_if_v4(&client.address())?;
        for packet in packets {
            socket.send_to(packet, &SocketAddrV4::new(wire::GROUP, 0).into())?;
        }
        Ok(())
    };
    client.run(send).expect("a thread there").expect("sent");
}

pub(super) fn signer(key: &str) -> Auth {
    let active = KeyId::new(1).expect("not zero");
    let policy = Policy { active, mode: Mode::Enforce, window: Window::new(5).expect("valid") };
    Auth::new(policy, Keys::parse(&format!("1 {key}")).expect("a key")).expect("its key")
}

#[test]
fn with_authentication_enforced_the_address_moves_as_without() {
    let mut pair = pair(|_| OURS);
    pair.start_nodes(&NODES);
    pair.settle();
    pair.send();
    let lb2 = pair.node("lb2");
    let status = lb2.wait_for("verified adverts", PATIENCE, |status| verified(status) > 10).expect("heard");
    let auth = status.routers[0].auth.expect("it authenticates");
    assert_eq!((auth.mode, auth.active.get(), auth.unsigned), (Mode::Enforce, 1, 0));
    assert_eq!(status.refused, []);

    // The resignation is signed as well: it is believed at once.
    let asked = Moment::now();
    pair.node("lb1").signal(Signal::SIGTERM).expect("signalled");
    let advert = pair.advert_of("lb2", asked);
    assert!(advert.at.since(asked) < RESIGNED, "took {:?}", advert.at.since(asked));
    pair.moved_to("lb2", asked);

    // Started again within the window, it is no replay of itself.
    pair.nodes.retain(|node| node.name() == "lb2");
    let started = Moment::now();
    pair.start_nodes(&["lb1"]);
    pair.moved_to("lb1", started);
    pair.node("lb2").wait_for_role(Role::Backup, PATIENCE).expect("it yields");
    assert_eq!(pair.node("lb2").status().expect("a status").refused, []);
}

#[test]
fn both_families_unicast_and_version_2_are_signed_as_well() {
    let both = |config: &str| config.replace("24\"]", "24\", \"2001:db8::100/64\"]");
    let unicast = |config: &str| config.replace("[[vrrp]]", "[[vrrp]]\ntransport = \"unicast\"");
    let version_2 =
        |config: &str| advertising_every("1s", &config.replace("[[vrrp]]", "[[vrrp]]\nversion = 2"));
    let edits: [&dyn Fn(&str) -> String; 3] = [&both, &unicast, &version_2];
    for edit in edits {
        let mut pair = pair_with(edit, |_| OURS);
        pair.start_nodes(&NODES);
        pair.settle();
        let status = pair
            .node("lb2")
            .wait_for("verified adverts", PATIENCE, |status| verified(status) > 3)
            .expect("heard");
        assert_eq!(status.routers[0].adverts_received, verified(&status), "on every wire");
        assert_eq!(status.refused, []);
        pair.node("lb1").signal(Signal::SIGTERM).expect("signalled");
        let lb2 = pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("it takes over");
        assert!(lb2.routers[0].why.contains("gave it up"), "{}", lb2.routers[0].why);
    }
}

#[test]
fn a_killed_agents_release_is_signed_and_believed() {
    let mut pair = pair(|_| OURS);
    pair.start_nodes(&NODES);
    pair.settle();
    pair.send();
    pair.node_mut("lb1").kill().expect("killed");
    let killed = Moment::now();
    let output = pair.release("lb1");
    assert!(output.status.success(), "{output:?}");
    pair.moved_to("lb2", killed);
    let lb2 = pair.node("lb2").status().expect("a status");
    let peer = lb2.routers[0].peer.as_ref().expect("heard");
    assert_eq!(peer.priority, Priority::RESIGN, "{}", lb2.routers[0].why);
}

#[test]
fn forged_adverts_are_counted_and_change_nothing() {
    let mut pair = pair(|_| OURS);
    pair.start_nodes(&NODES);
    pair.settle();
    pair.send();
    let before = NODES.map(|node| pair.node(node).status().expect("a status"));
    let mark = Moment::now();

    // From lb1 to lb2 that it goes, from lb2 to lb1 that it owns the address: unsigned, with another key, signed an
    // hour ago. And lb1's own advert, twice.
    let (mut wrong, mut right) = (signer(THEIRS), signer(OURS));
    let now = clock::utc();
    let hour_ago = Utc { seconds: now.seconds - 3_600, ..now };
    let mut packets = Vec::new();
    for (source, priority) in [(LB1, 0), (LB2, 255)] {
        packets.push(packet(source, priority, None));
        packets.push(packet(source, priority, Some((&mut wrong, now))));
        packets.push(packet(source, priority, Some((&mut right, hour_ago))));
    }
    let copy = packet(LB1, 200, Some((&mut signer(OURS), clock::utc())));
    packets.extend([copy.clone(), copy]);
    let rounds = 20;
    for _ in 0..rounds {
        inject(&pair, &packets);
    }
    for (node, expected) in [
        ("lb1", [Refusal::AuthMissing, Refusal::AuthForged, Refusal::AuthStale].as_slice()),
        ("lb2", &[Refusal::AuthMissing, Refusal::AuthForged, Refusal::AuthStale, Refusal::AuthReplay]),
    ] {
        pair.node(node)
            .wait_for("every reason counted", PATIENCE, |status| {
                expected.iter().all(|refusal| refused(status, *refusal) >= rounds)
            })
            .expect("refused");
    }
    // Longer than it would take to yield, or to take over.
    pair.served_from(Moment::now());
    let believed = verified(&pair.node("lb2").status().expect("a status"));
    pair.node("lb2")
        .wait_for("ten adverts more", PATIENCE, |status| verified(status) > believed + 10)
        .expect("lb1 serves on");
    for (node, before) in NODES.into_iter().zip(before) {
        let after = pair.node(node).status().expect("a status");
        assert_eq!(after.routers[0].since_ms, before.routers[0].since_ms, "{node} kept its role");
    }
    let lb2 = pair.lab.host("lb2").mac();
    assert!(pair.adverts(mark).iter().all(|frame| frame.source != lb2), "lb2 never took over");
    pair.assert_undisturbed(&pair.tally(mark));
    pair.held_by("lb1");
}

#[test]
fn a_node_with_a_wrong_key_is_not_believed_whatever_its_priority() {
    let mut pair = pair(|node| if node == "lb1" { THEIRS } else { OURS });
    pair.start_nodes(&["lb2"]);
    let before = pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("it serves alone");
    pair.start_nodes(&["lb1"]);
    // Neither hears the other, and both say why.
    for node in NODES {
        let status = pair
            .node(node)
            .wait_for("forged adverts counted", PATIENCE, |status| refused(status, Refusal::AuthForged) > 10)
            .expect("counted");
        assert_eq!(status.routers[0].peer, None, "{node} believes nobody");
        assert_eq!(verified(&status), 0);
        assert!(is(&status, Role::Active), "{node}");
    }
    let after = pair.node("lb2").status().expect("a status");
    assert_eq!(after.routers[0].since_ms, before.routers[0].since_ms, "a priority of 200 did not move it");
    assert_eq!(after.routers[0].takeovers, 1);
}
