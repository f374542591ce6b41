mod cases;
mod features;
mod fields;
mod model;
mod properties;
mod reconcile;
pub(super) mod want;
