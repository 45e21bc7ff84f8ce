//! Removes what a run has left in Redis: the keys that begin with its own prefix, and no others.

use std::sync::Arc;

use tingkat::error::RemoteError;
use tingkat::ports::Remote as _;
use tingkat_redis::Redis;

/// So many are removed at once.
const PART: usize = 500;

/// How often it is looked for more, so that it ends whatever happens.
const MOST_PARTS: usize = 10_000;

/// Removes every key that begins with `prefix`; how many there were.
pub(super) async fn clean(redis: &Arc<Redis>, prefix: &str) -> Result<usize, RemoteError> {
    let mut removed = 0;
    for _ in 0..MOST_PARTS {
        let keys = redis.keys(prefix, PART).await?;
        if keys.is_empty() {
            break;
        }
        redis.remove(&keys).await?;
        removed += keys.len();
    }
    Ok(removed)
}
