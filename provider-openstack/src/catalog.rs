//! What machines are made of: images, flavors and server groups, from what a view keeps.
//!
//! A reference that finds nothing costs a list of all, for the hint at what would be right; one for
//! however many have it.

use cloud::View;
use crds::openstack::v1beta2::{ImageParam, ServerGroupParam};
use crds::orc;
use kube::Api;
use plan::server::ImageObject;
use plan::world::{Flavor, Image, ServerGroup};

use crate::server::rows;
use crate::{Context, Error};

/// The images that `image` means by id or filter, or all that there are when it means none.
pub async fn images(view: &View, image: &ImageParam) -> Result<Vec<Image>, cloud::Error> {
    let found: Vec<Image> = match (&image.id, &image.filter) {
        (Some(id), _) => view.image(id).await?.iter().map(rows::image).collect(),
        (None, Some(filter)) => {
            let found = view.images(filter.name.as_deref(), &filter.tags).await?;
            found.iter().map(rows::image).collect()
        }
        (None, None) => return Ok(Vec::new()),
    };
    if !found.is_empty() {
        return Ok(found);
    }
    let all = view.images(None, &[]).await?;
    Ok(all.iter().map(rows::image).collect())
}

/// The Image object that `image` names, if it names one. The kind exists only where ORC is
/// installed; without it the API server knows no such path.
pub async fn image_object(
    context: &Context,
    namespace: &str,
    image: &ImageParam,
) -> Result<ImageObject, Error> {
    let Some(reference) = &image.image_ref else {
        return Ok(ImageObject::Unknown);
    };
    let images = Api::<orc::Image>::namespaced(context.client.clone(), namespace);
    match images.get(&reference.name).await {
        Ok(image) => Ok(ImageObject::from(&image)),
        Err(kube::Error::Api(refused)) if refused.code == 404 => {
            // Of an object that is absent, the answer gives the name.
            let details = refused.details.as_ref();
            let of_object = details.is_some_and(|details| details.name == reference.name);
            Ok(match of_object {
                true => ImageObject::Absent,
                false => ImageObject::NotInstalled,
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// The flavor of this id or name, or all that there are when there is none.
pub async fn flavors(view: &View, id_or_name: &str) -> Result<Vec<Flavor>, cloud::Error> {
    if let Some(found) = view.flavor(id_or_name).await? {
        return Ok(vec![rows::flavor(&found)]);
    }
    Ok(view.flavors().await?.iter().map(rows::flavor).collect())
}

/// The server group that `group` means, or all that there are when it means none.
pub async fn server_groups(
    view: &View,
    group: &ServerGroupParam,
) -> Result<Vec<ServerGroup>, cloud::Error> {
    let filter = group.filter.as_ref();
    let name = filter.and_then(|filter| filter.name.as_ref());
    if let Some(id_or_name) = group.id.as_ref().or(name)
        && let Some(found) = view.server_group(id_or_name).await?
    {
        return Ok(vec![rows::server_group(&found)]);
    }
    let all = view.server_groups().await?;
    Ok(all.iter().map(rows::server_group).collect())
}
