//! Random files and values: no panic, and what is printed is read back.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

proptest! {
    /// Any file, damaged anywhere: an answer, never a panic, and never an error without words and a place.
    #[test]
    fn damage_never_panics_and_always_has_a_place(cuts in prop::collection::vec((0..SMALL.len(), 0..12_usize, "[ -~\n\u{e9}]{0,6}"), 1..4)) {
        let mut bytes = SMALL.as_bytes().to_vec();
        for (at, length, insert) in cuts {
            let at = at.min(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, insert.bytes());
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Err(errors) = parse("damaged", &text) {
            prop_assert!(!errors.problems.is_empty());
            for problem in &errors.problems {
                prop_assert!(text.get(problem.place.clone()).is_some() && !problem.message.is_empty());
            }
        }
    }

    /// What is printed is read back, for every length that the config can hold to the microsecond.
    #[test]
    fn durations_round_trip(micros in 0..86_400_000_000_u64) {
        let length = Duration::from_micros(micros);
        prop_assert_eq!(duration(&duration_text(length)), Ok(length));
    }

    /// The same for sizes.
    #[test]
    fn sizes_round_trip(bytes in 0..u64::MAX) {
        prop_assert_eq!(quantity::parse_size(&quantity::size_text(bytes)).ok(), Some(bytes));
    }
}
