//! Whether an advert was signed before a resignation that overtook it on the other path. Pure.
//!
//! Without this the copy that comes late would call back who has just resigned, for a whole Active_Down_Interval.

use std::net::IpAddr;

use crate::vrrp::auth::Sequence;
use crate::vrrp::{Priority, Received, Span, Time};

/// The resignation that was heard last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Order(Option<Resignation>);

#[derive(Clone, Copy, Debug)]
struct Resignation {
    of: IpAddr,
    signed: Sequence,
    /// After this time it is forgotten: an advert that is even later does not exist, and a clock may have been set.
    until: Time,
}

impl Order {
    /// Takes a believed advert in, signed like this, on whichever path; says whether it was overtaken. `down` is the
    /// Active_Down_Interval.
    pub(crate) fn is_overtaken(
        &mut self,
        now: Time,
        advert: &Received,
        signed: Option<Sequence>,
        down: Span,
    ) -> bool {
        let Some(signed) = signed else { return false };
        let known = self.0.filter(|resigned| now < resigned.until && resigned.of == advert.source);
        if known.is_some_and(|resigned| !signed.is_after(resigned.signed)) {
            return true;
        }
        if advert.priority == Priority::RESIGN {
            self.0 = Some(Resignation { of: advert.source, signed, until: now + down });
        }
        false
    }
}
