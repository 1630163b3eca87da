//! WebSockets by a library that others use, at both ends: they end when what they run through ends, and the next one
//! is there at once.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use vipd::lab::Process;
use vipd::vrrp::Role;

use super::pair::{NODES, PATIENCE, Pair};

/// Says every message back, with its own name.
const SERVER: &str = r"
import asyncio, sys, websockets

async def echo(socket):
    async for message in socket:
        await socket.send(sys.argv[1] + ' ' + message)

async def serve():
    async with websockets.serve(echo, '0.0.0.0', 9000):
        await asyncio.Future()

asyncio.run(serve())
";

/// Counts aloud over one connection, and goes on over the next when that ends; prints what it hears.
const CLIENT: &str = r"
import asyncio, websockets

async def count():
    number = 0
    while True:
        try:
            async with websockets.connect('ws://10.77.0.100:7000/', open_timeout=1) as socket:
                while True:
                    number += 1
                    await socket.send(str(number))
                    name, back = (await socket.recv()).split(' ')
                    print(name if back == str(number) else 'wrong', flush=True)
                    await asyncio.sleep(0.01)
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
            print('lost', repr(error), flush=True)
            await asyncio.sleep(0.01)

asyncio.run(count())
";

const CHAT: &str = r#"
[[frontend]]
name = "chat"
bind = ["10.77.0.100:7000"]
pool = "chat"

[[pool]]
name   = "chat"
check  = { tcp = true, interval = "200ms", timeout = "200ms", rise = 2, fall = 2 }
server = [
  { name = "app1", address = "10.77.0.11:9000" },
  { name = "app2", address = "10.77.0.12:9000" },
]
"#;

/// Debian's, which has the library; another one that comes first may not.
fn python(script: &str) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", script]);
    command
}

/// What the client prints, line by line. It ends when nobody reads any more.
fn counting(pair: &Pair) -> Receiver<String> {
    let (say, heard) = channel();
    let mut child = pair.lab.host("client").spawn(python(CLIENT).stdout(Stdio::piped())).expect("a client");
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    thread::spawn(move || {
        let _gone = lines.map_while(Result::ok).try_for_each(|line| say.send(line));
        let _ = child.kill();
        let _ = child.wait();
    });
    heard
}

/// The next line that begins so.
fn next(heard: &Receiver<String>, begins: &str) -> String {
    loop {
        let line = heard.recv_timeout(PATIENCE).expect("the client goes on");
        assert_ne!(line, "wrong", "a message came back as another");
        if line.starts_with(begins) {
            return line;
        }
    }
}

/// The connection ends; who answers on the next one.
fn next_after_loss(heard: &Receiver<String>) -> String {
    next(heard, "lost");
    next(heard, "app")
}

#[test]
fn a_websocket_ends_with_its_server_or_its_node_and_the_next_one_is_there() {
    let mut pair = Pair::hosts_with(|config| format!("{config}{CHAT}"));
    let mut servers = ["app1", "app2"].map(|app| {
        let log = pair.lab.dir().join(app).join("chat.log");
        Process::start(pair.lab.host(app), python(SERVER).arg(app), &log)
            .expect("integration/run installs it")
    });
    pair.start_nodes(&NODES);
    pair.settle();
    let heard = counting(&pair);
    let first = next(&heard, "app");
    let is_first = first == "app1";
    servers[usize::from(!is_first)].kill().expect("killed");
    let second = if is_first { "app2" } else { "app1" };
    assert_eq!(next_after_loss(&heard), second);

    pair.lab.unplug("lb1").expect("pulled");
    assert_eq!(next_after_loss(&heard), second);
    pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("it went through lb2");
    pair.lab.plug("lb1").expect("plugged");
    assert_eq!(next_after_loss(&heard), second);
    pair.node("lb1").wait_for_role(Role::Active, PATIENCE).expect("it went through lb1");
    // Nothing else ends it.
    let echoes: Vec<_> = heard.iter().take(50).collect();
    assert!(echoes.iter().all(|name| name == second), "{echoes:?}");
}
