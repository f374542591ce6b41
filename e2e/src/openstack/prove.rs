//! The flow `openstack`: what Capstan needs of a cloud, shown in a project of its own, which it leaves empty.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    PASSWORD,
    client::{Client, Service, USER_AGENT},
    requests,
};
use crate::{lab::Lab, process::wait_for};

const DEADLINE: Duration = Duration::from_secs(60);
const USER_DATA: &[u8] = b"#cloud-config\nruncmd: [[true]]\n";

/// The tenant of this proof, and the administrator who looks over its shoulder.
struct Proof {
    admin: Client,
    tenant: Client,
    name: String,
}

/// IDs of what [`Proof::network`] has made, and of the external network.
struct Network {
    network: String,
    subnet: String,
    router: String,
    group: String,
    public: String,
}

/// Makes one of everything that the provider makes, checks it, deletes it.
///
/// # Errors
/// What was not as a real cloud has it. The project then stays, for a look at it.
pub fn prove(lab: &Lab) -> Result<()> {
    let mark = requests::mark(lab);
    untrusted_client_is_refused()?;
    let proof = Proof::begin(lab)?;
    let before = proof.admin.inventory(&proof.name)?;
    lab.step("application credential", || proof.application_credential())?;
    let network = lab.step("network, subnet, router, security group", || {
        proof.network()
    })?;
    let (server, port) = lab.step("machine with port, tags, user data, floating IP", || {
        proof.machine(&network)
    })?;
    let booted = lab.step("machine with a root volume; volume", || {
        proof.volumes(&network)
    })?;
    let balancer = lab.step("load balancer with a floating IP", || {
        proof.load_balancer(&network)
    })?;
    lab.step("everything deleted", || {
        proof.delete(&network, &[server, booted], &port, &balancer)
    })?;
    let after = proof.admin.inventory(&proof.name)?;
    ensure!(
        before == after,
        "project {}: left {after:?}, had {before:?}",
        proof.name
    );
    counted(lab, mark)?;
    proof.end()
}

/// The front end has counted, and no service has failed.
fn counted(lab: &Lab, mark: requests::Mark) -> Result<()> {
    if let Some(failed) = requests::since(lab, mark, USER_AGENT)?
        .iter()
        .find(|r| r.status >= 500)
    {
        bail!(
            "{} {} was answered with {}",
            failed.method,
            failed.path,
            failed.status
        );
    }
    let counts = requests::requests_since(lab, mark, USER_AGENT)?;
    for service in [
        Service::Identity,
        Service::Compute,
        Service::Network,
        Service::LoadBalancer,
    ] {
        ensure!(
            counts.contains_key(service.name()),
            "no request to {} was counted: {counts:?}",
            service.name()
        );
    }
    Ok(())
}

fn untrusted_client_is_refused() -> Result<()> {
    let provider = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::blocking::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()?;
    let Err(error) = client.get("https://127.0.0.1:5000/v3").send() else {
        bail!("a client that trusts no CA was answered");
    };
    let said = format!("{:?}", error);
    ensure!(
        said.contains("UnknownIssuer"),
        "a client that trusts no CA got another error: {said}"
    );
    Ok(())
}

impl Proof {
    fn begin(lab: &Lab) -> Result<Self> {
        let admin = Client::admin(lab)?;
        let name = format!("proof-{:08x}", rand::random::<u32>());
        let project = json!({ "name": name, "domain_id": "default" });
        let project = create(&admin, Service::Identity, "/projects", "project", project)?;
        let user = json!({ "name": name, "password": PASSWORD, "domain_id": "default" });
        let user = create(&admin, Service::Identity, "/users", "user", user)?;
        for role in admin.list(Service::Identity, "/roles", "roles")? {
            if ["member", "load-balancer_member"]
                .iter()
                .any(|n| role["name"] == *n)
            {
                let path = format!(
                    "/projects/{project}/users/{user}/roles/{}",
                    text(&role, "id")?
                );
                admin.put(Service::Identity, &path, &Value::Null)?;
            }
        }
        let tenant = Client::new(lab, &name, &name)?;
        // Neutron makes a project's default security group when the project first looks.
        tenant.list(Service::Network, "/security-groups", "security_groups")?;
        Ok(Self {
            admin,
            tenant,
            name,
        })
    }

    fn end(self) -> Result<()> {
        for group in self
            .tenant
            .list(Service::Network, "/security-groups", "security_groups")?
        {
            self.admin.delete(
                Service::Network,
                &format!("/security-groups/{}", text(&group, "id")?),
            )?;
        }
        self.admin.delete(
            Service::Identity,
            &format!("/users/{}", self.tenant.user_id()?),
        )?;
        Ok(self.admin.delete(
            Service::Identity,
            &format!("/projects/{}", self.tenant.project_id()?),
        )?)
    }

    /// It can be made, logged in with, and lets its owner make load balancers.
    fn application_credential(&self) -> Result<()> {
        let path = format!("/users/{}/application_credentials", self.tenant.user_id()?);
        let made = json!({ "application_credential": { "name": "proof" } });
        let made =
            self.tenant.post(Service::Identity, &path, &made)?["application_credential"].take();
        let id = text(&made, "id")?;
        let login = json!({ "auth": { "identity": {
            "methods": ["application_credential"],
            "application_credential": { "id": id, "secret": made["secret"] },
        }}});
        let token = self
            .tenant
            .post(Service::Identity, "/auth/tokens", &login)?;
        let roles = token["token"]["roles"]
            .as_array()
            .context("token without roles")?;
        ensure!(
            roles.iter().any(|r| r["name"] == "load-balancer_member"),
            "roles of the credential: {roles:?}"
        );
        Ok(self
            .tenant
            .delete(Service::Identity, &format!("{path}/{id}"))?)
    }

    fn network(&self) -> Result<Network> {
        let public = self.tenant.list(
            Service::Network,
            "/networks?router:external=true",
            "networks",
        )?;
        let public = text(public.first().context("no external network")?, "id")?;
        let network = self.create(
            Service::Network,
            "/networks",
            "network",
            json!({ "name": "proof" }),
        )?;
        let tags = json!({ "tags": ["a", "b"] });
        self.tenant.put(
            Service::Network,
            &format!("/networks/{network}/tags"),
            &tags,
        )?;
        let found = self
            .tenant
            .list(Service::Network, "/networks?tags=a,b", "networks")?;
        ensure!(
            found.len() == 1,
            "networks with the tags a and b: {found:?}"
        );
        let subnet = json!({ "network_id": network, "ip_version": 4, "cidr": "10.8.0.0/24" });
        let subnet = self.create(Service::Network, "/subnets", "subnet", subnet)?;
        let router = json!({ "name": "proof", "external_gateway_info": { "network_id": public } });
        let router = self.create(Service::Network, "/routers", "router", router)?;
        let interface = json!({ "subnet_id": subnet });
        self.tenant.put(
            Service::Network,
            &format!("/routers/{router}/add_router_interface"),
            &interface,
        )?;
        let group = self.create(
            Service::Network,
            "/security-groups",
            "security_group",
            json!({ "name": "proof" }),
        )?;
        let rule = json!({ "security_group_rule": {
            "security_group_id": group, "remote_group_id": group, "direction": "ingress", "ethertype": "IPv4",
            "protocol": "tcp", "port_range_min": 6443, "port_range_max": 6443,
        }});
        self.tenant
            .post(Service::Network, "/security-group-rules", &rule)?;
        let again = self
            .tenant
            .post(Service::Network, "/security-group-rules", &rule);
        refused(again.map(drop), 409, "a rule that exists")?;
        Ok(Network {
            network,
            subnet,
            router,
            group,
            public,
        })
    }

    /// ID of a machine and of its port.
    fn machine(&self, on: &Network) -> Result<(String, String)> {
        let port = json!({
            "name": "proof", "network_id": on.network, "security_groups": [on.group],
            "fixed_ips": [{ "subnet_id": on.subnet, "ip_address": "10.8.0.50" }],
            "allowed_address_pairs": [{ "ip_address": "10.8.0.100" }],
        });
        let port = self.create(Service::Network, "/ports", "port", port)?;
        self.tenant.put(
            Service::Network,
            &format!("/ports/{port}/tags"),
            &json!({ "tags": ["a"] }),
        )?;
        let server = json!({
            "name": "proof", "flavorRef": self.flavor("SCS-1L-1-10")?, "imageRef": self.image()?,
            "networks": [{ "port": port }], "availability_zone": "az2", "config_drive": true,
            "user_data": STANDARD.encode(USER_DATA), "metadata": { "a": "b" }, "tags": ["a"],
        });
        let server = self.create(Service::Compute, "/servers", "server", server)?;
        let path = format!("/servers/{server}");
        let seen = self.reaches(Service::Compute, &path, "server", "status", "ACTIVE")?;
        ensure!(
            seen["OS-EXT-AZ:availability_zone"] == "az2",
            "{path} is not in az2: {seen}"
        );
        self.reaches(
            Service::Network,
            &format!("/ports/{port}"),
            "port",
            "status",
            "ACTIVE",
        )?;
        let seen = self.admin.get(Service::Compute, &path)?;
        let user_data = STANDARD.decode(text(&seen["server"], "OS-EXT-SRV-ATTR:user_data")?)?;
        ensure!(
            user_data == USER_DATA,
            "{path}: the administrator reads other user data than was given"
        );
        self.floating_ip(on, &port)?;
        refused(
            self.tenant
                .delete(Service::Network, &format!("/networks/{}", on.network)),
            409,
            "a network in use",
        )?;
        Ok((server, port))
    }

    fn floating_ip(&self, on: &Network, port: &str) -> Result<()> {
        let ip = json!({ "floating_network_id": on.public, "port_id": port });
        let ip = self.create(Service::Network, "/floatingips", "floatingip", ip)?;
        let path = format!("/floatingips/{ip}");
        let seen = self.reaches(Service::Network, &path, "floatingip", "status", "ACTIVE")?;
        let address = text(&seen, "floating_ip_address")?;
        ensure!(
            address.starts_with("172.29."),
            "{path}: {address} is not of the lab's external network"
        );
        Ok(())
    }

    /// A volume comes and goes; ID of a machine that boots from one made of the image.
    fn volumes(&self, on: &Network) -> Result<String> {
        let volume = json!({ "name": "proof", "size": 1, "volume_type": "ssd" });
        let volume = self.create(Service::BlockStorage, "/volumes", "volume", volume)?;
        let path = format!("/volumes/{volume}");
        self.reaches(
            Service::BlockStorage,
            &path,
            "volume",
            "status",
            "available",
        )?;
        self.tenant.delete(Service::BlockStorage, &path)?;
        self.gone(Service::BlockStorage, &path)?;
        let disk = json!({
            "boot_index": 0, "uuid": self.image()?, "source_type": "image", "destination_type": "volume",
            "volume_size": 10, "delete_on_termination": true,
        });
        let server = json!({
            "name": "proof-volume", "flavorRef": self.flavor("SCS-2V-4")?,
            "networks": [{ "uuid": on.network }], "block_device_mapping_v2": [disk],
        });
        let server = self.create(Service::Compute, "/servers", "server", server)?;
        self.reaches(
            Service::Compute,
            &format!("/servers/{server}"),
            "server",
            "status",
            "ACTIVE",
        )?;
        Ok(server)
    }

    fn load_balancer(&self, on: &Network) -> Result<String> {
        let id = json!({ "name": "proof", "vip_subnet_id": on.subnet });
        let id = self.create(Service::LoadBalancer, "/loadbalancers", "loadbalancer", id)?;
        let path = format!("/loadbalancers/{id}");
        let settled = || {
            self.reaches(
                Service::LoadBalancer,
                &path,
                "loadbalancer",
                "provisioning_status",
                "ACTIVE",
            )
        };
        let balancer = settled()?;
        let listener = json!({ "loadbalancer_id": id, "protocol": "TCP", "protocol_port": 6443 });
        let listener = self.create(Service::LoadBalancer, "/listeners", "listener", listener)?;
        settled()?;
        let pool =
            json!({ "listener_id": listener, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN" });
        let pool = self.create(Service::LoadBalancer, "/pools", "pool", pool)?;
        settled()?;
        let monitor =
            json!({ "pool_id": pool, "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2 });
        self.create(
            Service::LoadBalancer,
            "/healthmonitors",
            "healthmonitor",
            monitor,
        )?;
        settled()?;
        let member =
            json!({ "address": "10.8.0.50", "protocol_port": 6443, "subnet_id": on.subnet });
        self.create(
            Service::LoadBalancer,
            &format!("/pools/{pool}/members"),
            "member",
            member,
        )?;
        settled()?;
        self.floating_ip(on, &text(&balancer, "vip_port_id")?)?;
        Ok(id)
    }

    fn delete(&self, on: &Network, servers: &[String], port: &str, balancer: &str) -> Result<()> {
        for ip in self
            .tenant
            .list(Service::Network, "/floatingips", "floatingips")?
        {
            self.tenant.delete(
                Service::Network,
                &format!("/floatingips/{}", text(&ip, "id")?),
            )?;
        }
        self.tenant.delete(
            Service::LoadBalancer,
            &format!("/loadbalancers/{balancer}?cascade=true"),
        )?;
        for server in servers {
            self.tenant
                .delete(Service::Compute, &format!("/servers/{server}"))?;
        }
        self.gone(Service::LoadBalancer, &format!("/loadbalancers/{balancer}"))?;
        for server in servers {
            self.gone(Service::Compute, &format!("/servers/{server}"))?;
        }
        wait_for("end of the root volume", DEADLINE, || {
            let left = self
                .tenant
                .list(Service::BlockStorage, "/volumes", "volumes")?;
            if left.is_empty() {
                Ok(())
            } else {
                bail!("{left:?}")
            }
        })?;
        self.tenant
            .delete(Service::Network, &format!("/ports/{port}"))?;
        let interface = json!({ "subnet_id": on.subnet });
        let router = format!("/routers/{}", on.router);
        self.tenant.put(
            Service::Network,
            &format!("{router}/remove_router_interface"),
            &interface,
        )?;
        self.tenant.delete(Service::Network, &router)?;
        self.tenant
            .delete(Service::Network, &format!("/networks/{}", on.network))?;
        Ok(self
            .tenant
            .delete(Service::Network, &format!("/security-groups/{}", on.group))?)
    }

    fn create(&self, service: Service, path: &str, kind: &str, body: Value) -> Result<String> {
        create(&self.tenant, service, path, kind, body)
    }

    /// The object once its `field` is `wanted`; at once an error if it is ERROR.
    fn reaches(
        &self,
        service: Service,
        path: &str,
        kind: &str,
        field: &str,
        wanted: &str,
    ) -> Result<Value> {
        wait_for(&format!("{path} {wanted}"), DEADLINE, || {
            let object = self.tenant.get(service, path)?[kind].take();
            match object[field].as_str().unwrap_or_default() {
                now if now == wanted => Ok(Ok(object)),
                "ERROR" | "error" => Ok(Err(anyhow!("{path}: {object}"))),
                now => bail!("{field} is {now}"),
            }
        })?
    }

    fn gone(&self, service: Service, path: &str) -> Result<()> {
        wait_for(&format!("end of {path}"), DEADLINE, || {
            match self.tenant.get(service, path) {
                Err(e) if e.is_not_found() => Ok(()),
                Err(e) => Err(e.into()),
                Ok(object) => bail!("{object}"),
            }
        })
    }

    fn flavor(&self, name: &str) -> Result<String> {
        let flavors = self.tenant.list(Service::Compute, "/flavors", "flavors")?;
        text(
            flavors
                .iter()
                .find(|f| f["name"] == name)
                .with_context(|| format!("no flavor {name}"))?,
            "id",
        )
    }

    fn image(&self) -> Result<String> {
        let images = self
            .tenant
            .list(Service::Image, "/images?visibility=public", "images")?;
        text(images.first().context("no public image")?, "id")
    }
}

fn create(
    client: &Client,
    service: Service,
    path: &str,
    kind: &str,
    body: Value,
) -> Result<String> {
    text(
        &client.post(service, path, &json!({ kind: body }))?[kind],
        "id",
    )
}

fn text(object: &Value, field: &str) -> Result<String> {
    object[field]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("no {field} in {object}"))
}

fn refused(answer: Result<(), super::client::Error>, status: u16, what: &str) -> Result<()> {
    match answer {
        Err(super::client::Error::Refused { status: now, .. }) if now == status => Ok(()),
        other => bail!("{what}: {status} was expected, not {other:?}"),
    }
}
