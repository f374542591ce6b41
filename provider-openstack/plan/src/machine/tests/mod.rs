mod cases;
mod fields;
mod model;
mod properties;
