//! Routes as messages and back.

use super::*;

fn cidr(text: &str) -> Cidr {
    let (address, prefix) = text.split_once('/').expect("a prefix");
    Cidr { address: address.parse().expect("an address"), prefix: prefix.parse().expect("a length") }
}

fn examples() -> [Route; 3] {
    let everything = Route {
        to: cidr("10.8.0.0/16"),
        via: Some([10, 77, 0, 254].into()),
        interface: 7,
        source: Some([10, 77, 0, 100].into()),
        metric: 50,
        table: 1_000,
    };
    let default = Route { to: cidr("0.0.0.0/0"), source: None, metric: 0, table: MAIN_TABLE, ..everything };
    let v6 = Route {
        to: cidr("2001:db8:8::/48"),
        via: Some("fe80::1".parse().expect("an address")),
        source: None,
        metric: 1_024,
        ..default
    };
    [everything, default, v6]
}

#[test]
fn a_route_comes_back_from_its_message() {
    for example in examples() {
        assert!(is_ours(&message(&example)));
        assert_eq!(route(&message(&example)), Some(example));
    }
}

/// The kernel leaves out what is zero, and has the destination of a default route in the header alone.
#[test]
fn a_default_route_has_no_destination() {
    let [_, default, _] = examples();
    let mut sparse = message(&default);
    sparse.attributes.retain(|attribute| {
        !matches!(attribute, RouteAttribute::Destination(_) | RouteAttribute::Priority(_))
    });
    assert_eq!(route(&sparse), Some(default));
}

#[test]
fn what_others_made_is_not_ours() {
    let [mut other, ..] = examples().map(|example| message(&example));
    other.header.protocol = 4.into();
    assert!(!is_ours(&other));
    other.attributes.retain(|attribute| !matches!(attribute, RouteAttribute::Oif(_)));
    assert_eq!(route(&other), None);
}

#[test]
fn a_route_is_said_as_people_write_it() {
    let said = examples().map(|route| route.to_string());
    assert_eq!(
        said,
        [
            "10.8.0.0/16 via 10.77.0.254 in table 1000",
            "0.0.0.0/0 via 10.77.0.254",
            "2001:db8:8::/48 via fe80::1"
        ]
    );
}
