-- Compacts the change log.
--
-- Parameters
--   $1 text    for how long changes are kept one by one, as an interval
--   $2 number  the most deps that are kept
-- Result: one row
--   folded  bigint or null: rows that were folded; null when another session is at it
SELECT tingkat.compact($1::interval, $2) AS folded
