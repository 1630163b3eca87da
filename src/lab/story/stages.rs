//! What happens in the story, one function a chapter: act, wait for what must follow, measure, judge.

use std::time::Duration;

use super::Options;
use super::limits::{Bound, Limits};
use super::report::{Report, Row};
use super::timeline::Timeline;
use super::world::{APPS, TARGETS, VIP, World};
use crate::event::{Event, Stamped};
use crate::lab::{Error, Frame, Moment, Node, Pace, Tally};
use crate::link::{PoolReport, ServerState, Status};
use crate::vrrp::Role;

/// Successes in a row after which all is well again.
const WELL: usize = 100;
/// Requests of the steady state.
const STEADY: usize = 900;

/// The whole story.
pub(super) fn tell(
    options: Options,
    world: &mut World,
    timeline: &Timeline,
    report: &mut Report,
) -> Result<(), Error> {
    let mut story = Story {
        world,
        timeline,
        report,
        limits: Limits::at(options.interval()),
        measured: Moment::default(),
    };
    story.steady_state()?;
    if options.quick {
        return story.cable_pulled();
    }
    story.application_server_killed()?;
    story.cable_pulled()?;
    story.handover()?;
    story.proxy_killed()
}

struct Story<'a> {
    world: &'a mut World,
    timeline: &'a Timeline,
    report: &'a mut Report,
    limits: Limits,
    /// Until when requests have been counted.
    measured: Moment,
}

/// A move of the address that is to happen.
struct Move<'a> {
    event: &'a str,
    to: &'a str,
    bound: Bound,
}

impl Story<'_> {
    fn steady_state(&mut self) -> Result<(), Error> {
        self.timeline.stage("Steady state: lb1 is Active, requests go round robin");
        self.world.node("lb1").wait_for_role(Role::Active, self.limits.patience)?;
        self.world.node("lb2").wait_for("Backup with healthy pools", self.limits.patience, |status| {
            status.routers.iter().all(|router| router.role == Role::Backup && router.peer.is_some())
                && all_up(status)
        })?;
        self.world.node("lb1").wait_for("healthy pools", self.limits.patience, all_up)?;
        let from = Moment::now();
        self.world.send(Pace::default(), self.timeline)?;
        self.timeline
            .act(from, &format!("the client sends to {VIP}, ports 3000 and 5000 in turn, every 2 ms"));
        self.well(from, STEADY)?;
        let tally = self.measure("steady state", None, from, Bound::Orderly)?;
        self.judge_round_robin(&tally);
        self.report.round_robin(tally.served);
        Ok(())
    }

    fn application_server_killed(&mut self) -> Result<(), Error> {
        self.timeline.stage("An application server is killed, and comes back");
        let from = Moment::now();
        self.world.app("app2")?.kill();
        self.timeline.act(from, "app2 killed (SIGKILL)");
        self.wait_for_server("app2", ServerState::Down)?;
        self.well(Moment::now(), WELL)?;
        self.measure("app2 killed", None, from, Bound::Orderly)?;

        let from = Moment::now();
        self.timeline.act(from, "app2 started again");
        self.world.app("app2")?.restart()?;
        self.wait_for_server("app2", ServerState::Up)?;
        self.well(Moment::now(), WELL)?;
        self.measure("app2 back", None, from, Bound::Orderly)?;
        Ok(())
    }

    fn cable_pulled(&mut self) -> Result<(), Error> {
        self.timeline.stage("The cable of lb1 is pulled, and plugged back in");
        let pulled = Move { event: "cable of lb1 pulled", to: "lb2", bound: self.limits.silent };
        self.moves(&pulled, |world, timeline| {
            timeline.act(Moment::now(), "cable of lb1 pulled");
            world.lab.unplug("lb1")
        })?;
        let plugged = Move { event: "cable of lb1 plugged back in", to: "lb1", bound: Bound::Orderly };
        self.moves(&plugged, |world, timeline| {
            timeline.act(Moment::now(), "cable of lb1 plugged back in");
            world.lab.plug("lb1")
        })
    }

    fn handover(&mut self) -> Result<(), Error> {
        self.timeline.stage("lb1 hands over, for maintenance, and takes part again");
        let away = Move { event: "vipd handover, on lb1", to: "lb2", bound: self.limits.resigned };
        self.moves(&away, |world, timeline| {
            let at = Moment::now();
            timeline.act(at, "vipd handover, on lb1");
            world.node("lb1").handover(false).map(|_| at)
        })?;
        let back = Move { event: "vipd handover --undo, on lb1", to: "lb1", bound: Bound::Orderly };
        self.moves(&back, |world, timeline| {
            let at = Moment::now();
            timeline.act(at, "vipd handover --undo, on lb1");
            world.node("lb1").handover(true).map(|_| at)
        })
    }

    fn proxy_killed(&mut self) -> Result<(), Error> {
        self.timeline.stage("The proxy of lb1 is killed, and started again by its agent");
        let mark = self.world.node("lb1").events().mark();
        let killed = Move { event: "proxy of lb1 killed (SIGKILL)", to: "lb2", bound: self.limits.resigned };
        self.moves(&killed, |world, timeline| {
            let at = Moment::now();
            timeline.act(at, "proxy of lb1 killed (SIGKILL)");
            world.node("lb1").kill_proxy().map(|()| at)
        })?;
        let patience = self.limits.patience;
        let back = Move { event: "new proxy of lb1 listens", to: "lb1", bound: Bound::Orderly };
        self.moves(&back, |world, _| {
            let listens = world.node("lb1").events().wait(mark, patience, |events| {
                let listens = |stamped: &&Stamped| matches!(stamped.event, Event::ProxyReady { .. });
                events.iter().find(listens).map(|stamped| Moment::from_millis(stamped.at_ms))
            });
            listens.ok_or_else(|| Error::new(format!("lb1 has no new proxy within {patience:?}")))
        })
    }

    /// Does `act`, which says so before it acts and returns its moment, and sees to it that the address moves as
    /// `expected`.
    fn moves(
        &mut self,
        expected: &Move<'_>,
        act: impl FnOnce(&World, &Timeline) -> Result<Moment, Error>,
    ) -> Result<(), Error> {
        let Move { event, to, bound } = *expected;
        let from = act(self.world, self.timeline)?;
        let mac = self.world.lab.host(to).mac();
        let advert = self.wait_for_frame(event, "advert of the new Active", from, |frame| {
            frame.source == mac && frame.advert().is_some_and(|advert| advert.priority > 0)
        })?;
        let announced = self.wait_for_frame(event, "gratuitous ARP of the new Active", from, |frame| {
            frame.gratuitous().is_some_and(|arp| arp.sender == VIP && arp.sender_mac == mac)
        })?;
        for node in self.world.nodes() {
            self.wait_for_role(event, node, node.name() == to, from)?;
        }
        self.judge_holder(event, to)?;
        self.well(announced, WELL)?;
        self.measure(event, Some(advert.since(from)), from, bound)?;
        Ok(())
    }

    /// When the client's card received the first frame from `from` on that is `wanted`.
    fn wait_for_frame(
        &self,
        event: &str,
        what: &str,
        from: Moment,
        wanted: impl Fn(&Frame) -> bool,
    ) -> Result<Moment, Error> {
        let patience = self.limits.patience;
        let frame = self.world.capture.wait_for(from, patience, wanted);
        frame
            .map(|frame| frame.at)
            .ok_or_else(|| Error::new(format!("{event}: no {what} within {patience:?}")))
    }

    /// Waits until `node` has said, since `from`, that it became Active, or that it is not any more.
    fn wait_for_role(&self, event: &str, node: &Node, active: bool, from: Moment) -> Result<(), Error> {
        let patience = self.limits.patience;
        let said = |stamped: &Stamped| {
            let Event::Moved { from, to, .. } = &stamped.event else { return false };
            (if active { *to } else { *from }) == Role::Active
        };
        // Events are known to the millisecond.
        let since = |stamped: &Stamped| Moment::from_millis(stamped.at_ms + 1) >= from;
        let moved = node.events().wait(0, patience, |events| {
            events.iter().any(|stamped| since(stamped) && said(stamped)).then_some(())
        });
        let what = if active { "did not become Active" } else { "did not cease to be Active" };
        moved.ok_or_else(|| Error::new(format!("{event}: {} {what} within {patience:?}", node.name())))
    }

    /// Waits until `count` requests sent from `from` on have succeeded in a row.
    fn well(&self, from: Moment, count: usize) -> Result<(), Error> {
        let well = self.world.traffic()?.wait_for_successes(from, count, self.limits.patience);
        let patience = self.limits.patience;
        let never = || Error::new(format!("no {count} requests in a row were answered within {patience:?}"));
        well.map(drop).ok_or_else(never)
    }

    /// The row of what happened from `from` until now, without what a row before has counted already.
    fn measure(
        &mut self,
        event: &str,
        takeover: Option<Duration>,
        from: Moment,
        bound: Bound,
    ) -> Result<Tally, Error> {
        let to = Moment::now();
        let tally = self.world.traffic()?.tally(from.max(self.measured), to);
        self.measured = to;
        if let Some(why) = bound.exceeded_by(&tally) {
            self.report.complain(format!("{event}: {why}: {:?}", tally.reasons));
        }
        self.report.add(Row { event: event.to_owned(), takeover, tally: tally.clone() });
        Ok(tally)
    }

    /// The client's neighbour table and the nodes' cards must agree on who holds the address.
    fn judge_holder(&mut self, event: &str, holder: &str) -> Result<(), Error> {
        let lab = &self.world.lab;
        let known = lab.host("client").neighbour(VIP)?;
        if known != Some(lab.host(holder).mac()) {
            let known = known.and_then(|mac| lab.name_of_mac(mac)).unwrap_or("nobody").to_owned();
            self.report.complain(format!("{event}: the client's neighbour table says {known}, not {holder}"));
        }
        for node in self.world.nodes() {
            let holds = lab.host(node.name()).holds(VIP)?;
            if holds != (node.name() == holder) {
                let verb = if holds { "still holds" } else { "does not hold" };
                self.report.complain(format!("{event}: {} {verb} {VIP}", node.name()));
            }
        }
        Ok(())
    }

    /// Every server got its turn on every port: shares differ by a tenth at most.
    fn judge_round_robin(&mut self, tally: &Tally) {
        for (target, (port, _)) in TARGETS.iter().enumerate() {
            let counts = APPS.map(|app| tally.served.get(&(target, app.to_owned())).copied().unwrap_or(0));
            let (least, most) = counts
                .iter()
                .fold((usize::MAX, 0), |(least, most), count| (least.min(*count), most.max(*count)));
            if most - least > most / 10 {
                self.report.complain(format!("port {port} is not round robin: {counts:?} of {APPS:?}"));
            }
        }
    }

    /// Waits until lb1 has seen that `server` is `state` in every pool.
    fn wait_for_server(&self, server: &str, state: ServerState) -> Result<(), Error> {
        let what = format!("{server} {state:?} in every pool");
        let is = |pool: &PoolReport| {
            let report = pool.servers.iter().find(|report| report.name == server);
            report.filter(|report| report.state == state).cloned()
        };
        let status = self.world.node("lb1").wait_for(&what, self.limits.patience, |status| {
            !pools(status).is_empty() && pools(status).iter().all(|pool| is(pool).is_some())
        })?;
        for (pool, report) in pools(&status).iter().filter_map(|pool| Some((pool, is(pool)?))) {
            let verb = if state == ServerState::Up { "takes up" } else { "leaves out" };
            let text = format!("pool {}: {verb} {server}: {}", pool.name, report.reason);
            self.timeline.seen(Moment::from_millis(report.since_ms), "lb1", &text);
        }
        Ok(())
    }
}

fn pools(status: &Status) -> &[PoolReport] {
    let report = status.proxy.as_ref().and_then(|proxy| proxy.report.as_ref());
    report.map_or(&[], |report| &report.pools)
}

/// Whether the node has pools and every server of each is up.
fn all_up(status: &Status) -> bool {
    let up = |pool: &PoolReport| pool.healthy == pool.servers.len();
    !pools(status).is_empty() && pools(status).iter().all(up)
}
