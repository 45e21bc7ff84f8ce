-- Writes changes in a transaction of their own.
--
-- Parameters
--   $1 text[]  kinds: f, e, p
--   $2 text[]  deps
-- Result: one row
--   xid                     text: the transaction
--   uuid, database, system  as of a poll
SELECT
  tingkat.append($1::text[], $2::text[])::text AS xid,
  (SELECT incarnation::text FROM tingkat.state) AS uuid,
  (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
  tingkat.system_id() AS system
