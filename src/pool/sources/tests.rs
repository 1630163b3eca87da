//! What holds however many sources come.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// Ten a second, three at once.
const RATE: Rate = Rate { count: 10, period: Duration::from_secs(1), burst: 3 };

fn by_requests(places: usize) -> Arc<Sources> {
    Sources::new(Bounds { request_rate: Some(RATE), ..Bounds::default() }, places)
}

/// How many requests in a row are let in.
fn asks(sources: &Sources, source: u64, now: Duration) -> usize {
    (0..1000).take_while(|_| sources.request(source, now).is_ok()).count()
}

fn of_all(connections: u32) -> Bounds {
    Bounds { connections: Some(connections), connection_rate: Some(RATE), request_rate: Some(RATE) }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn each_source_has_its_own_limits() {
    let sources = by_requests(1024);
    for source in 1..=10 {
        assert_eq!(asks(&sources, source << 54, Duration::ZERO), 3);
    }
    let refusal = sources.request(1 << 54, millis(20)).expect_err("the next is due after 100 ms");
    assert_eq!(refusal, Refusal { over: Over::RequestRate, wait: millis(80) });
    assert_eq!(asks(&sources, 1 << 54, millis(100)), 1);
}

#[test]
fn connections_count_until_they_end_and_the_rate_of_new_ones_besides() {
    let bounds = Bounds { connections: Some(2), ..Bounds::default() };
    let sources = Sources::new(bounds, 16);
    let first = sources.connect(7, Duration::ZERO).expect("room");
    let _second = sources.connect(7, Duration::ZERO).expect("room");
    let refusal = sources.connect(7, Duration::ZERO).expect_err("two are enough");
    assert_eq!((refusal.over, refusal.wait), (Over::Connections, Duration::ZERO));
    drop(first);
    assert!(sources.connect(7, Duration::ZERO).is_ok() && sources.request(7, Duration::ZERO).is_ok());

    let sources = Sources::new(of_all(2), 16);
    for _ in 0..3 {
        drop(sources.connect(7, Duration::ZERO).expect("the burst"));
    }
    let refusal = sources.connect(7, Duration::ZERO).expect_err("more than the burst");
    assert_eq!((refusal.over, refusal.wait), (Over::ConnectionRate, millis(100)));
    assert_eq!(asks(&sources, 7, Duration::ZERO), 3, "requests have an account of their own");
}

#[test]
fn sources_that_ask_little_are_never_refused_whoever_floods() {
    // Room for 1,024; 500 people ask twice a second, an offender as fast as it can.
    let sources = by_requests(1024);
    let mut through = 0;
    for tick in 0..1_000 {
        let now = millis(tick);
        through += asks(&sources, u64::MAX, now);
        for person in (0..500).filter(|person| (person + tick) % 500 == 0) {
            assert!(sources.request(person << 55, now).is_ok(), "person {person} at {tick} ms");
        }
    }
    assert_eq!(through, 3 + 9, "the burst and one every 100 ms");
}

#[test]
fn a_flood_of_sources_does_not_make_an_offender_forgotten() {
    let sources = by_requests(16);
    assert_eq!(asks(&sources, 7, Duration::ZERO), 3);
    for other in 100..10_000 {
        // Whether they get through is not the point.
        let _ = sources.request(other, Duration::ZERO);
    }
    assert_eq!(asks(&sources, 7, Duration::ZERO), 0);
    assert_eq!(asks(&sources, 7, millis(99)), 0);
}

#[test]
fn sources_that_push_each_other_out_by_turns_get_no_more_than_each_may() {
    // One more than there are places.
    let sources = by_requests(16);
    let mut through = [0; 17];
    for _ in 0..1000 {
        for (source, through) in (0_u64..).zip(&mut through) {
            *through += u32::from(sources.request(source << 60 | source, Duration::ZERO).is_ok());
        }
    }
    assert!(through.iter().all(|count| *count <= 3), "{through:?}");
    assert!(through.iter().sum::<u32>() >= 16 * 3, "{through:?}");
}

#[test]
fn no_more_gets_through_a_full_set_than_its_places_may_have() {
    let sources = by_requests(16);
    let through: usize = (0..100_000_u64)
        .map(|nth| usize::from(sources.request(nth, Duration::from_micros(nth * 100)).is_ok()))
        .sum();
    // Ten seconds of a new source every 100 µs.
    assert!(through <= WAYS * (3 + 100), "{through}");
    assert!(through >= WAYS * 100, "{through}: nor less");
}

#[test]
fn after_a_flood_everyone_gets_all_that_is_theirs_when_a_burst_has_passed() {
    let sources = by_requests(16);
    for other in 0..10_000 {
        let _ = sources.request(other, Duration::ZERO);
    }
    let end = RATE.period * RATE.burst / RATE.count;
    for newcomer in 20_000..20_016 {
        assert_eq!(asks(&sources, newcomer, end), 3);
    }
}

#[test]
fn a_newcomer_among_connected_sources_counts_with_one_of_them_and_leaves_it_as_it_was() {
    let sources = Sources::new(Bounds { connections: Some(2), ..Bounds::default() }, 16);
    let seats: Vec<_> = (1..=16).map(|source| sources.connect(source, Duration::ZERO)).collect();
    assert!(seats.iter().all(Result::is_ok));
    let lodger = sources.connect(99, Duration::ZERO).expect("one more where there is one");
    let full: Vec<_> = (1..=16).map(|source| sources.connect(source, Duration::ZERO)).collect();
    let refused = full.iter().filter(|seat| seat.is_err()).count();
    assert_eq!(refused, 1, "the one that it counts with");
    assert!(sources.connect(99, Duration::ZERO).is_err(), "all are at their limit");
    drop((lodger, full, seats));
    let set = sources.lock(0);
    assert!(set.places.iter().all(|place| place.connections == 0));
}

proptest! {
    /// However sources take turns in a set that is too small for them: nobody gets more than its rate, and nothing stays
    /// behind when all have left.
    #[test]
    fn nobody_gets_more_than_its_rate(
        steps in prop::collection::vec((1..40_u64, 0..8_u64, 0..4_u8), 1..2_000),
    ) {
        let sources = Sources::new(of_all(3), 16);
        let mut exact: HashMap<(u64, bool), Debt> = HashMap::new();
        let (mut seats, mut now) = (Vec::new(), Duration::ZERO);
        for (source, later, what) in steps {
            now += millis(later);
            let let_in = match what {
                0 => sources.connect(source, now).map(|seat| seats.push(seat)).is_ok(),
                1 => sources.connect(source, now).is_ok(),
                _ => sources.request(source, now).is_ok(),
            };
            if let_in {
                let debt = exact.entry((source, what > 1)).or_default();
                let paid = RATE.admit(*debt, now);
                prop_assert!(paid.is_ok(), "{} at {:?}", source, now);
                *debt = paid.unwrap_or_default();
            }
            if seats.len() > 20 {
                let _left = seats.swap_remove(usize::try_from(source).unwrap_or(0) % 20);
            }
        }
        drop(seats);
        prop_assert!(sources.lock(0).places.iter().all(|place| place.connections == 0));
    }
}
