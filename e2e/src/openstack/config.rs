//! Configuration files from the templates in `e2e/openstack`: `{{name}}` is replaced, all else is as it stands there.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use super::{HYPERVISORS, PASSWORD, Site};
use crate::pki::{Authority, Usage};

/// Services with a configuration file of this name that starts with common.conf.
const SERVICES: [(&str, &str); 7] = [
    ("keystone", "keystone.conf"),
    ("placement", "placement.conf"),
    ("glance", "glance-api.conf"),
    ("neutron", "neutron.conf"),
    ("nova", "nova.conf"),
    ("cinder", "cinder.conf"),
    ("octavia", "octavia.conf"),
];

/// Below the state folder; those of locks and hypervisors come to it.
const FOLDERS: [&str; 8] = [
    "nginx",
    "neutron",
    "nova",
    "cinder",
    "octavia",
    "glance/images",
    "glance/tasks",
    "glance/staging",
];

/// Writes certificates, configuration and the folders that these name. True if any of it is new or different.
pub fn write(site: &Site<'_>) -> Result<bool> {
    let state = site.state();
    for below in ["etc", "client", "log"] {
        make(&site.dir.join(below))?;
    }
    for below in FOLDERS.into_iter().map(str::to_owned).chain(hypervisors()) {
        make(&state.join(below))?;
    }
    let mut changed = certificates(site)?;
    for (service, file) in SERVICES {
        make(&state.join("lock").join(service))?;
        let mut values = values(site, &[("service", service)]);
        let login = render(site, "login.conf", &values)?;
        values.push(("login".to_owned(), login.trim_end().to_owned()));
        let text = format!(
            "{}\n{}",
            render(site, "common.conf", &values)?,
            render(site, file, &values)?
        );
        changed |= put(&site.conf(file), &text)?;
    }
    for file in [
        "nova-database.conf",
        "mariadb.cnf",
        "rabbitmq.conf",
        "nginx.conf",
    ] {
        changed |= put(&site.conf(file), &render(site, file, &values(site, &[]))?)?;
    }
    for host in hypervisors() {
        let text = render(site, "nova-compute.conf", &values(site, &[("host", &host)]))?;
        changed |= put(&site.conf(&format!("{host}.conf")), &text)?;
    }
    // Nova looks for it beside its configuration.
    let paste = fs::read_to_string(site.venv.join("etc/nova/api-paste.ini"))
        .context("api-paste.ini of Nova")?;
    changed |= put(&site.conf("api-paste.ini"), &paste)?;
    // RabbitMQ: no plugins.
    changed |= put(&site.conf("enabled_plugins"), "[].\n")?;
    put(
        &site.dir.join("client/clouds.yaml"),
        &render(site, "clouds.yaml", &values(site, &[]))?,
    )?;
    Ok(changed)
}

/// Host names of the fake hypervisors; the n-th is in availability zone az<n>.
pub fn hypervisors() -> impl Iterator<Item = String> {
    (1..=HYPERVISORS).map(|n| format!("fake-compute-{n}"))
}

fn certificates(site: &Site<'_>) -> Result<bool> {
    let tls = site.dir.join("tls");
    let authority = Authority::open(&tls, "ca")?;
    authority.sign(
        "server",
        "openstack",
        &Usage::Server(&["127.0.0.1", "localhost"]),
    )?;
    let pem = fs::read_to_string(&authority.certificate).context("certificate of the CA")?;
    put(&tls.join("ca.pem"), &pem)
}

type Values = Vec<(String, String)>;

fn values(site: &Site<'_>, more: &[(&str, &str)]) -> Values {
    let path = |p: &Path| p.display().to_string();
    let fixed = [
        ("state", path(&site.state())),
        ("log", path(&site.dir.join("log"))),
        ("tls", path(&site.dir.join("tls"))),
        ("venv", path(&site.venv)),
        ("password", PASSWORD.to_owned()),
        (
            "database",
            format!("mysql+pymysql://os:{PASSWORD}@127.0.0.1:3306"),
        ),
    ];
    let more = more
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    fixed
        .into_iter()
        .chain(more)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn render(site: &Site<'_>, template: &str, values: &Values) -> Result<String> {
    let path = site.lab.repo.join("e2e/openstack").join(template);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    fill(&text, values).with_context(|| format!("template {template}"))
}

/// Replaces each `{{name}}` by its value.
fn fill(text: &str, values: &Values) -> Result<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, behind) = after.split_once("}}").context("`{{` without `}}`")?;
        let Some((_, value)) = values.iter().find(|(n, _)| n == name) else {
            bail!(
                "{{{{{name}}}}}: no value of this name; known are {:?}",
                values.iter().map(|v| &v.0).collect::<Vec<_>>()
            );
        };
        filled.push_str(before);
        filled.push_str(value);
        rest = behind;
    }
    Ok(filled + rest)
}

fn make(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))
}

/// True if the file was not there or different.
fn put(path: &Path, text: &str) -> Result<bool> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_every_placeholder() {
        let values = vec![
            ("a".to_owned(), "1".to_owned()),
            ("b".to_owned(), "{{a}}".to_owned()),
        ];
        assert_eq!(
            fill("x = {{a}}{{b}}\n{ y }", &values).unwrap(),
            "x = 1{{a}}\n{ y }"
        );
    }

    #[test]
    fn names_an_unknown_placeholder() {
        let error = fill("{{stat}}", &vec![("state".to_owned(), String::new())])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("{{stat}}") && error.contains("state"),
            "{error}"
        );
    }
}
