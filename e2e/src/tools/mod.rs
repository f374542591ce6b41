//! Tools built from pinned Go modules.
