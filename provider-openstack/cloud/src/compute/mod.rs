//! Nova.

mod types;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, Listed, Query};
use crate::{Cloud, Ref, Result, Service};

pub use types::{
    Address, AvailabilityZone, BlockDevice, Fault, Flavor, Server, ServerCreate, ServerGroup,
    ServerPort, ServerStatus, ZoneState,
};

/// Tags at creation need 2.52, and 2.53 is what every supported release of Nova has.
const MICROVERSION: &str = "2.53";
/// The first that attaches multi-attach volumes.
const MULTIATTACH: &str = "2.60";

/// Nova, through one session.
#[derive(Clone, Copy)]
pub struct Compute<'a>(Api<'a>);

impl Cloud {
    /// Nova.
    pub fn compute(&self) -> Compute<'_> {
        let microversion = Some(MICROVERSION);
        Compute(Api {
            cloud: self,
            service: Service::Compute,
            microversion,
        })
    }
}

impl Compute<'_> {
    /// The servers of the project. With `changes_since`, those changed since then, where deleted ones
    /// appear with the status `DELETED`.
    pub(crate) async fn list(&self, changes_since: Option<Timestamp>) -> Result<Listed<Server>> {
        let since = changes_since.map(|time| ("changes-since".to_owned(), time.to_string()));
        self.0
            .rows(&["servers", "detail"], since.into_iter().collect())
            .await
    }

    /// The servers of the project.
    pub async fn servers(&self) -> Result<Vec<Server>> {
        Ok(self.list(None).await?.items)
    }

    /// One server; `None` when it is gone.
    pub async fn server(&self, id: &str) -> Result<Option<Server>> {
        self.0.show("server", &["servers", id]).await
    }

    /// Asks for a server. The answer comes before it is scheduled: its status is `BUILD`.
    pub async fn create_server(&self, server: &ServerCreate) -> Result<Server> {
        let mut api = self.0;
        if server.multiattach {
            api.microversion = Some(MULTIATTACH);
        }
        let mut body = json!({"server": server});
        if !server.scheduler_hints.is_empty() {
            body["os:scheduler_hints"] = Value::Object(server.scheduler_hints.clone());
        }
        let created: Ref = api
            .write::<Server, _>(Method::POST, "server", &["servers"], body)
            .await?;
        let seen = Server {
            id: created.id,
            name: server.name.clone(),
            status: ServerStatus::Build,
            metadata: server.metadata.clone(),
            tags: server.tags.clone(),
            availability_zone: server.availability_zone.clone().unwrap_or_default(),
            key_name: server.key_name.clone().unwrap_or_default(),
            ..Server::default()
        };
        api.wrote(seen.clone());
        Ok(seen)
    }

    /// Begins to delete a server; gone already is as good. Its ports stay, unless Nova made them.
    pub async fn delete_server(&self, id: &str) -> Result<()> {
        self.0
            .delete::<Server>(&["servers", id], Query::new(), id, true)
            .await
    }

    /// The flavors that the project can use.
    pub async fn flavors(&self) -> Result<Vec<Flavor>> {
        Ok(self
            .0
            .list("flavors", &["flavors", "detail"], Query::new())
            .await?
            .items)
    }

    /// One flavor; finds private and disabled ones that lists leave out.
    pub async fn flavor(&self, id: &str) -> Result<Option<Flavor>> {
        self.0.show("flavor", &["flavors", id]).await
    }

    /// The availability zones for servers.
    pub async fn availability_zones(&self) -> Result<Vec<AvailabilityZone>> {
        let key = "availabilityZoneInfo";
        Ok(self
            .0
            .list(key, &["os-availability-zone"], Query::new())
            .await?
            .items)
    }

    /// The server groups of the project.
    pub async fn server_groups(&self) -> Result<Vec<ServerGroup>> {
        Ok(self
            .0
            .list("server_groups", &["os-server-groups"], Query::new())
            .await?
            .items)
    }
}
