//! What CAPO leaves behind, by its names, in the cloud and in the management cluster.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use scenarios::Scenario;
use scenarios::cluster_api::Machine;
use scenarios::scenario::PROJECT;
use serde_json::{Value, json};
use simulator::{Resource, Service};

const FLAVOR: &str = "SCS-2V-4-20s";
const IMAGE: &str = "ubuntu-capi-image-v1.36.2";
const CIDR: &str = "10.6.0.0/24";

/// A cluster of CAPO: ids by a word for each thing.
pub struct Capo {
    ids: HashMap<String, String>,
    namespace: String,
    endpoint: String,
    vip: String,
}

impl Capo {
    /// Makes it in the cloud, in CAPO's order and with what CAPO sends.
    pub async fn build(scenario: &Scenario) -> Result<Self> {
        let mut capo = Self {
            ids: HashMap::new(),
            namespace: scenario.cluster.namespace.clone(),
            endpoint: String::new(),
            vip: String::new(),
        };
        capo.find(scenario, "external", Resource::Networks, "public")?;
        capo.find(scenario, "flavor", Resource::Flavors, FLAVOR)?;
        capo.find(scenario, "image", Resource::Images, IMAGE)?;
        capo.network(scenario)?;
        capo.security_groups(scenario)?;
        capo.balancer(scenario).await?;
        capo.server(scenario, "cp-0", "controlplane").await?;
        capo.server(scenario, "worker-0", "worker").await?;
        capo.member(scenario).await?;
        Ok(capo)
    }

    /// The id of a thing.
    pub fn id(&self, word: &str) -> &str {
        self.ids.get(word).map(String::as_str).unwrap_or_default()
    }

    fn name(&self) -> String {
        format!("k8s-clusterapi-cluster-{}-demo", self.namespace)
    }

    fn description(&self) -> String {
        format!(
            "Created by cluster-api-provider-openstack cluster {}-demo",
            self.namespace
        )
    }

    fn find(&mut self, scenario: &Scenario, word: &str, of: Resource, name: &str) -> Result<()> {
        let id = scenario.cloud.world(|world| world.id_of(of, name));
        self.ids
            .insert(word.to_owned(), id.with_context(|| format!("no {name}"))?);
        Ok(())
    }

    /// Creates something as the tenant and keeps its id.
    fn make(
        &mut self,
        scenario: &Scenario,
        word: &str,
        service: Service,
        path: &str,
        body: Value,
    ) -> Result<Value> {
        let reply = ask(scenario, service, "POST", path, body)?;
        let made = reply.as_object().and_then(|object| object.values().next());
        let made = made.cloned().unwrap_or_default();
        let id = made["id"].as_str().unwrap_or_default();
        self.ids.insert(word.to_owned(), id.to_owned());
        Ok(made)
    }

    fn network(&mut self, scenario: &Scenario) -> Result<()> {
        let (name, description) = (self.name(), self.description());
        let network = json!({ "network": { "name": name, "admin_state_up": true } });
        self.make(scenario, "network", Service::Network, "/networks", network)?;
        let subnet = json!({ "subnet": {
            "name": name, "description": description, "network_id": self.id("network"),
            "cidr": CIDR, "ip_version": 4,
        } });
        self.make(scenario, "subnet", Service::Network, "/subnets", subnet)?;
        let router = json!({ "router": {
            "name": name, "description": description,
            "external_gateway_info": { "network_id": self.id("external") },
        } });
        self.make(scenario, "router", Service::Network, "/routers", router)?;
        let path = format!("/routers/{}/add_router_interface", self.id("router"));
        ask(
            scenario,
            Service::Network,
            "PUT",
            &path,
            json!({ "subnet_id": self.id("subnet") }),
        )?;
        Ok(())
    }

    fn security_groups(&mut self, scenario: &Scenario) -> Result<()> {
        for role in ["controlplane", "worker"] {
            let name = format!("k8s-cluster-{}-demo-secgroup-{role}", self.namespace);
            let group = json!({ "security_group": { "name": name, "description": "Cluster API managed group" } });
            self.make(scenario, role, Service::Network, "/security-groups", group)?;
        }
        let (control, worker) = (
            self.id("controlplane").to_owned(),
            self.id("worker").to_owned(),
        );
        let group = |id: &str| json!({ "remote_group_id": id });
        let mut rules = vec![
            (&control, "tcp", (6443, 6443), json!({})),
            (&control, "tcp", (2379, 2380), group(&control)),
            (&control, "tcp", (10250, 10250), group(&control)),
            (&control, "tcp", (10250, 10250), group(&worker)),
            (&worker, "tcp", (10250, 10250), group(&worker)),
            (&worker, "tcp", (10250, 10250), group(&control)),
        ];
        for protocol in ["tcp", "udp"] {
            for from in [
                json!({ "remote_ip_prefix": CIDR }),
                group(&worker),
                group(&control),
            ] {
                rules.push((&worker, protocol, (30000, 32767), from));
            }
        }
        for (of, protocol, (min, max), from) in rules {
            let mut rule = from;
            rule["security_group_id"] = json!(of);
            rule["direction"] = json!("ingress");
            rule["ethertype"] = json!("IPv4");
            rule["protocol"] = json!(protocol);
            rule["port_range_min"] = json!(min);
            rule["port_range_max"] = json!(max);
            let body = json!({ "security_group_rule": rule });
            ask(
                scenario,
                Service::Network,
                "POST",
                "/security-group-rules",
                body,
            )?;
        }
        Ok(())
    }

    async fn balancer(&mut self, scenario: &Scenario) -> Result<()> {
        let name = format!("{}-kubeapi", self.name());
        let of_port = format!("{name}-6443");
        let balancer = json!({ "loadbalancer": {
            "name": name, "description": self.description(),
            "vip_network_id": self.id("network"), "vip_subnet_id": self.id("subnet"),
        } });
        let made = self.make(
            scenario,
            "balancer",
            Service::LoadBalancer,
            "/lbaas/loadbalancers",
            balancer,
        )?;
        scenario.settled().await?;
        self.vip = made["vip_address"].as_str().unwrap_or_default().to_owned();
        let address = json!({ "floatingip": {
            "floating_network_id": self.id("external"), "description": self.description(),
            "port_id": made["vip_port_id"],
        } });
        let address = self.make(
            scenario,
            "address",
            Service::Network,
            "/floatingips",
            address,
        )?;
        self.endpoint = address["floating_ip_address"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let listener = json!({ "listener": {
            "name": of_port, "protocol": "TCP", "protocol_port": 6443, "loadbalancer_id": self.id("balancer"),
        } });
        self.make(
            scenario,
            "listener",
            Service::LoadBalancer,
            "/lbaas/listeners",
            listener,
        )?;
        scenario.settled().await?;
        let pool = json!({ "pool": {
            "name": of_port, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "listener_id": self.id("listener"),
        } });
        self.make(
            scenario,
            "pool",
            Service::LoadBalancer,
            "/lbaas/pools",
            pool,
        )?;
        scenario.settled().await?;
        let monitor = json!({ "healthmonitor": {
            "name": of_port, "pool_id": self.id("pool"), "type": "TCP",
            "delay": 10, "timeout": 5, "max_retries": 5, "max_retries_down": 3,
        } });
        self.make(
            scenario,
            "monitor",
            Service::LoadBalancer,
            "/lbaas/healthmonitors",
            monitor,
        )?;
        scenario.settled().await.map(drop)
    }

    async fn server(&mut self, scenario: &Scenario, name: &str, role: &str) -> Result<()> {
        let port = json!({ "port": {
            "name": format!("{name}-0"),
            "description": "Created by cluster-api-provider-openstack cluster demo",
            "network_id": self.id("network"), "fixed_ips": [{ "subnet_id": self.id("subnet") }],
            "security_groups": [self.id(role)],
        } });
        let port = self.make(
            scenario,
            &format!("{name} port"),
            Service::Network,
            "/ports",
            port,
        )?;
        let address = port["fixed_ips"][0]["ip_address"]
            .as_str()
            .unwrap_or_default();
        self.ids
            .insert(format!("{name} address"), address.to_owned());
        let volume = json!({ "volume": {
            "name": format!("{name}-root"), "description": format!("Root volume for {name}"),
            "size": 20, "imageRef": self.id("image"),
        } });
        self.make(
            scenario,
            &format!("{name} volume"),
            Service::Volume,
            "/volumes",
            volume,
        )?;
        scenario.settled().await?;
        let server = json!({ "server": {
            "name": name, "flavorRef": self.id("flavor"), "imageRef": "",
            "networks": [{ "port": self.id(&format!("{name} port")) }],
            "block_device_mapping_v2": [{
                "boot_index": 0, "uuid": self.id(&format!("{name} volume")), "source_type": "volume",
                "destination_type": "volume", "delete_on_termination": true,
            }],
            "availability_zone": "az1", "config_drive": false,
        } });
        self.make(scenario, name, Service::Compute, "/servers", server)?;
        scenario.settled().await.map(drop)
    }

    async fn member(&mut self, scenario: &Scenario) -> Result<()> {
        let member = json!({ "member": {
            "name": format!("{}-kubeapi-6443-cp-0", self.name()),
            "address": self.id("cp-0 address"), "protocol_port": 6443,
        } });
        let path = format!("/lbaas/pools/{}/members", self.id("pool"));
        self.make(scenario, "member", Service::LoadBalancer, &path, member)?;
        scenario.settled().await.map(drop)
    }

    /// The objects as CAPO leaves them; without status as after a move.
    pub async fn create_objects(&self, scenario: &Scenario, with_status: bool) -> Result<()> {
        let cluster = &scenario.cluster;
        cluster
            .create(json!({
                "managedSubnets": [{ "cidr": CIDR }],
                "managedSecurityGroups": { "allowAllInClusterTraffic": false },
                "apiServer": { "managedLoadBalancer": { "enabled": true } },
                "controlPlaneEndpoint": { "host": self.endpoint, "port": 6443 },
            }))
            .await?;
        let status = with_status.then(|| self.cluster_status());
        patch(
            scenario,
            "OpenStackCluster",
            "demo",
            "openstackcluster",
            json!({}),
            status,
        )
        .await?;
        for (name, role) in [("cp-0", "controlplane"), ("worker-0", "worker")] {
            cluster
                .create_machine(&Machine {
                    name: name.to_owned(),
                    control_plane: role == "controlplane",
                    failure_domain: Some("az1".to_owned()),
                    spec: json!({
                        "flavor": { "filter": { "name": FLAVOR } },
                        "image": { "filter": { "name": IMAGE } },
                        "rootVolume": { "sizeGiB": 20 },
                    }),
                })
                .await?;
            let spec = json!({ "providerID": format!("openstack:///{}", self.id(name)) });
            let status = with_status.then(|| self.machine_status(name));
            patch(
                scenario,
                "OpenStackMachine",
                name,
                "openstackmachine",
                spec,
                status,
            )
            .await?;
            self.create_server(scenario, name, role).await?;
            let status = with_status.then(|| self.server_status(name, role));
            patch(
                scenario,
                "OpenStackServer",
                name,
                "openstackserver",
                json!({}),
                status,
            )
            .await?;
        }
        Ok(())
    }

    async fn create_server(&self, scenario: &Scenario, name: &str, role: &str) -> Result<()> {
        let owner = scenario.cluster.api("OpenStackMachine").get(name).await?;
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1", "kind": "OpenStackServer",
            "metadata": {
                "name": name,
                "labels": { "cluster.x-k8s.io/cluster-name": "demo" },
                "ownerReferences": [{
                    "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "OpenStackMachine",
                    "name": name, "uid": owner.metadata.uid,
                }],
            },
            "spec": {
                "identityRef": { "name": "cloud", "cloudName": PROJECT, "type": "Secret" },
                "flavor": FLAVOR,
                "image": { "filter": { "name": IMAGE } },
                "sshKeyName": "",
                "availabilityZone": "az1",
                "rootVolume": { "sizeGiB": 20 },
                "ports": [{
                    "network": { "id": self.id("network") },
                    "fixedIPs": [{ "subnet": { "id": self.id("subnet") } }],
                    "securityGroups": [{ "id": self.id(role) }],
                }],
                "userDataRef": { "name": format!("{name}-bootstrap") },
            },
        }))?;
        scenario
            .cluster
            .api("OpenStackServer")
            .create(&PostParams::default(), &object)
            .await?;
        Ok(())
    }

    fn cluster_status(&self) -> Value {
        let name = self.name();
        let network = json!({
            "name": name, "id": self.id("network"),
            "subnets": [{ "name": name, "id": self.id("subnet"), "cidr": CIDR }],
        });
        let group = |role: &str| json!({ "name": format!("k8s-cluster-{}-demo-secgroup-{role}", self.namespace), "id": self.id(role) });
        let zones = ["az1", "az2", "az3"].map(|zone| json!({ "name": zone, "controlPlane": true }));
        json!({
            "initialization": { "provisioned": true },
            "network": network,
            "externalNetwork": { "name": "public", "id": self.id("external") },
            "router": { "name": name, "id": self.id("router") },
            "apiServerManagedLoadBalancer": {
                "name": format!("{name}-kubeapi"), "id": self.id("balancer"),
                "ip": self.endpoint, "internalIP": self.vip, "loadBalancerNetwork": network,
            },
            "controlPlaneSecurityGroup": group("controlplane"),
            "workerSecurityGroup": group("worker"),
            "failureDomains": zones,
            "conditions": ready(),
        })
    }

    fn machine_status(&self, name: &str) -> Value {
        json!({
            "initialization": { "provisioned": true },
            "instanceID": self.id(name),
            "addresses": [
                { "type": "InternalIP", "address": self.id(&format!("{name} address")) },
                { "type": "InternalDNS", "address": name },
            ],
            "conditions": ready(),
        })
    }

    fn server_status(&self, name: &str, role: &str) -> Value {
        json!({
            "ready": true,
            "instanceID": self.id(name),
            "instanceState": "ACTIVE",
            "addresses": [
                { "type": "InternalIP", "address": self.id(&format!("{name} address")) },
                { "type": "InternalDNS", "address": name },
            ],
            "resolved": {
                "imageID": self.id("image"),
                "flavorID": self.id("flavor"),
                "ports": [{
                    "name": format!("{name}-0"),
                    "description": "Created by cluster-api-provider-openstack cluster demo",
                    "networkID": self.id("network"),
                    "fixedIPs": [{ "subnet": self.id("subnet") }],
                    "securityGroups": [self.id(role)],
                }],
            },
            "resources": { "ports": [{ "id": self.id(&format!("{name} port")) }] },
            "conditions": ready(),
        })
    }
}

fn ready() -> Value {
    json!([{
        "type": "Ready", "status": "True", "reason": "Ready", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }])
}

fn ask(
    scenario: &Scenario,
    service: Service,
    method: &str,
    path: &str,
    body: Value,
) -> Result<Value> {
    let method = http::Method::from_bytes(method.as_bytes())?;
    let reply = scenario
        .cloud
        .world(|world| world.request(PROJECT, service, method, path, body));
    ensure!(
        reply.is_success(),
        "{path}: {} {}",
        reply.status,
        reply.body
    );
    Ok(reply.body)
}

/// Adds CAPO's finalizer and what it wrote into spec and status.
async fn patch(
    scenario: &Scenario,
    kind: &str,
    name: &str,
    finalizer: &str,
    spec: Value,
    status: Option<Value>,
) -> Result<()> {
    let (api, params) = (scenario.cluster.api(kind), PatchParams::default());
    let finalizer = format!("{finalizer}.infrastructure.cluster.x-k8s.io");
    let main = json!({ "metadata": { "finalizers": [finalizer] }, "spec": spec });
    api.patch(name, &params, &Patch::Merge(&main))
        .await
        .with_context(|| format!("{kind} {name}"))?;
    if let Some(status) = status {
        let status = json!({ "status": status });
        api.patch_status(name, &params, &Patch::Merge(&status))
            .await
            .with_context(|| format!("{kind} {name}"))?;
    }
    Ok(())
}
