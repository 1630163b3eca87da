//! The UDP heartbeat on real kernels: what one path alone holds back, and what forged datagrams do not.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;
use socket2::{Domain, Protocol, Socket, Type};
use vipd::event::{AdvertPath, Event};
use vipd::lab::Moment;
use vipd::link::{PathState, PathStatus, RouterStatus, Status};
use vipd::net::clock;
use vipd::vrrp::auth::{Auth, Binding, Utc};
use vipd::vrrp::wire::{self, Advert, Path};
use vipd::vrrp::{Centis, Dialect, Priority, Refusal, Role, Version, Vrid};

use super::authentic::{OURS, THEIRS, pair_with, signer};
use super::pair::{NODES, PATIENCE, Pair, VIP, advertising_every};
use super::vmac::moved_to;
use super::{RESIGNED, SILENCE, VIP_V6};

const PORT: u16 = 8112;
const LB1: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const LB2: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// The nodes' addresses for heartbeats.
const BEATS: [(&str, Ipv4Addr); 2] =
    [("lb1", Ipv4Addr::new(192, 168, 9, 1)), ("lb2", Ipv4Addr::new(192, 168, 9, 2))];

/// Matches of nftables for either path.
const MULTICAST: &str = "ip protocol 112";
const UDP: &str = "udp dport 8112";

/// The pair with heartbeats between addresses of another network, settled and serving.
fn pair() -> Pair {
    pair_of(str::to_owned)
}

/// The same, with another config to begin with.
fn pair_of(edit: impl FnOnce(&str) -> String) -> Pair {
    let beats = |config: &str| {
        let mut text =
            edit(config).replace("[[vrrp]]\n", &format!("[[vrrp]]\nheartbeat = {{ port = {PORT} }}\n"));
        for ((_, beat), own) in BEATS.iter().zip([LB1, LB2]) {
            let own = format!("\"{own}\"\n");
            text = text.replace(&own, &format!("{own}heartbeat = \"{beat}\"\n"));
        }
        text
    };
    let mut pair = pair_with(beats, |_| OURS);
    for (node, beat) in BEATS {
        pair.on(node, &format!("ip address add {beat}/24 dev eth0"));
    }
    pair.on("client", "ip address add 192.168.9.9/24 dev eth0");
    pair.start_nodes(&NODES);
    pair.settle();
    pair.send();
    let lb2 = pair.node("lb2").wait_for("both paths alive", PATIENCE, |status| {
        paths(status).iter().all(|path| path.state == PathState::Alive)
    });
    let lb2 = lb2.expect("heard on both");
    refuses_none(&lb2);
    assert_eq!(paths(&lb2)[1].port, Some(PORT));
    pair
}

/// Intervals at which even a busy machine hands over a resignation long before silence would do the same.
fn calm(config: &str) -> String {
    advertising_every("300ms", config)
}

/// No heartbeat. Adverts may have come before the node could take part.
fn refuses_none(status: &Status) {
    let heartbeats = status.refused.iter().filter(|(reason, _)| reason.starts_with("heartbeat"));
    assert_eq!(heartbeats.count(), 0, "{:?}", status.refused);
}

fn paths(status: &Status) -> [PathStatus; 2] {
    status.routers[0].paths.clone().try_into().expect("two paths")
}

/// Drops what comes in on a path.
fn cut(pair: &Pair, node: &str, matches: &[&str]) {
    let rules: Vec<_> = matches.iter().map(|rule| format!("{rule} drop;")).collect();
    let chain = format!("chain in {{ type filter hook input priority 0; {} }}", rules.join(" "));
    pair.on(node, &format!("nft table inet cut {{ {chain}; }}"));
}

fn mend(pair: &Pair, node: &str) {
    pair.on(node, "nft delete table inet cut");
}

/// lb2 loses exactly the path at `lost`, tells it, and hears ten intervals more on the other without moving.
fn only_one_is_lost(pair: &Pair, lost: usize, was: &RouterStatus) -> Status {
    let name = [AdvertPath::Multicast, AdvertPath::Heartbeat][lost];
    let lb2 = pair.node("lb2");
    let status = lb2
        .wait_for("the path lost", PATIENCE, |status| paths(status)[lost].state == PathState::Lost)
        .expect("it is noticed");
    let heard = paths(&status)[1 - lost].received;
    let status = lb2
        .wait_for("the other path", PATIENCE, |status| paths(status)[1 - lost].received > heard + 10)
        .expect("it lives");
    assert_eq!(paths(&status)[1 - lost].state, PathState::Alive);
    assert_eq!(paths(&status)[lost].losses, 1);
    let router = &status.routers[0];
    assert_eq!((router.role, router.since_ms, router.takeovers), (Role::Backup, was.since_ms, was.takeovers));
    let told = lb2.events().wait(0, PATIENCE, |events| {
        let lost = |event: &Event| matches!(event, Event::PathLost { path, .. } if *path == name);
        events.iter().any(|stamped| lost(&stamped.event)).then_some(())
    });
    assert!(told.is_some(), "{}", pair.explain());
    status
}

fn is_back(pair: &Pair, lost: usize) {
    let name = [AdvertPath::Multicast, AdvertPath::Heartbeat][lost];
    let alive = |status: &Status| paths(status)[lost].state == PathState::Alive;
    pair.node("lb2").wait_for("the path back", PATIENCE, alive).expect("it returns");
    let told = pair.node("lb2").events().wait(0, PATIENCE, |events| {
        let back = |event: &Event| matches!(event, Event::PathBack { path, .. } if *path == name);
        events.iter().any(|stamped| back(&stamped.event)).then_some(())
    });
    assert!(told.is_some(), "{}", pair.explain());
}

#[test]
fn either_path_alone_holds_the_backup_back_and_carries_a_resignation() {
    let pair = pair_of(calm);
    let mark = Moment::now();
    let was = pair.node("lb2").status().expect("a status").routers.remove(0);
    let lb1 = pair.node("lb1").status().expect("a status");
    assert!(paths(&lb1).iter().all(|path| path.state == PathState::Unknown), "an Active hears nobody");

    cut(&pair, "lb2", &[UDP]);
    only_one_is_lost(&pair, 1, &was);
    mend(&pair, "lb2");
    is_back(&pair, 1);

    cut(&pair, "lb2", &[MULTICAST]);
    only_one_is_lost(&pair, 0, &was);
    let shown = pair.vipd("lb2", &["status"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("multicast: LOST") && shown.contains("(UDP port 8112): alive"), "{shown}");
    let lb2 = pair.lab.host("lb2").mac();
    assert!(pair.adverts(mark).iter().all(|frame| frame.source != lb2), "lb2 never took over");
    pair.assert_undisturbed(&pair.tally(mark));

    // Priority 0 over UDP alone is a quick takeover.
    let asked = Moment::now();
    pair.node("lb1").signal(Signal::SIGTERM).expect("signalled");
    let advert = pair.advert_of("lb2", asked);
    assert!(advert.at.since(asked) < RESIGNED, "took {:?}", advert.at.since(asked));
    pair.moved_to("lb2", asked);
    let why = pair.node("lb2").status().expect("a status").routers.remove(0).why;
    assert_eq!(why, "lb1 (10.77.0.1) gave it up");
}

#[test]
fn with_a_virtual_mac_the_heartbeat_goes_on_from_the_card_and_carries_the_rest() {
    let pair = pair_of(|config| calm(config).replace("[[vrrp]]\n", "[[vrrp]]\nuse_vmac = true\n"));
    let was = pair.node("lb2").status().expect("a status").routers.remove(0);
    cut(&pair, "lb2", &[UDP]);
    only_one_is_lost(&pair, 1, &was);
    mend(&pair, "lb2");
    is_back(&pair, 1);
    cut(&pair, "lb2", &[MULTICAST]);
    only_one_is_lost(&pair, 0, &was);
    let [lb1, lb2] = NODES.map(|name| pair.lab.host(name));
    assert_eq!(
        lb2.neighbour(BEATS[0].1).expect("netlink"),
        Some(lb1.mac()),
        "the card's, not the virtual one"
    );

    let asked = Moment::now();
    pair.node("lb1").signal(Signal::SIGTERM).expect("signalled");
    moved_to(&pair, "lb2", asked);
    let why = pair.node("lb2").status().expect("a status").routers.remove(0).why;
    assert_eq!(why, "lb1 (10.77.0.1) gave it up");
}

/// A router with IPv6 addresses alone, and heartbeats over IPv6.
#[test]
fn over_ipv6_alone_either_path_holds_the_backup_back_and_carries_a_resignation() {
    let beats = [("lb1", "fd00:9::1", LB1), ("lb2", "fd00:9::2", LB2)];
    let config = |config: &str| {
        let heartbeat = format!("[[vrrp]]\nheartbeat = {{ port = {PORT} }}\n");
        let mut text = calm(config).replace("[[vrrp]]\n", &heartbeat);
        for (_, beat, own) in beats {
            let own = format!("\"{own}\"\n");
            text = text.replace(&own, &format!("{own}heartbeat = \"{beat}\"\n"));
        }
        let text = text.replace("[\"10.77.0.100/24\"]", "[\"fe80::51/64\", \"2001:db8::100/64\"]");
        text.replace("10.77.0.100:", "[2001:db8::100]:")
    };
    let mut pair = pair_with(config, |_| OURS);
    for (node, beat, _) in beats {
        pair.on(node, &format!("ip address add {beat}/64 dev eth0 nodad"));
    }
    pair.on("client", "ip address add 2001:db8::50/64 dev eth0 nodad");
    pair.start_nodes(&NODES);
    pair.settle();
    pair.send_to(&[SocketAddr::from((VIP_V6, 3000))]);
    let alive = |status: &Status| paths(status).iter().all(|path| path.state == PathState::Alive);
    let was = pair.node("lb2").wait_for("both paths alive", PATIENCE, alive).expect("heard on both");
    refuses_none(&was);
    let was = &was.routers[0];
    assert_eq!(was.alarms, []);

    cut(&pair, "lb2", &["ip6 nexthdr 112"]);
    only_one_is_lost(&pair, 0, was);
    mend(&pair, "lb2");
    is_back(&pair, 0);
    cut(&pair, "lb2", &[UDP]);
    only_one_is_lost(&pair, 1, was);
    mend(&pair, "lb2");
    is_back(&pair, 1);

    cut(&pair, "lb2", &["ip6 nexthdr 112"]);
    let asked = Moment::now();
    pair.node("lb1").signal(Signal::SIGTERM).expect("signalled");
    let advert = pair.advert_of("lb2", asked);
    assert!(advert.at.since(asked) < RESIGNED, "took {:?}", advert.at.since(asked));
    pair.served_from(Moment::now());
    let lb2 = pair.node("lb2").status().expect("a status").routers.remove(0);
    assert_eq!((lb2.role, lb2.why.contains("gave it up")), (Role::Active, true), "{}", lb2.why);
    assert_eq!(lb2.alarms, []);
}

#[test]
fn silence_on_both_paths_is_a_takeover_and_either_path_ends_it() {
    let pair = pair();
    let silent = Moment::now();
    cut(&pair, "lb2", &[UDP, MULTICAST]);
    let advert = pair.advert_of("lb2", silent);
    assert!(advert.at.since(silent) < SILENCE, "took {:?}", advert.at.since(silent));
    let status = pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("it serves");
    assert!(status.routers[0].why.starts_with("no advert for"), "{}", status.routers[0].why);
    assert!(paths(&status).iter().all(|path| path.losses == 0), "neither was lost while the other lived");

    // lb1 hears both and has the higher priority, so it goes on; lb2 yields when it hears lb1 over UDP alone.
    mend(&pair, "lb2");
    cut(&pair, "lb2", &[MULTICAST]);
    let status = pair.node("lb2").wait_for_role(Role::Backup, PATIENCE).expect("it yields");
    assert_eq!(status.routers[0].why, "lb1 (10.77.0.1) has the higher priority 200");
    let lb1 = pair.node("lb1").status().expect("a status");
    assert_eq!((lb1.routers[0].role, lb1.routers[0].takeovers), (Role::Active, 1));
}

#[test]
fn a_killed_agents_release_is_heard_over_udp_alone() {
    let mut pair = pair();
    cut(&pair, "lb2", &[MULTICAST]);
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
fn forged_heartbeats_are_counted_by_reason_and_move_nothing() {
    let pair = pair();
    let before = NODES.map(|node| pair.node(node).status().expect("a status"));
    let mark = Moment::now();
    let now = clock::utc();
    let hour_ago = Utc { seconds: now.seconds - 3_600, ..now };
    let (mut wrong, mut right) = (signer(THEIRS).for_heartbeat(), signer(OURS).for_heartbeat());
    // Signed as on the main path, which is worth nothing here.
    let mut main = signer(OURS);
    let mut all = Vec::new();
    // From lb1 to lb2 that it goes, from lb2 to lb1 that it owns the address.
    for ((from, to), priority) in [((0, 1), 0), ((1, 0), 255)] {
        let packet = |auth| udp(BEATS[from].1, BEATS[to].1, &message(from, to, priority, auth));
        all.push(packet(None));
        all.push(packet(Some((&mut wrong, now))));
        all.push(packet(Some((&mut main, now))));
        all.push(packet(Some((&mut right, hour_ago))));
        // Too short, too long, and from somebody else.
        all.push(udp(BEATS[from].1, BEATS[to].1, b"VRRP"));
        let message = message(from, to, priority, Some((&mut right, now)));
        all.push(udp(BEATS[from].1, BEATS[to].1, &[&message[..], &[0; 3]].concat()));
        all.push(udp(Ipv4Addr::new(192, 168, 9, 9), BEATS[to].1, &message));
    }
    // lb1's own words, twice.
    let copy = udp(BEATS[0].1, BEATS[1].1, &message(0, 1, 200, Some((&mut right, clock::utc()))));
    all.extend([copy.clone(), copy]);
    let rounds = 20;
    for _ in 0..rounds {
        inject(&pair, &all);
    }
    let expected =
        [Refusal::AuthMissing, Refusal::AuthForged, Refusal::AuthStale, Refusal::Length, Refusal::Stranger];
    let replays = [&expected[..], &[Refusal::AuthReplay]].concat();
    for (node, expected) in [("lb1", &expected[..]), ("lb2", &replays)] {
        pair.node(node)
            .wait_for("every reason counted", PATIENCE, |status| {
                expected.iter().all(|refusal| refused(status, *refusal) >= rounds)
            })
            .expect("refused");
    }
    // Longer than it would take to yield, or to take over.
    pair.served_from(Moment::now());
    let heard = paths(&pair.node("lb2").status().expect("a status"))[1].received;
    pair.node("lb2")
        .wait_for("ten heartbeats more", PATIENCE, |status| paths(status)[1].received > heard + 10)
        .expect("lb1 serves on");
    for (node, before) in NODES.into_iter().zip(before) {
        let after = pair.node(node).status().expect("a status");
        assert_eq!(after.routers[0].since_ms, before.routers[0].since_ms, "{node} kept its role");
        assert!(paths(&after).iter().all(|path| path.losses == 0), "{node}");
    }
    pair.assert_undisturbed(&pair.tally(mark));
    pair.held_by("lb1");
}

/// However a test ends, its flood ends with it.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[test]
fn a_flood_from_a_stranger_is_sampled_and_moves_nothing() {
    let pair = pair();
    let was = NODES.map(|node| pair.node(node).status().expect("a status"));
    let mark = Moment::now();
    let flooding = &AtomicBool::new(true);
    std::thread::scope(|scope| {
        let client = pair.lab.host("client");
        let flood = || -> std::io::Result<u64> {
            let (socket, to) = (UdpSocket::bind("192.168.9.9:0")?, (BEATS[1].1, PORT));
            let mut sent = 0;
            while flooding.load(Ordering::Relaxed) {
                sent += u64::from(socket.send_to(&[0x31; 40], to).is_ok());
            }
            Ok(sent)
        };
        let flood = scope.spawn(move || client.run(flood));
        let ends = Ends(flooding);
        let lb2 = pair.node("lb2");
        let seen = lb2.wait_for("a flood", PATIENCE, |status| status.agent.sampling.is_some());
        let heard = seen.expect("it is noticed").routers[0].adverts_received;
        let more = |status: &Status| status.routers[0].adverts_received > heard + 20;
        let status = lb2.wait_for("adverts in the flood", PATIENCE, more).expect("lb1 is heard");
        drop(ends);
        let sent = flood.join().expect("no panic").expect("a thread there").expect("a socket");
        assert!(refused(&status, Refusal::Stranger) > 1_000, "of {sent} sent: {:?}", status.refused);
    });
    let lb2 = pair.node("lb2").wait_for("both paths alive", PATIENCE, |status| {
        paths(status).iter().all(|path| path.state == PathState::Alive)
    });
    lb2.expect("both are heard");
    for (node, was) in NODES.into_iter().zip(was) {
        let is = pair.node(node).status().expect("a status");
        assert_eq!(is.routers[0].since_ms, was.routers[0].since_ms, "{node} kept its role");
    }
    let lb2 = pair.lab.host("lb2").mac();
    assert!(pair.adverts(mark).iter().all(|frame| frame.source != lb2), "lb2 never took over");
}

fn refused(status: &Status, refusal: Refusal) -> u64 {
    let reason = format!("heartbeat: {refusal}");
    status.refused.iter().find(|(known, _)| *known == reason).map_or(0, |(_, count)| *count)
}

/// A heartbeat of the lab's router between two of the nodes, signed by `auth`.
fn message(from: usize, to: usize, priority: u8, auth: Option<(&mut Auth, Utc)>) -> Vec<u8> {
    let (version, vrid) = (Version::V3, Vrid::new(51).expect("not zero"));
    let interval = Centis::new(10).expect("valid");
    let advert = Advert { version, vrid, priority: Priority::new(priority), interval };
    let [source, destination] = [from, to].map(|node| [LB1, LB2][node].into());
    let path = Path { source, destination };
    let mut message = Vec::new();
    wire::emit(advert, &[VIP.into()], path, Dialect::Pseudo, None, &mut message);
    if let Some((auth, now)) = auth {
        let binding = Binding { version, vrid, source };
        let trailer = auth.sign(now, binding, &message).expect("it signs");
        wire::seal(&mut message, trailer, path);
    }
    message
}

/// A datagram as an IPv4 packet. No checksum (RFC 768); the kernel fills in that of the header (raw(7)).
fn udp(source: Ipv4Addr, destination: Ipv4Addr, payload: &[u8]) -> (Ipv4Addr, Vec<u8>) {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    let length = u16::try_from(8 + payload.len()).expect("a short one");
    packet.extend([PORT, PORT, length, 0].map(u16::to_be_bytes).concat());
    packet.extend(payload);
    (destination, packet)
}

/// Lets the client send packets as if they came from somebody else.
fn inject(pair: &Pair, packets: &[(Ipv4Addr, Vec<u8>)]) {
    let send = || -> std::io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        for (to, packet) in packets {
            socket.send_to(packet, &SocketAddrV4::new(*to, 0).into())?;
        }
        Ok(())
    };
    pair.lab.host("client").run(send).expect("a thread there").expect("sent");
}
