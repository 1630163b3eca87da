//! What the speakers of VRRP cost while nothing happens but adverts.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use vipd::lab::{Error, Moment};

/// What the processes of one node cost together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    /// Resident memory in MiB.
    pub(crate) resident: f64,
    /// Percent of one core.
    pub(crate) cpu: f64,
}

/// How long is looked: ten times what comes every few seconds.
const SPAN: Duration = Duration::from_secs(30);

/// Watches the Active and the Backup for a while, whose processes `nodes` are.
pub(crate) fn measure(nodes: [&[u32]; 2]) -> Result<[Rest; 2], Error> {
    let [from_active, from_backup] = nodes.map(|pids| (Moment::now(), nanos_on_cpu(pids)));
    sleep(SPAN);
    let since = |(at, nanos): (Moment, Result<u64, Error>), pids| {
        let (span, busy) = (Moment::now().since(at), Duration::from_nanos(nanos_on_cpu(pids)? - nanos?));
        let cpu = 100.0 * busy.as_secs_f64() / span.as_secs_f64();
        Ok(Rest { resident: resident_of(pids)?, cpu })
    };
    Ok([since(from_active, nodes[0])?, since(from_backup, nodes[1])?])
}

/// Resident memory of `pids` together in MiB.
pub(crate) fn resident_of(pids: &[u32]) -> Result<f64, Error> {
    pids.iter().map(|pid| resident(*pid)).sum()
}

/// Nanoseconds that every thread of `pids` has spent on a processor (proc(5), schedstat).
fn nanos_on_cpu(pids: &[u32]) -> Result<u64, Error> {
    let mut sum = 0;
    for pid in pids {
        let threads = format!("/proc/{pid}/task");
        let gone = |error| Error::new(format!("reading {threads}: {error}"));
        for thread in fs::read_dir(&threads).map_err(gone)?.flatten() {
            let text = fs::read_to_string(thread.path().join("schedstat")).map_err(gone)?;
            sum += text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Ok(sum)
}

/// VmRSS of `pid` in MiB (proc(5)).
fn resident(pid: u32) -> Result<f64, Error> {
    let file = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&file).map_err(|error| Error::new(format!("reading {file}: {error}")))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| Error::new(format!("{file} has no VmRSS")))
}
