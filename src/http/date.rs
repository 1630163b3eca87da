//! The time of day, as a message carries it.

use std::io::Write as _;

/// The last second that the form has a year for: the end of 9999.
const LAST: u64 = 253_402_300_799;
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A Date field, ready to be copied into a head: `Date: Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7) and its CRLF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date([u8; 37]);

impl Date {
    /// The moment that is so many seconds after 1970 began, without leap seconds.
    #[must_use]
    pub fn at(seconds: u64) -> Self {
        let seconds = seconds.min(LAST);
        let (days, of_day) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        // 1970 began on a Thursday.
        let (weekday, month) = (named(&WEEKDAYS, days + 4), named(&MONTHS, month - 1));
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        let mut field = [0; 37];
        // Every moment up to the last is exactly as long as that.
        let _ = write!(
            &mut field[..],
            "Date: {weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT\r\n"
        );
        Self(field)
    }

    /// The whole line.
    #[must_use]
    pub fn field(&self) -> &[u8] {
        &self.0
    }
}

/// The name at a place, counted round and round.
fn named<const N: usize>(names: &[&'static str; N], at: u64) -> &'static str {
    usize::try_from(at % N as u64).map_or("", |at| names[at])
}

/// Year, month and day of the Gregorian calendar. Years are counted from March, so that a leap day is the last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seconds: u64) -> String {
        String::from_utf8(Date::at(seconds).field().to_vec()).expect("text")
    }

    #[test]
    fn moments_have_the_form_of_the_rfc() {
        for (seconds, expected) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (LAST, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(text(seconds), format!("Date: {expected}\r\n"));
        }
    }

    /// A calendar that counts on its fingers agrees with the one that calculates.
    #[test]
    fn every_day_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..150_000 {
            assert_eq!(civil(days), (year, month, day), "{days} days");
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
