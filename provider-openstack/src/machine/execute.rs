//! What a plan asks for, done.

use cloud::loadbalancer::MemberCreate;
use cloud::{Tables, View};
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::OpenStackMachine;
use kube::{Api, ResourceExt};
use plan::machine::{Action, NewMember};

use super::Machines;
use super::observe::Observed;
use crate::side_by_side::{self, Refused};
use crate::told::Told;
use crate::{Error, server_object};

impl Machines {
    /// Does all of `actions`, also when some fail, and tells of each with an event.
    ///
    /// # Errors
    /// The first action that was refused.
    pub async fn execute(
        &self,
        object: &OpenStackMachine,
        seen: &Observed,
        actions: &[Action],
    ) -> Result<(), Box<Refused<Action>>> {
        side_by_side::all(actions, |action| async move {
            let result = self.one(object, seen, action).await;
            let told = Told {
                verb: action.name(),
                action: action.to_string(),
            };
            told.on(&self.context, object, result.as_ref().err()).await;
            result
        })
        .await
    }

    async fn one(
        &self,
        object: &OpenStackMachine,
        seen: &Observed,
        action: &Action,
    ) -> Result<(), Error> {
        let servers = Api::<OpenStackServer>::namespaced(
            self.context.client.clone(),
            &object.namespace().unwrap_or_default(),
        );
        match action {
            Action::CreateServerObject(new) => server_object::create(&servers, new).await?,
            Action::DeleteServerObject { name } => server_object::delete(&servers, name).await?,
            Action::LabelServerObject { name, watch_filter } => {
                server_object::label(&servers, name, watch_filter).await?;
            }
            Action::UpdateServerObject {
                name,
                identity_ref,
                ports,
            } => server_object::update(&servers, name, identity_ref, ports).await?,
            in_cloud => {
                // The plan asks for these only when it has seen the cloud.
                if let Some((view, tables)) = &seen.cloud {
                    let done = call(view, tables, in_cloud).await;
                    done.map_err(|source| Error::Execute {
                        action: action.to_string(),
                        source,
                    })?;
                }
            }
        }
        Ok(())
    }
}

async fn call(view: &View, seen: &Tables, action: &Action) -> cloud::Result<()> {
    let balancing = view.cloud().load_balancer();
    match action {
        Action::CreateMember(new) => balancing
            .create_member(&new.pool, &member(new))
            .await
            .map(drop),
        Action::DeleteMember { pool, member, .. } => balancing.delete_member(pool, member).await,
        Action::AssociateFloatingIp { floating_ip, port } => {
            view.associate_floating_ip(floating_ip, Some(port), seen)
                .await
        }
        Action::DisassociateFloatingIp { floating_ip } => {
            view.associate_floating_ip(floating_ip, None, seen).await
        }
        Action::CreateServerObject(_)
        | Action::DeleteServerObject { .. }
        | Action::LabelServerObject { .. }
        | Action::UpdateServerObject { .. } => Ok(()),
    }
}

fn member(new: &NewMember) -> MemberCreate {
    MemberCreate {
        name: new.name.clone(),
        address: new.address.clone(),
        protocol_port: i32::from(new.port),
        subnet_id: new.subnet.clone(),
        tags: new.tags.clone(),
    }
}
