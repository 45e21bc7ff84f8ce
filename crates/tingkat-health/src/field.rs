//! What a server tells about itself in numbers, by the names that INFO gives them.

/// How a number behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It may go up and down.
    Gauge,
    /// It only grows, until the server restarts or somebody resets it.
    Counter,
    /// 0 and 1 stand for these two words.
    Words(&'static str, &'static str),
}

macro_rules! fields {
    ($($field:ident = $name:literal, $kind:expr;)*) => {
        /// A number that a server tells about itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is explained by its name in INFO")]
        pub enum Field { $($field),* }

        impl Field {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$field),*];

            /// Its name in INFO, or our own for what is summed up from several lines.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$field => $name),* }
            }

            /// How it behaves.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$field => $kind),* }
            }

            /// The field with this name.
            pub fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$field),)* _ => None }
            }
        }
    };
}

use Kind::{Counter, Gauge, Words};

fields! {
    Uptime = "uptime_in_seconds", Gauge;
    ServerTime = "server_time_usec", Gauge;
    Loading = "loading", Gauge;
    LoadingEta = "loading_eta_seconds", Gauge;

    ConnectedClients = "connected_clients", Gauge;
    ClusterConnections = "cluster_connections", Gauge;
    MaxClients = "maxclients", Gauge;
    BlockedClients = "blocked_clients", Gauge;

    UsedMemory = "used_memory", Gauge;
    UsedMemoryRss = "used_memory_rss", Gauge;
    UsedMemoryPeakPercent = "used_memory_peak_perc", Gauge;
    TotalSystemMemory = "total_system_memory", Gauge;
    MaxMemory = "maxmemory", Gauge;
    FragmentationRatio = "mem_fragmentation_ratio", Gauge;
    FragmentationBytes = "mem_fragmentation_bytes", Gauge;
    ClientBytes = "mem_clients_normal", Gauge;
    ReplicaBytes = "mem_clients_slaves", Gauge;
    CachedScripts = "number_of_cached_scripts", Gauge;
    LazyfreePending = "lazyfree_pending_objects", Gauge;
    EvictionExceeded = "current_eviction_exceeded_time", Gauge;

    SaveFailed = "rdb_last_bgsave_status", Words("ok", "err");
    LastSave = "rdb_last_save_time", Gauge;
    SaveRunning = "rdb_current_bgsave_time_sec", Gauge;
    AofEnabled = "aof_enabled", Gauge;
    AofWriteFailed = "aof_last_write_status", Words("ok", "err");
    AofDelayed = "aof_delayed_fsync", Counter;

    Connections = "total_connections_received", Counter;
    Commands = "total_commands_processed", Counter;
    BytesIn = "total_net_input_bytes", Counter;
    BytesOut = "total_net_output_bytes", Counter;
    Rejected = "rejected_connections", Counter;
    FullResyncs = "sync_full", Counter;
    Expired = "expired_keys", Counter;
    ExpiredStalePercent = "expired_stale_perc", Gauge;
    Evicted = "evicted_keys", Counter;
    EvictedClients = "evicted_clients", Counter;
    QueryDisconnects = "client_query_buffer_limit_disconnections", Counter;
    OutputDisconnects = "client_output_buffer_limit_disconnections", Counter;
    KeyspaceHits = "keyspace_hits", Counter;
    KeyspaceMisses = "keyspace_misses", Counter;
    ForkMicros = "latest_fork_usec", Gauge;
    Forks = "total_forks", Counter;
    ErrorReplies = "total_error_replies", Counter;

    LinkDown = "master_link_status", Words("up", "down");
    LinkDownSince = "master_link_down_since_seconds", Gauge;
    Replicas = "connected_slaves", Gauge;
    Offset = "master_repl_offset", Gauge;

    CpuSystem = "used_cpu_sys", Counter;
    CpuUser = "used_cpu_user", Counter;
    CpuSystemMain = "used_cpu_sys_main_thread", Counter;
    CpuUserMain = "used_cpu_user_main_thread", Counter;

    // Summed up from several lines.
    Keys = "keys", Gauge;
    Expires = "expires", Gauge;
    Databases = "databases_with_keys", Gauge;
    ReplicaLag = "replica_lag_bytes", Gauge;
    RefusedOom = "errorstat_OOM", Counter;
    RefusedMisconf = "errorstat_MISCONF", Counter;
    RefusedReadOnly = "errorstat_READONLY", Counter;
    Denied = "errorstat_denied", Counter;
    OtherErrors = "errorstat_others", Counter;
    KeysCalls = "cmdstat_keys", Counter;
    FlushCalls = "cmdstat_flush", Counter;
    CommandP99 = "latency_p99_usec", Gauge;

    // From commands beside INFO.
    SlowCommands = "slowlog_entries", Counter;
    LatencyEvents = "latency_events", Counter;
    LatencyWorst = "latency_worst_ms", Gauge;
    KeysLookedAt = "random_keys", Counter;
    KeysOfOthers = "random_keys_of_others", Counter;
    ClusterFailed = "cluster_state", Words("ok", "fail");
    SlotsAssigned = "cluster_slots_assigned", Gauge;
    SlotsOk = "cluster_slots_ok", Gauge;
    SlotsSuspected = "cluster_slots_pfail", Gauge;
    SlotsFailed = "cluster_slots_fail", Gauge;

    // From our own connection.
    IsPublic = "over_a_public_address", Gauge;
    IsEncrypted = "encrypted", Gauge;
    HasLogin = "logged_in", Gauge;
}

impl Field {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// A value of it as INFO would write it.
    pub fn shown(self, value: f64) -> String {
        match self.kind() {
            Kind::Words(well, _) if value == 0.0 => well.to_owned(),
            Kind::Words(_, ill) => ill.to_owned(),
            Kind::Gauge | Kind::Counter => number(value),
        }
    }
}

/// A number as people write it: whole where it is, else with two digits.
pub(crate) fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_name_and_no_two_share_one() {
        for &field in Field::ALL {
            assert_eq!(Field::named(field.name()), Some(field));
        }
        assert_eq!(Field::named("used_memory_human"), None);
    }

    #[test]
    fn a_state_is_shown_in_the_words_of_the_server() {
        assert_eq!(Field::LinkDown.shown(1.0), "down");
        assert_eq!(Field::SaveFailed.shown(0.0), "ok");
        assert_eq!(Field::UsedMemory.shown(1_048_576.0), "1048576");
        assert_eq!(Field::FragmentationRatio.shown(1.5), "1.50");
    }
}
