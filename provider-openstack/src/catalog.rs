//! What machines are made of: images and flavors, from what a view keeps.
//!
//! Only a reference that finds nothing costs a list of all, for the hint at what would be right.

use cloud::View;
use crds::openstack::v1beta2::ImageParam;
use crds::orc;
use kube::Api;
use plan::server::ImageObject;
use plan::world::{Flavor, Image};

use crate::server::rows;
use crate::{Context, Error};

/// The images that `image` means by id or filter, or all that there are when it means none.
pub async fn images(view: &View, image: &ImageParam) -> Result<Vec<Image>, cloud::Error> {
    if let Some(id) = &image.id {
        return Ok(view.image(id).await?.iter().map(rows::image).collect());
    }
    let Some(filter) = &image.filter else {
        return Ok(Vec::new());
    };
    let mut found = view.images(filter.name.as_deref(), &filter.tags).await?;
    if found.is_empty() {
        found = view.images(None, &[]).await?;
    }
    Ok(found.iter().map(rows::image).collect())
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
    let all = view.cloud().compute().flavors().await?;
    Ok(all.iter().map(rows::flavor).collect())
}
