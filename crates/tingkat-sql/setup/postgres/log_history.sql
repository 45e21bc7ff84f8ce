-- All that the log still knows, in one snapshot.
--
-- Parameters
--   $1 number  the most rows of either kind
-- Result: one row
--   position, uuid, database, system, floor, is_standby  as of a poll
--   changes      text: JSON [[xid, kind, dep]], those not yet compacted
--   compacted    text: JSON [[xid, kind, dep]], with the newest transaction of each
WITH s AS MATERIALIZED (SELECT pg_current_snapshot() AS cur)
SELECT
  s.cur::text AS position,
  st.incarnation::text AS uuid,
  (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
  tingkat.system_id() AS system,
  st.floor::text AS floor,
  pg_is_in_recovery() AS is_standby,
  coalesce((
    SELECT json_agg(json_build_array(x.xid, x.kind, x.dep))::text
    FROM (
      SELECT c.xid::text AS xid, c.kind::text AS kind, c.dep FROM tingkat.change AS c LIMIT $1
    ) AS x
  ), '[]') AS changes,
  coalesce((
    SELECT json_agg(json_build_array(x.xid, x.kind, x.dep))::text
    FROM (
      SELECT o.max_xid::text AS xid, o.kind::text AS kind, o.dep FROM tingkat.change_old AS o LIMIT $1
    ) AS x
  ), '[]') AS compacted
FROM s
LEFT JOIN tingkat.state AS st ON true
