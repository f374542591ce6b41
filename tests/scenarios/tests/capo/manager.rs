//! CAPO's own manager as a process, on the API server of the tests and on our definitions.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use scenarios::Scenario;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

/// Path of the program.
const PROGRAM: &str = "CAPO_MANAGER";
const READY: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// CAPO ends with this process, however it ends: see the keeper of the API server.
const KEEPER: &str = r#"
"$@" </dev/null &
capo=$!
cat >/dev/null
kill -KILL $capo 2>/dev/null
wait
"#;

/// A running CAPO, which handles the objects of one namespace. It converts objects as long as it runs.
pub struct Capo {
    keeper: Child,
    /// What it says.
    log: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Capo {
    /// Starts it and waits until its webhooks answer.
    pub async fn start(scenario: &Scenario) -> Result<Self> {
        let program = std::env::var_os(PROGRAM)
            .with_context(|| format!("{PROGRAM} is the path of CAPO's manager: name one"))?;
        // Conversions are the same process' for all namespaces.
        static TURN: Mutex<()> = Mutex::const_new(());
        let turn = TURN.lock().await;
        image_kind(scenario).await?;
        let [webhooks, health, diagnostics] = free_ports()?;
        let log = std::env::temp_dir().join(format!("capo-{}.log", scenario.cluster.namespace));
        let out = File::create(&log)?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "capo"])
            .arg(program)
            .arg(format!(
                "--kubeconfig={}",
                scenario.api.kubeconfig.display()
            ))
            .arg(format!("--namespace={}", scenario.cluster.namespace))
            .arg(format!("--webhook-port={webhooks}"))
            .arg(format!(
                "--webhook-cert-dir={}",
                scenario.api.certificate.display()
            ))
            .arg(format!("--health-addr=127.0.0.1:{health}"))
            .arg(format!("--diagnostics-address=127.0.0.1:{diagnostics}"))
            .args(["--insecure-diagnostics", "--v=4"])
            .stdin(Stdio::piped())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .spawn()
            .context("sh")?;
        let capo = Self {
            keeper,
            log,
            _turn: turn,
        };
        let deadline = Instant::now() + READY;
        while TcpStream::connect(("127.0.0.1", webhooks)).is_err() {
            if Instant::now() > deadline {
                let said = fs::read_to_string(&capo.log).unwrap_or_default();
                bail!("CAPO does not start:\n{said}");
            }
            sleep(LOOK).await;
        }
        convert(scenario, webhooks).await?;
        Ok(capo)
    }

    /// Ends it at once.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Capo {
    fn drop(&mut self) {
        // The end of its input is what the keeper waits for.
        if let Some(mut input) = self.keeper.stdin.take() {
            let _ = input.flush();
        }
        let _ = self.keeper.wait();
    }
}

fn free_ports() -> Result<[u16; 3]> {
    let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0"));
    let mut ports = [0; 3];
    for (port, held) in ports.iter_mut().zip(&held) {
        let held = held.as_ref().map_err(|e| anyhow::anyhow!("no port: {e}"))?;
        *port = held.local_addr()?.port();
    }
    Ok(ports)
}

fn definitions(scenario: &Scenario) -> Result<Api<DynamicObject>> {
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let of = ApiResource::from_gvk(&kind);
    Ok(Api::all_with(scenario.api.client()?, &of))
}

/// A kind that it watches, and ends without.
async fn image_kind(scenario: &Scenario) -> Result<()> {
    let any = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let kind = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "images.openstack.k-orc.cloud" },
        "spec": {
            "group": "openstack.k-orc.cloud", "scope": "Namespaced",
            "names": { "kind": "Image", "listKind": "ImageList", "plural": "images", "singular": "image" },
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "subresources": { "status": {} }, "schema": { "openAPIV3Schema": any },
            }],
        },
    });
    let apply = PatchParams::apply("scenarios").force();
    let definitions = definitions(scenario)?;
    let name = "images.openstack.k-orc.cloud";
    definitions
        .patch(name, &apply, &Patch::Apply(&kind))
        .await?;
    Ok(())
}

/// Has the API server ask it for conversions, as its own definitions do.
async fn convert(scenario: &Scenario, port: u16) -> Result<()> {
    let ca = fs::read(scenario.api.certificate.join("tls.crt"))?;
    let definitions = definitions(scenario)?;
    for file in Path::new("../../config/crd").read_dir()? {
        let shipped: Value = serde_saphyr::from_str(&fs::read_to_string(file?.path())?)?;
        let mut conversion = shipped["spec"]["conversion"].clone();
        if conversion["strategy"] == "Webhook" {
            conversion["webhook"]["clientConfig"] = json!({
                "url": format!("https://127.0.0.1:{port}/convert"),
                "caBundle": k8s_openapi::ByteString(ca.clone()),
            });
            let name = shipped["metadata"]["name"].as_str().context("no name")?;
            let patch = Patch::Merge(json!({ "spec": { "conversion": conversion } }));
            definitions
                .patch(name, &PatchParams::default(), &patch)
                .await?;
        }
    }
    Ok(())
}
