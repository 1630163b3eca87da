//! Pools that choose by requests behind frontends that see none.

use super::*;

fn of_tcp(pool: &str) -> String {
    with("pool = \"app\"", "mode = \"tcp\"\npool = \"app\"").replace("check =", &format!("{pool}\ncheck ="))
}

#[test]
fn a_tcp_frontend_cannot_choose_by_what_it_does_not_see() {
    for (pool, place, what) in [
        ("balance = { hash = \"path\" }", "{ hash = \"path\" }", "hash a path"),
        ("balance = { hash = { header = \"X\" } }", "{ hash = { header = \"X\" } }", "hash a header"),
        ("balance = { hash = { cookie = \"c\" } }", "{ hash = { cookie = \"c\" } }", "hash a cookie"),
        ("sticky = { cookie = \"c\" }", "{ cookie = \"c\" }", "keep clients by a cookie"),
    ] {
        let text = of_tcp(pool);
        let errors = parse("vipd.toml", &text).expect_err("a contradiction");
        assert_eq!(errors.problems.len(), 1, "{errors}");
        let problem = &errors.problems[0];
        assert_eq!(&text[problem.place.clone()], place);
        assert!(problem.message.ends_with(&format!("cannot {what}")), "{}", problem.message);
        let other = problem.other.as_ref().map(|(place, words)| (&text[place.clone()], words.as_str()));
        assert_eq!(other, Some(("\"tcp\"", "the mode is here")));
    }
    parsed(&of_tcp("balance = \"source\""));
    parsed(&of_tcp("balance = \"least-connections\""));
}
