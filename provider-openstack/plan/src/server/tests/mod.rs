mod cases;
mod model;
mod properties;
