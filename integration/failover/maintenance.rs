//! Maintenance by command through the real binary, and what a node is worth that can only show its sorry page.

use vipd::event::Event;
use vipd::lab::Moment;
use vipd::link::{MaintenanceStatus, Status, frame};
use vipd::vrrp::Role;

use crate::pair::{PATIENCE, Pair, is, is_fit};

/// The lab's config, with a page and a pool without checks behind the frontend `web`.
fn with_page(text: &str) -> String {
    let page = std::env::temp_dir().join(format!("vipd-failover-{}.html", std::process::id()));
    std::fs::write(&page, "back at six").expect("a temporary file");
    let front = format!("pool = \"web\"\nsorry_pool = \"sorry\"\nmaintenance = {{ page = {page:?} }}");
    let sorry = "[[pool]]\nname = \"sorry\"\nserver = [{ name = \"app1\", address = \"10.77.0.11:8081\" }]\n";
    format!("{}\n{sorry}", text.replacen("pool = \"web\"", &front, 1))
}

fn closed(status: &Status) -> bool {
    let proxy = status.proxy.as_ref().expect("a proxy");
    proxy.report.as_ref().is_some_and(|report| report.listening && report.frontends[0].maintenance)
}

#[test]
fn a_command_shows_the_page_outlives_the_proxy_and_moves_nothing() {
    let pair = Pair::serving_with(with_page);
    let (mark, begun) = (pair.node("lb1").events().mark(), Moment::now());
    let output = pair.vipd("lb1", &["maintenance", "on", "web", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let done: MaintenanceStatus = frame::decode(&output.stdout).expect("JSON");
    assert_eq!((done.node.as_str(), done.others.as_slice()), ("lb1", &["lb2".to_owned()][..]));
    assert!(
        done.frontends.len() == 1 && done.frontends[0].maintenance && done.frontends[0].in_effect,
        "{done:?}"
    );
    // Answered when it is so: whoever asks from now on gets the page.
    let ask = || pair.output_on("client", "curl -sS -w %{http_code} http://10.77.0.100:3000/");
    assert_eq!(ask(), "back at six503");
    let status = pair.node("lb1").status().expect("a status");
    assert_eq!(status.proxy.as_ref().expect("a proxy").maintenance, ["web"]);
    assert!(is(&status, Role::Active) && is_fit(&status) && closed(&status), "{status:?}");
    let told = pair.node("lb1").events().wait(mark, PATIENCE, |events| {
        let told = |event: &Event| *event == Event::Maintenance { frontend: "web".to_owned(), begins: true };
        events.iter().any(|stamped| told(&stamped.event)).then_some(())
    });
    assert!(told.is_some(), "an event tells of it");
    let text = String::from_utf8_lossy(&pair.vipd("lb1", &["status"]).stdout).into_owned();
    assert!(text.contains("  maintenance  web, by command"), "{text}");
    // The other frontend serves.
    pair.assert_undisturbed(&pair.tally_of(1, begun));
    pair.held_by("lb1");

    // lb2 was not told: it serves, and lb1's proxy has it from its first request on.
    let killed = Moment::now();
    pair.node("lb1").kill_proxy().expect("killed");
    pair.advert_of("lb2", killed);
    pair.node("lb1")
        .wait_for("Active and closed", PATIENCE, |status| is(status, Role::Active) && closed(status))
        .expect("lb1 is back");
    assert_eq!(ask(), "back at six503");

    let refused = pair.vipd("lb1", &["maintenance", "off", "wbe"]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && why.contains("only web, api"), "{why}");
    let output = pair.vipd("lb1", &["maintenance", "off", "--all"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.starts_with("lb1: web serves from now on\nlb1: api serves from now on\nlb2 does not"),
        "{said}"
    );
    assert!(ask().ends_with("200"), "{}", ask());
}

#[test]
fn a_node_with_nothing_but_its_sorry_pool_yields_to_one_that_serves() {
    let pair = Pair::serving_with(with_page);
    let lb1 = pair.yields_without_servers();
    let sorry = &lb1.proxy.expect("a proxy").report.expect("it reports").pools[2];
    assert_eq!((sorry.name.as_str(), sorry.healthy), ("sorry", 1), "that pool is taken to be up");
}
