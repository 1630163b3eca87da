//! Modes, rotation, and the sequence through steps and wraps of the clock.

use super::*;

const PDU: [u8; 12] = [0x31, 51, 200, 1, 0, 100, 0, 0, 192, 0, 2, 100];

fn sequence(trailer: Option<[u8; LENGTH]>) -> u64 {
    let octets: [u8; 8] = trailer.expect("signed")[4..12].try_into().expect("eight bytes");
    u64::from_be_bytes(octets)
}

#[test]
fn modes_say_who_signs_and_who_is_believed() {
    let file = format!("1 {KEY}");
    let source = from("10.0.1.9");
    let good = member().sign(THEN, source, &PDU);
    let mut forged = good;
    forged.as_mut().expect("signed")[27] ^= 1;
    for (mode, signs, unsigned) in [
        (Mode::ReceiveOnly, false, Ok(())),
        (Mode::Permissive, true, Ok(())),
        (Mode::Enforce, true, Err(Refusal::AuthMissing)),
    ] {
        let mut auth = auth(mode, 1, &file);
        assert_eq!(auth.sign(THEN, source, &PDU).is_some(), signs, "{mode}");
        assert_eq!(auth.verify(THEN, source, &PDU, None), unsigned, "{mode}");
        assert_eq!(auth.verify(THEN, source, &PDU, forged), Err(Refusal::AuthForged), "{mode}");
        assert_eq!(auth.verify(THEN, source, &PDU, good), Ok(()), "{mode}");
        assert_eq!((auth.seen().verified, auth.seen().unsigned), (1, u64::from(unsigned.is_ok())), "{mode}");
    }
}

#[test]
fn a_key_is_replaced_without_a_refusal() {
    let new = KEY.replace("00", "f0");
    let (one, both) = (format!("1 {KEY}"), format!("1 {KEY}\n2 {new}"));
    let source = from("10.0.1.9");
    // Old key alone; both, the old one signs; both, the new one signs; the new one alone.
    let steps = [(1, one), (1, both.clone()), (2, both), (2, format!("2 {new}"))];
    for pair in steps.windows(2) {
        for (signer, verifier) in [(0, 1), (1, 0), (1, 1)] {
            let trailer = auth(Mode::Enforce, pair[signer].0, &pair[signer].1).sign(THEN, source, &PDU);
            let mut verifier = auth(Mode::Enforce, pair[verifier].0, &pair[verifier].1);
            assert_eq!(verifier.verify(THEN, source, &PDU, trailer), Ok(()), "{pair:?}");
        }
    }
}

#[test]
fn a_key_to_sign_with_must_be_there() {
    let policy = Policy { active: id(2), ..member().policy() };
    assert!(Auth::new(policy, Keys::parse(&format!("1 {KEY}")).expect("a key")).is_none());
}

#[test]
fn what_is_sent_within_one_moment_still_grows() {
    let (mut sender, mut receiver) = (member(), member());
    let source = from("10.0.1.9");
    let mut last = None;
    for _ in 0..70_000 {
        let trailer = sender.sign(THEN, source, &PDU);
        let sequence = sequence(trailer);
        assert!(last.is_none_or(|last| sequence > last), "also when the counter is full");
        last = Some(sequence);
    }
    let trailer = sender.sign(THEN, source, &PDU);
    assert_eq!(receiver.verify(THEN, source, &PDU, trailer), Ok(()));
}

#[test]
fn a_clock_that_is_set_back_a_little_costs_nothing() {
    let (mut sender, mut receiver) = (member(), member());
    let source = from("10.0.1.9");
    for seconds in [0, -1, -4, -5, 0, 1] {
        let trailer = sender.sign(later(seconds), source, &PDU);
        assert_eq!(receiver.verify(THEN, source, &PDU, trailer), Ok(()), "{seconds} s");
    }
}

#[test]
fn a_clock_that_was_an_hour_ahead_recovers_on_both_sides() {
    let (mut sender, mut receiver) = (member(), member());
    let source = from("10.0.1.9");
    let ahead = sender.sign(later(3_600), source, &PDU);
    assert_eq!(receiver.verify(THEN, source, &PDU, ahead), Err(Refusal::AuthStale));
    let trailer = sender.sign(THEN, source, &PDU);
    assert_eq!(sequence(trailer) >> 32, u64::from(THEN.seconds), "the sender begins again");
    assert_eq!(receiver.verify(THEN, source, &PDU, trailer), Ok(()));

    // The receiver's clock was wrong as well: its mark lies out of reach, and is forgotten.
    let (mut sender, mut receiver) = (member(), member());
    let ahead = sender.sign(later(3_600), source, &PDU);
    assert_eq!(receiver.verify(later(3_600), source, &PDU, ahead), Ok(()));
    let trailer = sender.sign(THEN, source, &PDU);
    assert_eq!(receiver.verify(THEN, source, &PDU, trailer), Ok(()));
    assert_eq!(receiver.verify(THEN, source, &PDU, trailer), Err(Refusal::AuthReplay));
}

#[test]
fn the_wraps_of_2038_and_2106_are_no_events() {
    let source = from("10.0.1.9");
    for first in [0x7FFF_FFFE_u32, 0xFFFF_FFFE] {
        let (mut sender, mut receiver) = (member(), member());
        for second in 0..5 {
            let now = Utc { seconds: first.wrapping_add(second), fraction: 0 };
            let trailer = sender.sign(now, source, &PDU);
            assert_eq!(receiver.verify(now, source, &PDU, trailer), Ok(()), "{first:#x} + {second} s");
            assert_eq!(receiver.verify(now, source, &PDU, trailer), Err(Refusal::AuthReplay));
        }
    }
}

#[test]
fn more_senders_than_are_remembered_open_no_gap() {
    let mut receiver = member();
    let adverts: Vec<_> = (0..50_u8)
        .map(|host| {
            let source = from(&format!("10.0.1.{host}"));
            // Each is signed a little later than the one before, as they would be.
            let now = Utc { fraction: THEN.fraction + u16::from(host), ..THEN };
            (source, member().sign(now, source, &PDU))
        })
        .collect();
    for (source, trailer) in &adverts {
        assert_eq!(receiver.verify(THEN, *source, &PDU, *trailer), Ok(()));
    }
    assert_eq!(receiver.replay.marks.len(), SENDERS);
    for (source, trailer) in adverts {
        assert_eq!(receiver.verify(THEN, source, &PDU, trailer), Err(Refusal::AuthReplay), "{source:?}");
    }
}

#[test]
fn a_forger_moves_no_mark() {
    let (mut sender, mut receiver) = (member(), member());
    let source = from("10.0.1.9");
    let mut forged = sender.sign(later(5), source, &PDU).expect("signed");
    forged[27] ^= 1;
    assert_eq!(receiver.verify(THEN, source, &PDU, Some(forged)), Err(Refusal::AuthForged));
    assert_eq!(receiver.replay.marks, []);
}

#[test]
fn the_window_follows_the_interval_within_bounds() {
    use crate::vrrp::Span;
    for (millis, seconds) in [(10, 5), (1_000, 5), (2_000, 6), (40_950, 122), (255_000, 300)] {
        assert_eq!(Window::for_interval(Span::from_millis(millis)).seconds(), seconds, "{millis} ms");
    }
    assert_eq!([0, 1, 300, 301].map(|seconds| Window::new(seconds).is_some()), [false, true, true, false]);
}
