//! How much memory a process really has.

use std::fs;
use std::io;
use std::process::Command;

/// The resident bytes of a process, shared pages included.
///
/// # Errors
/// There is no such process, or this system tells nobody.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    // Small Linux images have no `ps`, and other systems no `/proc`.
    let kib = if fs::exists("/proc/self/status")? {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix("kB"))
            .and_then(|number| number.trim().parse().ok())
    } else {
        let output = Command::new("ps")
            .args(["-o", "rss=", "-p", &pid.to_string()])
            .output()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    };
    kib.map(|kib: u64| kib << 10).ok_or_else(|| {
        // A process that has ended and was not waited for has a status without memory.
        io::Error::other(format!("process {pid} has no resident memory"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_written_to_becomes_resident() {
        let before = resident_bytes(std::process::id()).unwrap();
        let written = vec![1_u8; 64 << 20];
        let after = resident_bytes(std::process::id()).unwrap();
        assert!(written.iter().all(|byte| *byte == 1));
        assert!(after >= before + (60 << 20), "{before} → {after}");
    }

    #[test]
    fn a_process_that_is_not_there_has_none() {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(resident_bytes(child.id()).is_err());
    }
}
