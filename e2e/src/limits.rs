//! The one setting of the machine that a lab changes: fs.inotify.max_user_instances.
//! A control plane node takes 13 of the usual 128; without more containerd starts but answers nothing.
//!
//! Kept in /run, which ends with the boot as the setting does: the value before, and which labs want it raised.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::lab::Lab;

const SETTING: &str = "/proc/sys/fs/inotify/max_user_instances";
const ENOUGH: u32 = 1024;
const DIR: &str = "/run/capstan-lab";
const BEFORE: &str = "/run/capstan-lab/max_user_instances";
const LABS: &str = "/run/capstan-lab/labs";

/// Raises the limit if it is lower, with a message, and notes that this lab wants it.
pub fn raise(lab: &Lab) -> Result<()> {
    let now = read(SETTING)?;
    if now < ENOUGH {
        fs::create_dir_all(LABS).with_context(|| LABS.to_owned())?;
        fs::write(BEFORE, now.to_string()).with_context(|| BEFORE.to_owned())?;
        lab.say(format_args!(
            "fs.inotify.max_user_instances: {now} -> {ENOUGH} until the last lab is down"
        ));
        write(ENOUGH)?;
    }
    if Path::new(BEFORE).exists() {
        let mark = Path::new(LABS).join(&lab.name);
        fs::write(&mark, "").with_context(|| mark.display().to_string())?;
    }
    Ok(())
}

/// Puts it back, unless another lab still wants it.
pub fn put_back(lab: &Lab) -> Result<()> {
    // Gone already, or never raised.
    let _ = fs::remove_file(Path::new(LABS).join(&lab.name));
    let wanted = fs::read_dir(LABS).is_ok_and(|mut labs| labs.next().is_some());
    if wanted || !Path::new(BEFORE).exists() {
        return Ok(());
    }
    let before = read(BEFORE)?;
    write(before)?;
    lab.say(format_args!(
        "fs.inotify.max_user_instances: back to {before}"
    ));
    fs::remove_dir_all(DIR).with_context(|| DIR.to_owned())
}

fn read(path: &str) -> Result<u32> {
    fs::read_to_string(path)
        .with_context(|| path.to_owned())?
        .trim()
        .parse()
        .with_context(|| format!("{path}: no number"))
}

fn write(value: u32) -> Result<()> {
    fs::write(SETTING, value.to_string()).with_context(|| format!("set {SETTING} to {value}"))
}
