mod cases;
mod features;
mod model;
mod properties;
