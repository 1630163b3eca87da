//! Beside keepalived and FRR: our node and a real peer of another make share a virtual router, and a third host sees
//! who holds the address. Each takeover is checked there: the advert, an announcement from the right card, the third
//! host's neighbour table, one holder, and an answer. Bounds are generous multiples of what the protocol promises.
//!
//! Takes keepalived, FRR, and root, or a user namespace with more than one user: FRR's daemons drop to their own.

#[path = "interop/bed.rs"]
mod bed;
#[path = "interop/case.rs"]
mod case;
#[path = "interop/cases.rs"]
mod cases;
#[path = "interop/frr.rs"]
mod frr;
#[path = "interop/keepalived.rs"]
mod keepalived;
#[path = "interop/peer.rs"]
mod peer;
#[path = "interop/terms.rs"]
mod terms;

mod beside_keepalived {
    use super::case::Kind::Keepalived;
    use super::cases;
    use super::terms::Terms;
    use super::terms::Who::{Ours, Theirs};

    #[test]
    fn has_no_objection_to_its_config() {
        cases::configs(Keepalived, &Terms::of_keepalived());
    }

    #[test]
    fn sends_either_checksum_and_believes_ours() {
        cases::checksums(Keepalived);
    }

    #[test]
    fn takes_over_when_our_cable_is_pulled_and_yields_when_it_is_back() {
        cases::cable(Keepalived, Terms::V3, Ours);
    }

    #[test]
    fn yields_when_its_cable_is_back_after_we_took_over() {
        cases::cable(Keepalived, Terms::V3, Theirs);
    }

    #[test]
    fn follows_our_resignation() {
        cases::terminated(Keepalived, Ours);
    }

    #[test]
    fn resigns_and_we_follow() {
        cases::terminated(Keepalived, Theirs);
    }

    #[test]
    fn takes_over_from_a_killed_agent() {
        cases::killed(Keepalived, Ours);
    }

    #[test]
    fn killed_is_replaced_by_us() {
        cases::killed(Keepalived, Theirs);
    }

    #[test]
    fn follows_the_resignation_of_a_released_address() {
        cases::released(Keepalived);
    }

    #[test]
    fn keeps_the_address_from_us_without_preemption() {
        cases::no_preemption(Keepalived, Ours);
    }

    #[test]
    fn leaves_the_address_to_us_without_preemption() {
        cases::no_preemption(Keepalived, Theirs);
    }

    #[test]
    fn yields_to_our_higher_address() {
        cases::equal_priorities(Keepalived, Ours);
    }

    #[test]
    fn makes_us_yield_to_its_higher_address() {
        cases::equal_priorities(Keepalived, Theirs);
    }

    #[test]
    fn with_faster_adverts_is_replaced_as_fast() {
        cases::learned_interval(Keepalived, Ours);
    }

    #[test]
    fn with_slower_adverts_replaces_us_as_fast_as_ours_are() {
        cases::learned_interval(Keepalived, Theirs);
    }

    #[test]
    fn serves_for_an_unfit_node_until_it_is_fit() {
        cases::unfit(Keepalived, true);
    }

    #[test]
    fn serves_for_an_unfit_node_without_preemption_too() {
        cases::unfit(Keepalived, false);
    }

    #[test]
    fn serves_for_a_node_that_was_unfit_before_it_came() {
        cases::unfit_before_the_peer_came(Keepalived);
    }

    #[test]
    fn speaks_ipv6_with_us() {
        cases::both_ways(Keepalived, Terms::IPV6);
    }

    #[test]
    fn speaks_version_2_with_us() {
        cases::both_ways(Keepalived, Terms::V2);
    }

    #[test]
    fn speaks_version_2_with_a_password_with_us() {
        cases::both_ways(Keepalived, Terms::PASS);
    }

    #[test]
    fn speaks_unicast_with_us() {
        cases::both_ways(Keepalived, Terms::V3.unicast());
    }

    #[test]
    fn shares_the_virtual_mac_with_us() {
        cases::both_ways(Keepalived, Terms::V3.with_vmac());
    }

    #[test]
    fn shares_the_virtual_mac_with_us_through_a_conflict() {
        cases::cable(Keepalived, Terms::V3.with_vmac(), Ours);
        cases::cable(Keepalived, Terms::V3.with_vmac(), Theirs);
    }

    #[test]
    fn shares_the_virtual_mac_over_ipv6_with_us() {
        cases::both_ways(Keepalived, Terms::IPV6.with_vmac());
    }

    #[test]
    fn speaks_version_2_in_unicast_with_us() {
        cases::both_ways(Keepalived, Terms::PASS.unicast());
    }
}

mod beside_frr {
    use super::case::Kind::Frr;
    use super::cases;
    use super::terms::Terms;
    use super::terms::Who::{Ours, Theirs};

    #[test]
    fn has_no_objection_to_its_config() {
        cases::configs(Frr, &Terms::of_frr());
    }

    #[test]
    fn sends_either_checksum_and_believes_ours() {
        cases::checksums(Frr);
    }

    #[test]
    fn takes_over_when_our_cable_is_pulled_and_yields_when_it_is_back() {
        cases::cable(Frr, Terms::V3, Ours);
    }

    #[test]
    fn yields_when_its_cable_is_back_after_we_took_over() {
        cases::cable(Frr, Terms::V3, Theirs);
    }

    #[test]
    fn follows_our_resignation() {
        cases::terminated(Frr, Ours);
    }

    #[test]
    fn resigns_and_we_follow() {
        cases::terminated(Frr, Theirs);
    }

    #[test]
    fn takes_over_from_a_killed_agent() {
        cases::killed(Frr, Ours);
    }

    #[test]
    fn killed_is_replaced_by_us() {
        cases::killed(Frr, Theirs);
    }

    #[test]
    fn follows_the_resignation_of_a_released_address() {
        cases::released(Frr);
    }

    #[test]
    fn keeps_the_address_from_us_without_preemption() {
        cases::no_preemption(Frr, Ours);
    }

    #[test]
    fn leaves_the_address_to_us_without_preemption() {
        cases::no_preemption(Frr, Theirs);
    }

    #[test]
    fn yields_to_our_higher_address() {
        cases::equal_priorities(Frr, Ours);
    }

    #[test]
    fn makes_us_yield_to_its_higher_address() {
        cases::equal_priorities(Frr, Theirs);
    }

    #[test]
    fn with_faster_adverts_is_replaced_as_fast() {
        cases::learned_interval(Frr, Ours);
    }

    #[test]
    fn with_slower_adverts_replaces_us_as_fast_as_ours_are() {
        cases::learned_interval(Frr, Theirs);
    }

    #[test]
    fn serves_for_an_unfit_node_until_it_is_fit() {
        cases::unfit(Frr, true);
    }

    #[test]
    fn serves_for_an_unfit_node_without_preemption_too() {
        cases::unfit(Frr, false);
    }

    #[test]
    fn serves_for_a_node_that_was_unfit_before_it_came() {
        cases::unfit_before_the_peer_came(Frr);
    }

    #[test]
    fn speaks_ipv6_with_us() {
        cases::both_ways(Frr, Terms::IPV6);
    }

    #[test]
    fn shares_the_virtual_mac_with_us() {
        cases::both_ways(Frr, Terms::V3.with_vmac());
    }

    #[test]
    fn shares_the_virtual_mac_with_us_through_a_conflict() {
        cases::cable(Frr, Terms::V3.with_vmac(), Ours);
        cases::cable(Frr, Terms::V3.with_vmac(), Theirs);
    }

    #[test]
    fn shares_the_virtual_mac_over_ipv6_with_us() {
        cases::both_ways(Frr, Terms::IPV6.with_vmac());
    }

    #[test]
    fn speaks_version_2_with_us() {
        cases::both_ways(Frr, Terms::V2);
    }
}
