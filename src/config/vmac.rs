//! `use_vmac` of a `[[vrrp]]`: what a virtual MAC address cannot go with.

use toml::Spanned;

use super::problem::Problems;
use super::raw::{File, Router};
use super::resolve::repeated;
use crate::vrrp::Priority;

fn of(router: &Router) -> Option<&Spanned<bool>> {
    router.use_vmac.as_ref()?.as_ref().filter(|given| *given.get_ref())
}

/// Records what it cannot go with.
pub(super) fn cross_check(file: &File, problems: &mut Problems<'_>) {
    let with: Vec<_> = file.routers.iter().filter_map(|router| Some((of(router)?, router))).collect();
    // The links are called after the VRID; on one interface it is an error anyway.
    let ids = with.iter().filter_map(|(given, router)| {
        let (vrid, interface) = (router.vrid.as_ref()?, router.interface.as_ref()?);
        Some((*vrid.get_ref(), interface.get_ref(), given.span()))
    });
    let ids: Vec<_> = ids.collect();
    for (place, first, vrid) in repeated(ids.iter().map(|(vrid, _, place)| (*vrid, place.clone()))) {
        let interface = |at: &std::ops::Range<usize>| {
            ids.iter().find(|(_, _, place)| place == at).map(|(_, interface, _)| *interface)
        };
        if interface(&place) == interface(&first) {
            continue;
        }
        problems
            .error(place, format!("two routers of vrid {vrid} would have the same virtual MAC address"))
            .other(first, "the other one is here")
            .help("give one of them another vrid");
    }
    let owner = file.nodes.iter().filter_map(|node| node.priority.as_ref());
    let Some(owner) = owner.into_iter().find(|priority| *priority.get_ref() == Priority::OWNER) else {
        return;
    };
    for (given, _) in with {
        let message = "the owner of an address has it on its own interface, with that one's MAC address";
        problems.error(given.span(), message).other(owner.span(), "priority 255 is the owner's").help(
            "write a priority of 254 or less and an address that no machine has, or leave use_vmac out",
        );
    }
}
