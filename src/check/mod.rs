//! Health checks: reports observations, decides nothing.
