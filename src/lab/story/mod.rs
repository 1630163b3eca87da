//! `vipd lab`: the pair is built, breaks in every way it should take, and the client's side of it is told live.
//!
//! `stages` acts and waits, `narrator` makes sentences of what was seen, `timeline` prints them in order,
//! `report` is the table at the end.

mod keep;
mod limits;
mod narrator;
mod report;
mod stages;
#[cfg(test)]
mod tests;
mod timeline;
mod world;

use super::{Error, LabDir, cell};
use crate::vrrp::Centis;
use cell::Cell;
use report::Report;
use timeline::Timeline;
use world::World;

/// The config of both nodes, and the interval in it.
const CONFIG: &str = include_str!("../../../config/lab.toml");
const INTERVAL: Centis = Centis::new(10).expect("an interval of the protocol");

/// What a newcomer has to know.
const WELCOME: &str = "\
lb1 and lb2 share the address 10.77.0.100 and spread its requests over app1, app2 and app3. A client sends one every
2 ms. The hosts are network namespaces of this machine, made for this run; nothing outside them is touched.
";

/// What the command line says about the lab.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Leave it running after the story, until Ctrl-C.
    pub keep: bool,
    /// Only the steady state and the cable.
    pub quick: bool,
    /// How often the Active advertises, instead of what the lab's config says.
    pub advert_interval: Option<Centis>,
}

impl Options {
    fn interval(self) -> Centis {
        self.advert_interval.unwrap_or(INTERVAL)
    }

    /// The config of both nodes.
    fn config(self) -> String {
        CONFIG.replace(&line(INTERVAL), &line(self.interval()))
    }
}

fn line(interval: Centis) -> String {
    format!("advert_interval = \"{interval}\"")
}

/// The whole command: exit code 0 when everything happened as it should, 1 when something did not, 77 without the right
/// to make namespaces, 130 after Ctrl-C. Runs this program again inside namespaces, so it is to be called with the
/// process's own arguments and before any thread is started.
pub fn command(options: Options) -> u8 {
    cell::run(|cell| match tell(options, cell) {
        Ok(report) if report.is_good() => 0,
        Ok(_) => 1,
        Err(error) => {
            println!("\nThe lab could not go on: {error}");
            1
        }
    })
}

/// Builds everything, tells the story, prints the table.
fn tell(options: Options, cell: &Cell) -> Result<Report, Error> {
    println!("{WELCOME}");
    let timeline = Timeline::start();
    let mut report = Report::new(options.interval());
    let mut world = match World::build(LabDir::existing(&cell.dir), &options.config(), &timeline) {
        Ok(world) => world,
        Err(error) => {
            timeline.finish();
            return Err(error);
        }
    };
    let told = stages::tell(options, &mut world, &timeline, &mut report);
    world.hush();
    timeline.finish();
    if let Err(error) = told {
        report.complain(format!("the story broke off: {}", error.headline()));
    }
    println!("{report}");
    if !report.is_good() {
        println!("\n{}", world.explain());
    }
    if options.keep {
        keep::keep(&world, cell);
    }
    Ok(report)
}
