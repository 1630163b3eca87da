use std::net::Ipv4Addr;
use std::time::Duration;

use super::narrator::{Line, Narrator, Note};
use super::world::VIP;
use super::{CONFIG, INTERVAL, Options, line};
use crate::lab::{Advert, Arp, Content, Exchange, Frame, HostSpec, Mac, Moment, Outcome, Topology};
use crate::vrrp::Centis;

#[test]
fn config_is_the_lab_s_with_the_interval_that_was_asked_for() {
    assert_eq!(CONFIG.matches(&line(INTERVAL)).count(), 1);
    assert_eq!(Options::default().config(), CONFIG);
    let slow = Options { advert_interval: Centis::new(125), ..Options::default() };
    assert!(slow.config().contains("advert_interval = \"1.25s\"\n"));
}

#[test]
fn takeover_is_told_once_with_its_times() {
    let mut lines = Vec::new();
    let mut narrator = Narrator::new(Topology::pair());
    let mut tell = |micros: u64, content: Content| {
        let at = Moment::from_micros(micros);
        let source = Mac([2, 0, 10, 77, 0, 2]);
        let frame = Frame { at, source, destination: source, content };
        narrator.handle(at, &Note::Frame(frame), &mut |Line { who, text, .. }| {
            lines.push(format!("{who}: {text}"))
        });
    };
    tell(1_000_000, advert("lb1", 200));
    tell(1_100_000, advert("lb1", 200));
    tell(1_461_000, advert("lb2", 100));
    tell(1_461_120, announcement("lb2"));
    tell(1_461_130, announcement("lb2"));
    tell(1_561_000, advert("lb2", 100));
    tell(1_600_000, advert("lb2", 0));
    let expected = [
        "lb1: advert: priority 200, first",
        "lb2: advert: priority 100, first, 361.0 ms after the last one of lb1",
        "client: hears gratuitous ARP: 10.77.0.100 is at 02:00:0a:4d:00:02 (lb2), 0.12 ms after the advert",
        "lb2: advert: priority 0, I resign",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn failures_are_told_at_their_beginning_and_summed_up_when_they_are_over() {
    let expected = [
        "the first request fails: timed out after 150.0 ms",
        "every request is answered again: 100 failed, the longest time without an answer was 202.0 ms",
    ];
    assert_eq!(told_of_requests(|n| (200..300).contains(&n)), expected);
}

#[test]
fn single_failure_counts_though_later_requests_were_answered_before_it_was_known() {
    let expected = [
        "the first request fails: timed out after 150.0 ms",
        "every request is answered again: 1 failed, the longest time without an answer was 4.0 ms",
    ];
    assert_eq!(told_of_requests(|n| n == 300), expected);
}

/// The lines about 600 requests, one every 2 ms, of which some are lost.
fn told_of_requests(lost: impl Fn(u64) -> bool) -> Vec<String> {
    let request = |n: u64| {
        let sent = Moment::from_micros(1_000_000 + n * 2_000);
        let (millis, outcome) = if lost(n) {
            (150, Outcome::Failed { why: "timed out".into() })
        } else {
            (1, Outcome::Answered { status: 200, server: Some("app1".into()) })
        };
        Exchange { sent, took: Duration::from_millis(millis), target: 0, outcome }
    };
    let mut exchanges: Vec<_> = (0..600).map(request).collect();
    exchanges.sort_by_key(|exchange| exchange.sent + exchange.took);
    let mut lines = Vec::new();
    let mut narrator = Narrator::new(Topology::pair());
    for exchange in exchanges {
        let ended = exchange.sent + exchange.took;
        narrator.handle(ended, &Note::Exchange(exchange), &mut |line| lines.push(line.text));
    }
    lines
}

fn host(name: &str) -> HostSpec {
    let hosts = Topology::pair().hosts;
    hosts.into_iter().find(|host| host.name == name).expect("a host of the pair")
}

fn advert(from: &str, priority: u8) -> Content {
    Content::Advert(Advert {
        source: host(from).address.into(),
        destination: Ipv4Addr::new(224, 0, 0, 18).into(),
        ttl: 255,
        tos: 0xc0,
        version: 3,
        vrid: 51,
        priority,
        interval: 10,
        addresses: vec![VIP.into()],
    })
}

fn announcement(from: &str) -> Content {
    Content::Arp(Arp { reply: false, sender_mac: host(from).mac, sender: VIP, target: VIP })
}
