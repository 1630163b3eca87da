//! Where requests go by host and path, as files say it.

use super::*;

fn pattern(host: &str, path: &str) -> Pattern {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Pattern { host: given(host), path: given(path) }
}

#[test]
fn hosts_are_names_in_any_case_without_a_port() {
    let takes = |wanted: &str, host: &str| pattern(wanted, "").matches(Some(host.as_bytes()), "/");
    for host in ["api.example.com", "API.Example.COM", "api.example.com:8080", "api.example.com."] {
        assert!(takes("api.example.com", host), "{host}");
        assert!(takes("*.example.com", host), "{host}");
    }
    assert!(takes("*.example.com", "a.b.example.com"));
    assert!(takes("[2001:db8::1]", "[2001:DB8::1]:80") && takes("[2001:db8::1]", "[2001:db8::1]"));
    for host in ["example.com", ".example.com", "badexample.com", "api.example.com.evil.org", ""] {
        assert!(!takes("*.example.com", host), "{host}");
        assert!(!takes("api.example.com", host), "{host}");
    }
    assert!(!pattern("a", "").matches(None, "/") && pattern("", "/").matches(None, "/"));
}

#[test]
fn paths_are_whole_segments_as_they_were_sent() {
    let takes = |wanted: &str, path: &str| pattern("", wanted).matches(None, path);
    for path in ["/v1", "/v1/", "/v1/x", "/v1//x", "/v1/../admin"] {
        assert!(takes("/v1", path), "{path}");
    }
    for path in ["/", "/v10", "/v", "/V1", "/%761", "//v1", "/x/v1", "/v1%2fx", "*"] {
        assert!(!takes("/v1", path), "{path}");
    }
    assert!(takes("/v1/", "/v1/x") && takes("/v1/", "/v1/") && !takes("/v1/", "/v1"));
    assert!(takes("/", "/anything") && !takes("/", "*"));
}

/// `SMALL` with these routes and a second pool.
fn routed(routes: &str) -> String {
    let pool = "[[pool]]\nname = \"api\"\nserver = [{ name = \"a\", address = \"10.77.0.13:80\" }]\n[[pool]]";
    with("pool = \"app\"", &format!("pool = \"app\"\nroute = [{routes}]")).replacen("[[pool]]", pool, 1)
}

#[test]
fn routes_and_redirects_are_read_and_shown() {
    let text =
        routed(r#"{ host = "API.example.com.", path = "/v1", pool = "api" }, { path = "/x", pool = "app" }"#);
    let config = parsed(&text).config;
    let route = |host, path, pool| RequestRoute { pattern: pattern(host, path), pool };
    assert_eq!(config.frontends[0].routes, [route("api.example.com", "/v1", 0), route("", "/x", 1)]);
    assert_eq!(config.frontends[0].pools().collect::<Vec<_>>(), [1, 0, 1]);
    assert_eq!(parsed(&show(&config)).config, config);
    for (text, status, port) in [
        ("\"https\"", 301, 443),
        ("{ to = \"https\", status = 308 }", 308, 443),
        ("{ to = \"https\", port = 8443 }", 301, 8443),
    ] {
        let front = format!("redirect = {text}\nroute = [{{ path = \"/.well-known\", pool = \"app\" }}]");
        let config = parsed(&with("pool = \"app\"", &front)).config;
        let front = &config.frontends[0];
        assert_eq!((front.pool, front.redirect), (None, Some(Redirect { status, port })), "{text}");
        assert_eq!(parsed(&show(&config)).config, config);
    }
}

#[test]
fn connect_is_passed_on_only_where_it_is_asked_for() {
    let connect =
        |line: &str| parsed(&with("pool =", &format!("{line}\npool ="))).config.frontends[0].connect;
    assert!(connect("connect = true") && !connect("connect = false") && !connect(""));
    let config = parsed(&with("pool =", "connect = true\npool =")).config;
    assert_eq!(parsed(&show(&config)).config, config);
    assert_problem(
        "pool =",
        "mode = \"tcp\"\nconnect = true\npool =",
        "true: a frontend with mode = \"tcp\" passes on whatever is spoken, CONNECT as well; remove it, or use mode = \
         \"http\"",
    );
}

#[test]
fn a_route_that_gets_no_requests_is_a_warning() {
    let dead = |routes: &[&str]| {
        let routes: Vec<_> = routes.iter().map(|keys| format!("{{ {keys}, pool = \"api\" }}")).collect();
        let last = routes.last().expect("some").clone();
        let found = problems(&routed(&routes.join(", ")));
        let expected = format!(
            "warning: {last}: this route gets no requests: an earlier one takes them all; put it before the other one, \
             or remove it"
        );
        assert!(found.is_empty() || found == [expected], "{found:?}");
        !found.is_empty()
    };
    let (a, any_a, path) = ("host = \"a.com\"", "host = \"*.a.com\"", "path = \"/v1\"");
    assert!(dead(&[a, a]) && dead(&[path, path]) && dead(&[any_a, "host = \"x.a.com\""]));
    assert!(dead(&[any_a, "host = \"*.b.a.com\""]) && dead(&[path, "path = \"/v1/x\", host = \"a.com\""]));
    assert!(dead(&[a, "host = \"A.com\", path = \"/\""]) && dead(&["path = \"/\"", path]));
    assert!(
        !dead(&[any_a, a]) && !dead(&[a, any_a]) && !dead(&[path, "path = \"/v10\""]) && !dead(&[a, path])
    );
    assert!(!dead(&["path = \"/v1/x\"", path]) && !dead(&["host = \"a.com\", path = \"/v1\"", path]));
}

#[test]
fn what_is_wrong_with_routes_is_said() {
    let problem = |routes: &str, expected: &str| assert_eq!(problems(&routed(routes)), [expected]);
    problem(
        "{ path = \"/\", pool = \"apo\" }, { path = \"/x\", pool = \"api\" }",
        "\"apo\": there is no pool `apo`; did you mean \"api\"?",
    );
    problem(
        "{ path = \"/x?y\", pool = \"api\" }",
        "\"/x?y\": a route does not look at the query; leave out the `?` and what follows",
    );
    problem(
        "{ host = \"a.com:80\", pool = \"api\" }",
        "\"a.com:80\": `a.com:80` is no host; write a name without a port: \"api.example.com\", or \
         \"*.example.com\" for all below it",
    );
    let redirect = |new: &str, expected: &str| {
        assert_eq!(problems(&with("pool = \"app\"", new)), [expected]);
    };
    redirect(
        "pool = \"app\"\nredirect = \"https\"",
        "\"app\": a frontend has either a `pool` or a `redirect`; remove one of the two, or send some requests to the \
         pool by a `route`",
    );
    let example = "write \"https\" or { to = \"https\", status = 308, port = 8443 }";
    let wrong = |value: &str, expected: &str| {
        redirect(&format!("pool = \"app\"\nredirect = {value}"), &format!("{value}: {expected}"));
    };
    wrong("{ status = 301 }", &format!("a redirect leads to https; {example}"));
    wrong("{ to = \"https\", prot = 1 }", &format!("unknown key `prot` in redirect; {example}"));
    wrong(
        "{ to = \"https\", status = 200 }",
        "this status sends nobody elsewhere; write 301 or 308 for good, 302 or 307 for now",
    );
    redirect(
        "mode = \"tcp\"\nredirect = \"https\"",
        "\"https\": a frontend with mode = \"tcp\" does not see hosts and paths; remove it, or use mode = \"http\"",
    );
    redirect(
        "pool = \"app\"\nmode = \"tcp\"\nh2 = true",
        "true: a frontend with mode = \"tcp\" passes on whatever is spoken, HTTP/2 as well; remove it, or use \
         mode = \"http\"",
    );
    let lacking = problems(&with("pool = \"app\"", ""));
    assert!(lacking.iter().any(|it| it.contains("[[frontend]] has no `pool`")), "{lacking:?}");
}

#[test]
fn http_2_is_spoken_unless_it_is_not_wanted() {
    let h2 = |keys: &str| parsed(&with("pool = \"app\"", keys)).config.frontends[0].h2;
    assert!(h2("pool = \"app\"") && !h2("pool = \"app\"\nh2 = false"));
    assert!(!h2("pool = \"app\"\nmode = \"tcp\""));
}

#[test]
fn tcp_and_what_needs_hosts_and_paths_name_each_other() {
    let text = with("pool = \"app\"", "mode = \"tcp\"\nredirect = \"https\"\npool = \"app\"");
    let errors = parse("vipd.toml", &text).expect_err("it contradicts itself");
    let [problem] = &errors.problems[..] else { panic!("one problem, not {errors}") };
    let (mode, _) = problem.other.as_ref().expect("it names the other place");
    assert_eq!((&text[problem.place.clone()], &text[mode.clone()]), ("\"https\"", "\"tcp\""));
}
