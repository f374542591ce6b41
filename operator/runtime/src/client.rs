//! A Kubernetes client for an operator: bounded calls, a name in the API server's audit log, and
//! every request counted, because the cost of an operator to its API server is asserted in tests.

use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request};
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tower::{Layer, Service};

use crate::metrics::Metrics;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kubeconfig cannot be read, or names what it does not hold.
    #[error(
        "kubeconfig {path}: {source}; give a readable file with a current context to --kubeconfig"
    )]
    Kubeconfig {
        path: String,
        source: kube::config::KubeconfigError,
    },
    /// Neither a kubeconfig nor a service account was found.
    #[error("no kubeconfig and no service account: {0}; use --kubeconfig outside a cluster")]
    Infer(#[from] kube::config::InferConfigError),
    /// The configuration holds a certificate or a URL that cannot be used.
    #[error("the API server's address or certificates cannot be used: {0}")]
    Client(#[from] kube::Error),
}

/// Connects with `kubeconfig`, or else as a Pod or by `KUBECONFIG`. Reads may take 5 min, because
/// a watch is one long read.
pub async fn connect(
    kubeconfig: Option<&Path>,
    user_agent: &str,
    metrics: &Metrics,
) -> Result<Client, Error> {
    let mut config = match kubeconfig {
        Some(path) => from_file(path).await?,
        None => Config::infer().await?,
    };
    config.connect_timeout = Some(Duration::from_secs(10));
    config.read_timeout = Some(Duration::from_secs(300));
    if let Ok(agent) = HeaderValue::from_str(user_agent) {
        config.headers.push((http::header::USER_AGENT, agent));
    }
    counted(config, metrics)
}

/// A client that counts its requests in `metrics`, and is otherwise as `config` says.
///
/// # Errors
/// A certificate or URL of the configuration cannot be used.
pub fn counted(config: Config, metrics: &Metrics) -> Result<Client, Error> {
    let counted = Counted::register(metrics);
    Ok(ClientBuilder::try_from(config)?
        .with_layer(&counted)
        .build())
}

async fn from_file(path: &Path) -> Result<Config, Error> {
    let fail = |source| Error::Kubeconfig {
        path: path.display().to_string(),
        source,
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(fail)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(fail)
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Verb {
    method: String,
    resource: String,
}

/// Counts requests by method and resource (`GET clusters`), as the API server would name them.
#[derive(Clone)]
struct Counted {
    requests: Family<Verb, Counter>,
}

impl Counted {
    fn register(metrics: &Metrics) -> Self {
        let requests = Family::default();
        metrics.register(
            "kubernetes_requests",
            "Requests to the Kubernetes API",
            Clone::clone(&requests),
        );
        Self { requests }
    }
}

impl<S> Layer<S> for Counted {
    type Service = Counting<S>;

    fn layer(&self, inner: S) -> Counting<S> {
        Counting {
            inner,
            requests: self.requests.clone(),
        }
    }
}

#[derive(Clone)]
struct Counting<S> {
    inner: S,
    requests: Family<Verb, Counter>,
}

impl<S, B> Service<Request<B>> for Counting<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let watch = request
            .uri()
            .query()
            .is_some_and(|query| query.contains("watch=true"));
        let method = if watch {
            "WATCH".to_owned()
        } else {
            request.method().to_string()
        };
        let resource = resource(request.uri().path()).to_owned();
        self.requests
            .get_or_create(&Verb { method, resource })
            .inc();
        self.inner.call(request)
    }
}

/// The resource that a path is about: `/api/v1/namespaces/x/secrets/y` is about `secrets`.
fn resource(path: &str) -> &str {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let rest = match parts.first() {
        Some(&"api") => parts.get(2..),
        Some(&"apis") => parts.get(3..),
        _ => None,
    };
    match rest.unwrap_or_default() {
        ["namespaces", _, resource, ..] | [resource, ..] => resource,
        [] => "discovery",
    }
}

#[cfg(test)]
mod tests {
    use super::resource;

    #[test]
    fn the_resource_of_a_path() {
        for (path, want) in [
            ("/api/v1/namespaces/x/secrets/y", "secrets"),
            ("/apis/cluster.x-k8s.io/v1beta2/clusters", "clusters"),
            ("/apis/g/v1/namespaces/x/clusters/y/status", "clusters"),
            ("/api/v1/namespaces", "namespaces"),
            ("/version", "discovery"),
            ("/apis/g/v1", "discovery"),
        ] {
            assert_eq!(resource(path), want, "{path}");
        }
    }
}
