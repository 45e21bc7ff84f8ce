-- All that the log still knows, in one snapshot; or that it is more than is wanted.
--
-- Parameters
--   $1 number  so many deps are too many
--   $2 number  so many rows that are not yet compacted are too many
-- Result: one row
--   position, uuid, database, system, floor, is_standby  as of a poll
--   is_too_much  boolean: the lists are empty, whatever there is
--   changes      text: JSON [[xid, kind, dep]], those not yet compacted
--   compacted    text: JSON [[xid, kind, dep]], with the newest transaction of each
WITH s AS MATERIALIZED (SELECT pg_current_snapshot() AS cur),
-- A dep that changed often is one dep: what counts is what a node has to remember.
counted AS MATERIALIZED (
  SELECT
    (
      SELECT count(*)
      FROM (
        SELECT FROM (
          (SELECT c.kind, c.dep FROM tingkat.change AS c LIMIT $2)
          UNION
          SELECT o.kind, o.dep FROM tingkat.change_old AS o
        ) AS every_dep
        LIMIT $1
      ) AS deps
    ) >= $1
    OR (SELECT count(*) FROM (SELECT FROM tingkat.change LIMIT $2) AS rows) >= $2
    AS is_too_much
)
SELECT
  s.cur::text AS position,
  st.incarnation::text AS uuid,
  (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
  tingkat.system_id() AS system,
  st.floor::text AS floor,
  pg_is_in_recovery() AS is_standby,
  counted.is_too_much,
  coalesce((
    SELECT json_agg(json_build_array(c.xid::text, c.kind::text, c.dep))::text
    FROM tingkat.change AS c
    WHERE NOT counted.is_too_much
  ), '[]') AS changes,
  coalesce((
    SELECT json_agg(json_build_array(o.max_xid::text, o.kind::text, o.dep))::text
    FROM tingkat.change_old AS o
    WHERE NOT counted.is_too_much
  ), '[]') AS compacted
FROM s
CROSS JOIN counted
LEFT JOIN tingkat.state AS st ON true
