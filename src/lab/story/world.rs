//! Everything the story plays with: the hosts, the two nodes, the application servers, the client's eyes and requests.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::timeline::Timeline;
use crate::lab::{
    AppServer, Capture, Error, Flavour, Lab, LabDir, Moment, Node, Pace, Setup, Topology, Traffic,
};
use crate::vrrp::Priority;

/// The address of the config.
pub(super) const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
/// What the client asks, in turn: the frontends of the config.
pub(super) const TARGETS: [(u16, &str); 2] = [(3000, "web"), (5000, "api")];
/// The priority of lb2 in the config.
pub(super) const BACKUP: Priority = Priority::new(100);
/// The application servers of the config.
pub(super) const APPS: [&str; 3] = ["app1", "app2", "app3"];

/// Dropped from top to bottom: what runs first, the hosts last.
#[derive(Debug)]
pub(super) struct World {
    traffic: Option<Traffic>,
    pub(super) capture: Capture,
    nodes: [Node; 2],
    apps: Vec<AppServer>,
    pub(super) lab: Lab,
    pub(super) binary: PathBuf,
}

impl World {
    /// Builds the hosts, starts the application servers, the capture and both nodes. No requests yet.
    pub(super) fn build(dir: LabDir, config: &str, timeline: &Timeline) -> Result<Self, Error> {
        let topology = Topology::pair();
        let lab = Lab::build_in(dir, &topology)?;
        let names: Vec<_> = topology.hosts.iter().map(|host| host.name.as_str()).collect();
        timeline.act(Moment::now(), &format!("a switch, and plugged into it: {}", names.join(", ")));
        let flavour = Flavour::found();
        let apps = APPS.iter().map(|app| AppServer::start(&lab, app, &flavour)).collect::<Result<_, _>>()?;
        let what = match &flavour {
            Flavour::Nginx(program) => format!("Nginx ({})", program.display()),
            Flavour::Builtin => "built-in ones (Nginx is not installed)".to_owned(),
        };
        timeline.act(Moment::now(), &format!("application servers on {}: {what}", APPS.join(", ")));
        let capture = Capture::start_with(lab.host("client"), timeline.frames())?;
        let binary = env::current_exe().map_err(Error::at("finding this program"))?;
        let nodes = start_nodes(&lab, config, &binary, timeline)?;
        Ok(Self { traffic: None, capture, nodes, apps, lab, binary })
    }

    /// The node called `name`.
    pub(super) fn node(&self, name: &str) -> &Node {
        let [first, second] = &self.nodes;
        if first.name() == name { first } else { second }
    }

    /// Both nodes.
    pub(super) const fn nodes(&self) -> &[Node; 2] {
        &self.nodes
    }

    /// The application server called `name`.
    pub(super) fn app(&mut self, name: &str) -> Result<&mut AppServer, Error> {
        let missing = || Error::new(format!("no application server {name}"));
        self.apps.iter_mut().find(|app| app.name() == name).ok_or_else(missing)
    }

    /// Lets the client send, to both frontends in turn, until [`World::hush`].
    pub(super) fn send(&mut self, pace: Pace, timeline: &Timeline) -> Result<(), Error> {
        let targets = TARGETS.map(|(port, _)| SocketAddr::from((VIP, port)));
        let client = self.lab.host("client");
        self.traffic = Some(Traffic::start_with(client, &targets, pace, timeline.exchanges())?);
        Ok(())
    }

    /// The client's requests.
    pub(super) fn traffic(&self) -> Result<&Traffic, Error> {
        self.traffic.as_ref().ok_or_else(|| Error::new("the client is not sending"))
    }

    /// Ends the client's requests.
    pub(super) fn hush(&mut self) {
        self.traffic = None;
    }

    /// The ends of both nodes' logs.
    pub(super) fn explain(&self) -> String {
        self.nodes.iter().map(Node::explain).collect::<Vec<_>>().join("\n\n")
    }
}

fn start_nodes(lab: &Lab, config: &str, binary: &Path, timeline: &Timeline) -> Result<[Node; 2], Error> {
    let file = lab.dir().join("vipd.toml");
    std::fs::write(&file, config).map_err(Error::at(format_args!("writing {}", file.display())))?;
    let setup = Setup { binary: binary.to_owned(), config: file };
    let start = |name: &str| Node::start_with(lab, name, &setup, timeline.events());
    let nodes = std::thread::scope(|scope| {
        let second = scope.spawn(|| start("lb2"));
        let first = start("lb1");
        let second = second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok([first?, second?])
    })?;
    timeline.act(Moment::now(), "vipd runs on lb1 (priority 200) and lb2 (priority 100)");
    Ok(nodes)
}
