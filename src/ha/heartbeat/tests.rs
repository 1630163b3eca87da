use super::*;
use crate::config;
use crate::vrrp::auth::{Keys, Mode, Policy, Window};
use crate::vrrp::{Span, Time, Version, auth::KeyId};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const PORT: u16 = 9_112;

/// lb1 and lb2 with a network of their own for heartbeats, and lb3 without one.
fn config() -> Config {
    let text = r#"
[[node]]
name = "lb1"
address = "10.77.0.1"
heartbeat = "192.168.9.1"
priority = 200

[[node]]
name = "lb2"
address = "10.77.0.2"
heartbeat = "192.168.9.2"
priority = 100

[[node]]
name = "lb3"
address = "10.77.0.3"
priority = 50

[[vrrp]]
name = "web"
interface = "eth0"
vrid = 51
addresses = ["10.77.0.100/24", "2001:db8::100/64"]
auth = { key_file = "/etc/vipd/keys", active = 1 }
heartbeat = { port = 9112 }
"#;
    config::parse("vipd.toml", text).unwrap_or_else(|errors| panic!("{errors}")).config
}

fn auth(key: &str, mode: Mode) -> Auth {
    let active = KeyId::new(1).expect("not zero");
    let policy = Policy { active, mode, window: Window::new(5).expect("valid") };
    Auth::new(policy, Keys::parse(&format!("1 {key}")).expect("a key")).expect("its key")
}

fn end(config: &Config, node: usize, key: &str, mode: Mode) -> Heartbeat {
    Heartbeat::new(config, node, &config.routers[0], Some(&auth(key, mode))).expect("it has one")
}

/// What an end sends, by destination.
fn sent(end: &mut Heartbeat, config: &Config, priority: u8) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut sent = Vec::new();
    let send = |bytes: &[u8], to| {
        sent.push((to, bytes.to_vec()));
        Ok(())
    };
    end.advertise(&config.routers[0], Priority::new(priority), send).expect("taken");
    sent
}

/// What lb2 makes of a datagram.
fn received(end: &mut Heartbeat, config: &Config, from: &str, bytes: &[u8]) -> Result<Received, Refusal> {
    let accepted = end.group.judge(from.parse().expect("an address"), bytes)?;
    end.believes(&config.routers[0], &accepted)?;
    Ok(accepted.advert)
}

#[test]
fn a_heartbeat_goes_to_every_peer_and_is_believed_as_an_advert_of_the_nodes_address() {
    let config = config();
    for mode in [Mode::Enforce, Mode::Permissive, Mode::ReceiveOnly] {
        let (mut lb1, mut lb2) = (end(&config, 0, KEY, mode), end(&config, 1, KEY, mode));
        let all = sent(&mut lb1, &config, 200);
        let to: Vec<_> = all.iter().map(|(to, _)| to.to_string()).collect();
        assert_eq!(to, ["192.168.9.2:9112", "10.77.0.3:9112"]);
        let advert = received(&mut lb2, &config, "192.168.9.1", &all[0].1).expect("believed");
        assert_eq!((advert.source, advert.priority.get()), ("10.77.0.1".parse().expect("one"), 200));
        assert_eq!((advert.version, advert.addresses.count), (Version::V3, 1), "the IPv4 address");
        assert_eq!(all[0].1.len(), 8 + 4 + auth::LENGTH);
    }
}

#[test]
fn an_advert_of_a_router_with_ipv6_addresses_alone_lists_none() {
    let mut config = config();
    config.routers[0].addresses.retain(|cidr| cidr.address.is_ipv6());
    let (mut lb1, mut lb2) = (end(&config, 0, KEY, Mode::Enforce), end(&config, 1, KEY, Mode::Enforce));
    let (_, bytes) = sent(&mut lb1, &config, 200).remove(0);
    let advert = received(&mut lb2, &config, "192.168.9.1", &bytes).expect("believed");
    assert_eq!((advert.priority.get(), advert.addresses.count), (200, 0));
}

#[test]
fn the_checksum_is_that_between_the_nodes_addresses() {
    let config = config();
    let (_, bytes) = sent(&mut end(&config, 0, KEY, Mode::Enforce), &config, 200).remove(0);
    // RFC 9568 §5.2.8: 10.77.0.1, 10.77.0.2, protocol 112, 12 bytes; 31 33 c8 01 00 0a, 10.77.0.100.
    let words = [0x0A4D, 0x0001, 0x0A4D, 0x0002, 112, 12, 0x3133, 0xC801, 0x000A, 0x0A4D, 0x0064];
    let sum: u32 = words.iter().sum();
    let checksum = !u16::try_from((sum & 0xFFFF) + (sum >> 16)).expect("folded");
    assert_eq!(bytes[..8], [0x31, 51, 200, 1, 0, 10, checksum.to_be_bytes()[0], checksum.to_be_bytes()[1]]);
}

#[test]
fn what_is_not_a_peers_signed_new_advert_is_refused_with_its_reason() {
    let config = config();
    let mut lb2 = end(&config, 1, KEY, Mode::ReceiveOnly);
    let (_, good) = sent(&mut end(&config, 0, KEY, Mode::Enforce), &config, 0).remove(0);
    let (_, forged) = sent(&mut end(&config, 0, OTHER, Mode::Enforce), &config, 0).remove(0);
    let mut refused = |from: &str, bytes: &[u8]| received(&mut lb2, &config, from, bytes).err();
    assert_eq!(refused("192.168.9.1", &forged), Some(Refusal::AuthForged));
    assert_eq!(refused("192.168.9.7", &good), Some(Refusal::Stranger));
    assert_eq!(refused("10.77.0.1", &good), Some(Refusal::Stranger), "not where its heartbeats come from");
    assert_eq!(refused("192.168.9.2", &good), Some(Refusal::OwnSource));
    assert_eq!(refused("10.77.0.3", &good), Some(Refusal::Checksum), "as if it were of another node");
    let unsigned = &good[..good.len() - auth::LENGTH];
    assert_eq!(refused("192.168.9.1", unsigned), Some(Refusal::AuthMissing), "whatever the main mode");
    for length in [0, 7, 11, good.len() - 1] {
        assert_eq!(refused("192.168.9.1", &good[..length]), Some(Refusal::Length), "{length} bytes");
    }
    assert_eq!(refused("192.168.9.1", &good), None);
    assert_eq!(refused("192.168.9.1", &good), Some(Refusal::AuthReplay));
}

/// Each path has sequences of its own, so without keys of its own a silent path could be held alive with copies.
#[test]
fn an_advert_of_the_main_path_is_a_forgery_here() {
    let config = config();
    let router = &config.routers[0];
    let mut main = auth(KEY, Mode::Enforce);
    let path = Path { source: config.nodes[0].address, destination: config.nodes[1].address };
    let advert = Advert {
        version: router.version,
        vrid: router.vrid,
        priority: Priority::new(200),
        interval: router.advert_interval,
    };
    let mut message = Vec::new();
    wire::emit(advert, &[router.addresses[0].address], path, Dialect::Pseudo, None, &mut message);
    let binding = Binding { version: router.version, vrid: router.vrid, source: path.source };
    let trailer = main.sign(clock::utc(), binding, &message).expect("it signs");
    wire::seal(&mut message, trailer, path);
    let mut lb2 = end(&config, 1, KEY, Mode::Enforce);
    assert_eq!(received(&mut lb2, &config, "192.168.9.1", &message), Err(Refusal::AuthForged));
}

#[test]
fn equal_priorities_are_left_to_the_main_path_when_it_compares_other_addresses() {
    let config = config();
    let lb2 = end(&config, 1, KEY, Mode::Enforce);
    let (_, bytes) = sent(&mut end(&config, 0, KEY, Mode::Enforce), &config, 100).remove(0);
    let advert = lb2.group.judge(config.nodes[0].heartbeat, &bytes).expect("well-formed").advert;
    let (own, elsewhere) = (Some(config.nodes[1].address), "10.99.0.2".parse().ok());
    assert!(!lb2.leaves_it(&advert, Priority::new(100), own));
    assert!(lb2.leaves_it(&advert, Priority::new(100), elsewhere));
    assert!(!lb2.leaves_it(&advert, Priority::new(99), elsewhere));
}

#[test]
fn a_peer_that_cannot_be_reached_does_not_keep_it_from_the_others() {
    let config = config();
    let mut lb1 = end(&config, 0, KEY, Mode::Enforce);
    let mut reached = Vec::new();
    let outcome = lb1.advertise(&config.routers[0], Priority::new(200), |_, to| {
        reached.push(to.port());
        if reached.len() == 1 { Err(io::ErrorKind::NetworkUnreachable.into()) } else { Ok(()) }
    });
    assert_eq!(outcome.expect_err("told").kind(), io::ErrorKind::NetworkUnreachable);
    assert_eq!(reached, [PORT, PORT]);
    assert_eq!(lb1.status(7).iter().map(|path| path.sent).collect::<Vec<_>>(), [7, 0]);
}

#[test]
fn a_router_without_one_has_none() {
    let mut config = config();
    config.routers[0].heartbeat = None;
    let main = auth(KEY, Mode::Enforce);
    assert!(Heartbeat::new(&config, 0, &config.routers[0], Some(&main)).is_none());
}

#[test]
fn a_heartbeat_that_a_resignation_on_the_main_path_overtook_says_nothing() {
    let config = config();
    let (mut lb1, mut lb2) = (end(&config, 0, KEY, Mode::Enforce), end(&config, 1, KEY, Mode::Enforce));
    let [mut signs, mut verifies] = [0, 1].map(|_| auth(KEY, Mode::Enforce));
    let at = |ms| Time::ZERO + Span::from_millis(ms);
    let down = Span::from_millis(361);
    let source: IpAddr = "10.77.0.1".parse().expect("an address");

    let late = sent(&mut lb1, &config, 200).remove(0).1;
    let binding = Binding { version: Version::V3, vrid: config.routers[0].vrid, source };
    let trailer = signs.sign(clock::utc(), binding, &[0; 12]);
    verifies.verify(clock::utc(), binding, &[0; 12], trailer).expect("believed");
    let late = received(&mut lb2, &config, "192.168.9.1", &late).expect("believed");
    let resigns = Received { priority: Priority::RESIGN, ..late };

    let signed = verifies.latest(source);
    assert!(!lb2.order.is_overtaken(at(0), &resigns, signed, down));
    let overtaken = |lb2: &mut Heartbeat, ms, advert: &Received| {
        let signed = lb2.latest(advert.source);
        lb2.order.is_overtaken(at(ms), advert, signed, down)
    };
    assert!(overtaken(&mut lb2, 100, &late));
    assert!(!overtaken(&mut lb2, 361, &late), "it does not count for ever");
    let other = Received { source: "10.77.0.3".parse().expect("an address"), ..late };
    assert!(!lb2.order.is_overtaken(at(100), &other, signed, down), "of nobody else");
    let again = sent(&mut lb1, &config, 200).remove(0).1;
    let again = received(&mut lb2, &config, "192.168.9.1", &again).expect("believed");
    assert!(!overtaken(&mut lb2, 100, &again), "it competes again");
}
