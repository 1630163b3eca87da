//! What holds for any advert, any damage, any bytes and any order of arrival.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn any_source() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)]
}

prop_compose! {
    fn any_binding()(version in prop_oneof![Just(Version::V2), Just(Version::V3)], vrid in 1..=255_u8, source in any_source()) -> Binding {
        Binding { version, vrid: Vrid::new(vrid).expect("not zero"), source }
    }
}

proptest! {
    /// What is signed is believed, and with any bit of it flipped it is not; save those of the checksum, which are
    /// not covered.
    #[test]
    fn any_flipped_bit_is_refused(
        binding in any_binding(), pdu in prop::collection::vec(any::<u8>(), 8..120), bit in any::<prop::sample::Index>(),
        seconds in any::<u32>(), fraction in any::<u16>(),
    ) {
        let now = Utc { seconds, fraction };
        let mut image = pdu.clone();
        image.extend(member().sign(now, binding, &pdu).expect("signed"));
        prop_assert_eq!(judge(&mut member(), now, binding, &image), Ok(()));
        let bit = bit.index(image.len() * 8);
        image[bit / 8] ^= 1 << (bit % 8);
        let judged = judge(&mut member(), now, binding, &image);
        prop_assert_eq!(judged.is_ok(), (48..64).contains(&bit), "bit {}", bit);
    }

    /// Whatever comes, it is refused with a reason that speaks of authentication, and nothing is remembered of it.
    #[test]
    fn any_bytes_are_refused(
        binding in any_binding(), pdu in prop::collection::vec(any::<u8>(), 0..60), trailer in any::<[u8; LENGTH]>(),
        plausible in any::<bool>(),
    ) {
        let mut trailer = trailer;
        if plausible {
            trailer[..8].copy_from_slice(&[1, 1, 0, 0, 0x68, 0, 0, 0]);
        }
        let mut member = member();
        let judged = member.verify(THEN, binding, &pdu, Some(trailer));
        prop_assert!(judged.is_err_and(|refusal| refusal >= Refusal::AuthUnexpected));
        prop_assert!(member.replay.marks.is_empty());
        prop_assert_eq!(member.verify(THEN, binding, &pdu, None), Err(Refusal::AuthMissing));
    }

    /// Adverts of many senders with clocks apart, in any order and any number of times: none is believed twice, none
    /// after a newer one of its sender, and memory stays bounded.
    #[test]
    fn no_order_of_arrival_gets_a_replay_through(
        arrivals in prop::collection::vec((0..24_u8, 0..8_u16, 0..3_i32), 1..200),
    ) {
        let mut receiver = member();
        let mut newest: HashMap<u8, (i32, u16)> = HashMap::new();
        for (host, fraction, seconds) in arrivals {
            let source = from(&format!("10.0.1.{host}"));
            let signed_at = Utc { fraction, ..later(seconds) };
            let trailer = member().sign(signed_at, source, &[0; 12]);
            let judged = receiver.verify(THEN, source, &[0; 12], trailer);
            let is_newer = newest.get(&host).is_none_or(|newest| (seconds, fraction) > *newest);
            match judged {
                Ok(()) => {
                    prop_assert!(is_newer, "{host} at {seconds} s");
                    newest.insert(host, (seconds, fraction));
                }
                Err(refusal) => prop_assert_eq!(refusal, Refusal::AuthReplay),
            }
            prop_assert!(receiver.replay.marks.len() <= SENDERS);
        }
    }

    /// The same, with no more senders than are remembered: what is new is believed, always.
    #[test]
    fn what_is_new_is_believed(arrivals in prop::collection::vec((0..16_u8, 0..8_u16), 1..100)) {
        let mut receiver = member();
        let mut newest: HashMap<u8, u16> = HashMap::new();
        for (host, fraction) in arrivals {
            let source = from(&format!("fe80::{host:x}"));
            let trailer = member().sign(Utc { fraction, ..THEN }, source, &[0; 12]);
            let is_newer = newest.get(&host).is_none_or(|newest| fraction > *newest);
            prop_assert_eq!(receiver.verify(THEN, source, &[0; 12], trailer).is_ok(), is_newer);
            if is_newer {
                newest.insert(host, fraction);
            }
        }
    }

    /// Any text is a key file or is not, without a panic; what it says of the lines names lines that are there.
    #[test]
    fn any_text_is_answered(text in "[0-9a-f #x\n\u{e9}]{0,200}") {
        match Keys::parse(&text) {
            Ok(keys) => prop_assert!(keys.ids().count() > 0),
            Err(wrong) => prop_assert!(!wrong.is_empty() && wrong.iter().all(|line| line.line <= text.lines().count())),
        }
    }
}
