//! Ports of a machine: a pair of links each, `tap` at the bridge of its network, `ens<N>` in the machine.

use anyhow::Result;

use super::{ip_batch, router, short};
use crate::{agent::plan::Link, lab::Lab, netns};

/// Links a port; `number` counts the machine's NICs from 0, and the first one leads to the gateway.
pub fn attach(lab: &Lab, machine: &str, number: usize, link: &Link) -> Result<()> {
    let router = router::namespace(lab, &link.router);
    // After a crash between the link and its record the pair is there already.
    detach(lab, &link.router, &link.port);
    let (tap, nic) = (tap(&link.port), format!("ens{}", number + 3));
    ip_batch(
        Some(&router),
        &[
            format!(
                "link add {tap} type veth peer name {nic} address {} netns {machine}",
                link.mac
            ),
            format!("link set {tap} master qr-{} up", short(&link.network)),
        ],
    )?;
    let mut commands = vec!["link set lo up".to_owned()];
    commands.extend(
        link.addresses
            .iter()
            .map(|a| format!("addr add {a} dev {nic}")),
    );
    commands.push(format!("link set {nic} up"));
    if let (0, Some(gateway)) = (number, link.gateway) {
        commands.push(format!("route add default via {gateway}"));
    }
    ip_batch(Some(machine), &commands)
}

/// Unlinks a port; one that has no link is no error.
pub fn detach(lab: &Lab, router: &str, port: &str) {
    // Fails where there is nothing to remove: the pair, the namespace or the router is gone already.
    let _ = netns::ip(&[
        "-n",
        &router::namespace(lab, router),
        "link",
        "delete",
        &tap(port),
    ]);
}

fn tap(port: &str) -> String {
    format!("tap{}", short(port))
}
