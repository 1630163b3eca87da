//! RFC 9568 §6.1, over every priority and every interval.

use crate::vrrp::timing::{active_down_interval, skew_time};
use crate::vrrp::{Centis, Priority, Span, Version};

use super::centis;

#[test]
fn skew_is_the_exact_fraction_and_shorter_for_the_better() {
    for interval in (1..=4095).filter_map(Centis::new) {
        let mut longer = interval.span();
        for priority in 1..=255 {
            let skew = skew_time(Version::V3, Priority::new(priority), interval);
            let exact = (256 - u128::from(priority)) * u128::from(interval.span().as_micros()) / 256;
            assert_eq!(u128::from(skew.as_micros()), exact);
            assert!(skew < longer, "priority {priority} at {interval}");
            longer = skew;
        }
    }
}

#[test]
fn down_is_three_intervals_and_the_skew() {
    for interval in (1..=4095).filter_map(Centis::new) {
        for priority in (1..=255).map(Priority::new) {
            let down = active_down_interval(Version::V3, priority, interval);
            assert_eq!(down, interval.span().times(3) + skew_time(Version::V3, priority, interval));
            assert!(down <= interval.span().times(4));
        }
    }
}

#[test]
fn figures_that_peers_show() {
    let micros = |priority, interval| {
        active_down_interval(Version::V3, Priority::new(priority), centis(interval)).as_micros()
    };
    assert_eq!(micros(100, 100), 3_609_375);
    assert_eq!(micros(254, 100), 3_007_812);
    assert_eq!(micros(100, 10), 360_937);
    assert_eq!(skew_time(Version::V3, Priority::new(100), centis(100)), Span::from_micros(609_375));
    assert_eq!(skew_time(Version::V3, Priority::OWNER, centis(100)), Span::from_micros(3_906));
}

#[test]
fn version_2_skews_by_a_second_whatever_the_interval() {
    for interval in [100, 300, 4_000].map(centis) {
        for priority in 1..=254 {
            let skew = skew_time(Version::V2, Priority::new(priority), interval);
            assert_eq!(skew.as_micros(), (256 - u64::from(priority)) * 1_000_000 / 256);
        }
    }
    let down = active_down_interval(Version::V2, Priority::new(100), centis(300));
    assert_eq!(down, Span::from_micros(9_609_375));
}
