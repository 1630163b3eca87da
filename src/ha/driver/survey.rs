//! The driver's look at the kernel's settings: at start, and again when the interfaces are others.

use crate::config::Sysctl;
use crate::event::Event;
use crate::ha::tuning::{Advice, advice};
use crate::net::sysctl;

use super::Ha;

impl Ha {
    /// Says what is in the way of each router, or changes it where the config says so.
    pub(super) fn survey(&mut self) {
        let cards: Vec<_> = self.interfaces.iter().map(|at| (at.index, at.name.clone(), at.up)).collect();
        if cards == self.surveyed {
            return;
        }
        self.surveyed = cards;
        for instance in &mut self.instances {
            let found = advice(&self.config, &instance.router, &self.interfaces, sysctl::read);
            let set = instance.router.sysctl == Sysctl::Set;
            let left = found.into_iter().filter_map(|one| match set {
                true => change(&one, &instance.router.name, &mut self.events),
                false => Some(one.to_string()),
            });
            let left: Vec<_> = left.collect();
            let new = left.iter().filter(|what| !instance.advice.contains(what));
            let router = &instance.router.name;
            self.events.extend(new.map(|what| Event::Advised { router: router.clone(), what: what.clone() }));
            instance.advice = left;
        }
    }
}

/// Changes a setting; what to say when that fails.
fn change(advice: &Advice, router: &str, events: &mut Vec<Event>) -> Option<String> {
    let (what, setting) = (&advice.what, advice.line());
    match sysctl::write(&advice.name, advice.value) {
        Ok(()) => {
            events.push(Event::Tuned { router: router.to_owned(), setting, what: what.clone() });
            None
        }
        Err(error) => Some(format!(
            "{what}: `{setting}` could not be set ({error}): write it to /etc/sysctl.d/vipd.conf; a unit with \
             ProtectKernelTunables=yes may not set it"
        )),
    }
}

/// An interface as far as the settings depend on it.
pub(super) type Card = (u32, String, bool);
