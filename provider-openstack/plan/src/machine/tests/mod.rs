mod cases;
mod fields;
mod foreign;
mod ingress;
mod model;
mod properties;
mod unseen;
