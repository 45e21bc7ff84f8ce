//! Which operating system this is, as far as installing packages is concerned.

use std::fs;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    /// Debian, Ubuntu and what is made from them.
    Debian,
    Other,
}

impl Platform {
    pub(crate) fn of_this_machine() -> Self {
        Self::of_os_release(&fs::read_to_string("/etc/os-release").unwrap_or_default())
    }

    fn of_os_release(text: &str) -> Self {
        let is_debian = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .filter(|(key, _)| matches!(*key, "ID" | "ID_LIKE"))
            .flat_map(|(_, value)| value.trim_matches(['"', '\'']).split_whitespace())
            .any(|id| matches!(id, "debian" | "ubuntu"));
        if is_debian { Self::Debian } else { Self::Other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_ubuntu_and_their_children_are_one_platform() {
        for text in [
            "NAME=\"Debian GNU/Linux\"\nID=debian\n",
            "ID=ubuntu\nID_LIKE=debian\n",
            "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
        ] {
            assert_eq!(Platform::of_os_release(text), Platform::Debian, "{text}");
        }
    }

    #[test]
    fn another_system_is_not_taken_for_debian() {
        for text in ["", "ID=fedora\n", "ID=arch\nHOME_URL=https://debian\n"] {
            assert_eq!(Platform::of_os_release(text), Platform::Other, "{text}");
        }
    }
}
