//! Removes what a run has left in Redis: the keys that begin with its own prefix, and no others.

use tingkat_redis::{Probe, ProbeError};

/// So many are removed at once.
const PART: usize = 500;

/// So many are looked for at once: each time all keys of the servers are gone through.
const FOUND: usize = 50_000;

/// How often it is looked for more, so that it ends whatever happens.
const MOST_LOOKS: usize = 100;

/// Removes every key that begins with `prefix`; how many there were.
pub(super) async fn clean(redis: &Probe, prefix: &str) -> Result<usize, ProbeError> {
    let mut removed = 0;
    for _ in 0..MOST_LOOKS {
        let keys = redis.keys(prefix, FOUND).await?;
        if keys.is_empty() {
            break;
        }
        for part in keys.chunks(PART) {
            redis.remove(part).await?;
        }
        removed += keys.len();
    }
    Ok(removed)
}
