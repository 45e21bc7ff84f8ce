//! What happens to the contents of Redis.

use std::time::Duration;

use tingkat::certificate::Incarnation;
use tingkat::envelope::Envelope;

use super::Faults;
use crate::history::Fault;

impl Faults {
    pub(super) async fn spoil(&self, fault: Fault, length: Duration) {
        let from = self.world.now();
        if fault == Fault::RedisRestored {
            let dump = self.world.redis.dump();
            tokio::time::sleep(length).await;
            self.world.redis.load(dump);
        }
        while fault != Fault::RedisRestored && self.world.now() < from + length {
            self.spoil_once(fault);
            tokio::time::sleep(self.random.millis(30, 400)).await;
        }
        let length = self.world.now() - from;
        self.note(fault, None, from, length);
    }

    fn spoil_once(&self, fault: Fault) {
        let redis = &self.world.redis;
        if fault == Fault::RedisFlushed {
            return redis.flush();
        }
        // Leases and error markers come and go; what is spoiled are values.
        let values: Vec<(String, bytes::Bytes)> = redis
            .cells()
            .into_iter()
            .filter(|(_, cell)| cell.first() == Some(&b'V'))
            .collect();
        if values.is_empty() {
            return;
        }
        let (name, cell) = self.random.pick(&values).clone();
        match fault {
            Fault::RedisMixedUp => {
                let (other, _) = self.random.pick(&values).clone();
                redis.put(other, cell);
            }
            Fault::RedisOtherLog => {
                let key = name.rsplit(':').next().unwrap_or_default();
                let Ok(mut envelope) = Envelope::decode(&cell, key) else {
                    return;
                };
                if let Some(certificate) = &mut envelope.certificate {
                    let number = self.random.bits().to_string();
                    certificate.incarnation = Incarnation::of(&["another", &number]);
                }
                if let Ok(cell) = envelope.encode(key, 1 << 10) {
                    redis.put(name, cell);
                }
            }
            _ => redis.put(name, self.rubbish(&cell)),
        }
    }

    /// Bytes that are no entry, or not a whole one. None of them begins like a lease or an error
    /// marker: one that never ends would keep its key from being loaded for as long as it is there.
    fn rubbish(&self, cell: &[u8]) -> Vec<u8> {
        let mut bytes = cell.to_vec();
        match self.random.below(3) {
            0 => {
                let length = self.random.below(bytes.len() as u64);
                bytes.truncate(usize::try_from(length).unwrap_or(0));
            }
            1 => {
                let at = usize::try_from(self.random.below(bytes.len() as u64)).unwrap_or(0);
                bytes[at] ^= 1 << self.random.below(8);
            }
            _ => {
                let length = self.random.below(60);
                bytes = (0..length)
                    .map(|_| u8::try_from(self.random.below(256)).unwrap_or(0))
                    .collect();
            }
        }
        if let Some(first @ (b'L' | b'E')) = bytes.first_mut() {
            *first = b'?';
        }
        bytes
    }
}
