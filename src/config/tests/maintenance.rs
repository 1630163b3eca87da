//! What clients get while no server answers them: `maintenance` and `sorry_pool`.

use std::time::Duration;

use super::*;

/// `SMALL` with these lines in its frontend and a second pool.
fn front(lines: &str) -> String {
    let pool =
        "[[pool]]\nname = \"sorry\"\nserver = [{ name = \"s\", address = \"10.77.0.13:80\" }]\n[[pool]]";
    with("pool = \"app\"", &format!("pool = \"app\"\n{lines}")).replacen("[[pool]]", pool, 1)
}

#[test]
fn a_page_and_a_pool_that_stands_in_are_read_and_shown() {
    let Parsed { config, warnings, pages, .. } =
        parsed(&front("maintenance = { page = \"/srv/sorry.html\" }\nsorry_pool = \"sorry\""));
    assert_eq!(warnings, [], "the pool is used");
    let web = &config.frontends[0];
    let page =
        Maintenance { page: "/srv/sorry.html".into(), status: 503, retry_after: Duration::from_secs(60) };
    assert_eq!((web.maintenance.as_ref(), web.sorry_pool), (Some(&page), Some(0)));
    assert_eq!(web.pools().collect::<Vec<_>>(), [1], "a node is not fit for having its sorry pool");
    assert_eq!(
        pages.iter().map(|(path, _)| path.display().to_string()).collect::<Vec<_>>(),
        ["/srv/sorry.html"]
    );
    assert_eq!(parsed(&show(&config)).config, config);
    let given = "maintenance = { page = \"/srv/down.JSON\", status = 200, retry_after = \"5m\" }\nsorry_pool = \"sorry\"";
    let config = parsed(&front(given)).config;
    let page = config.frontends[0].maintenance.as_ref().expect("given");
    assert_eq!(
        (page.status, page.retry_after.as_secs(), page.content_type()),
        (200, 300, "application/json")
    );
    assert_eq!(parsed(&show(&config)).config, config);
    assert_eq!(parsed(&with("pool =", "maintenance = \"off\"\npool =")).config, parsed(SMALL).config);
}

#[test]
fn what_is_no_page_is_said() {
    let wrong = |value: &str, expected: &str| {
        assert_problem("pool =", &format!("maintenance = {value}\npool ="), expected);
    };
    wrong("\"/x.html\"", "\"/x.html\": expected a table, found a string");
    wrong(
        "{ status = 503 }",
        "{ status = 503 }: maintenance has no `page`; add page = \"/etc/vipd/maintenance.html\"",
    );
    wrong(
        "{ page = \"sorry.html\" }",
        "\"sorry.html\": `sorry.html` is not the full path of a file; write \"/etc/vipd/maintenance.html\"",
    );
    wrong(
        "{ page = \"/srv/sorry.png\" }",
        "\"/srv/sorry.png\": the name of `/srv/sorry.png` does not say what kind of page it is; let it end with one of \
         .html, .htm, .txt, .json, .xml",
    );
    for status in ["204", "302"] {
        wrong(
            &format!("{{ page = \"/srv/sorry.html\", status = {status} }}"),
            &format!(
                "{status}: a maintenance page has no such status; write 503: caches and search engines come again; or \
                 200, or another error"
            ),
        );
    }
    for after in ["0s", "1500ms"] {
        wrong(
            &format!("{{ page = \"/srv/sorry.html\", retry_after = \"{after}\" }}"),
            &format!("\"{after}\": clients are told whole seconds; write \"1m\", at least \"1s\""),
        );
    }
}

#[test]
fn what_cannot_be_meant_together_is_said() {
    let tcp = front("mode = \"tcp\"\nmaintenance = { page = \"/srv/sorry.html\" }\nsorry_pool = \"sorry\"");
    assert_eq!(
        problems(&tcp),
        [
            "{ page = \"/srv/sorry.html\" }: a frontend with mode = \"tcp\" has nobody to show a page to; remove it: in \
          maintenance it closes new connections; or use mode = \"http\""
        ]
    );
    assert_problem(
        "pool = \"app\"",
        "pool = \"app\"\nsorry_pool = \"app\"",
        "\"app\": this is the pool that it is to stand in for; name another pool, or remove it",
    );
    assert_problem(
        "pool = \"app\"",
        "pool = \"app\"\nsorry_pool = \"apq\"",
        "\"apq\": there is no pool `apq`; did you mean \"app\"?",
    );
    let blind = front("mode = \"tcp\"\nsorry_pool = \"sorry\"")
        .replace("name = \"sorry\"", "name = \"sorry\"\nbalance = { hash = \"path\" }");
    assert!(problems(&blind)[0].contains("cannot hash a path"), "{:?}", problems(&blind));
    let nowhere = with("pool = \"app\"", "redirect = \"https\"\nsorry_pool = \"app\"");
    assert!(problems(&nowhere)[0].contains("this pool gets no requests"), "{:?}", problems(&nowhere));
}
