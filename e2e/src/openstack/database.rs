//! MariaDB and RabbitMQ, and the databases of all services.
//!
//! Migrations take most of a first start, so the data directory as they leave it is kept in the cache, and
//! the next new lab copies it. Ports and passwords are the same in every lab, therefore so are the databases.

use std::{
    fs,
    io::ErrorKind,
    net::TcpStream,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use base64::{Engine, engine::general_purpose::URL_SAFE};
use sha2::{Digest, Sha256};

use super::{NAME, PASSWORD, Site, command, identity, run, services};
use crate::{pki::write_private, process::wait_for};

const DATABASES: [&str; 9] = [
    "keystone",
    "placement",
    "glance",
    "neutron",
    "nova_api",
    "nova",
    "nova_cell0",
    "cinder",
    "octavia",
];
const DEADLINE: Duration = Duration::from_secs(120);

/// Starts MariaDB, with the databases of all services in it.
pub fn mariadb(site: &Site<'_>) -> Result<()> {
    initialise(site)?;
    serve(site)
}

/// Has a former start with these versions finished to fill the databases?
pub fn initialised(site: &Site<'_>) -> bool {
    fs::read_to_string(done(site)).is_ok_and(|versions| versions == site.venv.display().to_string())
}

fn done(site: &Site<'_>) -> PathBuf {
    site.state().join("initialised")
}

/// Fills the data directory; what an interrupted start or another version left there is of no use.
fn initialise(site: &Site<'_>) -> Result<()> {
    if initialised(site) {
        return Ok(());
    }
    remove(&data(site))?;
    keys(site)?;
    let kept = kept(site)?;
    if kept.exists() {
        copy(&kept, &data(site))?;
    } else {
        create(site)?;
        keep(site, &kept)?;
    }
    let done = done(site);
    fs::write(&done, site.venv.display().to_string()).with_context(|| done.display().to_string())
}

fn data(site: &Site<'_>) -> PathBuf {
    site.state().join("mariadb")
}

/// Where the filled data directory is kept: named by everything that its content depends on.
fn kept(site: &Site<'_>) -> Result<PathBuf> {
    let mut version = command("mariadbd");
    version.arg("--version");
    let mut digest = Sha256::new();
    digest.update(run(version)?);
    digest.update(fs::read(site.lab.repo.join("e2e/openstack/mariadb.cnf"))?);
    digest.update([include_str!("database.rs"), include_str!("identity.rs")].concat());
    let beside = site
        .venv
        .parent()
        .context("a Python environment without a folder")?;
    Ok(beside.join(format!(
        "databases-{}",
        &hex::encode(digest.finalize())[..16]
    )))
}

/// Creates and fills all databases; ends with MariaDB stopped, so that its files can be copied.
fn create(site: &Site<'_>) -> Result<()> {
    let mut install = command("mariadb-install-db");
    install.arg(format!(
        "--defaults-file={}",
        site.conf("mariadb.cnf").display()
    ));
    install.args(["--skip-test-db", "--auth-root-authentication-method=socket"]);
    run(install)?;
    serve(site)?;
    let mut statements = format!(
        "CREATE USER 'os'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO 'os'@'127.0.0.1';"
    );
    for name in DATABASES {
        statements += &format!("CREATE DATABASE {name} CHARACTER SET utf8mb3;");
    }
    sql(site, &statements)?;
    site.lab
        .step("openstack: migrations (once, then kept)", || migrate(site))?;
    services::identity(site)?;
    identity::seed(site.lab)?;
    site.lab.stop(NAME, "keystone")?;
    site.lab.stop(NAME, "mariadb")
}

/// Three at a time: more do not get faster on two cores.
fn migrate(site: &Site<'_>) -> Result<()> {
    let manage = |program: &str, files: &[&str], args: &str| {
        let mut manage = site.python(program);
        for file in files {
            manage.arg("--config-file").arg(site.conf(file));
        }
        manage
            .args(args.split_whitespace())
            .env("OS_BOOTSTRAP_PASSWORD", PASSWORD);
        run(manage).map(drop)
    };
    let nova = |args: &str| manage("nova-manage", &["nova.conf", "nova-database.conf"], args);
    let small = || {
        manage("keystone-manage", &["keystone.conf"], "db_sync")?;
        manage("keystone-manage", &["keystone.conf"], BOOTSTRAP)?;
        manage("placement-manage", &["placement.conf"], "db sync")?;
        manage("glance-manage", &["glance-api.conf"], "db_sync")?;
        manage("octavia-db-manage", &["octavia.conf"], "upgrade head")?;
        manage("cinder-manage", &["cinder.conf"], "db sync")
    };
    let neutron = || manage("neutron-db-manage", &["neutron.conf"], "upgrade heads");
    let cells = || {
        nova("api_db sync")?;
        nova("cell_v2 map_cell0")?;
        nova("db sync")?;
        nova("cell_v2 create_cell --name cell1")
    };
    thread::scope(|scope| {
        let running = [scope.spawn(small), scope.spawn(neutron), scope.spawn(cells)];
        running
            .into_iter()
            .try_for_each(|t| t.join().map_err(|_| anyhow!("a migration panicked"))?)
    })
}

const BOOTSTRAP: &str = "bootstrap --bootstrap-region-id RegionOne \
     --bootstrap-public-url https://127.0.0.1:5000/v3 \
     --bootstrap-internal-url http://127.0.0.1:15000/v3 \
     --bootstrap-admin-url http://127.0.0.1:15000/v3";

/// Keys of Keystone's tokens and credentials. Of each, 1 is in use and 0 the next.
fn keys(site: &Site<'_>) -> Result<()> {
    for kind in ["fernet", "credential"] {
        let dir = site.state().join("keystone").join(kind);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .with_context(|| dir.display().to_string())?;
        for name in ["0", "1"] {
            write_private(
                &dir.join(name),
                &URL_SAFE.encode(rand::random::<[u8; 32]>()),
            )?;
        }
    }
    Ok(())
}

fn serve(site: &Site<'_>) -> Result<()> {
    let mut server = command("mariadbd");
    server.arg(format!(
        "--defaults-file={}",
        site.conf("mariadb.cnf").display()
    ));
    site.start("mariadb", server)?;
    wait_for("MariaDB", DEADLINE, || {
        services::while_alive(site, "mariadb", sql(site, "SELECT 1"))
    })?
}

/// Starts RabbitMQ.
pub fn rabbitmq(site: &Site<'_>) -> Result<()> {
    // Its own, because a server would start one that outlives it.
    let mut epmd = command("epmd");
    epmd.env("ERL_EPMD_ADDRESS", "127.0.0.1");
    site.start("epmd", epmd)?;
    let mut server = rabbit_command(site, "rabbitmq-server")?;
    // The script then becomes the server, instead of a parent without which the server would live on.
    server.env("RUNNING_UNDER_SYSTEMD", "true");
    server.env(
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
        "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none",
    );
    site.start("rabbitmq", server)?;
    wait_for("RabbitMQ", DEADLINE, || {
        let port = TcpStream::connect(("127.0.0.1", 5672)).context("127.0.0.1:5672");
        services::while_alive(site, "rabbitmq", port.map(drop))
    })?
}

/// A program of RabbitMQ; Debian's own wrappers would change the user.
pub fn rabbit_command(site: &Site<'_>, program: &str) -> Result<Command> {
    let home = site.state().join("rabbitmq");
    fs::create_dir_all(&home).with_context(|| home.display().to_string())?;
    let mut server = command(Path::new("/usr/lib/rabbitmq/bin").join(program));
    server
        .env("HOME", &home)
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODENAME", "os@localhost")
        .env("RABBITMQ_CONFIG_FILE", site.conf("rabbitmq.conf"))
        .env(
            "RABBITMQ_ENABLED_PLUGINS_FILE",
            site.conf("enabled_plugins"),
        )
        .env("RABBITMQ_MNESIA_BASE", home.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", home.join("log"))
        .env("RABBITMQ_PID_FILE", home.join("pid"));
    Ok(server)
}

fn sql(site: &Site<'_>, statements: &str) -> Result<()> {
    let mut client = command("mariadb");
    client
        .arg("--no-defaults")
        .arg("--socket")
        .arg(site.state().join("mariadb.sock"));
    client.args(["--user=root", "--execute", statements]);
    run(client).map(drop)
}

/// Appears whole or not at all, also if two labs do it at once.
fn keep(site: &Site<'_>, kept: &Path) -> Result<()> {
    let partial = kept.with_extension(&site.lab.name);
    remove(&partial)?;
    copy(&data(site), &partial)?;
    match fs::rename(&partial, kept) {
        Err(_) if kept.exists() => remove(&partial),
        done => done.with_context(|| kept.display().to_string()),
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut cp = command("cp");
    cp.args(["--archive", "--reflink=auto"]).args([from, to]);
    run(cp).map(drop)
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(e).with_context(|| format!("remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}
