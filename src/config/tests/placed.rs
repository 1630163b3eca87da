//! Addresses on the router's own interface and on others, and the order in which adverts list them.

use super::*;

const OWN: &str = "[\"10.77.0.100/24\"]";

fn router(addresses: &str) -> Router {
    parsed(&with(OWN, addresses)).config.routers.remove(0)
}

#[test]
fn an_address_may_go_on_another_interface() {
    let text = with(OWN, r#"["10.77.0.100/24", { address = "192.168.5.1/24", interface = "eth1" }]"#);
    let Parsed { config, warnings, outline, .. } = parsed(&text);
    assert_eq!(warnings, []);
    let places: Vec<_> = config.routers[0].places().map(|(at, name)| format!("{at} {name}")).collect();
    assert_eq!(places, ["10.77.0.100/24 eth0", "192.168.5.1/24 eth1"]);
    assert_eq!(config.routers[0].addresses.len(), 1, "adverts do not list the other one");
    assert_eq!(parsed(&show(&config)).config, config);
    // `check` asks this machine for both, and a frontend on it moves with the router.
    assert_eq!(
        outline.interfaces.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["eth0", "eth1"]
    );
    assert_eq!(problems(&text.replace("10.77.0.100:80", "192.168.5.1:80")), [""; 0]);
    // Its own interface, spelt out.
    let same = router(r#"[{ address = "10.77.0.100/24", interface = "eth0" }]"#);
    assert_eq!((same.addresses.len(), same.elsewhere.len()), (1, 0));
}

#[test]
fn addresses_that_cannot_be_meant_say_so() {
    assert_problem(
        OWN,
        r#"[{ address = "192.168.5.1/24", interface = "eth1" }]"#,
        "\"192.168.5.1/24\": every address is on another interface, so that adverts would list none; add an address \
         for the router's own interface, or give the router this one as `interface`",
    );
    assert_problem(
        OWN,
        r#"["10.77.0.100/24", { address = "10.77.0.100/24", interface = "eth1" }]"#,
        "\"10.77.0.100/24\": the address 10.77.0.100 is there twice",
    );
    assert_problem(
        OWN,
        r#"["10.77.0.100/24", { adress = "192.168.5.1/24", interface = "eth1" }]"#,
        "adress: unknown key `adress` in an address; did you mean `address`?",
    );
    assert_problem(
        OWN,
        r#"["10.77.0.100/24", 5]"#,
        "5: expected an address in quotes, found an integer; write \"10.77.0.100/24\", or { address = \
         \"192.168.5.1/24\", interface = \"eth1\" }",
    );
}

#[test]
fn a_link_local_address_is_first_in_adverts_and_its_absence_is_a_warning() {
    let order = |addresses: &str| {
        router(addresses).addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let right = r#"["fe80::51/64", "2001:db8::100/64"]"#;
    for addresses in [right, r#"["2001:db8::100/64", "fe80::51/64"]"#] {
        assert_eq!(order(addresses), "fe80::51/64 2001:db8::100/64");
    }
    assert_eq!(
        order(r#"["2001:db8::2/64", "10.77.0.100/24", "fe80::51/64", "2001:db8::1/64"]"#),
        "fe80::51/64 2001:db8::2/64 10.77.0.100/24 2001:db8::1/64"
    );
    let bind = |text: String| text.replace("10.77.0.100:80", "[2001:db8::100]:80");
    assert_eq!(problems(&bind(with(OWN, right))), [""; 0]);
    assert_eq!(
        problems(&bind(with(OWN, r#"["2001:db8::100/64", "2001:db8::101/64"]"#))),
        [
            "warning: \"2001:db8::100/64\": RFC 9568 wants a link-local address among the IPv6 ones, and strict peers \
          insist on it; add \"fe80::51/64\", or another that is free, on every node: it goes first in the adverts"
        ]
    );
    // One elsewhere is in no advert.
    let elsewhere = r#"["10.77.0.100/24", { address = "2001:db8::1/64", interface = "eth1" }]"#;
    assert_eq!(problems(&with(OWN, elsewhere)), [""; 0]);
}

#[test]
fn a_link_local_address_is_one_of_its_interface() {
    let second = |interface: &str| {
        let router = format!(
            "[[vrrp]]\nname = \"db\"\ninterface = \"{interface}\"\nvrid = 52\naddresses = [\"fe80::9/64\"]\n[[frontend]]"
        );
        with(OWN, r#"["10.77.0.100/24", "fe80::9/64"]"#).replace("[[frontend]]", &router)
    };
    assert_eq!(problems(&second("eth1")), [""; 0]);
    assert_eq!(problems(&second("eth0")), ["\"fe80::9/64\": the address fe80::9 is there twice"]);
}

#[test]
fn kernel_settings_are_changed_only_when_asked() {
    let sysctl = |text: &str| parsed(text).config.routers[0].sysctl;
    assert_eq!(
        (sysctl(SMALL), sysctl(&with(OWN, &format!("{OWN}\nsysctl = \"set\"")))),
        (Sysctl::Advise, Sysctl::Set)
    );
    assert_problem(
        OWN,
        &format!("{OWN}\nsysctl = \"sets\""),
        "\"sets\": `sets` is not known here; did you mean \"set\"?",
    );
}
