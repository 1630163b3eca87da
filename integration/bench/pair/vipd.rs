//! The pair of this project.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use vipd::lab::{Error, Lab, Node, Setup};

pub(crate) struct Pair {
    lb1: Node,
    lb2: Node,
    setup: Setup,
    terminated: bool,
}

/// How long an agent may take to end after SIGTERM.
const END: Duration = Duration::from_secs(20);

impl Pair {
    pub(super) fn start(lab: &Lab, interval: Duration) -> Result<Self, Error> {
        let config = lab.dir().join("vipd.toml");
        let written = std::fs::write(&config, config_with(interval));
        written.map_err(|error| Error::new(format!("writing {}: {error}", config.display())))?;
        let setup = Setup { binary: PathBuf::from(env!("CARGO_BIN_EXE_vipd")), config };
        let lb1 = Node::start(lab, "lb1", &setup)?;
        let lb2 = Node::start(lab, "lb2", &setup)?;
        Ok(Self { lb1, lb2, setup, terminated: false })
    }

    pub(super) fn explain(&self) -> String {
        format!("{}\n{}", self.lb1.explain(), self.lb2.explain())
    }

    pub(super) fn speakers(&self) -> [Vec<u32>; 2] {
        [vec![self.lb1.pid()], vec![self.lb2.pid()]]
    }

    pub(super) fn terminate(&mut self) -> Result<(), Error> {
        self.terminated = true;
        self.lb1.signal(Signal::SIGTERM)
    }

    /// The agent starts it again by itself.
    pub(super) fn kill_proxy(&self) -> Result<(), Error> {
        self.lb1.kill_proxy()
    }

    pub(super) fn revive(&mut self, lab: &Lab) -> Result<(), Error> {
        if std::mem::take(&mut self.terminated) {
            let ended = self.lb1.process().wait(END)?;
            ended.ok_or_else(|| Error::new(format!("vipd run still runs {END:?} after SIGTERM")))?;
            self.lb1 = Node::start(lab, "lb1", &self.setup)?;
        }
        Ok(())
    }
}

/// The lab's config with another interval.
fn config_with(interval: Duration) -> String {
    let text = include_str!("../../../config/lab.toml");
    // Every round is a fault of lb1, which would be held down for it.
    let ours = format!("advert_interval = \"{}ms\"\nhold_down = \"0s\"", interval.as_millis());
    text.replace("advert_interval = \"100ms\"", &ours)
}
