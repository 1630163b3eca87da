//! Priority 0 (RFC 9568 §5.2.4, §6.4.2): how soon a Backup of priority 100 serves after it, whatever the interval and
//! whoever preempts.

use crate::vrrp::{Effect, Input, Machine, Preempt, Priority, Role, Span};

use super::{HIGH, US, advert, at_ms, params};

#[test]
fn the_backup_serves_after_skew_time() {
    for (centis, skew_us) in [(100, 609_375), (10, 60_937), (1, 6_093)] {
        // Who does not preempt follows a lower priority, too.
        for (preempt, theirs) in [(Preempt::Always, 200), (Preempt::Never, 200), (Preempt::Never, 50)] {
            let mut node = Machine::new(params(centis, preempt), Priority::new(100));
            let mut out = Vec::new();
            node.handle(at_ms(0), Input::Startup { source: US }, &mut out);
            node.handle(at_ms(1), Input::Advert(advert(HIGH, theirs, centis)), &mut out);
            node.handle(at_ms(2), Input::Advert(advert(HIGH, 0, centis)), &mut out);
            let skew = Span::from_micros(skew_us);
            let serves = at_ms(2) + skew;
            out.clear();
            node.handle(at_ms(2) + (skew - Span::from_micros(1)), Input::Timer, &mut out);
            assert_eq!((node.role(), &out[..]), (Role::Backup, &[][..]), "{centis} {preempt:?}");
            node.handle(serves, Input::Timer, &mut out);
            assert_eq!((node.role(), out[0]), (Role::Active, Effect::SendAdvert(Priority::new(100))));
        }
    }
}
