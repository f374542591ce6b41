//! Requests of which the status and every field of the answer count.

mod admin;
mod balancer;
mod compute;
mod disks;
mod identity;
mod network;
mod ports;
mod quotas;
mod trunks;
mod vips;
mod volume;
mod whole;

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use cloud::Credentials;
use serde_json::{Value, json};

use crate::transcript::Transcript;
use crate::wire::{COMPUTE, IMAGE, NETWORK, Wire, text};

/// An id that nothing has.
const NOTHING: &str = "00000000-0000-4000-a000-000000000000";

/// A tenant, perhaps an administrator, and the name of all that is made.
pub(crate) struct Probes {
    wire: Wire,
    admin: Option<Wire>,
    name: String,
    since: Instant,
}

/// What servers and load balancers are put on.
struct Place {
    network: String,
    subnet: String,
    router: String,
    external: String,
}

/// Sends all requests. With an administrator quotas are tried too.
///
/// # Errors
/// Answers with another status than expected. What was made stays after one that something hangs on.
pub async fn run(tenant: &Credentials, admin: Option<&Credentials>) -> Result<Transcript> {
    let admin = match admin {
        Some(credentials) => Some(Wire::login(credentials).await?),
        None => None,
    };
    let mut probes = Probes {
        wire: Wire::login(tenant).await?,
        admin,
        name: format!("capstan-probe-{}", std::process::id()),
        since: Instant::now(),
    };
    let result = probes.all().await;
    let mut differences = probes.wire.differences;
    differences.extend(result.err().map(|error| format!("{error:#}")));
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(probes.wire.transcript)
}

impl Probes {
    async fn all(&mut self) -> Result<()> {
        self.identity().await?;
        self.images().await?;
        let place = self.place().await?;
        self.step("identity, images");
        self.network(&place).await?;
        self.trunks(&place).await?;
        self.whole(&place).await?;
        self.admins(&place).await?;
        self.step("network");
        self.compute(&place).await?;
        self.disks(&place).await?;
        self.step("servers");
        self.volumes().await?;
        self.step("volumes");
        self.balancer(&place).await?;
        self.vips(&place).await?;
        self.step("load balancers");
        self.quotas(&place).await?;
        self.leave(&place).await?;
        self.step("quotas");
        Ok(())
    }

    fn step(&mut self, what: &str) {
        let took = self.since.elapsed().as_secs_f64();
        println!("{took:6.2} s  probes of {what}");
        self.since = Instant::now();
    }

    async fn images(&mut self) -> Result<()> {
        let wire = &mut self.wire;
        wire.get("images", IMAGE, "/images", 200).await?;
        wire.get(
            "images of no such name",
            IMAGE,
            "/images?name=no-such-image",
            200,
        )
        .await?;
        wire.get(
            "images of no such tag",
            IMAGE,
            "/images?tag=no-such-tag",
            200,
        )
        .await?;
        wire.get(
            "images of a name and two tags",
            IMAGE,
            "/images?name=no-such-image&tag=a&tag=b",
            200,
        )
        .await?;
        wire.listed("all images", IMAGE, "/images", "images")
            .await?;
        let image = self.image().await?;
        let wire = &mut self.wire;
        wire.get("an image", IMAGE, &format!("/images/{image}"), 200)
            .await?;
        wire.get("no such image", IMAGE, &format!("/images/{NOTHING}"), 404)
            .await?;
        Ok(())
    }

    async fn image(&self) -> Result<String> {
        let images = self
            .wire
            .ask(reqwest::Method::GET, IMAGE, "/images", &Value::Null)
            .await?
            .body;
        Ok(text(
            images["images"]
                .as_array()
                .and_then(|images| images.first())
                .context("no image")?,
            "id",
        ))
    }

    /// The flavor with the least memory that has a disk.
    async fn flavor(&self) -> Result<String> {
        self.flavor_with("disk").await
    }

    async fn flavor_with_local_disk(&self) -> Result<String> {
        self.flavor_with("OS-FLV-EXT-DATA:ephemeral").await
    }

    /// The flavor with the least memory that has some kind of disk.
    async fn flavor_with(&self, disk: &str) -> Result<String> {
        let flavors = self
            .wire
            .ask(
                reqwest::Method::GET,
                COMPUTE,
                "/flavors/detail",
                &Value::Null,
            )
            .await?
            .body;
        let flavors = flavors["flavors"].as_array().into_iter().flatten();
        let fitting = flavors.filter(|flavor| flavor[disk] != 0);
        let flavor = fitting
            .min_by_key(|flavor| flavor["ram"].as_i64())
            .with_context(|| format!("no flavor with {disk}"))?;
        Ok(text(flavor, "id"))
    }

    async fn place(&mut self) -> Result<Place> {
        let name = self.name.clone();
        let wire = &mut self.wire;
        let external = wire
            .get(
                "external networks",
                NETWORK,
                "/networks?router:external=true",
                200,
            )
            .await?;
        let external = text(
            external["networks"]
                .as_array()
                .and_then(|found| found.first())
                .context("no external network")?,
            "id",
        );
        let network = json!({"name": name, "description": "d", "admin_state_up": true});
        let network = wire
            .make("a network", NETWORK, "/networks", "network", network)
            .await?;
        let subnet = json!({"name": name, "network_id": network, "ip_version": 4, "cidr": "10.8.0.0/24",
            "dns_nameservers": ["10.0.0.1"]});
        let subnet = wire
            .make("a subnet", NETWORK, "/subnets", "subnet", subnet)
            .await?;
        let router = json!({"name": name, "external_gateway_info": {"network_id": external}});
        let router = wire
            .make(
                "a router with a gateway",
                NETWORK,
                "/routers",
                "router",
                router,
            )
            .await?;
        let path = format!("/routers/{router}/add_router_interface");
        wire.put(
            "an interface",
            NETWORK,
            &path,
            json!({"subnet_id": subnet}),
            200,
        )
        .await?;
        Ok(Place {
            network,
            subnet,
            router,
            external,
        })
    }

    async fn leave(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        let (router, subnet) = (
            format!("/routers/{}", place.router),
            json!({"subnet_id": place.subnet}),
        );
        wire.delete("a router with an interface", NETWORK, &router, 409)
            .await?;
        let unplug = format!("{router}/remove_router_interface");
        wire.put("unplugging", NETWORK, &unplug, subnet.clone(), 200)
            .await?;
        wire.put(
            "unplugging what is not plugged",
            NETWORK,
            &unplug,
            subnet,
            404,
        )
        .await?;
        wire.delete("a router", NETWORK, &router, 204).await?;
        wire.delete("a router that is gone", NETWORK, &router, 404)
            .await?;
        wire.delete(
            "a subnet",
            NETWORK,
            &format!("/subnets/{}", place.subnet),
            204,
        )
        .await?;
        wire.delete(
            "a subnet that is gone",
            NETWORK,
            &format!("/subnets/{}", place.subnet),
            404,
        )
        .await?;
        wire.delete(
            "a network",
            NETWORK,
            &format!("/networks/{}", place.network),
            204,
        )
        .await?;
        wire.delete(
            "a network that is gone",
            NETWORK,
            &format!("/networks/{}", place.network),
            404,
        )
        .await?;
        Ok(())
    }
}
