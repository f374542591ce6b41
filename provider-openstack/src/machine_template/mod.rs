//! The controller of `OpenStackMachineTemplate`: what its machines will have, for who scales from
//! zero, and address pairs that changed, for the machines that are there.

mod execute;
mod observe;

use std::sync::Arc;
use std::time::Duration;

use crds::capi;
use crds::openstack::conditions::ConditionType;
use crds::openstack::v1beta2::OpenStackMachineTemplate;
use jiff::Timestamp;
use kube::Api;
use plan::conditions::{self, New};
use plan::machine_template::{Want, plan};
use plan::server::ImageObject;
use plan::step::Step;
use runtime::backoff::jittered;
use runtime::{Key, Kit, Loop, Requeue};

use crate::pause::{self, Pauses};
use crate::{Context, Error, condition, identity};

/// What is missing is looked for again after this: a flavor, an image, the ports of a new machine.
const AFTER_LACK: Duration = Duration::from_secs(120);

/// What the controller works with.
struct Templates {
    context: Arc<Context>,
}

/// Runs the controller until the process is asked to stop.
pub async fn run(kit: &Kit, context: Arc<Context>) {
    let controller = Loop::<OpenStackMachineTemplate>::new(kit, "openstackmachinetemplate");
    let controller = identity::depends(controller, &context, |template| {
        template.spec.template.spec.identity_ref.as_ref()
    });
    let (templates, pauses) = (controller.objects(), Pauses::default());
    let (controller, _) =
        controller.watches(move |cluster: &capi::Cluster| pauses.members(cluster, &templates));
    controller
        .run(Arc::new(Templates { context }), reconcile)
        .await;
}

/// Only what a Cluster owns is complete: a template of a ClusterClass waits for its patches.
async fn reconcile(
    template: Arc<OpenStackMachineTemplate>,
    templates: Arc<Templates>,
) -> Result<Requeue, Error> {
    let context = &templates.context;
    let (Some(owner), None) = (
        capi::owner_cluster_name(&template.metadata),
        &template.metadata.deletion_timestamp,
    ) else {
        return Ok(Requeue::OnChange);
    };
    let key = Key::of(&*template);
    let api = Api::namespaced(context.client.clone(), &key.namespace);
    let (cluster, infrastructure) = observe::owners(context, &key.namespace, owner).await?;
    if capi::is_paused(cluster.as_ref(), &template.metadata) {
        let (status, said) = (template.status.as_ref(), [pause::condition(true)]);
        condition::publish(
            &api,
            &*template,
            status,
            |status| &mut status.conditions,
            said,
        )
        .await?;
        return Ok(Requeue::OnChange);
    }
    let Some(infrastructure) = infrastructure else {
        return Ok(Requeue::After(jittered(AFTER_LACK)));
    };
    let want = Want::from(&*template);
    let seen = match observe::observe(context, &want, owner, &infrastructure).await {
        Ok(seen) => seen,
        Err(error) => {
            let (status, about) = (template.status.as_ref(), [ConditionType::Ready]);
            return condition::unobserved(
                &api,
                &*template,
                status,
                |status| &mut status.conditions,
                &about,
                error,
            )
            .await;
        }
    };
    let decision = plan(&want, &seen.plan, Timestamp::now());
    let mut status = decision.status;
    let known = New::ready(ConditionType::OpenStackAuthenticationSucceeded.as_str());
    let generation = template.metadata.generation;
    for said in [pause::condition(false), known] {
        conditions::set(&mut status.conditions, said, generation, Timestamp::now());
    }
    runtime::apply::status(&api, &template, template.status.as_ref(), &status).await?;
    if let Step::Do(actions) = &decision.step {
        execute::all(context, &template, &seen.view, actions).await?;
        return Ok(Requeue::After(Duration::ZERO));
    }
    let waits = want.spec.image.image_ref.is_some()
        && !matches!(seen.plan.image_object, ImageObject::Available(_));
    let behind = seen
        .plan
        .machines
        .iter()
        .any(|machine| want.is_behind(machine));
    Ok(match decision.step {
        Step::Done if !waits && !behind => Requeue::OnChange,
        _ => Requeue::After(jittered(AFTER_LACK)),
    })
}
