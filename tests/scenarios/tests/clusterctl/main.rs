//! The real `clusterctl`: it takes our release for one of an infrastructure provider, installs it, and moves a
//! cluster of ours to another management cluster.

mod install;
mod management;
mod moved;
mod release;
