//! What a plan asks for, done: one call for each action, side by side.

use cloud::block_storage::VolumeCreate;
use cloud::compute::{ServerCreate, ServerPort};
use cloud::network::{AddressPair, FixedIp, PortCreate, TAGS, TRUSTED_PORTS, TrunkCreate};
use cloud::{Kind, View};
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{self, BindingProfile, ResolvedPortSpec};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use plan::server::{Action, BlockDevice, NewServer, NewTrunk, NewVolume, Remark, Source};
use serde_json::{Value, json};

use super::claim;
use super::observe::Observed;
use crate::side_by_side::{self, Refused};
use crate::told::Told;
use crate::{Context, Error, ipam};

/// Key of the Secret with the user data.
const USER_DATA: &str = "value";

/// Does all of `actions`, also when some fail, and tells of each with an event.
///
/// # Errors
/// The first action that was refused.
pub async fn all(
    context: &Context,
    server: &OpenStackServer,
    seen: &Observed,
    actions: &[Action],
) -> Result<(), Box<Refused<Action>>> {
    side_by_side::all(actions, |action| async move {
        let result = one(context, server, seen, action).await;
        tell(context, server, action, result.as_ref().err()).await;
        result
    })
    .await
}

/// CAPO has a word of its own for a claim, and none for its release.
async fn tell(context: &Context, server: &OpenStackServer, action: &Action, error: Option<&Error>) {
    let told = Told {
        verb: action.name(),
        action: action.to_string(),
    };
    match (action, error) {
        (Action::ReleaseClaim(_), None) => {}
        (Action::CreateClaim(_), None) => {
            let events = &context.events;
            events
                .normal(server, "CreatingIPAddressClaim", told.action)
                .await;
        }
        _ => told.on(context, server, error).await,
    }
}

/// Tells what a plan remarks beside its actions.
pub async fn remark(context: &Context, server: &OpenStackServer, remarks: &[Remark]) {
    let events = &context.events;
    for Remark {
        warning,
        reason,
        text,
    } in remarks
    {
        match warning {
            true => events.warning(server, reason, text).await,
            false => events.normal(server, reason, text).await,
        }
    }
}

async fn one(
    context: &Context,
    server: &OpenStackServer,
    seen: &Observed,
    action: &Action,
) -> Result<(), Error> {
    let view = &seen.view;
    let cloud = view.cloud();
    let result = match action {
        Action::CreatePort(new) => create_port(view, new).await,
        Action::TagPort { id, tags } => cloud.network().set_tags(Kind::Ports, id, tags).await,
        Action::SetAddressPairs { id, pairs } => {
            let pairs = json!({"allowed_address_pairs": address_pairs(pairs)});
            cloud.network().update_port(id, &pairs).await.map(drop)
        }
        Action::DeletePort(id) => cloud.network().delete_port(id).await,
        Action::CreateTrunk(new) => create_trunk(view, new).await,
        Action::TagTrunk { id, tags } => cloud.network().set_tags(Kind::Trunks, id, tags).await,
        Action::MarkSubPort {
            id,
            name,
            description,
        } => {
            let fields = json!({"name": name, "description": description});
            cloud.network().update_port(id, &fields).await.map(drop)
        }
        Action::RemoveSubPorts { trunk_id, port_ids } => {
            cloud.network().remove_sub_ports(trunk_id, port_ids).await
        }
        Action::DeleteTrunk(id) => cloud.network().delete_trunk(id).await,
        Action::CreateClaim(new) => return Ok(ipam::create(&context.client, &**new).await?),
        Action::ReleaseClaim(name) => return Ok(claim::release(context, server, name).await?),
        Action::AssociateFloatingIp { id, port_id, .. } => {
            view.associate_floating_ip(id, Some(port_id), &seen.tables)
                .await
        }
        Action::CreateVolume(new) => cloud
            .block_storage()
            .create_volume(&volume(new))
            .await
            .map(drop),
        Action::DeleteVolume(id) => cloud.block_storage().delete_volume(id).await,
        Action::CreateServer(new) => {
            let user_data = user_data(context, server, new).await?;
            let create = server_create(new);
            let create = match &user_data {
                Some(user_data) => create.with_user_data(user_data),
                None => create,
            };
            cloud.compute().create_server(&create).await.map(drop)
        }
        Action::DeleteServer(id) => cloud.compute().delete_server(id).await,
    };
    result.map_err(|source| Error::Execute {
        action: action.to_string(),
        source,
    })
}

/// One call where the cloud takes tags along, else two; what a crash between them leaves undone is
/// found by the next plan.
async fn create_port(view: &View, new: &ResolvedPortSpec) -> cloud::Result<()> {
    let network = view.cloud().network();
    let mut create = port(new);
    if is_trusted(new) && view.has_extension(TRUSTED_PORTS).await? {
        create.trusted = Some(true);
        create.profile = new
            .profile
            .as_ref()
            .and_then(|profile| binding_profile(profile, false));
    }
    if new.tags.is_empty() {
        return network.create_port(&create).await.map(drop);
    }
    if view.ports_take_tags().await? {
        create.tags.clone_from(&new.tags);
        return network.create_ports(&[create]).await.map(drop);
    }
    let created = network.create_port(&create).await?;
    if view.has_extension(TAGS).await? {
        network
            .set_tags(Kind::Ports, &created.id, &new.tags)
            .await?;
    }
    Ok(())
}

fn port(new: &ResolvedPortSpec) -> PortCreate {
    let secure = new.enable_port_security != Some(false);
    let fixed_ips = new.fixed_ips.iter().map(|ip| FixedIp {
        subnet_id: ip.subnet.clone().unwrap_or_default(),
        ip_address: ip.ip_address.clone().unwrap_or_default(),
    });
    // Neutron refuses pairs on a port without port security.
    let pairs = if secure {
        address_pairs(&new.allowed_address_pairs)
    } else {
        Vec::new()
    };
    let groups = Some(new.security_groups.clone()).filter(|groups| !groups.is_empty() || !secure);
    let values = new.value_specs.iter();
    PortCreate {
        name: new.name.clone(),
        description: new.description.clone().unwrap_or_default(),
        network_id: new.network_id.clone(),
        admin_state_up: new.admin_state_up,
        fixed_ips: fixed_ips.collect(),
        security_groups: groups,
        allowed_address_pairs: pairs,
        mac_address: new.mac_address.clone(),
        port_security_enabled: new.enable_port_security,
        propagate_uplink_status: new.propagate_uplink_status,
        vnic_type: new.vnic_type.clone(),
        host_id: new.host_id.clone(),
        profile: new
            .profile
            .as_ref()
            .and_then(|profile| binding_profile(profile, true)),
        trusted: None,
        tags: Vec::new(),
        value_specs: values
            .map(|spec| (spec.key.clone(), Value::from(spec.value.clone())))
            .collect(),
    }
}

/// As Neutron has them.
pub fn address_pairs(pairs: &[v1beta2::AddressPair]) -> Vec<AddressPair> {
    let pairs = pairs.iter().map(|pair| AddressPair {
        ip_address: pair.ip_address.clone(),
        mac_address: pair.mac_address.clone(),
    });
    pairs.collect()
}

fn is_trusted(new: &ResolvedPortSpec) -> bool {
    let profile = new.profile.as_ref();
    profile.is_some_and(|profile| profile.trusted_vf == Some(true))
}

async fn create_trunk(view: &View, new: &NewTrunk) -> cloud::Result<()> {
    let network = view.cloud().network();
    let create = TrunkCreate {
        name: new.name.clone(),
        description: new.description.clone(),
        port_id: new.port_id.clone(),
    };
    let created = network.create_trunk(&create).await?;
    if !new.tags.is_empty() && view.has_extension(TAGS).await? {
        network
            .set_tags(Kind::Trunks, &created.id, &new.tags)
            .await?;
    }
    Ok(())
}

/// `None` unless something is switched on: most clouds allow administrators only to set it.
/// `trusted` says whether trust belongs here, and not into a field of its own.
fn binding_profile(profile: &BindingProfile, trusted: bool) -> Option<Value> {
    let mut value = serde_json::Map::new();
    if profile.ovs_hw_offload == Some(true) {
        value.insert("capabilities".to_owned(), json!(["switchdev"]));
    }
    if trusted && profile.trusted_vf == Some(true) {
        value.insert("trusted".to_owned(), json!(true));
    }
    (!value.is_empty()).then_some(Value::Object(value))
}

fn volume(new: &NewVolume) -> VolumeCreate {
    VolumeCreate {
        name: new.name.clone(),
        description: new.description.clone(),
        size: new.size_gib,
        availability_zone: new.availability_zone.clone(),
        volume_type: new.volume_type.clone(),
        image_id: new.image_id.clone(),
        metadata: new.metadata.iter().cloned().collect(),
    }
}

fn server_create(new: &NewServer) -> ServerCreate {
    let mut hints: serde_json::Map<String, Value> = new.hints.iter().cloned().collect();
    if let Some(group) = &new.server_group_id {
        hints.insert("group".to_owned(), json!(group));
    }
    ServerCreate {
        name: new.name.clone(),
        flavor_id: new.flavor_id.clone(),
        image_id: new.image_id.clone(),
        networks: new
            .port_ids
            .iter()
            .map(|port| ServerPort { port: port.clone() })
            .collect(),
        key_name: Some(new.key_name.clone()).filter(|name| !name.is_empty()),
        config_drive: Some(new.config_drive),
        availability_zone: new.availability_zone.clone(),
        metadata: new.metadata.iter().cloned().collect(),
        tags: new.tags.clone(),
        block_devices: new.block_devices.iter().map(block_device).collect(),
        scheduler_hints: hints,
        multiattach: new.multiattach,
        ..ServerCreate::default()
    }
}

fn block_device(device: &BlockDevice) -> cloud::compute::BlockDevice {
    let (source, destination, uuid, size) = match &device.source {
        Source::Blank { size_gib } => ("blank", "local", None, Some(*size_gib)),
        Source::Image { id } => ("image", "local", Some(id.clone()), None),
        Source::Volume { id } => ("volume", "volume", Some(id.clone()), None),
    };
    cloud::compute::BlockDevice {
        source_type: source.to_owned(),
        destination_type: destination.to_owned(),
        uuid,
        boot_index: device.boot_index,
        delete_on_termination: true,
        volume_size: size,
        tag: device.tag.clone(),
        disk_bus: None,
    }
}

/// What the server reads when it boots.
async fn user_data(
    context: &Context,
    server: &OpenStackServer,
    new: &NewServer,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(name) = &new.user_data_secret else {
        return Ok(None);
    };
    let namespace = server.namespace().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &namespace);
    let data = secrets.get_opt(name).await?.and_then(|secret| secret.data);
    match data.and_then(|mut data| data.remove(USER_DATA)) {
        Some(value) => Ok(Some(value.0)),
        None => Err(Error::UserData {
            secret: format!("{namespace}/{name}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_without_port_security_has_neither_groups_nor_pairs() {
        let mut new: ResolvedPortSpec = serde_json::from_value(json!({
            "name": "m-0",
            "networkID": "net",
            "fixedIPs": [{"subnet": "subnet"}],
            "allowedAddressPairs": [{"ipAddress": "10.0.0.0/8"}],
            "valueSpecs": [{"name": "one", "key": "qos_policy_id", "value": "gold"}],
        }))
        .expect("decodes");
        let secure = json!({
            "name": "m-0",
            "network_id": "net",
            "fixed_ips": [{"subnet_id": "subnet"}],
            "allowed_address_pairs": [{"ip_address": "10.0.0.0/8"}],
            "qos_policy_id": "gold",
        });
        assert_eq!(
            serde_json::to_value(port(&new)).expect("serializes"),
            secure
        );
        new.enable_port_security = Some(false);
        let open = serde_json::to_value(port(&new)).expect("serializes");
        assert_eq!(open["security_groups"], json!([]));
        assert_eq!(open["port_security_enabled"], json!(false));
        assert_eq!(open.get("allowed_address_pairs"), None);
    }

    #[test]
    fn a_binding_profile_is_sent_only_when_it_says_something() {
        let mut profile = BindingProfile {
            ovs_hw_offload: Some(false),
            trusted_vf: None,
        };
        assert_eq!(binding_profile(&profile, true), None);
        profile.trusted_vf = Some(true);
        let trusted = Some(json!({"trusted": true}));
        assert_eq!(binding_profile(&profile, true), trusted);
        assert_eq!(binding_profile(&profile, false), None);
    }

    #[test]
    fn a_server_s_disks_and_hints_are_nova_s() {
        let new = NewServer {
            name: "m".into(),
            key_name: String::new(),
            server_group_id: Some("group".into()),
            hints: vec![("colour".into(), json!("blue"))],
            block_devices: vec![
                BlockDevice {
                    source: Source::Volume { id: "v".into() },
                    boot_index: 0,
                    tag: None,
                },
                BlockDevice {
                    source: Source::Blank { size_gib: 3 },
                    boot_index: -1,
                    tag: Some("scratch".into()),
                },
            ],
            ..NewServer::default()
        };
        let create = server_create(&new);
        assert_eq!(create.key_name, None);
        assert_eq!(
            Value::Object(create.scheduler_hints.clone()),
            json!({"group": "group", "colour": "blue"})
        );
        let disks = serde_json::to_value(&create.block_devices).expect("serializes");
        let expected = json!([
            {"source_type": "volume", "destination_type": "volume", "uuid": "v", "boot_index": 0,
             "delete_on_termination": true},
            {"source_type": "blank", "destination_type": "local", "volume_size": 3, "boot_index": -1,
             "delete_on_termination": true, "tag": "scratch"},
        ]);
        assert_eq!(disks, expected);
    }

    #[test]
    fn a_port_arrives_at_neutron_field_by_field() {
        let new: ResolvedPortSpec = serde_json::from_value(json!({
            "name": "m-0",
            "description": "in front",
            "networkID": "net",
            "fixedIPs": [{"subnet": "subnet", "ipAddress": "10.6.0.9"}],
            "securityGroups": ["group"],
            "adminStateUp": false,
            "macAddress": "fa:16:3e:00:00:09",
            "allowedAddressPairs": [{"ipAddress": "10.0.0.0/8", "macAddress": "fa:16:3e:00:00:08"}],
            "hostID": "host-1",
            "vnicType": "direct",
            "profile": {"ovsHWOffload": true, "trustedVF": true},
            "enablePortSecurity": true,
            "propagateUplinkStatus": true,
        }))
        .expect("decodes");
        let sent = json!({
            "name": "m-0",
            "description": "in front",
            "network_id": "net",
            "fixed_ips": [{"subnet_id": "subnet", "ip_address": "10.6.0.9"}],
            "security_groups": ["group"],
            "admin_state_up": false,
            "mac_address": "fa:16:3e:00:00:09",
            "allowed_address_pairs": [{"ip_address": "10.0.0.0/8", "mac_address": "fa:16:3e:00:00:08"}],
            "binding:host_id": "host-1",
            "binding:vnic_type": "direct",
            "binding:profile": {"capabilities": ["switchdev"], "trusted": true},
            "port_security_enabled": true,
            "propagate_uplink_status": true,
        });
        assert_eq!(serde_json::to_value(port(&new)).expect("serializes"), sent);
    }
}
