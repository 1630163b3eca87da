//! Kernel settings of the network namespace, through `/proc/sys/net` (proc(5), Documentation/networking/ip-sysctl).

use std::fs;
use std::io;

/// What a setting is now; `None` when this kernel does not have it or it is no number. `name` is the path below
/// `/proc/sys/net`: `ipv4/conf/eth0/arp_ignore`.
pub fn read(name: &str) -> Option<i64> {
    fs::read_to_string(path(name)).ok()?.trim().parse().ok()
}

/// How many local ports there are, and so connections from one address of ours to one address and port; `None` when this
/// kernel does not say.
pub fn local_ports() -> Option<u64> {
    let range = fs::read_to_string(path("ipv4/ip_local_port_range")).ok()?;
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    Some(last.checked_sub(first)? + 1)
}

/// Changes a setting.
///
/// # Errors
/// `PermissionDenied` without CAP_NET_ADMIN, `ReadOnlyFilesystem` under systemd's `ProtectKernelTunables=`.
pub fn write(name: &str, value: i64) -> io::Result<()> {
    fs::write(path(name), value.to_string())
}

fn path(name: &str) -> String {
    format!("/proc/sys/net/{name}")
}
