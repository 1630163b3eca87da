//! From the fields of an advert to the bytes on the wire and back, with a trailer behind it.

use super::vectors::{V4, V6, path};
use super::*;
use crate::vrrp::wire::{self, Advert, Password, Path};
use crate::vrrp::{Accepted, Centis, Dialect, Priority, accept, accept_v6};

/// The draft's advert as we send it: emitted, signed, sealed.
fn sealed(version: Version, path: Path, address: &str, password: Option<Password>) -> Vec<u8> {
    let Binding { vrid, .. } = from("::");
    let interval = Centis::new(100).expect("valid");
    let advert = Advert { version, vrid, priority: Priority::new(200), interval };
    let mut message = Vec::new();
    let address = address.parse().expect("an address");
    wire::emit(advert, &[address], path, Dialect::Message, password, &mut message);
    let binding = Binding { version, vrid, source: path.source };
    let trailer = member().sign(THEN, binding, &message).expect("it signs");
    wire::seal(&mut message, trailer, path);
    message
}

/// An IPv4 packet from 198.51.100.10 to the group.
fn packet(message: &[u8]) -> Vec<u8> {
    let mut packet = octets::<20>("45c00000 00000000 ff700000 c633640a e0000012").to_vec();
    packet.extend(message);
    let length = u16::try_from(packet.len()).expect("short");
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet
}

fn judged(accepted: Result<Accepted<'_>, Refusal>, auth: Option<&mut Auth>) -> Result<(), Refusal> {
    accepted.and_then(|accepted| accepted.is_authentic(THEN, auth))
}

#[test]
fn what_we_send_is_the_drafts_image_byte_for_byte() {
    let v4 = path("198.51.100.10", "224.0.0.18");
    assert_eq!(sealed(Version::V3, v4, "192.0.2.100", None), octets::<40>(V4));
    let v6 = path("fe80::10", "fe80::20");
    assert_eq!(sealed(Version::V3, v6, "fe80::100", None), octets::<52>(V6));
}

#[test]
fn the_images_are_believed_as_packets() {
    let packet = packet(&octets::<40>(V4));
    let mut member = member();
    assert_eq!(judged(accept(&packet), Some(&mut member)), Ok(()));
    assert_eq!(judged(accept(&packet), Some(&mut member)), Err(Refusal::AuthReplay));
    let [source, destination] = ["fe80::10", "fe80::20"].map(|end| end.parse().expect("an address"));
    let image = octets::<52>(V6);
    assert_eq!(judged(accept_v6(source, destination, 255, &image), Some(&mut member)), Ok(()));
    assert_eq!(member.seen().verified, 2);
}

#[test]
fn a_trailer_without_keys_and_keys_without_a_trailer_are_refused() {
    let image = octets::<40>(V4);
    assert_eq!(judged(accept(&packet(&image)), None), Err(Refusal::AuthUnexpected));
    assert_eq!(judged(accept(&packet(&image[..12])), None), Ok(()));
    assert_eq!(judged(accept(&packet(&image[..12])), Some(&mut member())), Err(Refusal::AuthMissing));
}

#[test]
fn behind_an_advert_is_a_whole_trailer_or_nothing() {
    let image = [octets::<40>(V4).as_slice(), &[0; 40]].concat();
    for length in (0..image.len()).filter(|length| ![12, 40].contains(length)) {
        assert_eq!(accept(&packet(&image[..length])).err(), Some(Refusal::Length), "{length} bytes");
    }
    let path = path("fe80::10", "fe80::20");
    let image = [octets::<52>(V6).as_slice(), &[0; 40]].concat();
    for length in (0..image.len()).filter(|length| ![24, 52].contains(length)) {
        assert_eq!(wire::parse(&image[..length], path).err(), Some(Refusal::Length), "{length} bytes");
    }
    // Over IPv6 the checksum covers the trailer: without it, it is wrong.
    assert_eq!(wire::parse(&image[..24], path).err(), Some(Refusal::Checksum));
}

#[test]
fn version_2_carries_a_trailer_behind_its_authentication_data() {
    let path = path("198.51.100.10", "224.0.0.18");
    let message = sealed(Version::V2, path, "192.0.2.100", Some(*b"secret\0\0"));
    assert_eq!(message.len(), 20 + LENGTH);
    let packet = packet(&message);
    let accepted = accept(&packet).expect("nothing is wrong with it");
    assert_eq!((accepted.pdu.len(), accepted.advert.password), (20, Some(*b"secret\0\0")));
    assert_eq!(accepted.is_authentic(THEN, Some(&mut member())), Ok(()));
}
