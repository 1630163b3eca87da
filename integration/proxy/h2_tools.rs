//! HTTP/2 as the clients of others speak it.

use std::process::Command;

use crate::rig::*;

pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let run = Command::new(program).args(arguments).output();
    let run = run.unwrap_or_else(|error| panic!("{program}: {error}; integration/run installs it"));
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{text}{}", String::from_utf8_lossy(&run.stderr));
    text
}

#[test]
fn curl_asks_and_uploads() {
    let app = site("app1");
    let rig = rig(&[app.address]);
    let url = format!("http://{}/x", rig.address);
    let curl = |more: &[&str]| {
        run("curl", &[&["-sS", "-i", "--max-time", "20", "--http2-prior-knowledge", &url], more].concat())
    };
    let text = curl(&[]);
    assert!(text.starts_with("HTTP/2 200") && text.contains("GET /x HTTP/1.1"), "{text}");
    let text = curl(&["-d", "hello"]);
    assert!(text.contains("\r\ncontent-length: 5\r\n") && text.ends_with("hello"), "{text}");
    let text = curl(&["-H", "Transfer-Encoding: chunked", "-d", "hello"]);
    assert!(text.ends_with("hello"), "{text}");
    let text = curl(&["--head"]);
    assert!(text.starts_with("HTTP/2 200"), "{text}");
}

#[test]
fn h2load_loses_no_request() {
    let app = parrot(ok("hello"));
    let rig = rig_with(&[app.address], limits(), 1);
    let url = format!("http://{}/", rig.address);
    let text = run("h2load", &["-n", "5000", "-c", "4", "-m", "32", &url]);
    assert!(text.contains("5000 succeeded, 0 failed, 0 errored, 0 timeout"), "{text}");
    assert_eq!((rig.frontend().requests, rig.frontend().errors), (5000, 0));
    rig.settles_at(0);
}
