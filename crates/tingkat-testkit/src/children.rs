//! The children of a process.

use std::fs;
use std::process::Command;

use rustix::process::Pid;

use crate::error::{Error, Result};

/// The processes whose parent this is, zombies included.
pub(crate) fn children_of(parent: u32) -> Result<Vec<Pid>> {
    // Small Linux images have no `ps`, and other systems no `/proc`.
    let table = match fs::read_dir("/proc/self") {
        Ok(_) => from_proc()?,
        Err(_) => from_ps()?,
    };
    let children = table
        .into_iter()
        .filter(|(_, its_parent)| *its_parent == parent);
    Ok(children
        .filter_map(|(pid, _)| Pid::from_raw(i32::try_from(pid).ok()?))
        .collect())
}

/// Each process and its parent.
fn from_proc() -> Result<Vec<(u32, u32)>> {
    let entries = fs::read_dir("/proc").map_err(Error::io("list processes"))?;
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids
        .filter_map(|pid| Some((pid, parent_of(pid)?)))
        .collect())
}

/// The second word after the name of the program, which may itself hold parentheses (proc(5)).
fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

fn from_ps() -> Result<Vec<(u32, u32)>> {
    let output = Command::new("ps")
        .args(["-A", "-o", "pid=", "-o", "ppid="])
        .output()
        .map_err(Error::running("ps"))?;
    let table = String::from_utf8_lossy(&output.stdout);
    Ok(table
        .lines()
        .filter_map(|line| {
            let (pid, parent) = line.trim().split_once(char::is_whitespace)?;
            Some((pid.parse().ok()?, parent.trim().parse().ok()?))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_of_ours_is_among_our_children() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let children = children_of(std::process::id()).unwrap();
        let ps = from_ps().unwrap();
        let is_child = children.contains(&Pid::from_child(&child));
        let is_known_to_ps = ps.contains(&(child.id(), std::process::id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_child && is_known_to_ps);
    }
}
