//! The end-to-end flows.
