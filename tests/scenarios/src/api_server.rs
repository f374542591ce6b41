//! etcd and kube-apiserver, the real ones, for all tests of a process.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use runtime::metrics::Metrics;
use serde_json::json;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use crate::crds;

const READY: Duration = Duration::from_secs(90);
const TOKEN: &str = "scenarios";

/// Both programs end with this process, however it ends: the shell that started them waits for the
/// end of its input, which is the end of whoever holds the other side of the pipe.
const KEEPER: &str = r#"
"$ETCD" --data-dir "$DIR/etcd" --name scenarios \
  --listen-client-urls "http://127.0.0.1:$CLIENT_PORT" --advertise-client-urls "http://127.0.0.1:$CLIENT_PORT" \
  --listen-peer-urls "http://127.0.0.1:$PEER_PORT" --initial-advertise-peer-urls "http://127.0.0.1:$PEER_PORT" \
  --initial-cluster "scenarios=http://127.0.0.1:$PEER_PORT" \
  --log-level warn --unsafe-no-fsync </dev/null >"$DIR/etcd.log" 2>&1 &
etcd=$!
"$APISERVER" --etcd-servers "http://127.0.0.1:$CLIENT_PORT" \
  --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port "$API_PORT" \
  --tls-cert-file "$DIR/tls/tls.crt" --tls-private-key-file "$DIR/tls/tls.key" \
  --service-account-issuer https://127.0.0.1 \
  --service-account-key-file "$DIR/tls/tls.crt" --service-account-signing-key-file "$DIR/tls/tls.key" \
  --token-auth-file "$DIR/tokens" --authorization-mode AlwaysAllow \
  --endpoint-reconciler-type none --service-cluster-ip-range 10.250.0.0/24 \
  --enable-priority-and-fairness=false --profiling=false </dev/null >"$DIR/kube-apiserver.log" 2>&1 &
apiserver=$!
cat >/dev/null
kill -KILL $apiserver $etcd 2>/dev/null
wait
rm -rf "$DIR"
"#;

/// The API server of this process.
pub struct ApiServer {
    /// Folder with `tls.crt` and `tls.key` for servers on 127.0.0.1, made for this process.
    pub certificate: PathBuf,
    /// For programs outside of this process.
    pub kubeconfig: PathBuf,
    config: Config,
    /// Its standard input is what keeps the programs running.
    _keeper: Child,
}

impl ApiServer {
    /// The API server, started by whoever asks first; all CRDs are served.
    ///
    /// # Errors
    /// `KUBEBUILDER_ASSETS` is missing, or what the programs logged when they did not start.
    pub async fn get() -> Result<&'static Self> {
        static SERVER: OnceCell<ApiServer> = OnceCell::const_new();
        SERVER
            .get_or_try_init(async || {
                let server = Self::start().await?;
                crds::install(&server.client()?).await?;
                Ok(server)
            })
            .await
    }

    /// One more, empty, for as long as the process lives.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn another() -> Result<&'static Self> {
        Ok(Box::leak(Box::new(Self::start().await?)))
    }

    /// A client for the runtime that this is called in.
    ///
    /// # Errors
    /// None in practice: the configuration is our own.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::try_from(self.config.clone())?)
    }

    /// As [`Self::client`], for somebody whose requests are counted.
    ///
    /// # Errors
    /// None in practice: the configuration is our own.
    pub fn counted(&self, metrics: &Metrics) -> Result<Client> {
        Ok(runtime::client::counted(self.config.clone(), metrics)?)
    }

    async fn start() -> Result<Self> {
        // Already done by another test of this process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (etcd, kube_apiserver) = (program("etcd")?, program("kube-apiserver")?);
        let dir = tempfile::Builder::new()
            .prefix("scenarios-")
            .tempdir()?
            .keep();
        let certificate = dir.join("tls");
        write_certificate(&certificate)?;
        fs::write(
            dir.join("tokens"),
            format!("{TOKEN},admin,admin,system:masters\n"),
        )?;
        let [client, peer, api] = free_ports()?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER])
            .env("ETCD", etcd)
            .env("APISERVER", kube_apiserver)
            .env("DIR", &dir)
            .env("CLIENT_PORT", client.to_string())
            .env("PEER_PORT", peer.to_string())
            .env("API_PORT", api.to_string())
            .stdin(Stdio::piped())
            // Ctrl-C is for us; the keeper ends after us.
            .process_group(0)
            .spawn()
            .context("sh")?;
        let kubeconfig = dir.join("kubeconfig");
        write_kubeconfig(&kubeconfig, api, &certificate.join("tls.crt"))?;
        let config = config(&kubeconfig).await?;
        let server = Self {
            certificate,
            kubeconfig,
            config,
            _keeper: keeper,
        };
        let client = server.client()?;
        wait_ready(&client, &dir).await?;
        Ok(server)
    }
}

/// A program of `KUBEBUILDER_ASSETS`.
///
/// # Errors
/// There is none of this name.
pub fn program(name: &str) -> Result<PathBuf> {
    let dir = std::env::var_os("KUBEBUILDER_ASSETS").filter(|dir| !dir.is_empty());
    let Some(dir) = dir.map(PathBuf::from) else {
        bail!(
            "KUBEBUILDER_ASSETS names no folder with {name}: run `cargo lab test scenarios`, \
             which builds it, or point it at such a folder"
        );
    };
    let path = dir.join(name);
    if !path.is_file() {
        bail!("KUBEBUILDER_ASSETS: there is no {}", path.display());
    }
    Ok(path)
}

/// A certificate for 127.0.0.1 that is its own authority.
fn write_certificate(dir: &Path) -> Result<()> {
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let signed = rcgen::generate_simple_self_signed(names)?;
    fs::create_dir_all(dir)?;
    fs::write(dir.join("tls.crt"), signed.cert.pem())?;
    fs::write(dir.join("tls.key"), signed.signing_key.serialize_pem())?;
    Ok(())
}

/// Held all at once, so that they differ.
fn free_ports() -> Result<[u16; 3]> {
    let held: Vec<_> = (0..3)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<Result<_, _>>()?;
    let ports: Vec<u16> = held
        .iter()
        .map(|l| Ok(l.local_addr()?.port()))
        .collect::<Result<_>>()?;
    Ok([ports[0], ports[1], ports[2]])
}

fn write_kubeconfig(file: &Path, port: u16, ca: &Path) -> Result<()> {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "scenarios",
        "clusters": [{ "name": "scenarios", "cluster": {
            "server": format!("https://127.0.0.1:{port}"), "certificate-authority": ca,
        } }],
        "users": [{ "name": "scenarios", "user": { "token": TOKEN } }],
        "contexts": [{ "name": "scenarios", "context": { "cluster": "scenarios", "user": "scenarios" } }],
    });
    Ok(fs::write(file, config.to_string())?)
}

async fn config(kubeconfig: &Path) -> Result<Config> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    // The clock of a provider may run many times as fast as that of the API server.
    config.connect_timeout = None;
    config.read_timeout = None;
    config.write_timeout = None;
    Ok(config)
}

async fn wait_ready(client: &Client, dir: &Path) -> Result<()> {
    let deadline = Instant::now() + READY;
    loop {
        let request = http::Request::get("/readyz").body(Vec::new())?;
        let Err(error) = client.request_text(request).await else {
            return Ok(());
        };
        if Instant::now() > deadline {
            let tail = |name: &str| {
                let log = fs::read_to_string(dir.join(name)).unwrap_or_default();
                let lines: Vec<&str> = log.lines().rev().take(8).collect();
                lines.into_iter().rev().collect::<Vec<_>>().join("\n")
            };
            let logs = format!("{}\n{}", tail("etcd.log"), tail("kube-apiserver.log"));
            bail!(
                "kube-apiserver is not ready after {} s: {error}\n{logs}",
                READY.as_secs()
            );
        }
        sleep(Duration::from_millis(100)).await;
    }
}
