//! Real programs, run as `nobody` by root and as oneself otherwise.

use std::time::Duration;

use nix::unistd::{User, geteuid};
use tokio::time::{Instant, timeout};

use super::super::pidfd::PidFd;
use super::{NotStarted, Order, Program, describe};

/// Many times what any of these programs takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn harmless_user() -> String {
    if geteuid().is_root() {
        return "nobody".to_owned();
    }
    User::from_uid(geteuid()).expect("the user database").expect("we have a name").name
}

/// Root inside a user namespace that maps nobody else cannot become anybody, and runs nothing.
fn nobody_can_be_run() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").expect("procfs is mounted");
    let ids: u64 = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum();
    geteuid().is_root() && ids < 65_535
}

fn shell(line: &str) -> Order {
    let words = ["/bin/sh", "-c", line].map(str::to_owned).into();
    Order { words, user: harmless_user(), ..Order::default() }
}

/// Runs it to its end; `None` where nobody can be run, which is checked to be said.
fn run(order: Order) -> Option<(String, Option<String>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut program = match Program::start(order).await {
            Err(NotStarted::Failed(why)) if nobody_can_be_run() => {
                assert!(why.contains("could not be run as nobody"), "{why}");
                return None;
            }
            started => started.expect("it starts"),
        };
        let status = timeout(PATIENCE, program.ended()).await.expect("it ends").expect("a reactor");
        Some((describe(status), program.first_line()))
    })
}

#[test]
fn a_program_ends_and_its_first_line_is_kept() {
    let Some(ended) = run(shell("echo; printf 'a \\033[1mbold\\n'; echo b >&2; exit 3")) else { return };
    assert_eq!(ended, ("exited with code 3".to_owned(), Some("a [1mbold".to_owned())));
    let (ended, said) = run(shell("kill -KILL $$")).expect("as before");
    assert_eq!((ended.as_str(), said), ("was killed by SIGKILL", None));
}

#[test]
fn it_gets_words_environment_and_input_and_nothing_else() {
    let mut order = shell("read line; env -i /bin/echo \"$line/$WHAT/$VIPD_NODE/$(pwd)/$1\"");
    order.words.extend(["name", "* $HOME; x"].map(str::to_owned));
    order.environment = vec![("WHAT", "b c".to_owned())];
    order.input = b"from stdin\n".to_vec();
    let Some((_, said)) = run(order) else { return };
    assert_eq!(said.as_deref(), Some("from stdin/b c////* $HOME; x"), "no shell of ours read it");
}

#[test]
fn it_has_its_own_session_no_capability_and_no_way_to_one() {
    let line = "set -- $(cat /proc/self/stat); cat /proc/$$/status | \
                tr '\\t' ' ' | grep -E '^(Uid|Groups|CapEff|CapPrm|CapAmb|NoNewPrivs|NSsid):' | tr '\\n' ';'; echo \" $$\"";
    let Some((_, said)) = run(shell(line)) else { return };
    let said = said.expect("it says so");
    let uid = User::from_name(&harmless_user()).expect("the user database").expect("it exists").uid;
    let pid = said.rsplit(' ').next().expect("its process id").to_owned();
    for part in [
        format!("Uid: {uid} {uid} {uid} {uid};"),
        "CapPrm: 0000000000000000;CapEff: 0000000000000000;".to_owned(),
        "CapAmb: 0000000000000000;".to_owned(),
        "NoNewPrivs: 1;".to_owned(),
        format!("NSsid: {pid};"),
    ] {
        assert!(said.contains(&part), "{part:?} in {said:?}");
    }
    if geteuid().is_root() {
        assert!(said.contains("Groups:  ;"), "{said}");
    }
}

#[test]
fn what_it_leaves_running_ends_with_it() {
    let begun = Instant::now();
    // The child holds the pipe open and would sleep on.
    let Some((ended, said)) = run(shell("sleep 600 & echo $!")) else { return };
    assert_eq!(ended, "exited with code 0");
    assert!(begun.elapsed() < PATIENCE);
    let pid = said.expect("the process id of the sleeper");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        // ESRCH: it is gone already.
        let Ok(sleeper) = PidFd::open(pid.parse().expect("a number")) else { return };
        timeout(PATIENCE, sleeper.ended()).await.expect("it was killed").expect("a reactor");
    });
}

#[test]
fn a_program_that_says_much_is_not_held_up() {
    let Some((ended, said)) = run(shell("head -c 1000000 /dev/zero | tr '\\0' x; echo; exit 0")) else {
        return;
    };
    assert_eq!((ended.as_str(), said.map(|said| said.len())), ("exited with code 0", Some(200)));
}

#[test]
fn it_can_be_stopped_and_one_that_will_not_stop_can_be_killed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let Ok(mut program) =
            Program::start(shell("trap '' TERM; echo ready; while :; do sleep 1; done")).await
        else {
            assert!(nobody_can_be_run());
            return;
        };
        // Its word that the trap is set; it goes on running.
        while program.first_line().is_none() {
            assert!(timeout(Duration::from_millis(10), program.ended()).await.is_err(), "it runs");
        }
        program.terminate();
        assert!(timeout(Duration::from_millis(100), program.ended()).await.is_err(), "it ignores SIGTERM");
        program.kill();
        let status = timeout(PATIENCE, program.ended()).await.expect("it ends").expect("a reactor");
        assert_eq!(describe(status), "was killed by SIGKILL");
    });
}

#[test]
fn what_must_not_run_is_refused_with_the_reason() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let refused = |order: Order| match runtime.block_on(Program::start(order)) {
        Err(NotStarted::Refused(why)) => why,
        other => panic!("{other:?}"),
    };
    let order = Order { user: "root".to_owned(), ..shell("id") };
    assert_eq!(refused(order), "root is root, and scripts never run as root");
    let order = Order { user: "no-such-user".to_owned(), ..shell("id") };
    assert!(refused(order).starts_with("there is no user no-such-user"));
    let order = Order { words: vec!["/no/such/program".to_owned()], ..shell("id") };
    assert!(refused(order).starts_with("there is no /no"));
}
