//! What must hold for any bytes; the fuzz targets and `integration/vectors.rs` share it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vipd::http::{
    Answering, Body, Date, Decoder, END, LAST_CHUNK, Lines, MAX_LINES, Malformed, Origin, Part, Request,
    Response, Scan, Toward, Version as HttpVersion, frame, rewrite_request, rewrite_response,
};
use vipd::net::arp::{Form, gratuitous};
use vipd::net::claim::Claim;
use vipd::net::{arp_watch, ndp, ndp_watch};
use vipd::pool::SendProxy;
use vipd::proxy::proxy_header::{self, Header, MAX_BINARY, emit};
use vipd::vrrp::auth::{Auth, Binding, KeyId, Keys, LENGTH, Mode, Policy, Utc, Window};
use vipd::vrrp::wire::{self, Path};
use vipd::vrrp::{
    Effect, Input, Machine, Params, Preempt, Priority, Role, Time, Version, Vrid, accept, accept_v6,
};

#[path = "../differential/judge.rs"]
pub(crate) mod judge;

/// A packet from the wire, header first: refused with a reason, or understood as it was meant. Whatever it says, a
/// machine that hears it has at most one role and one deadline, and an Active never loses its addresses unless it
/// also leaves its role.
pub(crate) fn advert(packet: &[u8]) {
    let link_local = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 1);
    for source in [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 251)), IpAddr::V6(link_local)] {
        understood(packet, Path::to_group(source));
    }
    let over_ipv6 = accept_v6(link_local, wire::GROUP_V6, wire::TTL, packet);
    let Ok(accepted) = accept(packet).or(over_ipv6) else { return };
    let received = accepted.advert;
    assert_eq!(
        accepted.is_authentic(Utc { seconds: 0, fraction: 0 }, None).is_ok(),
        accepted.trailer.is_none()
    );
    let params = Params {
        version: received.version,
        interval: received.interval,
        preempt: Preempt::Always,
        refresh: None,
        farewell: true,
    };
    for priority in [Priority::UNFIT, Priority::new(100), Priority::OWNER] {
        let mut machine = Machine::new(params, priority);
        let mut out = Vec::new();
        machine.handle(Time::ZERO, Input::Startup { source: [10, 0, 1, 5].into() }, &mut out);
        out.clear();
        let before = machine.role();
        machine.handle(Time::from_micros(1), Input::Advert(received), &mut out);
        assert!(machine.deadline().is_some());
        let released = out.contains(&Effect::Release);
        assert_eq!(released, before == Role::Active && machine.role() != Role::Active);
    }
}

/// What was parsed means the same when it is emitted again.
fn understood(message: &[u8], path: Path) {
    let Ok(parsed) = wire::parse(message, path) else { return };
    let address = |bytes: &[u8]| match <[u8; 4]>::try_from(bytes) {
        Ok(v4) => IpAddr::from(v4),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(bytes).expect("4 or 16 bytes")),
    };
    let width = if path.source.is_ipv4() { 4 } else { 16 };
    let addresses: Vec<_> = parsed.addresses.chunks(width).map(address).collect();
    let mut again = Vec::new();
    wire::emit(parsed.advert, &addresses, path, parsed.dialect, parsed.password, &mut again);
    assert_eq!(wire::parse(&again, path).map(|again| again.advert), Ok(parsed.advert));
}

/// An advert with an authentication trailer at its end, as it comes behind the IP header. What our key did not sign is
/// never believed, what it did is believed once, and a key file of the same bytes is read or refused.
pub(crate) fn auth(image: &[u8]) {
    let text = "1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let keys = Keys::parse(text).expect("a key");
    let (Some(active), Some(window), Some(vrid)) = (KeyId::new(1), Window::new(5), Vrid::new(51)) else {
        return;
    };
    let policy = Policy { active, mode: Mode::Enforce, window };
    let member = || Auth::new(policy, keys.clone()).expect("its key is there");
    let now = Utc { seconds: 0x6800_0000, fraction: 0x8000 };
    let _read_or_refused = Keys::parse(&String::from_utf8_lossy(image));
    let Some((pdu, trailer)) = image.split_last_chunk::<LENGTH>() else { return };
    let sources: [IpAddr; 2] =
        [Ipv4Addr::new(198, 51, 100, 10).into(), Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0x10).into()];
    for (version, source) in [(Version::V3, sources[0]), (Version::V3, sources[1]), (Version::V2, sources[0])]
    {
        let binding = Binding { version, vrid, source };
        let mut receiver = member();
        let judged = receiver.verify(now, binding, pdu, Some(*trailer));
        if judged.is_ok() {
            assert_eq!(
                signed_like(member(), binding, pdu, *trailer),
                Some(*trailer),
                "nobody else has the key"
            );
        }
        assert!(receiver.verify(now, binding, pdu, Some(*trailer)).is_err(), "never twice");
        let ours = member().sign(now, binding, pdu);
        assert_eq!(ours.is_some(), pdu.len() >= 8);
        assert!(ours.is_none_or(|ours| member().verify(now, binding, pdu, Some(ours)).is_ok()));
    }
}

/// What `sender` signs an advert with at the time of `trailer` and as often as its counter says.
fn signed_like(
    mut sender: Auth,
    binding: Binding,
    pdu: &[u8],
    trailer: [u8; LENGTH],
) -> Option<[u8; LENGTH]> {
    let [_, _, _, _, a, b, c, d, e, f, g, h, ..] = trailer;
    let then = Utc { seconds: u32::from_be_bytes([a, b, c, d]), fraction: u16::from_be_bytes([e, f]) };
    (0..=u16::from_be_bytes([g, h])).map(|_| sender.sign(then, binding, pdu)).last().flatten()
}

/// A frame of ARP or of neighbour discovery. What it claims is in it, is an address that a host can have, and is what
/// an announcement of the same says.
pub(crate) fn claim(frame: &[u8]) {
    let (arp, ndp) = (arp_watch::claim(frame), ndp_watch::claim(frame));
    assert!(arp.is_none() || ndp.is_none(), "one frame, one family");
    let Some(claimed) = arp.or(ndp) else { return };
    let Claim { address, mac } = claimed;
    let there = |wanted: &[u8]| frame.windows(wanted.len()).any(|bytes| bytes == wanted);
    assert!(!address.is_unspecified() && there(&mac));
    let again = match address {
        IpAddr::V4(address) => {
            assert!(there(&address.octets()));
            arp_watch::claim(&gratuitous(mac, address, Form::Reply))
        }
        IpAddr::V6(address) => {
            assert!(there(&address.octets()) && !address.is_multicast());
            ndp_watch::claim(&announced(&ndp::unsolicited(mac, address), address))
        }
    };
    assert_eq!(again, Some(claimed));
}

/// The frame of an announcement over IPv6.
fn announced(message: &[u8; 32], source: Ipv6Addr) -> Vec<u8> {
    let all_nodes = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1);
    let header = [0x86, 0xDD, 0x60, 0, 0, 0, 0, 32, 58, 255];
    [&[0; 12][..], &header, &source.octets(), &all_nodes.octets(), message].concat()
}

const LONGEST: usize = 8192;

/// A head is found in the same place however its bytes arrive, and what is found is parsed or refused.
pub(crate) fn head(bytes: &[u8]) {
    for scan in [Scan::request, Scan::response] {
        let whole = scan().find(bytes, LONGEST);
        let step = bytes.first().map_or(1, |first| usize::from(first % 7) + 1);
        let (mut growing, mut split) = (scan(), Ok(None));
        for end in (0..bytes.len()).step_by(step).chain([bytes.len()]) {
            split = growing.find(&bytes[..end], LONGEST);
            if !matches!(split, Ok(None)) {
                break;
            }
        }
        assert_eq!(split, whole);
        let Ok(Some(range)) = whole else { continue };
        let (mut one, mut other) = (Lines::new(), Lines::new());
        let _read_or_refused =
            Request::parse(&bytes[range.clone()], &mut one, MAX_LINES).map(|it| it.facts().is_ok());
        let _read_or_refused = Response::parse(&bytes[range], &mut other, MAX_LINES);
    }
}

/// What the framing of an accepted head says is what its fields say: a length or chunks, never both, never guessed.
pub(crate) fn framing(bytes: &[u8]) {
    let names = |headers: &[httparse::Header<'_>], name: &str| {
        headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name)).count()
    };
    let sound = |body: Body, headers: &[httparse::Header<'_>]| {
        let (lengths, codings) = (names(headers, "content-length"), names(headers, "transfer-encoding"));
        assert!(lengths + codings <= 1);
        match body {
            Body::Length(_) => assert_eq!((lengths, codings), (1, 0)),
            Body::Chunked => assert_eq!((lengths, codings), (0, 1)),
            Body::Empty | Body::UntilClose => {}
        }
    };
    if let Ok(Some(range)) = Scan::request().find(bytes, LONGEST) {
        let mut lines = Lines::new();
        if let Ok(request) = Request::parse(&bytes[range], &mut lines, MAX_LINES)
            && let Ok(facts) = request.facts()
        {
            sound(facts.body, request.headers);
            assert_ne!(facts.body, Body::UntilClose);
            assert!(facts.host.is_some() || request.version == HttpVersion::Http10);
            assert!(!facts.upgrade || facts.body == Body::Empty);
        }
    }
    let Ok(Some(range)) = Scan::response().find(bytes, LONGEST) else { return };
    let mut lines = Lines::new();
    let Ok(response) = Response::parse(&bytes[range], &mut lines, MAX_LINES) else { return };
    for to in [(false, false), (true, false), (false, true)].map(|(is_head, upgrade)| Answering {
        is_head,
        upgrade,
        ..Answering::default()
    }) {
        let Ok(facts) = response.facts(to) else { continue };
        sound(facts.body, response.headers);
        assert!(!facts.switches || to.upgrade && response.status == 101);
        assert!(!(to.is_head && facts.body != Body::Empty));
    }
}

/// What is passed on is one message in every reading that a server may have of it, and the same one.
pub(crate) fn rewrite(bytes: &[u8]) {
    if let Ok(Some(range)) = Scan::request().find(bytes, LONGEST) {
        let mut lines = Lines::new();
        if let Ok(request) = Request::parse(&bytes[range], &mut lines, 100)
            && let Ok(facts) = request.facts()
        {
            let mut out = Vec::new();
            rewrite_request(
                &request,
                &facts,
                Origin { client: "192.0.2.7", host: "10.0.0.1:80", secure: false },
                &mut out,
            );
            match facts.body {
                Body::Length(length @ ..=64) => out.extend((0..length).map(|_| b'x')),
                Body::Chunked => out.extend_from_slice(b"1\r\nx\r\n0\r\n\r\n"),
                Body::Length(_) | Body::Empty | Body::UntilClose => {}
            }
            let objections = judge::objections(&out);
            assert!(objections.is_empty(), "{:?}: {}", objections.first(), out.escape_ascii());
        }
    }
    let Ok(Some(range)) = Scan::response().find(bytes, LONGEST) else { return };
    let mut lines = Lines::new();
    let Ok(response) = Response::parse(&bytes[range], &mut lines, 100) else { return };
    let Ok(facts) = response.facts(Answering { is_head: false, upgrade: true, ..Answering::default() })
    else {
        return;
    };
    let mut out = Vec::new();
    let toward = Toward { version: HttpVersion::Http11, persistent: true };
    rewrite_response(&response, &facts, toward, &Date::at(0), &mut out);
    assert_eq!(Scan::response().find(&out, LONGEST * 2), Ok(Some(0..out.len())));
    let mut lines = Lines::new();
    let again = Response::parse(&out, &mut lines, MAX_LINES).expect("it was well-formed before");
    let again = again
        .facts(Answering { is_head: false, upgrade: true, ..Answering::default() })
        .expect("it was sound before");
    let until_close = facts.body == Body::UntilClose && again.body == Body::Chunked;
    assert!(again.body == facts.body || until_close, "{facts:?} became {again:?}");
}

/// A chunked body has the same parts however it arrives, and the same data when it is framed anew.
pub(crate) fn chunked(bytes: &[u8]) {
    let whole = parts(bytes, bytes.len().max(1));
    let step = bytes.first().map_or(1, |first| usize::from(first % 7) + 1);
    match (parts(bytes, step), &whole) {
        (Ok(split), Ok(whole)) => assert_eq!(&split, whole),
        (split, whole) => assert_eq!(split.as_ref().err(), whole.as_ref().err()),
    }
    let Ok((data, trailers, done, _)) = whole else { return };
    assert!(data.len() + trailers.len() <= bytes.len());
    if !done {
        return;
    }
    let mut again = Vec::new();
    frame(&data, &mut again);
    again.extend([LAST_CHUNK, &trailers, END].concat());
    assert_eq!(parts(&again, again.len()), Ok((data, trailers, true, 0)));
}

/// A PROXY header is the same however its bytes arrive, ends where it says, and says the same when it is emitted again.
pub(crate) fn proxy_header(bytes: &[u8]) {
    let whole = proxy_header::parse(bytes);
    let grown: Vec<_> =
        (0..bytes.len().min(2 * MAX_BINARY)).map(|end| proxy_header::parse(&bytes[..end])).collect();
    let decided = grown.iter().position(|parsed| *parsed != Ok(None));
    assert!(decided.is_none_or(|at| grown[at..].iter().all(|parsed| *parsed == whole)));
    let Ok(Some((header, length))) = whole else { return };
    assert!((1..=bytes.len().min(MAX_BINARY)).contains(&length));
    assert!(decided.is_none_or(|at| at == length));
    let Header::Client { source, destination } = header else { return };
    for version in [SendProxy::V1, SendProxy::V2] {
        let mut again = Vec::new();
        emit(version, Some((source, destination)), &mut again);
        let plain = |at: std::net::SocketAddr| (at.ip().to_canonical(), at.port());
        let expected = if plain(source).0.is_ipv4() == plain(destination).0.is_ipv4() {
            let (source, destination) = (plain(source).into(), plain(destination).into());
            Header::Client { source, destination }
        } else {
            Header::Nobody
        };
        assert_eq!(proxy_header::parse(&again), Ok(Some((expected, again.len()))));
    }
}

/// Data, trailers, whether the body is over, and how many bytes are left, when `step` bytes arrive at a time.
fn parts(bytes: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u8>, bool, usize), Malformed> {
    let mut decoder = Decoder::default();
    let (mut data, mut trailers, mut used) = (Vec::new(), Vec::new(), 0);
    for end in (0..bytes.len()).step_by(step).chain([bytes.len()]) {
        let mut piece = &bytes[used.min(end)..end];
        while let Some(part) = decoder.next(&mut piece)? {
            match part {
                Part::Data(bytes) => data.extend_from_slice(bytes),
                Part::Trailer(line) => trailers.extend_from_slice(line),
            }
        }
        used = end - piece.len();
    }
    Ok((data, trailers, decoder.is_done(), bytes.len() - used))
}
