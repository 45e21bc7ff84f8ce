-- Which number a transaction that writes gets at the earliest.
--
-- Parameters
--   $1 text[]  nothing
-- Result: one row
--   position  bigint
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS position
WHERE cardinality($1::text[]) >= 0
