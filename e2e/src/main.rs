//! `cargo lab`: everything that Capstan meets in production, real, on one machine and without an uplink.

mod agent;
mod flows;
mod image;
mod lab;
mod netns;
mod openstack;
mod part;
mod parts;
mod pki;
mod process;
mod progress;
mod tools;

fn main() -> anyhow::Result<()> {
    let lab = lab::Lab::open("default")?;
    lab.say(lab.dir.display());
    Ok(())
}
