mod cases;
mod fields;
mod ingress;
mod model;
mod properties;
mod unseen;
