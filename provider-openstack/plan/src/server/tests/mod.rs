mod cases;
mod features;
mod fields;
mod model;
mod properties;
mod want;
