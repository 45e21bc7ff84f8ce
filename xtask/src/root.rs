//! Where the repository is.

use std::path::Path;

/// The root of the workspace that this xtask was built in.
pub(crate) fn root() -> &'static Path {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_dir.parent().unwrap_or(manifest_dir)
}
