-- What this transaction wrote to the change log.
--
-- Parameters: none
-- Result: one row
--   xid                     text: the transaction
--   uuid, database, system  as of a poll
--   changes                 text: JSON [[xid, kind, dep]]
SELECT
  pg_current_xact_id()::text AS xid,
  (SELECT incarnation::text FROM tingkat.state) AS uuid,
  (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
  tingkat.system_id() AS system,
  coalesce((
    SELECT json_agg(json_build_array(c.xid::text, c.kind::text, c.dep) ORDER BY c.dep)::text
    FROM tingkat.change AS c
    WHERE c.xid = pg_current_xact_id()
  ), '[]') AS changes
