//! A core without whoever oversees it.

use super::*;
use crate::config::Frontend;
use crate::net::listen::{Manner, listen};

#[test]
fn a_door_closes_when_nobody_comes_to_tell_it() {
    let listener = listen(([127, 0, 0, 1], 0).into(), Manner::default()).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let door = Door::new(0, &Frontend { defer_accept: false, ..Frontend::default() }, address);
    let shared = Shared { draining: AtomicBool::new(true), ..Shared::default() };
    let parts = Parts {
        shared: Arc::new(shared),
        news: Arc::default(),
        pools: Arc::new(ArcSwap::from_pointee(Snapshot::new(Vec::<Arc<_>>::new()))),
        limits: Limits::default(),
        counters: Arc::new(Counters::new(0, 1)),
        listeners: vec![(door, listener)],
        to_servers: Vec::new(),
        names: Arc::new(["web".to_owned()]),
    };
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().build_local(LocalOptions::default()).expect("a runtime");
    runtime.block_on(async {
        let core = Core::open(parts).expect("it listens");
        let closed = async {
            while core.doors.get() > 0 {
                core.news.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), closed).await.expect("it closes by itself");
    });
}
