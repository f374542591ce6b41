//! Nova.

mod create;
mod devices;
mod life;
mod show;

use axum::http::Method;
use serde_json::{Value, json};

use super::list::{page, shown};
use super::request::{Refusal, Request};
use super::table::{id, text};
use super::{Answer, Caller, Filters, Reply, Resource, World, inner};

/// Microversions that are spoken.
pub(super) const OLDEST: Microversion = (2, 1);
pub(super) const NEWEST: Microversion = (2, 104);
/// Rows of a page (`max_limit` of Nova).
const PAGE: usize = 1000;

/// Field of a server in a cell that Nova cannot reach.
const CUT_OFF: &str = "_cut_off";
/// What Nova says instead of what went wrong.
const UNEXPECTED: &str = "Unexpected API Error.";

/// Major and minor number.
pub(super) type Microversion = (u32, u32);

impl World {
    pub(crate) fn compute(&mut self, caller: &Caller, request: &Request) -> Answer {
        let version = microversion(request)?;
        let mut reply = self.compute_at(caller, request, version)?;
        let spoken = format!("compute {}.{}", version.0, version.1);
        reply
            .headers
            .push(("OpenStack-API-Version".to_owned(), spoken));
        reply
            .headers
            .push(("Vary".to_owned(), "OpenStack-API-Version".to_owned()));
        Ok(reply)
    }

    fn compute_at(&mut self, caller: &Caller, request: &Request, version: Microversion) -> Answer {
        match (&request.method, request.segments().as_slice()) {
            (&Method::GET, ["servers"]) => self.list_servers(caller, request, version, false),
            (&Method::GET, ["servers", "detail"]) => {
                self.list_servers(caller, request, version, true)
            }
            (&Method::POST, ["servers"]) => self.create_server(caller, &request.body, version),
            (&Method::GET, ["servers", id]) => {
                let row = self.server(caller, id)?;
                let server = self.server_view(row, version, caller);
                Reply::ok(json!({"server": server}))
            }
            (&Method::DELETE, ["servers", id]) => self.delete_server(caller, id),
            (&Method::POST, ["servers", id, "action"]) => self.server_action(caller, id, request),
            (&Method::GET, ["servers", id, "os-interface"]) => self.server_interfaces(caller, id),
            (&Method::DELETE, ["servers", id, "os-interface", port]) => {
                self.server(caller, id)?;
                self.detach_port(port);
                Reply::empty(202)
            }
            (&Method::GET, ["flavors"] | ["flavors", "detail"]) => {
                self.list_flavors(request, version)
            }
            (&Method::GET, ["flavors", id]) => {
                let missing = || Refusal::not_found(format!("Flavor {id} could not be found."));
                let row = self.row(Resource::Flavors, id).ok_or_else(missing)?;
                Reply::ok(json!({"flavor": show::flavor(row, version)}))
            }
            (&Method::GET, ["os-availability-zone"]) => Reply::ok(self.zones()),
            (&Method::GET, ["os-keypairs"]) => {
                let own = self.table(Resource::Keypairs).iter();
                let rows: Vec<Value> = own
                    .map(|row| json!({"keypair": shown(row, None)}))
                    .collect();
                Reply::ok(json!({"keypairs": rows}))
            }
            (&Method::POST, ["os-keypairs"]) => self.create_keypair(caller, &request.body),
            (&Method::DELETE, ["os-keypairs", name]) => {
                let missing = || Refusal::not_found(format!("Keypair {name} not found for user"));
                let gone = self.table_mut(Resource::Keypairs).remove(name);
                gone.ok_or_else(missing)?;
                Reply::empty(204)
            }
            (_, ["os-quota-sets", project]) => {
                let project = (*project).to_owned();
                self.quotas(caller, request, &project, "quota_set")
            }
            (_, ["os-server-groups", rest @ ..]) => {
                self.server_groups(caller, request, rest, version)
            }
            _ => Err(Refusal::no_route(request)),
        }
    }

    fn create_keypair(&mut self, caller: &Caller, body: &Value) -> Answer {
        let name = text(inner(body, "keypair")?, "name").to_owned();
        if self.row(Resource::Keypairs, &name).is_some() {
            return Err(Refusal::conflict(format!(
                "Key pair '{name}' already exists."
            )));
        }
        let row = json!({"id": name, "name": name, "type": "ssh", "fingerprint": "", "public_key": "ssh-rsa AAAA"});
        self.table_mut(Resource::Keypairs).insert(row);
        let shown = json!({"name": name, "type": "ssh", "fingerprint": "", "public_key": "ssh-rsa AAAA",
            "private_key": "secret", "user_id": caller.user_id});
        Ok(Reply::new(201, json!({"keypair": shown})))
    }

    fn list_flavors(&self, request: &Request, version: Microversion) -> Answer {
        let flavors = self.table(Resource::Flavors).iter();
        let public = flavors.filter(|row| row["os-flavor-access:is_public"] != false);
        let rows = public.map(|row| show::flavor(row, version)).collect();
        let paging = self.paging(request, "v2.1", PAGE, PAGE);
        page(request, "flavors", rows, &paging)
    }

    fn zones(&self) -> Value {
        let zones = self.zones.iter();
        let zones: Vec<Value> = zones
            .map(|name| json!({"zoneName": name, "zoneState": {"available": true}, "hosts": null}))
            .collect();
        json!({"availabilityZoneInfo": zones})
    }

    fn server_groups(
        &mut self,
        caller: &Caller,
        request: &Request,
        rest: &[&str],
        version: Microversion,
    ) -> Answer {
        let missing =
            |id: &str| Refusal::not_found(format!("Instance group {id} could not be found."));
        match (&request.method, rest) {
            (&Method::GET, []) => {
                let filters = Filters::read(request, Some(&[]))?;
                let rows = self.rows(caller, Resource::ServerGroups, &filters);
                let rows: Vec<Value> = rows.map(|row| show::server_group(row, version)).collect();
                Reply::ok(json!({"server_groups": rows}))
            }
            (&Method::POST, []) => {
                let given = inner(&request.body, "server_group")?;
                let policy = given["policy"].as_str().or(given["policies"][0].as_str());
                let policy = policy
                    .ok_or_else(|| Refusal::bad("Invalid input for field/attribute policy."))?;
                let row = json!({"id": self.new_id(), "name": given["name"], "policy": policy,
                    "policies": [policy], "members": [], "metadata": {}, "rules": given["rules"],
                    "project_id": caller.project_id, "user_id": caller.user_id});
                self.table_mut(Resource::ServerGroups).insert(row.clone());
                Reply::ok(json!({"server_group": show::server_group(&row, version)}))
            }
            (&Method::GET, [id]) => {
                let row = self
                    .find(caller, Resource::ServerGroups, id)
                    .ok_or_else(|| missing(id))?;
                Reply::ok(json!({"server_group": show::server_group(row, version)}))
            }
            (&Method::DELETE, [id]) => {
                self.find(caller, Resource::ServerGroups, id)
                    .ok_or_else(|| missing(id))?;
                self.table_mut(Resource::ServerGroups).remove(id);
                Reply::empty(204)
            }
            _ => Err(Refusal::no_route(request)),
        }
    }

    fn server(&self, caller: &Caller, id: &str) -> Result<&Value, Refusal> {
        let missing = || Refusal::not_found(format!("Instance {id} could not be found."));
        let row = self.find(caller, Resource::Servers, id);
        let row = row.ok_or_else(missing)?;
        match row[CUT_OFF] == true {
            true => Err(Refusal::new(500, "computeFault", UNEXPECTED)),
            false => Ok(row),
        }
    }

    /// Ids of the ports of a server.
    pub(crate) fn ports_of_server(&self, id: &str) -> Vec<String> {
        self.table(Resource::Ports).ids_with("device_id", id)
    }

    fn server_interfaces(&self, caller: &Caller, id: &str) -> Answer {
        self.server(caller, id)?;
        let ports = self.table(Resource::Ports).with("device_id", id);
        let found: Vec<Value> = ports
            .map(|port| json!({"port_id": port["id"], "net_id": port["network_id"], "mac_addr": port["mac_address"],
                "fixed_ips": port["fixed_ips"], "port_state": port["status"]}))
            .collect();
        Reply::ok(json!({"interfaceAttachments": found}))
    }
}

/// The microversion of a request: the oldest when it names none.
fn microversion(request: &Request) -> Result<Microversion, Refusal> {
    let Some(asked) = request.microversion.as_deref() else {
        return Ok(OLDEST);
    };
    if asked == "latest" {
        return Ok(NEWEST);
    }
    let numbers = asked.split_once('.');
    let read = |(major, minor): (&str, &str)| Some((major.parse().ok()?, minor.parse().ok()?));
    let malformed = || {
        Refusal::bad(format!(
            "API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum."
        ))
    };
    let version: Microversion = numbers.and_then(read).ok_or_else(malformed)?;
    if version < OLDEST || version > NEWEST {
        let message = format!(
            "Version {asked} is not supported by the API. Minimum is {}.{} and maximum is {}.{}.",
            OLDEST.0, OLDEST.1, NEWEST.0, NEWEST.1
        );
        return Err(Refusal::new(406, "NotAcceptable", message));
    }
    Ok(version)
}

/// The row's id, for lists without details.
fn brief(row: &Value) -> Value {
    json!({"id": id(row), "name": text(row, "name"), "links": []})
}
