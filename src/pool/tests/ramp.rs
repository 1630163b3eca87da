//! Slow start.

use super::super::{STEPS, ramp};

#[test]
fn a_ramp_rises_by_one_step_at_a_time_and_ends_on_time() {
    for whole in [1, 2, 14, 15, 16, 17, 1_000, 30_000_000, 86_400_000_000] {
        let (mut elapsed, mut last) = (0, 0);
        loop {
            let (parts, next) = ramp(elapsed, whole);
            assert!(parts > last, "{parts} after {last}, {elapsed} of {whole}");
            if whole >= 15 {
                assert_eq!(parts, last + 1, "{elapsed} of {whole}");
            }
            last = parts;
            let Some(next) = next else { break };
            assert_eq!(ramp(next - 1, whole).0, parts, "nothing changes before the time that was named");
            elapsed = next;
        }
        assert_eq!((elapsed, last), (whole, STEPS));
    }
}

#[test]
fn without_slow_start_and_after_it_a_server_has_all() {
    assert_eq!(ramp(0, 0), (STEPS, None));
    assert_eq!(ramp(5, 4), (STEPS, None));
    assert_eq!(ramp(15_000_000, 30_000_000).0, STEPS / 2);
    assert_eq!(ramp(0, u64::MAX).0, 1);
}
