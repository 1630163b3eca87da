//! Sends every case to every proxy, each from an address of its own, and collects what came of it.
//!
//! The address is how a recorded request is told whose it is: all three put it into X-Forwarded-For.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{iter, thread};

use socket2::{Domain, Socket, Type};

use crate::corpus::Corpus;
use crate::peers::{self, TIMEOUT};
use crate::recorder::Recorder;
use crate::rig;
use crate::table::{Did, Outcome};

/// Connections at a time: most of them wait for a timeout.
const AT_ONCE: usize = 600;

/// Runs the corpus through all three.
pub(crate) fn run(corpus: &Corpus) -> Vec<Outcome> {
    let recorders: [Recorder; 3] = std::array::from_fn(|_| Recorder::start());
    let mut limits = rig::limits();
    (limits.head_timeout, limits.idle_timeout) = (TIMEOUT, TIMEOUT);
    (limits.head, limits.headers) = (16 * 1024, 100);
    let vipd = rig::rig_with(&[recorders[0].address], limits, 1);
    let haproxy = peers::haproxy(recorders[1].address);
    let nginx = peers::nginx(recorders[2].address);
    let proxies = [vipd.address, haproxy.address, nginx.address];
    let answers = ask_all(corpus, proxies);
    let records = recorders.map(|recorder| recorder.records());
    let mut did: Vec<Vec<Did>> =
        (0..3).map(|at| attribute(proxies[at], &answers[at], &records[at])).collect();
    let (nginx, haproxy, vipd) = (did.pop(), did.pop(), did.pop());
    let each = |did: Option<Vec<Did>>| did.unwrap_or_default().into_iter();
    let both = each(haproxy).zip(each(nginx));
    each(vipd).zip(both).map(|(vipd, (haproxy, nginx))| Outcome { vipd, haproxy, nginx }).collect()
}

/// What every proxy answered to every case.
fn ask_all(corpus: &Corpus, proxies: [SocketAddr; 3]) -> [Vec<Vec<u8>>; 3] {
    let cases: Vec<_> = corpus.cases().map(|case| case.bytes.as_slice()).collect();
    let next = AtomicUsize::new(0);
    let ask = || {
        let job = || Some(next.fetch_add(1, Ordering::SeqCst)).filter(|job| *job < cases.len() * 3);
        let run = |job: usize| (job, ask(proxies[job % 3], source(job / 3), cases[job / 3]));
        iter::from_fn(job).map(run).collect::<Vec<_>>()
    };
    let mut answers: [Vec<_>; 3] = std::array::from_fn(|_| vec![Vec::new(); cases.len()]);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(ask)).collect();
        for (job, answer) in workers.into_iter().flat_map(|worker| worker.join().expect("no panic")) {
            answers[job % 3][job / 3] = answer;
        }
    });
    answers
}

/// The address that a case comes from.
fn source(case: usize) -> Ipv4Addr {
    let [.., high, low] = u32::try_from(case + 256).expect("fewer cases").to_be_bytes();
    Ipv4Addr::new(127, 77, high, low)
}

/// Everything that a proxy says until it closes: all of them do when the client stays silent.
fn ask(proxy: SocketAddr, source: Ipv4Addr, bytes: &[u8]) -> Vec<u8> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("sockets");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("an address of the loopback");
    socket.connect(&proxy.into()).expect("the proxy listens");
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(TIMEOUT + Duration::from_secs(20))).expect("it is a socket");
    // A proxy may refuse before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{proxy} does not close");
    }
    answer
}

fn attribute(proxy: SocketAddr, answers: &[Vec<u8>], records: &[Vec<u8>]) -> Vec<Did> {
    let mut all: Vec<_> = answers.iter().map(|answer| Did::answered(proxy, answer)).collect();
    for record in records.iter().filter(|record| !record.is_empty()) {
        let case = (0..answers.len()).find(|case| names(record, source(*case)));
        let case = case.unwrap_or_else(|| panic!("{proxy} sent for nobody: {}", record.escape_ascii()));
        all[case].forwarded.push(record.clone());
    }
    all
}

/// Whether a message has the address as a whole.
fn names(record: &[u8], source: Ipv4Addr) -> bool {
    let source = source.to_string();
    let ends = |at: usize| record.get(at).is_none_or(|byte| !byte.is_ascii_digit());
    record
        .windows(source.len())
        .enumerate()
        .any(|(at, part)| part == source.as_bytes() && ends(at + part.len()))
}
