//! What a case is about: which peer, what both sides agree on, and what each is set to.

use super::bed::Bed;
use super::terms::{Side, Terms, Who};

/// Which program the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Keepalived,
    Frr,
}

impl Kind {
    /// Whether an Active that hears a lesser one announces the address again. vrrpd 8.4 does not, and it stays Active
    /// while it has no carrier: after a conflict third hosts are left to find out by themselves where the address is.
    pub(crate) const fn announces_again(self) -> bool {
        match self {
            Self::Keepalived => true,
            Self::Frr => false,
        }
    }
}

/// What a case is about, until it is built.
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) terms: Terms,
    pub(crate) ours: Side,
    pub(crate) theirs: Side,
    /// Which side has the higher address of its own: theirs unless said.
    pub(crate) higher: Who,
    /// Whether our node has a frontend, with one server on the client's host.
    pub(crate) serves: bool,
}

impl Case {
    /// `active` with priority 200, the other side with 100.
    pub(crate) fn of(kind: Kind, terms: Terms, active: Who) -> Self {
        let (ours, theirs) = match active {
            Who::Ours => (200, 100),
            Who::Theirs => (100, 200),
        };
        let (ours, theirs) = (Side::of(ours, terms.version), Side::of(theirs, terms.version));
        Self { kind, terms, ours, theirs, higher: Who::Theirs, serves: false }
    }

    /// The hosts and what is installed on them; nothing runs yet.
    pub(crate) fn build(self) -> Bed {
        Bed::build(self)
    }

    pub(crate) fn side(&mut self, who: Who) -> &mut Side {
        match who {
            Who::Ours => &mut self.ours,
            Who::Theirs => &mut self.theirs,
        }
    }
}
