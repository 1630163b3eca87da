//! What trackers do to the election: deltas that never decide it, and deltas that move the addresses for nothing.
//!
//! A Backup takes over when it has *more* than the Active: an Active that falls to the same priority keeps the
//! role (RFC 9568 §6.4.2). The addresses therefore move when the best node falls below the next one.

use std::ops::Range;

use crate::vrrp::{Preempt, Priority};

use super::super::problem::Problems;
use super::super::quantity::duration_text;
use super::super::raw::{File, Router};
use super::Tracked;
use super::read::{Item, What};

/// Records what is probably not meant.
pub(in super::super) fn lint(file: &File, problems: &mut Problems<'_>) {
    let standing = Standing::of(file);
    for router in &file.routers {
        for item in &router.track {
            own_interface(router, item, problems);
            pace(item, problems);
        }
        if let Some(standing) = &standing {
            deltas(router, standing, problems);
        }
    }
}

/// The two best nodes.
struct Standing {
    best: (String, i32),
    next: (String, i32),
}

impl Standing {
    fn of(file: &File) -> Option<Self> {
        let node = |node: &super::super::raw::Node| {
            Some((node.name.as_ref()?.get_ref().clone(), i32::from(node.priority.as_ref()?.get_ref().get())))
        };
        let mut nodes: Vec<_> = file.nodes.iter().filter_map(node).collect();
        nodes.sort_by_key(|(_, priority)| std::cmp::Reverse(*priority));
        let mut nodes = nodes.into_iter();
        Some(Self { best: nodes.next()?, next: nodes.next()? })
    }

    /// What the best node has to lose for the next one to take over.
    const fn gap(&self) -> i32 {
        self.best.1 - self.next.1
    }
}

fn deltas(router: &Router, standing: &Standing, problems: &mut Problems<'_>) {
    let costs: Vec<(i32, Range<usize>)> = router
        .track
        .iter()
        .filter_map(|item| item.cost.as_ref()?.as_ref())
        .map(|cost| (i32::from(*cost.get_ref()), cost.span()))
        .collect();
    let total: i32 = costs.iter().map(|(cost, _)| cost).sum();
    for (cost, place) in &costs {
        if standing.best.1 == i32::from(Priority::OWNER.get()) {
            owner(standing, place.clone(), problems);
        } else if router.preempt == Some(Preempt::Never) && standing.best.1 - total > 1 {
            unheard(place.clone(), problems);
        } else if total <= standing.gap() {
            idle(standing, *cost, total, place.clone(), problems);
        } else {
            level(standing, *cost, place.clone(), problems);
        }
    }
}

/// RFC 9568 §5.2.4: the owner's priority is 255, whatever happens to it.
fn owner(standing: &Standing, place: Range<usize>, problems: &mut Problems<'_>) {
    let name = &standing.best.0;
    problems
        .warning(place, format!("{name} owns the addresses and stays at 255: this never flips the election"))
        .help("leave `priority` out: a failure is a fault then, and the owner takes no part");
}

/// Preempt_Mode False: nobody takes over from an Active that advertises, however low.
fn unheard(place: Range<usize>, problems: &mut Problems<'_>) {
    problems
        .warning(place, "with preempt = \"never\" a lower priority never flips the election")
        .help("leave `priority` out: a failure is a fault then, and another node takes over");
}

fn idle(standing: &Standing, cost: i32, total: i32, place: Range<usize>, problems: &mut Problems<'_>) {
    let Standing { best: (best, high), next: (next, low) } = standing;
    let all = if total == cost { String::new() } else { format!(", all trackers together -{total}") };
    let message = format!("-{cost} can never flip the election: {best} has {high}, {next} has {low}{all}");
    let enough = standing.gap() + 1;
    problems.warning(place, message).help(if enough <= 253 && high - enough > 1 {
        format!("write -{enough} or less, or leave `priority` out: a failure is a fault then")
    } else {
        "leave `priority` out: a failure is a fault then".to_owned()
    });
}

/// What every node sees at once, such as a dead gateway, must not change their order.
fn level(standing: &Standing, cost: i32, place: Range<usize>, problems: &mut Problems<'_>) {
    let Standing { best: (best, high), next: (next, low) } = standing;
    if standing.gap() == 0 || high - cost > 1 {
        return;
    }
    let message = format!(
        "-{cost} takes {best} and {next} both down to 1: when both fail, the addresses move for nothing"
    );
    let enough = standing.gap() + 1;
    problems.warning(place, message).help(if low - enough > 1 {
        format!("write -{enough}: enough for {next} to take over, and their order stays when both fail")
    } else {
        format!("give {next} a priority further from 1, so that the order stays when both fail")
    });
}

fn own_interface(router: &Router, item: &Item, problems: &mut Problems<'_>) {
    let own = router.interface.as_ref().map(|at| at.get_ref());
    if let Some(What::Other(Tracked::Interface(name))) = &item.what
        && Some(name) == own
    {
        problems
            .warning(
                item.place.clone(),
                format!("{name} is this router's own interface: it is a fault anyway"),
            )
            .help("remove this tracker");
    }
}

fn pace(item: &Item, problems: &mut Problems<'_>) {
    let Some(What::Other(Tracked::Script { pace, .. } | Tracked::Gateway { pace, .. })) = &item.what else {
        return;
    };
    if pace.timeout > pace.interval {
        let (interval, timeout) = (duration_text(pace.interval), duration_text(pace.timeout));
        let message = format!("an attempt may take {timeout}, longer than its interval of {interval}");
        problems
            .warning(item.place.clone(), message)
            .help(format!("add timeout = \"{interval}\", or what hangs is found out late"));
    }
}
