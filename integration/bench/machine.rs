//! What the machine did while something was measured: `/proc/stat` (proc_stat(5)).

use std::fs;

use crate::stack::Failure;

/// Columns of a processor's line: user, nice, system, idle, iowait, irq, softirq, steal.
const IDLE: usize = 3;
const STEAL: usize = 7;

/// The time of each processor up to now, by what for.
pub(crate) struct Meter(Vec<Vec<f64>>);

impl Meter {
    pub(crate) fn start() -> Result<Self, Failure> {
        let stat = fs::read_to_string("/proc/stat")?;
        let processors = stat.lines().skip(1).take_while(|line| line.starts_with("cpu"));
        let times =
            |line: &str| line.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
        Ok(Self(processors.map(times).collect()))
    }

    /// The share of all their time since then that a hypervisor has given to others. What was running then is charged
    /// for some of it, and whoever waited for a lock of a processor that stood still is charged for waiting.
    pub(crate) fn stolen(&self) -> Result<f64, Failure> {
        let all =
            self.since()?.into_iter().reduce(|sum, of| sum.iter().zip(of).map(|(a, b)| a + b).collect());
        Ok(all.map_or(0.0, |all| share(&all, STEAL)))
    }

    /// The share of its time since then for which a processor had something to do.
    pub(crate) fn busy(&self, processor: usize) -> Result<f64, Failure> {
        Ok(self.since()?.get(processor).map_or(0.0, |of| 1.0 - share(of, IDLE)))
    }

    fn since(&self) -> Result<Vec<Vec<f64>>, Failure> {
        let now = Self::start()?.0;
        let pairs = now.iter().zip(&self.0);
        Ok(pairs.map(|(now, then)| now.iter().zip(then).map(|(now, then)| now - then).collect()).collect())
    }
}

fn share(times: &[f64], of: usize) -> f64 {
    times.get(of).map_or(0.0, |part| part / times.iter().sum::<f64>().max(1.0))
}
