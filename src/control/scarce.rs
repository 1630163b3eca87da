//! What the process may run out of: said before it happens, once each time that it comes near.

use crate::link::Report;
use crate::net::{files, sysctl};

/// Said from here on, in percent.
const NEAR: u64 = 80;
/// Below this it may be said again.
const FAR: u64 = 70;

/// Watches open files and local ports.
#[derive(Debug, Default)]
pub(super) struct Scarce {
    files: Gauge,
    ports: Gauge,
}

/// One of them.
#[derive(Debug, Default)]
struct Gauge {
    said: bool,
}

impl Scarce {
    /// Looks at both, and warns of what has come near its end.
    pub(super) fn look(&mut self, report: &Report) {
        if let Ok((used, limit)) = files::used()
            && self.files.crosses(used, limit)
        {
            tracing::warn!(
                "{used} of {limit} open files are in use: raise LimitNOFILE of the service, or lower `connections`"
            );
        }
        let servers = report.pools.iter().flat_map(|pool| &pool.servers);
        let Some((busiest, ports)) = servers.max_by_key(|server| server.in_flight).zip(sysctl::local_ports())
        else {
            return;
        };
        let used = u64::from(busiest.in_flight);
        if self.ports.crosses(used, ports) {
            tracing::warn!(
                "{used} of {ports} local ports are in use for connections to {} ({}): widen \
                 net.ipv4.ip_local_port_range, or give it `max_connections`",
                busiest.name,
                busiest.address,
            );
        }
    }
}

impl Gauge {
    /// Whether this is the moment to say it.
    fn crosses(&mut self, used: u64, limit: u64) -> bool {
        // No overflow: nobody has that many of either.
        let percent = used.saturating_mul(100) / limit.max(1);
        let said = self.said;
        self.said = percent >= if said { FAR } else { NEAR };
        self.said && !said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_each_time_that_it_comes_near() {
        let mut gauge = Gauge::default();
        let said = [10, 79, 80, 90, 75, 85, 69, 79, 80].map(|used| gauge.crosses(used, 100));
        assert_eq!(said, [false, false, true, false, false, false, false, false, true]);
        assert!(!Gauge::default().crosses(1 << 40, u64::MAX));
    }
}
