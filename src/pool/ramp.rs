//! Slow start: how much of its share a server gets after it came back.

/// The steps of a ramp: a server begins with one of so many parts of its weight.
pub const STEPS: u16 = 16;

/// How many parts of [`STEPS`] a server gets that has been back for `elapsed` of the `whole` time, and when it gets the
/// next one, from the same beginning; `None` when it has them all. Any unit of time.
#[must_use]
pub fn ramp(elapsed: u64, whole: u64) -> (u16, Option<u64>) {
    if elapsed >= whole {
        return (STEPS, None);
    }
    let stairs = u64::from(STEPS - 1);
    // The end of each stair, rounded up so that whoever looks again then finds a new one.
    let end =
        |stair: u64| (whole / stairs).saturating_mul(stair) + ((whole % stairs) * stair).div_ceil(stairs);
    let stair = (1..stairs).find(|stair| elapsed < end(*stair)).unwrap_or(stairs);
    (u16::try_from(stair).unwrap_or(STEPS), Some(end(stair)))
}
