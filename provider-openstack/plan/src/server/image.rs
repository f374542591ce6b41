//! The Image object of the OpenStack Resource Controller (ORC) that a spec may refer to.

use crds::orc;

use super::Want;
use super::report::problem;
use super::resolve::Unresolved;
use crate::step::Problem;

/// Reasons of ORC's condition `Progressing` after which it does not try again.
const TERMINAL: [&str; 2] = ["InvalidConfiguration", "UnrecoverableError"];

/// What a reference to an Image object leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ImageObject {
    /// The spec has no such reference, or nobody looked.
    #[default]
    Unknown,
    /// The management cluster has no such kind: ORC is not installed.
    NotInstalled,
    /// There is no object of that name.
    Absent,
    /// ORC works on it; its own words.
    Pending(String),
    /// ORC gave up; its own words.
    Failed(String),
    /// Id of the image that can be booted.
    Available(String),
}

impl From<&orc::Image> for ImageObject {
    fn from(image: &orc::Image) -> Self {
        if let Some(id) = image.available_id() {
            return Self::Available(id.to_string());
        }
        let mut conditions = image.status.conditions.iter();
        let Some(progress) = conditions.find(|condition| condition.type_ == "Progressing") else {
            return Self::Pending("ORC has not looked at it yet".to_string());
        };
        let current = progress.observed_generation == image.metadata.generation;
        let said = progress.message.clone();
        let over = progress.status == "False" && TERMINAL.contains(&progress.reason.as_str());
        match over && current {
            true => Self::Failed(said),
            false => Self::Pending(said),
        }
    }
}

impl ImageObject {
    /// The id of the image.
    pub(super) fn resolve(&self, want: &Want, name: &str) -> Result<String, Unresolved> {
        let because = |way_out: String| -> Problem {
            problem(want, "spec.image.imageRef.name", name, way_out)
        };
        let namespace = &want.namespace;
        Err(match self {
            Self::Available(id) => return Ok(id.clone()),
            Self::NotInstalled => Unresolved::Wrong(because(
                "the management cluster has no Images (openstack.k-orc.cloud); install the OpenStack Resource Controller, or give the id of an image or a filter".to_string(),
            )),
            Self::Absent | Self::Unknown => Unresolved::NotYet(because(format!(
                "there is no Image {namespace}/{name} yet; create it, or give the id of an image or a filter"
            ))),
            Self::Pending(said) => Unresolved::NotYet(because(format!(
                "Image {namespace}/{name} is not available yet: {said}"
            ))),
            Self::Failed(said) => Unresolved::Wrong(because(format!(
                "Image {namespace}/{name} failed: {said}; correct it, or name another one"
            ))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(progressing: &str, reason: &str, observed: i64) -> ImageObject {
        let image: orc::Image = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "ubuntu", "generation": 2},
            "status": {"conditions": [{
                "type": "Progressing", "status": progressing, "reason": reason, "message": "so",
                "observedGeneration": observed, "lastTransitionTime": "2026-11-21T12:00:00Z",
            }]},
        }))
        .expect("decodes");
        ImageObject::from(&image)
    }

    #[test]
    fn an_image_has_failed_only_when_orc_gave_up_on_what_it_is_now() {
        let failed = ImageObject::Failed("so".into());
        let pending = ImageObject::Pending("so".into());
        assert_eq!(image("False", "InvalidConfiguration", 2), failed);
        assert_eq!(image("False", "InvalidConfiguration", 1), pending);
        assert_eq!(image("True", "TransientError", 2), pending);
        assert!(matches!(
            ImageObject::from(&orc::Image::default()),
            ImageObject::Pending(_)
        ));
    }
}
