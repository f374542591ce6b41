//! A cluster's infrastructure, planned and applied in a small cloud: whatever happens in between,
//! it comes about once, and goes without a trace.

mod access;
mod balancing;
mod bastion;
mod brought;
mod cloud;
mod dual_stack;
mod endpoint;
mod fields;
mod hosted;
mod octavia;
mod ownership;
mod problems;
mod properties;
mod servers;
mod shapes;
