//! What a node that takes many addresses over puts on the wire, millisecond by millisecond.

use super::*;

fn at_us(micros: u64) -> Time {
    Time::from_micros(micros)
}

/// The packets of announcements: router and address.
fn announced(packets: &[(usize, usize)]) -> Vec<(Kind, Packet)> {
    packets.iter().map(|(router, address)| (Kind::Announce, packet(*router, *address))).collect()
}

const fn packet(router: usize, address: usize) -> Packet {
    Packet { router, address }
}

/// Sends as the driver does, whenever the pacer says, until nothing waits: each packet with its moment.
fn send_all(pacer: &mut Pacer, mut now: Time) -> Vec<(Time, (Kind, Packet))> {
    let mut sent = Vec::new();
    while let Some(at) = pacer.deadline() {
        now = now.max(at);
        let packet = pacer.take(now).expect("it is due");
        sent.push((now, packet));
    }
    sent
}

#[test]
fn a_few_addresses_go_out_at_once() {
    let mut pacer = Pacer::default();
    pacer.push(Kind::Announce, 0, 4);
    pacer.push(Kind::Announce, 3, 1);
    let sent = send_all(&mut pacer, at_us(5_000_000));
    assert!(sent.iter().all(|(at, _)| *at == at_us(5_000_000)), "{sent:?}");
    let order: Vec<_> = sent.into_iter().map(|(_, packet)| packet).collect();
    assert_eq!(order, announced(&[(0, 0), (3, 0), (0, 1), (0, 2), (0, 3)]));
    assert_eq!((pacer.take(at_us(6_000_000)), pacer.deadline()), (None, None));
}

#[test]
fn many_addresses_go_out_at_a_bounded_rate_and_every_one_of_them() {
    for kind in [Kind::Announce, Kind::Probe] {
        let mut pacer = Pacer::default();
        (0..255).for_each(|router| pacer.push(kind, router, 4));
        goes_out_at_the_pace(pacer);
    }
}

#[test]
fn both_kinds_share_one_pace_and_announcements_go_first() {
    let mut pacer = Pacer::default();
    (0..64).for_each(|router| pacer.push(Kind::Probe, router, 1));
    (0..64).for_each(|router| pacer.push(Kind::Announce, router, 1));
    let sent = send_all(&mut pacer, at_us(1_000_000));
    let kinds: Vec<_> = sent.iter().map(|(_, (kind, _))| *kind).collect();
    assert_eq!(kinds, [[Kind::Announce; 64], [Kind::Probe; 64]].concat());
    let took = sent.last().expect("some").0.since(at_us(1_000_000));
    assert!(took >= COST.times(128 - BURST), "{took}");
}

/// 255 routers with 4 addresses each.
fn goes_out_at_the_pace(mut pacer: Pacer) {
    let sent = send_all(&mut pacer, at_us(1_000_000));
    let mut packets: Vec<_> = sent.iter().map(|(_, (_, packet))| *packet).collect();
    packets.sort_unstable();
    packets.dedup();
    assert_eq!(packets.len(), 255 * 4);
    for window in 0..40 {
        let from = at_us(1_000_000 + window * 1_000);
        let in_it = sent.iter().filter(|(at, _)| *at >= from && *at < from + Span::from_millis(1)).count();
        assert!(in_it as u64 <= 2 * BURST, "{in_it} in millisecond {window}");
    }
    let took = sent.last().expect("some").0.since(at_us(1_000_000));
    assert!(took < Span::from_millis(33), "{took}");
}

#[test]
fn a_round_that_is_asked_for_again_and_again_still_reaches_the_last_address() {
    let mut pacer = Pacer::default();
    let mut reached = 0;
    let mut now = at_us(1_000_000);
    for _ in 0..100 {
        pacer.push(Kind::Announce, 0, 255);
        for _ in 0..10 {
            now = now.max(pacer.deadline().expect("it waits"));
            reached = reached.max(pacer.take(now).expect("due").1.address);
        }
    }
    assert_eq!(reached, 254);
}

#[test]
fn what_is_no_longer_ours_is_not_announced() {
    let mut pacer = Pacer::default();
    pacer.push(Kind::Announce, 0, 40);
    pacer.push(Kind::Announce, 1, 2);
    assert_eq!(pacer.take(at_us(1_000_000)), Some((Kind::Announce, packet(0, 0))));
    pacer.push(Kind::Probe, 0, 40);
    pacer.cancel(0);
    let order: Vec<_> =
        send_all(&mut pacer, at_us(1_000_000)).into_iter().map(|(_, packet)| packet).collect();
    assert_eq!(order, announced(&[(1, 0), (1, 1)]));
    pacer.push(Kind::Announce, 2, 0);
    assert_eq!(pacer.deadline(), None);
}
