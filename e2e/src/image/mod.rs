//! The machine image: root of a node and what is installed in it.
