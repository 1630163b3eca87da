use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

fn certificate() -> Vec<u8> {
    let names = ["Shop.example.com".to_owned(), "*.example.org".to_owned(), "192.0.2.1".to_owned()];
    let mut params = CertificateParams::new(names).expect("names");
    params.not_before = date_time_ymd(1999, 12, 31);
    params.not_after = date_time_ymd(2052, 2, 29);
    let key = KeyPair::generate().expect("a key");
    params.self_signed(&key).expect("a certificate").der().to_vec()
}

#[test]
fn a_certificate_tells_its_names_and_its_time() {
    let facts = Facts::read(&certificate()).expect("a certificate");
    assert_eq!(facts.names, ["shop.example.com", "*.example.org"]);
    assert_eq!((date(facts.not_before), date(facts.not_after)), ("1999-12-31".into(), "2052-02-29".into()));
    assert_eq!(facts.issuer, facts.subject);
    for (name, covered) in [
        ("SHOP.example.com", true),
        ("www.example.org", true),
        ("a.www.example.org", false),
        ("example.org", false),
        ("example.com", false),
    ] {
        assert_eq!(facts.covers(name), covered, "{name}");
    }
}

#[test]
fn what_is_cut_off_or_bent_is_no_certificate_and_no_panic() {
    let whole = certificate();
    for length in 0..whole.len() {
        assert_eq!(Facts::read(&whole[..length]), None);
    }
    for at in 0..whole.len() {
        for bits in [0xff, 0x80, 0x01] {
            let mut bent = whole.clone();
            bent[at] ^= bits;
            // Whatever it says, it comes back.
            let _ = Facts::read(&bent);
        }
    }
}

#[test]
fn days_are_counted_as_calendars_do() {
    for (seconds, text) in [(0, "1970-01-01"), (951_782_400, "2000-02-29"), (4_107_542_400, "2100-03-01")] {
        assert_eq!(date(seconds), text);
        let digits: Vec<i64> = text.split('-').map(|part| part.parse().expect("digits")).collect();
        assert_eq!(days(digits[0], digits[1], digits[2]) * 86_400, seconds);
    }
}
