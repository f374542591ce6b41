//! Security groups and their rules.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{ids_of, missing};
use crate::world::list::shown;
use crate::world::request::Refusal;
use crate::world::table::{id, list, text};
use crate::world::{Caller, Resource, World};

/// What tells rules apart.
const IDENTITY: [&str; 8] = [
    "security_group_id",
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_group_id",
    "remote_ip_prefix",
];

impl World {
    /// The default group of a project, made when the project first looks; `None` for no project.
    pub(crate) fn default_group(&mut self, project: &str) -> Option<String> {
        if project.is_empty() {
            return None;
        }
        let own = self
            .table(Resource::SecurityGroups)
            .with("project_id", project);
        let known = own
            .filter(|group| text(group, "name") == "default")
            .map(id)
            .next();
        if known.is_some() {
            return known;
        }
        let id = self.insert_group(project, "default", "Default security group");
        for family in ["IPv4", "IPv6"] {
            self.insert_rule(
                &id,
                project,
                json!({"direction": "ingress", "ethertype": family, "remote_group_id": id}),
            );
        }
        Some(id)
    }

    fn insert_group(&mut self, project: &str, name: &str, description: &str) -> String {
        let id = self.new_id();
        let mut row = super::attributes::template(Resource::SecurityGroups);
        let stamp = self.stamp();
        for (field, value) in [
            ("id", json!(id)),
            ("name", json!(name)),
            ("description", json!(description)),
            ("project_id", json!(project)),
            ("tenant_id", json!(project)),
            ("created_at", json!(stamp)),
            ("updated_at", json!(stamp)),
            ("revision_number", json!(1)),
        ] {
            row[field] = value;
        }
        self.insert_with_egress(row);
        id
    }

    fn insert_with_egress(&mut self, row: Value) {
        let (id, project) = (id(&row), text(&row, "project_id").to_owned());
        self.table_mut(Resource::SecurityGroups).insert(row);
        for family in ["IPv4", "IPv6"] {
            self.insert_rule(
                &id,
                &project,
                json!({"direction": "egress", "ethertype": family}),
            );
        }
    }

    fn insert_rule(&mut self, group: &str, project: &str, fields: Value) {
        let mut row = super::attributes::template(Resource::SecurityGroupRules);
        for (field, value) in fields.as_object().into_iter().flatten() {
            row[field] = value.clone();
        }
        row["id"] = json!(self.new_id());
        row["security_group_id"] = json!(group);
        row["project_id"] = json!(project);
        row["tenant_id"] = json!(project);
        row["revision_number"] = json!(0);
        row["created_at"] = json!(self.stamp());
        row["updated_at"] = row["created_at"].clone();
        self.table_mut(Resource::SecurityGroupRules).insert(row);
    }

    pub(super) fn make_security_group(&mut self, row: Value) -> Result<(), Refusal> {
        if text(&row, "name") == "default" {
            return Err(Refusal::new(
                409,
                "SecurityGroupDefaultAlreadyExists",
                "Default security group already exists.",
            ));
        }
        self.insert_with_egress(row);
        Ok(())
    }

    pub(super) fn check_group_update(&mut self, id: &str, body: &Value) -> Result<(), Refusal> {
        let row = self.row(Resource::SecurityGroups, id);
        let is_default = row.is_some_and(|row| text(row, "name") == "default");
        if is_default && body.get("name").is_some() {
            return Err(Refusal::new(
                409,
                "SecurityGroupCannotUpdateDefault",
                "Updating default security group not allowed.",
            ));
        }
        Ok(())
    }

    pub(super) fn make_rule(&mut self, caller: &Caller, mut row: Value) -> Result<(), Refusal> {
        let group_id = text(&row, "security_group_id").to_owned();
        let group = self.find(caller, Resource::SecurityGroups, &group_id);
        let group = group.ok_or_else(|| missing(Resource::SecurityGroups, &group_id))?;
        row["project_id"] = group["project_id"].clone();
        row["tenant_id"] = group["project_id"].clone();
        make_canonical(&mut row);
        check_rule(&row)?;
        let remote = text(&row, "remote_group_id");
        if !remote.is_empty() && self.row(Resource::SecurityGroups, remote).is_none() {
            return Err(missing(Resource::SecurityGroups, remote));
        }
        let same = |other: &&Value| IDENTITY.iter().all(|field| other[*field] == row[*field]);
        let own = self
            .table(Resource::SecurityGroupRules)
            .with("security_group_id", &group_id);
        if let Some(same) = own.into_iter().find(same) {
            let message = format!(
                "Security group rule already exists. Rule id is {}.",
                text(same, "id")
            );
            return Err(Refusal::new(409, "SecurityGroupRuleExists", message));
        }
        self.table_mut(Resource::SecurityGroupRules).insert(row);
        Ok(())
    }

    pub(super) fn delete_security_group(
        &mut self,
        caller: &Caller,
        id: &str,
    ) -> Result<(), Refusal> {
        let group = self.row(Resource::SecurityGroups, id);
        if group.is_some_and(|group| text(group, "name") == "default") && !caller.is_admin {
            return Err(Refusal::new(
                409,
                "SecurityGroupCannotRemoveDefault",
                "Insufficient rights for removing default security group.",
            ));
        }
        let uses = |port: &&Value| list(port, "security_groups").any(|group| group == id);
        if !ids_of(self.table(Resource::Ports).iter().filter(uses)).is_empty() {
            return Err(Refusal::new(
                409,
                "SecurityGroupInUse",
                format!("Security Group {id} in use."),
            ));
        }
        let rules = self.table(Resource::SecurityGroupRules).iter();
        let gone = rules.filter(|rule| {
            text(rule, "security_group_id") == id || text(rule, "remote_group_id") == id
        });
        let gone: Vec<String> = gone.map(super::id).collect();
        for rule in gone {
            self.table_mut(Resource::SecurityGroupRules).remove(&rule);
        }
        self.table_mut(Resource::SecurityGroups).remove(id);
        Ok(())
    }

    /// The rules of each group, for a list of groups.
    pub(super) fn rules_by_group(&self, resource: Resource) -> HashMap<&str, Vec<Value>> {
        let mut found: HashMap<&str, Vec<Value>> = HashMap::new();
        if resource == Resource::SecurityGroups {
            for rule in self.table(Resource::SecurityGroupRules).iter() {
                found
                    .entry(text(rule, "security_group_id"))
                    .or_default()
                    .push(rule_in_group(rule));
            }
        }
        found
    }
}

/// Rules that are made in one request have one group.
pub(super) fn check_single_group(rules: &[Value]) -> Result<(), Refusal> {
    let groups = rules.iter().map(|rule| text(rule, "security_group_id"));
    let groups: std::collections::BTreeSet<&str> = groups.collect();
    if groups.len() <= 1 {
        return Ok(());
    }
    Err(Refusal::new(
        400,
        "SecurityGroupNotSingleGroupRules",
        "Only allowed to update rules for one security profile at a time",
    ))
}

/// A rule as its group shows it.
pub(super) fn rule_in_group(rule: &Value) -> Value {
    let mut view = shown(rule, None);
    view["tags"] = json!([]);
    view["standard_attr_id"] = json!(0);
    view
}

fn check_rule(row: &Value) -> Result<(), Refusal> {
    let bad = |kind, message: &str| Err(Refusal::new(400, kind, message));
    if !matches!(text(row, "direction"), "ingress" | "egress") {
        return bad(
            "HTTPBadRequest",
            "Invalid input for direction. Reason: it is not in ['ingress', 'egress'].",
        );
    }
    if !matches!(text(row, "ethertype"), "IPv4" | "IPv6") {
        return bad(
            "SecurityGroupRuleInvalidEtherType",
            "Security group rule for ethertype is not allowed.",
        );
    }
    if !row["remote_group_id"].is_null() && !row["remote_ip_prefix"].is_null() {
        return bad(
            "SecurityGroupMultipleRemoteEntitiesPerRule",
            "Only one of remote_ip_prefix, remote_group_id may be provided.",
        );
    }
    let prefix = text(row, "remote_ip_prefix");
    if !prefix.is_empty() && prefix.contains(':') != (text(row, "ethertype") == "IPv6") {
        return bad(
            "SecurityGroupRuleParameterConflict",
            "Conflicting value ethertype for CIDR.",
        );
    }
    let (min, max) = (
        row["port_range_min"].as_i64(),
        row["port_range_max"].as_i64(),
    );
    let of_ipv6 = matches!(text(row, "protocol"), "ipv6-icmp" | "icmpv6" | "58");
    if of_ipv6 && text(row, "ethertype") == "IPv4" {
        return bad(
            "SecurityGroupEthertypeConflictWithProtocol",
            "Invalid ethertype IPv4 for a protocol of IPv6.",
        );
    }
    check_ports(text(row, "protocol"), min, max)
}

fn check_ports(protocol: &str, min: Option<i64>, max: Option<i64>) -> Result<(), Refusal> {
    let bad = |kind, message: &str| Err(Refusal::new(400, kind, message));
    if min.is_none() && max.is_none() {
        return Ok(());
    }
    let is_code = |value: Option<i64>| value.is_none_or(|value| (0..=255).contains(&value));
    match protocol {
        "" => bad(
            "SecurityGroupProtocolRequiredWithPorts",
            "Must also specify protocol if port range is given.",
        ),
        "tcp" | "udp" | "sctp" | "dccp" | "udplite" | "6" | "17" | "132" | "33" | "136" => {
            if min == Some(0) || max == Some(0) {
                return bad("SecurityGroupInvalidPortValue", "Invalid value for port 0");
            }
            if min.is_none() || max.is_none() || min > max {
                return bad(
                    "SecurityGroupInvalidPortRange",
                    "For TCP/UDP protocols, port_range_min must be <= port_range_max",
                );
            }
            Ok(())
        }
        "icmp" | "1" | "ipv6-icmp" | "58" if min.is_none() => bad(
            "SecurityGroupMissingIcmpType",
            "ICMP code (port-range-max) is provided but ICMP type (port-range-min) is missing.",
        ),
        "icmp" | "1" | "ipv6-icmp" | "58" if is_code(min) && is_code(max) => Ok(()),
        "icmp" | "1" | "ipv6-icmp" | "58" => bad(
            "SecurityGroupInvalidIcmpValue",
            "Invalid value for ICMP type or code. It must be 0 to 255.",
        ),
        other => bad(
            "SecurityGroupInvalidProtocolForPort",
            &format!("Ports cannot be specified for protocol {other}."),
        ),
    }
}

/// Neutron keeps a rule in its own words: protocols in lower case, those of ICMP in IPv6 by its name or
/// number there, and no range where it holds all ports.
fn make_canonical(row: &mut Value) {
    let protocol = match &row["protocol"] {
        Value::Number(number) => number.to_string(),
        given => given.as_str().unwrap_or("any").to_lowercase(),
    };
    row["protocol"] = match (text(row, "ethertype"), protocol.as_str()) {
        (_, "any") => Value::Null,
        ("IPv6", "icmp" | "icmpv6") => json!("ipv6-icmp"),
        ("IPv6", "1") => json!("58"),
        _ => json!(protocol),
    };
    if row["port_range_min"] == 1 && row["port_range_max"] == 65535 {
        (row["port_range_min"], row["port_range_max"]) = (Value::Null, Value::Null);
    }
}
