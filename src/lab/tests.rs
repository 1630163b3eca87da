use std::time::Duration;

use super::{Exchange, Frame, Journal, Mac, Moment, Outcome, Tally};

const AT: Moment = Moment::from_micros(7);

#[test]
fn advert_is_read_to_where_ip_says_it_ends() {
    let mut bytes = vec![1, 0, 0x5e, 0, 0, 18, 2, 0, 10, 77, 0, 1, 8, 0];
    bytes.extend([0x45, 0xc0, 0, 32, 0, 0, 0x40, 0, 255, 112, 0, 0, 10, 77, 0, 1, 224, 0, 0, 18]);
    bytes.extend([0x31, 51, 200, 1, 0x00, 0x64, 0xab, 0xcd, 10, 77, 0, 100]);
    bytes.extend([0; 14]);
    let frame = Frame::parse(AT, &bytes).expect("an advert");
    assert_eq!((frame.at, frame.source), (AT, Mac([2, 0, 10, 77, 0, 1])));
    let advert = frame.advert().expect("an advert");
    assert_eq!((advert.ttl, advert.tos, advert.version), (255, 0xc0, 3));
    assert_eq!((advert.vrid, advert.priority, advert.interval), (51, 200, 100));
    assert_eq!(advert.addresses, ["10.77.0.100".parse::<std::net::IpAddr>().expect("an address")]);
    for cut in 0..46 {
        assert_eq!(Frame::parse(AT, &bytes[..cut]), None, "cut to {cut} bytes");
    }
}

#[test]
fn advert_over_ipv6_is_read_to_where_ip_says_it_ends() {
    let source = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0xff, 0xfe, 0x4d, 0, 1];
    let group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12];
    let mut bytes = vec![0x33, 0x33, 0, 0, 0, 0x12, 2, 0, 10, 77, 0, 1, 0x86, 0xdd];
    bytes.extend([0x6c, 0, 0, 0, 0, 24, 112, 255]);
    bytes.extend([source, group].concat());
    bytes.extend([0x31, 51, 200, 1, 0x00, 0x64, 0xab, 0xcd]);
    bytes.extend(source);
    bytes.extend([0; 4]);
    let frame = Frame::parse(AT, &bytes).expect("an advert");
    let advert = frame.advert().expect("an advert");
    assert_eq!((advert.source, advert.destination), (source.into(), group.into()));
    assert_eq!((advert.ttl, advert.tos, advert.version), (255, 0xc0, 3));
    assert_eq!((advert.vrid, advert.priority, advert.interval), (51, 200, 100));
    assert_eq!(advert.addresses, [std::net::IpAddr::from(source)]);
    for cut in 0..78 {
        assert_eq!(Frame::parse(AT, &bytes[..cut]), None, "cut to {cut} bytes");
    }
}

#[test]
fn neighbour_advertisement_announces_when_nobody_asked_and_it_replaces_what_is_known() {
    let vip = [0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    let told = |flags: u8| {
        let mut bytes = vec![0x33, 0x33, 0, 0, 0, 1, 0, 0, 0x5e, 0, 2, 51, 0x86, 0xdd];
        bytes.extend([0x60, 0, 0, 0, 0, 32, 58, 255]);
        bytes.extend([vip, [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]].concat());
        bytes.extend([136, 0, 0, 0, flags, 0, 0, 0]);
        bytes.extend(vip);
        bytes.extend([2, 1, 0, 0, 0x5e, 0, 2, 51]);
        Frame::parse(AT, &bytes).expect("a neighbour advertisement").announcement()
    };
    let here = (std::net::IpAddr::from(vip), Mac([0, 0, 0x5e, 0, 2, 51]));
    // Router, Solicited and Override: 0x80, 0x40 and 0x20.
    assert_eq!([0xa0, 0x20].map(told), [Some(here), Some(here)]);
    assert_eq!([0x80, 0xe0, 0x60].map(told), [None, None, None]);
}

#[test]
fn questions_name_the_address_that_is_asked_for() {
    let vip = [0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    let mut bytes = vec![0x33, 0x33, 0xff, 0, 1, 0, 0, 0, 0x5e, 0, 2, 51, 0x86, 0xdd];
    bytes.extend([0x60, 0, 0, 0, 0, 24, 58, 255]);
    bytes.extend([[0; 16], [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 1, 0]].concat());
    bytes.extend([135, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(vip);
    let solicitation = Frame::parse(AT, &bytes).expect("a neighbour solicitation");
    assert_eq!((solicitation.question(), solicitation.announcement()), (Some(vip.into()), None));
    assert_eq!(Frame::parse(AT, &bytes[..77]), None);

    let arp = |operation: u8, sender: [u8; 4]| {
        let mut bytes = vec![0xff; 6];
        bytes.extend([2, 0, 10, 77, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 10, 77, 0, 1]);
        bytes.extend(sender);
        bytes.extend([0, 0, 0, 0, 0, 0, 10, 77, 0, 100]);
        Frame::parse(AT, &bytes).expect("ARP").question()
    };
    assert_eq!(arp(1, [0; 4]), Some([10, 77, 0, 100].into()));
    assert_eq!([arp(1, [10, 77, 0, 100]), arp(2, [10, 77, 0, 1])], [None, None]);
}

#[test]
fn arp_is_gratuitous_when_it_asks_for_its_own_sender() {
    let arp = |sender: u8, target: u8| {
        let mut bytes = vec![0xff; 6];
        bytes.extend([
            2, 0, 10, 77, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 10, 77, 0, 2, 10, 77, 0, sender,
        ]);
        bytes.extend([0, 0, 0, 0, 0, 0, 10, 77, 0, target]);
        Frame::parse(AT, &bytes).expect("ARP")
    };
    assert!(arp(100, 100).gratuitous().is_some());
    assert!(arp(2, 100).gratuitous().is_none());
}

#[test]
fn other_frames_are_left_alone() {
    let mut bytes = vec![0; 60];
    bytes[12] = 0x86;
    bytes[13] = 0xdd;
    assert_eq!(Frame::parse(AT, &bytes), None);
}

#[test]
fn tally_counts_what_was_sent_in_its_stretch_whenever_it_ended() {
    let exchange = |sent: u64, outcome: Outcome| Exchange {
        sent: Moment::from_micros(sent),
        took: Duration::from_micros(500),
        target: 0,
        outcome,
    };
    let answered = |status: u16| Outcome::Answered { status, server: Some("app1".into()) };
    let exchanges = [
        exchange(1_000, answered(200)),
        exchange(3_000, answered(200)),
        exchange(7_000, answered(200)),
        exchange(5_000, Outcome::Failed { why: "timed out".into() }),
        exchange(9_000, answered(503)),
        exchange(11_000, answered(200)),
    ];
    let tally = Tally::of(&exchanges, Moment::from_micros(3_000), Moment::from_micros(11_000));
    assert_eq!((tally.requests, tally.failed), (4, 2));
    assert_eq!(tally.served[&(0, "app1".to_owned())], 2);
    assert_eq!((tally.reasons["timed out"], tally.reasons["status 503"]), (1, 1));
    assert_eq!(tally.longest_gap, Duration::from_micros(4_000));
    let silent = Tally::of(&[], Moment::from_micros(10), Moment::from_micros(40));
    assert_eq!(silent.longest_gap, Duration::from_micros(30));
}

#[test]
fn journal_wakes_whoever_waits_and_gives_up_in_time() {
    let journal = Journal::new();
    journal.push(1);
    let mark = journal.mark();
    assert_eq!(journal.wait(mark, Duration::ZERO, |new| new.first().copied()), None);
    let writer = journal.clone();
    let thread = std::thread::spawn(move || (2..=3).for_each(|n| writer.push(n)));
    let seen = journal.wait(mark, Duration::from_secs(60), |new| (new.len() == 2).then(|| new.to_vec()));
    assert_eq!(seen, Some(vec![2, 3]));
    thread.join().expect("the writer is done");
}
