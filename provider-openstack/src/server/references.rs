//! What the references of a server's spec are looked up in.
//!
//! One that finds nothing costs lists, one for however many have it: of what it may have meant, and of
//! what may have been made just now, for example a network a moment before the machine.

use cloud::view::Tables;
use cloud::{Kind, View};
use crds::openstack::v1beta2::SecurityGroupFilter;
use plan::server::{Catalog, Want};
use plan::world::SecurityGroup;

use crate::{Context, Error, catalog, world};

const NETWORKING: [Kind; 3] = [Kind::Networks, Kind::Subnets, Kind::SecurityGroups];

/// All that the spec may refer to.
pub async fn look_up(context: &Context, view: &View, want: &Want) -> Result<Catalog, Error> {
    let spec = &want.spec;
    let flavor = spec.flavor_id.as_ref().or(spec.flavor.as_ref());
    let mut found = Catalog {
        images: catalog::images(view, &spec.image).await?,
        image_object: catalog::image_object(context, &want.namespace, &spec.image).await?,
        trunks: want.needs_trunks() && view.has_extension(cloud::network::TRUNKS).await?,
        flavors: match flavor {
            Some(flavor) => catalog::flavors(view, flavor).await?,
            None => Vec::new(),
        },
        server_groups: match &spec.server_group {
            Some(group) => catalog::server_groups(view, group).await?,
            None => Vec::new(),
        },
        shared_groups: shared_groups(view, want).await?,
        ..Catalog::default()
    };
    fill_in(&mut found, &*view.snapshot(&NETWORKING).await?);
    if !want.finds_networking(&found) {
        fill_in(&mut found, &*view.snapshot_after_miss(&NETWORKING).await?);
    }
    Ok(found)
}

fn fill_in(catalog: &mut Catalog, tables: &Tables) {
    let groups = tables.security_groups.iter();
    catalog.networks = tables.networks.iter().map(world::network).collect();
    catalog.subnets = tables.subnets.iter().filter_map(world::subnet).collect();
    catalog.security_groups = groups.map(world::security_group).collect();
}

/// The security groups of the other projects that filters name.
async fn shared_groups(view: &View, want: &Want) -> Result<Vec<SecurityGroup>, Error> {
    let mut shared = Vec::new();
    for filter in want.security_group_filters() {
        let project = filter.project_id.as_deref();
        let Some(project) = project.filter(|project| *project != view.cloud().project_id()) else {
            continue;
        };
        let found = view.security_groups_of(project, |row| is_meant(filter, row));
        shared.extend(found.await?.iter().map(world::security_group));
    }
    Ok(shared)
}

fn is_meant(filter: &SecurityGroupFilter, row: &cloud::network::SecurityGroup) -> bool {
    plan::filter::security_group(filter, &world::security_group(row))
}
