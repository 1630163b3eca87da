//! Kernel settings of the network namespace, through `/proc/sys/net` (proc(5), Documentation/networking/ip-sysctl).

use std::fs;
use std::io;

/// What a setting is now; `None` when this kernel does not have it or it is no number. `name` is the path below
/// `/proc/sys/net`: `ipv4/conf/eth0/arp_ignore`.
pub fn read(name: &str) -> Option<i64> {
    fs::read_to_string(path(name)).ok()?.trim().parse().ok()
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
