//! What is allowed and still strange.

use super::*;

#[test]
fn what_is_strange_is_a_warning_and_the_config_is_usable() {
    let warning = |old: &str, new: &str, expected: &str| {
        let text = with(old, new);
        parsed(&text);
        assert_eq!(problems(&text), [format!("warning: {expected}")]);
    };
    warning(
        "10.77.0.100:80",
        "10.77.0.7:80",
        "\"10.77.0.7:80\": 10.77.0.7 is no address of a [[vrrp]]: it does not move on a failover; addresses \
         that move: 10.77.0.100",
    );
    warning(
        "priority = 100",
        "priority = 200",
        "200: two nodes have the priority 200: the higher address decides; give each node its own priority",
    );
    warning(
        "priority = 100",
        "priority = 1",
        "1: priority 1 is what a node competes with while it is not fit to serve; write 2 to 254: this node \
         could not be told from an unfit one",
    );
    warning(
        "priority = 100",
        "priority = 255",
        "255: priority 255 is for the node whose own address is the virtual one; write 254 or less: 255 \
         takes over at once when it starts, whatever `preempt` says",
    );
    warning(
        "10.77.0.2",
        "10.77.0.100",
        "100: 10.77.0.100 is this node's own address, so its priority should be 255; write 255, or use a \
         virtual address that no machine has",
    );
    warning(
        "10.77.0.12:8080",
        "10.77.0.11:8080",
        "\"10.77.0.11:8080\": two servers of this pool are 10.77.0.11:8080: it gets the requests of both; \
         use one server with a `weight`",
    );
    warning(
        "10.77.0.12:8080",
        "10.77.0.100:80",
        "\"10.77.0.100:80\": this server is a frontend of this file: requests would run in a circle",
    );
    warning(
        "{ http = \"/health\" }",
        "{ tcp = true, interval = \"200ms\" }",
        "{ tcp = true, interval = \"200ms\" }: a check may take 1s, longer than its interval of 200ms; add \
         timeout = \"200ms\", or a server that hangs is found out late",
    );
    warning(
        "[[pool]]",
        "[[pool]]\nname = \"spare\"\nserver = [{ name = \"a\", address = \"10.77.0.9:80\" }]\n[[pool]]",
        "\"spare\": no frontend uses the pool `spare`; add a [[frontend]] with pool = \"spare\", or remove \
         the pool",
    );
    for fine in ["0.0.0.0:80", "127.0.0.1:80"] {
        assert_eq!(problems(&with("10.77.0.100:80", fine)), [""; 0]);
    }
}
