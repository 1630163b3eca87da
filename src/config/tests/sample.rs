//! The sample config states every default, and each is true.

use super::*;

const SAMPLE: &str = include_str!("../../../config/vipd.toml");

/// `# key = value` without its `# `: a default that the sample states.
fn stated(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ")?;
    let (key, _) = line.split_once(" = ")?;
    key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_').then_some(line)
}

#[test]
fn the_sample_states_every_default_and_each_is_true() {
    let all: Vec<&str> = SAMPLE.lines().map(|line| stated(line).unwrap_or(line)).collect();
    let all = all.join("\n");
    let (plain, spelt_out) = (parsed(SAMPLE), parsed(&all));
    assert_eq!(plain.warnings, []);
    assert_eq!(plain.config, spelt_out.config);
    // Every key that `show` prints, which is every key there is, stands in the sample.
    for line in show(&plain.config).lines() {
        let Some((key, _)) = line.split_once('=') else { continue };
        let key = key.trim();
        let states = |line: &str| line.split_once('=').is_some_and(|(known, _)| known.trim() == key);
        assert!(
            key.starts_with('{') || key == "check" || all.lines().any(states),
            "the sample does not state {key}"
        );
    }
    for key in ["expect", "interval", "timeout", "rise", "fall", "weight", "backup"] {
        assert!(all.contains(&format!("{key} = ")), "the sample does not state {key}");
    }
}

/// The trackers and the hook that the sample shows with all their defaults, and the same with none of them.
#[test]
fn the_defaults_of_trackers_and_hooks_are_true() {
    let lines = SAMPLE.lines().filter_map(|line| line.strip_prefix("#   { "));
    let shown: Vec<_> = lines.filter_map(|line| line.split_once(" },")).map(|(keys, _)| keys).collect();
    let bare = r#"{ interface = "eth1" }, { pool = "app", healthy = "50%" },
        { script = ["/usr/local/bin/check", "arg"] }, { file = "/etc/vipd/maintenance" }, { gateway = "10.77.0.254" }"#;
    let with = |track: &str, notify: &str| {
        let text = SAMPLE.replace("# track = []", &format!("track = [{track}]"));
        parsed(&text.replace("# notify = []", &format!("notify = {notify}"))).config
    };
    let run =
        SAMPLE.lines().find_map(|line| line.strip_prefix("#   ").filter(|line| line.starts_with("{ run")));
    let spelt_out = with(&format!("{{ {} }}", shown.join(" }, { ")), run.expect("the sample shows a hook"));
    assert_eq!(spelt_out, with(bare, r#"["/usr/local/bin/on-change"]"#));
    assert_eq!(spelt_out.routers[0].track.len(), 5);
    // Every key that `show` prints of them is one that the sample shows.
    let said = show(&spelt_out);
    let keys = said.split(['{', ',']).filter_map(|part| part.trim().split_once(" = ").map(|(key, _)| key));
    for key in keys.filter(|key| key.bytes().all(|byte| byte.is_ascii_lowercase())) {
        assert!(SAMPLE.contains(&format!("{key} = ")), "the sample does not show {key}");
    }
}

#[test]
fn a_false_default_in_the_sample_would_be_noticed() {
    let lie = SAMPLE.replace("# grace = \"10s\"", "# grace = \"11s\"");
    let all: Vec<&str> = lie.lines().map(|line| stated(line).unwrap_or(line)).collect();
    assert_ne!(parsed(&all.join("\n")).config, parsed(SAMPLE).config);
}
