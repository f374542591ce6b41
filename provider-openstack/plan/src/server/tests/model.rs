//! A cloud in memory: what actions do to it, and what time does.

use crate::server::{Action, Catalog, Claim, Seen, Source};
use crate::world::{
    FixedIp, Flavor, FloatingIp, Image, Network, Port, Router, SecurityGroup, Server, State, Trunk,
    Volume,
};

/// The cloud.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub servers: Vec<Server>,
    pub ports: Vec<Port>,
    pub volumes: Vec<Volume>,
    pub trunks: Vec<Trunk>,
    pub claim: Option<Claim>,
    pub floating_ips: Vec<FloatingIp>,
    ids: u32,
    /// Ids that must never be acted on.
    pub foreign: Vec<String>,
    /// Those of them that an object of the same name records.
    pub of_namesakes: Vec<String>,
}

impl Model {
    pub fn id(&mut self, kind: &str) -> String {
        self.ids += 1;
        format!("{kind}-{}", self.ids)
    }

    pub fn seen(&self) -> Seen {
        Seen {
            servers: self.servers.clone(),
            ports: self.ports.clone(),
            volumes: self.volumes.clone(),
            trunks: self.trunks.clone(),
            of_namesakes: self.of_namesakes.clone(),
            claim: self.claim.clone(),
            floating_ips: self.floating_ips.clone(),
            interfaces: vec![Port {
                device_id: "router".into(),
                fixed_ips: vec![fixed_ip()],
                ..Port::default()
            }],
            routers: vec![Router {
                id: "router".into(),
                gateway_network_id: Some("public".into()),
                ..Router::default()
            }],
            catalog: catalog(),
            tagging: true,
        }
    }

    pub fn apply(&mut self, action: &Action) {
        match action {
            Action::CreatePort(new) => {
                let id = self.id("port");
                self.ports.push(Port {
                    id,
                    name: new.name.clone(),
                    description: new.description.clone().unwrap_or_default(),
                    network_id: new.network_id.clone(),
                    security_groups: new.security_groups.clone(),
                    fixed_ips: vec![fixed_ip()],
                    // Tags are a second call, which a crash may cut off.
                    ..Port::default()
                });
            }
            Action::TagPort { id, tags } => {
                self.check(id);
                for port in self.ports.iter_mut().filter(|port| port.id == *id) {
                    port.tags.clone_from(tags);
                }
            }
            Action::SetAddressPairs { id, pairs } => {
                self.check(id);
                for port in self.ports.iter_mut().filter(|port| port.id == *id) {
                    let pairs = pairs.iter().map(|pair| crate::world::AddressPair {
                        ip_address: pair.ip_address.clone(),
                        mac_address: Some("fa:16:3e:00:00:01".into()),
                    });
                    port.allowed_address_pairs = pairs.collect();
                }
            }
            Action::MarkSubPort {
                id,
                name,
                description,
            } => {
                self.check(id);
                for port in self.ports.iter_mut().filter(|port| port.id == *id) {
                    port.name.clone_from(name);
                    port.description.clone_from(description);
                }
            }
            Action::DeletePort(id) => {
                self.check(id);
                // Neutron refuses to.
                assert!(!self.trunks.iter().any(|trunk| trunk.port_id == *id));
                let mut subports = self.trunks.iter().flat_map(|trunk| &trunk.sub_port_ids);
                assert!(!subports.any(|subport| subport == id));
                self.ports.retain(|port| port.id != *id);
                for ip in &mut self.floating_ips {
                    ip.port_id.take_if(|port| port == id);
                }
            }
            Action::CreateTrunk(_)
            | Action::TagTrunk { .. }
            | Action::RemoveSubPorts { .. }
            | Action::DeleteTrunk(_) => self.apply_to_trunk(action),
            Action::CreateClaim(_) => {
                let claim = Claim {
                    held: true,
                    address: None,
                };
                self.claim.get_or_insert(claim);
            }
            Action::ReleaseClaim(_) => self.claim = None,
            Action::AssociateFloatingIp { id, port_id, .. } => {
                self.check(id);
                for ip in self.floating_ips.iter_mut().filter(|ip| ip.id == *id) {
                    ip.port_id = Some(port_id.clone());
                }
            }
            Action::CreateVolume(new) => {
                let id = self.id("volume");
                self.volumes.push(Volume {
                    id,
                    name: new.name.clone(),
                    description: new.description.clone(),
                    size_gib: new.size_gib,
                    metadata: new.metadata.clone(),
                    state: State::Pending,
                    status: "creating".into(),
                    ..Volume::default()
                });
            }
            Action::DeleteVolume(id) => {
                self.check(id);
                for volume in self.volumes.iter_mut().filter(|volume| volume.id == *id) {
                    (volume.state, volume.status) = (State::Deleting, "deleting".into());
                }
            }
            Action::CreateServer(new) => self.create_server(new),
            Action::DeleteServer(id) => {
                self.check(id);
                for server in self.servers.iter_mut().filter(|server| server.id == *id) {
                    server.deleting = true;
                }
            }
        }
    }

    fn apply_to_trunk(&mut self, action: &Action) {
        match action {
            Action::CreateTrunk(new) => {
                let mut parents = self.ports.iter().filter(|port| port.id == new.port_id);
                assert!(parents.all(|port| port.device_id.is_empty()), "bound");
                let id = self.id("trunk");
                self.trunks.push(Trunk {
                    id,
                    name: new.name.clone(),
                    port_id: new.port_id.clone(),
                    ..Trunk::default()
                });
            }
            Action::TagTrunk { id, tags } => {
                for trunk in self.trunks.iter_mut().filter(|trunk| trunk.id == *id) {
                    trunk.tags.clone_from(tags);
                }
            }
            Action::RemoveSubPorts { trunk_id, port_ids } => {
                for trunk in self.trunks.iter_mut().filter(|trunk| trunk.id == *trunk_id) {
                    trunk.sub_port_ids.retain(|id| !port_ids.contains(id));
                }
            }
            Action::DeleteTrunk(id) => {
                let mut trunks = self.trunks.iter().filter(|trunk| trunk.id == *id);
                assert!(trunks.all(|trunk| trunk.sub_port_ids.is_empty()));
                self.trunks.retain(|trunk| trunk.id != *id);
            }
            _ => {}
        }
    }

    /// Somebody gives the trunks of the server a subport each, as a CNI does.
    pub fn add_subports(&mut self) {
        for index in 0..self.trunks.len() {
            let id = self.id("subport");
            self.ports.push(Port {
                id: id.clone(),
                ..Port::default()
            });
            self.trunks[index].sub_port_ids.push(id);
        }
    }

    fn create_server(&mut self, new: &crate::server::NewServer) {
        let id = self.id("server");
        let mut used = Vec::new();
        for device in &new.block_devices {
            if let Source::Volume { id } = &device.source {
                used.push(id.clone());
            }
        }
        assert!(
            self.volumes
                .iter()
                .filter(|v| used.contains(&v.id))
                .all(|v| v.state == State::Active)
        );
        // Nova refuses ports and volumes that are in use, if only when it builds.
        let taken = self
            .ports
            .iter()
            .any(|p| new.port_ids.contains(&p.id) && !p.device_id.is_empty());
        if !taken {
            for port in self
                .ports
                .iter_mut()
                .filter(|port| new.port_ids.contains(&port.id))
            {
                port.device_id.clone_from(&id);
            }
            for volume in self
                .volumes
                .iter_mut()
                .filter(|volume| used.contains(&volume.id))
            {
                volume.attached_server_ids = vec![id.clone()];
                volume.status = "in-use".into();
            }
        }
        self.servers.push(Server {
            id,
            name: new.name.clone(),
            status: if taken { "ERROR" } else { "BUILD" }.into(),
            metadata: new.metadata.clone(),
            ..Server::default()
        });
    }

    fn check(&self, id: &str) {
        assert!(
            !self.foreign.iter().any(|foreign| foreign == id),
            "{id} is not ours"
        );
    }

    /// Whatever the cloud works on comes to its end.
    pub fn tick(&mut self) {
        let gone: Vec<String> = self
            .servers
            .iter()
            .filter(|server| server.deleting)
            .map(|server| server.id.clone())
            .collect();
        self.servers.retain(|server| !server.deleting);
        for port in self
            .ports
            .iter_mut()
            .filter(|port| gone.contains(&port.device_id))
        {
            port.device_id.clear();
        }
        self.volumes
            .retain(|volume| volume.state != State::Deleting);
        for volume in &mut self.volumes {
            if volume
                .attached_server_ids
                .iter()
                .any(|id| gone.contains(id))
            {
                volume.attached_server_ids.clear();
                volume.state = State::Deleting;
                volume.status = "deleting".into();
            } else if volume.state == State::Pending {
                (volume.state, volume.status) = (State::Active, "available".into());
            }
        }
        for server in self
            .servers
            .iter_mut()
            .filter(|server| server.status == "BUILD")
        {
            server.status = "ACTIVE".into();
        }
        self.answer_claim();
    }

    fn answer_claim(&mut self) {
        let Some(claim) = self.claim.as_mut().filter(|claim| claim.address.is_none()) else {
            return;
        };
        claim.address = Some("192.0.2.9".into());
        self.floating_ips = vec![FloatingIp {
            id: "fip".into(),
            address: "192.0.2.9".into(),
            network_id: "public".into(),
            ..FloatingIp::default()
        }];
    }

    pub fn ours<'a, T>(&self, all: &'a [T], id: impl Fn(&T) -> &String) -> Vec<&'a T> {
        all.iter()
            .filter(|one| !self.foreign.contains(id(one)))
            .collect()
    }

    /// Things of somebody else that look like ours, but for what tells them apart.
    pub fn add_lookalikes(&mut self) {
        let server = self.id("foreign");
        let ports = [
            ("other", "net", server.as_str()),
            (DESCRIPTION, "net-2", ""),
            // A cluster of the same name in another namespace, in the same network.
            (DESCRIPTION, "net", ""),
        ];
        for (description, network, device) in ports {
            let id = self.id("foreign");
            self.foreign.push(id.clone());
            self.ports.push(Port {
                id,
                name: "m-0".into(),
                description: description.into(),
                network_id: network.into(),
                device_id: device.into(),
                security_groups: vec!["sg-of-another".into()],
                ..Port::default()
            });
        }
        let elsewhere = vec![(
            crate::server::CLUSTER_METADATA_KEY.into(),
            "elsewhere/c".into(),
        )];
        let volumes = [("", vec![]), ("Root volume for m", elsewhere.clone())];
        for (description, metadata) in volumes {
            let id = self.id("foreign");
            self.volumes.push(Volume {
                id: id.clone(),
                name: "m-root".into(),
                description: description.into(),
                size_gib: 5,
                metadata,
                ..Volume::default()
            });
            self.foreign.push(id);
        }
        self.servers.push(Server {
            id: server.clone(),
            name: "m".into(),
            status: "ACTIVE".into(),
            metadata: elsewhere,
            ..Server::default()
        });
        self.foreign.push(server);
        self.add_unmarked();
    }

    /// The server of a cluster of the same name in another namespace and in the same network, which
    /// CAPO made.
    pub fn add_unmarked(&mut self) {
        let [server, port, volume] = ["server", "port", "volume"].map(|kind| self.id(kind));
        self.ports.push(Port {
            id: port.clone(),
            name: "m-0".into(),
            description: DESCRIPTION.into(),
            network_id: "net".into(),
            device_id: server.clone(),
            security_groups: vec!["sg-of-another".into()],
            ..Port::default()
        });
        self.volumes.push(Volume {
            id: volume.clone(),
            name: "m-root".into(),
            description: "Root volume for m".into(),
            size_gib: 5,
            attached_server_ids: vec![server.clone()],
            state: State::Active,
            status: "in-use".into(),
            ..Volume::default()
        });
        self.servers.push(Server {
            id: server.clone(),
            name: "m".into(),
            status: "ACTIVE".into(),
            ..Server::default()
        });
        self.foreign.extend([server, port, volume]);
    }

    /// How many things there are.
    pub fn len(&self) -> usize {
        self.servers.len() + self.ports.len() + self.volumes.len() + self.trunks.len()
    }
}

fn fixed_ip() -> FixedIp {
    FixedIp {
        subnet_id: "subnet".into(),
        ip_address: "10.6.0.7".into(),
    }
}

const DESCRIPTION: &str = "Created by cluster-api-provider-openstack cluster c";

pub fn catalog() -> Catalog {
    let named = |id: &str, name: &str| (id.to_string(), name.to_string());
    let network = |(id, name)| Network {
        id,
        name,
        ..Network::default()
    };
    let flavor = |(id, name)| Flavor {
        id,
        name,
        ..Flavor::default()
    };
    Catalog {
        images: vec![Image {
            id: "image".into(),
            name: "ubuntu".into(),
            ..Image::default()
        }],
        flavors: vec![
            flavor(named("f1", "SCS-2V-4")),
            flavor(named("f2", "SCS-4V-8")),
        ],
        networks: vec![
            network(named("net", "nodes")),
            network(named("net-2", "storage")),
        ],
        security_groups: vec![SecurityGroup {
            id: "sg".into(),
            name: "workers".into(),
            ..SecurityGroup::default()
        }],
        trunks: true,
        ..Catalog::default()
    }
}
