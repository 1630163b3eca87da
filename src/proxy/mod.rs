//! The data plane: accept, pick, exchange. It does not know that VRRP exists.
