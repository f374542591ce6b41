//! What a machine is told to do, read from its user data as cloud-init would.
