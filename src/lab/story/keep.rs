//! `--keep`: how to look around in the lab from another terminal, until Ctrl-C.

use super::world::World;
use crate::lab::cell::Cell;

/// Prints how to enter each host, then waits for the end: Ctrl-C ends the process from outside.
pub(super) fn keep(world: &World, cell: &Cell) {
    let pid = cell.pid_outside;
    let into = if cell.unprivileged {
        format!("nsenter --target {pid} --user --preserve-credentials")
    } else {
        "nsenter".to_owned()
    };
    println!("\nThe lab goes on until Ctrl-C. A shell on a host, from another terminal:\n");
    for host in world.lab.hosts() {
        let number = host.netns().number();
        println!("  {:<7} {into} --net=/proc/{pid}/fd/{number}", host.name());
    }
    println!("\nA node's status:\n");
    for node in world.nodes() {
        let dir = node.runtime_dir().display();
        println!(
            "  {:<7} {} status --runtime-dir /proc/{pid}/root{dir}",
            node.name(),
            world.binary.display()
        );
    }
    println!("\nIts files (configs, logs): /proc/{pid}/root{}", world.lab.dir().display());
    loop {
        std::thread::park();
    }
}
