//! The lab itself: that hosts reach each other, cables can be pulled, and the client's eyes see what is on the wire.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use pnet::datalink::{self, Channel};
use vipd::event::Event;
use vipd::lab::{
    AppServer, Capture, Flavour, Lab, Mac, Moment, Node, Outcome, Pace, Setup, Topology, Traffic,
};
use vipd::link::Status;
use vipd::vrrp::{Cidr, Role};

const SOON: Duration = Duration::from_secs(5);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const VIP: Cidr = Cidr { address: IpAddr::V4(ADDRESS), prefix: 24 };

fn lab() -> Lab {
    Lab::build(&Topology::pair()).expect("the lab is built")
}

#[test]
fn hosts_have_their_own_address_and_card_and_reach_each_other() {
    let lab = lab();
    let (lb1, client) = (lab.host("lb1"), lab.host("client"));
    let own = Cidr { address: [10, 77, 0, 1].into(), prefix: 24 };
    assert!(lb1.addresses().expect("addresses").contains(&own));

    let server = lb1.run(|| TcpListener::bind("10.77.0.1:0")).expect("inside").expect("bound");
    let port = server.local_addr().expect("an address").port();
    let mut there =
        client.run(|| TcpStream::connect(("10.77.0.1", port))).expect("inside").expect("connected");
    let (mut here, from) = server.accept().expect("accepted");
    assert_eq!(from.ip(), Ipv4Addr::new(10, 77, 0, 50));
    there.write_all(b"hello").expect("sent");
    drop(there);
    let mut heard = String::new();
    here.read_to_string(&mut heard).expect("received");
    assert_eq!(heard, "hello");

    assert_eq!(client.neighbour(lb1.address()).expect("neighbours"), Some(Mac([2, 0, 10, 77, 0, 1])));
    assert_eq!(lab.name_of_mac(lb1.mac()), Some("lb1"));
    assert!(lb1.counters().expect("counters").received_bytes > 0);
}

#[test]
fn pulled_cable_takes_carrier_away_and_plugging_gives_it_back() {
    let lab = lab();
    let lb1 = lab.host("lb1");
    assert!(lb1.has_carrier().expect("state"));
    lab.unplug("lb1").expect("unplugged");
    assert!(!lb1.has_carrier().expect("state"));
    assert!(!reachable(&lab, "lb1", Duration::from_millis(300)));
    assert!(lab.host("lb2").has_carrier().expect("state"));
    assert!(reachable(&lab, "lb2", SOON));
    lab.plug("lb1").expect("plugged");
    assert!(lb1.has_carrier().expect("state"));
    assert!(reachable(&lab, "lb1", SOON));
}

#[test]
fn parted_hosts_do_not_hear_each_other_and_everyone_else_hears_both() {
    let lab = lab();
    let [client, lb2] = ["client", "lb2"].map(|host| Capture::start(lab.host(host)).expect("capturing"));
    let advertise = || lab.host("lb1").run(send_advert).expect("inside").expect("sent");
    let hears = |capture: &Capture, from| capture.wait_for(from, SOON, |frame| frame.advert().is_some());

    lab.part(&["lb1", "lb2"]).expect("parted");
    let parted = Moment::now();
    advertise();
    assert!(hears(&client, parted).is_some());
    let joined = lab.join(&["lb1", "lb2"]).expect("joined");
    advertise();
    let first = hears(&lb2, parted).expect("the second one");
    assert!(first.at >= joined, "lb2 heard what was sent while it was parted");
    assert!(lab.host("lb1").has_carrier().expect("state"));
}

/// Whether `host` answers the client: a port that nobody listens on refuses, an absent host does not. The kernel asks
/// for a silent host's card once a second only.
fn reachable(lab: &Lab, host: &str, within: Duration) -> bool {
    let target = SocketAddr::from((lab.host(host).address(), 9));
    let attempt = || TcpStream::connect_timeout(&target, within);
    let refused = lab.host("client").run(attempt).expect("inside").expect_err("nobody listens");
    refused.kind() == std::io::ErrorKind::ConnectionRefused
}

#[test]
fn addresses_come_and_go() {
    let lab = lab();
    let lb2 = lab.host("lb2");
    assert!(!lb2.holds(ADDRESS).expect("addresses"));
    lb2.add_address(VIP).expect("added");
    assert!(lb2.holds(ADDRESS).expect("addresses"));
    lb2.delete_address(VIP).expect("deleted");
    assert!(!lb2.holds(ADDRESS).expect("addresses"));
    let error = lb2.delete_address(VIP).expect_err("it is gone");
    assert!(error.to_string().contains("10.77.0.100/24"), "{error}");
}

#[test]
fn client_hears_adverts_and_gratuitous_arp_and_whence_they_come() {
    let lab = lab();
    let capture = Capture::start(lab.host("client")).expect("capturing");
    let from = Moment::now();
    lab.host("lb1").run(send_advert).expect("inside").expect("sent");
    let frame = capture.wait_for(from, SOON, |frame| frame.advert().is_some()).expect("the advert");
    assert_eq!(frame.source, lab.host("lb1").mac());
    assert!(frame.at >= from && frame.at <= Moment::now());
    let advert = frame.advert().expect("an advert");
    assert_eq!((advert.vrid, advert.priority, advert.interval), (51, 200, 10));
    assert_eq!(advert.addresses, [ADDRESS]);

    let lb2 = lab.host("lb2").mac();
    lab.host("lb2").run(|| send_gratuitous_arp(lb2)).expect("inside").expect("sent");
    let heard = capture.wait_for(from, SOON, |frame| frame.gratuitous().is_some()).expect("the announcement");
    let arp = heard.gratuitous().expect("gratuitous");
    assert_eq!((arp.sender, arp.sender_mac, heard.source), (ADDRESS, lb2, lb2));
    assert_eq!(capture.between(frame.at, heard.at), [frame]);
}

/// "10.77.0.100 is at `mac`", to everyone.
fn send_gratuitous_arp(mac: Mac) -> std::io::Result<()> {
    let eth0 = datalink::interfaces().into_iter().find(|link| link.name == "eth0").expect("a card");
    let Ok(Channel::Ethernet(mut out, _)) = datalink::channel(&eth0, datalink::Config::default()) else {
        panic!("no channel");
    };
    let vip = ADDRESS.octets();
    let frame = [&[0xff; 6][..], &mac.0, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &mac.0, &vip, &[0; 6], &vip];
    out.send_to(&frame.concat(), None).expect("room to send")
}

/// One VRRPv3 advert for vrid 51 at priority 200 every 100 ms; the checksum is nobody's business here.
fn send_advert() -> std::io::Result<usize> {
    let advert = [0x31, 51, 200, 1, 0, 10, 0, 0, 10, 77, 0, 100];
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::RAW, Some(socket2::Protocol::from(112)))?;
    socket.set_multicast_if_v4(&Ipv4Addr::new(10, 77, 0, 1))?;
    socket.send_to(&advert, &SocketAddr::from((Ipv4Addr::new(224, 0, 0, 18), 0)).into())
}

#[test]
fn application_servers_answer_with_their_name_until_they_are_killed() {
    let flavours = [Flavour::found(), Flavour::Builtin];
    for flavour in flavours {
        let lab = lab();
        let mut app = AppServer::start(&lab, "app2", &flavour).expect("started");
        let ask = |port: u16, path: &str| get(&lab, SocketAddr::from(([10, 77, 0, 12], port)), path);
        let web = ask(8080, "/").expect("answered");
        assert!(web.contains("X-Server: app2") && web.ends_with("hello from app2 (web)\n"), "{web}");
        assert!(ask(8081, "/").expect("answered").ends_with("{\"server\":\"app2\"}\n"));
        for port in [8080, 8081] {
            let health = ask(port, "/health").expect("answered");
            assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
            assert!(health.ends_with("{\"status\":\"healthy\",\"server\":\"app2\"}\n"), "{health}");
        }
        app.kill();
        assert!(ask(8080, "/").is_err(), "{flavour:?}");
        app.restart().expect("restarted");
        assert!(ask(8081, "/health").is_ok(), "{flavour:?}");
    }
}

fn get(lab: &Lab, server: SocketAddr, path: &str) -> std::io::Result<String> {
    let client = lab.host("client");
    let mut stream = client.run(|| TcpStream::connect_timeout(&server, SOON)).expect("inside")?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn traffic_counts_who_answered_and_what_failed() {
    let lab = lab();
    let _app1 = AppServer::start(&lab, "app1", &Flavour::Builtin).expect("started");
    let _app2 = AppServer::start(&lab, "app2", &Flavour::Builtin).expect("started");
    let targets = ["10.77.0.11:8080", "10.77.0.12:8081"].map(|target| target.parse().expect("an address"));
    let from = Moment::now();
    let traffic = Traffic::start(lab.host("client"), &targets, Pace::default()).expect("started");
    traffic.wait_for_successes(from, 50, SOON).expect("50 successes");
    let pulled = lab.unplug("app1").expect("unplugged");
    let timed_out = traffic.exchanges().wait(0, SOON, |all| {
        let failures = all.iter().filter(|exchange| exchange.outcome.failure().is_some());
        (failures.count() >= 20).then_some(())
    });
    timed_out.expect("20 failures");
    let plugged = lab.plug("app1").expect("plugged");
    traffic.wait_for_successes(plugged, 50, SOON).expect("50 successes");
    let to = Moment::now();

    let before = traffic.tally(from, pulled);
    assert_eq!(before.failed, 0, "{:?}", before.reasons);
    let (app1, app2) = (before.served[&(0, "app1".into())], before.served[&(1, "app2".into())]);
    assert!(app1.abs_diff(app2) <= 1, "in turn: {app1} and {app2}");
    let during = traffic.tally(pulled, plugged);
    assert!(during.failed >= 19, "{during:?}");
    assert!(during.served[&(1, "app2".into())] >= 19, "app2 goes on: {during:?}");
    let all = traffic.tally(from, to);
    assert_eq!(all.requests, before.requests + during.requests + traffic.tally(plugged, to).requests);
    let outage = plugged.since(pulled);
    assert!(all.longest_gap < outage, "one target answered all along, {outage:?}: {all:?}");
    let by_reason: usize = all.reasons.values().sum();
    assert_eq!(by_reason, all.failed);
    let unanswered = traffic.exchanges().read(|all| {
        let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed { why } if why == "timed out");
        all.iter().any(|exchange| exchange.target == 0 && failed(&exchange.outcome))
    });
    assert!(unanswered);
}

#[test]
fn dropping_the_lab_ends_what_runs_in_it_and_removes_its_files() {
    let lab = lab();
    let dir = lab.dir().to_owned();
    assert!(dir.is_dir());
    let mut command = std::process::Command::new("sh");
    // The shell is replaced, its background child is nobody's child any more when it ends.
    command.args(["-c", "sleep 1000 & echo $!"]).stdout(std::process::Stdio::piped());
    let mut shell = lab.host("app3").spawn(&mut command).expect("started");
    let mut orphan = String::new();
    let mut output = shell.stdout.take().expect("piped");
    while !orphan.ends_with('\n') {
        let mut byte = [0];
        output.read_exact(&mut byte).expect("a byte");
        orphan.push(char::from(byte[0]));
    }
    let orphan: i32 = orphan.trim().parse().expect("a process id");
    let orphan = rustix::process::Pid::from_raw(orphan).expect("not 0");
    let pidfd = rustix::process::pidfd_open(orphan, rustix::process::PidfdFlags::empty()).expect("it runs");
    shell.wait().expect("the shell has ended");
    drop(lab);
    let mut ended = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
    let soon = rustix::event::Timespec { tv_sec: 5, tv_nsec: 0 };
    assert_eq!(rustix::event::poll(&mut ended, Some(&soon)), Ok(1), "it still runs");
    assert!(!dir.exists());
}

#[test]
fn namespaces_do_not_leak_into_the_caller() {
    let before = std::fs::read_link("/proc/thread-self/ns/net").expect("a link");
    let lab = lab();
    let inside = || std::fs::read_link("/proc/thread-self/ns/net").expect("a link");
    assert_ne!(lab.host("lb1").run(inside).expect("inside"), before);
    assert_eq!(inside(), before);
}

#[test]
fn node_says_when_it_is_ready_how_it_stands_and_what_happens() {
    let lab = lab();
    let client = lab.host("client");
    let capture = Capture::start(client).expect("capturing");
    let config = lab.dir().join("vipd.toml");
    std::fs::write(&config, ADDRESS_ONLY).expect("written");
    let setup = Setup { binary: env!("CARGO_BIN_EXE_vipd").into(), config };
    let from = Moment::now();
    let mut node = Node::start(&lab, "lb1", &setup).expect("started");
    let status = node.wait_for_role(Role::Active, SOON).expect("Active");
    assert_eq!((status.node.as_str(), status.pid), ("lb1", node.pid()));
    // A node that the machine lets wait for three intervals gives the address back and listens: asked about together.
    let holds = |_: &Status| lab.host("lb1").holds(ADDRESS).expect("addresses");
    node.wait_for("address", SOON, holds).expect("it has the address");
    let announced = capture.wait_for(from, SOON, |frame| frame.gratuitous().is_some()).expect("announced");
    assert_eq!(announced.source, lab.host("lb1").mac());

    let mark = node.events().mark();
    lab.unplug("lb1").expect("unplugged");
    let left = node.events().wait(mark, SOON, |events| {
        let left = |event: &Event| matches!(event, Event::Moved { from: Role::Active, .. });
        events.iter().any(|stamped| left(&stamped.event)).then_some(())
    });
    left.unwrap_or_else(|| panic!("{}", node.explain()));
    let refused = node.wait_for_role(Role::Active, Duration::ZERO).expect_err("it has no cable");
    assert!(refused.to_string().contains("no role Active"), "{refused}");
    node.kill().expect("killed");
    assert!(node.status().is_err());
}

/// An address without a proxy.
const ADDRESS_ONLY: &str = r#"
[[node]]
name     = "lb1"
address  = "10.77.0.1"
priority = 200

[[node]]
name     = "lb2"
address  = "10.77.0.2"
priority = 100

[[vrrp]]
name      = "web"
interface = "eth0"
vrid      = 51
addresses = ["10.77.0.100/24"]
"#;

#[test]
fn node_that_cannot_start_says_why() {
    let lab = lab();
    let config = lab.dir().join("vipd.toml");
    std::fs::write(&config, "nonsense").expect("written");
    let setup = Setup { binary: env!("CARGO_BIN_EXE_vipd").into(), config };
    let error = Node::start(&lab, "lb1", &setup).expect_err("the config is nonsense").to_string();
    assert!(error.contains("ended instead of getting ready") && error.contains("nonsense"), "{error}");
}
