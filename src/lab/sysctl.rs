//! Kernel settings of one network namespace.

use super::{Error, Netns};

/// Takes noise out of a host: nothing here changes how ARP and neighbour discovery behave.
const QUIET: &[(&str, &str)] = &[
    // No router solicitations, and no second of duplicate address detection before an address can be used.
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/all/dad_transmits", "0"),
    ("ipv6/conf/default/dad_transmits", "0"),
    ("ipv6/conf/all/router_solicitations", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    // As systemd has it everywhere: taking an address off leaves the others of its network.
    ("ipv4/conf/all/promote_secondaries", "1"),
    // A machine's firewall has no say in a lab's switch. There only where br_netfilter is loaded.
    ("bridge/bridge-nf-call-arptables", "0"),
    ("bridge/bridge-nf-call-ip6tables", "0"),
    ("bridge/bridge-nf-call-iptables", "0"),
];

/// Makes `netns` quiet. A setting that this kernel lacks or refuses stays as it is: the lab works without it.
pub(super) fn quiet(netns: &Netns) -> Result<(), Error> {
    netns.run(|| {
        for (name, value) in QUIET {
            let _ = std::fs::write(format!("/proc/sys/net/{name}"), value);
        }
    })
}
