//! The protocol's own tests: vectors, every value of the timers, the scenarios of the state machine.

mod accepting;
mod machine;
mod meeting;
mod requirements;
mod resigning;
mod scenarios;
mod stall;
mod timing;
mod wire;

use std::net::{IpAddr, Ipv4Addr};

use super::{
    AddressSet, Centis, Dialect, Family, Params, Preempt, Priority, Received, Span, Time, Version, Vrid,
};

const US: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 5));
const LOW: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 1));
const HIGH: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 9));

fn centis(centis: u16) -> Centis {
    Centis::new(centis).expect("a valid interval")
}

/// A router of version 3 that announces only when something happened.
fn params(interval: u16, preempt: Preempt) -> Params {
    Params { version: Version::V3, interval: centis(interval), preempt, refresh: None, farewell: true }
}

fn at_ms(ms: u64) -> Time {
    Time::ZERO + Span::from_millis(ms)
}

fn advert(source: IpAddr, priority: u8, interval: u16) -> Received {
    Received {
        source,
        multicast: true,
        version: Version::V3,
        vrid: Vrid::new(51).expect("not zero"),
        priority: Priority::new(priority),
        interval: centis(interval),
        dialect: Dialect::Pseudo,
        password: None,
        addresses: AddressSet::of([US, HIGH, US], Family::V4),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let pair = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hex");
    digits.chunks(2).map(pair).collect()
}
