//! Two paths of adverts, as an operator reads them.

use super::*;
use crate::event::AdvertPath;
use crate::link::{PathState, PathStatus};

#[test]
fn a_lost_path_is_cried_out_and_how_both_were_used_is_said() {
    let mut status = healthy();
    let path = |path, state, received, losses| PathStatus {
        path,
        port: (path == AdvertPath::Heartbeat).then_some(8112),
        state,
        since_ms: NOW - 12_000,
        sent: 7,
        received,
        losses,
    };
    let paths = |states: [PathState; 2]| {
        vec![path(AdvertPath::Multicast, states[0], 40, 1), path(AdvertPath::Heartbeat, states[1], 99, 0)]
    };
    status.routers[0].paths = paths([PathState::Lost, PathState::Alive]);
    let text = status::text(&status, NOW, Style::Plain);
    for line in [
        "  paths     multicast: LOST for 12 s; 7 sent, 40 received, lost 1 time\n",
        "            heartbeat (UDP port 8112): alive for 12 s; 7 sent, 99 received, lost 0 times\n",
    ] {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
    let json = serde_json::to_value(status.routers[0].paths[1]).expect("JSON");
    assert_eq!(
        (json["path"].as_str(), json["state"].as_str(), json["port"].as_u64()),
        (Some("heartbeat"), Some("alive"), Some(8112))
    );
    let coloured = status::text(&status, NOW, Style::Colour);
    assert!(coloured.contains("\x1b[1;31mmulticast: LOST"), "{coloured}");

    status.routers[0].paths = paths([PathState::Unknown; 2]);
    let text = status::text(&status, NOW, Style::Plain);
    assert!(text.contains("multicast: not known here, ask the Backup's status; 7 sent"), "{text}");
    status.routers[0].role = Role::Backup;
    let text = status::text(&status, NOW, Style::Plain);
    assert!(text.contains("multicast: nothing heard yet; 7 sent"), "{text}");
}

#[test]
fn a_loss_says_where_to_look_and_a_return_is_one_line() {
    let (router, path) = ("web".to_owned(), AdvertPath::Multicast);
    let lost = Event::PathLost { router: router.clone(), path, what: "look there".to_owned() };
    assert_eq!(lost.to_string(), "web: path multicast is lost: look there");
    assert_eq!(Event::PathBack { router, path }.to_string(), "web: path multicast is back");
}
