//! The socket of a sidecar: a file that programs of this machine connect to.
//!
//! A file that nobody listens behind any more is replaced, by one that has its rights from its first
//! moment. Whatever else is there is left alone.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use crate::config::Socket;
use crate::exit::{Code, Failure};

/// The file of an open socket; removed with this, unless another took its place.
pub(super) struct SocketFile {
    path: PathBuf,
    /// The device and the number of the file there.
    id: (u64, u64),
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if id(&self.path).is_ok_and(|id| id == self.id)
            && let Err(error) = fs::remove_file(&self.path)
        {
            let path = self.path.display();
            tracing::warn!("failed to remove the socket {path}: {error}");
        }
    }
}

/// Listens at a path.
pub(super) async fn bind(socket: &Socket) -> Result<(UnixListener, SocketFile), Failure> {
    let path = &socket.path;
    let failed = |why: String| {
        let path = path.display();
        let line = format!("failed to listen on {path}: {why}");
        Failure::new(Code::Configuration, line)
    };
    make_way(path).await.map_err(failed)?;
    // Under a name of its own until it has its rights: nobody connects there. Processes of several
    // containers may have one number, and one directory.
    let mut begun = path.clone().into_os_string();
    begun.push(format!(".{:08x}", rand::random::<u32>()));
    let begun = PathBuf::from(begun);
    let listener = UnixListener::bind(&begun).map_err(|error| failed(why(&error)))?;
    let made = fs::set_permissions(&begun, Permissions::from_mode(socket.mode))
        .and_then(|()| id(&begun))
        .and_then(|id| fs::rename(&begun, path).map(|()| id));
    match made {
        Ok(id) => {
            let path = path.clone();
            Ok((listener, SocketFile { path, id }))
        }
        Err(error) => {
            // It is ours, and of no use to anybody.
            let _ = fs::remove_file(&begun);
            Err(failed(why(&error)))
        }
    }
}

/// Finds out whether the path is free, or has a socket that nobody listens behind; if not, why not.
async fn make_way(path: &Path) -> Result<(), String> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    if !found.file_type().is_socket() {
        return Err(
            "there is something that is no socket, and is left alone: choose another path with \
             server.socket, or remove it"
                .to_owned(),
        );
    }
    match UnixStream::connect(path).await {
        Ok(_) => {
            Err("another program listens there: choose another path with server.socket".to_owned())
        }
        // Left behind by a program that was killed; or just gone.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!(
            "it can not be told whether another program listens there: {error}"
        )),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "other errors speak for themselves"
)]
fn why(error: &io::Error) -> String {
    let help = match error.kind() {
        ErrorKind::InvalidInput => "; a path of a socket has at most about 90 bytes",
        ErrorKind::NotFound => "; its directory must be there",
        ErrorKind::PermissionDenied => "; the directory must be one that this user may write",
        _ => "",
    };
    format!("{error}{help}")
}

fn id(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_another_process_of_this_number_left_behind_is_not_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tingkat.sock");
        // The first process of each container has the same number.
        let theirs = folder
            .path()
            .join(format!("tingkat.sock.{}", std::process::id()));
        drop(UnixListener::bind(&theirs).unwrap());
        let socket = Socket {
            path: path.clone(),
            mode: 0o600,
        };
        let (_listener, file) = bind(&socket).await.map_err(|_| "taken").unwrap();
        assert_eq!(file.path(), path);
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2, "its own and that of the other");
    }
}
