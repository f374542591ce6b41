//! The session and the view against a small server on loopback.

mod fake;
mod floating_ips;
mod session;
mod tls;
mod view;
