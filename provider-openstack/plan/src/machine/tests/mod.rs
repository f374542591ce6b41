mod cases;
mod fields;
mod model;
mod properties;
mod unseen;
