//! What is wanted of a server in these tests.

use crds::openstack::v1alpha1::{OpenStackServerSpec, OpenStackServerStatus};
use crds::openstack::v1beta2::{
    AdditionalBlockDevice, BlockDeviceStorage, BlockDeviceType, ImageFilter, ImageParam,
    NetworkParam, PortOpts, RootVolume, SecurityGroupParam,
};
use k8s_openapi::api::core::v1::TypedLocalObjectReference;

use crate::server::{CREATE_TIMEOUT, Want};
/// How a server differs from the plainest one.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    pub ports: usize,
    pub tagged: bool,
    pub root_volume: bool,
    pub data_volume: bool,
    pub trunk: bool,
    pub pool: bool,
}

pub fn want(shape: &Shape) -> Want {
    let port = |index: usize| PortOpts {
        network: Some(NetworkParam {
            id: Some("net".into()),
            filter: None,
        }),
        name_suffix: (index == 1).then(|| "second".to_string()),
        security_groups: vec![SecurityGroupParam {
            id: Some("sg".into()),
            filter: None,
        }],
        ..PortOpts::default()
    };
    let data = AdditionalBlockDevice {
        name: "data".into(),
        size_gib: 7,
        storage: BlockDeviceStorage {
            type_: BlockDeviceType::Volume,
            volume: None,
        },
    };
    Want {
        namespace: "ns".into(),
        name: "m".into(),
        uid: "uid".into(),
        cluster: "c".into(),
        generation: Some(1),
        deleting: false,
        spec: OpenStackServerSpec {
            flavor: Some("SCS-2V-4".into()),
            image: ImageParam {
                filter: Some(ImageFilter {
                    name: Some("ubuntu".into()),
                    tags: vec![],
                }),
                ..ImageParam::default()
            },
            ports: (0..shape.ports.max(1)).map(port).collect(),
            trunk: shape.trunk.then_some(true),
            floating_ip_pool_ref: shape.pool.then(|| TypedLocalObjectReference {
                api_group: Some("infrastructure.cluster.x-k8s.io".into()),
                kind: "OpenStackFloatingIPPool".into(),
                name: "public".into(),
            }),
            tags: if shape.tagged {
                vec!["t".into()]
            } else {
                vec![]
            },
            root_volume: shape.root_volume.then(|| RootVolume {
                size_gib: 5,
                ..RootVolume::default()
            }),
            additional_block_devices: if shape.data_volume {
                vec![data]
            } else {
                vec![]
            },
            ..OpenStackServerSpec::default()
        },
        status: OpenStackServerStatus::default(),
        create_timeout: CREATE_TIMEOUT,
    }
}
