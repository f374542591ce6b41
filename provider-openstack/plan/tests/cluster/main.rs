//! A cluster's infrastructure, planned and applied in a small cloud: whatever happens in between,
//! it comes about once, and goes without a trace.

mod cloud;
mod octavia;
mod problems;
mod properties;
mod shapes;
