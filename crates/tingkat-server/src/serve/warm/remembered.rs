//! What memory held when a node stopped: in a file, or in Redis for whichever node starts next. It names
//! keys and no values, and what can not be read of it is as if it were not there.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tingkat::ports::Remote;

use crate::warm::Keys;

/// A node that starts later begins without it.
const KEPT_FOR: Duration = Duration::from_hours(24 * 7);

/// Bytes that it takes in Redis at most: one write, within the time that one may take.
const MOST_IN_REDIS: usize = 256 << 10;

/// Bytes that it takes in a file at most.
const MOST_IN_FILE: usize = 16 << 20;

/// Characters of a cell before the text.
const HEAD: &[u8; 17] = b"M\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Where it is kept.
pub(super) struct Remembered {
    file: Option<PathBuf>,
    cell: String,
}

/// Why it could not be kept.
#[derive(Debug)]
pub(super) enum NotKept {
    File(PathBuf, io::Error),
    Redis(tingkat::error::RemoteError),
}

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Redis(error) => write!(f, "redis: {error}"),
        }
    }
}

impl Remembered {
    /// In the file if there is one, else in Redis.
    pub(super) fn new(file: Option<PathBuf>, prefix: &str) -> Self {
        Self {
            file,
            cell: format!("{prefix}w:keys"),
        }
    }

    /// Keeps the keys, those that come first if there are too many; how many are kept.
    pub(super) async fn save(
        &self,
        keys: Keys,
        remote: Option<&dyn Remote>,
    ) -> Result<usize, NotKept> {
        if let Some(path) = &self.file {
            let keys = shortened(keys, MOST_IN_FILE);
            write(path, &text(&keys)).map_err(|error| NotKept::File(path.clone(), error))?;
            return Ok(keys.values().map(Vec::len).sum());
        }
        let Some(remote) = remote else { return Ok(0) };
        let keys = shortened(keys, MOST_IN_REDIS);
        let mut cell = HEAD.to_vec();
        cell.extend(text(&keys).as_bytes());
        let cells = vec![(self.cell.clone(), Bytes::from(cell), KEPT_FOR)];
        remote.set_many(cells).await.map_err(NotKept::Redis)?;
        Ok(keys.values().map(Vec::len).sum())
    }

    /// What was kept; nothing where nothing is, or nothing that can be read.
    pub(super) async fn load(&self, remote: Option<&dyn Remote>) -> Keys {
        let bytes = match (&self.file, remote) {
            (Some(path), _) => match read(path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Keys::new(),
                Err(error) => {
                    let path = path.display();
                    tracing::warn!("failed to read what memory held: {path}: {error}");
                    return Keys::new();
                }
            },
            (None, Some(remote)) => {
                let cell = remote.get(&self.cell).await.ok().flatten();
                let text = cell.as_ref().and_then(|cell| cell.strip_prefix(HEAD));
                text.unwrap_or_default().to_vec()
            }
            (None, None) => return Keys::new(),
        };
        let keys = parse(&bytes);
        if keys.is_none() && !bytes.is_empty() {
            tracing::warn!("what is kept of what memory held can not be read");
        }
        keys.unwrap_or_default()
    }
}

fn text(keys: &Keys) -> String {
    json!({ "version": 1, "keys": keys }).to_string()
}

fn parse(bytes: &[u8]) -> Option<Keys> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let entities = value.get("keys")?.as_object()?.iter();
    let keys = |list: &Value| {
        let list = list.as_array()?.iter();
        let texts = list.map(|key| key.as_str().map(str::to_owned));
        texts.collect::<Option<Vec<String>>>()
    };
    entities
        .map(|(entity, list)| Some((entity.clone(), keys(list)?)))
        .collect()
}

/// As many keys of each entity as fit, the first ones.
fn shortened(keys: Keys, most_bytes: usize) -> Keys {
    // Each entity has its share; what one does not need is not given to others.
    let share = most_bytes / 2 / keys.len().max(1);
    let cut = |keys: Vec<String>| {
        let mut bytes = 0;
        let fits = move |key: &String| {
            // Quotes, a comma, and what is escaped.
            bytes += key.len() + 4;
            bytes <= share
        };
        keys.into_iter().take_while(fits).collect()
    };
    keys.into_iter()
        .map(|(entity, keys)| (entity, cut(keys)))
        .collect()
}

/// Writes it beside the file first, so that there is never half of it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(&new, path)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let most = u64::try_from(MOST_IN_FILE).unwrap_or(u64::MAX);
    if fs::metadata(path)?.len() > most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is too large",
        ));
    }
    fs::read(path)
}

#[cfg(test)]
mod tests {
    use tingkat_testkit::fakes::FakeRedis;

    use super::*;

    fn keys(count: usize) -> Keys {
        let keys = (0..count).map(|n| format!("{n:07}")).collect();
        Keys::from([
            ("product".to_owned(), keys),
            ("states".to_owned(), vec!["all".to_owned()]),
        ])
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_comes_back_from_redis_or_from_a_file() {
        let redis = FakeRedis::new().handle();
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("keys.json");
        for remembered in [
            Remembered::new(None, "t:"),
            Remembered::new(Some(path.clone()), "t:"),
        ] {
            assert_eq!(remembered.load(Some(&redis)).await, Keys::new());
            assert_eq!(remembered.save(keys(100), Some(&redis)).await.unwrap(), 101);
            assert_eq!(remembered.load(Some(&redis)).await, keys(100));
        }
        assert!(path.exists() && !folder.path().join("keys.new").exists());
        let nowhere = Remembered::new(None, "t:");
        assert_eq!(nowhere.save(keys(1), None).await.unwrap(), 0);
        assert_eq!(nowhere.load(None).await, Keys::new());
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_fits_is_cut_off_at_the_end() {
        let (redis, remembered) = (FakeRedis::new(), Remembered::new(None, "t:"));
        let handle = redis.handle();
        let kept = remembered
            .save(keys(1_000_000), Some(&handle))
            .await
            .unwrap();
        assert!((1_000..50_000).contains(&kept), "{kept}");
        assert!(
            redis
                .cells()
                .values()
                .all(|cell| cell.len() <= MOST_IN_REDIS)
        );
        let loaded = remembered.load(Some(&handle)).await;
        assert_eq!(loaded["product"].len() + 1, kept);
        assert_eq!(loaded["product"][0], "0000000");
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_not_be_read_is_as_if_it_were_not_there() {
        let (redis, remembered) = (FakeRedis::new(), Remembered::new(None, "t:"));
        let handle = redis.handle();
        for cell in [
            &b""[..],
            b"V",
            b"{}",
            &[b'M'; 40],
            br#"{"keys":{"product":[7]}}"#,
        ] {
            redis.put("t:w:keys", Bytes::copy_from_slice(cell));
            assert_eq!(remembered.load(Some(&handle)).await, Keys::new());
        }
        let folder = tempfile::TempDir::new().unwrap();
        let file = Remembered::new(Some(folder.path().to_owned()), "t:");
        assert_eq!(file.load(None).await, Keys::new());
        let error = file.save(keys(1), None).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&*folder.path().to_string_lossy())
        );
    }
}
