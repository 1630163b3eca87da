//! Limits of servers and the queue behind them.

use super::*;

#[test]
fn a_limit_and_a_queue_are_read_and_shown() {
    let limited = with("address = \"10.77.0.11:8080\"", "address = \"10.77.0.11:8080\", max_connections = 7");
    let text = limited.replace("check =", "queue = { length = 5, timeout = \"2s\" }\ncheck =");
    let config = parsed(&text).config;
    assert_eq!(config.pools[0].servers[0].max_connections, Some(7));
    let queue = config.pools[0].queue;
    assert_eq!((queue.length, queue.timeout.as_secs()), (5, 2));
    assert_eq!(parsed(&show(&config)).config, config);
}

#[test]
fn what_is_wrong_is_said_and_a_queue_for_nobody_is_strange() {
    assert_problem(
        "check =",
        "queue = { length = -1 }\ncheck =",
        "-1: a number of requests is 0 to 1000000; write a number from 0 to 1000000",
    );
    assert_problem(
        "check =",
        "queue = 5\ncheck =",
        "5: expected a table, found an integer; write queue = { length = 1000, timeout = \"5s\" }",
    );
    let warned = parsed(&with("check =", "queue = { length = 5 }\ncheck =")).warnings;
    assert!(warned.iter().any(|warning| warning.message.contains("nobody queues")), "{warned:?}");
}
