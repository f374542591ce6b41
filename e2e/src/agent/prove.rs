//! The flow `machines`: what the node agent does with a server, a floating IP and a load balancer, seen from outside.

use std::{
    io::Read,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{machine, status::Status};
use crate::{
    lab::Lab,
    netns,
    openstack::client::{Client, Service},
    process::wait_for,
};

const NAME: &str = "lab-machines";
const DEADLINE: Duration = Duration::from_secs(120);
/// For a connection that must not come about.
const PATIENCE: Duration = Duration::from_secs(3);
const PORT: u16 = 8080;
/// A machine that says what happened to it to everybody who asks. `first` is written once in the life of a disk.
const USER_DATA: &str = "#cloud-config
write_files:
- path: /etc/systemd/system/answer.service
  content: |
    [Service]
    ExecStart=/usr/bin/socat TCP-LISTEN:8080,fork,reuseaddr SYSTEM:\"cat /etc/hostname /var/lib/answer\"
    Restart=always
    [Install]
    WantedBy=multi-user.target
runcmd:
- echo first >> /var/lib/answer
- systemctl enable --now answer.service
";
const ANSWER: &str = "lab-machines\nfirst\n";

/// Ids of what was made.
#[derive(Default)]
struct Made {
    server: String,
    address: String,
    port: String,
    group: String,
    subnet: String,
    public: String,
}

struct Proof<'a> {
    lab: &'a Lab,
    tenant: Client,
}

/// Makes a machine behind a floating IP and a load balancer, stops, starts, reboots and deletes it.
///
/// # Errors
/// What was not seen in time. What was made then stays, for a look at it; the next run removes it first.
pub fn prove(lab: &Lab) -> Result<()> {
    let proof = Proof {
        lab,
        tenant: Client::tenant(lab)?,
    };
    proof.clean()?;
    let mut made = Made::default();
    let address = lab.step("a server boots behind a floating IP", || {
        proof.server(&mut made)?;
        let address = proof.floating_ip(&made, &made.port)?;
        answers(address)?;
        Ok(address)
    })?;
    lab.step(
        "without a rule of its security group nothing reaches it",
        || {
            proof.forbid(&made)?;
            silent(address)?;
            proof.allow(&made)?;
            answers(address)
        },
    )?;
    lab.step(
        "a load balancer leads to its members, and only those who may",
        || proof.load_balancer(&made),
    )?;
    lab.step("stopped, it is off; started, it has its disk", || {
        proof.act(&made, &json!({ "os-stop": null }))?;
        silent(address)?;
        proof.act(&made, &json!({ "os-start": null }))?;
        answers(address)
    })?;
    lab.step("rebooted, it boots", || {
        let before = proof.since(&made)?;
        proof.act(&made, &json!({ "reboot": { "type": "HARD" } }))?;
        wait_for("reboot", DEADLINE, || {
            ensure!(proof.since(&made)? != before, "not powered on again");
            Ok(())
        })?;
        answers(address)
    })?;
    lab.step("deleted, it leaves nothing", || {
        proof.clean()?;
        let left = || {
            netns::named(lab)
                .into_iter()
                .filter(|n| n.ends_with(&made.server))
                .chain(
                    machine::folder(lab, &made.server)
                        .exists()
                        .then(|| "its folder".to_owned()),
                )
        };
        wait_for("end of the machine", DEADLINE, || match left().next() {
            Some(left) => bail!("{left} is still there"),
            None => Ok(()),
        })
    })
}

impl Proof<'_> {
    fn server(&self, made: &mut Made) -> Result<()> {
        let t = &self.tenant;
        made.public = self.named(
            Service::Network,
            "/networks?router:external=true",
            "networks",
        )?;
        let network = id(
            t.post(
                Service::Network,
                "/networks",
                &json!({ "network": { "name": NAME } }),
            )?,
            "network",
        )?;
        let subnet =
            json!({ "name": NAME, "network_id": network, "ip_version": 4, "cidr": "10.91.0.0/24" });
        made.subnet = id(
            t.post(Service::Network, "/subnets", &json!({ "subnet": subnet }))?,
            "subnet",
        )?;
        let router =
            json!({ "name": NAME, "external_gateway_info": { "network_id": made.public } });
        let router = id(
            t.post(Service::Network, "/routers", &json!({ "router": router }))?,
            "router",
        )?;
        let path = format!("/routers/{router}/add_router_interface");
        t.put(
            Service::Network,
            &path,
            &json!({ "subnet_id": made.subnet }),
        )?;
        let group = t.post(
            Service::Network,
            "/security-groups",
            &json!({ "security_group": { "name": NAME } }),
        )?;
        made.group = id(group, "security_group")?;
        self.allow(made)?;
        let port = json!({ "name": NAME, "network_id": network, "security_groups": [made.group] });
        let port = t.post(Service::Network, "/ports", &json!({ "port": port }))?;
        made.address = port["port"]["fixed_ips"][0]["ip_address"]
            .as_str()
            .context("address of a port")?
            .to_owned();
        made.port = id(port, "port")?;
        let server = json!({
            "name": NAME,
            "flavorRef": self.named(Service::Compute, "/flavors?minDisk=10", "flavors")?,
            "imageRef": self.named(Service::Image, "/images", "images")?,
            "networks": [{ "port": made.port }],
            "user_data": STANDARD.encode(USER_DATA),
            "metadata": { "lab:boot": "real" },
        });
        made.server = id(
            t.post(Service::Compute, "/servers", &json!({ "server": server }))?,
            "server",
        )?;
        Ok(())
    }

    /// Lets everybody in.
    fn allow(&self, made: &Made) -> Result<()> {
        let rule = json!({
            "security_group_id": made.group, "direction": "ingress", "ethertype": "IPv4",
            "protocol": "tcp", "port_range_min": PORT, "port_range_max": PORT,
        });
        let path = "/security-group-rules";
        let rule = json!({ "security_group_rule": rule });
        self.tenant.post(Service::Network, path, &rule)?;
        Ok(())
    }

    /// Lets nobody in.
    fn forbid(&self, made: &Made) -> Result<()> {
        let path = "/security-group-rules";
        let own = format!("{path}?direction=ingress&security_group_id={}", made.group);
        for rule in self
            .tenant
            .list(Service::Network, &own, "security_group_rules")?
        {
            let rule = rule["id"].as_str().context("id of a rule")?;
            self.tenant
                .delete(Service::Network, &format!("{path}/{rule}"))?;
        }
        Ok(())
    }

    fn floating_ip(&self, made: &Made, port: &str) -> Result<SocketAddr> {
        let wanted =
            json!({ "floating_network_id": made.public, "port_id": port, "description": NAME });
        let made = self.tenant.post(
            Service::Network,
            "/floatingips",
            &json!({ "floatingip": wanted }),
        )?;
        let address = made["floatingip"]["floating_ip_address"]
            .as_str()
            .context("address of a floating IP")?;
        Ok(SocketAddr::new(address.parse()?, PORT))
    }

    fn load_balancer(&self, made: &Made) -> Result<()> {
        let t = &self.tenant;
        let service = Service::LoadBalancer;
        let wanted = json!({ "loadbalancer": { "name": NAME, "vip_subnet_id": made.subnet } });
        let lb = t.post(service, "/loadbalancers", &wanted)?;
        let vip_port = lb["loadbalancer"]["vip_port_id"]
            .as_str()
            .context("port of a VIP")?
            .to_owned();
        let lb = id(lb, "loadbalancer")?;
        self.settled(&lb)?;
        let wanted = json!({ "protocol": "TCP", "protocol_port": PORT, "loadbalancer_id": lb });
        let listener = id(
            t.post(service, "/listeners", &json!({ "listener": wanted }))?,
            "listener",
        )?;
        self.settled(&lb)?;
        let wanted =
            json!({ "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "listener_id": listener });
        let pool = id(
            t.post(service, "/pools", &json!({ "pool": wanted }))?,
            "pool",
        )?;
        self.settled(&lb)?;
        let address = self.floating_ip(made, &vip_port)?;
        let add = |member: &str| {
            let wanted = json!({ "member": { "address": member, "protocol_port": PORT } });
            t.post(service, &format!("/pools/{pool}/members"), &wanted)?;
            self.settled(&lb)
        };
        let allow = |cidrs: Value| {
            t.put(
                service,
                &format!("/listeners/{listener}"),
                &json!({ "listener": { "allowed_cidrs": cidrs } }),
            )?;
            self.settled(&lb)
        };
        // A member that does not exist leads nowhere, and does not stand in the way of one that does.
        add("10.91.0.250")?;
        silent(address)?;
        add(&made.address)?;
        answers(address)?;
        allow(json!(["10.91.0.0/24"]))?;
        silent(address)?;
        allow(json!(["10.91.0.0/24", "172.29.0.1/32"]))?;
        answers(address)
    }

    /// Octavia changes nothing about a load balancer while it changes it.
    fn settled(&self, lb: &str) -> Result<()> {
        wait_for("load balancer", DEADLINE, || {
            let now = self
                .tenant
                .get(Service::LoadBalancer, &format!("/loadbalancers/{lb}"))?;
            let status = now["loadbalancer"]["provisioning_status"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            ensure!(status == "ACTIVE", "load balancer {lb} is {status}");
            Ok(())
        })
    }

    fn act(&self, made: &Made, action: &Value) -> Result<()> {
        self.tenant
            .post(
                Service::Compute,
                &format!("/servers/{}/action", made.server),
                action,
            )
            .map(drop)?;
        Ok(())
    }

    /// When the machine was last powered on.
    fn since(&self, made: &Made) -> Result<jiff::Timestamp> {
        let status = Status::read(self.lab)?;
        let machine = status.machines.iter().find(|m| m.id == made.server);
        machine
            .map(|m| m.since)
            .ok_or_else(|| anyhow!("the agent has no machine for server {}", made.server))
    }

    /// Id of the first in a list.
    fn named(&self, service: Service, path: &str, key: &str) -> Result<String> {
        let items = self.tenant.list(service, path, key)?;
        let first = items.first().and_then(|i| i["id"].as_str());
        first
            .map(str::to_owned)
            .with_context(|| format!("{} {path}: none", service.name()))
    }

    /// Deletes everything that this flow makes, wherever an earlier one has stopped.
    fn clean(&self) -> Result<()> {
        let t = &self.tenant;
        let own = |service: Service, path: &str, key: &str| -> Result<Vec<String>> {
            let items = t.list(service, path, key)?.into_iter();
            let own = items.filter(|i| i["name"] == NAME || i["description"] == NAME);
            Ok(own
                .filter_map(|i| i["id"].as_str().map(str::to_owned))
                .collect())
        };
        let gone = |service: Service,
                    path: &str,
                    key: &str,
                    delete: &dyn Fn(&str) -> String|
         -> Result<()> {
            for id in own(service, path, key)? {
                t.delete(service, &delete(&id))?;
            }
            wait_for(&format!("deletion of {key}"), DEADLINE, || {
                ensure!(own(service, path, key)?.is_empty(), "they are still there");
                Ok(())
            })
        };
        gone(Service::Compute, "/servers", "servers", &|id| {
            format!("/servers/{id}")
        })?;
        gone(
            Service::LoadBalancer,
            "/loadbalancers",
            "loadbalancers",
            &|id| format!("/loadbalancers/{id}?cascade=true"),
        )?;
        gone(Service::Network, "/floatingips", "floatingips", &|id| {
            format!("/floatingips/{id}")
        })?;
        gone(Service::Network, "/ports", "ports", &|id| {
            format!("/ports/{id}")
        })?;
        for router in own(Service::Network, "/routers", "routers")? {
            for subnet in own(Service::Network, "/subnets", "subnets")? {
                let path = format!("/routers/{router}/remove_router_interface");
                // Stopped between the router and its interface, an earlier run has left none.
                let _ = t.put(Service::Network, &path, &json!({ "subnet_id": subnet }));
            }
        }
        gone(Service::Network, "/routers", "routers", &|id| {
            format!("/routers/{id}")
        })?;
        gone(Service::Network, "/networks", "networks", &|id| {
            format!("/networks/{id}")
        })?;
        let groups = "/security-groups";
        gone(Service::Network, groups, "security_groups", &|id| {
            format!("{groups}/{id}")
        })
    }
}

fn id(mut made: Value, key: &str) -> Result<String> {
    serde_json::from_value(made[key]["id"].take()).with_context(|| format!("id of a new {key}"))
}

/// What the machine says at this address.
fn ask(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut said = String::new();
    stream.read_to_string(&mut said)?;
    Ok(said)
}

fn answers(address: SocketAddr) -> Result<()> {
    wait_for(&format!("answer at {address}"), DEADLINE, || {
        let said = ask(address)?;
        ensure!(
            said == ANSWER,
            "{address} says {said:?} instead of {ANSWER:?}"
        );
        Ok(())
    })
}

/// Nobody answers, now and a little later: what has changed in OpenStack takes the agent a round to see.
fn silent(address: SocketAddr) -> Result<()> {
    wait_for(&format!("silence at {address}"), DEADLINE, || {
        match ask(address) {
            Ok(said) if !said.is_empty() => bail!("{address} says {said:?}"),
            _ => Ok(()),
        }
    })
}
