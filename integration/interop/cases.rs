//! What is done to a pair of unlike speakers, the same for every peer. `active` is the side with the higher priority.

use std::time::Duration;

use vipd::lab::{AppServer, Flavour, Moment};
use vipd::vrrp::{Dialect, Role};

use super::bed::Bed;
use super::case::{Case, Kind};
use super::peer::PATIENCE;
use super::terms::{BOTH, Checksum, Side, Terms, Version, Who};

fn serving(kind: Kind, terms: Terms, active: Who) -> Bed {
    let mut bed = Case::of(kind, terms, active).build();
    bed.settle(active);
    bed
}

/// From the last advert of the old Active to the first of the new one: bounded by the new one's patience.
fn assert_noticed_silence(bed: &Bed, active: Who, failed: Moment) {
    let first = bed.announced_by(active.other(), failed);
    let last = bed.last_advert_of(active, first.at);
    let (silence, bound) = (first.at.since(last.at), bed.silence(active.other()));
    let interval = bed.interval(active);
    assert!(silence >= 3 * interval, "took over after {silence:?}, which is too early\n{}", bed.explain());
    assert!(silence < bound, "took over after {silence:?}, not within {bound:?}\n{}", bed.explain());
}

/// From priority 0 to the first advert of the new Active: sooner than silence could ever be noticed.
fn assert_followed_resignation(bed: &Bed, active: Who, asked: Moment) {
    let resigned = bed.resignation_of(active, asked);
    let took = bed.announced_by(active.other(), resigned.at).at.since(resigned.at);
    assert!(took < 3 * bed.interval(active), "took {took:?} to follow priority 0\n{}", bed.explain());
    if active == Who::Theirs {
        let why = bed.status().why;
        assert!(why.contains("gave it up"), "{why}");
    }
}

pub(crate) fn cable(kind: Kind, terms: Terms, active: Who) {
    let bed = serving(kind, terms, active);
    let pulled = bed.lab.unplug(active.host()).expect("pulled");
    assert_noticed_silence(&bed, active, pulled);
    bed.held_by(active.other());
    let plugged = bed.lab.plug(active.host()).expect("plugged");
    if terms.vmac {
        // The switch alone has to learn, and does from the adverts: nobody has to announce anything.
        bed.advert_of(active, plugged);
        bed.held_by(active);
    } else {
        bed.kept_through_conflict_by(active, plugged);
    }
}

pub(crate) fn terminated(kind: Kind, active: Who) {
    terminate_and_return(&mut serving(kind, Terms::V3, active), active);
}

/// Resignation, preemption and silence, with either side as the better one: what has to hold whatever the adverts look
/// like. Nobody hears unicast adverts to a host without a cable, so the silence is that of a killed program.
pub(crate) fn both_ways(kind: Kind, terms: Terms) {
    for active in BOTH {
        let mut bed = serving(kind, terms, active);
        terminate_and_return(&mut bed, active);
        kill_and_release(&mut bed, active);
    }
}

fn terminate_and_return(bed: &mut Bed, active: Who) {
    let asked = Moment::now();
    bed.terminate(active);
    assert_followed_resignation(bed, active, asked);
    bed.held_by(active.other());
    let started = Moment::now();
    bed.start(active);
    bed.taken_by(active, started);
}

fn kill_and_release(bed: &mut Bed, active: Who) {
    let killed = Moment::now();
    bed.kill(active);
    assert_noticed_silence(bed, active, killed);
    bed.release(active);
    bed.held_by(active.other());
}

pub(crate) fn killed(kind: Kind, active: Who) {
    let mut bed = serving(kind, Terms::V3, active);
    kill_and_release(&mut bed, active);
    let started = Moment::now();
    bed.start(active);
    bed.taken_by(active, started);
}

/// `vipd release`, which the service manager runs after a crash, resigns for the dead agent.
pub(crate) fn released(kind: Kind) {
    let mut bed = serving(kind, Terms::V3, Who::Ours);
    let killed = Moment::now();
    bed.kill(Who::Ours);
    bed.release(Who::Ours);
    assert_followed_resignation(&bed, Who::Ours, killed);
    bed.held_by(Who::Theirs);
}

/// The better side comes back and leaves the address where it is; it takes over when the other one goes.
pub(crate) fn no_preemption(kind: Kind, better: Who) {
    let mut case = Case::of(kind, Terms::V3, better);
    *case.side(better) = case.side(better).without_preemption();
    let mut bed = case.build();
    bed.settle(better.other());
    let asked = Moment::now();
    bed.terminate(better.other());
    assert_followed_resignation(&bed, better.other(), asked);
    bed.held_by(better);
}

/// Both serve on a network in two halves; when it heals, the higher address keeps the role.
pub(crate) fn equal_priorities(kind: Kind, higher: Who) {
    let mut case = Case::of(kind, Terms::V3, higher);
    (case.ours, case.theirs, case.higher) = (Side::of(100, Version::V3), Side::of(100, Version::V3), higher);
    let mut bed = case.build();
    let hosts = BOTH.map(Who::host);
    bed.lab.part(&hosts).expect("parted");
    let from = Moment::now();
    for who in BOTH {
        bed.start(who);
        bed.announced_by(who, from);
    }
    let joined = bed.lab.join(&hosts).expect("joined");
    bed.kept_through_conflict_by(higher, joined);
    bed.kept_by(higher, Moment::now());
    if higher == Who::Theirs {
        let why = bed.status().why;
        assert!(why.contains("the same priority and the higher address"), "{why}");
    }
}

/// A Backup waits as long as the Active's adverts say, not as its own config does.
pub(crate) fn learned_interval(kind: Kind, slow: Who) {
    let fast = slow.other();
    let (tenth, second) = (Duration::from_millis(100), Duration::from_secs(1));
    let mut case = Case::of(kind, Terms::V3, fast);
    *case.side(fast) = case.side(fast).every(tenth);
    *case.side(slow) = case.side(slow).every(second);
    let mut bed = case.build();
    bed.settle(fast);
    let pulled = bed.lab.unplug(fast.host()).expect("pulled");
    assert_noticed_silence(&bed, fast, pulled);
    bed.held_by(slow);
    let interval = bed.advert_of(slow, pulled).advert().map(|advert| advert.interval);
    assert_eq!(
        interval,
        Some(100),
        "as the Active it advertises what it is set to, in hundredths of a second"
    );
}

/// We believe both checksums of version 3 and say which one the peer sends, and it believes ours.
pub(crate) fn checksums(kind: Kind) {
    for (checksum, dialect) in [(Checksum::Pseudo, Dialect::Pseudo), (Checksum::Message, Dialect::Message)] {
        let mut case = Case::of(kind, Terms::V3, Who::Theirs);
        case.terms.checksum = checksum;
        let mut bed = case.build();
        if let Some(objections) = bed.theirs.objections() {
            assert_eq!(checksum, Checksum::Message, "{objections}");
            eprintln!("left out: this {kind:?} cannot send the checksum of the message alone: {objections}");
            continue;
        }
        bed.settle(Who::Theirs);
        assert_eq!(bed.status().peer.map(|peer| peer.dialect), Some(dialect));
        let asked = Moment::now();
        bed.terminate(Who::Theirs);
        assert_followed_resignation(&bed, Who::Theirs, asked);
        bed.held_by(Who::Ours);
        let started = Moment::now();
        bed.start(Who::Theirs);
        bed.taken_by(Who::Theirs, started);
        let asked = Moment::now();
        bed.terminate(Who::Theirs);
        bed.taken_by(Who::Ours, asked);
    }
}

/// The program has nothing to object to in what we write for it.
pub(crate) fn configs(kind: Kind, all: &[Terms]) {
    for terms in all {
        let mut case = Case::of(kind, *terms, Who::Ours);
        case.theirs = case.theirs.without_preemption();
        let bed = case.build();
        assert_eq!(bed.theirs.objections(), None, "{terms:?}");
    }
}

/// A node that cannot serve offers the role, whether the peer preempts or not, and takes it back when it can.
pub(crate) fn unfit(kind: Kind, peer_preempts: bool) {
    let mut case = Case::of(kind, Terms::V3, Who::Ours);
    case.serves = true;
    case.theirs.preempt = peer_preempts;
    let mut bed = case.build();
    let mut app = AppServer::start(&bed.lab, "client", &Flavour::Builtin).expect("a server");
    bed.settle(Who::Ours);
    let killed = Moment::now();
    app.kill();
    bed.taken_by(Who::Theirs, killed);
    bed.resignation_of(Who::Ours, killed);
    let status = bed.node().wait_for_role(Role::Backup, PATIENCE).expect("it yields");
    let router = &status.routers[0];
    assert_eq!(router.effective_priority.get(), 1, "{:?}", router.reasons);
    let restarted = Moment::now();
    app.restart().expect("a server");
    bed.taken_by(Who::Ours, restarted);
}

/// A peer that does not preempt comes after the offer of a node that cannot serve: it is offered the role again.
pub(crate) fn unfit_before_the_peer_came(kind: Kind) {
    let mut case = Case::of(kind, Terms::V3, Who::Ours);
    case.serves = true;
    case.theirs.preempt = false;
    let mut bed = case.build();
    let mut app = AppServer::start(&bed.lab, "client", &Flavour::Builtin).expect("a server");
    let from = Moment::now();
    bed.start(Who::Ours);
    bed.taken_by(Who::Ours, from);
    app.kill();
    bed.node()
        .wait_for("priority 1", PATIENCE, |status| status.routers[0].effective_priority.get() == 1)
        .expect("it cannot serve");
    let started = Moment::now();
    bed.start(Who::Theirs);
    bed.taken_by(Who::Theirs, started);
}
