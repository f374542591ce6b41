//! A real OpenStack on loopback.
