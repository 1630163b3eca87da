//! Kernel settings of one network namespace.

use super::{Error, Netns};

/// Takes noise out of a host: nothing here changes how IPv4 and ARP behave.
const QUIET: &[(&str, &str)] = &[
    // No router solicitations, duplicate address detection or listener reports in between.
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
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
