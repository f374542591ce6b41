//! The controllers of the provider, in process, against a real kube-apiserver and the simulated cloud.
//!
//! | module | what it gives |
//! |---|---|
//! | [`api_server`] | one etcd and kube-apiserver for all tests of a binary, with the CRDs of Cluster API and ours |
//! | [`provider`] | the provider: started, crashed at any moment, on a clock that runs as fast as asked |
//! | [`scenario`] | a namespace, a cloud and a provider of its own for each scenario |
//! | [`picture`] | what a project holds, without ids: two worlds compared |
//! | [`recording`] | what a provider did, as data: kept, and played again |
//! | [`crds`] | the definitions of Cluster API, in the module that the lab pins |
//! | [`cluster_api`] | what Cluster API does around the provider, as far as the provider needs it |
//!
//! The programs come from `KUBEBUILDER_ASSETS`; `cargo lab test scenarios` sets it. Without it the
//! tests fail and say so.
//!
//! # Webhooks
//!
//! The API server calls webhooks by URL. [`ApiServer::certificate`](api_server::ApiServer) is a folder
//! with `tls.crt` and `tls.key` for 127.0.0.1, as `runtime::serve::https` wants it, and `tls.crt` is also
//! the `caBundle` of a `ValidatingWebhookConfiguration` whose `clientConfig.url` leads to a server that
//! the test runs in its own process. A configuration concerns all namespaces of that API server, so
//! select yours by `namespaceSelector` with the label `kubernetes.io/metadata.name`.

pub mod api_server;
pub mod cluster_api;
pub mod crds;
pub mod picture;
pub mod provider;
pub mod recording;
pub mod scenario;

pub use api_server::ApiServer;
pub use picture::Picture;
pub use provider::Provider;
pub use recording::Recording;
pub use scenario::Scenario;
