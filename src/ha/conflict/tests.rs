//! Which conflicts become which alarms, and when they are over.

use std::net::Ipv4Addr;

use crate::vrrp::{Dialect, Family};

use super::*;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));
const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const THEIRS: Claim = Claim { address: IpAddr::V4(VIP), mac: [2, 0, 10, 77, 0, 66] };

fn at_ms(ms: u64) -> Time {
    Time::ZERO + Span::from_millis(1_000_000 + ms)
}

fn centis(centis: u16) -> Centis {
    Centis::new(centis).expect("a valid interval")
}

fn listing(addresses: &[Ipv4Addr]) -> AddressSet {
    AddressSet::of(addresses.iter().copied().map(IpAddr::V4), Family::V4)
}

/// An advert of lb2 that is as the config wants it.
fn advert() -> Received {
    Received {
        source: PEER,
        multicast: true,
        version: Version::V3,
        vrid: Vrid::new(51).expect("not zero"),
        priority: Priority::new(100),
        interval: centis(10),
        dialect: Dialect::Pseudo,
        password: None,
        addresses: listing(&[VIP]),
    }
}

struct Bench {
    conflicts: Conflicts,
    events: Vec<Event>,
}

impl Bench {
    fn active() -> Self {
        let vrid = Vrid::new(51).expect("not zero");
        let addresses = [listing(&[VIP]), AddressSet::default()];
        let (router, version, interval) = ("web".to_owned(), Version::V3, centis(10));
        let ours = Ours { router, vrid, version, interval, addresses, verify: true };
        let mut bench = Self { conflicts: Conflicts::new(ours), events: Vec::new() };
        bench.see(0, &Sight::Role(Role::Active));
        bench
    }

    fn see(&mut self, ms: u64, sight: &Sight<'_>) -> Asks {
        self.conflicts.handle(at_ms(ms), ms, sight, &mut self.events)
    }

    fn hear(&mut self, ms: u64, advert: &Received) {
        self.see(ms, &Sight::Advert(advert, Sender::Node("lb2".to_owned())));
    }

    /// The names of the alarms that are raised, with their counts.
    fn raised(&self) -> Vec<(Alarm, u64)> {
        self.conflicts.alarms().into_iter().map(|status| (status.alarm, status.count)).collect()
    }

    fn what(&self) -> String {
        self.conflicts.alarms().remove(0).what
    }
}

#[test]
fn the_virtual_mac_of_the_router_is_no_strangers() {
    let mut bench = Bench::active();
    let of = |vrid: u8| Claim { address: IpAddr::V4(VIP), mac: [0, 0, 0x5E, 0, 1, vrid] };
    assert_eq!(bench.see(5_000, &Sight::Claim(of(51))), Asks::default());
    assert!(bench.see(5_001, &Sight::Claim(of(52))).defend);
}

#[test]
fn a_duplicate_address_is_defended_raised_counted_and_cleared() {
    let mut bench = Bench::active();
    let defend = Asks { probe: false, defend: true };
    assert_eq!(bench.see(10, &Sight::Claim(THEIRS)), defend);
    assert_eq!(bench.raised(), [], "it may have been on its way");
    assert_eq!(bench.see(210, &Sight::Timer), Asks { probe: true, defend: false });
    assert_eq!(bench.see(211, &Sight::Claim(THEIRS)), defend);
    bench.see(1_211, &Sight::Claim(THEIRS));
    assert_eq!(bench.raised(), [(Alarm::DuplicateAddress, 2)]);
    let what = bench.what();
    assert!(what.contains("02:00:0a:4d:00:42") && what.contains("10.77.0.100"), "{what}");
    assert!(bench.conflicts.deadline().is_some_and(|at| at <= at_ms(11_211)));
    bench.see(11_210, &Sight::Timer);
    assert_eq!(bench.raised().len(), 1);
    bench.see(11_211, &Sight::Timer);
    assert_eq!(bench.raised(), []);
    let [Event::AlarmRaised { .. }, Event::AlarmCleared { router, alarm, count }] = &bench.events[..] else {
        panic!("{:?}", bench.events)
    };
    assert_eq!((router.as_str(), *alarm, *count), ("web", Alarm::DuplicateAddress, 2));
}

#[test]
fn another_active_is_an_alarm_only_when_it_goes_on() {
    let mut bench = Bench::active();
    for ms in [0, 100, 200, 300] {
        bench.hear(ms, &advert());
    }
    assert_eq!(bench.raised(), [], "it had no time to give way");
    bench.hear(400, &advert());
    assert_eq!(bench.raised(), [(Alarm::TwoActives, 1)]);
    assert!(bench.what().starts_with("lb2 (10.77.0.2) advertises with priority 100"), "{}", bench.what());

    // Now and then is not going on, resigning is not advertising, and a Backup expects an Active.
    let mut bench = Bench::active();
    (0..10).for_each(|round| bench.hear(round * 400, &advert()));
    (0..10)
        .for_each(|ms| bench.hear(10_000 + ms * 100, &Received { priority: Priority::RESIGN, ..advert() }));
    bench.see(20_000, &Sight::Role(Role::Backup));
    (0..10).for_each(|ms| bench.hear(20_000 + ms * 100, &advert()));
    assert_eq!((bench.raised(), bench.events.len()), (vec![], 0));
}

#[test]
fn a_stranger_on_our_vrid_is_an_alarm_at_once_and_only_that() {
    let mut bench = Bench::active();
    let odd = Received { interval: centis(100), addresses: listing(&[]), ..advert() };
    for ms in 0..10 {
        bench.see(ms * 100, &Sight::Advert(&odd, Sender::Stranger));
    }
    assert_eq!(bench.raised(), [(Alarm::Stranger, 10)]);
    assert!(bench.what().contains("VRID 51"), "{}", bench.what());
    assert_eq!(bench.events.len(), 1);
}

#[test]
fn peers_that_are_configured_differently_are_named() {
    let mut bench = Bench::active();
    bench.see(0, &Sight::Role(Role::Backup));
    bench.hear(0, &advert());
    assert_eq!(bench.raised(), []);
    let more = [VIP, Ipv4Addr::new(10, 77, 0, 101)];
    bench.hear(100, &Received { addresses: listing(&more), ..advert() });
    assert_eq!(bench.raised(), [(Alarm::AddressesDiffer, 1)]);
    assert!(bench.what().contains("lists 2 addresses where we list 1"), "{}", bench.what());
    bench.hear(200, &Received { addresses: listing(&more[1..]), ..advert() });
    assert!(bench.what().contains("other addresses than we do"), "{}", bench.what());

    let slow = Received { interval: centis(4_000), ..advert() };
    let mut bench = Bench::active();
    bench.see(0, &Sight::Role(Role::Backup));
    bench.hear(0, &slow);
    assert_eq!(bench.raised(), [(Alarm::IntervalDiffers, 1)]);
    assert!(bench.what().contains("every 40s, our advert_interval is 100ms"), "{}", bench.what());
    // Not cleared before the next advert of so slow a peer.
    bench.see(41_000, &Sight::Timer);
    assert_eq!(bench.raised().len(), 1);
}

#[test]
fn whose_name_cannot_be_told_is_no_stranger() {
    let mut bench = Bench::active();
    bench.see(0, &Sight::Advert(&advert(), Sender::Unknown));
    assert_eq!(bench.raised(), []);
    for ms in 1..9 {
        bench.see(ms * 100, &Sight::Advert(&advert(), Sender::Unknown));
    }
    assert!(bench.what().starts_with("10.77.0.2 advertises"), "{}", bench.what());
}
