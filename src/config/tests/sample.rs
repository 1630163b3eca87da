//! The sample config states every default, and each is true.

use super::*;

const SAMPLE: &str = include_str!("../../../config/vipd.toml");

/// `# key = value` without its `# `: a default that the sample states.
fn stated(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ")?;
    let (key, _) = line.split_once(" = ")?;
    key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then_some(line)
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
    for key in ["expect", "interval", "timeout", "rise", "fall", "weight"] {
        assert!(all.contains(&format!("{key} = ")), "the sample does not state {key}");
    }
}

#[test]
fn a_false_default_in_the_sample_would_be_noticed() {
    let lie = SAMPLE.replace("# grace = \"10s\"", "# grace = \"11s\"");
    let all: Vec<&str> = lie.lines().map(|line| stated(line).unwrap_or(line)).collect();
    assert_ne!(parsed(&all.join("\n")).config, parsed(SAMPLE).config);
}
