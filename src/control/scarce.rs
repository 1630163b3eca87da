//! What the process may run out of: said before it happens, once each time that it comes near.
//!
//! That local ports have run out is said as well, when they have: connections that have ended hold theirs for a minute
//! more, and nobody counts those before.

use std::iter;

use crate::link::{Report, ServerReport};
use crate::net::{files, sysctl};
use crate::proxy::Ports;
use crate::vrrp::{Span, Time};

/// Said from here on, in percent.
const NEAR: u64 = 80;
/// Below this it may be said again.
const FAR: u64 = 70;
/// What has happened is said again after this time, if it has happened again.
const QUIET: Span = Span::from_millis(60_000);

/// Watches open files and local ports.
#[derive(Debug, Default)]
pub(super) struct Scarce {
    files: Gauge,
    ports: Gauge,
    portless: Portless,
}

/// One of them.
#[derive(Debug, Default)]
struct Gauge {
    said: bool,
}

/// Servers that could not be connected to, because no local port was left.
#[derive(Debug, Default)]
struct Portless {
    /// How often, by server, when it was said last.
    counted: Vec<u64>,
    said: Option<Time>,
}

impl Scarce {
    /// Looks at both, and warns of what has come near its end or has reached it. `ports` is by [`crate::pool::ServerId`].
    pub(super) fn look(&mut self, now: Time, report: &Report, ports: &[Ports]) {
        if let Ok((used, limit)) = files::used()
            && self.files.crosses(used, limit)
        {
            tracing::warn!(
                "{used} of {limit} open files are in use: raise LimitNOFILE of the service, or lower `connections`"
            );
        }
        if let Some(news) = self.portless.news(now, servers(report, ports)) {
            tracing::warn!("{news}");
        }
        let Some(((busiest, used), ports)) = busiest(servers(report, ports)).zip(sysctl::local_ports())
        else {
            return;
        };
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

/// Every server with its ports. The report has them in the order of their identities.
fn servers<'r>(
    report: &'r Report,
    ports: &'r [Ports],
) -> impl Iterator<Item = (&'r ServerReport, Ports)> + Clone {
    report.pools.iter().flat_map(|pool| &pool.servers).zip(ports.iter().copied())
}

/// The server that most connections lead to, and how many: those in use, and those that are kept.
fn busiest<'r>(servers: impl Iterator<Item = (&'r ServerReport, Ports)>) -> Option<(&'r ServerReport, u64)> {
    servers
        .map(|(server, ports)| (server, u64::from(server.in_flight) + ports.kept))
        .max_by_key(|(_, used)| *used)
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

impl Portless {
    /// What has happened since it was said last, if it is time to say so.
    fn news<'r>(
        &mut self,
        now: Time,
        servers: impl Iterator<Item = (&'r ServerReport, Ports)> + Clone,
    ) -> Option<String> {
        if self.said.is_some_and(|said| now.since(said) < QUIET) {
            return None;
        }
        let before = self.counted.iter().copied().chain(iter::repeat(0));
        let more = servers.clone().zip(before);
        let more = more.map(|((server, ports), before)| (server, ports.missing.saturating_sub(before)));
        let more = more.filter(|(_, count)| *count > 0);
        let others = more.clone().count().saturating_sub(1);
        let (server, count) = more.max_by_key(|(_, count)| *count)?;
        let others = if others == 0 { String::new() } else { format!(", and to {others} more servers") };
        let news = format!(
            "no local port was left for connections to {} ({}), {count} of them{others}; the next server was asked, where \
             there is one: widen net.ipv4.ip_local_port_range, give the pool more servers or them more addresses, and \
             let them keep connections open",
            server.name, server.address,
        );
        self.counted = servers.map(|(_, ports)| ports.missing).collect();
        self.said = Some(now);
        Some(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::PoolReport;

    #[test]
    fn it_is_said_once_each_time_that_it_comes_near() {
        let mut gauge = Gauge::default();
        let said = [10, 79, 80, 90, 75, 85, 69, 79, 80].map(|used| gauge.crosses(used, 100));
        assert_eq!(said, [false, false, true, false, false, false, false, false, true]);
        assert!(!Gauge::default().crosses(1 << 40, u64::MAX));
    }

    /// Two pools, of one server and of two; they have so many requests in hand.
    fn report(in_flight: [u32; 3]) -> Report {
        let server = |nth: u8| ServerReport {
            in_flight: in_flight[usize::from(nth)],
            ..ServerReport::fresh(&format!("app{nth}"), ([10, 77, 0, nth], 80).into())
        };
        let pool = |servers: &[u8]| PoolReport {
            servers: servers.iter().copied().map(server).collect(),
            ..PoolReport::default()
        };
        Report { pools: vec![pool(&[0]), pool(&[1, 2])], ..Report::default() }
    }

    #[test]
    fn connections_that_are_kept_take_ports_as_well() {
        let report = report([5, 3, 0]);
        let busy = |kept: [u64; 3]| {
            let ports = kept.map(|kept| Ports { kept, missing: 0 });
            busiest(servers(&report, &ports)).map(|(server, used)| (server.name.clone(), used))
        };
        assert_eq!(busy([0, 0, 0]), Some(("app0".into(), 5)));
        assert_eq!(busy([0, 4, 6]), Some(("app1".into(), 7)));
        assert_eq!(busy([0, 3, 9]), Some(("app2".into(), 9)));
    }

    #[test]
    fn that_no_port_was_left_is_said_at_once_and_then_once_a_minute() {
        let (report, mut portless) = (report([0; 3]), Portless::default());
        let mut news = |second: u64, missing: [u64; 3]| {
            let ports = missing.map(|missing| Ports { kept: 0, missing });
            portless.news(Time::from_micros(second * 1_000_000), servers(&report, &ports))
        };
        assert_eq!(news(1, [0; 3]), None);
        let said = news(2, [0, 7, 2]).expect("it has just happened");
        assert!(said.contains(" to app1 (10.77.0.1:80), 7 of them, and to 1 more servers; "), "{said}");
        assert_eq!(news(61, [0, 8, 4]), None, "it was said less than a minute ago");
        let said = news(62, [0, 8, 5]).expect("it has happened again");
        assert!(said.contains(" to app2 (10.77.0.2:80), 3 of them, and to 1 more servers; "), "{said}");
        assert_eq!(news(600, [0, 8, 5]), None, "it has not happened since");
        let said = news(601, [1, 8, 5]).expect("it has happened again");
        assert!(said.contains(" to app0 (10.77.0.0:80), 1 of them; "), "{said}");
    }
}
