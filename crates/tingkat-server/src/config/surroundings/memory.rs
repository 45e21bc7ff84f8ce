//! How much memory this process may use: what the machine has, or less where a container or a unit
//! of systemd is limited.

use std::io;
use std::path::Path;

/// Where each version of the control groups keeps the limit of a group.
const GROUPS: [(Version, &str, &str); 2] = [
    (Version::Second, "/sys/fs/cgroup", "memory.max"),
    (
        Version::First,
        "/sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
    ),
];

/// A version of the control groups.
#[derive(Clone, Copy)]
enum Version {
    First,
    Second,
}

/// The least of all limits; nothing where none is known.
pub(super) fn limit(read: impl Fn(&Path) -> io::Result<String>) -> Option<u64> {
    let text = |path: &str| read(Path::new(path)).ok();
    let machine = text("/proc/meminfo").as_deref().and_then(total);
    let groups = text("/proc/self/cgroup").unwrap_or_default();
    let limits = GROUPS.iter().flat_map(|(version, root, file)| {
        let own = group(&groups, *version).unwrap_or("/");
        // A limit of any group around this one holds as well.
        let around = own.match_indices('/').filter_map(|(end, _)| own.get(..end));
        around
            .chain([own.trim_end_matches('/')])
            .map(move |group| format!("{root}{group}/{file}"))
            .collect::<Vec<_>>()
    });
    // A group without a limit says `max`, or a number beyond any machine.
    let limits = limits.filter_map(|path| text(&path)?.trim().parse().ok());
    limits.chain(machine).min()
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kibibytes = line.split_whitespace().nth(1)?.parse::<u64>().ok()?;
    kibibytes.checked_mul(1 << 10)
}

/// The group of this process, from lines such as `0::/path` and `4:memory:/path`.
fn group(groups: &str, version: Version) -> Option<&str> {
    groups.lines().find_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let is_this = match version {
            Version::First => controllers.split(',').any(|name| name == "memory"),
            Version::Second => number == "0" && controllers.is_empty(),
        };
        // A group outside of what this process may see begins with `/..`.
        (is_this && path.starts_with('/') && !path.contains("..")).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: (&str, &str) = ("/proc/meminfo", "MemFree: 1 kB\nMemTotal:       8192 kB\n");
    const UNLIMITED: &str = "9223372036854771712\n";

    fn limit_of(files: &[(&str, &str)]) -> Option<u64> {
        limit(|path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            let text = found.map(|(_, text)| (*text).to_owned());
            text.ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    #[test]
    fn without_a_limit_it_is_what_the_machine_has() {
        assert_eq!(limit_of(&[]), None);
        assert_eq!(limit_of(&[MACHINE]), Some(8 << 20));
        let second = ("/sys/fs/cgroup/memory.max", "max\n");
        let first = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", UNLIMITED);
        assert_eq!(limit_of(&[MACHINE, second, first]), Some(8 << 20));
    }

    #[test]
    fn a_container_that_sees_itself_as_the_root_is_limited_by_either_version() {
        let second = ("/sys/fs/cgroup/memory.max", "1048576\n");
        assert_eq!(limit_of(&[MACHINE, second]), Some(1 << 20));
        let first = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2097152\n");
        // Of the first version a container sees the path that it has outside.
        let outside = ("/proc/self/cgroup", "4:cpu,memory:/docker/1a2b\n0::/\n");
        assert_eq!(limit_of(&[MACHINE, first, outside]), Some(2 << 20));
        assert_eq!(limit_of(&[first]), Some(2 << 20));
    }

    #[test]
    fn a_unit_is_limited_by_its_own_group_and_by_those_around_it() {
        let own = ("/proc/self/cgroup", "0::/system.slice/tingkat.service\n");
        let unit = (
            "/sys/fs/cgroup/system.slice/tingkat.service/memory.max",
            "3145728\n",
        );
        let slice = ("/sys/fs/cgroup/system.slice/memory.max", "2097152\n");
        assert_eq!(limit_of(&[MACHINE, own, unit]), Some(3 << 20));
        assert_eq!(limit_of(&[MACHINE, own, unit, slice]), Some(2 << 20));
        let own = ("/proc/self/cgroup", "7:pids:/p\n3:memory:/slice/unit\n");
        let unit = (
            "/sys/fs/cgroup/memory/slice/unit/memory.limit_in_bytes",
            "1048576",
        );
        assert_eq!(limit_of(&[MACHINE, own, unit]), Some(1 << 20));
    }

    #[test]
    fn a_group_out_of_sight_is_not_looked_for() {
        let own = ("/proc/self/cgroup", "0::/../other\nnonsense\n1:memory\n");
        let other = ("/sys/fs/cgroup/../other/memory.max", "1");
        assert_eq!(limit_of(&[MACHINE, own, other]), Some(8 << 20));
    }
}
