//! Charts and what comes out of them: Go templates, values, manifests, and the difference between
//! what a release has and what a cluster has. Pure: no clock, no network, no disk.
//!
//! | module | what it does |
//! |---|---|
//! | [`archive`] | reads a `.tgz` that may be hostile, and writes one that is the same every time |
//! | [`class`] | renders a cluster-class chart |
//! | [`values`] | renders `overwrite.yaml` and `cluster-addon-values.yaml` of an add-on |
//! | [`functions`] | the template functions of both |
//! | [`manifest`] | splits YAML into objects, orders and labels them |
//! | [`inventory`] | names what was applied, and what has to go |
//! | [`condition`] | CEL conditions of add-on stages |
//! | [`yaml`] | YAML as Helm reads it |
//!
//! Add-on charts need all of Helm; the operator renders them with the helm binary.

pub mod archive;
pub mod class;
pub mod condition;
pub mod functions;
pub mod inventory;
pub mod manifest;
pub mod values;
pub mod yaml;
