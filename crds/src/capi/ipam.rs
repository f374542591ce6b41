//! The IPAM contract: somebody makes an IPAddressClaim on a pool, the pool answers with an IPAddress.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use serde::{Deserialize, Serialize};

use super::names;

/// A wish for an address from a pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IPAddressClaim {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: IPAddressClaimSpec,
    /// What the pool has answered.
    #[serde(skip_serializing_if = "is_default")]
    pub status: IPAddressClaimStatus,
}

super::resource!(
    IPAddressClaim,
    "IPAddressClaim",
    "ipaddressclaims",
    names::IPAM_GROUP,
    names::VERSION
);

/// What is wanted of a pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IPAddressClaimSpec {
    /// The Cluster that the address is for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster_name: String,
    /// The pool.
    pub pool_ref: IPPoolRef,
}

/// A pool in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IPPoolRef {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// API group.
    pub api_group: String,
}

/// What a pool has answered to a claim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IPAddressClaimStatus {
    /// The IPAddress; absent until the pool has given one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_ref: Option<IPAMObjectRef>,
    /// Conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// An IPAddress or IPAddressClaim in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IPAMObjectRef {
    /// Name.
    pub name: String,
}

/// An address that a pool has given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IPAddress {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// The address.
    pub spec: IPAddressSpec,
}

super::resource!(
    IPAddress,
    "IPAddress",
    "ipaddresses",
    names::IPAM_GROUP,
    names::VERSION
);

/// An address, whose it is and where it came from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IPAddressSpec {
    /// The IPAddressClaim.
    pub claim_ref: IPAMObjectRef,
    /// The pool.
    pub pool_ref: IPPoolRef,
    /// The address, without a prefix.
    pub address: String,
    /// Length of the prefix; 32 for a floating IP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<i32>,
    /// Gateway of the address's network; empty if there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gateway: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The API server refuses a claim or an address with empty fields.
    #[test]
    fn what_is_absent_is_not_written() {
        let claim = json!({
            "metadata": { "name": "web-0-floating-ip-address", "namespace": "team" },
            "spec": { "poolRef": {
                "apiGroup": "infrastructure.cluster.x-k8s.io",
                "kind": "OpenStackFloatingIPPool",
                "name": "public",
            } },
        });
        let read: IPAddressClaim = serde_json::from_value(claim.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), claim);
        let address = IPAddressSpec {
            address: "203.0.113.9".into(),
            ..Default::default()
        };
        let written = serde_json::to_value(address).unwrap();
        assert_eq!(written.get("gateway"), None);
        assert_eq!(written.get("prefix"), None);
    }

    #[test]
    fn an_answered_claim_names_its_address() {
        let claim: IPAddressClaim = serde_json::from_value(json!({
            "status": { "addressRef": { "name": "web-0" }, "conditions": [] },
        }))
        .unwrap();
        assert_eq!(claim.status.address_ref.unwrap().name, "web-0");
    }
}
