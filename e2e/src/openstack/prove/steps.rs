//! One of everything that the provider makes, step by step.

use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Proof, create, text};
use crate::{
    openstack::client::{Error, Service},
    process::wait_for,
};

use super::DEADLINE;

const USER_DATA: &[u8] = b"#cloud-config\nruncmd: [[true]]\n";

/// IDs of what [`Proof::network`] has made, and of the external network.
pub(super) struct Network {
    network: String,
    subnet: String,
    router: String,
    group: String,
    public: String,
}

impl Proof {
    pub(super) fn network(&self) -> Result<Network> {
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
    pub(super) fn machine(&self, on: &Network) -> Result<(String, String)> {
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
    pub(super) fn volumes(&self, on: &Network) -> Result<String> {
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

    pub(super) fn load_balancer(&self, on: &Network) -> Result<String> {
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

    pub(super) fn delete(
        &self,
        on: &Network,
        servers: &[String],
        port: &str,
        balancer: &str,
    ) -> Result<()> {
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

fn refused(answer: Result<(), Error>, status: u16, what: &str) -> Result<()> {
    match answer {
        Err(Error::Refused { status: now, .. }) if now == status => Ok(()),
        other => bail!("{what}: {status} was expected, not {other:?}"),
    }
}
