//! Key files: what is read, what is refused with its line, and that no key is ever shown.

use super::*;

fn wrong(text: &str) -> Vec<String> {
    let wrong = Keys::parse(text).expect_err("not a key file");
    wrong.iter().map(ToString::to_string).collect()
}

#[test]
fn a_file_has_one_key_a_line() {
    let longest = KEY.repeat(2);
    let text = format!(
        "# rotated in May\n\n1 {KEY}\n  7\t{} # the next one\r\n255 hex:{longest}\n",
        KEY.to_uppercase()
    );
    let keys = Keys::parse(&text).expect("a key file");
    assert_eq!(keys.ids().map(KeyId::get).collect::<Vec<_>>(), [1, 7, 255]);
    assert!(keys.get(id(7)).is_some() && keys.get(id(2)).is_none());
}

#[test]
fn every_line_that_is_wrong_says_why() {
    let short = &KEY[2..];
    let text = format!(
        "1 {short}\n1 {KEY}\n1 {KEY}\n0 {KEY}\n256 {KEY}\nx {KEY}\n2\n3 {KEY} more\n4 {KEY}0\n5 {KEY}{KEY}00\n6 {}\n\
         7 {}g\n",
        "5a".repeat(32),
        &KEY[1..],
    );
    assert_eq!(
        wrong(&text),
        [
            "line 1: the key has 31 bytes, a key has 32 to 64",
            "line 3: there is a key 1 already: each key has its own id",
            "line 4: the first word is a key's id, 1 to 255",
            "line 5: the first word is a key's id, 1 to 255",
            "line 6: the first word is a key's id, 1 to 255",
            "line 7: expected `ID HEX`, two words",
            "line 8: expected `ID HEX`, two words",
            "line 9: the key has 65 digits, an odd number: one is missing",
            "line 10: the key has 65 bytes, a key has 32 to 64",
            "line 11: the key is one byte repeated, which everybody can guess",
            "line 12: the key's character 64 is no hexadecimal digit",
        ]
    );
    let none = "there is no key in it: write a line `1 HEX`, with HEX from `openssl rand -hex 32`";
    assert_eq!((wrong(""), wrong("# 1 00\n")), (vec![none.to_owned()], vec![none.to_owned()]));
}

#[test]
fn no_key_is_ever_shown() {
    let shown = format!("{:?} {:?}", member(), Keys::parse(&format!("1 {KEY}")));
    assert!(shown.contains("Key { id: KeyId(1), .. }"), "{shown}");
    for text in [format!("1 {KEY}zz"), format!("{KEY} 1"), format!("1 {KEY} {KEY}"), format!("1{KEY}")] {
        let said = wrong(&text).concat();
        assert!(!said.contains("0102") && !said.contains("0a0b"), "{said}");
    }
}

/// HMAC-SHA256 of the draft's key over "vipd UDP heartbeat", as any other program computes it.
#[test]
fn the_heartbeat_has_keys_of_its_own_and_enforces() {
    const MADE: &str = "046b1f626db83a4d2d6c34809f9f742b119a3b96a18115a1daa60bd2876a9094";
    let advert = octets::<8>("3133c80000640000");
    let (main, made) =
        (auth(Mode::ReceiveOnly, 1, &format!("1 {KEY}")), auth(Mode::Enforce, 1, &format!("1 {MADE}")));
    let mut heartbeat = main.for_heartbeat();
    assert_eq!(heartbeat.policy().mode, Mode::Enforce);
    let binding = from("10.77.0.1");
    let trailer = heartbeat.sign(THEN, binding, &advert);
    assert!(trailer.is_some());
    assert_eq!(trailer, made.clone().sign(THEN, binding, &advert));
    assert_ne!(trailer, member().sign(THEN, binding, &advert));
    assert_eq!(
        member().verify(THEN, binding, &advert, trailer),
        Err(Refusal::AuthForged),
        "on the main path"
    );
}
