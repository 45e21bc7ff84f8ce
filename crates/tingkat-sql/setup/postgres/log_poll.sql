-- What became visible since a snapshot: all of it in one snapshot of its own.
--
-- Parameters
--   $1 number  xmax of the previous snapshot
--   $2 text    xids under way in the previous snapshot, as an array
--   $3 number  the most rows
-- Result: one row
--   position     text: the snapshot
--   uuid         text or null: the life of the log
--   database     text: its oid
--   system       text: the cluster, where that may be known
--   floor        text or null: the snapshot up to which the log was compacted
--   is_standby   boolean
--   changes      text: JSON [[xid, kind, dep]]
WITH s AS MATERIALIZED (SELECT pg_current_snapshot() AS cur)
SELECT
  s.cur::text AS position,
  st.incarnation::text AS uuid,
  (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
  tingkat.system_id() AS system,
  st.floor::text AS floor,
  pg_is_in_recovery() AS is_standby,
  coalesce(r.changes, '[]') AS changes
FROM s
LEFT JOIN tingkat.state AS st ON true
LEFT JOIN LATERAL (
  SELECT json_agg(json_build_array(x.xid, x.kind, x.dep))::text AS changes
  FROM (
    SELECT c.xid::text AS xid, c.kind::text AS kind, c.dep
    FROM tingkat.change AS c
    WHERE c.xid >= $1::text::xid8 OR c.xid = ANY ($2::xid8[])
    LIMIT $3
  ) AS x
) AS r ON true
