mod cases;
mod features;
mod fields;
mod model;
mod properties;
mod reconcile;
mod twice;
pub(super) mod want;
