//! From names and filters to ids. A reference that finds nothing, or too much, is a problem that
//! names the field, its value and what would be right.

use crds::openstack::v1alpha1 as api;
use crds::openstack::v1beta2::{
    FixedIP, NetworkParam, PortOpts, ResolvedFixedIP, ResolvedPortSpec, SecurityGroupParam,
    SubnetParam,
};
use serde::Serialize;

use super::report::problem;
use super::{Catalog, Want, owned};
use crate::step::Problem;
use crate::world::{Image, Network, ServerGroup, Subnet};
use crate::{filter, near, tags};

/// A server's references as ids.
pub type Resolved = api::ResolvedServerSpec;

/// Looks up everything that the spec refers to.
///
/// # Errors
/// The first reference that does not mean exactly one existing thing, or asks for what this
/// provider cannot make.
pub fn server(want: &Want, catalog: &Catalog) -> Result<Resolved, Unresolved> {
    let resolver = Resolver { want, catalog };
    if want.spec.ports.is_empty() {
        let way_out = "a server needs at least one port";
        return Err(problem(want, "spec.ports", "[]", way_out).into());
    }
    let ports = want.spec.ports.iter().enumerate();
    Ok(Resolved {
        server_group_id: resolver.server_group()?,
        image_id: Some(resolver.image()?),
        flavor_id: Some(resolver.flavor()?),
        ports: ports
            .map(|(index, port)| resolver.port(index, port))
            .collect::<Result<_, Problem>>()?,
    })
}

/// Whether the catalog has all networks, subnets and security groups that the ports refer to.
pub fn finds_networking(want: &Want, catalog: &Catalog) -> bool {
    let resolver = Resolver { want, catalog };
    let mut ports = want.spec.ports.iter().enumerate();
    ports.all(|(index, port)| resolver.port(index, port).is_ok())
}

/// Why there is no resolved spec.
#[derive(Clone, Debug, PartialEq)]
pub enum Unresolved {
    /// Somebody has to change something.
    Wrong(Problem),
    /// Somebody else is at work.
    NotYet(Problem),
}

impl From<Problem> for Unresolved {
    fn from(problem: Problem) -> Self {
        Self::Wrong(problem)
    }
}

struct Resolver<'a> {
    want: &'a Want,
    catalog: &'a Catalog,
}

/// What a reference is looked up among, for messages.
struct Reference<'a> {
    field: String,
    value: String,
    kind: &'static str,
    /// The name asked for, when the reference is by name.
    name: Option<&'a str>,
}

impl<'a> Reference<'a> {
    fn new(
        field: impl Into<String>,
        kind: &'static str,
        value: &impl Serialize,
        name: Option<&'a str>,
    ) -> Self {
        // The API types always serialize; if not, the field alone still says where to look.
        let value = serde_json::to_string(value).unwrap_or_default();
        Self {
            field: field.into(),
            value,
            kind,
            name,
        }
    }
}

impl Resolver<'_> {
    /// The id of the only candidate that `accepts` accepts; `describe` gives id and name.
    fn one<T>(
        &self,
        reference: &Reference,
        candidates: &[T],
        describe: impl Fn(&T) -> (&str, &str),
        accepts: impl Fn(&T) -> bool,
    ) -> Result<String, Problem> {
        let found: Vec<&T> = candidates
            .iter()
            .filter(|candidate| accepts(candidate))
            .collect();
        let way_out = match found.as_slice() {
            [one] => return Ok(describe(one).0.to_string()),
            [] => {
                let names = candidates.iter().map(|candidate| describe(candidate).1);
                let hint = near::hint(reference.name.unwrap_or_default(), reference.kind, names);
                format!("no such {}: {hint}", reference.kind)
            }
            many => {
                let ids: Vec<&str> = many.iter().take(5).map(|one| describe(one).0).collect();
                format!(
                    "{} {}s match ({}, …); narrow the filter down, or give the id",
                    many.len(),
                    reference.kind,
                    ids.join(", ")
                )
            }
        };
        Err(problem(
            self.want,
            &reference.field,
            &reference.value,
            way_out,
        ))
    }

    fn unset(&self, field: &str) -> Problem {
        problem(self.want, field, "", "is not set; give an id or a filter")
    }

    fn image(&self) -> Result<String, Unresolved> {
        let image = &self.want.spec.image;
        if let Some(reference) = &image.image_ref {
            return self
                .catalog
                .image_object
                .resolve(self.want, &reference.name);
        }
        let name = image
            .filter
            .as_ref()
            .and_then(|filter| filter.name.as_deref());
        let reference = Reference::new("spec.image", "image", image, name);
        let accepts = |found: &Image| match (&image.id, &image.filter) {
            (Some(id), _) => found.id == *id,
            (None, Some(wanted)) => filter::image(wanted, found),
            (None, None) => false,
        };
        self.one(
            &reference,
            &self.catalog.images,
            |i| (&i.id, &i.name),
            accepts,
        )
        .map_err(Unresolved::from)
    }

    fn flavor(&self) -> Result<String, Problem> {
        let spec = &self.want.spec;
        let flavors = &self.catalog.flavors;
        if let Some(id) = &spec.flavor_id {
            let reference = Reference::new("spec.flavorID", "flavor", id, Some(id));
            return self.one(&reference, flavors, |f| (&f.id, &f.id), |f| f.id == *id);
        }
        let Some(name) = &spec.flavor else {
            return Err(self.unset("spec.flavor"));
        };
        let reference = Reference::new("spec.flavor", "flavor", name, Some(name));
        self.one(
            &reference,
            flavors,
            |f| (&f.id, &f.name),
            |f| f.name == *name,
        )
    }

    fn server_group(&self) -> Result<Option<String>, Problem> {
        let Some(group) = &self.want.spec.server_group else {
            return Ok(None);
        };
        let name = group
            .filter
            .as_ref()
            .and_then(|filter| filter.name.as_deref());
        let reference = Reference::new("spec.serverGroup", "server group", group, name);
        let accepts = |found: &ServerGroup| match &group.id {
            Some(id) => found.id == *id,
            None => name.is_some_and(|name| found.name == name),
        };
        self.one(
            &reference,
            &self.catalog.server_groups,
            |g| (&g.id, &g.name),
            accepts,
        )
        .map(Some)
    }

    fn port(&self, index: usize, port: &PortOpts) -> Result<ResolvedPortSpec, Problem> {
        let spec = &self.want.spec;
        let field = format!("spec.ports[{index}]");
        // As CAPO records it: a port's own word, or that the server wants one.
        let trunk = port.trunk.or(spec.trunk.filter(|trunk| *trunk));
        if trunk == Some(true) && !self.catalog.trunks {
            let way_out = "this cloud has no trunks (extension trunk of Neutron); unset it here and on the machine";
            let field = format!("{field}.trunk");
            return Err(problem(self.want, &field, "true", way_out));
        }
        let (network_id, fixed_ips) = self.target(&field, port)?;
        Ok(ResolvedPortSpec {
            name: owned::port_name(self.want, index),
            description: Some(owned::port_description(self.want, index)),
            network_id,
            tags: tags::merged([spec.tags.as_slice(), port.tags.as_slice()]),
            trunk,
            fixed_ips,
            security_groups: self.security_groups(&field, port)?,
            admin_state_up: port.admin_state_up,
            mac_address: port.mac_address.clone(),
            allowed_address_pairs: port.allowed_address_pairs.clone(),
            host_id: port.host_id.clone(),
            vnic_type: port.vnic_type.clone(),
            profile: port.profile.clone(),
            enable_port_security: port.enable_port_security,
            propagate_uplink_status: port.propagate_uplink_status,
            value_specs: port.value_specs.clone(),
        })
    }

    /// Network and fixed addresses of a port. Without a network, that of its first subnet.
    fn target(
        &self,
        field: &str,
        port: &PortOpts,
    ) -> Result<(String, Vec<ResolvedFixedIP>), Problem> {
        let network = match &port.network {
            Some(network) => Some(self.network(&format!("{field}.network"), network)?),
            None => None,
        };
        let mut inferred = network.clone();
        let mut fixed_ips = Vec::new();
        for (index, fixed_ip) in port.fixed_ips.iter().enumerate() {
            let field = format!("{field}.fixedIPs[{index}].subnet");
            let subnet = self.subnet(&field, fixed_ip, inferred.as_deref())?;
            if let (None, Some(subnet)) = (&inferred, &subnet) {
                inferred = Some(subnet.network_id.clone());
            }
            fixed_ips.push(ResolvedFixedIP {
                subnet: subnet.map(|subnet| subnet.id.clone()),
                ip_address: fixed_ip.ip_address.clone(),
            });
        }
        match inferred {
            Some(network) => Ok((network, fixed_ips)),
            None => Err(self.unset(&format!("{field}.network"))),
        }
    }

    fn network(&self, field: &str, param: &NetworkParam) -> Result<String, Problem> {
        let name = param
            .filter
            .as_ref()
            .and_then(|filter| filter.name.as_deref());
        let reference = Reference::new(field, "network", param, name);
        let accepts = |network: &Network| match (&param.id, &param.filter) {
            (Some(id), _) => network.id == *id,
            (None, Some(wanted)) => filter::network(wanted, network),
            (None, None) => false,
        };
        self.one(
            &reference,
            &self.catalog.networks,
            |n| (&n.id, &n.name),
            accepts,
        )
    }

    fn subnet(
        &self,
        field: &str,
        fixed_ip: &FixedIP,
        network: Option<&str>,
    ) -> Result<Option<&Subnet>, Problem> {
        let Some(param) = &fixed_ip.subnet else {
            return Ok(None);
        };
        let id = self.subnet_id(field, param, network)?;
        Ok(self.catalog.subnets.iter().find(|subnet| subnet.id == id))
    }

    fn subnet_id(
        &self,
        field: &str,
        param: &SubnetParam,
        network: Option<&str>,
    ) -> Result<String, Problem> {
        let name = param
            .filter
            .as_ref()
            .and_then(|filter| filter.name.as_deref());
        let reference = Reference::new(field, "subnet", param, name);
        let accepts = |subnet: &Subnet| {
            network.is_none_or(|network| subnet.network_id == network)
                && match (&param.id, &param.filter) {
                    (Some(id), _) => subnet.id == *id,
                    (None, Some(wanted)) => filter::subnet(wanted, subnet),
                    (None, None) => false,
                }
        };
        self.one(
            &reference,
            &self.catalog.subnets,
            |s| (&s.id, &s.name),
            accepts,
        )
    }

    /// The port's own groups, or else the server's; none when port security is off.
    fn security_groups(&self, field: &str, port: &PortOpts) -> Result<Vec<String>, Problem> {
        if port.enable_port_security == Some(false) {
            return Ok(Vec::new());
        }
        let (field, params) = if port.security_groups.is_empty() {
            ("spec", &self.want.spec.security_groups)
        } else {
            (field, &port.security_groups)
        };
        let mut ids: Vec<String> = Vec::new();
        for (index, param) in params.iter().enumerate() {
            // A filter may mean several groups, and then all of them are meant.
            for id in self.matching_groups(&format!("{field}.securityGroups[{index}]"), param)? {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
        Ok(ids)
    }

    /// An id is taken as it is: Neutron alone knows all groups that other projects share. A filter
    /// means groups of this project, unless it names another one.
    fn matching_groups(
        &self,
        field: &str,
        param: &SecurityGroupParam,
    ) -> Result<Vec<String>, Problem> {
        if let Some(id) = &param.id {
            return Ok(vec![id.clone()]);
        }
        let (own, shared) = (&self.catalog.security_groups, &self.catalog.shared_groups);
        if let Some(wanted) = &param.filter {
            let shared = shared.iter().filter(|_| wanted.project_id.is_some());
            let found = own.iter().chain(shared);
            let found = found.filter(|group| filter::security_group(wanted, group));
            let ids: Vec<String> = found.map(|group| group.id.clone()).collect();
            if !ids.is_empty() {
                return Ok(ids);
            }
        }
        let name = param
            .filter
            .as_ref()
            .and_then(|filter| filter.name.as_deref());
        let reference = Reference::new(field, "security group", param, name);
        self.one(&reference, own, |g| (&g.id, &g.name), |_| false)
            .map(|id| vec![id])
    }
}
