//! Hosts as network namespaces: `vipd lab` and the integration tests share this room.
