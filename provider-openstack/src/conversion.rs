//! The conversion webhook, for the kinds that have two versions.

use axum::Router;
use crds::openstack::conversion::{PATH, convert};

/// The webhook.
pub fn routes() -> Router {
    runtime::conversion::routes(PATH, convert)
}
