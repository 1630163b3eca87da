//! The hosts, a third one that hears everything, and one round: lb1 loses its cable, lb2 takes all routers over, lb1
//! comes back.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::thread::sleep;
use std::time::Duration;

use vipd::lab::{Capture, Error, Frame, Lab, Mac, Moment, Topology};

use crate::fleet::{Kind, Speaker};
use crate::rest::{self, Rest};

/// What was measured in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// From the first router's takeover advert to the last one's.
    pub(crate) adverts: Duration,
    /// From the cable to the last address's first gratuitous ARP.
    pub(crate) cable: Duration,
    /// From a router's takeover advert to the last of its own four gratuitous ARPs, the worst router.
    pub(crate) worst: Duration,
    /// From the first router's takeover advert to the last address's first gratuitous ARP.
    pub(crate) all: Duration,
}

/// The hosts and what runs on them. Dropped from top to bottom: the hosts last.
pub(crate) struct Bed {
    lb1: Speaker,
    lb2: Speaker,
    capture: Capture,
    lab: Lab,
    routers: u8,
}

/// From one advert of a router to the next.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often the capture is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long lb1 must have been the only one to advertise: two intervals and some.
const CALM: Duration = Duration::from_millis(2_500);

/// When each router and each address was first heard of.
struct Heard {
    adverts: HashMap<u8, Moment>,
    announced: HashMap<Ipv4Addr, Moment>,
}

impl Bed {
    /// Builds it; and says how long lb1 took from its start to the advert of its last router.
    pub(crate) fn build(kind: Kind, routers: u8) -> Result<(Self, Duration), Error> {
        let lab = Lab::build(&Topology::pair())?;
        let capture = Capture::start(lab.host("client"))?;
        let from = Moment::now();
        let lb1 = Speaker::start(kind, &lab, "lb1", routers, INTERVAL)?;
        let start = match heard_all(&capture, from, lab.host("lb1").mac(), routers) {
            Ok(heard) => latest(heard.adverts.values()).since(from),
            Err(error) => return Err(Error::new(format!("{error}\n{}", lb1.explain()))),
        };
        let lb2 = Speaker::start(kind, &lab, "lb2", routers, INTERVAL)?;
        let bed = Self { lb1, lb2, capture, lab, routers };
        bed.settle()?;
        Ok((bed, start))
    }

    /// What VRRP costs on lb1, the Active, and on lb2.
    pub(crate) fn rest(&self) -> Result<[Rest; 2], Error> {
        // The announcements of the start are over.
        sleep(Duration::from_secs(6));
        rest::measure([&self.lb1.pids()?, &self.lb2.pids()?])
    }

    /// One round, beginning and ending with lb1 as the Active of every router.
    pub(crate) fn round(&self) -> Result<Round, Error> {
        let played = self.play();
        let explain = |error| Error::new(format!("{error}\n{}\n{}", self.lb1.explain(), self.lb2.explain()));
        played.map_err(explain)
    }

    fn play(&self) -> Result<Round, Error> {
        let from = self.lab.unplug("lb1")?;
        let heard = heard_all(&self.capture, from, self.lab.host("lb2").mac(), self.routers)?;
        self.lab.plug("lb1")?;
        self.settle()?;
        let first = heard.adverts.values().min().copied().unwrap_or_default();
        let last = latest(heard.announced.values());
        let own = |(address, at): (&Ipv4Addr, &Moment)| {
            heard.adverts.get(&address.octets()[2]).map(|advert| at.since(*advert))
        };
        Ok(Round {
            adverts: latest(heard.adverts.values()).since(first),
            cable: last.since(from),
            worst: heard.announced.iter().filter_map(own).max().unwrap_or_default(),
            all: last.since(first),
        })
    }

    /// Waits until lb1 alone has advertised every router for a while.
    fn settle(&self) -> Result<(), Error> {
        let [lb1, lb2] = ["lb1", "lb2"].map(|host| self.lab.host(host).mac());
        let begun = Moment::now();
        while Moment::now().since(begun) < PATIENCE {
            sleep(CALM);
            let now = Moment::now();
            let recent = Moment::from_micros(now.as_micros().saturating_sub(1_500_000));
            let frames = self.capture.between(recent, now);
            let mine: HashSet<_> = frames.iter().filter_map(|frame| takes(frame, lb1)).collect();
            let other = frames.iter().any(|frame| takes(frame, lb2).is_some());
            if mine.len() == usize::from(self.routers) && !other {
                return Ok(());
            }
        }
        Err(Error::new(format!("lb1 is not the Active of every router within {PATIENCE:?}")))
    }
}

/// Waits until `mac` has advertised every router and announced every address since `from`.
fn heard_all(capture: &Capture, from: Moment, mac: Mac, routers: u8) -> Result<Heard, Error> {
    let routers = usize::from(routers);
    loop {
        sleep(LOOK);
        let mut heard = Heard { adverts: HashMap::new(), announced: HashMap::new() };
        for frame in capture.between(from, Moment::now()) {
            if let Some(vrid) = takes(&frame, mac) {
                heard.adverts.entry(vrid).or_insert(frame.at);
            } else if let Some(arp) = frame.gratuitous().filter(|_| frame.source == mac) {
                heard.announced.entry(arp.sender).or_insert(frame.at);
            }
        }
        if heard.adverts.len() == routers && heard.announced.len() == 4 * routers {
            return Ok(heard);
        }
        if Moment::now().since(from) > PATIENCE {
            let (adverts, announced) = (heard.adverts.len(), heard.announced.len());
            return Err(Error::new(format!(
                "{adverts} of {routers} routers and {announced} of their addresses were heard within {PATIENCE:?}"
            )));
        }
    }
}

/// The router that `mac` serves according to a frame.
fn takes(frame: &Frame, mac: Mac) -> Option<u8> {
    let advert = frame.advert().filter(|advert| advert.priority > 0)?;
    (frame.source == mac).then_some(advert.vrid)
}

fn latest<'a>(moments: impl Iterator<Item = &'a Moment>) -> Moment {
    moments.max().copied().unwrap_or_default()
}
