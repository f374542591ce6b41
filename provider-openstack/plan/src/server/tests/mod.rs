mod cases;
mod features;
mod fields;
mod model;
mod properties;
pub(super) mod want;
