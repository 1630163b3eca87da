//! Medians side by side.

use std::time::Duration;

use crate::Measured;
use crate::rest::Rest;
use crate::round::{EVENTS, Event, Round, active_down, skew};

/// One table for what the pairs cost at rest and one for each event at `interval`.
pub(crate) fn print(interval: Duration, rounds: usize, measured: &[Measured]) {
    if measured.is_empty() {
        return;
    }
    headline(&format!("what VRRP costs, adverts every {interval:?}"), measured);
    for (node, name) in ["Active", "Backup"].into_iter().enumerate() {
        let of = |figure: fn(&Rest) -> f64| -> Vec<_> {
            measured.iter().map(|pair| Some(figure(&pair.rest[node]))).collect()
        };
        line(&format!("{name}: resident memory"), &of(|rest| rest.resident), " MiB");
        line(&format!("{name}: processor, of one core"), &of(|rest| rest.cpu), " %");
    }
    for (index, event) in EVENTS.into_iter().enumerate() {
        headline(&format!("{event}, adverts every {interval:?} (medians of {rounds})"), measured);
        for figure in figures(event, interval) {
            let values =
                |rounds: &[Round]| rounds.iter().filter_map(|round| (figure.of)(round, interval)).collect();
            let medians: Vec<_> = measured.iter().map(|pair| median(values(&pair.events[index]))).collect();
            line(&figure.name, &medians, figure.unit);
        }
    }
}

fn headline(title: &str, measured: &[Measured]) {
    println!("\n{title}");
    print!("  {:<52}", "");
    measured.iter().for_each(|pair| print!("{:>22}", pair.kind));
    println!("{}", if measured.len() == 2 { "   ratio" } else { "" });
}

/// A figure of a round.
struct Figure {
    name: String,
    unit: &'static str,
    /// Its value in a round at an interval, when the round has it.
    of: fn(&Round, Duration) -> Option<f64>,
}

impl Figure {
    fn millis(name: impl Into<String>, of: fn(&Round, Duration) -> Option<f64>) -> Self {
        Self { name: name.into(), unit: " ms", of }
    }

    fn count(name: impl Into<String>, of: fn(&Round, Duration) -> Option<f64>) -> Self {
        Self { name: name.into(), unit: "", of }
    }
}

fn figures(event: Event, interval: Duration) -> Vec<Figure> {
    let mut figures = match event {
        Event::Cable => {
            let name = format!("last advert → takeover, over {} ms", millis(active_down(interval)));
            vec![Figure::millis(name, |round, interval| {
                Some(millis(round.silence) - millis(active_down(interval)))
            })]
        }
        Event::Terminated | Event::ProxyKilled => {
            let name = format!("priority 0 → takeover, over {} ms", millis(skew(interval)));
            vec![
                Figure::millis("event → takeover advert", |round, _| Some(millis(round.takeover))),
                Figure::millis(name, |round, interval| {
                    Some(millis(round.resigned?) - millis(skew(interval)))
                }),
            ]
        }
    };
    figures.extend([
        Figure::millis("takeover advert → gratuitous ARP", |round, _| Some(millis(round.announced))),
        Figure::millis("client: longest time without an answer", |round, _| Some(millis(round.outage))),
        Figure::count("client: requests failed", |round, _| number(round.failed)),
        Figure::count("client: requests failed when it came back", |round, _| number(round.failed_at_return)),
    ]);
    figures
}

fn number(count: usize) -> Option<f64> {
    u32::try_from(count).ok().map(f64::from)
}

fn line(name: &str, medians: &[Option<f64>], unit: &str) {
    print!("  {name:<52}");
    for median in medians {
        let cell = match median {
            None => "–".to_owned(),
            Some(value) if unit.is_empty() => format!("{value:.0}"),
            Some(value) => format!("{value:.3}{unit}"),
        };
        print!("{cell:>22}");
    }
    match medians {
        [Some(ours), Some(theirs)] if *theirs > 0.0 => println!("{:>8.2}", ours / theirs),
        _ => println!(),
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle)?;
    Some(if values.len().is_multiple_of(2) { (values[middle - 1] + upper) / 2.0 } else { *upper })
}
