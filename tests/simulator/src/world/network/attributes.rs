//! The attributes of Neutron's resources: which exist, which may be given, and their defaults.

use serde_json::{Value, json};

use crate::world::Resource;
use crate::world::request::Refusal;

/// The resource of a collection in a path.
pub(crate) fn resource(collection: &str) -> Option<Resource> {
    Some(match collection {
        "networks" => Resource::Networks,
        "subnets" => Resource::Subnets,
        "routers" => Resource::Routers,
        "ports" => Resource::Ports,
        "security-groups" => Resource::SecurityGroups,
        "security-group-rules" => Resource::SecurityGroupRules,
        "floatingips" => Resource::FloatingIps,
        "trunks" => Resource::Trunks,
        _ => return None,
    })
}

/// What every resource has.
const COMMON: [&str; 9] = [
    "id",
    "name",
    "description",
    "project_id",
    "tenant_id",
    "tags",
    "created_at",
    "updated_at",
    "revision_number",
];

/// Given at creation and changed later; `!` marks those that cannot be changed.
fn settable(resource: Resource) -> impl Iterator<Item = &'static str> {
    let names = match resource {
        Resource::Networks => {
            "admin_state_up shared router:external mtu port_security_enabled dns_domain \
             !availability_zone_hints !provider:network_type !provider:physical_network \
             !provider:segmentation_id is_default qos_policy_id"
        }
        Resource::Subnets => {
            "!network_id !ip_version !cidr gateway_ip dns_nameservers allocation_pools host_routes \
             enable_dhcp !ipv6_address_mode !ipv6_ra_mode !subnetpool_id !prefixlen service_types \
             dns_publish_fixed_ip"
        }
        Resource::Routers => {
            "admin_state_up external_gateway_info routes distributed ha !availability_zone_hints \
             !flavor_id enable_ndp_proxy"
        }
        Resource::Ports => {
            "!network_id admin_state_up mac_address fixed_ips device_id device_owner \
             security_groups allowed_address_pairs port_security_enabled !propagate_uplink_status \
             binding:vnic_type binding:host_id binding:profile dns_name dns_domain extra_dhcp_opts \
             qos_policy_id hints trusted"
        }
        Resource::SecurityGroups => "stateful shared",
        Resource::SecurityGroupRules => {
            "!security_group_id !direction !ethertype !protocol !port_range_min !port_range_max \
             !remote_group_id !remote_ip_prefix !remote_address_group_id"
        }
        Resource::FloatingIps => {
            "!floating_network_id !floating_ip_address port_id fixed_ip_address !subnet_id dns_name \
             dns_domain qos_policy_id"
        }
        Resource::Trunks => "!port_id admin_state_up !sub_ports",
        _ => "",
    };
    names.split_whitespace()
}

/// All fields that a list can be filtered by.
pub(crate) fn known(resource: Resource) -> Vec<&'static str> {
    let own = match resource {
        Resource::Networks => {
            "name admin_state_up status shared mtu router:external port_security_enabled is_default \
             provider:network_type provider:physical_network"
        }
        Resource::Subnets => {
            "name network_id ip_version cidr gateway_ip enable_dhcp ipv6_address_mode ipv6_ra_mode \
             subnetpool_id shared"
        }
        Resource::Routers => "name admin_state_up status distributed ha",
        Resource::Ports => {
            "name network_id admin_state_up status mac_address fixed_ips device_id device_owner \
             security_groups binding:host_id binding:vnic_type port_security_enabled ip_allocation"
        }
        Resource::SecurityGroups => "name stateful shared",
        Resource::SecurityGroupRules => {
            "security_group_id direction ethertype protocol port_range_min port_range_max \
             remote_group_id remote_ip_prefix"
        }
        Resource::FloatingIps => {
            "floating_network_id floating_ip_address fixed_ip_address port_id router_id status"
        }
        _ => "name port_id admin_state_up status",
    };
    let common = "id description project_id tenant_id revision_number";
    common.split(' ').chain(own.split(' ')).collect()
}

/// What a new row has where the body says nothing.
pub(crate) fn template(resource: Resource) -> Value {
    let own = match resource {
        Resource::Networks => json!({
            "name": "", "admin_state_up": true, "status": "ACTIVE", "shared": false, "router:external": false,
            "mtu": 1442, "port_security_enabled": true, "subnets": [], "availability_zone_hints": [],
            "availability_zones": [], "ipv4_address_scope": null, "ipv6_address_scope": null, "dns_domain": "",
            "qos_policy_id": null,
        }),
        Resource::Subnets => json!({
            "name": "", "enable_dhcp": true, "dns_nameservers": [], "host_routes": [], "service_types": [],
            "ipv6_address_mode": null, "ipv6_ra_mode": null, "subnetpool_id": null,
        }),
        Resource::Routers => json!({
            "name": "", "admin_state_up": true, "status": "ACTIVE", "external_gateway_info": null, "routes": [],
            "availability_zone_hints": [], "availability_zones": [], "flavor_id": null,
        }),
        Resource::Ports => json!({
            "name": "", "admin_state_up": true, "status": "DOWN", "device_id": "", "device_owner": "",
            "allowed_address_pairs": [], "binding:vnic_type": "normal", "extra_dhcp_opts": [],
            "qos_policy_id": null, "qos_network_policy_id": null,
            "dns_name": "", "dns_domain": "", "dns_assignment": [],
        }),
        Resource::SecurityGroups => json!({"name": "", "stateful": true, "shared": false}),
        Resource::SecurityGroupRules => json!({
            "ethertype": "IPv4", "protocol": null, "port_range_min": null, "port_range_max": null,
            "remote_group_id": null, "remote_ip_prefix": null, "remote_address_group_id": null,
            "belongs_to_default_sg": false, "normalized_cidr": null,
        }),
        Resource::FloatingIps => json!({
            "port_id": null, "fixed_ip_address": null, "router_id": null, "status": "DOWN", "dns_name": "",
            "dns_domain": "", "port_details": null, "qos_policy_id": null,
        }),
        _ => json!({"name": "", "admin_state_up": true, "status": "DOWN", "sub_ports": []}),
    };
    let mut row = own;
    row["description"] = json!("");
    if resource != Resource::SecurityGroupRules {
        row["tags"] = json!([]);
    }
    row
}

/// Adds to the one row of an answer what only administrators see.
pub(crate) fn show_all(resource: Resource, body: &mut Value) {
    let all = match resource {
        Resource::Ports => {
            json!({"binding:host_id": "", "binding:profile": {}, "binding:vif_type": "ovs",
            "binding:vif_details": {"port_filter": true, "bound_drivers": {"0": "fakebind"}}, "resource_request": null})
        }
        Resource::Routers => json!({"distributed": false, "ha": false}),
        _ => return,
    };
    let row = body.get_mut(resource.one()).and_then(Value::as_object_mut);
    let Some(row) = row else {
        return;
    };
    for (field, value) in all.as_object().into_iter().flatten() {
        row.entry(field).or_insert_with(|| value.clone());
    }
}

/// Refuses attributes that cannot be given at creation.
pub(crate) fn check_create(
    resource: Resource,
    body: &Value,
    extensions: &[String],
) -> Result<(), Refusal> {
    let has = |alias: &str| extensions.iter().any(|found| found == alias);
    let named = !matches!(
        resource,
        Resource::FloatingIps | Resource::SecurityGroupRules
    );
    let allowed = |field: &str| {
        let common = match field {
            "name" => named,
            "tags" => resource == Resource::Ports,
            "description" | "project_id" | "tenant_id" => true,
            _ => false,
        };
        let own = || settable(resource).any(|known| known.trim_start_matches('!') == field);
        let extension = match field {
            "trusted" => "port-trusted-vif",
            "propagate_uplink_status" => "uplink-status-propagation",
            _ => "",
        };
        (common || own()) && (extension.is_empty() || has(extension))
    };
    unrecognized(body, allowed)
}

/// Refuses attributes that cannot be changed.
pub(crate) fn check_update(resource: Resource, body: &Value) -> Result<(), Refusal> {
    let is_known = |field: &str| {
        COMMON.contains(&field)
            || settable(resource).any(|known| known.trim_start_matches('!') == field)
    };
    unrecognized(body, is_known)?;
    let allowed = |field: &str| {
        matches!(field, "name" | "description") || settable(resource).any(|known| known == field)
    };
    let fields = body.as_object().into_iter().flatten();
    let fixed: Vec<&str> = fields
        .map(|(field, _)| field.as_str())
        .filter(|field| !allowed(field))
        .collect();
    match fixed.first() {
        None => Ok(()),
        Some(field) => Err(Refusal::bad(format!(
            "Cannot update read-only attribute {field}"
        ))),
    }
}

fn unrecognized(body: &Value, allowed: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    let fields = body.as_object().into_iter().flatten();
    let unknown = fields
        .map(|(field, _)| field.as_str())
        .filter(|field| !allowed(field));
    let unknown: Vec<String> = unknown.map(|field| format!("'{field}'")).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Refusal::bad(format!(
        "Unrecognized attribute(s) {}",
        unknown.join(", ")
    )))
}
