//! Listeners, pools, members and health monitors.

use std::net::{AddrParseError, IpAddr};

use ipnet::IpNet;
use serde_json::{Value, json};

use super::octavia_name;
use crate::world::request::Refusal;
use crate::world::table::{id, list, text};
use crate::world::{Caller, Resource, World};

impl World {
    pub(super) fn create_listener(
        &mut self,
        caller: &Caller,
        given: &Value,
    ) -> Result<String, Refusal> {
        let balancer_id = text(given, "loadbalancer_id").to_owned();
        let balancer = self
            .balancer_row(caller, Resource::LoadBalancers, &balancer_id)?
            .clone();
        self.check_mutable(&balancer)?;
        self.check_balancer_quota(&caller.project_id, "listener", Resource::Listeners)?;
        self.check_provider(&balancer, given)?;
        let allowed_cidrs = stored_cidrs(&given["allowed_cidrs"])?;
        let port = given["protocol_port"]
            .as_i64()
            .filter(|port| (0..=65535).contains(port));
        let port =
            port.ok_or_else(|| Refusal::bad("Invalid input for field/attribute protocol_port."))?;
        let taken = self
            .table(Resource::Listeners)
            .with("_balancer", &balancer_id);
        let is_taken = |row: &Value| row["protocol_port"] == port && same_transport(row, given);
        if taken.into_iter().any(is_taken) {
            let message = format!(
                "Another Listener on this Load Balancer is already using protocol {} and protocol_port {port}",
                text(given, "protocol")
            );
            return Err(Refusal::new(409, "DuplicateListenerEntry", message));
        }
        let row = json!({
            "protocol": given["protocol"], "protocol_port": port, "connection_limit": -1,
            "allowed_cidrs": allowed_cidrs, "default_pool_id": given["default_pool_id"],
            "loadbalancers": [{"id": balancer_id}], "l7policies": [], "insert_headers": {}, "default_tls_container_ref": null,
            "sni_container_refs": [], "timeout_client_data": 50000, "timeout_member_connect": 5000,
            "timeout_member_data": 50000, "timeout_tcp_inspect": 0,
            "client_authentication": "NONE", "client_ca_tls_container_ref": null, "client_crl_container_ref": null,
            "tls_ciphers": null, "tls_versions": null, "alpn_protocols": null, "hsts_max_age": null,
            "hsts_include_subdomains": false, "hsts_preload": false,
        });
        let id = self.insert_child(caller, Resource::Listeners, given, row, &balancer_id);
        self.relate(Resource::LoadBalancers, &balancer_id, "listeners", &id);
        Ok(id)
    }

    pub(super) fn create_pool(
        &mut self,
        caller: &Caller,
        given: &Value,
    ) -> Result<String, Refusal> {
        let listener_id = text(given, "listener_id").to_owned();
        let balancer_id = if listener_id.is_empty() {
            text(given, "loadbalancer_id").to_owned()
        } else {
            let listener = self.balancer_row(caller, Resource::Listeners, &listener_id)?;
            if !text(listener, "default_pool_id").is_empty() {
                let message =
                    format!("This resource already has a default pool: Listener {listener_id}");
                return Err(Refusal::new(409, "DuplicatePoolEntry", message));
            }
            self.balancer_of(listener)
        };
        let balancer = self
            .balancer_row(caller, Resource::LoadBalancers, &balancer_id)?
            .clone();
        self.check_mutable(&balancer)?;
        self.check_balancer_quota(&caller.project_id, "pool", Resource::Pools)?;
        self.check_provider(&balancer, given)?;
        let listeners: Vec<Value> = [&listener_id]
            .into_iter()
            .filter(|id| !id.is_empty())
            .map(|id| json!({"id": id}))
            .collect();
        let row = json!({
            "protocol": given["protocol"], "lb_algorithm": given["lb_algorithm"], "members": [],
            "loadbalancers": [{"id": balancer_id}], "listeners": listeners, "session_persistence": null,
            "tls_enabled": false, "tls_container_ref": null, "ca_tls_container_ref": null, "crl_container_ref": null,
            "tls_ciphers": null, "tls_versions": null, "alpn_protocols": null,
        });
        let id = self.insert_child(caller, Resource::Pools, given, row, &balancer_id);
        if let Some(listener) = self.row_mut(Resource::Listeners, &listener_id) {
            listener["default_pool_id"] = json!(id);
        }
        self.relate(Resource::LoadBalancers, &balancer_id, "pools", &id);
        Ok(id)
    }

    pub(super) fn create_monitor(
        &mut self,
        caller: &Caller,
        given: &Value,
    ) -> Result<String, Refusal> {
        let pool_id = text(given, "pool_id").to_owned();
        let pool = self
            .balancer_row(caller, Resource::Pools, &pool_id)?
            .clone();
        self.check_mutable(&pool)?;
        self.check_balancer_quota(&caller.project_id, "health_monitor", Resource::Monitors)?;
        if !text(&pool, "healthmonitor_id").is_empty() {
            let message = "This pool already has a health monitor";
            return Err(Refusal::new(409, "DuplicateHealthMonitor", message));
        }
        let balancer_id = self.balancer_of(&pool);
        let balancer = self
            .row(Resource::LoadBalancers, &balancer_id)
            .cloned()
            .unwrap_or_default();
        self.check_provider(&balancer, given)?;
        let row = json!({
            "type": given["type"], "delay": given["delay"], "timeout": given["timeout"],
            "max_retries": given["max_retries"], "max_retries_down": given["max_retries_down"].as_i64().unwrap_or(3),
            "pools": [{"id": pool_id}], "http_method": null, "url_path": null, "expected_codes": null,
            "http_version": null, "domain_name": null, "_pool": pool_id,
        });
        let id = self.insert_child(caller, Resource::Monitors, given, row, &balancer_id);
        if let Some(pool) = self.row_mut(Resource::Pools, &pool_id) {
            pool["healthmonitor_id"] = json!(id);
        }
        Ok(id)
    }

    pub(super) fn create_member(
        &mut self,
        caller: &Caller,
        pool: &Value,
        given: &Value,
    ) -> Result<String, Refusal> {
        self.check_mutable(pool)?;
        self.check_balancer_quota(&caller.project_id, "member", Resource::Members)?;
        let pool_id = id(pool);
        let twin = |row: &&Value| {
            row["address"] == given["address"] && row["protocol_port"] == given["protocol_port"]
        };
        if self
            .table(Resource::Members)
            .with("_pool", &pool_id)
            .any(|row| twin(&row))
        {
            let message = format!(
                "Another member on this pool is already using ip {} on protocol_port {}",
                text(given, "address"),
                given["protocol_port"]
            );
            return Err(Refusal::new(409, "DuplicateMemberEntry", message));
        }
        let subnet = text(given, "subnet_id");
        if !subnet.is_empty() && self.find(caller, Resource::Subnets, subnet).is_none() {
            return Err(Refusal::bad(format!(
                "Validation failure: Subnet {subnet} not found."
            )));
        }
        if text(given, "address").parse::<std::net::IpAddr>().is_err() {
            return Err(Refusal::bad("Invalid input for field/attribute address."));
        }
        let row = json!({
            "address": given["address"], "protocol_port": given["protocol_port"], "subnet_id": given["subnet_id"],
            "weight": given["weight"].as_i64().unwrap_or(1), "backup": false, "monitor_address": null,
            "monitor_port": null, "vnic_type": "normal", "_pool": pool_id,
        });
        let balancer = self.balancer_of(pool);
        let id = self.insert_child(caller, Resource::Members, given, row, &balancer);
        self.relate(Resource::Pools, &pool_id, "members", &id);
        Ok(id)
    }

    fn insert_child(
        &mut self,
        caller: &Caller,
        of: Resource,
        given: &Value,
        mut row: Value,
        balancer: &str,
    ) -> String {
        let id = self.new_id();
        for (field, value) in [
            ("id", json!(id)),
            ("name", json!(given["name"].as_str().unwrap_or_default())),
            (
                "tags",
                json!(given["tags"].as_array().cloned().unwrap_or_default()),
            ),
            ("project_id", json!(caller.project_id)),
            ("tenant_id", json!(caller.project_id)),
            ("admin_state_up", json!(true)),
            ("operating_status", json!("OFFLINE")),
            ("created_at", json!(self.zoneless_stamp())),
            ("updated_at", Value::Null),
            ("_balancer", json!(balancer)),
        ] {
            row[field] = value;
        }
        if matches!(of, Resource::Listeners | Resource::Pools) {
            row["description"] = json!(given["description"].as_str().unwrap_or_default());
        }
        self.table_mut(of).insert(row.clone());
        self.pend(&row, of, "PENDING_CREATE");
        id
    }

    fn relate(&mut self, of: Resource, parent: &str, field: &str, child: &str) {
        if let Some(row) = self.row_mut(of, parent) {
            let mut ids: Vec<Value> = list(row, field).cloned().collect();
            ids.push(json!({"id": child}));
            row[field] = json!(ids);
        }
    }

    pub(super) fn unrelate(&mut self, of: Resource, parent: &str, field: &str, child: &str) {
        if let Some(row) = self.row_mut(of, parent) {
            let kept: Vec<Value> = list(row, field)
                .filter(|found| text(found, "id") != child)
                .cloned()
                .collect();
            row[field] = json!(kept);
        }
    }

    /// What the OVN provider cannot do.
    pub(super) fn check_provider(&self, row: &Value, given: &Value) -> Result<(), Refusal> {
        let balancer = self.row(Resource::LoadBalancers, &self.balancer_of(row));
        if balancer.is_none_or(|balancer| text(balancer, "provider") != "ovn") {
            return Ok(());
        }
        let algorithm = text(given, "lb_algorithm");
        let monitor = text(given, "type");
        let what = if list(given, "allowed_cidrs").next().is_some() {
            "allowed_cidrs option".to_owned()
        } else if !matches!(algorithm, "" | "SOURCE_IP_PORT" | "SOURCE_IP") {
            format!("{algorithm} algorithm")
        } else if !matches!(monitor, "" | "TCP" | "UDP-CONNECT") {
            format!("{monitor} health monitor type")
        } else if !matches!(text(given, "protocol"), "" | "TCP" | "UDP" | "SCTP") {
            format!("{} protocol", text(given, "protocol"))
        } else {
            return Ok(());
        };
        let message = format!(
            "Provider 'ovn' does not support a requested option: OVN provider does not support {what}"
        );
        Err(Refusal::new(501, "ProviderUnsupportedOptionError", message))
    }

    /// The name of a row in Octavia's messages.
    pub(super) fn called(of: Resource, id: &str) -> String {
        format!("{} {id}", octavia_name(of))
    }
}

/// Octavia keeps networks, also where it is given hosts.
pub(super) fn stored_cidrs(given: &Value) -> Result<Value, Refusal> {
    let refused = || Refusal::bad("Value should be IPv4 or IPv6 CIDR format");
    let stored = |cidr: &Value| -> Result<Value, Refusal> {
        let cidr = cidr.as_str().ok_or_else(refused)?;
        let host = || Ok::<IpNet, AddrParseError>(cidr.parse::<IpAddr>()?.into());
        let net = cidr.parse().or_else(|_| host()).map_err(|_| refused())?;
        Ok(json!(net.trunc().to_string()))
    };
    match given {
        Value::Null => Ok(Value::Null),
        given => given.as_array().into_iter().flatten().map(stored).collect(),
    }
}

fn same_transport(row: &Value, given: &Value) -> bool {
    let is_udp = |row: &Value| matches!(text(row, "protocol"), "UDP");
    is_udp(row) == is_udp(given)
}
