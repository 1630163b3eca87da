//! The figures side by side: a row a figure, a column a number of routers.

use std::time::Duration;

use crate::Measured;
use crate::bed::Round;
use crate::fleet::Kind;

/// Its name, and its value for a number of routers beside the same contender with the fewest.
type Figure = (&'static str, fn(&Measured, &Measured) -> f64);

const FIGURES: [Figure; 12] = [
    ("start to the last router's advert, ms", |of, _| millis(of.start)),
    ("Active: processor, % of one core", |of, _| of.rest[0].cpu),
    ("Active: per router, 1/1000 %", |of, _| 1e3 * of.rest[0].cpu / f64::from(of.routers)),
    ("Active: each router more, 1/1000 %", |of, least| more(of, least, 0)),
    ("Backup: processor, % of one core", |of, _| of.rest[1].cpu),
    ("Backup: per router, 1/1000 %", |of, _| 1e3 * of.rest[1].cpu / f64::from(of.routers)),
    ("Backup: each router more, 1/1000 %", |of, least| more(of, least, 1)),
    ("Active: resident memory, MiB", |of, _| of.rest[0].resident),
    ("takeover: first to last advert, ms", |of, _| median(of, |round| round.adverts)),
    ("takeover: first advert to last GARP, ms", |of, _| median(of, |round| round.all)),
    ("takeover: cable to last GARP, ms", |of, _| median(of, |round| round.cable)),
    ("takeover: advert to own last GARP, worst, ms", |of, _| median(of, |round| round.worst)),
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
                let own = measured.iter().filter(|of| of.kind == *kind);
                let found = own.clone().find(|of| of.routers == *routers);
                match found.zip(own.min_by_key(|of| of.routers)).map(|(of, least)| figure(of, least)) {
                    Some(value) if value.is_finite() => print!("{value:>10.3}"),
                    Some(_) | None => print!("{:>10}", "–"),
                }
            }
            println!();
        }
    }
}

/// What each router costs beyond those of `least`, in thousandths of a percent of a core.
fn more(of: &Measured, least: &Measured, node: usize) -> f64 {
    1e3 * (of.rest[node].cpu - least.rest[node].cpu) / f64::from(of.routers - least.routers)
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
