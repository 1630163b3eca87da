//! The figures side by side: a row a figure, a column a number of routers.

use std::time::Duration;

use crate::Measured;
use crate::bed::Round;
use crate::fleet::Kind;

type Figure = (&'static str, fn(&Measured) -> f64);

const FIGURES: [Figure; 10] = [
    ("start to the last router's advert, ms", |of| millis(of.start)),
    ("Active: processor, % of one core", |of| of.rest[0].cpu),
    ("Active: per router, 1/1000 %", |of| 1e3 * of.rest[0].cpu / f64::from(of.routers)),
    ("Backup: processor, % of one core", |of| of.rest[1].cpu),
    ("Backup: per router, 1/1000 %", |of| 1e3 * of.rest[1].cpu / f64::from(of.routers)),
    ("Active: resident memory, MiB", |of| of.rest[0].resident),
    ("takeover: first to last advert, ms", |of| median(of, |round| round.adverts)),
    ("takeover: first advert to last GARP, ms", |of| median(of, |round| round.all)),
    ("takeover: cable to last GARP, ms", |of| median(of, |round| round.cable)),
    ("takeover: advert to own last GARP, worst, ms", |of| median(of, |round| round.worst)),
];

/// One table for each figure's growth with the number of routers.
pub(crate) fn print(kinds: &[Kind], routers: &[u8], measured: &[Measured]) {
    print!("\n{:<48}{:<12}", "four addresses a router, adverts every second", "");
    routers.iter().for_each(|routers| print!("{routers:>10}"));
    println!("  routers");
    for (name, figure) in FIGURES {
        for kind in kinds {
            print!("{name:<48}{kind:<12}");
            for routers in routers {
                let found = measured.iter().find(|of| of.kind == *kind && of.routers == *routers);
                match found {
                    Some(found) => print!("{:>10.3}", figure(found)),
                    None => print!("{:>10}", "–"),
                }
            }
            println!();
        }
    }
}

fn median(of: &Measured, figure: fn(&Round) -> Duration) -> f64 {
    let mut values: Vec<_> = of.rounds.iter().map(|round| millis(figure(round))).collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.get(middle) {
        Some(upper) if values.len().is_multiple_of(2) => (values[middle - 1] + upper) / 2.0,
        Some(value) => *value,
        None => f64::NAN,
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
