//! Neutron.

mod types;

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, Listed, Query};
use crate::change::{Change, Kind, Row};
use crate::{Cloud, ErrorKind, Result, Service};

pub use types::{
    AddressPair, AllocationPool, FixedIp, FloatingIp, FloatingIpCreate, Gateway, Network,
    NetworkCreate, NetworkStatus, Port, PortCreate, Router, RouterCreate, SecurityGroup,
    SecurityGroupRule, SecurityGroupRuleCreate, SubPort, Subnet, SubnetCreate, Trunk, TrunkCreate,
    TrunkDetails,
};

/// The extension that allows tags in a bulk creation of ports. `tag-creation` is not that: it adds a
/// POST to the tags of what exists.
pub const TAGS_IN_BULK_PORTS: &str = "tag-ports-during-bulk-creation";

/// The extension that allows tags on most resources.
pub const TAGS: &str = "standard-attr-tag";

/// The extension for trunks.
pub const TRUNKS: &str = "trunk";

/// The extension for the field `trusted` of ports; without it, the binding profile says so.
pub const TRUSTED_PORTS: &str = "port-trusted-vif";

/// A filter of a list: `("name", "x")`, `("tags", "a,b")`, `("router:external", "true")`, …
pub type Filter<'a> = [(&'a str, &'a str)];

/// Neutron, through one session.
#[derive(Clone, Copy)]
pub struct Networking<'a>(Api<'a>);

impl Cloud {
    /// Neutron.
    pub fn network(&self) -> Networking<'_> {
        Networking(Api {
            cloud: self,
            service: Service::Network,
            microversion: None,
        })
    }
}

pub(crate) fn query(filter: &Filter<'_>) -> Query {
    filter
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

impl Networking<'_> {
    pub(crate) async fn rows<T: Row>(&self, filter: &Filter<'_>) -> Result<Listed<T>> {
        self.0.rows(&[collection(T::KIND)], query(filter)).await
    }

    /// Networks that the project can see.
    pub async fn networks(&self, filter: &Filter<'_>) -> Result<Vec<Network>> {
        Ok(self.rows(filter).await?.items)
    }

    /// Subnets that the project can see.
    pub async fn subnets(&self, filter: &Filter<'_>) -> Result<Vec<Subnet>> {
        Ok(self.rows(filter).await?.items)
    }

    /// Routers; with an administrator's credentials those of all projects, unless filtered.
    pub async fn routers(&self, filter: &Filter<'_>) -> Result<Vec<Router>> {
        Ok(self.rows(filter).await?.items)
    }

    /// Ports; with an administrator's credentials those of all projects, unless filtered.
    pub async fn ports(&self, filter: &Filter<'_>) -> Result<Vec<Port>> {
        Ok(self.rows(filter).await?.items)
    }

    /// Security groups; with an administrator's credentials those of all projects, unless filtered.
    pub async fn security_groups(&self, filter: &Filter<'_>) -> Result<Vec<SecurityGroup>> {
        Ok(self.rows(filter).await?.items)
    }

    /// Floating IPs; with an administrator's credentials those of all projects, unless filtered.
    pub async fn floating_ips(&self, filter: &Filter<'_>) -> Result<Vec<FloatingIp>> {
        Ok(self.rows(filter).await?.items)
    }

    /// The aliases of the extensions that the cloud has.
    pub async fn extensions(&self) -> Result<Vec<String>> {
        let found: Listed<Value> = self
            .0
            .list("extensions", &["extensions"], Query::new())
            .await?;
        let alias = |extension: &Value| extension["alias"].as_str().map(str::to_owned);
        Ok(found.items.iter().filter_map(alias).collect())
    }

    /// Creates a network.
    pub async fn create_network(&self, network: &NetworkCreate) -> Result<Network> {
        self.0.create(&["networks"], network).await
    }

    /// Creates a subnet.
    pub async fn create_subnet(&self, subnet: &SubnetCreate) -> Result<Subnet> {
        self.0.create(&["subnets"], subnet).await
    }

    /// Changes the name servers of a subnet.
    pub async fn set_dns_nameservers(&self, id: &str, servers: &[String]) -> Result<Subnet> {
        self.0
            .update(&["subnets", id], &json!({"dns_nameservers": servers}))
            .await
    }

    /// Creates a router.
    pub async fn create_router(&self, router: &RouterCreate) -> Result<Router> {
        self.0.create(&["routers"], router).await
    }

    /// Sets the external gateway of a router.
    pub async fn set_gateway(&self, router_id: &str, gateway: &Gateway) -> Result<Router> {
        self.0
            .update(
                &["routers", router_id],
                &json!({"external_gateway_info": gateway}),
            )
            .await
    }

    /// Plugs a subnet into a router. Neutron makes a port of it, which the view then looks for.
    pub async fn add_router_interface(&self, router_id: &str, subnet_id: &str) -> Result<()> {
        self.router_interface(router_id, "add_router_interface", subnet_id)
            .await
    }

    /// Unplugs a subnet from a router; not plugged is as good.
    pub async fn remove_router_interface(&self, router_id: &str, subnet_id: &str) -> Result<()> {
        let removed = self
            .router_interface(router_id, "remove_router_interface", subnet_id)
            .await;
        crate::error::optional(removed).map(|_| ())
    }

    async fn router_interface(&self, router_id: &str, action: &str, subnet: &str) -> Result<()> {
        let path = ["routers", router_id, action];
        let body = json!({"subnet_id": subnet});
        let result = self
            .0
            .request(Method::PUT, "router_interface", &path, Some(body))
            .await;
        self.0.cloud.changed(Change::Unsure(Kind::Ports));
        result.map(|_| ())
    }

    /// Creates a port.
    pub async fn create_port(&self, port: &PortCreate) -> Result<Port> {
        self.0.create(&["ports"], port).await
    }

    /// Creates several ports in one request, all or none. In the order given.
    pub async fn create_ports(&self, ports: &[PortCreate]) -> Result<Vec<Port>> {
        let body = json!({"ports": ports});
        let created: Vec<Port> = self
            .0
            .write::<Port, _>(Method::POST, "ports", &["ports"], body)
            .await?;
        created.iter().cloned().for_each(|port| self.0.wrote(port));
        Ok(created)
    }

    /// Changes fields of a port, for example `{"allowed_address_pairs": […]}`.
    pub async fn update_port(&self, id: &str, fields: &Value) -> Result<Port> {
        self.0.update(&["ports", id], fields).await
    }

    /// Makes a port the parent of a trunk. Refused while the port is bound.
    pub async fn create_trunk(&self, trunk: &TrunkCreate) -> Result<Trunk> {
        self.0.create(&["trunks"], trunk).await
    }

    /// Takes ports out of a trunk; they stay. Neutron deletes neither a parent nor a subport.
    pub async fn remove_sub_ports(&self, trunk_id: &str, port_ids: &[String]) -> Result<()> {
        let sub_ports: Vec<SubPort> = port_ids
            .iter()
            .map(|id| SubPort {
                port_id: id.clone(),
            })
            .collect();
        let path = ["trunks", trunk_id, "remove_subports"];
        let body = json!({"sub_ports": sub_ports});
        let result = self
            .0
            .request(Method::PUT, "trunk", &path, Some(body))
            .await;
        // Who made the subports did so behind the view's back.
        for kind in [Kind::Trunks, Kind::Ports] {
            self.0.cloud.changed(Change::Unsure(kind));
        }
        crate::error::optional(result).map(|_| ())
    }

    /// Deletes a trunk; its ports stay.
    pub async fn delete_trunk(&self, id: &str) -> Result<()> {
        self.delete::<Trunk>(id).await
    }

    /// Creates a security group. Neutron adds two egress rules.
    pub async fn create_security_group(
        &self,
        name: &str,
        description: &str,
    ) -> Result<SecurityGroup> {
        let body = json!({"name": name, "description": description});
        self.0.create(&["security-groups"], &body).await
    }

    /// Creates rules of one group in one request, all or none: one duplicate refuses all with
    /// [`crate::ErrorKind::Conflict`], and rules of different groups are a bad request.
    pub async fn create_rules(
        &self,
        rules: &[SecurityGroupRuleCreate],
    ) -> Result<Vec<SecurityGroupRule>> {
        let key = "security_group_rules";
        let body = json!({key: rules});
        let path = ["security-group-rules"];
        let created: Vec<SecurityGroupRule> = self
            .0
            .write::<SecurityGroup, _>(Method::POST, key, &path, body)
            .await?;
        self.0.cloud.changed(Change::Rules(created.clone()));
        Ok(created)
    }

    /// Deletes a rule; gone already is as good.
    pub async fn delete_rule(&self, id: &str) -> Result<()> {
        let path = ["security-group-rules", id];
        let result = self
            .0
            .request(Method::DELETE, "security_group_rule", &path, None)
            .await;
        self.0.unsure_after(Kind::SecurityGroups, &result);
        crate::error::optional(result)?;
        self.0.cloud.changed(Change::RuleGone(id.to_owned()));
        Ok(())
    }

    /// Allocates a floating IP.
    pub async fn create_floating_ip(&self, ip: &FloatingIpCreate) -> Result<FloatingIp> {
        self.0.create(&["floatingips"], ip).await
    }

    /// Leads a floating IP to a port, or nowhere, wherever it leads now: Neutron moves it without a word.
    /// [`crate::View::associate_floating_ip`] takes care.
    pub async fn associate_floating_ip(
        &self,
        id: &str,
        port_id: Option<&str>,
    ) -> Result<FloatingIp> {
        self.associate_as_of(id, port_id, None).await
    }

    /// The same, unless it has changed since this revision. Where Neutron shows revisions it knows the
    /// condition as well: one plugin brings both.
    pub(crate) async fn associate_as_of(
        &self,
        id: &str,
        port_id: Option<&str>,
        revision: Option<i64>,
    ) -> Result<FloatingIp> {
        let (path, body) = (["floatingips", id], json!({"port_id": port_id}));
        let result = self.0.update_as_of(&path, &body, revision).await;
        if result
            .as_ref()
            .is_err_and(|error| error.kind == ErrorKind::Conflict)
        {
            // Somebody else leads it, or has changed it: what we know of it is too old.
            self.0.cloud.changed(Change::Unsure(Kind::FloatingIps));
        }
        result
    }

    /// Replaces the tags of a network, subnet, router, port, trunk, security group or floating IP.
    pub async fn set_tags(&self, kind: Kind, id: &str, tags: &[String]) -> Result<()> {
        let path = [collection(kind), id, "tags"];
        let body = json!({"tags": tags});
        let result = self.0.request(Method::PUT, "tags", &path, Some(body)).await;
        self.0.unsure_after(kind, &result);
        result?;
        self.0
            .cloud
            .changed(Change::Tags(kind, id.to_owned(), tags.to_vec()));
        Ok(())
    }

    /// Deletes a network; gone already is as good. All `delete_…` are like that.
    pub async fn delete_network(&self, id: &str) -> Result<()> {
        self.delete::<Network>(id).await
    }

    /// Deletes a subnet.
    pub async fn delete_subnet(&self, id: &str) -> Result<()> {
        self.delete::<Subnet>(id).await
    }

    /// Deletes a router.
    pub async fn delete_router(&self, id: &str) -> Result<()> {
        self.delete::<Router>(id).await
    }

    /// Deletes a port.
    pub async fn delete_port(&self, id: &str) -> Result<()> {
        self.delete::<Port>(id).await
    }

    /// Deletes a security group; refused with `Conflict` while a port uses it.
    pub async fn delete_security_group(&self, id: &str) -> Result<()> {
        self.delete::<SecurityGroup>(id).await
    }

    /// Gives a floating IP back.
    pub async fn delete_floating_ip(&self, id: &str) -> Result<()> {
        self.delete::<FloatingIp>(id).await
    }

    async fn delete<T: Row>(&self, id: &str) -> Result<()> {
        self.0
            .delete::<T>(&[collection(T::KIND), id], Query::new(), id, false)
            .await
    }
}

/// The collection in Neutron's paths: that of security groups is spelt unlike its key in answers.
fn collection(kind: Kind) -> &'static str {
    match kind {
        Kind::SecurityGroups => "security-groups",
        other => other.as_str(),
    }
}
