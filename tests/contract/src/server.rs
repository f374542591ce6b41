//! Facts, servers, volumes and trunks.

use anyhow::{Context, Result, ensure};
use cloud::block_storage::{VolumeCreate, VolumeStatus};
use cloud::compute::{ServerCreate, ServerPort, ServerStatus};
use cloud::network::{Port, PortCreate, TrunkCreate};
use cloud::{ErrorKind, Kind};

use crate::Contract;
use crate::network::Net;

/// An id that nothing has.
const NOTHING: &str = "00000000-0000-4000-a000-000000000000";

impl Contract {
    pub async fn facts(&mut self) -> Result<()> {
        ensure!(self.view.flavor("no-such-flavor").await?.is_none());
        ensure!(self.view.server_group("no-such-group").await?.is_none());
        let compute = self.view.cloud().compute();
        ensure!(compute.flavor("no-such-flavor").await?.is_none());
        compute.server_groups().await?;
        ensure!(compute.server(NOTHING).await?.is_none());
        ensure!(self.view.image(NOTHING).await?.is_none());
        compute.delete_server(NOTHING).await?;
        ensure!(
            self.view
                .images(Some("no-such-image"), &[])
                .await?
                .is_empty()
        );
        ensure!(!self.view.availability_zones().await?.is_empty());
        let extensions = self.view.cloud().network().extensions().await?;
        ensure!(extensions.iter().any(|alias| alias == cloud::network::TAGS));
        let octavia = self.view.cloud().load_balancer();
        let version = octavia.version().await?;
        let providers = octavia.providers().await?;
        let names: Vec<&str> = providers.iter().map(|found| found.name.as_str()).collect();
        self.view.load_balancer_flavors().await?;
        self.step(&format!("facts: Octavia {version:?} with {names:?}"));
        Ok(())
    }

    pub async fn server(&mut self, port: &Port) -> Result<()> {
        let view = self.view.clone();
        let flavors = view.cloud().compute().flavors().await?;
        let flavor = flavors
            .iter()
            .min_by_key(|flavor| flavor.ram)
            .context("no flavor")?;
        let image = view
            .images(None, &[])
            .await?
            .first()
            .context("no image")?
            .id
            .clone();
        let create = ServerCreate {
            name: self.name.clone(),
            flavor_id: flavor.id.clone(),
            image_id: Some(image),
            networks: vec![ServerPort {
                port: port.id.clone(),
            }],
            config_drive: Some(true),
            tags: vec!["contract".to_owned()],
            ..Default::default()
        };
        let create = create.with_user_data(b"#cloud-config\n");
        let nowhere = ServerCreate {
            availability_zone: Some("no-such-zone".to_owned()),
            ..create.clone()
        };
        let refused = view.cloud().compute().create_server(&nowhere).await;
        ensure!(
            refused.is_err_and(|error| error.kind == ErrorKind::BadRequest),
            "a server in no zone"
        );
        let server = view.cloud().compute().create_server(&create).await?;
        self.step("server asked for");
        let id = server.id.as_str();
        let active = self
            .until(&[Kind::Servers], &[id], |seen| {
                let server = seen.servers.get(id)?;
                let failed = server.status == ServerStatus::Error;
                (failed || server.status == ServerStatus::Active).then(|| server.clone())
            })
            .await?;
        ensure!(active.status == ServerStatus::Active, "{:?}", active.fault);
        ensure!(active.tags == ["contract"], "{:?}", active.tags);
        self.step("server active");
        view.cloud().compute().delete_server(id).await?;
        self.until(&[Kind::Servers], &[id], |seen| {
            seen.servers.get(id).is_none().then_some(())
        })
        .await?;
        // Nova marks it as deleted a moment before it is gone.
        let last = view.cloud().compute().server(id).await?;
        ensure!(last.is_none_or(|last| last.is_gone()), "the server is back");
        self.step("server deleted");
        Ok(())
    }

    /// A volume comes, is refused with an unknown type, and goes.
    pub async fn volume(&mut self) -> Result<()> {
        let view = self.view.clone();
        let cinder = view.cloud().block_storage();
        let create = VolumeCreate {
            name: self.name.clone(),
            size: 1,
            ..Default::default()
        };
        let id = cinder.create_volume(&create).await?.id;
        self.until(&[Kind::Volumes], &[&id], |seen| {
            let status = &seen.volumes.get(&id)?.status;
            (*status == VolumeStatus::Available).then_some(())
        })
        .await?;
        let unknown = VolumeCreate {
            volume_type: Some("no-such-type".to_owned()),
            ..create
        };
        ensure!(
            cinder.create_volume(&unknown).await.is_err(),
            "a volume of no type"
        );
        cinder.delete_volume(&id).await?;
        self.until(&[Kind::Volumes], &[&id], |seen| {
            seen.volumes.get(&id).is_none().then_some(())
        })
        .await?;
        self.step("volume available, deleted");
        Ok(())
    }

    /// A trunk on a port says so, keeps it, and goes.
    pub async fn trunk(&mut self, net: &Net) -> Result<()> {
        let view = self.view.clone();
        let neutron = view.cloud().network();
        let port = PortCreate {
            name: format!("{}-trunk", self.name),
            network_id: net.network.clone(),
            ..Default::default()
        };
        let port = neutron.create_port(&port).await?;
        let create = TrunkCreate {
            name: self.name.clone(),
            port_id: port.id.clone(),
            ..Default::default()
        };
        let trunk = neutron.create_trunk(&create).await?;
        let listed = neutron.ports(&[("id", &port.id)]).await?;
        let details = listed[0].trunk_details.as_ref();
        ensure!(
            details.is_some_and(|details| details.trunk_id == trunk.id),
            "the port does not name its trunk: {listed:?}"
        );
        let kept = neutron.delete_port(&port.id).await;
        ensure!(
            kept.is_err_and(|error| error.kind == ErrorKind::Conflict),
            "the parent of a trunk"
        );
        neutron
            .set_tags(Kind::Trunks, &trunk.id, &["a".to_owned()])
            .await?;
        let seen = view.snapshot(&[Kind::Trunks]).await?;
        let seen = seen
            .trunks
            .get(&trunk.id)
            .context("the trunk is not in the view")?;
        ensure!(seen.tags == ["a"] && seen.port_id == port.id, "{seen:?}");
        neutron
            .remove_sub_ports(&trunk.id, &[NOTHING.to_owned()])
            .await?;
        neutron.delete_trunk(&trunk.id).await?;
        neutron.delete_trunk(&trunk.id).await?;
        neutron.delete_port(&port.id).await?;
        self.step("trunk with tags, deleted");
        Ok(())
    }
}
