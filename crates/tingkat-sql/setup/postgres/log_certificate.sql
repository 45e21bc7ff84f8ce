-- What a load sees; in the load's own transaction.
--
-- Parameters: none
-- Result: one row
--   position, uuid, database, system  as of a poll
SELECT
  pg_current_snapshot()::text AS position,
  (SELECT incarnation::text FROM tingkat.state) AS uuid,
  (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
  tingkat.system_id() AS system
