//! One round: all is well, lb1 fails, lb2 takes over, lb1 comes back.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use vipd::lab::{AppServer, Capture, Error, Flavour, Frame, Lab, Mac, Moment, Pace, Topology, Traffic};

use crate::pair::{BACKUP_PRIORITY, Kind, Pair};
use crate::rest::{self, Rest};

/// How lb1 fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Its cable is pulled.
    Cable,
    /// SIGTERM to what speaks VRRP.
    Terminated,
    /// SIGKILL to its proxy.
    ProxyKilled,
}

pub(crate) const EVENTS: [Event; 3] = [Event::Cable, Event::Terminated, Event::ProxyKilled];

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cable => "cable pulled",
            Self::Terminated => "SIGTERM",
            Self::ProxyKilled => "proxy killed (SIGKILL)",
        })
    }
}

/// What was measured in one round.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    /// From the last advert of lb1 that does not resign to the first of lb2.
    pub(crate) silence: Duration,
    /// From the event to the first advert of lb2.
    pub(crate) takeover: Duration,
    /// From lb1's priority 0 to the first advert of lb2, when lb1 resigned.
    pub(crate) resigned: Option<Duration>,
    /// From the first advert of lb2 to its first gratuitous ARP.
    pub(crate) announced: Duration,
    /// The longest time without a success at the client.
    pub(crate) outage: Duration,
    /// Requests that failed until lb2 served.
    pub(crate) failed: usize,
    /// Requests that failed when lb1 came back.
    pub(crate) failed_at_return: usize,
}

/// The hosts and what runs on them. Dropped from top to bottom: the hosts last.
pub(crate) struct Bed {
    traffic: Traffic,
    pair: Pair,
    capture: Capture,
    _apps: Vec<AppServer>,
    lab: Lab,
    interval: Duration,
}

const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

impl Bed {
    pub(crate) fn build(kind: Kind, interval: Duration) -> Result<Self, Error> {
        let lab = Lab::build(&Topology::pair())?;
        let flavour = Flavour::found();
        let apps = ["app1", "app2", "app3"].map(|app| AppServer::start(&lab, app, &flavour));
        let apps = apps.into_iter().collect::<Result<_, _>>()?;
        let client = lab.host("client");
        let capture = Capture::start(client)?;
        let pair = Pair::start(kind, &lab, interval)?;
        let targets = [3000, 5000].map(|port| SocketAddr::from((VIP, port)));
        let traffic = Traffic::start(client, &targets, Pace::default())?;
        Ok(Self { traffic, pair, capture, _apps: apps, lab, interval })
    }

    /// What VRRP costs on lb1, the Active, and on lb2.
    pub(crate) fn rest(&self) -> Result<[Rest; 2], Error> {
        self.settle()?;
        let [active, backup] = self.pair.speakers()?;
        rest::measure([&active, &backup])
    }

    /// One round, beginning and ending with lb1 as the Active; it fails `later` than one of lb1's
    /// adverts. An error comes with the
    /// ends of the pair's logs.
    pub(crate) fn round(&mut self, event: Event, later: Duration) -> Result<Round, Error> {
        let played = self.play(event, later);
        played.map_err(|error| Error::new(format!("{event}: {error}\n{}", self.pair.explain())))
    }

    fn play(&mut self, event: Event, later: Duration) -> Result<Round, Error> {
        self.settle()?;
        let lb1 = self.lab.host("lb1").mac();
        let advert = self.wait_for(Moment::now(), "advert of lb1", |frame| speaks(frame, lb1))?;
        std::thread::sleep((advert.at + later).since(Moment::now()));
        let from = self.fail(event)?;
        let lb2 = self.lab.host("lb2").mac();
        let takeover = self.wait_for(from, "advert of lb2", |frame| speaks(frame, lb2))?;
        let announced = self.wait_for(takeover.at, "gratuitous ARP of lb2", |frame| announces(frame, lb2))?;
        self.wait_until_well(announced.at)?;
        let served = Moment::now();
        let tally = self.traffic.tally(from, served);
        let round = Round {
            silence: takeover.at.since(self.last_of_lb1(takeover.at)?),
            takeover: takeover.at.since(from),
            resigned: self.resignation(from, takeover.at).map(|at| takeover.at.since(at)),
            announced: announced.at.since(takeover.at),
            outage: tally.longest_gap,
            failed: tally.failed,
            failed_at_return: 0,
        };
        self.restore(event)?;
        let back = self.settle()?;
        Ok(Round { failed_at_return: self.traffic.tally(served, back).failed, ..round })
    }

    fn fail(&mut self, event: Event) -> Result<Moment, Error> {
        let at = Moment::now();
        match event {
            Event::Cable => return self.lab.unplug("lb1"),
            Event::Terminated => self.pair.terminate()?,
            Event::ProxyKilled => self.pair.kill_proxy()?,
        }
        Ok(at)
    }

    fn restore(&mut self, event: Event) -> Result<(), Error> {
        if event == Event::Cable {
            self.lab.plug("lb1")?;
        }
        self.pair.revive(&self.lab)
    }

    /// Waits until lb1 alone has advertised for a while and its requests have gone well since; the moment then.
    fn settle(&self) -> Result<Moment, Error> {
        let lb1 = self.lab.host("lb1").mac();
        let calm = (CALM.as_millis() / self.interval.as_millis()).max(2);
        let calm = usize::try_from(calm).unwrap_or(usize::MAX);
        let settled = self.capture.frames().wait(0, PATIENCE, |frames| {
            let adverts = frames.iter().rev().filter(|frame| frame.advert().is_some());
            let alone = adverts.take_while(|frame| speaks(frame, lb1)).take(calm);
            (alone.count() == calm).then(|| frames.last().map(|frame| frame.at)).flatten()
        });
        let settled =
            settled.ok_or_else(|| Error::new(format!("lb1 is not the Active within {PATIENCE:?}")))?;
        self.wait_until_well(settled)?;
        Ok(Moment::now())
    }

    fn wait_until_well(&self, from: Moment) -> Result<(), Error> {
        let well = self.traffic.wait_for_successes(from, 150, PATIENCE);
        well.map(drop).ok_or_else(|| Error::new(format!("requests are not answered within {PATIENCE:?}")))
    }

    fn wait_for(&self, from: Moment, what: &str, wanted: impl Fn(&Frame) -> bool) -> Result<Frame, Error> {
        let frame = self.capture.wait_for(from, PATIENCE, wanted);
        frame.ok_or_else(|| Error::new(format!("no {what} within {PATIENCE:?}")))
    }

    fn last_of_lb1(&self, before: Moment) -> Result<Moment, Error> {
        let lb1 = self.lab.host("lb1").mac();
        let last = self.capture.last_before(before, |frame| speaks(frame, lb1));
        last.map(|frame| frame.at).ok_or_else(|| Error::new("lb1 never advertised"))
    }

    fn resignation(&self, from: Moment, to: Moment) -> Option<Moment> {
        let lb1 = self.lab.host("lb1").mac();
        let resigns =
            |frame: &Frame| frame.source == lb1 && frame.advert().is_some_and(|advert| advert.priority == 0);
        self.capture.between(from, to).into_iter().find(resigns).map(|frame| frame.at)
    }
}

/// How long lb1 must have been the only one to advertise; two intervals at least.
const CALM: Duration = Duration::from_millis(400);

fn speaks(frame: &Frame, mac: Mac) -> bool {
    frame.source == mac && frame.advert().is_some_and(|advert| advert.priority > 0)
}

fn announces(frame: &Frame, mac: Mac) -> bool {
    frame.source == mac && frame.gratuitous().is_some_and(|arp| arp.sender == VIP)
}

/// Skew_Time of lb2 (RFC 9568 §6.1): how long it waits after a priority 0.
pub(crate) fn skew(interval: Duration) -> Duration {
    interval * (256 - BACKUP_PRIORITY) / 256
}

/// Active_Down_Interval of lb2 (RFC 9568 §6.1): how long it waits in silence.
pub(crate) fn active_down(interval: Duration) -> Duration {
    interval * 3 + skew(interval)
}
