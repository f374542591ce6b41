//! The flow `openstack`: what Capstan needs of a cloud, shown in a project of its own, which it leaves empty.

use std::{fs, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use cloud::{Auth, Credentials};
use serde_json::{Value, json};

use super::{
    PASSWORD,
    client::{Client, Service, USER_AGENT},
    requests,
};
use crate::lab::Lab;

mod steps;

const DEADLINE: Duration = Duration::from_secs(60);

/// The tenant of this proof, and the administrator who looks over its shoulder.
struct Proof {
    admin: Client,
    tenant: Client,
    name: String,
}

/// Makes one of everything that the provider makes, checks it, deletes it.
///
/// # Errors
/// What was not as a real cloud has it. The project then stays, for a look at it.
pub fn prove(lab: &Lab) -> Result<()> {
    let mark = requests::mark(lab);
    untrusted_client_is_refused()?;
    let proof = Proof::begin(lab)?;
    let before = proof.admin.inventory(&proof.name)?;
    lab.step("application credential", || proof.application_credential())?;
    let network = lab.step("network, subnet, router, security group", || {
        proof.network()
    })?;
    let (server, port) = lab.step("machine with port, tags, user data, floating IP", || {
        proof.machine(&network)
    })?;
    let booted = lab.step("machine with a root volume; volume", || {
        proof.volumes(&network)
    })?;
    let balancer = lab.step("load balancer with a floating IP", || {
        proof.load_balancer(&network)
    })?;
    lab.step("everything deleted", || {
        proof.delete(&network, &[server, booted], &port, &balancer)
    })?;
    lab.step("the contract with the provider", || proof.contract(lab))?;
    let after = proof.admin.inventory(&proof.name)?;
    ensure!(
        before == after,
        "project {}: left {after:?}, had {before:?}",
        proof.name
    );
    counted(lab, mark)?;
    proof.end()
}

/// The front end has counted, and no service has failed.
fn counted(lab: &Lab, mark: requests::Mark) -> Result<()> {
    if let Some(failed) = requests::since(lab, mark, USER_AGENT)?
        .iter()
        .find(|r| r.status >= 500)
    {
        bail!(
            "{} {} was answered with {}",
            failed.method,
            failed.path,
            failed.status
        );
    }
    let counts = requests::requests_since(lab, mark, USER_AGENT)?;
    for service in [
        Service::Identity,
        Service::Compute,
        Service::Network,
        Service::LoadBalancer,
    ] {
        ensure!(
            counts.contains_key(service.name()),
            "no request to {} was counted: {counts:?}",
            service.name()
        );
    }
    Ok(())
}

fn untrusted_client_is_refused() -> Result<()> {
    let provider = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::blocking::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()?;
    let Err(error) = client.get("https://127.0.0.1:5000/v3").send() else {
        bail!("a client that trusts no CA was answered");
    };
    let said = format!("{:?}", error);
    ensure!(
        said.contains("UnknownIssuer"),
        "a client that trusts no CA got another error: {said}"
    );
    Ok(())
}

impl Proof {
    fn begin(lab: &Lab) -> Result<Self> {
        let admin = Client::admin(lab)?;
        let name = format!("proof-{:08x}", rand::random::<u32>());
        let project = json!({ "name": name, "domain_id": "default" });
        let project = create(&admin, Service::Identity, "/projects", "project", project)?;
        let user = json!({ "name": name, "password": PASSWORD, "domain_id": "default" });
        let user = create(&admin, Service::Identity, "/users", "user", user)?;
        for role in admin.list(Service::Identity, "/roles", "roles")? {
            if ["member", "load-balancer_member"]
                .iter()
                .any(|n| role["name"] == *n)
            {
                let path = format!(
                    "/projects/{project}/users/{user}/roles/{}",
                    text(&role, "id")?
                );
                admin.put(Service::Identity, &path, &Value::Null)?;
            }
        }
        let tenant = Client::new(lab, &name, &name)?;
        // Neutron makes a project's default security group when the project first looks.
        tenant.list(Service::Network, "/security-groups", "security_groups")?;
        Ok(Self {
            admin,
            tenant,
            name,
        })
    }

    fn end(self) -> Result<()> {
        for group in self
            .tenant
            .list(Service::Network, "/security-groups", "security_groups")?
        {
            self.admin.delete(
                Service::Network,
                &format!("/security-groups/{}", text(&group, "id")?),
            )?;
        }
        self.admin.delete(
            Service::Identity,
            &format!("/users/{}", self.tenant.user_id()?),
        )?;
        Ok(self.admin.delete(
            Service::Identity,
            &format!("/projects/{}", self.tenant.project_id()?),
        )?)
    }

    /// It can be made, logged in with, and lets its owner make load balancers.
    fn application_credential(&self) -> Result<()> {
        let path = format!("/users/{}/application_credentials", self.tenant.user_id()?);
        let made = json!({ "application_credential": { "name": "proof" } });
        let made =
            self.tenant.post(Service::Identity, &path, &made)?["application_credential"].take();
        let id = text(&made, "id")?;
        let login = json!({ "auth": { "identity": {
            "methods": ["application_credential"],
            "application_credential": { "id": id, "secret": made["secret"] },
        }}});
        let token = self
            .tenant
            .post(Service::Identity, "/auth/tokens", &login)?;
        let roles = token["token"]["roles"]
            .as_array()
            .context("token without roles")?;
        ensure!(
            roles.iter().any(|r| r["name"] == "load-balancer_member"),
            "roles of the credential: {roles:?}"
        );
        Ok(self
            .tenant
            .delete(Service::Identity, &format!("{path}/{id}"))?)
    }

    /// What the provider's client needs, which the simulator is held to as well.
    fn contract(&self, lab: &Lab) -> Result<()> {
        let ca = fs::read(super::ca(lab))?;
        let clouds = fs::read(super::clouds_yaml(lab))?;
        let admin = Credentials::parse(&clouds, "admin", None, Some(&ca))?;
        let mut tenant = admin.clone();
        tenant.project.name = Some(self.name.clone());
        if let Auth::Password { user, .. } = &mut tenant.auth {
            user.name = Some(self.name.clone());
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            contract::run(tenant.clone()).await?;
            contract::probes::run(&tenant, Some(&admin)).await.map(drop)
        })
    }
}

fn create(
    client: &Client,
    service: Service,
    path: &str,
    kind: &str,
    body: Value,
) -> Result<String> {
    text(
        &client.post(service, path, &json!({ kind: body }))?[kind],
        "id",
    )
}

fn text(object: &Value, field: &str) -> Result<String> {
    object[field]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("no {field} in {object}"))
}
