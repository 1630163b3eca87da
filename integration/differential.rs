//! The same raw requests through vipd, HAProxy and Nginx to the same recording server.
//!
//! `differential/corpus.txt` has the requests, grouped by the sentence of the RFC that decides them;
//! `differential/differences.txt` lists every case that the three do not treat alike, and what each did. What is
//! recorded behind vipd is read by a judge that knows every leniency a server may have: it must never see two
//! requests, or the end of one, where vipd sent one.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

#[path = "differential/client.rs"]
mod client;
#[path = "differential/corpus.rs"]
mod corpus;
#[path = "differential/judge.rs"]
mod judge;
#[path = "peer.rs"]
mod peer;
#[path = "differential/peers.rs"]
mod peers;
#[path = "differential/recorder.rs"]
mod recorder;
#[path = "proxy/rig.rs"]
#[expect(dead_code, reason = "what only the tests of the data plane say")]
mod rig;
#[path = "differential/table.rs"]
mod table;

use corpus::Corpus;
use judge::Reading;
use table::Outcome;

/// Set to write the table anew; then read the difference before it is committed.
const ACCEPT: &str = "DIFFERENTIAL_ACCEPT";

/// One run serves every test.
static RUN: LazyLock<(Corpus, Vec<Outcome>)> = LazyLock::new(|| {
    let corpus = corpus::parse(&fs::read_to_string(file("corpus.txt")).expect("a corpus"));
    let outcomes = client::run(&corpus);
    (corpus, outcomes)
});

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/differential").join(name)
}

#[test]
fn every_difference_between_the_three_is_listed() {
    let (corpus, outcomes) = &*RUN;
    let found = table::differences(corpus, outcomes);
    if std::env::var_os(ACCEPT).is_some() {
        fs::write(file("differences.txt"), &found).expect("the source tree can be written");
    }
    let listed = fs::read_to_string(file("differences.txt")).expect("a table");
    let (found, listed): (Vec<_>, Vec<_>) = (table::entries(&found), table::entries(&listed));
    let unlisted: String = found.iter().filter(|entry| !listed.contains(entry)).copied().collect();
    let stale: String = listed.iter().filter(|entry| !found.contains(entry)).copied().collect();
    assert!(
        unlisted.is_empty() && stale.is_empty(),
        "not as listed in integration/differential/differences.txt.\nfound:\n{unlisted}\nlisted:\n{stale}\n\
         {ACCEPT}=1 writes it anew"
    );
}

#[test]
fn nothing_behind_vipd_can_be_read_as_two_requests() {
    let (corpus, outcomes) = &*RUN;
    assert!(corpus.cases().count() >= 400);
    let (mut judged, mut objected) = (0, String::new());
    for (case, outcome) in corpus.cases().zip(outcomes) {
        let forwarded = &outcome.vipd.forwarded;
        for message in forwarded {
            judged += 1;
            if let Some(objection) = judge::objections(message).first() {
                let _ = writeln!(objected, "{}: {objection:?}\n  {}", case.name, message.escape_ascii());
            }
        }
        let complete = forwarded.iter().filter(|message| is_whole(message)).count();
        let answered = outcome.vipd.answers.iter().filter(|answer| *answer == "200").count();
        assert_eq!(complete, answered, "{}: whole requests behind vipd and answers", case.name);
    }
    assert!(objected.is_empty(), "{objected}");
    assert!(judged >= 150, "only {judged} messages were forwarded");
}

fn is_whole(message: &[u8]) -> bool {
    judge::read(message, Reading::STRICT).whole == 1
}
