//! The lives of two clusters, again and again: each time the provider is stopped at another call to the cloud,
//! or another call goes wrong. In the end the world is always the same.
//!
//! | variable | default | what it says |
//! |---|---|---|
//! | `SCENARIOS_POINTS` | 30 | points of each matrix; `all` for every one |
//! | `SCENARIOS_SKIP` | 0 | so many points are left out first, so that all can be gone through in parts |
//! | `SCENARIOS_SEED` | 1 | which points are chosen, and all that is left to chance |
//! | `SCENARIOS_ONLY` | | only points whose name contains this, for example `balanced network POST /ports 1 after` |
//! | `SCENARIOS_PARALLEL` | 8 | lives at a time |

mod crash;
mod faults;
mod life;
mod trial;
mod trouble;
