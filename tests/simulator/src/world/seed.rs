//! What a cloud has before anybody has made anything.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::identity::Identity;
use super::table::Table;
use super::{Caller, Delays, Method, Request, Resource, Service, World};

/// What a simulated cloud offers. The default is what the lab's real one offers.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Ids are made of it.
    pub seed: u64,
    /// Projects, each with a user of that name; `admin` is one besides.
    pub projects: Vec<String>,
    /// The password of every user.
    pub password: String,
    /// Regions of the catalog, all with the same endpoints.
    pub regions: Vec<String>,
    /// Availability zones of Nova, with a host each.
    pub zones: Vec<String>,
    /// Name, vCPUs, MiB of memory, GiB of disk and of local disk.
    pub flavors: Vec<(String, u32, u32, u32, u32)>,
    /// Names of images.
    pub images: Vec<String>,
    /// Names of keypairs, which every user has.
    pub keypairs: Vec<String>,
    /// Volume types, the default one first. Several servers can share a volume of the type `multiattach`.
    pub volume_types: Vec<String>,
    /// Name and CIDR of the external network; `None` for a cloud without one.
    pub external_network: Option<(String, String)>,
    /// Aliases of Neutron's extensions. Not among the default ones, as in the lab: `port-trusted-vif`,
    /// `uplink-status-propagation`, whose attributes are then refused.
    pub extensions: Vec<String>,
    /// Octavia's providers, the default one first.
    pub providers: Vec<String>,
    /// Names of Octavia's flavors.
    pub balancer_flavors: Vec<String>,
    /// Octavia's availability zones.
    pub balancer_zones: Vec<String>,
    /// The newest minor version of Octavia's API (2.x).
    pub balancer_version: u32,
}

impl Default for Seed {
    fn default() -> Self {
        let own = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let flavor = |name: &str, vcpus, ram, disk| (name.to_owned(), vcpus, ram, disk, 0);
        Self {
            seed: 1,
            projects: own(&["tenant"]),
            password: "secret".to_owned(),
            regions: own(&["RegionOne"]),
            zones: own(&["az1", "az2", "az3"]),
            flavors: vec![
                flavor("SCS-1L-1-10", 1, 1024, 10),
                flavor("SCS-1V-2-10", 1, 2048, 10),
                flavor("SCS-2V-4", 2, 4096, 0),
                flavor("SCS-2V-4-20s", 2, 4096, 20),
                flavor("SCS-4V-8", 4, 8192, 0),
                flavor("SCS-4V-8-50", 4, 8192, 50),
                ("local-1V-2-10-5".to_owned(), 1, 2048, 10, 5),
            ],
            images: own(&["ubuntu-capi-image-v1.35.6", "ubuntu-capi-image-v1.36.2"]),
            keypairs: own(&["capi"]),
            volume_types: own(&["__DEFAULT__", "ssd", "multiattach"]),
            external_network: Some(("public".to_owned(), "172.29.0.0/16".to_owned())),
            extensions: own(&[
                "router",
                "external-net",
                "security-group",
                "port-security",
                "allowed-address-pairs",
                "standard-attr-tag",
                "tag-creation",
                "tag-ports-during-bulk-creation",
                "trunk",
                "trunk-details",
                "quotas",
                "net-mtu",
                "net-mtu-writable",
                "binding",
                "availability_zone",
                "filter-validation",
            ]),
            providers: own(&["amphora", "octavia", "ovn"]),
            balancer_flavors: own(&["SINGLE", "ACTIVE_STANDBY"]),
            balancer_zones: own(&["az1"]),
            balancer_version: 30,
        }
    }
}

impl World {
    /// A new cloud whose endpoints begin with `url`.
    #[must_use]
    pub fn new(now: Timestamp, url: &str, seed: &Seed, delays: Delays) -> Self {
        let mut world = Self {
            now,
            url: url.to_owned(),
            ids: crate::seeded::mix(seed.seed),
            tables: Resource::ALL.iter().map(|_| Table::default()).collect(),
            schedule: Default::default(),
            delays,
            dooms: Vec::new(),
            quotas: Default::default(),
            identity: Identity::new(seed.regions.clone()),
            addresses: Default::default(),
            zones: seed.zones.clone(),
            extensions: seed.extensions.clone(),
            providers: seed
                .providers
                .iter()
                .map(|name| (name.clone(), format!("The provider {name}.")))
                .collect(),
            balancer_flavors: Vec::new(),
            balancer_zones: seed.balancer_zones.clone(),
            balancer_versions: (0..=seed.balancer_version)
                .map(|minor| format!("v2.{minor}"))
                .collect(),
            volume_types: seed.volume_types.clone(),
            deleted_servers: Vec::new(),
        };
        world.fill(seed);
        world
    }

    fn fill(&mut self, seed: &Seed) {
        let admin = self.add_project("admin", &seed.password, true);
        for project in &seed.projects {
            self.add_project(project, &seed.password, false);
        }
        for (name, vcpus, ram, disk, local) in &seed.flavors {
            let id = self.add_flavor(name, *vcpus, *ram, *disk);
            if let Some(row) = self.row_mut(Resource::Flavors, &id) {
                row["OS-FLV-EXT-DATA:ephemeral"] = json!(local);
            }
        }
        for name in &seed.images {
            self.add_image(name, &[]);
        }
        for name in &seed.keypairs {
            let row = json!({"id": name, "name": name, "type": "ssh", "fingerprint": "", "public_key": "ssh-ed25519 AAAA"});
            self.table_mut(Resource::Keypairs).insert(row);
        }
        for name in &seed.balancer_flavors {
            let id = self.new_id();
            let row = json!({"id": id, "name": name, "description": "", "enabled": true, "flavor_profile_id": id});
            self.balancer_flavors.push(row);
        }
        if let Some((name, cidr)) = &seed.external_network {
            self.add_external_network(&admin, name, cidr);
        }
    }

    /// Adds a flavor that everybody can use; its id.
    pub fn add_flavor(&mut self, name: &str, vcpus: u32, ram: u32, disk: u32) -> String {
        let id = self.new_id();
        let row = json!({"id": id, "name": name, "vcpus": vcpus, "ram": ram, "disk": disk, "swap": 0,
            "OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": false, "os-flavor-access:is_public": true,
            "rxtx_factor": 1.0, "description": null, "extra_specs": {}, "links": []});
        self.table_mut(Resource::Flavors).insert(row);
        id
    }

    fn add_external_network(&mut self, project_id: &str, name: &str, cidr: &str) {
        let caller = Caller {
            project_id: project_id.to_owned(),
            user_id: String::new(),
            is_admin: true,
        };
        let network = json!({"network": {"name": name, "router:external": true}});
        let made = self.as_caller(
            &caller,
            Service::Network,
            Method::POST,
            "/networks",
            network,
        );
        let subnet = json!({"subnet": {"name": name, "network_id": made.body["network"]["id"], "cidr": cidr,
            "ip_version": if cidr.contains(':') { 6 } else { 4 }, "enable_dhcp": false}});
        self.as_caller(&caller, Service::Network, Method::POST, "/subnets", subnet);
    }

    /// Carries out a request for somebody, without a token.
    pub fn as_caller(
        &mut self,
        caller: &Caller,
        service: Service,
        method: Method,
        path: &str,
        body: Value,
    ) -> super::Reply {
        let mut request = Request::new(service, method, path, body);
        request.microversion = (service == Service::Compute).then(|| "2.60".to_owned());
        let answer = self.serve(caller, &request);
        answer.unwrap_or_else(|refusal| refusal.render(service))
    }
}
