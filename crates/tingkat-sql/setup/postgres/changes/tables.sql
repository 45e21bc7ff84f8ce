-- The change log: which deps changed in which transaction. Nothing here is logged for recovery: a
-- crash or a promotion empties all of it at once, and the log begins a new life.

CREATE SCHEMA IF NOT EXISTS tingkat;

-- Rows of recent transactions. `kind`: f forget, e expire, p pattern; `append` checks it, because a
-- constraint is read anew for every statement of the store and costs as much as the row.
CREATE UNLOGGED TABLE IF NOT EXISTS tingkat.change (
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  kind "char" NOT NULL,
  dep text NOT NULL,
  PRIMARY KEY (xid, dep, kind)
);

-- The newest transaction of each dep among those that were compacted.
CREATE UNLOGGED TABLE IF NOT EXISTS tingkat.change_old (
  dep text NOT NULL,
  kind "char" NOT NULL CHECK (kind IN ('f', 'e', 'p')),
  max_xid xid8 NOT NULL,
  PRIMARY KEY (dep, kind)
);

-- One row: the life of the log, and up to where it was compacted.
CREATE UNLOGGED TABLE IF NOT EXISTS tingkat.state (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  incarnation uuid NOT NULL,
  floor pg_snapshot
);

-- What was visible when, so that compaction can go by visibility and never by the time of a row.
CREATE UNLOGGED TABLE IF NOT EXISTS tingkat.tick (
  at timestamptz PRIMARY KEY DEFAULT clock_timestamp(),
  snapshot pg_snapshot NOT NULL
);
