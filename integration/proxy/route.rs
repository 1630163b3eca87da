//! Pools by host and path, and redirects, over real sockets.

use vipd::config::{Frontend, Pattern, Redirect, RequestRoute};
use vipd::pool::{Rule, Snapshot};

use crate::rig::*;

fn route(host: &str, path: &str, pool: usize) -> RequestRoute {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    RequestRoute { pattern: Pattern { host: given(host), path: given(path) }, pool }
}

fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[test]
fn the_first_route_that_matches_chooses_the_pool_for_each_request() {
    let (app, api, sites) = (site("app"), site("api"), site("sites"));
    let pools = [&app, &api, &sites].map(|site| pool(&[(site.address, 1)], Rule::default()));
    let routes = vec![route("api.example.com", "/v1", 1), route("*.example.com", "", 2), route("", "/v1", 1)];
    let rig = rig_of(Snapshot::new(pools), Frontend { routes, ..web() }, limits(), 2);
    let mut client = rig.client();
    for (host, path, expected) in [
        ("api.example.com", "/v1/x?y", "api"),
        ("API.EXAMPLE.COM:8080", "/v1", "api"),
        ("api.example.com", "/v10", "sites"),
        ("www.example.com", "/v1", "sites"),
        ("example.com", "/", "app"),
        ("example.com", "/v1", "api"),
        ("example.com", "/%761", "app"),
        ("example.com", "/x/../v1", "app"),
        // The Host field does not count beside an absolute target (RFC 9112 §3.2.2).
        ("h", "http://www.example.com/v1", "sites"),
    ] {
        client.say(&get(host, path));
        let (_, body) = client.message();
        assert_eq!(body.lines().next(), Some(expected), "{host} {path}");
    }
    client.say("GET / HTTP/1.0\r\n\r\n");
    assert!(client.rest().contains("app\n"), "a request without a host goes to the frontend's pool");
}

#[test]
fn a_routed_pool_without_servers_is_503_and_does_not_fall_back() {
    let app = site("app");
    let pools = [pool(&[(app.address, 1)], Rule::default()), pool(&[], Rule::default())];
    let front = Frontend { routes: vec![route("", "/v1", 1)], ..web() };
    let rig = rig_of(Snapshot::new(pools), front, limits(), 1);
    let mut client = rig.client();
    for (path, status) in [("/v1", "503"), ("/", "200")] {
        client.say(&get("h", path));
        assert!(client.message().0.starts_with(&format!("HTTP/1.1 {status} ")), "{path}");
    }
}

/// A proxy that sends everyone to https, but for one path.
fn redirecting(app: &Origin, status: u16, port: u16) -> Rig {
    let redirect = Some(Redirect { status, port });
    let routes = vec![route("", "/.well-known/acme-challenge", 0)];
    let pools = [pool(&[(app.address, 1)], Rule::default())];
    rig_of(Snapshot::new(pools), Frontend { pool: None, routes, redirect, ..web() }, limits(), 1)
}

#[test]
fn a_redirect_keeps_host_path_and_query_and_the_connection() {
    let app = site("app");
    let rig = redirecting(&app, 301, 443);
    let mut client = rig.client();
    for (host, path, location) in [
        ("example.com", "/a%20b?c=d&e", "https://example.com/a%20b?c=d&e"),
        ("example.com:8080", "/", "https://example.com/"),
        ("[2001:db8::1]:80", "/x", "https://[2001:db8::1]/x"),
        ("[2001:db8::1]", "/x", "https://[2001:db8::1]/x"),
        ("h", "http://other.org:81/p", "https://other.org/p"),
    ] {
        client.say(&get(host, path));
        let (head, body) = client.message();
        assert!(head.starts_with("HTTP/1.1 301 Moved Permanently\r\n"), "{head}");
        assert_eq!((field(&head, "location"), &*body), (Some(location), ""));
        assert_eq!(field(&head, "connection"), Some("keep-alive"));
    }
    client.say("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(field(&client.message().0, "location"), Some("https://h/"));
    client.say(&get("h", "/.well-known/acme-challenge/token"));
    assert!(client.message().1.starts_with("app\n"), "a route comes before the redirect");
    assert_eq!((rig.frontend().requests, rig.frontend().errors), (7, 0));
}

#[test]
fn a_redirect_with_a_port_and_a_status_of_its_own() {
    let app = site("app");
    let rig = redirecting(&app, 308, 8443);
    let mut client = rig.client();
    client.say("HEAD /x HTTP/1.1\r\nHost: h:80\r\n\r\n");
    let head = client.head().expect("an answer");
    assert!(head.starts_with("HTTP/1.1 308 Permanent Redirect\r\n"), "{head}");
    assert_eq!(field(&head, "location"), Some("https://h:8443/x"));
    // A body that nobody reads: the answer comes, and the connection ends.
    client.say("POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
    let (head, _) = client.message();
    assert_eq!(
        (field(&head, "location"), field(&head, "connection")),
        (Some("https://h:8443/up"), Some("close"))
    );
    // Without a Host it is the address that the client knows.
    let said = rig.ask("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(field(&said, "location"), Some(&*format!("https://{}:8443/", rig.address.ip())));
}
