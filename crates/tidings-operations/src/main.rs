//! Checks that need programs of others: systemd's and Prometheus'.
fn main() {}
