//! Our own cookie among others.

use proptest::prelude::*;

use super::*;

fn hidden(cookies: &str) -> String {
    let mut head = format!("GET /VIPD=1 HTTP/1.1\r\nHost: h\r\n{cookies}Accept: VIPD=2\r\n\r\n").into_bytes();
    hide_cookie(&mut head, "VIPD");
    let text = String::from_utf8(head).expect("text");
    let inner = text.strip_prefix("GET /VIPD=1 HTTP/1.1\r\nHost: h\r\n").expect("the beginning stays");
    inner.strip_suffix("Accept: VIPD=2\r\n\r\n").expect("the end stays").to_owned()
}

#[test]
fn our_cookie_goes_and_all_others_stay_as_they_were() {
    for (given, left) in [
        ("", ""),
        ("Cookie: VIPD=0\r\n", ""),
        ("cookie:VIPD=0\r\n", ""),
        ("Cookie: a=1; VIPD=0; b=2\r\n", "Cookie: a=1; b=2\r\n"),
        ("Cookie: VIPD=0; b=2\r\n", "Cookie: b=2\r\n"),
        ("Cookie: a=1; VIPD=0\r\n", "Cookie: a=1\r\n"),
        ("COOKIE:a=1;b=2;VIPD=0;VIPD=7\r\n", "COOKIE:a=1;b=2\r\n"),
        ("Cookie: VIPD=0\r\nX: y\r\nCookie: a=1\r\n", "X: y\r\nCookie: a=1\r\n"),
        ("Cookie: VIPDX=0; XVIPD=1; vipd=2\r\n", "Cookie: VIPDX=0; XVIPD=1; vipd=2\r\n"),
        ("Cookie: VIPD\r\n", "Cookie: VIPD\r\n"),
        ("Cookie: \r\n", ""),
        ("Cookies: VIPD=0\r\n", "Cookies: VIPD=0\r\n"),
    ] {
        assert_eq!(hidden(given), left, "{given:?}");
    }
}

#[test]
fn a_cookie_is_set_behind_the_other_fields() {
    let mut head = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n".to_vec();
    let (mut plain, private) = (head.clone(), "\r\nCache-Control: private\r\n\r\n");
    set_cookie(&mut plain, "VIPD", b"12", false);
    set_cookie(&mut head, "VIPD", b"12", true);
    let start = "HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: VIPD=12; Path=/; HttpOnly";
    assert_eq!(String::from_utf8_lossy(&plain), format!("{start}{private}"));
    assert_eq!(String::from_utf8_lossy(&head), format!("{start}; Secure{private}"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_field_says_the_other_cookies_stay(line in "[a=; ]{0,12}(;? ?V=[a; ]{0,3}){0,3}[a=; ]{0,12}") {
        let mut head = format!("GET / HTTP/1.1\r\nCookie:{line}\r\n\r\n").into_bytes();
        hide_cookie(&mut head, "V");
        let pairs = |text: &str| -> Vec<String> {
            let value = text.split_once(':').map_or("", |(_, value)| value);
            value.split(';').map(|pair| pair.trim().to_owned()).filter(|pair| !pair.is_empty()).collect()
        };
        let mut expected = pairs(&format!("Cookie:{line}"));
        expected.retain(|pair| !pair.starts_with("V="));
        let text = String::from_utf8(head).expect("text");
        let left = text.lines().find(|line| line.starts_with("Cookie")).unwrap_or_default();
        prop_assert_eq!(pairs(left), expected);
        prop_assert!(text.starts_with("GET / HTTP/1.1\r\n") && text.ends_with("\r\n\r\n"));
    }
}
